"""The log of a session's moves, the same at coordinator and nodes: when, into which phase, and why."""

from datetime import datetime

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, insert, select

from consortia.control.phases import Phase
from consortia.trust.documents import instant_text


class Transitions:
    """The table ``transitions`` of one database; every method works in the caller's transaction."""

    def __init__(self, metadata: MetaData) -> None:
        self._table = Table(
            "transitions",
            metadata,
            Column("number", Integer, primary_key=True, autoincrement=True),
            Column("session", String, nullable=False),
            Column("at", String, nullable=False),
            Column("phase", String, nullable=False),
            Column("cause", String, nullable=False),
        )

    def note(self, transaction: Connection, session: str, phase: Phase, cause: str, now: datetime) -> None:
        """Write down that ``session`` moved into ``phase``."""
        values = {"session": session, "at": instant_text(now), "phase": phase, "cause": cause}
        transaction.execute(insert(self._table).values(**values))

    def history(self, transaction: Connection, session: str) -> list[tuple[str, Phase, str]]:
        """Time, phase and cause of every move of ``session``, in order."""
        columns = self._table.c
        query = select(columns.at, columns.phase, columns.cause).where(columns.session == session)
        return [(at, Phase(phase), cause) for at, phase, cause in transaction.execute(query.order_by(columns.number))]
