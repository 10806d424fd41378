"""The journal: append-only, chained, one use where one use is meant, and altered files are found."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import MetaData, text
from sqlalchemy.exc import DatabaseError

from consortia.control.database import open_database
from consortia.errors import OperatorError, ProtocolAbort
from consortia.evidence.journal import Journal, journal_table
from consortia.evidence.leaf import EMPTY_HEAD, Leaf, next_leaf

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SESSION = "0" * 32


def opened(path: Path | None = None):
    metadata = MetaData()
    table = journal_table(metadata)
    return open_database(path, metadata), Journal(table)


def append(engine, journal: Journal, payload: bytes, kind: str = "approval", *, once: bool = False) -> Leaf:
    with engine.begin() as transaction:
        return journal.append(transaction, session=SESSION, kind=kind, payload=payload, now=NOW, once=once)


def test_the_head_of_a_leaf_is_its_hash_after_rfc_6962() -> None:
    leaf = next_leaf(None, time=NOW, session=SESSION, kind="approval", payload=b"document")
    assert leaf.previous == EMPTY_HEAD
    assert leaf.payload == hashlib.sha256(b"document").hexdigest()
    assert leaf.head() == hashlib.sha256(b"\x00" + leaf.canonical()).hexdigest()
    assert leaf.canonical() == (
        b'{"index":"0","kind":"approval","payload":"' + leaf.payload.encode() + b'","previous":"' + b"0" * 64 +
        b'","session":"' + b"0" * 32 + b'","time":"2026-11-25T12:00:00Z","type":"consortia/leaf/v1"}'
    )  # fmt: skip


def test_entries_are_chained_and_verify() -> None:
    engine, journal = opened()
    with engine.begin() as transaction:
        assert journal.head(transaction) == EMPTY_HEAD
        assert journal.verify(transaction) == EMPTY_HEAD
    leaves = [append(engine, journal, f"{n}".encode()) for n in range(3)]
    assert [leaf.index for leaf in leaves] == [0, 1, 2]
    assert [leaf.previous for leaf in leaves[1:]] == [leaf.head() for leaf in leaves[:-1]]
    with engine.begin() as transaction:
        assert journal.verify(transaction) == journal.head(transaction) == leaves[-1].head()
        assert [payload for _, payload in journal.entries(transaction, SESSION)] == [b"0", b"1", b"2"]


def test_an_entry_made_once_cannot_be_made_again_and_others_can(tmp_path: Path) -> None:
    engine, journal = opened(tmp_path / "journal.sqlite")
    first = append(engine, journal, b"first", once=True)
    with pytest.raises(ProtocolAbort) as refused:
        append(engine, journal, b"second", once=True)
    assert refused.value.code == "evidence/used-twice"
    append(engine, journal, b"other kind", "seal", once=True)
    engine.dispose()
    engine, journal = opened(tmp_path / "journal.sqlite")
    with pytest.raises(ProtocolAbort):
        append(engine, journal, b"after a restart", once=True)
    with engine.begin() as transaction:
        assert len(journal.entries(transaction, SESSION)) == 2
        assert journal.entries(transaction, SESSION)[0][0] == first


@pytest.mark.parametrize("statement", ["UPDATE journal SET payload = x'00'", "DELETE FROM journal WHERE number = 0"])
def test_the_database_itself_refuses_to_change_entries(statement: str) -> None:
    engine, journal = opened()
    append(engine, journal, b"first")
    with pytest.raises(DatabaseError, match="append-only"), engine.begin() as transaction:
        transaction.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET payload = x'00' WHERE number = 1",
        "DELETE FROM journal WHERE number = 1",
        "UPDATE journal SET leaf = (SELECT leaf FROM journal WHERE number = 0) WHERE number = 1",
    ],
)
def test_a_journal_changed_behind_its_back_is_found(statement: str) -> None:
    engine, journal = opened()
    for payload in (b"first", b"second", b"third"):
        append(engine, journal, payload)
    with engine.begin() as transaction:
        transaction.execute(text("DROP TRIGGER journal_no_update"))
        transaction.execute(text("DROP TRIGGER journal_no_delete"))
        transaction.execute(text(statement))
    with engine.begin() as transaction, pytest.raises(OperatorError) as refused:
        journal.verify(transaction)
    assert refused.value.code == "evidence/journal"
    assert "entry 1" in refused.value.message
