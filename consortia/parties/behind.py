"""Whether this node's ledger lacks something that it once held, and what then stops: everything that would spend.

A restore of an older node.sqlite would give back budget that was spent. Two signs show it. The mark beside the file
counts what the ledger has held (``mark``). And every hello names the last session for which its party has seen the
other parties reserve: a ledger that does not know the session is an older copy, also where the whole host was put
back. Either sign makes the node read-only, until ``reconcile`` has put back what the others' copies prove.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Column, Connection, MetaData, String, Table, delete, insert, select

from consortia.errors import OperatorError
from consortia.trust.documents import instant_text
from consortia.trust.sessions import Approval, Hello, MemberSession


class Behind:
    """The tables of one database; every method works in the caller's transaction."""

    def __init__(self, metadata: MetaData) -> None:
        self._seen = Table(
            "reservations_seen",
            metadata,
            Column("member", String, primary_key=True),
            Column("session", String, nullable=False),
        )
        self._found = Table(
            "ledger_behind", metadata, Column("since", String, primary_key=True), Column("why", String, nullable=False)
        )

    def see(self, transaction: Connection, session: str, approvals: Collection[Approval]) -> None:
        """The parties have agreed on keys for ``session``: whoever reserved for it must know it from now on."""
        for approval in approvals:
            if approval.reservation is not None:
                transaction.execute(delete(self._seen).where(self._seen.c.member == approval.party))
                transaction.execute(insert(self._seen).values(member=approval.party, session=session))

    def seen(self, transaction: Connection, members: Collection[str]) -> tuple[MemberSession, ...]:
        """The last session of each of ``members`` for which it has reserved as far as this node knows, sorted."""
        rows = transaction.execute(select(self._seen).order_by(self._seen.c.member))
        return tuple(MemberSession(member=row.member, session=row.session) for row in rows if row.member in members)

    def note(self, transaction: Connection, why: str, now: datetime) -> None:
        """The ledger lacks something; the first sign is kept."""
        if self.found(transaction) is None:
            transaction.execute(insert(self._found).values(since=instant_text(now), why=why))

    def found(self, transaction: Connection) -> tuple[datetime, str] | None:
        """Since when the node is read-only, and by what sign; None if it is not."""
        row = transaction.execute(select(self._found)).first()
        return None if row is None else (datetime.fromisoformat(row.since), row.why)

    def clear(self, transaction: Connection) -> None:
        """The ledger was reconciled."""
        transaction.execute(delete(self._found))


def missing_session(me: str, hellos: Sequence[Hello], known: Collection[str]) -> tuple[str, str] | None:
    """Who has seen ``me`` reserve for which session that is not among those ``known`` to the ledger; None if all are.

    A hello speaks for its party alone, and it is signed: who names a session that never was is found out by the copy
    that it can't show.
    """
    for hello in sorted(hellos, key=lambda each: each.party):
        for entry in hello.reserved:
            if entry.member == me and hello.party != me and entry.session not in known:
                return hello.party, entry.session
    return None


def read_only(why: str) -> OperatorError:
    """The error of a node whose ledger is behind."""
    return OperatorError(
        "parties/ledger-behind",
        f"this node is read-only: {why}",
        place="node.sqlite",
        remedy="an older copy of node.sqlite was put back: every other computer's operator runs "
        "`consortia budget copies`, then run `consortia budget reconcile` with their files",
    )
