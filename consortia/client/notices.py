"""Telling all members of a revocation or a stop: the coordinator carries it, each node answers for itself."""

import hashlib
import time
from collections.abc import Mapping

from consortia.client.session import Desk
from consortia.control.messages import Fault, Kind, Noted, decode
from consortia.trust.envelope import Envelope

PATIENCE_SECONDS = 10.0
"""How long answers are waited for. A node that is not connected hears of it when it is."""


def spread(desk: Desk, envelope: Envelope, seconds: float = PATIENCE_SECONDS) -> Mapping[str, Fault | None]:
    """Send the notice to every member; for each that has answered, None or why it refused.

    Raises the coordinator's refusal, PeerError and OperatorError ``control/...`` if it can't be reached.
    """
    digest = hashlib.sha256(envelope.to_bytes()).hexdigest()
    members = {member.id for member in desk.trusted.manifest.members}
    answers: dict[str, Fault | None] = {}
    deadline = time.monotonic() + seconds
    with desk.line() as line:
        line.send(Kind.NOTICE, envelope)
        while set(answers) < members and time.monotonic() < deadline:
            letter = line.poll(0.2)
            if letter is not None and letter.kind == Kind.REFUSED:
                raise decode(Fault, letter.body, letter.kind, letter.sender).error()
            if letter is not None and letter.kind == Kind.NOTED:
                noted = decode(Noted, letter.body, letter.kind, letter.sender)
                if noted.notice == digest and noted.member == letter.sender:
                    answers[noted.member] = noted.fault
    return answers
