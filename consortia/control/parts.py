"""Sealed result parts: how a computer hands one to the coordinator, and how a recipient checks and opens three.

The bytes of a part mean nothing here. A part travels as HPKE ciphertext to the recipient's one-time key, in pieces,
beside a statement that its computer signed: session, attempt, plan, transcript, output, a salted commitment to the
part and the hash of the ciphertext. A recipient opens parts only if all computers signed for the same run.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import rfc8785

from consortia.control.messages import Part
from consortia.errors import ProtocolAbort
from consortia.trust import hpke
from consortia.trust.envelope import Envelope, Signer, seal_document
from consortia.trust.keys import PublicKey
from consortia.trust.sessions import ResultPart
from consortia.trust.verify import verify_by_one

SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class RunOf:
    """The run that parts belong to: what all of them must name."""

    session: str
    attempt: int
    plan: str
    transcript: str


@dataclass(frozen=True, slots=True)
class Output:
    """One release step and one recipient of it (a member's or a person's id)."""

    step: str
    recipient: str


def sealed_pieces(
    run: RunOf,
    output: Output,
    part: bytes,
    *,
    signer: Signer,
    party: str,
    key: str,
    piece_bytes: int,
    random_bytes: Callable[[int], bytes],
) -> tuple[str, Iterator[Part]]:
    """The commitment to ``part`` of computer ``party``, and the messages that carry it, sealed to ``key``."""
    salt = random_bytes(SALT_BYTES)
    commitment = _commitment(salt, part)
    sealed = hpke.seal(key, salt + part, _info(run, output, party))
    statement = ResultPart(
        session=run.session,
        attempt=run.attempt,
        party=party,
        plan=run.plan,
        transcript=run.transcript,
        step=output.step,
        recipient=output.recipient,
        commitment=commitment,
        sealed=hashlib.sha256(sealed).hexdigest(),
    )
    return commitment, _pieces(seal_document(statement, (signer,)), output, sealed, piece_bytes)


def _pieces(envelope: Envelope, output: Output, sealed: bytes, piece_bytes: int) -> Iterator[Part]:
    count = max(1, -(-len(sealed) // piece_bytes))
    for index in range(count):
        piece = sealed[index * piece_bytes : (index + 1) * piece_bytes]
        yield Part(
            document=envelope,
            step=output.step,
            recipient=output.recipient,
            index=index,
            count=count,
            piece=base64.b64encode(piece).decode(),
        )


@dataclass(slots=True)
class PartCollector:
    """At a recipient: takes pieces as they arrive, and opens the parts once all are here.

    ``steps`` are the release steps that this recipient receives, ``computers`` the members whose parts are needed.
    """

    recipient: str
    steps: tuple[str, ...]
    computers: tuple[str, ...]
    _pieces: dict[tuple[str, str], dict[int, Part]] = field(default_factory=dict)

    def add(self, sender: str, part: Part) -> None:
        """Take one piece that came from ``sender``; raises ProtocolAbort ``control/part`` if none such is due."""
        if sender not in self.computers or part.step not in self.steps or part.recipient != self.recipient:
            raise _refused(f"a part of `{sender}` for output {part.step} of `{part.recipient}` is not due here")
        pieces = self._pieces.setdefault((part.step, sender), {})
        first = next(iter(pieces.values()), part)
        if part.document != first.document or part.count != first.count or not 0 <= part.index < part.count:
            raise _refused(f"the pieces of the part of `{sender}` do not belong together")
        pieces[part.index] = part

    @property
    def complete(self) -> bool:
        """Whether every piece of every part is here."""
        return all(self._whole(step, computer) for step in self.steps for computer in self.computers)

    def open(
        self,
        session: str,
        plan: str,
        keys: Mapping[str, PublicKey],
        private: hpke.KemPrivateKey,
        *,
        transcript: str | None = None,
    ) -> dict[str, list[bytes]]:
        """The parts in clear by release step, in the order of ``computers``.

        ``keys`` are the computers' node keys; ``transcript`` that of the run, where the recipient was a party of it
        (a person was not, and can only compare the parts with each other).
        Raises ProtocolAbort ``control/part`` naming the computer at fault: a part that it did not sign, of another
        run than the others' or the recipient's, or that is not what it committed to.
        """
        opened: dict[str, list[bytes]] = {}
        runs: set[RunOf] = set()
        for step in self.steps:
            opened[step] = []
            for computer in self.computers:
                run, part = self._open_one(step, computer, keys[computer], private)
                runs.add(run)
                opened[step].append(part)
        if any(run.session != session or run.plan != plan for run in runs) or len(runs) != 1:
            raise _refused("the computers' parts are of different runs, or of another plan than the submitted one")
        if transcript is not None and any(run.transcript != transcript for run in runs):
            raise _refused("the computers' parts are of another run than the one in which this member took part")
        return opened

    def _whole(self, step: str, computer: str) -> bool:
        pieces = self._pieces.get((step, computer))
        return pieces is not None and len(pieces) == next(iter(pieces.values())).count

    def _open_one(self, step: str, computer: str, key: PublicKey, private: hpke.KemPrivateKey) -> tuple[RunOf, bytes]:
        pieces = self._pieces[step, computer]
        statement = verify_by_one(pieces[0].document, ResultPart, computer, key)
        sealed = b"".join(pieces[index].sealed() for index in sorted(pieces))
        stated = (statement.party, statement.step, statement.recipient, statement.sealed)
        if stated != (computer, step, self.recipient, hashlib.sha256(sealed).hexdigest()):
            raise _refused(f"the part that came as that of `{computer}` is not the one it signed")
        run = RunOf(statement.session, statement.attempt, statement.plan, statement.transcript)
        clear = hpke.unseal(private, sealed, _info(run, Output(step, self.recipient), computer))
        salt, part = clear[:SALT_BYTES], clear[SALT_BYTES:]
        if not hmac.compare_digest(_commitment(salt, part), statement.commitment):
            raise _refused(f"the part of `{computer}` is not the one it committed to")
        return run, part


def _commitment(salt: bytes, part: bytes) -> str:
    return hashlib.sha256(rfc8785.dumps(["consortia/part/v1", salt.hex()]) + part).hexdigest()


def _info(run: RunOf, output: Output, party: str) -> bytes:
    return rfc8785.dumps(
        [
            "consortia/part/v1",
            run.session,
            str(run.attempt),
            run.plan,
            run.transcript,
            output.step,
            output.recipient,
            party,
        ]
    )


def _refused(why: str) -> ProtocolAbort:
    return ProtocolAbort(
        "control/part",
        f"the result is refused: {why}",
        remedy="nothing was opened; tell the operators of the computers, then run the analysis again",
    )
