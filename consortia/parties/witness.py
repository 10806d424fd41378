"""This node as a witness of the others' journals: what its hello names, its seal proves, and what it keeps.

The checks are pure (``evidence.cosigning``); here they meet the store. A split view found after a release undoes
nothing: it is written down with the seal that shows it, and from then on this node refuses sessions with that member
before anything is shared, until its operator has settled the matter.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

import structlog
from sqlalchemy import Connection

from consortia.errors import ConsortiaError, OperatorError, ProtocolAbort
from consortia.evidence.cosigning import check_own_heads, check_split, continued, earlier_sizes, split_view
from consortia.parties.store import Store
from consortia.parties.tools import Tools
from consortia.trust.envelope import Envelope
from consortia.trust.sessions import Consistency, Hello, MemberHead, Seal, TreeHead
from consortia.trust.verify import verify_by_one

_LOG = structlog.get_logger("consortia.parties")


def heads_of(tools: Tools, parties: Collection[str]) -> tuple[MemberHead, ...]:
    """The heads of the other ``parties`` that the own hello names.

    Raises ProtocolAbort ``evidence/split-view`` if one of them was caught with two journals.
    """
    with tools.store.begin() as transaction:
        splits = tools.store.heads.splits(transaction)
        held = tools.store.heads.held(transaction)
    for party in sorted(parties):
        if party in splits:
            raise split_view(party, splits[party])
    return tuple(entry for entry in held if entry.member in parties and entry.member != tools.member)


def witness_hellos(tools: Tools, session: str, envelopes: Sequence[Envelope]) -> None:
    """Compare the heads that all hellos name, and keep the hellos, whose signatures are checked already.

    Raises as ``check_own_heads`` and ``check_split`` do. After the first this node is read-only until it is reconciled,
    and the hello that says so is kept; of the latter the member is remembered.
    """
    hellos = _by_party(envelopes)
    now = tools.clock()
    _check_journal(tools, session, envelopes, now)
    with tools.store.begin() as transaction:
        for envelope in envelopes:
            tools.store.journal.append(transaction, session=session, kind="hello", payload=envelope.to_bytes(), now=now)
        held = tools.store.heads.held(transaction)
    try:
        check_split(held, hellos)
    except ProtocolAbort as error:
        with tools.store.begin() as transaction:
            tools.store.heads.mark_split(transaction, error.place, error.message)
        raise


def _check_journal(tools: Tools, session: str, envelopes: Sequence[Envelope], now: datetime) -> None:
    """A journal that lacks what it once held is an older copy, and so is the ledger beside it."""
    store = tools.store
    with store.begin() as transaction:
        for envelope in envelopes:
            try:
                said = _by_party([envelope])
                check_own_heads(tools.member, said, lambda size: _own_head(store, transaction, size))
            except OperatorError as error:
                failure = error
                store.behind.note(transaction, error.message, now)
                store.journal.append(
                    transaction, session=session, kind="ledger-behind", payload=envelope.to_bytes(), now=now
                )
                break
        else:
            return
    raise failure


def earlier_of(tools: Tools, transaction: Connection, session: str, head: TreeHead) -> tuple[Consistency, ...]:
    """The proofs that the journal of ``head`` continues every head of it that the session's hellos name."""
    hellos = _hellos(tools, transaction, session)
    return tuple(
        Consistency(
            size=size,
            hashes=tuple(one.hex() for one in tools.store.journal.consistency(transaction, size, head.size)),
        )
        for size in earlier_sizes(tools.member, head.log, hellos.values())
    )


def witness_seals(
    tools: Tools, transaction: Connection, session: str, envelopes: Sequence[Envelope], now: datetime
) -> None:
    """Keep the other parties' seals of a session that was released here, and the heads in them.

    A seal that its party did not sign, of another run, or with a head that breaks off from one seen before, and any
    that can't be verified by the home's documents now, is written down as refused, with the reason; never raises for
    one.
    """
    hellos = _hellos(tools, transaction, session)
    memory = tools.store.memory(transaction, session)
    named = hellos[tools.member].heads if tools.member in hellos else ()
    kept: set[str] = set()
    for envelope in envelopes:
        try:
            claimed = Seal.parse(envelope.payload_bytes())
            if claimed.party == tools.member or claimed.party in kept or claimed.party not in hellos:
                continue
            key = tools.work.documents().trusted.node_key(claimed.party, now)
            seal = verify_by_one(envelope, Seal, claimed.party, key)
            _check_run(seal, session, memory.plan, memory.transcript)
            continues = continued(named, seal)
            tools.store.heads.see(transaction, MemberHead(member=seal.party, head=seal.head), continues)
            _note_new_log(tools, named, seal)
            kept.add(seal.party)
            kind = "verified-seal"
        except ConsortiaError as error:
            _LOG.error("seal-refused", session=session, **error.as_dict())
            if error.code == "evidence/split-view":
                tools.store.heads.mark_split(transaction, error.place, error.message)
            kind = "refused-seal"
        tools.store.journal.append(transaction, session=session, kind=kind, payload=envelope.to_bytes(), now=now)


def _check_run(seal: Seal, session: str, plan: str | None, transcript: str | None) -> None:
    if (seal.session, seal.plan, seal.transcript) != (session, plan, transcript):
        raise ProtocolAbort(
            "evidence/seal",
            f"the closing statement of `{seal.party}` is of another run than the one that this node took part in",
            place=f"session {session}",
            remedy=f"compare the journals of both members; `{seal.party}` signed it",
        )


def _note_new_log(tools: Tools, named: Sequence[MemberHead], seal: Seal) -> None:
    logs = {entry.head.log for entry in named if entry.member == seal.party}
    if logs and seal.head.log not in logs:
        _LOG.warning("new-log", member=tools.member, peer=seal.party, log=seal.head.log, before=sorted(logs))


def _own_head(store: Store, transaction: Connection, size: int) -> TreeHead | None:
    try:
        return store.journal.head(transaction, size)
    except IndexError:
        return None


def _hellos(tools: Tools, transaction: Connection, session: str) -> dict[str, Hello]:
    entries = tools.store.journal.entries(transaction, session)
    return _by_party([Envelope.from_bytes(payload) for leaf, payload in entries if leaf.kind == "hello"])


def _by_party(envelopes: Sequence[Envelope]) -> dict[str, Hello]:
    hellos = [Hello.parse(envelope.payload_bytes()) for envelope in envelopes]
    return {hello.party: hello for hello in hellos}
