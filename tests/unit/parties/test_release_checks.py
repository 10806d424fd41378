"""What is judged again before a release: every document that the run rests on, at the time of the release."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from consortia.errors import ProtocolAbort
from consortia.parties.approval import Terms, build_approval
from consortia.parties.checks import Agreed, check_unchanged, concerned_cards
from consortia.parties.work import Documents
from consortia.trust.sessions import Submission
from tests.consortium import Consortium, make_consortium
from tests.fixtures_catalogue import CATALOGUE
from tests.session_world import token_plan

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    root: Path = tmp_path_factory.mktemp("release")
    return make_consortium(root, catalogue=CATALOGUE, suite="ecdsa-p256")


def agreed_with_card_until_an_hour_from_now(consortium: Consortium, member: str) -> Agreed:
    """Data of bank-a and bank-b, asked for by bank-a; bank-c computes, and owns nothing."""
    plan = token_plan(consortium, ["bank-a", "bank-b"])
    trusted = consortium.home("bank-a").trusted()
    card = trusted.cards[member].model_copy(update={"not_after": consortium.now + HOUR})
    documents = Documents(replace(trusted, cards={**trusted.cards, member: card}), plan.catalogue, ())
    submission = Submission(
        consortium=consortium.manifest.consortium,
        submitter=plan.submitter,
        purpose=plan.purpose,
        sql="SELECT COUNT(*) FROM deposits",
        plan=plan.digest(),
        leakage="1" * 64,
        manifest=plan.manifest,
        catalogue=plan.catalogue,
        as_of=plan.as_of,
        nonce="2" * 64,
        result_key="ab" * 8,
    )
    terms = Terms(
        session="0" * 32,
        submission="3" * 64,
        plan=plan,
        leakage=submission.leakage,
        manifest=plan.manifest,
        catalogue=plan.catalogue,
        cards=concerned_cards(documents, plan, submission),
        policies=(),
    )
    own = build_approval(
        terms,
        party="bank-a",
        not_after=consortium.now + 2 * HOUR,
        snapshots=(),
        result_key=submission.result_key,
        reservation=None,
    )
    return Agreed(submission, plan, documents, own, {}, {}, {})


@pytest.mark.parametrize("member", ["bank-a", "bank-b", "bank-c"])
def test_nothing_is_released_when_the_card_of_any_party_has_expired_meanwhile(
    consortium: Consortium, member: str
) -> None:
    agreed = agreed_with_card_until_an_hour_from_now(consortium, member)
    check_unchanged(agreed, agreed.documents, consortium.now)
    with pytest.raises(ProtocolAbort, match="expired on") as refused:
        check_unchanged(agreed, agreed.documents, consortium.now + 2 * HOUR)
    assert refused.value.code == "parties/changed-before-release"
    assert refused.value.place == f"card of {member}"
