"""The append-only journal of a party: every document it acted on, as leaves of one Merkle tree (RFC 6962).

``append`` works in the caller's transaction, so an entry and the act that it records stand or fall together. An entry
made with ``once`` can't be made a second time for the same session: that is how an approval is used once, also after
a crash. SQLite triggers refuse changes and deletions; ``verify`` finds what somebody did to the file by other means.
The hashes of complete subtrees are kept beside the entries, so that heads and proofs cost a few reads at any size.
"""

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import (
    DDL,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    event,
    func,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError

from consortia.errors import OperatorError, ProtocolAbort
from consortia.evidence.leaf import Leaf, leaf_of
from consortia.evidence.proofs import completed, consistency_proof, inclusion_proof, tree_root
from consortia.trust.sessions import TreeHead

LOG_BYTES = 16


class JournalTables:
    """The tables of one journal in ``metadata``, with the triggers that refuse to change its entries."""

    def __init__(self, metadata: MetaData) -> None:
        self.entries = Table(
            "journal",
            metadata,
            Column("number", Integer, primary_key=True, autoincrement=False),
            Column("session", String, nullable=False, index=True),
            Column("kind", String, nullable=False),
            Column("once", String, nullable=True, unique=True),
            Column("leaf", LargeBinary, nullable=False),
            Column("payload", LargeBinary, nullable=False),
        )
        self.nodes = Table(
            "journal_nodes",
            metadata,
            Column("level", Integer, primary_key=True, autoincrement=False),
            Column("number", Integer, primary_key=True, autoincrement=False),
            Column("hash", LargeBinary, nullable=False),
        )
        self.log = Table("journal_log", metadata, Column("log", String, primary_key=True))
        for act in ("UPDATE", "DELETE"):
            trigger = DDL(  # type: ignore[no-untyped-call]  # the library types everything but this constructor
                f"CREATE TRIGGER IF NOT EXISTS journal_no_{act.lower()} BEFORE {act} ON journal "
                "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
            )
            event.listen(self.entries, "after_create", trigger.execute_if(dialect="sqlite"))


class Journal:
    """The journal kept in ``tables``; every method works in the caller's transaction."""

    def __init__(self, tables: JournalTables) -> None:
        self._tables = tables

    def append(
        self, transaction: Connection, *, session: str, kind: str, payload: bytes, now: datetime, once: bool = False
    ) -> Leaf:
        """Record ``payload``; the new leaf.

        Raises ProtocolAbort ``evidence/used-twice`` if ``once`` and this session has an entry of that kind made so.
        """
        leaf = leaf_of(self.size(transaction), time=now, session=session, kind=kind, payload=payload)
        try:
            with transaction.begin_nested():
                transaction.execute(
                    insert(self._tables.entries).values(
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
        made = completed(leaf.index, leaf.hashed(), lambda *node: self._node(transaction, *node))
        rows = [{"level": level, "number": number, "hash": hashed} for level, number, hashed in made]
        transaction.execute(insert(self._tables.nodes), rows)
        return leaf

    def size(self, transaction: Connection) -> int:
        """Number of entries."""
        last = transaction.execute(select(func.max(self._tables.entries.c.number))).scalar_one()
        return 0 if last is None else int(last) + 1

    def head(self, transaction: Connection, size: int | None = None) -> TreeHead:
        """The present head, or the one of ``size`` entries; raises IndexError if there are fewer."""
        present = self.size(transaction)
        wanted = present if size is None else size
        if not 0 <= wanted <= present:
            raise IndexError(wanted)
        root = tree_root(wanted, lambda *node: self._node(transaction, *node))
        return TreeHead(log=self._log(transaction), size=wanted, root=root.hex())

    def begin_log(self, transaction: Connection) -> None:
        """Give the journal a new name: its heads are no longer compared with those under the one before.

        Needed after an older copy of the file was put back, and only then: other members see the change and are told.
        """
        transaction.execute(delete(self._tables.log))
        transaction.execute(insert(self._tables.log).values(log=secrets.token_hex(LOG_BYTES)))

    def inclusion(self, transaction: Connection, index: int, size: int) -> tuple[bytes, ...]:
        """The proof that entry ``index`` is under the head of ``size`` entries."""
        return tuple(inclusion_proof(index, size, lambda *node: self._node(transaction, *node)))

    def consistency(self, transaction: Connection, old: int, new: int) -> tuple[bytes, ...]:
        """The proof that the first ``old`` entries begin the first ``new``."""
        return tuple(consistency_proof(old, new, lambda *node: self._node(transaction, *node)))

    def entries(self, transaction: Connection, session: str) -> list[tuple[Leaf, bytes]]:
        """Leaves and payloads of one session, in order."""
        columns = self._tables.entries.c
        query = select(columns.leaf, columns.payload).where(columns.session == session).order_by(columns.number)
        return [(Leaf.parse(leaf), bytes(payload)) for leaf, payload in transaction.execute(query)]

    def all_of(self, transaction: Connection, kind: str) -> list[tuple[Leaf, bytes]]:
        """Leaves and payloads of one kind over all sessions, in order."""
        columns = self._tables.entries.c
        query = select(columns.leaf, columns.payload).where(columns.kind == kind).order_by(columns.number)
        return [(Leaf.parse(leaf), bytes(payload)) for leaf, payload in transaction.execute(query)]

    def leaves(self, transaction: Connection, latest: int | None = None) -> list[Leaf]:
        """All leaves in order, or the ``latest`` ones."""
        columns = self._tables.entries.c
        query = select(columns.leaf).order_by(columns.number.desc()).limit(latest)
        return [Leaf.parse(row[0]) for row in transaction.execute(query)][::-1]

    def verify(self, transaction: Connection) -> TreeHead:
        """The head, after every entry, its columns and every kept hash have been compared with what they are due to be.

        Entries cut off at the end together with their hashes are not seen here: the heads that others hold show them.
        Raises OperatorError ``evidence/journal`` naming the first entry that does not fit.
        """
        columns = self._tables.entries.c
        rows = transaction.execute(select(self._tables.entries).order_by(columns.number))
        nodes: dict[tuple[int, int], bytes] = {}
        for index, (number, session, kind, once, encoded, payload) in enumerate(rows):
            leaf = Leaf.parse(encoded)
            due = leaf_of(index, time=leaf.time, session=leaf.session, kind=leaf.kind, payload=payload)
            made = completed(index, due.hashed(), lambda *node: nodes[node])
            named = (number, session, kind) == (index, leaf.session, leaf.kind) and once in (None, f"{kind}/{session}")
            if leaf != due or not named or any(self._kept(transaction, *node) != hashed for *node, hashed in made):
                raise _altered(index, f"payload {hashlib.sha256(payload).hexdigest()[:16]}")
            nodes.update({(level, place): hashed for level, place, hashed in made})
        kept = transaction.execute(select(func.count()).select_from(self._tables.nodes)).scalar_one()
        if kept != len(nodes):
            raise _altered(self.size(transaction), f"{kept} hashes are kept, and the entries make {len(nodes)}")
        return self.head(transaction)

    def _node(self, transaction: Connection, level: int, number: int) -> bytes:
        kept = self._kept(transaction, level, number)
        if kept is None:
            raise _altered(number << level, f"hash {number} of level {level}")
        return kept

    def _kept(self, transaction: Connection, level: int, number: int) -> bytes | None:
        columns = self._tables.nodes.c
        query = select(columns.hash).where(columns.level == level, columns.number == number)
        row = transaction.execute(query).first()
        return None if row is None else bytes(row[0])

    def _log(self, transaction: Connection) -> str:
        row = transaction.execute(select(self._tables.log.c.log)).first()
        if row is None:
            self.begin_log(transaction)
            return self._log(transaction)
        return str(row[0])


def _altered(index: int, place: str) -> OperatorError:
    return OperatorError(
        "evidence/journal",
        f"entry {index} of the journal is not the one that was written, or one is missing before it",
        place=place,
        remedy="the database was changed from outside: keep it for inspection and restore a backup",
    )
