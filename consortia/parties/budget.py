"""Room in the owner's ledger for a session: reserved with the approval, committed before the last word.

Both are one transaction each. The own part of the verdict is decided in the transaction of the reservation, on what
the ledger says there: of two queries for the last room, one gets it, whatever their order and timing. A node whose
ledger is behind (``behind``) approves nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

import structlog
from sqlalchemy import Connection

from consortia.parties.behind import missing_session, read_only
from consortia.parties.checks import Refused
from consortia.parties.history import released
from consortia.parties.store import Store
from consortia.parties.work import Review
from consortia.policies.accounting import total
from consortia.policies.own import OwnCase, OwnVerdict, decide_own, tables_needed
from consortia.policies.own.budget import charges_of
from consortia.policies.own.differencing import is_guarded
from consortia.policies.rules.standing import interval
from consortia.trust.envelope import Envelope
from consortia.trust.sessions import Hello, MemberSession, Reservation, SnapshotRoot, UnitCharge

_LOG = structlog.get_logger("consortia.parties")


def own_verdict(store: Store, transaction: Connection, review: Review, now: datetime) -> OwnVerdict | None:
    """The own part of this member's verdict on what the ledger says now; None if it owns no data of the plan."""
    if review.own is None:
        return None
    return decide_own(review.own.decision, _with_standing(store, transaction, review.own.case, now))


def reserve(
    store: Store,
    transaction: Connection,
    session: str,
    review: Review,
    snapshots: Sequence[SnapshotRoot],
    now: datetime,
) -> Reservation | None:
    """Decide on ``snapshots`` and reserve in the caller's ``transaction``, for its approval, and remember the query.

    None if this member owns no data of it.
    Raises ``Refused`` as ``require_undenied`` does.
    """
    found = store.behind.found(transaction)
    if found is not None:
        raise read_only(found[1])
    if review.own is None:
        return None
    roots = {root.table: root.root for root in snapshots}
    case = replace(review.own.case, registered={**review.own.case.registered, **roots})
    case = _with_standing(store, transaction, case, now)
    verdict = decide_own(review.own.decision, case)
    require_undenied(verdict, session)  # of a hold the officers have spoken before (``holding``)
    plan = review.plan
    charges = charges_of(plan, case.owner, case.policy, case.catalogue)
    before = {
        unit: total(past.charge for past in case.standing.charges if past.unit == unit) for unit in sorted(charges)
    }
    number = store.ledger.reserve(transaction, session, plan.purpose, plan.submitter, charges, now)
    store.releases.approve(transaction, released(session, plan, snapshots, now))
    return Reservation(
        number=number,
        charges=tuple(
            UnitCharge(
                unit=unit,
                rho=charges[unit].rho,
                delta=charges[unit].delta,
                rho_before=before[unit].rho,
                delta_before=before[unit].delta,
            )
            for unit in sorted(charges)
        ),
    )


def commit(store: Store, session: str) -> None:
    """Spend what is reserved for ``session``, before this party's last word."""
    with store.begin() as transaction:
        store.ledger.commit(transaction, session)
        store.releases.commit(transaction, session)
    write_mark(store)


def write_mark(store: Store) -> None:
    """Count beside the database what it holds now."""

    def count() -> int:
        with store.begin() as transaction:
            return store.ledger.version(transaction)

    store.mark.follow(count)


def check_mark(store: Store, now: datetime) -> None:
    """At the start of a node: whether its database is the one that it left; if not, it is read-only from now on."""
    with store.begin() as transaction:
        version, mark = store.ledger.version(transaction), store.mark.read()
        if mark is not None and version < mark:
            store.behind.note(transaction, f"the ledger counts {version} steps, and it had counted {mark}", now)
        elif mark is None and store.mark.kept:  # a file has its mark before it counts as begun
            store.behind.note(transaction, "the ledger has lost the mark that stands beside it", now)
        found = store.behind.found(transaction)
    if found is not None:
        _LOG.error("read-only", **read_only(found[1]).as_dict())


def reserved_by(store: Store, parties: Collection[str], me: str) -> tuple[MemberSession, ...]:
    """The last reservations of the other ``parties`` that this node has seen, for its hello."""
    with store.begin() as transaction:
        return store.behind.seen(transaction, set(parties) - {me})


def check_remembered(store: Store, me: str, session: str, hellos: Sequence[Envelope], now: datetime) -> None:
    """Every session for which the others have seen this party reserve stands in its ledger.

    ``hellos`` are verified. Raises OperatorError ``parties/ledger-behind``, and from then on nothing is approved.
    """
    parsed = [Hello.parse(envelope.payload_bytes()) for envelope in hellos]
    with store.begin() as transaction:
        missing = missing_session(me, parsed, store.ledger.states(transaction))
        if missing is None:
            return
        why = f"`{missing[0]}` has seen it reserve for the session {missing[1]}, of which the ledger knows nothing"
        store.behind.note(transaction, why, now)
        # Signed by whoever says so: if the session never was, this proves who invented it.
        said = next(each for each, hello in zip(hellos, parsed, strict=True) if hello.party == missing[0])
        store.journal.append(transaction, session=session, kind="ledger-behind", payload=said.to_bytes(), now=now)
    raise read_only(why)


def require_undenied(verdict: OwnVerdict, session: str) -> None:
    """Raise ``Refused`` with the code of a denial; its text goes to this node's log alone."""
    if verdict.verdict == "deny":
        _LOG.warning("own-part-denies", session=session, code=verdict.code, text=verdict.text, remedy=verdict.remedy)
        raise Refused(verdict.code, (f"{verdict.owner} can't take part now ({verdict.code})",))


def _with_standing(store: Store, transaction: Connection, case: OwnCase, now: datetime) -> OwnCase:
    begin, _ = interval(case.policy.validity)
    standing = store.ledger.standing(transaction, case.plan.purpose, case.plan.submitter, begin, now)
    case = replace(case, standing=standing, now=now)
    if not is_guarded(case):
        return case
    tables = tables_needed(case.plan, case.owner, case.catalogue)
    return replace(case, history=store.releases.over(transaction, tables))
