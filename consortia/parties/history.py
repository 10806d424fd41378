"""What was answered from this owner's data: one row a session, from its approval on, kept for ever once it is known.

The row is written with the reservation in the ledger, so that of two queries which must not both be answered the second
is denied even while the first still runs; it is dropped only where the ledger refunds, since then nothing was opened.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Boolean, Column, Connection, LargeBinary, MetaData, String, Table, delete, insert, select, update

from consortia.plans.concerned import outputs_of
from consortia.plans.model import Plan
from consortia.policies.history import ReleasedQuery
from consortia.trust.sessions import SnapshotRoot


def released(session: str, plan: Plan, snapshots: Sequence[SnapshotRoot], now: datetime) -> ReleasedQuery:
    """What is remembered of ``plan`` once this owner approves it over ``snapshots``."""
    recipients = tuple(dict.fromkeys(recipient for _, recipient in outputs_of(plan)))
    return ReleasedQuery(session=session, plan=plan, snapshots=tuple(snapshots), recipients=recipients, at=now)


class Releases:
    """The table ``releases`` of a node's database; every method works in the caller's transaction."""

    def __init__(self, metadata: MetaData) -> None:
        self._rows = Table(
            "releases",
            metadata,
            Column("session", String, primary_key=True),
            Column("tables", String, nullable=False),
            Column("committed", Boolean, nullable=False),
            Column("query", LargeBinary, nullable=False),
        )

    def approve(self, transaction: Connection, query: ReleasedQuery) -> None:
        """``query`` is approved: from now on it counts."""
        values = {
            "session": query.session,
            "tables": " ".join(sorted(root.table for root in query.snapshots)),
            "committed": False,
            "query": query.model_dump_json().encode(),
        }
        transaction.execute(insert(self._rows).values(**values))

    def commit(self, transaction: Connection, session: str) -> None:
        """The answer of ``session`` may be known from now on."""
        transaction.execute(update(self._rows).where(self._rows.c.session == session).values(committed=True))

    def close(self, transaction: Connection, session: str) -> None:
        """The session has ended here: what was not committed was not answered."""
        columns = self._rows.c
        transaction.execute(delete(self._rows).where(columns.session == session, columns.committed.is_(False)))

    def over(self, transaction: Connection, tables: Collection[str]) -> tuple[ReleasedQuery, ...]:
        """Approved queries that read one of ``tables``, by session. A damaged row raises: then nothing is approved."""
        columns = self._rows.c
        rows = transaction.execute(select(columns.tables, columns.query).order_by(columns.session))
        wanted = set(tables)
        return tuple(
            ReleasedQuery.model_validate_json(query) for named, query in rows if not wanted.isdisjoint(named.split())
        )
