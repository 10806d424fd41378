"""Notices to all members: signed revocations and stops, kept so that a node which begins anew hears of them too."""

from sqlalchemy import Column, Connection, Integer, LargeBinary, MetaData, String, Table, func, insert, select

from consortia.control.mailbox import Letter
from consortia.control.messages import Kind
from consortia.errors import RequestError

MOST_NOTICES = 100
"""Of one person; every member keeps them all."""


class Notices:
    """The table ``notices`` of one database; every method works in the caller's transaction."""

    def __init__(self, metadata: MetaData) -> None:
        self._table = Table(
            "notices",
            metadata,
            Column("number", Integer, primary_key=True, autoincrement=True),
            Column("digest", String, nullable=False, unique=True),
            Column("sender", String, nullable=False),
            Column("body", LargeBinary, nullable=False),
        )

    def keep(self, transaction: Connection, digest: str, sender: str, body: bytes) -> None:
        """Keep a notice; the same one a second time changes nothing.

        Raises RequestError ``coordinator/notices`` if a person has sent ``MOST_NOTICES`` before.
        """
        columns = self._table.c
        if transaction.execute(select(columns.number).where(columns.digest == digest)).first() is not None:
            return
        sent = transaction.execute(select(func.count()).select_from(self._table).where(columns.sender == sender))
        if int(sent.scalar_one()) >= MOST_NOTICES:
            raise RequestError(
                "coordinator/notices",
                f"`{sender}` has sent {MOST_NOTICES} notices, and more are not carried",
                remedy="hand the notice to the other members' operators in the exchange folder",
            )
        transaction.execute(insert(self._table).values(digest=digest, sender=sender, body=body))

    def letters(self, transaction: Connection) -> list[Letter]:
        """All notices in the order of their arrival, as they are handed out."""
        columns = self._table.c
        rows = transaction.execute(select(columns.body, columns.sender).order_by(columns.number))
        return [Letter(Kind.NOTICE, "", bytes(body), sender) for body, sender in rows]
