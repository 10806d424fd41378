"""The table of held sessions: since when, until when, whose officers are awaited, and why."""

import json

from sqlalchemy import Column, Connection, MetaData, String, Table, delete, insert, select

from consortia.trust.documents import Frozen, Instant, Name, Session


class Hold(Frozen):
    """One session that waits for officers of ``awaited``; ``reasons`` are this owner's own."""

    session: Session
    since: Instant
    until: Instant
    awaited: tuple[Name, ...]
    reasons: tuple[str, ...] = ()


class Holds:
    """The table ``holds`` of one database; every method works in the caller's transaction."""

    def __init__(self, metadata: MetaData) -> None:
        self._table = Table(
            "holds",
            metadata,
            Column("session", String, primary_key=True),
            Column("hold", String, nullable=False),
        )

    def keep(self, transaction: Connection, hold: Hold) -> None:
        """Note that a session is held, or for whom it still waits."""
        self.drop(transaction, hold.session)
        values = {"session": hold.session, "hold": json.dumps(hold.model_dump(mode="json"))}
        transaction.execute(insert(self._table).values(**values))

    def drop(self, transaction: Connection, session: str) -> None:
        """The session is not held any more."""
        transaction.execute(delete(self._table).where(self._table.c.session == session))

    def all(self, transaction: Connection) -> list[Hold]:
        """All held sessions, the one that ends first in front."""
        rows = transaction.execute(select(self._table.c.hold))
        holds = [Hold.model_validate_json(hold) for (hold,) in rows]
        return sorted(holds, key=lambda hold: (hold.until, hold.session))

    def of(self, transaction: Connection, session: str) -> Hold | None:
        """The hold of ``session``, if it is held."""
        row = transaction.execute(select(self._table.c.hold).where(self._table.c.session == session)).first()
        return None if row is None else Hold.model_validate_json(row[0])
