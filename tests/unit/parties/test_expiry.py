"""A node warns before a policy ends: at 30, 7 and 1 days, once each."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consortia.parties.expiry import ExpiryWatch
from consortia.trust.envelope import Envelope
from consortia.trust.folder import POLICY_TYPE, TrustFolder
from tests.policies_world import policy_text

END = datetime(2027, 1, 16, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> TrustFolder:
    kept = TrustFolder(tmp_path)
    for owner in ("bank-a", "bank-b"):
        kept.write_policy(
            owner,
            "aml-detection",
            Envelope(payload_type=POLICY_TYPE, payload=policy_text(owner).encode().hex(), signatures=()),
        )
    return kept


def test_each_threshold_is_warned_of_once_and_the_own_policy_first(folder: TrustFolder) -> None:
    watch = ExpiryWatch(folder, "bank-b")
    warned = []
    for hours in range(32 * 24, -48, -11):
        warned += watch.look(END - timedelta(hours=hours))
    assert warned == [(owner, days) for days in (30, 7, 1) for owner in ("bank-b", "bank-a")]
    assert watch.days_left(END - timedelta(days=9)) == 9


def test_a_file_that_is_no_policy_does_not_keep_the_others_from_being_looked_at(folder: TrustFolder) -> None:
    broken = Envelope(payload_type=POLICY_TYPE, payload=b"no policy".hex(), signatures=())
    folder.write_policy("bank-c", "aml-detection", broken)
    assert len(ExpiryWatch(folder, "bank-a").look(END - timedelta(days=3))) == 2
