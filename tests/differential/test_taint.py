"""Taint over three banks, from registered files to decoded frames: the accounts that plain Python finds."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from consortia.errors import RequestError
from consortia.execution.estimate import estimate
from consortia.plans.leakage import leakage_report
from examples.aml import plain
from tests.fixtures_catalogue import BANKS, CUSTOMER, INT, column, table
from tests.payments_world import ACCOUNTS, CATALOGUE, FOLLOWED, PAYMENTS, asked, drawn, edges_of, homes
from tests.pooled_relations import Pool, Row

SEEDS = "seeds: SELECT id AS account FROM accounts WHERE score = 100\n"
TAINT = f"analysis: taint{FOLLOWED}{SEEDS}hops: 3\n"
START = datetime(2026, 1, 1)


def expected(data: dict[str, dict[str, list[Row]]], seeds: Sequence[object], hops: int = 3) -> set[str]:
    """Accounts that plain Python finds, with the window and part of ``FOLLOWED``."""
    paid = [
        plain.Payment(row["payer"], row["payee"], row["amount"], START + timedelta(days=row["day"]))
        for row in edges_of(data, listed=False)
    ]
    spec = plain.Spec("made", {"window": "20 days", "part": "0.8", "hops": str(hops)})
    return plain.taint(paid, [str(seed) for seed in seeds], spec)


def seeds_of(data: dict[str, dict[str, list[Row]]]) -> list[object]:
    return [row["id"] for rows in data["accounts"].values() for row in rows if row["score"] == 100]


def told_pairs(told: dict[str, list[Row]]) -> set[tuple[str, str]]:
    return {(who, str(row["account"])) for who, rows in told.items() for row in rows}


def test_the_accounts_that_seeds_money_reaches_are_told_to_the_banks_that_keep_them(tmp_path: Path) -> None:
    further = False
    for seed in (1, 4):
        data = drawn(seed, nodes=8)
        home, reached = homes(data), expected(data, seeds_of(data))
        told = asked(tmp_path / str(seed), data, TAINT)
        assert told_pairs(told) == {(home[key], key) for key in reached & set(home)}
        assert told_pairs(told)
        further |= bool((reached - expected(data, seeds_of(data), hops=1)) & set(home))
    assert further, "some account is reached by a later hop alone"


LISTS = table("watched", column("who", CUSTOMER, nullable=True, max_distinct=9), max_rows=4, holders=("bank-c",))


def test_seeds_may_be_another_table_of_one_member_with_accounts_twice_unknown_and_missing(tmp_path: Path) -> None:
    catalogue = CATALOGUE.model_copy(update={"tables": (ACCOUNTS, PAYMENTS, LISTS)})
    chain = [("55", "1", 5), ("1", "2", 9), ("2", "3", 12), ("3", "4", 13), ("8", "4", 3)]
    data = {
        "accounts": {bank: [{"id": str(place + 1), "score": 0}, {"id": str(place + 4), "score": 9}]
                     for place, bank in enumerate(BANKS)},
        "payments": {"bank-b": [{"payer": a, "payee": b, "day": day, "amount": 100} for a, b, day in chain]},
        "watched": {"bank-c": [{"who": "55"}, {"who": "55"}, {"who": None}, {"who": "77"}]},
    }  # fmt: skip
    text = TAINT.replace(SEEDS, "seeds: SELECT who AS account FROM watched\n")
    pool = Pool(tmp_path, data, catalogue)
    for hops, reached in ((1, {"1"}), (3, {"1", "2", "3"}), (6, {"1", "2", "3", "4"})):
        plan = pool.plan(text.replace("hops: 3", f"hops: {hops}"))
        on_shares = pool.answers(plan)
        assert on_shares == pool.answers(plan, shared=False)
        assert {key for _, key in told_pairs(on_shares)} == reached


def test_only_the_accounts_listed_are_told(tmp_path: Path) -> None:
    data = drawn(1, nodes=8)
    some = TAINT.replace("FROM accounts GROUP BY id", "FROM accounts WHERE score < 100 GROUP BY id")
    assert some != TAINT
    pool = Pool(tmp_path, data, CATALOGUE)
    found = {key for _, key in told_pairs(pool.answers(pool.plan(some), shared=False))}
    assert found == expected(data, seeds_of(data)) & set(homes(data)) - {str(seed) for seed in seeds_of(data)}
    assert found


def test_amounts_added_up_over_rows_reach_as_far_as_their_total_may(tmp_path: Path) -> None:
    """The bound of a sum is far above the catalogue's bound of one amount."""
    largest = (1 << 50) // 3
    payments = table(
        "payments",
        *(each for each in PAYMENTS.columns if each.name != "amount"),
        column("amount", INT, 0, largest),
        max_rows=16,
    )
    rows = [{"payer": a, "payee": b, "day": day, "amount": largest} for a, b, day in (("1", "2", 1), ("2", "3", 2))]
    data = {"accounts": {"bank-a": [{"id": str(key), "score": 100 * (key == 1)} for key in (1, 2, 3)]},
            "payments": {"bank-a": rows * 8}}  # fmt: skip
    pool = Pool(tmp_path, data, CATALOGUE.model_copy(update={"tables": (ACCOUNTS, payments)}))
    summed = TAINT.replace(
        "day AS time, amount FROM payments WHERE payer IS NOT NULL",
        "day AS time, SUM(amount) AS amount FROM payments WHERE payer IS NOT NULL GROUP BY payer, payee, day",
    )
    for text in (TAINT, summed):
        plan = pool.plan(text)
        assert (
            told_pairs(pool.answers(plan))
            == {("bank-a", "2"), ("bank-a", "3")}
            == told_pairs(pool.answers(plan, shared=False))
        )
    with pytest.raises(RequestError, match=r"plans/capacity.*`part` is 99999/100000"):
        pool.plan(TAINT.replace("0.8", "0.99999"))


