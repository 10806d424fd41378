"""The journal: append-only, one tree, one use where one use is meant, and altered files are found."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import MetaData, text
from sqlalchemy.exc import DatabaseError

from consortia.control.database import open_database
from consortia.errors import OperatorError, ProtocolAbort
from consortia.evidence.journal import Journal, JournalTables
from consortia.evidence.leaf import Leaf, leaf_of
from consortia.evidence.merkle import EMPTY_ROOT, root_of, verify_inclusion
from consortia.evidence.proofs import verify_consistency

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SESSION = "0" * 32


def opened(path: Path | None = None):
    metadata = MetaData()
    tables = JournalTables(metadata)
    return open_database(path, metadata), Journal(tables)


def append(engine, journal: Journal, payload: bytes, kind: str = "approval", *, once: bool = False) -> Leaf:
    with engine.begin() as transaction:
        return journal.append(transaction, session=SESSION, kind=kind, payload=payload, now=NOW, once=once)


def test_a_leaf_is_hashed_after_rfc_6962() -> None:
    leaf = leaf_of(0, time=NOW, session=SESSION, kind="approval", payload=b"document")
    assert leaf.payload == hashlib.sha256(b"document").hexdigest()
    assert leaf.hashed() == hashlib.sha256(b"\x00" + leaf.canonical()).digest()
    assert leaf.canonical() == (
        b'{"index":"0","kind":"approval","payload":"' + leaf.payload.encode() +
        b'","session":"' + b"0" * 32 + b'","time":"2026-11-25T12:00:00Z","type":"consortia/leaf/v1"}'
    )  # fmt: skip


def test_heads_and_proofs_of_a_growing_journal() -> None:
    engine, journal = opened()
    with engine.begin() as transaction:
        empty = journal.head(transaction)
        assert (empty.size, empty.root) == (0, EMPTY_ROOT.hex())
    leaves = [append(engine, journal, f"{number}".encode()) for number in range(11)]
    hashes = [leaf.hashed() for leaf in leaves]
    with engine.begin() as transaction:
        heads = [journal.head(transaction, size) for size in range(12)]
        assert [head.root for head in heads[1:]] == [root_of(hashes[:size]).hex() for size in range(1, 12)]
        assert journal.verify(transaction) == journal.head(transaction) == heads[11]
        assert {head.log for head in heads} == {empty.log}
        for leaf in leaves:
            proof = journal.inclusion(transaction, leaf.index, 11)
            verify_inclusion(leaf.hashed(), leaf.index, 11, proof, bytes.fromhex(heads[11].root))
        old, new = bytes.fromhex(heads[6].root), bytes.fromhex(heads[11].root)
        verify_consistency(6, old, 11, new, journal.consistency(transaction, 6, 11))
        assert [payload for _, payload in journal.entries(transaction, SESSION)][:3] == [b"0", b"1", b"2"]
        assert journal.leaves(transaction, 2) == leaves[-2:]
        with pytest.raises(IndexError):
            journal.head(transaction, 12)


def test_a_new_log_has_another_name_and_the_same_entries(tmp_path: Path) -> None:
    engine, journal = opened(tmp_path / "journal.sqlite")
    append(engine, journal, b"first")
    with engine.begin() as transaction:
        before = journal.head(transaction)
        journal.begin_log(transaction)
        after = journal.head(transaction)
    assert after.root == before.root
    assert after.log != before.log


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
        "UPDATE journal_nodes SET hash = zeroblob(32) WHERE level = 1",
        "DELETE FROM journal_nodes WHERE level = 0 AND number = 1",
        "UPDATE journal SET session = '' WHERE number = 1",
        "UPDATE journal SET kind = 'review' WHERE number = 1",
        "UPDATE journal SET once = 'approval/other' WHERE number = 1",
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


def test_an_end_that_was_cut_off_is_found_by_the_hashes_that_it_left() -> None:
    engine, journal = opened()
    for payload in (b"first", b"second", b"third"):
        append(engine, journal, payload)
    with engine.begin() as transaction:
        transaction.execute(text("DROP TRIGGER journal_no_delete"))
        transaction.execute(text("DELETE FROM journal WHERE number = 2"))
    with engine.begin() as transaction, pytest.raises(OperatorError, match="entry 2") as refused:
        journal.verify(transaction)
    assert refused.value.code == "evidence/journal"
