"""Two officers lift one stop with one text: the second signs what they typed, or nothing."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from consortia.cli.emergency_stop import _lifting
from consortia.errors import RequestError
from consortia.trust.envelope import Envelope, seal_document
from consortia.trust.notices import keep_notice
from consortia.trust.statements import Lift, Stop
from tests.consortium import make_consortium


def test_the_second_officer_signs_no_other_stop_and_no_other_reason(tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    world = make_consortium(tmp_path, suite="ecdsa-p256", now=now)
    otto, petra = world.profile("otto@bank-a"), world.profile("petra@bank-a")
    stops = [
        Stop(
            consortium=world.manifest.consortium, member="bank-a", person="otto@bank-a", reason="x", at=now, nonce=nonce
        )
        for nonce in ("00", "01")
    ]
    for stop in stops:
        for signer in (otto, petra):
            keep_notice(signer.trust, seal_document(stop, (otto.signing_key(),)), stop)
    first, second = (stop.digest() for stop in stops)
    file = tmp_path / "lift.json"
    _lifting(otto, file, first, "it is over")
    held = file.read_bytes()
    for prefix, reason in ((second, "it is over"), (first, "a drill")):
        with pytest.raises(RequestError) as refused:
            _lifting(petra, file, prefix, reason)
        assert refused.value.code == "cli/exists"
        assert first in refused.value.message
        assert file.read_bytes() == held
    signed = _lifting(petra, file, first[:8], "it is over")
    assert len(signed.signatures) == 2
    assert Lift.parse(Envelope.from_bytes(file.read_bytes()).payload_bytes()).stop == first
