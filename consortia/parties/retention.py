"""The clock of stored results: what owners' policies allow a recipient's node to keep, and the end of it.

Noted with the approval, begun when the node stores its result, and enforced by the node itself: what is due is deleted
within seconds while it runs, and at its next start otherwise. What analysts have fetched before is theirs to delete.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import rfc8785
from sqlalchemy import Boolean, Column, Connection, Integer, MetaData, String, Table, insert, select, update

from consortia.trust.documents import instant_text


@dataclass(frozen=True, slots=True)
class Clock:
    """One stored result: until when it may be kept, and whether it was deleted."""

    session: str
    step: str
    days: int
    until: datetime
    deleted: bool


class Retention:
    """The table ``retention`` of a node's database; every method works in the caller's transaction."""

    def __init__(self, metadata: MetaData, results: Table) -> None:
        self._results = results
        self._table = Table(
            "retention",
            metadata,
            Column("session", String, primary_key=True),
            Column("step", String, primary_key=True),
            Column("days", Integer, nullable=False),
            Column("until", String, nullable=True),
            Column("deleted", Boolean, nullable=False),
        )

    def note(self, transaction: Connection, session: str, days: Mapping[str, int]) -> None:
        """Results of ``session`` may be kept for ``days``, by release step."""
        for step, count in sorted(days.items()):
            values = {"session": session, "step": step, "days": count, "deleted": False}
            transaction.execute(insert(self._table).values(**values))

    def begin(self, transaction: Connection, session: str, now: datetime) -> None:
        """The results of ``session`` are stored now."""
        columns = self._table.c
        for row in transaction.execute(select(columns.step, columns.days).where(columns.session == session)).all():
            until = instant_text((now + timedelta(days=row.days)).replace(microsecond=0))
            this = (columns.session == session) & (columns.step == row.step)
            transaction.execute(update(self._table).where(this).values(until=until))

    def clocks(self, transaction: Connection, session: str | None = None) -> list[Clock]:
        """The clocks that run or have run out, of one session or of all, the next to run out first."""
        columns = self._table.c
        query = select(self._table).where(columns.until.is_not(None)).order_by(columns.until, columns.session)
        if session is not None:
            query = query.where(columns.session == session)
        return [
            Clock(row.session, row.step, row.days, datetime.fromisoformat(row.until), row.deleted)
            for row in transaction.execute(query)
        ]

    def delete_due(self, transaction: Connection, now: datetime) -> list[Clock]:
        """Delete every result whose time is over; what was deleted."""
        due = [clock for clock in self.clocks(transaction) if clock.until <= now and not clock.deleted]
        for clock in due:
            stored, kept = self._results.c, self._table.c
            where = (stored.session == clock.session) & (stored.step == clock.step)
            transaction.execute(self._results.delete().where(where))
            where = (kept.session == clock.session) & (kept.step == clock.step)
            transaction.execute(update(self._table).where(where).values(deleted=True))
        return due


def entry_of(clock: Clock) -> bytes:
    """What the journal says of a result that was deleted."""
    return rfc8785.dumps({"days": clock.days, "step": clock.step, "until": instant_text(clock.until)})
