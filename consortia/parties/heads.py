"""What a node remembers of the others' journals: heads seen signed, and members caught with two journals."""

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, delete, insert, select

from consortia.evidence.cosigning import split_view
from consortia.trust.sessions import MemberHead, TreeHead


class Heads:
    """The tables of one database; every method works in the caller's transaction."""

    def __init__(self, metadata: MetaData) -> None:
        self._seen = Table(
            "heads",
            metadata,
            Column("member", String, primary_key=True),
            Column("log", String, primary_key=True),
            Column("size", Integer, primary_key=True, autoincrement=False),
            Column("root", String, nullable=False),
        )
        self._split = Table(
            "split_views", metadata, Column("member", String, primary_key=True), Column("why", String, nullable=False)
        )

    def held(self, transaction: Connection) -> tuple[MemberHead, ...]:
        """Every head that no later one is known to continue, sorted by member, log and size."""
        columns = self._seen.c
        query = select(columns.member, columns.log, columns.size, columns.root)
        rows = transaction.execute(query.order_by(columns.member, columns.log, columns.size))
        return tuple(
            MemberHead(member=member, head=TreeHead(log=log, size=size, root=root)) for member, log, size, root in rows
        )

    def see(self, transaction: Connection, seen: MemberHead, continues: tuple[MemberHead, ...]) -> None:
        """Hold ``seen`` instead of those that it ``continues``, and of those of a log that the member has left.

        Raises ProtocolAbort ``evidence/split-view`` if another head of that size is held.
        """
        held = self.held(transaction)
        for entry in held:
            same = (entry.member, entry.head.log, entry.head.size) == (seen.member, seen.head.log, seen.head.size)
            if same and entry.head != seen.head:
                raise split_view(seen.member, f"two of {seen.head.size} entries")
        columns = self._seen.c
        left = [entry for entry in held if entry.member == seen.member and entry.head.log != seen.head.log]
        for entry in (*continues, *left, seen):
            head = entry.head
            transaction.execute(
                delete(self._seen).where(
                    columns.member == entry.member, columns.log == head.log, columns.size == head.size
                )
            )
        head = seen.head
        transaction.execute(insert(self._seen).values(member=seen.member, log=head.log, size=head.size, root=head.root))

    def mark_split(self, transaction: Connection, member: str, why: str) -> None:
        """Remember that ``member`` showed two journals."""
        transaction.execute(delete(self._split).where(self._split.c.member == member))
        transaction.execute(insert(self._split).values(member=member, why=why))

    def splits(self, transaction: Connection) -> dict[str, str]:
        """Members that showed two journals, and how it was found."""
        rows = transaction.execute(select(self._split))
        return {row.member: row.why for row in rows}

    def forget(self, transaction: Connection, member: str) -> None:
        """Hold nothing of or against ``member`` any more: its next head is taken as it comes."""
        transaction.execute(delete(self._split).where(self._split.c.member == member))
        transaction.execute(delete(self._seen).where(self._seen.c.member == member))
