"""Notices to all members: signed revocations and stops, kept so that a node which begins anew hears of them too."""

from sqlalchemy import Column, Connection, Integer, LargeBinary, MetaData, String, Table, insert, select

from consortia.control.mailbox import Letter
from consortia.control.messages import Kind


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
        """Keep a notice; the same one a second time changes nothing."""
        columns = self._table.c
        if transaction.execute(select(columns.number).where(columns.digest == digest)).first() is None:
            transaction.execute(insert(self._table).values(digest=digest, sender=sender, body=body))

    def letters(self, transaction: Connection) -> list[Letter]:
        """All notices in the order of their arrival, as they are handed out."""
        columns = self._table.c
        rows = transaction.execute(select(columns.body, columns.sender).order_by(columns.number))
        return [Letter(Kind.NOTICE, "", bytes(body), sender) for body, sender in rows]
