"""The mark beside the ledger, and what others' hellos say of reservations."""

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from consortia.errors import OperatorError
from consortia.parties.behind import missing_session
from consortia.parties.budget import check_mark, write_mark
from consortia.parties.mark import Mark
from consortia.parties.store import Store
from consortia.trust.sessions import Hello, MemberSession

NOW = datetime(2026, 11, 25, tzinfo=UTC)
FIRST, SECOND = "aa" * 16, "bb" * 16


def test_a_mark_only_rises_unless_it_is_set_anew(tmp_path: Path) -> None:
    mark = Mark(tmp_path / "ledger.mark")
    assert mark.read() is None
    for number, found in ((0, 0), (3, 3), (2, 3)):
        mark.write(number)
        assert mark.read() == found
    mark.reset(1)
    assert mark.read() == 1
    assert [file.name for file in tmp_path.iterdir()] == ["ledger.mark"]  # no draft is left


@pytest.mark.parametrize("text", [b"", b"three", b"-1", b"\xff\xfe", "\u0663".encode()])
def test_a_damaged_mark_is_an_error_and_not_a_new_beginning(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "ledger.mark").write_bytes(text)
    with pytest.raises(OperatorError) as refused:
        Mark(tmp_path / "ledger.mark").read()
    assert refused.value.code == "parties/ledger-mark"


def together(*actions: Callable[[], None]) -> None:
    """Each action in a thread of its own, begun at the same moment; raises what one of them raised."""
    barrier, failures = threading.Barrier(len(actions)), list[BaseException]()

    def act(action: Callable[[], None]) -> None:
        barrier.wait(5)
        try:
            action()
        except BaseException as error:  # raised again below, in the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=act, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    if failures:
        raise failures[0]


def test_sessions_that_write_the_mark_at_once_leave_the_highest_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, sync = Mark(tmp_path / "ledger.mark"), os.fsync

    def slow(descriptor: int) -> None:
        time.sleep(0.002)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    for first in range(0, 40, 4):
        numbers = [first + 3, first + 3, first + 2, first + 1]  # the same number twice, too
        together(*(partial(mark.write, number) for number in numbers))
        assert mark.read() == first + 3
    assert [file.name for file in tmp_path.iterdir()] == ["ledger.mark"]


def test_the_mark_counts_in_the_turn_in_which_it_writes(tmp_path: Path) -> None:
    mark, counting, higher = Mark(tmp_path / "ledger.mark"), threading.Event(), threading.Event()

    def count() -> int:
        counting.set()
        higher.wait(0.3)  # what a session that comes in between has written must not be overwritten
        return 5

    def other() -> None:
        counting.wait(5)
        mark.follow(lambda: 6)
        higher.set()

    together(lambda: mark.follow(count), other)
    assert (mark.read(), higher.is_set()) == (6, True)


def test_a_database_that_counts_nothing_and_has_no_mark_was_put_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "node.sqlite")
    (tmp_path / "ledger.mark").unlink()
    assert is_behind(store)
    store.close()
    memory = Store(None)
    assert not is_behind(memory)
    memory.close()


def reserve(store: Store, session: str) -> None:
    with store.begin() as transaction:
        store.ledger.reserve(transaction, session, "aml-detection", "ana@bank-a", {}, NOW)


def is_behind(store: Store) -> bool:
    check_mark(store, NOW)
    with store.begin() as transaction:
        return store.behind.found(transaction) is not None


def test_a_ledger_ahead_of_its_mark_is_a_crash_and_one_behind_it_was_put_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "node.sqlite")
    assert not is_behind(store)
    reserve(store, FIRST)
    assert not is_behind(store)  # killed before the mark was written
    write_mark(store)
    assert not is_behind(store)
    store.mark.reset(2)
    assert is_behind(store)
    store.close()


def test_a_commit_counts_in_the_mark_too(tmp_path: Path) -> None:
    store = Store(tmp_path / "node.sqlite")
    reserve(store, FIRST)
    with store.begin() as transaction:
        assert store.ledger.version(transaction) == 1
        store.ledger.commit(transaction, FIRST)
        assert store.ledger.version(transaction) == 2
        store.ledger.close(transaction, FIRST)
        assert store.ledger.version(transaction) == 2
    store.close()


def test_a_lost_database_is_behind_the_mark_that_is_left(tmp_path: Path) -> None:
    store = Store(tmp_path / "node.sqlite")
    reserve(store, FIRST)
    write_mark(store)
    store.close()
    for file in tmp_path.glob("node.sqlite*"):
        file.unlink()
    store = Store(tmp_path / "node.sqlite")
    assert is_behind(store)
    store.close()


def hello(party: str, *reserved: MemberSession) -> Hello:
    digest = "0" * 64
    return Hello(
        session=FIRST, attempt=1, party=party, manifest=digest, catalogue=digest, plan=digest, leakage=digest,
        approvals=digest, computers=("bank-a",), software="test", nonce="00", kem_key="00", reserved=reserved,
    )  # fmt: skip


def test_only_what_others_say_of_this_member_counts() -> None:
    mine = MemberSession(member="bank-a", session=SECOND)
    theirs = MemberSession(member="bank-c", session=SECOND)
    assert missing_session("bank-a", [hello("bank-b", theirs), hello("bank-a", mine)], ()) is None
    assert missing_session("bank-a", [hello("bank-b", mine)], (SECOND,)) is None
    assert missing_session("bank-a", [hello("bank-c"), hello("bank-b", theirs, mine)], (FIRST,)) == ("bank-b", SECOND)
