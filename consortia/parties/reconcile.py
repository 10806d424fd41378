"""After an older node.sqlite was put back: the owner's ledger is raised to what the others can prove it had reserved.

Every party keeps the others' signed approvals in its journal, with the documents that they rest on. Its operator
writes those of one owner into a file (``copies_for``); the owner puts back what its ledger lacks (``reconcile``). A
file and no message, because it is an emergency in which the owner's node must not run, its own mail is as old as its
ledger, and a coordinator that carried the copies could keep some back unseen: an operator can ask for a file again.

Only upwards: a session that the ledger lacks counts as spent, and so does one that it gave back of which another
party says that it released. Each approval bears the signature of the owner's own node, so nobody can invent one;
whoever leaves one out signs the list in which it is missing, and one honest list is enough.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import rfc8785
from pydantic import ValidationError
from sqlalchemy import Connection

from consortia.control.phases import Phase
from consortia.errors import ConsortiaError, OperatorError, ProtocolAbort, RequestError
from consortia.evidence.basis import Basis
from consortia.evidence.pack import BASIS
from consortia.parties.history import released
from consortia.parties.ledger import Entry
from consortia.parties.store import Store
from consortia.plans.model import Plan
from consortia.policies.accounting import Charge
from consortia.trust.documents import Digest, Document, Frozen, Instant, Name, Session
from consortia.trust.envelope import Envelope, Signer, seal_document
from consortia.trust.sessions import Approval
from consortia.trust.trusted import TrustedSet
from consortia.trust.verify import verify_by_one

OLDEST_COPY = timedelta(days=1)


class CopiedSession(Frozen):
    """One session for which the owner approved; ``released`` says whether the holder has gone on to release."""

    session: Session
    approval: Digest
    plan: Digest
    released: bool


class LedgerCopies(Document):
    """Everything that ``holder`` has of ``owner``'s reservations, signed by the holder's node."""

    type: Literal["consortia/ledger-copies/v1"] = "consortia/ledger-copies/v1"
    consortium: Name
    owner: Name
    holder: Name
    at: Instant
    sessions: tuple[CopiedSession, ...]


class CopiesFile(Frozen):
    """The signed list, and what it names by digest: the owner's approvals, and plans as canonical text."""

    copies: Envelope
    approvals: tuple[Envelope, ...]
    plans: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """The file."""
        return rfc8785.dumps(self.model_dump(mode="json")) + b"\n"


