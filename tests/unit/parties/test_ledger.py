"""The owner's ledger: what counts, what is given back, and that two queries never share the last room."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import IntegrityError

from consortia.control.phases import Phase
from consortia.errors import InternalError
from consortia.parties import budget
from consortia.parties.checks import Refused
from consortia.parties.ledger import Entry, Ledger
from consortia.parties.store import Store
from consortia.parties.work import Documents, OwnPart, Review
from consortia.plans.noised import Noised
from consortia.plans.steps_of_noise import Noise as NoiseStep
from consortia.policies.accounting import Charge
from consortia.policies.language.parse import read_policy
from consortia.policies.own import PastCharge, Standing
from consortia.trust.trusted import TrustedSet
from tests.fixtures_catalogue import STATISTICS
from tests.policies_world import NOW, draft_of, make_world, policy_text
from tests.session_world import own_part

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
PURPOSE, ANALYST = "aml-detection", "ana@bank-a"
PLAN = draft_of(STATISTICS, make_world())
TWO = (("queries-per-day: off", "queries-per-day: 2"),)


def store_at(path: Path) -> Store:
    return Store(path / "node.sqlite")


def ask(
    store: Store,
    session: str,
    now: datetime = NOW,
    analyst: str = ANALYST,
    purpose: str = PURPOSE,
    charges: Mapping[str, Charge] | None = None,
) -> int:
    with store.begin() as transaction:
        return store.ledger.reserve(transaction, session, purpose, analyst, charges or {}, now)


def standing(store: Store, now: datetime = NOW, analyst: str = ANALYST) -> Standing:
    with store.begin() as transaction:
        return store.ledger.standing(transaction, PURPOSE, analyst, BEGIN, now)


def states(store: Store) -> dict[str, Entry]:
    with store.begin() as transaction:
        return {row.session: row.state for row in store.ledger.rows(transaction)}


def test_queries_count_by_analyst_day_period_and_purpose(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    ask(store, "1")
    ask(store, "2", analyst="bob@bank-b")
    ask(store, "3", now=NOW - timedelta(days=1))
    ask(store, "4", now=BEGIN - timedelta(seconds=1))
    ask(store, "5", purpose="statistics")
    assert standing(store) == Standing(analyst_today=1, today=2, period=3)
    assert standing(store, analyst="bob@bank-b") == Standing(analyst_today=1, today=2, period=3)


def test_a_day_begins_at_midnight_utc_to_the_second(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    midnight = datetime(2026, 11, 26, tzinfo=UTC)
    ask(store, "1", now=midnight - timedelta(microseconds=1))
    ask(store, "2", now=midnight + timedelta(microseconds=1))
    assert standing(store, now=midnight + timedelta(hours=3)).today == 1


def test_a_clock_that_was_put_back_frees_nothing(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    ask(store, "1", now=NOW)
    assert standing(store, now=NOW - timedelta(days=3)).today == 1


def test_a_refunded_query_no_longer_counts_and_a_committed_one_stays(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    for session in ("1", "2", "3"):
        ask(store, session)
    with store.begin() as transaction:
        store.ledger.commit(transaction, "1")
        store.ledger.close(transaction, "1")  # an end after the commit gives nothing back
        store.ledger.close(transaction, "2")
        with pytest.raises(InternalError):  # what was given back must never be opened afterwards
            store.ledger.commit(transaction, "2")
        store.ledger.commit(transaction, "9")  # a computer without data of the plan has no row
    assert states(store) == {"1": Entry.COMMITTED, "2": Entry.REFUNDED, "3": Entry.RESERVED}
    assert standing(store).today == 2


def test_charges_are_kept_by_unit_and_purpose_until_they_are_given_back(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    ask(store, "1", charges={"person": Charge(5, 1), "account": Charge(5, 1)})
    ask(store, "2", charges={"person": Charge(7)})
    ask(store, "3", charges={"person": Charge(9)}, purpose="statistics")
    ask(store, "4", charges={"person": Charge(11)}, now=NOW - timedelta(days=400))
    assert standing(store).charges == (
        PastCharge(NOW, "account", Charge(5, 1)),
        PastCharge(NOW, "person", Charge(5, 1)),
        PastCharge(NOW, "person", Charge(7)),
    )
    with store.begin() as transaction:
        store.ledger.close(transaction, "1")
        assert store.ledger.rows(transaction)[0].charges == {"person": Charge(5, 1), "account": Charge(5, 1)}
    assert standing(store).charges == (PastCharge(NOW, "person", Charge(7)),)


def test_a_number_is_never_used_twice_and_a_session_reserves_once(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    assert [ask(store, "1"), ask(store, "2")] == [1, 2]
    with pytest.raises(IntegrityError):
        ask(store, "2")
    with suppress(ZeroDivisionError), store.begin() as transaction:
        store.ledger.reserve(transaction, "3", PURPOSE, ANALYST, {}, NOW)
        raise ZeroDivisionError
    assert ask(store, "4") == 3


@pytest.mark.parametrize("end", [Phase.DENIED, Phase.ABORTED, Phase.EXPIRED])
def test_every_end_of_a_session_gives_an_uncommitted_reservation_back(tmp_path: Path, end: Phase) -> None:
    store = store_at(tmp_path)
    kept, given_back = "aa" * 16, "bb" * 16
    for session in (kept, given_back):
        with store.begin() as transaction:
            store.propose(transaction, session, NOW)
            store.move(transaction, session, Phase.REVIEWING, "test", NOW)
            store.move(transaction, session, Phase.APPROVED, "test", NOW)
            store.ledger.reserve(transaction, session, PURPOSE, ANALYST, {}, NOW)
    with store.begin() as transaction:
        store.ledger.commit(transaction, kept)
        for session in (kept, given_back):
            store.move(transaction, session, end, "test", NOW)
    assert states(store) == {kept: Entry.COMMITTED, given_back: Entry.REFUNDED}


def review() -> Review:
    trusted: TrustedSet = None  # type: ignore[assignment]  # the own part reads no other document
    return Review(Documents(trusted, "", ()), PLAN, "1" * 64, own=own_part(PLAN, "bank-a", *TWO))


def noisy_review() -> Review:
    """Of a plan that costs four tenths of its privacy unit's budget."""
    step = NoiseStep(
        id=f"s{len(PLAN.steps)}", inputs=(PLAN.steps[-1].id,), at="shared", rows=1, columns=(), keys=(),
        noised=(Noised(column="total", sensitivity=80, variance=1000),),
    )  # fmt: skip
    plan = PLAN.model_copy(update={"steps": (*PLAN.steps, step)})
    noise = "noise: {rho-per-release: 1/10, rho-per-period: 1/10, period-days: 30}"
    part = own_part(plan, "bank-a")
    case = replace(part.case, loaded=read_policy(policy_text("bank-a", ("noise: off", noise)).encode()))
    return replace(review(), plan=plan, own=OwnPart(part.decision, case))


