"""What an approval rests on, kept whole: every document that it names by digest, and what it was compiled to.

Documents in force are replaced sooner or later, so a node stores the exact bytes in the transaction of its approval,
each once however many sessions rest on it, and its journal records which they were.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Column, Connection, LargeBinary, MetaData, String, Table, insert, select

from consortia.errors import OperatorError
from consortia.trust.documents import Digest, Document, Frozen

Part = Literal["manifest", "card", "catalogue", "policy", "plan", "leakage", "decision"]


class BasisEntry(Frozen):
    """One document: what it is, whose (a member, or ""), and the SHA-256 of its stored bytes (envelopes: all of it)."""

    part: Part
    name: str
    digest: Digest


class Basis(Document):
    """Everything that an approval rests on, sorted by part and name."""

    type: Literal["consortia/basis/v1"] = "consortia/basis/v1"
    entries: tuple[BasisEntry, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """One document's exact bytes."""

    part: Part
    name: str
    content: bytes

    @property
    def entry(self) -> BasisEntry:
        """How the basis names it."""
        return BasisEntry(part=self.part, name=self.name, digest=hashlib.sha256(self.content).hexdigest())


def basis_of(kept: Sequence[Kept]) -> Basis:
    """The basis that consists of ``kept``."""
    entries = sorted((one.entry for one in kept), key=lambda entry: (entry.part, entry.name, entry.digest))
    return Basis(entries=tuple(entries))


class Archive:
    """The table ``archive`` of one database: bytes by their digest; every method works in the caller's transaction."""

    def __init__(self, metadata: MetaData) -> None:
        self._table = Table(
            "archive",
            metadata,
            Column("digest", String, primary_key=True),
            Column("content", LargeBinary, nullable=False),
        )

    def keep(self, transaction: Connection, kept: Sequence[Kept]) -> None:
        """Store the bytes of each, once."""
        for one in kept:
            digest = one.entry.digest
            if transaction.execute(select(self._table.c.digest).where(self._table.c.digest == digest)).first() is None:
                transaction.execute(insert(self._table).values(digest=digest, content=one.content))

    def fetch(self, transaction: Connection, digest: str) -> bytes:
        """The bytes of ``digest``; raises OperatorError ``evidence/archive`` if they are not there or not these."""
        row = transaction.execute(select(self._table.c.content).where(self._table.c.digest == digest)).first()
        content = b"" if row is None else bytes(row[0])
        if hashlib.sha256(content).hexdigest() != digest:
            raise OperatorError(
                "evidence/archive",
                "a document on which the session rests is not in the database any more, or was altered",
                place=f"document {digest[:16]}",
                remedy="the database was changed from outside: keep it for inspection and restore a backup",
            )
        return content