@dataclass(frozen=True, slots=True)
class Copied:
    """A session as a verified file proves it."""

    session: str
    approval: Approval
    plan: Plan
    released: bool


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Sessions that were put back, and sessions that the ledger had given back and counts as spent again."""

    added: tuple[str, ...]
    raised: tuple[str, ...]


def copies_for(store: Store, owner: str, holder: str, consortium: str, signer: Signer, now: datetime) -> CopiesFile:
    """What the journal of ``holder`` holds of the reservations of ``owner``."""
    sessions: list[CopiedSession] = []
    approvals: dict[str, Envelope] = {}
    plans: dict[str, str] = {}
    with store.begin() as transaction:
        for leaf, payload in store.journal.all_of(transaction, "verified-approval"):
            envelope = Envelope.from_bytes(payload)
            approval = Approval.parse(envelope.payload_bytes())
            if approval.party != owner or approval.reservation is None:
                continue
            approvals[envelope.digest()] = envelope
            plans[approval.plan] = _plan_text(store, transaction, leaf.session)
            moves = store.history(transaction, leaf.session)
            sessions.append(
                CopiedSession(
                    session=leaf.session,
                    approval=envelope.digest(),
                    plan=approval.plan,
                    released=any(phase is Phase.RELEASING for _, phase, _ in moves),
                )
            )
    listed = LedgerCopies(consortium=consortium, owner=owner, holder=holder, at=now, sessions=tuple(sessions))
    return CopiesFile(
        copies=seal_document(listed, (signer,)),
        approvals=tuple(approvals[digest] for digest in sorted(approvals)),
        plans=tuple(plans[digest] for digest in sorted(plans)),
    )


def read_copies(path: Path) -> CopiesFile:
    """The file at ``path``; raises OperatorError ``parties/copies`` if it is not one."""
    try:
        return CopiesFile.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise OperatorError(
            "parties/copies",
            "the file holds no copies of a ledger" if isinstance(error, ValidationError) else "it can't be read",
            place=str(path),
            remedy="ask that member's operator for the file of `consortia budget copies`",
        ) from error


def verified_copies(
    file: CopiesFile,
    owner: str,
    trusted: TrustedSet,
    now: datetime,
    since: datetime | None = None,
    spent: Collection[str] = (),
    own: Mapping[str, str] | None = None,
) -> tuple[str, tuple[Copied, ...]]:
    """The holder and the sessions of ``file``, checked with the keys in the members' cards.

    ``since`` is when the ledger was found to be behind: older copies may lack what was lost. Sessions that the ledger
    has as ``spent`` are left out: nothing about them can change, and they may be of an earlier key. ``own`` are the
    owner's approvals in its journal, by session (``own_approvals``): one of them needs no key, since the owner has it
    itself. Raises RequestError ``parties/copies-of-another``, OperatorError ``parties/copies-old``, ProtocolAbort
    ``parties/copies-altered``, and as ``verify_by_one`` does.
    """
    claimed = LedgerCopies.parse(file.copies.payload_bytes())
    listed = verify_by_one(file.copies, LedgerCopies, claimed.holder, trusted.node_key(claimed.holder, now))
    if (listed.owner, listed.consortium) != (owner, trusted.manifest.consortium) or listed.holder == owner:
        raise RequestError(
            "parties/copies-of-another",
            f"`{listed.holder}` lists the ledger of `{listed.owner}` in `{listed.consortium}`",
            place=f"copies of {listed.holder}",
            remedy=f"its operator runs `consortia budget copies {owner}`",
        )
    if listed.at < max(now - OLDEST_COPY, since or now - OLDEST_COPY):
        raise OperatorError(
            "parties/copies-old",
            f"`{listed.holder}` wrote its copies at {listed.at}: they may lack what was reserved since",
            place=f"copies of {listed.holder}",
            remedy=f"its operator runs `consortia budget copies {owner}` again now",
        )
    approvals = {envelope.digest(): envelope for envelope in file.approvals}
    plans = {plan.digest(): plan for plan in (Plan.parse(text.encode()) for text in file.plans)}
    key = trusted.node_key(owner, now)
    found = []
    for entry in listed.sessions:
        if entry.session in spent:
            continue
        if entry.approval not in approvals or entry.plan not in plans:
            raise _altered(listed.holder, entry.session, "a document that the list names is missing")
        envelope = approvals[entry.approval]
        if own is not None and own.get(entry.session) == entry.approval:
            approval = Approval.parse(envelope.payload_bytes())
        else:
            approval = verify_by_one(envelope, Approval, owner, key)
        if (approval.session, approval.plan) != (entry.session, entry.plan):
            raise _altered(listed.holder, entry.session, "the approval is of another session or plan")
        found.append(Copied(entry.session, approval, plans[entry.plan], entry.released))
    return listed.holder, tuple(found)


def own_approvals(store: Store, transaction: Connection) -> dict[str, str]:
    """The digests of the approvals in the journal of this owner, by session."""
    approvals = store.journal.all_of(transaction, "approval")
    return {leaf.session: Envelope.from_bytes(payload).digest() for leaf, payload in approvals}


def by_holder(checked: Sequence[tuple[str, tuple[Copied, ...]]]) -> dict[str, tuple[Copied, ...]]:
    """What each holder lists; raises OperatorError ``parties/copies`` if two files are of one."""
    found: dict[str, tuple[Copied, ...]] = {}
    for holder, copied in checked:
        if holder in found:
            raise OperatorError(
                "parties/copies",
                f"two files are of `{holder}`, and they may not say the same",
                place=f"copies of {holder}",
                remedy="give the newest file of each computer alone",
            )
        found[holder] = copied
    return found


def require_holders(holders: Collection[str], owner: str, computers: Sequence[str]) -> None:
    """Raise OperatorError ``parties/copies-missing`` unless every other computer is among ``holders``.

    Computers take part in every session, so each of them has seen every reservation since it became one; of sessions
    before that tell those that were computers then (limits).
    """
    missing = sorted(set(computers) - {owner} - set(holders))
    if missing:
        raise OperatorError(
            "parties/copies-missing",
            f"copies of {', '.join(missing)} are missing: a computer has seen every reservation since it is one",
            remedy=f"their operators run `consortia budget copies {owner}`",
        )


def reconcile(store: Store, copies: Mapping[str, Sequence[Copied]], now: datetime) -> Reconciled:
    """Raise the ledger to what ``copies`` (by holder, verified) prove, in one transaction; the node may approve again.

    The mailbox begins a new outbox, since the coordinator has read on in the one that was lost.
    """
    proved: dict[str, Copied] = {}
    opened = {each.session for listed in copies.values() for each in listed if each.released}
    for listed in copies.values():
        proved.update({each.session: each for each in listed})
    added: list[str] = []
    raised: list[str] = []
    store.renew_mailbox()
    with store.begin() as transaction:
        states = store.ledger.states(transaction)
        for session, copied in sorted(proved.items()):
            if states.get(session) is Entry.COMMITTED or (session in states and session not in opened):
                continue
            _put_back(store, transaction, copied)
            (raised if session in states else added).append(session)
        store.behind.clear(transaction)
        outcome = {"added": sorted(added), "raised": sorted(raised), "holders": sorted(copies)}
        store.journal.append(transaction, session="", kind="reconciled", payload=rfc8785.dumps(outcome), now=now)
        version = store.ledger.version(transaction)
    store.mark.reset(version)
    return Reconciled(tuple(added), tuple(raised))


def _put_back(store: Store, transaction: Connection, copied: Copied) -> None:
    approval, plan = copied.approval, copied.plan
    stated = approval.reservation
    charges = {} if stated is None else {each.unit: Charge(each.rho, each.delta) for each in stated.charges}
    # The approval's end is the latest time at which it can have been reserved: its charge counts longest so.
    at = approval.not_after
    store.ledger.restore(transaction, copied.session, plan.purpose, plan.submitter, charges, at)
    store.releases.close(transaction, copied.session)
    store.releases.approve(transaction, released(copied.session, plan, approval.snapshots, at))
    store.releases.commit(transaction, copied.session)


def _plan_text(store: Store, transaction: Connection, session: str) -> str:
    """The canonical plan that this party approved in ``session``."""
    entries = store.journal.entries(transaction, session)
    basis = next(Basis.parse(payload) for leaf, payload in entries if leaf.kind == BASIS)
    plan = next(entry for entry in basis.entries if entry.part == "plan")
    return store.archive.fetch(transaction, plan.digest).decode()


def _altered(holder: str, session: str, what: str) -> ConsortiaError:
    return ProtocolAbort(
        "parties/copies-altered",
        f"the copies of `{holder}` are not whole: {what}",
        place=f"session {session}",
        remedy=f"ask `{holder}` for the file again; if it stays so, its operator must explain it",
    )