def test_the_query_after_the_last_is_denied_and_a_refund_makes_room(tmp_path: Path) -> None:
    store = store_at(tmp_path)

    def reserve(session: str) -> None:
        with store.begin() as transaction:
            budget.reserve(store, transaction, session, review(), (), NOW)

    one, two, three, four = (digit * 32 for digit in "1234")
    reserve(one)
    reserve(two)
    with pytest.raises(Refused) as refused:
        reserve(three)
    assert refused.value.code == "policies/rates"
    assert "2" not in refused.value.message.replace("bank-a", "")  # how much is used stays with the owner
    with store.begin() as transaction:
        store.ledger.close(transaction, one)
    reserve(four)
    assert states(store) == {one: Entry.REFUNDED, two: Entry.RESERVED, four: Entry.RESERVED}


Begin = Callable[[Path], AbstractContextManager[Connection]]


@contextmanager
def locked(path: Path) -> Iterator[Connection]:
    store = store_at(path)
    with store.begin() as transaction:
        yield transaction
    store.close()


@contextmanager
def unlocked(path: Path) -> Iterator[Connection]:
    """Each statement for itself: what a ledger without one transaction for reading and writing would do."""
    engine = create_engine(f"sqlite:///{path / 'node.sqlite'}", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.mark.parametrize(("asked", "code"), [(review, "policies/rates"), (noisy_review, "policies/budget")])
@pytest.mark.parametrize(("begin", "overspent"), [(locked, False), (unlocked, True)])
def test_two_queries_that_read_at_the_same_time_take_the_last_room_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    begin: Begin,
    overspent: bool,
    asked: Callable[[], Review],
    code: str,
) -> None:
    """Both wait for each other between reading the standing and reserving; without the lock both reserve."""
    store = store_at(tmp_path)
    ask(store, "first", charges={"customer": Charge(4 * 10**7)})
    meeting = threading.Barrier(2)
    read = Ledger.standing

    def reading(self: Ledger, *arguments: object) -> Standing:
        found = read(self, *arguments)  # type: ignore[arg-type]  # passed on as they came
        with suppress(threading.BrokenBarrierError):
            meeting.wait(0.5)
        return found

    monkeypatch.setattr(Ledger, "standing", reading)
    outcomes: list[str] = []

    def query(session: str) -> None:
        try:
            with begin(tmp_path) as transaction:
                budget.reserve(store, transaction, session, asked(), (), NOW)
            outcomes.append("reserved")
        except Refused as refused:
            outcomes.append(refused.code)

    threads = [threading.Thread(target=query, args=(session,)) for session in ("2" * 32, "3" * 32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == (["reserved", "reserved"] if overspent else [code, "reserved"])
    assert len(states(store)) == (3 if overspent else 2)
