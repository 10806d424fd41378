"""How a session ends at this node: by its closing statement, a denial, an abort, or an end that the coordinator tells.

What is written down is what happened here, not what was told. Before its parts left, a session that does not go on is
denied, expired or aborted, and nothing of this node can be opened. From ``releasing`` on the parts are on their way
and nobody can call them back: whatever then fails, and whatever the coordinator calls it, the session is ``sealed``
here, and the closing statement in the journal says ``released``, with the code of what went wrong. So ``releasing``
and ``sealed`` together are exactly the sessions whose parts left this node.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from consortia.control.messages import End, Fault, Kind, Proposal, decode
from consortia.control.phases import ENDS, MOVES, Phase
from consortia.errors import ConsortiaError, PeerError, PolicyRefusal, ProtocolAbort, RequestError
from consortia.evidence.basis import Kept
from consortia.parties.basis import keep_basis
from consortia.parties.checks import Refused
from consortia.parties.past import DENIED_KIND
from consortia.parties.store import SessionMemory
from consortia.parties.tools import Tools
from consortia.parties.witness import earlier_of, witness_seals
from consortia.trust.certificates import COORDINATOR
from consortia.trust.envelope import Envelope, seal_document
from consortia.trust.sessions import Approval, Denial, Seal

CLOSING_KIND = "closing"
"""The journal's kind of closing statements of sessions from which nothing left."""
NO_DIGEST = "0" * 64
"""In place of a digest that was never known: a plan before it was compiled, a transcript before keys were agreed."""


def close_with_statement(
    tools: Tools, transaction: Connection, memory: SessionMemory, now: datetime, code: str = ""
) -> Envelope:
    """Sign the closing statement over what this node released, and append it to the journal; ``code`` if it failed."""
    journal = tools.store.journal
    head = journal.head(transaction)
    seal = Seal(
        session=memory.session,
        attempt=memory.attempt,
        party=tools.member,
        plan=memory.plan or NO_DIGEST,
        transcript=memory.transcript or NO_DIGEST,
        outcome="released",
        code=code,
        commitments=memory.commitments,
        traffic=memory.traffic,
        head=head,
        entries=len(journal.entries(transaction, memory.session)),
        earlier=earlier_of(tools, transaction, memory.session, head),
    )
    signed = seal_document(seal, (tools.signer,))
    tools.store.journal.append(
        transaction, session=memory.session, kind="seal", payload=signed.to_bytes(), now=now, once=True
    )
    return signed


def close_unreleased(
    tools: Tools, transaction: Connection, session: str, phase: Phase, code: str, now: datetime
) -> None:
    """Sign how a session ended from which nothing left, and append it to the journal: its evidence pack rests on it.

    ``phase`` is ``denied``, ``aborted`` or ``expired``; the session's last entry is written already.
    """
    journal = tools.store.journal
    entries, head = journal.entries(transaction, session), journal.head(transaction)
    approvals = [Envelope.from_bytes(payload) for leaf, payload in entries if leaf.kind == "approval"]
    seal = Seal.model_validate(
        {
            "session": session,
            "attempt": 1,
            "party": tools.member,
            "plan": Approval.parse(approvals[0].payload_bytes()).plan if approvals else NO_DIGEST,
            "transcript": NO_DIGEST,
            "outcome": str(phase),
            "code": code,
            "head": head,
            "entries": len(entries),
        }
    )
    signed = seal_document(seal, (tools.signer,))
    journal.append(transaction, session=session, kind=CLOSING_KIND, payload=signed.to_bytes(), now=now, once=True)


def is_closed(tools: Tools, transaction: Connection, session: str) -> bool:
    """Whether the closing statement of the session stands in the journal."""
    return any(leaf.kind == "seal" for leaf, _ in tools.store.journal.entries(transaction, session))


