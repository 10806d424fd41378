"""Durable delivery: numbered, kept until acknowledged, handled once, in order, across restarts."""

from pathlib import Path

import pytest
from sqlalchemy import MetaData, text

from consortia.control.database import open_database
from consortia.control.mailbox import Letter, Mailbox, mail_tables
from consortia.errors import OperatorError, ProtocolAbort

METADATA = MetaData()
TABLES = mail_tables(METADATA)


def opened(path: Path | None = None):
    return open_database(path, METADATA), Mailbox(TABLES, "coordinator", "aa")


def letter(number: int) -> Letter:
    return Letter("stage", "0" * 32, f"{number}".encode())


def test_letters_are_numbered_and_kept_until_acknowledged() -> None:
    engine, mailbox = opened()
    with engine.begin() as transaction:
        assert [mailbox.post(transaction, letter(n)).sequence for n in range(3)] == [1, 2, 3]
        assert [item.body for item in mailbox.pending(transaction, 1)] == [b"1", b"2"]
        mailbox.acknowledged(transaction, 2)
        assert [item.sequence for item in mailbox.pending(transaction, 0)] == [3]
        assert mailbox.post(transaction, letter(3)).sequence == 4


def test_a_message_is_accepted_once_and_a_gap_is_refused() -> None:
    engine, mailbox = opened()
    with engine.begin() as transaction:
        assert mailbox.accept(transaction, 1)
        assert not mailbox.accept(transaction, 1)
        with pytest.raises(ProtocolAbort) as refused:
            mailbox.accept(transaction, 3)
        assert refused.value.code == "control/gap"
        assert mailbox.accept(transaction, 2)
        assert mailbox.received(transaction) == 2


def test_what_was_committed_survives_and_what_was_not_is_gone(tmp_path: Path) -> None:
    engine, mailbox = opened(tmp_path / "mail.sqlite")
    with engine.begin() as transaction:
        mailbox.post(transaction, letter(1))
        mailbox.accept(transaction, 1)
    with pytest.raises(RuntimeError):
        _die_before_the_commit(engine, mailbox)
    engine.dispose()
    engine, mailbox = opened(tmp_path / "mail.sqlite")
    with engine.begin() as transaction:
        assert [item.sequence for item in mailbox.pending(transaction, 0)] == [1]
        assert mailbox.received(transaction) == 1


def _die_before_the_commit(engine, mailbox: Mailbox) -> None:
    with engine.begin() as transaction:
        mailbox.post(transaction, letter(2))
        mailbox.accept(transaction, 2)
        raise RuntimeError("killed")


def test_two_instances_have_numberings_of_their_own() -> None:
    engine, first = opened()
    second = Mailbox(TABLES, "coordinator", "bb")
    with engine.begin() as transaction:
        first.post(transaction, letter(1))
        assert second.post(transaction, letter(1)).sequence == 1
        first.acknowledged(transaction, 1)
        assert len(second.pending(transaction, 0)) == 1


def test_the_database_is_its_owners_alone_and_of_a_known_version(tmp_path: Path) -> None:
    path = tmp_path / "mail.sqlite"
    engine, _ = opened(path)
    assert path.stat().st_mode & 0o777 == 0o600
    with engine.begin() as transaction:
        transaction.execute(text("PRAGMA user_version = 99"))
    engine.dispose()
    with pytest.raises(OperatorError, match="version 99") as refused:
        opened(path)
    assert refused.value.code == "control/database"


def test_a_file_that_is_no_database_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "mail.sqlite"
    path.write_bytes(b"this is no database, it is a letter" * 100)
    with pytest.raises(OperatorError) as refused:
        opened(path)
    assert refused.value.code == "control/database"