def test_a_taint_opens_nothing_of_the_data_and_needs_no_bound(tmp_path: Path) -> None:
    pool = Pool(tmp_path, {}, CATALOGUE)
    plan = pool.plan(TAINT)
    entries = leakage_report(plan, estimate(plan)).entries
    opened = {entry.detail for entry in entries if entry.kind == "opening"}
    assert opened == {"of masked or shuffled values, which tell nothing of the data"}
    more = pool.plan(TAINT.replace("hops: 3", "hops: 4"))
    hop = estimate(more).rounds - estimate(plan).rounds
    assert 0 < hop < 40, "a hop adds rounds alone, and no sort"
    assert not any(pool.answers(plan).values())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("hops: 3", "hops: 7"), "plans/spec.*`hops`.*from 1 to 6"),
        (("hops: 3", "hops: 0"), "plans/spec.*`hops`.*from 1 to 6"),
        (("hops: 3\n", ""), "plans/spec.*`hops` is missing"),
        ((SEEDS, ""), "plans/spec.*`seeds` is missing"),
        ((SEEDS, "seeds: [SELECT id AS account FROM accounts]\n"), "plans/spec.*`seeds` is a list"),
        (("SELECT id AS account FROM accounts WHERE score", "SELECT id FROM accounts WHERE score"),
         "plans/spec.*`seeds` has the columns id.*select account"),
        (("WHERE score = 100", "WHERE scores = 100"), "plans/unknown-column.*`seeds` from line"),
        (("hops: 3", "hops: 3\npaths: 5"), "plans/spec.*`paths` is no field"),
    ],
    ids=["too many hops", "no hop", "hops missing", "no seeds", "two lists of seeds", "unnamed", "unknown", "paths"],
)  # fmt: skip
def test_a_taint_without_sense_is_refused_before_anything_is_shared(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    assert change[0] in TAINT
    with pytest.raises(RequestError, match=said):
        Pool(tmp_path, {}, CATALOGUE).plan(TAINT.replace(*change))


def test_other_analyses_have_no_seeds(tmp_path: Path) -> None:
    text = f"analysis: cycles{FOLLOWED}{SEEDS}longest: 2\nclosed: 5\n"
    with pytest.raises(RequestError, match=r"plans/spec.*`seeds` is no field"):
        Pool(tmp_path, {}, CATALOGUE).plan(text)
