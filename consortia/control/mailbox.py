"""Durable, ordered, exactly-once delivery between two ends of a control stream, over a stream that may break.

Each end numbers what it sends (from 1, per receiver and instance), keeps it until it is acknowledged, and remembers
the highest number it has stored from the other end. ``accept`` and the handling of a message belong into one
transaction: then a message is handled once however often it is delivered. The coordinator has one mailbox a peer
and instance; a node or client has one, with the coordinator.
"""

from dataclasses import dataclass

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)

from consortia.errors import ProtocolAbort
from consortia.wire import control_pb2


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it is stored: everything but version and acknowledgement, which are of the moment."""

    kind: str
    session: str
    body: bytes
    sender: str = ""
    receiver: str = ""
    sequence: int = 0

    def message(self, acknowledged: int, wire_version: int) -> control_pb2.Message:
        """The letter on the wire."""
        return control_pb2.Message(
            wire_version=wire_version,
            session=self.session,
            kind=self.kind,
            envelope=self.body,
            sender=self.sender,
            receiver=self.receiver,
            sequence=self.sequence,
            acknowledged=acknowledged,
        )

    @classmethod
    def of(cls, message: control_pb2.Message) -> "Letter":
        """The letter in ``message``."""
        return cls(
            kind=message.kind,
            session=message.session,
            body=message.envelope,
            sender=message.sender,
            receiver=message.receiver,
            sequence=message.sequence,
        )


@dataclass(frozen=True, slots=True)
class MailTables:
    """The two tables of all mailboxes of a database."""

    peers: Table
    outbox: Table


def mail_tables(metadata: MetaData) -> MailTables:
    """Declare the tables in ``metadata``."""
    peers = Table(
        "peers",
        metadata,
        Column("peer", String, primary_key=True),
        Column("instance", String, primary_key=True),
        Column("received", Integer, nullable=False),
        Column("sent", Integer, nullable=False),
    )
    outbox = Table(
        "outbox",
        metadata,
        Column("peer", String, primary_key=True),
        Column("instance", String, primary_key=True),
        Column("sequence", Integer, primary_key=True),
        Column("session", String, nullable=False),
        Column("kind", String, nullable=False),
        Column("sender", String, nullable=False),
        Column("receiver", String, nullable=False),
        Column("body", LargeBinary, nullable=False),
    )
    return MailTables(peers, outbox)


class Mailbox:
    """The mailbox with one instance of ``peer``. Every method works in the caller's transaction."""

    def __init__(self, tables: MailTables, peer: str, instance: str) -> None:
        self.peer = peer
        self.instance = instance
        self._peers = tables.peers
        self._outbox = tables.outbox

    def received(self, transaction: Connection) -> int:
        """Highest sequence number of the peer that is stored here."""
        return self._counters(transaction)[0]

    def accept(self, transaction: Connection, sequence: int) -> bool:
        """Note that message ``sequence`` is being handled; False if it was handled before.

        Raises ProtocolAbort ``control/gap`` if a message before it is missing.
        """
        received, _ = self._counters(transaction)
        if sequence <= received:
            return False
        if sequence != received + 1:
            raise ProtocolAbort(
                "control/gap",
                f"message {sequence} of `{self.peer}` arrived where {received + 1} is due",
                remedy="the stream is opened again and the missing messages are sent once more",
            )
        transaction.execute(update(self._peers).where(*self._mine(self._peers)).values(received=sequence))
        return True

    def post(self, transaction: Connection, letter: Letter) -> Letter:
        """Store ``letter`` to be sent; the same with its number."""
        _, sent = self._counters(transaction)
        numbered = Letter(letter.kind, letter.session, letter.body, letter.sender, letter.receiver, sent + 1)
        transaction.execute(update(self._peers).where(*self._mine(self._peers)).values(sent=sent + 1))
        transaction.execute(
            insert(self._outbox).values(
                peer=self.peer,
                instance=self.instance,
                sequence=numbered.sequence,
                session=numbered.session,
                kind=numbered.kind,
                sender=numbered.sender,
                receiver=numbered.receiver,
                body=numbered.body,
            )
        )
        return numbered

    def pending(self, transaction: Connection, after: int) -> list[Letter]:
        """Letters with numbers above ``after`` that are not acknowledged, in order."""
        columns = self._outbox.c
        query = select(columns.kind, columns.session, columns.body, columns.sender, columns.receiver, columns.sequence)
        rows = transaction.execute(
            query.where(*self._mine(self._outbox), columns.sequence > after).order_by(columns.sequence)
        )
        return [Letter(*row) for row in rows]

    def acknowledged(self, transaction: Connection, upto: int) -> None:
        """Forget letters up to number ``upto``: the other end has stored them."""
        transaction.execute(delete(self._outbox).where(*self._mine(self._outbox), self._outbox.c.sequence <= upto))

    def _counters(self, transaction: Connection) -> tuple[int, int]:
        columns = self._peers.c
        row = transaction.execute(select(columns.received, columns.sent).where(*self._mine(self._peers))).first()
        if row is None:
            transaction.execute(insert(self._peers).values(peer=self.peer, instance=self.instance, received=0, sent=0))
            return 0, 0
        return int(row[0]), int(row[1])

    def _mine(self, table: Table) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return table.c.peer == self.peer, table.c.instance == self.instance