def fail(
    tools: Tools,
    session: str,
    error: ConsortiaError,
    claimed_plan: str,
    basis: Sequence[Kept] = (),
    *,
    asked: bool = False,
) -> Phase:
    """End the session with ``error`` and tell the others; the phase in which it has ended.

    ``basis`` are the documents under which it was compiled, kept with a denial too; ``asked``: its submission was
    verified, so what a policy denies was really asked. (A held one's was before it was held.)
    """
    now = tools.clock()
    with tools.store.begin() as transaction:
        current = _current(tools, transaction, session)
        if current in ENDS:
            return current
        if current in (Phase.PROPOSED, Phase.REVIEWING, Phase.HELD):
            target = Phase.DENIED
            if isinstance(error, PolicyRefusal) and (asked or current is Phase.HELD):
                _keep_question(tools, transaction, session, basis, now)
            signed = seal_document(_denial(tools, session, error, claimed_plan), (tools.signer,))
            tools.store.journal.append(transaction, session=session, kind="denial", payload=signed.to_bytes(), now=now)
            tools.control.post(transaction, Kind.DENIAL, signed, session)
        else:
            fault = Fault.of(error, tools.member)
            target = last_phase(current, Phase.ABORTED)
            kind = "abort" if target is Phase.ABORTED else "failed-after-release"
            _close_if_released(tools, transaction, session, current, error.code, now)
            tools.store.journal.append(
                transaction, session=session, kind=kind, payload=fault.model_dump_json().encode(), now=now
            )
            tools.control.post(transaction, Kind.ABORT, fault, session)
        if target is not Phase.SEALED:
            close_unreleased(tools, transaction, session, target, error.code, now)
        tools.store.move(transaction, session, target, error.code, now)
    tools.control.flush()
    return target


def _keep_question(tools: Tools, transaction: Connection, session: str, basis: Sequence[Kept], now: datetime) -> None:
    """Journal the submission that a policy denies, which was verified before, and what it met."""
    if basis:
        keep_basis(tools.store, transaction, session, basis, now)
    shown = [letter for letter in tools.store.letters(transaction, session) if letter.kind == Kind.PROPOSAL]
    for letter in shown[:1]:  # the one that the session took
        asked = decode(Proposal, letter.body, Kind.PROPOSAL, COORDINATOR).submission.to_bytes()
        tools.store.journal.append(transaction, session=session, kind=DENIED_KIND, payload=asked, now=now)


def ended(tools: Tools, session: str, end: End) -> Phase:
    """Note that the coordinator ended the session; the phase in which it has ended here."""
    now = tools.clock()
    cause = end.fault.code if end.fault is not None else str(end.phase)
    with tools.store.begin() as transaction:
        current = _current(tools, transaction, session)
        if current in ENDS:
            return current
        target = last_phase(current, end.phase)
        _close_if_released(tools, transaction, session, current, cause, now)
        if target is Phase.SEALED:
            witness_seals(tools, transaction, session, end.seals, now)
        tools.store.move(transaction, session, target, cause, now)
        tools.store.journal.append(
            transaction, session=session, kind="end", payload=end.model_dump_json().encode(), now=now
        )
        if target is not Phase.SEALED:
            close_unreleased(tools, transaction, session, target, cause, now)
    return target


def last_phase(current: Phase, told: Phase) -> Phase:
    """How a session that is ``current`` here ends when it is ``told`` to be over as ``told``. Pure."""
    if current is Phase.RELEASING:
        return Phase.SEALED
    return told if told in ENDS and told in MOVES[current] else Phase.ABORTED


def _close_if_released(
    tools: Tools, transaction: Connection, session: str, current: Phase, code: str, now: datetime
) -> None:
    if current is Phase.RELEASING and not is_closed(tools, transaction, session):
        close_with_statement(tools, transaction, tools.store.memory(transaction, session), now, code)


def _current(tools: Tools, transaction: Connection, session: str) -> Phase:
    """Where the session stands by the database: in memory the last move may be missing if it was cut short."""
    return tools.store.phase(transaction, session) or Phase.ABORTED


def _denial(tools: Tools, session: str, error: ConsortiaError, claimed_plan: str) -> Denial:
    public = isinstance(error, RequestError | PolicyRefusal | PeerError | ProtocolAbort)
    if isinstance(error, Refused):
        reasons = error.reasons
    else:
        told = str(error).removeprefix(f"{error.code}: ") if public else Fault.of(error, tools.member).message
        reasons = (told,)
    return Denial(session=session, party=tools.member, plan=claimed_plan, code=error.code, reasons=reasons)
