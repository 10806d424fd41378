"""The coordinator's store: a change, its cause and the mail it causes stand or fall together."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from consortia.control.mailbox import Letter
from consortia.control.phases import Phase
from consortia.coordinator.notices import MOST_NOTICES
from consortia.coordinator.sessions import Output, Reviewing, advance, begin
from consortia.coordinator.store import Store
from consortia.errors import RequestError

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SESSION = "0" * 32
PARTIES = ("bank-a", "bank-b", "bank-c")


def created(path: Path | None) -> Store:
    store = Store(path)
    state, _ = begin(SESSION, "ana@bank-a", PARTIES, PARTIES, (Output(step="s9", recipient="ana@bank-a"),))
    with store.begin() as transaction:
        store.create(transaction, state, instance="aa", purpose="aml", proposal=b"{}", now=NOW)
    return store


def review(store: Store, party: str, *, killed: bool = False) -> None:
    with store.begin() as transaction:
        record = store.load(transaction, SESSION)
        assert record is not None
        state, _ = advance(record.state, Reviewing(party))
        store.update(transaction, state, f"reviewing {party}", NOW)
        store.post(transaction, "bank-a", Letter("stage", SESSION, b"{}"), "cc")
        if killed:
            raise RuntimeError("killed before the commit")


def test_after_a_restart_sessions_stand_where_they_were_with_their_causes(tmp_path: Path) -> None:
    path = tmp_path / "coordinator.sqlite"
    store = created(path)
    review(store, "bank-b")
    with pytest.raises(RuntimeError):
        review(store, "bank-c", killed=True)
    store.close()
    store = Store(path)
    with store.begin() as transaction:
        (record,) = store.running(transaction)
        assert record.state.stage("bank-b") is Phase.REVIEWING
        assert record.state.stage("bank-c") is Phase.PROPOSED
        causes = [(phase, cause) for _, phase, cause in store.history(transaction, SESSION)]
        assert causes == [(Phase.PROPOSED, "submitted"), (Phase.REVIEWING, "reviewing bank-b")]
        assert len(store.mailbox("bank-a", "cc").pending(transaction, 0)) == 1


def test_a_session_id_is_used_once_for_ever(tmp_path: Path) -> None:
    store = created(tmp_path / "coordinator.sqlite")
    store.close()
    with pytest.raises(RequestError) as refused:
        created(tmp_path / "coordinator.sqlite")
    assert refused.value.code == "coordinator/session-used"


def test_a_persons_sessions_are_the_persons_alone() -> None:
    store = created(None)
    with store.begin() as transaction:
        assert [record.state.session for record in store.of_person(transaction, "ana@bank-a")] == [SESSION]
        assert store.of_person(transaction, "ana@bank-b") == []


def test_mail_for_a_peer_goes_to_each_of_its_instances_or_to_the_named_one() -> None:
    store = Store(None)
    with store.begin() as transaction:
        for instance in ("aa", "bb"):
            store.mailbox("ana@bank-a", instance).received(transaction)
        letter = Letter("stage", SESSION, b"{}")
        assert [name for name, _ in store.post(transaction, "ana@bank-a", letter)] == ["aa", "bb"]
        assert [name for name, _ in store.post(transaction, "ana@bank-a", letter, "bb")] == ["bb"]
        store.drop_instance(transaction, "ana@bank-a", "aa")
        assert store.instances(transaction, "ana@bank-a") == ["bb"]
        assert [item.sequence for item in store.mailbox("ana@bank-a", "bb").pending(transaction, 0)] == [1, 2]


def test_a_notice_is_kept_once_and_one_person_can_not_send_them_without_end() -> None:
    store = Store(None)
    with store.begin() as transaction:
        for number in range(MOST_NOTICES):
            for _ in range(2):
                store.notices.keep(transaction, f"{number:064x}", "otto@bank-a", b"{}")
        assert len(store.notices.letters(transaction)) == MOST_NOTICES
        with pytest.raises(RequestError, match="otto@bank-a"):
            store.notices.keep(transaction, "f" * 64, "otto@bank-a", b"{}")
        store.notices.keep(transaction, "f" * 64, "otto@bank-b", b"{}")
    store.close()
