"""The append-only journal of a party: every document it acted on, chained, beside what follows from it.

``append`` works in the caller's transaction, so an entry and the act that it records stand or fall together. An entry
made with ``once`` can't be made a second time for the same session: that is how an approval is used once, also after
a crash. SQLite triggers refuse changes and deletions; ``verify`` finds what somebody did to the file by other means.
"""

import hashlib
from datetime import datetime

from sqlalchemy import DDL, Column, Connection, Integer, LargeBinary, MetaData, String, Table, event, insert, select
from sqlalchemy.exc import IntegrityError

from consortia.errors import OperatorError, ProtocolAbort
from consortia.evidence.leaf import EMPTY_HEAD, Leaf, next_leaf


def journal_table(metadata: MetaData) -> Table:
    """Declare the journal in ``metadata``, with the triggers that refuse to change it."""
    table = Table(
        "journal",
        metadata,
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("session", String, nullable=False, index=True),
        Column("kind", String, nullable=False),
        Column("once", String, nullable=True, unique=True),
        Column("leaf", LargeBinary, nullable=False),
        Column("payload", LargeBinary, nullable=False),
    )
    for act in ("UPDATE", "DELETE"):
        trigger = DDL(  # type: ignore[no-untyped-call]  # the library types everything but this constructor
            f"CREATE TRIGGER IF NOT EXISTS journal_no_{act.lower()} BEFORE {act} ON journal "
            "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
        )
        event.listen(table, "after_create", trigger.execute_if(dialect="sqlite"))
    return table


class Journal:
    """The journal kept in ``table``; every method works in the caller's transaction."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def append(
        self, transaction: Connection, *, session: str, kind: str, payload: bytes, now: datetime, once: bool = False
    ) -> Leaf:
        """Record ``payload``; the new leaf.

        Raises ProtocolAbort ``evidence/used-twice`` if ``once`` and this session has an entry of that kind made so.
        """
        leaf = next_leaf(self._last(transaction), time=now, session=session, kind=kind, payload=payload)
        try:
            with transaction.begin_nested():
                transaction.execute(
                    insert(self._table).values(
                        number=leaf.index,
                        session=session,
                        kind=kind,
                        once=f"{kind}/{session}" if once else None,
                        leaf=leaf.canonical(),
                        payload=payload,
                    )
                )
        except IntegrityError as error:
            raise ProtocolAbort(
                "evidence/used-twice",
                f"this node's journal has an entry `{kind}` for the session already, and there may be one only",
                place=f"session {session}",
                remedy="sign a new submission; an approval is never used twice",
            ) from error
        return leaf

    def head(self, transaction: Connection) -> str:
        """The present head."""
        last = self._last(transaction)
        return EMPTY_HEAD if last is None else last.head()

    def entries(self, transaction: Connection, session: str) -> list[tuple[Leaf, bytes]]:
        """Leaves and payloads of one session, in order."""
        columns = self._table.c
        query = select(columns.leaf, columns.payload).where(columns.session == session).order_by(columns.number)
        return [(Leaf.parse(leaf), bytes(payload)) for leaf, payload in transaction.execute(query)]

    def verify(self, transaction: Connection) -> str:
        """The head, after every entry has been checked against the one before and its payload.

        Raises OperatorError ``evidence/journal`` naming the first entry that does not fit.
        """
        previous: Leaf | None = None
        columns = self._table.c
        rows = transaction.execute(select(columns.leaf, columns.payload).order_by(columns.number))
        for encoded, payload in rows:
            leaf = Leaf.parse(encoded)
            due = next_leaf(previous, time=leaf.time, session=leaf.session, kind=leaf.kind, payload=payload)
            if leaf != due:
                raise OperatorError(
                    "evidence/journal",
                    f"entry {due.index} of the journal does not fit the one before it, or its document was altered",
                    place=f"payload {hashlib.sha256(payload).hexdigest()[:16]}",
                    remedy="the database was changed from outside: keep it for inspection and restore a backup",
                )
            previous = leaf
        return EMPTY_HEAD if previous is None else previous.head()

    def _last(self, transaction: Connection) -> Leaf | None:
        query = select(self._table.c.leaf).order_by(self._table.c.number.desc()).limit(1)
        row = transaction.execute(query).first()
        return None if row is None else Leaf.parse(row[0])
