"""The evidence pack of one session, from a node's journal. Needs no key, and works while the node runs."""

from dataclasses import dataclass

from consortia.control.phases import ENDS
from consortia.errors import OperatorError, RequestError
from consortia.evidence.basis import Basis
from consortia.evidence.leaf import Leaf
from consortia.evidence.pack import BASIS, Pack, PackEntry, PackFile
from consortia.parties.ending import CLOSING_KIND
from consortia.parties.store import Store
from consortia.trust.envelope import Envelope
from consortia.trust.sessions import Seal


@dataclass(frozen=True, slots=True)
class Exported:
    """A pack's bytes, and its session's whole id."""

    session: str
    data: bytes


def export_pack(store: Store, session: str) -> Exported:
    """The pack of ``session`` (its id, or the first letters of it); the same bytes at every call.

    Raises RequestError ``audit/session`` unless exactly one session begins so, OperatorError ``audit/not-sealed`` if
    it has no closing statement here, and ``evidence/archive``.
    """
    with store.begin() as transaction:
        session = _whole(session, tuple(store.sessions(transaction)))
        entries = store.journal.entries(transaction, session)
        signed = _closing(session, entries, ended=store.phase(transaction, session) in ENDS)
        seal = Seal.parse(signed.payload_bytes())
        shown = [(leaf, payload) for leaf, payload in entries if leaf.index < seal.head.size]
        files = sorted(
            {entry.digest for leaf, payload in shown if leaf.kind == BASIS for entry in Basis.parse(payload).entries}
        )
        pack = Pack(
            session=session,
            member=seal.party,
            entries=tuple(
                PackEntry(
                    leaf=leaf,
                    document=payload.decode(),
                    proof=tuple(one.hex() for one in store.journal.inclusion(transaction, leaf.index, seal.head.size)),
                )
                for leaf, payload in shown
            ),
            seal=signed,
            seals=_others(entries),
            files=tuple(
                PackFile(digest=digest, content=store.archive.fetch(transaction, digest).decode()) for digest in files
            ),
        )
    return Exported(session, pack.canonical())


def _whole(beginning: str, known: tuple[str, ...]) -> str:
    found = [session for session in known if session.startswith(beginning)]
    if len(found) == 1:
        return found[0]
    raise RequestError(
        "audit/session",
        f"{len(found) or 'no'} sessions of this node begin with `{beginning}`",
        remedy="`consortia audit log` lists them",
    )


def _closing(session: str, entries: list[tuple[Leaf, bytes]], *, ended: bool) -> Envelope:
    compiled = any(leaf.kind == BASIS for leaf, _ in entries)
    for leaf, payload in entries:
        if leaf.kind in ("seal", CLOSING_KIND) and ended and compiled:
            return Envelope.from_bytes(payload)
    raise OperatorError(
        "audit/not-sealed",
        "the session has not ended at this node, or ended before the node had compiled it",
        place=f"session {session}",
        remedy="export it when it has ended; of the others `consortia audit log` shows all there is",
    )


def _others(entries: list[tuple[Leaf, bytes]]) -> tuple[Envelope, ...]:
    found = [Envelope.from_bytes(payload) for leaf, payload in entries if leaf.kind == "verified-seal"]
    return tuple(sorted(found, key=lambda envelope: Seal.parse(envelope.payload_bytes()).party))
