"""Noise from policies to frames: clipped answers plus the draws, on every engine; the distribution of the noise."""

import random
from collections import Counter, defaultdict
from collections.abc import Mapping
from fractions import Fraction

import polars as pl
import pytest

from consortia.errors import RequestError
from consortia.execution.estimate import estimate
from consortia.execution.noise import drawn
from consortia.parties.simulation import run_clear, simulate
from consortia.plans.build import build_plan
from consortia.plans.model import Plan
from consortia.plans.obligations import ClipBounds, NoiseTerms, Obligations
from consortia.plans.sql import bind
from consortia.plans.steps_of_noise import Bound, Noise
from consortia.plans.zcdp import DELTA_PARTS
from tests.differential.test_queries_on_shares import frames
from tests.fixtures_catalogue import AS_OF, BANKS, CATALOGUE, COUNTRIES, environment
from tests.unit.protocols.test_noise_gaussian import chi_square, limit_of, probabilities

SMALL = CATALOGUE.model_copy(
    update={"tables": tuple(each.model_copy(update={"max_rows": 40}) for each in CATALOGUE.tables)}
)
QUERY = (
    "SELECT country, COUNT(DISTINCT customer_key) AS n, SUM(amount_minor) AS total, COUNT(*) AS k"
    " FROM deposits WHERE currency = 'EUR' GROUP BY country"
)
HI, ROWS = 700, 2


def planned(sql: str = QUERY, rho: int = 10**9, cells: int = 5, delta: int = 0, **changes: object) -> Plan:
    clips = (ClipBounds(table="deposits", column="amount_minor", lo=0, hi=HI),)
    terms = NoiseTerms(rho=rho, delta=delta, cells=cells, rows=ROWS, clips=clips)
    obligations = Obligations(entity="customer_key", noise=terms)
    return build_plan(bind(sql, SMALL, AS_OF), environment(SMALL, **changes), obligations)


def deposits(seed: int, rows: int = 30) -> Mapping[str, list[dict]]:
    """Rows of each bank; customers are shared between banks, and country 4 occurs nowhere."""
    draw = random.Random(seed)
    return {
        bank: [
            {
                "customer_key": draw.randrange(8),
                "ts": 0,
                "amount_minor": draw.randrange(500),
                "currency": draw.randrange(2),
                "country": draw.randrange(4),
            }
            for _ in range(rows)
        ]
        for bank in BANKS
    }


def exact(data: Mapping[str, list[dict]]) -> dict[str, tuple[int, int, int]]:
    """Customers, clipped amounts and clipped rows by country: a customer's parts at all banks are one."""
    parts: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
    for row in (row for rows in data.values() for row in rows if row["currency"] == 0):
        parts[row["country"], row["customer_key"]][0] += row["amount_minor"]
        parts[row["country"], row["customer_key"]][1] += 1
    found = dict.fromkeys(COUNTRIES, (0, 0, 0))
    for (country, _), (amount, rows) in parts.items():
        n, total, k = found[COUNTRIES[country]]
        found[COUNTRIES[country]] = (n + 1, total + min(amount, HI), k + min(rows, ROWS))
    return found


def answer(results: Mapping[tuple[str, str], pl.DataFrame]) -> dict[str, tuple[int, int, int]]:
    (frame,) = results.values()
    return {row["country"]: (row["n"], row["total"], row["k"]) for row in frame.rows(named=True)}


def step(plan: Plan, kind: type):
    return next(each for each in plan.steps if isinstance(each, kind))


def added(plan: Plan, draws) -> dict[str, tuple[int, ...]]:
    """The sum of all computers' noise by country, in the order of n, total, k."""
    names = [each.column for each in step(plan, Noise).noised]
    by_name = {
        name: sum(draws[key][place].view("int64").astype(object) for key in draws) for place, name in enumerate(names)
    }
    order = ("entities_customer_key", "sum_amount_minor", "rows")
    return {country: tuple(int(by_name[name][at]) for name in order) for at, country in enumerate(COUNTRIES)}


@pytest.mark.parametrize("rows", [30, 1, 0])
def test_released_numbers_are_clipped_answers_and_all_computers_noise(rows: int) -> None:
    """Every cell of the public domain is there, also over no rows at all (input P3: always one row a cell)."""
    plan, data = planned(), deposits(rows, rows)
    draws = drawn(plan, plan.computers, random.Random(1).randrange)
    noise, plain = added(plan, draws), exact(data)
    wanted = {country: tuple(map(sum, zip(plain[country], noise[country], strict=True))) for country in COUNTRIES}
    assert answer(run_clear(plan, frames(plan, data), draws)) == wanted
    run = simulate(plan, frames(plan, data), draws=draws)
    assert answer(run.results) == wanted
    assert run.measured == estimate(plan)


def test_without_keys_there_is_one_noisy_row() -> None:
    plan = planned("SELECT COUNT(*) AS k, AVG(amount_minor) AS mean FROM deposits WHERE currency = 'EUR'")
    for rows in (25, 0):
        data = deposits(3, rows)
        draws = drawn(plan, plan.computers, random.Random(1).randrange)
        run = simulate(plan, frames(plan, data), draws=draws)
        (frame,) = run.results.values()
        assert frame.height == 1
        assert frame.equals(next(iter(run_clear(plan, frames(plan, data), draws).values())))
        assert run.measured == estimate(plan)


def test_an_entity_counts_in_as_many_cells_as_it_may() -> None:
    plan, data = planned(cells=1), deposits(4)
    assert step(plan, Bound).cells == 1
    quiet = {key: [each * 0 for each in words] for key, words in drawn(plan, plan.computers).items()}
    found = answer(simulate(plan, frames(plan, data), draws=quiet).results)
    customers = {row["customer_key"] for rows in data.values() for row in rows if row["currency"] == 0}
    assert sum(n for n, _, _ in found.values()) == len(customers)
    whole = exact(data)
    assert all(each <= most for country in found for each, most in zip(found[country], whole[country], strict=True))


def test_the_noise_of_released_numbers_has_the_exact_distribution() -> None:
    """Many simulated releases of a count: the sum of three discrete Gaussians of half the variance that is charged."""
    plan = planned("SELECT country, COUNT(DISTINCT customer_key) AS n FROM deposits GROUP BY country")
    variance = step(plan, Noise).noised[0].variance
    data = frames(plan, deposits(5))
    quiet = {key: [each * 0 for each in words] for key, words in drawn(plan, plan.computers).items()}
    (base,) = run_clear(plan, data, quiet).values()
    counts: Counter[int] = Counter()
    for seed in range(60):
        draws = drawn(plan, plan.computers, random.Random(seed).randrange)
        (frame,) = run_clear(plan, data, draws).values()
        counts.update((frame.sort("country")["n"] - base.sort("country")["n"]).to_list())
    single = probabilities(Fraction(variance, 2), 40)
    expected: dict[int, float] = {0: 1.0}
    for _ in range(3):
        wider: dict[int, float] = defaultdict(float)
        for x, p in expected.items():
            for y, q in single.items():
                wider[x + y] += p * q
        expected = wider
    statistic, degrees = chi_square(counts, expected, 60 * len(COUNTRIES))
    assert statistic < limit_of(degrees)


BY_AMOUNT = (
    "SELECT amount_minor, COUNT(*) AS k FROM deposits WHERE currency = 'EUR' GROUP BY amount_minor"
    " ORDER BY amount_minor"
)


@pytest.mark.parametrize("counted", [True, False])
def test_groups_that_nobody_knows_show_from_a_noisy_number_of_contributors_on(counted: bool) -> None:
    """10^10 possible amounts: which of them occur is shown only where enough customers have them."""
    sql = (
        BY_AMOUNT.replace("COUNT(*) AS k", "COUNT(*) AS k, COUNT(DISTINCT customer_key) AS n") if counted else BY_AMOUNT
    )
    plan = planned(sql, cells=3, delta=DELTA_PARTS // 10)
    noise = step(plan, Noise)
    assert noise.selection is not None
    data = {
        bank: [
            {"customer_key": 10 * place + c, "ts": 0, "amount_minor": amount, "currency": 0, "country": 0}
            for amount, customers in ((7, 9), (8, 3), (100, 1))
            for c in range(customers)
        ]
        for place, bank in enumerate(BANKS)
    }
    draws = drawn(plan, plan.computers, random.Random(2).randrange)
    names = [each.column for each in noise.noised]
    added = [sum(draws[key][at].view("int64") for key in draws) for at in range(len(names))]
    exact = {7: (27, 27), 8: (9, 9), 100: (3, 3)}  # customers, rows; groups stand in the order of the key
    wanted = []
    for at, amount in enumerate(exact):
        n, k = (
            exact[amount][i] + int(added[names.index(name)][at])
            for i, name in enumerate((noise.selection.column, "rows"))
        )
        if n >= noise.selection.minimum:
            wanted.append((amount, k, n) if counted else (amount, k))
    assert 0 < len(wanted) < len(exact)  # the seed shows some and hides some
    run = simulate(plan, frames(plan, data), draws=draws)
    (frame,) = run.results.values()
    assert frame.rows() == wanted
    assert frame.equals(next(iter(run_clear(plan, frames(plan, data), draws).values())))
    assert run.measured == estimate(plan)


def test_a_group_of_one_contributor_shows_no_more_often_than_delta() -> None:
    plan = planned(BY_AMOUNT, cells=1, delta=DELTA_PARTS // 20)
    one = {"customer_key": 1, "ts": 0, "amount_minor": 5, "currency": 0, "country": 0}
    data = frames(plan, {"bank-a": [one], "bank-b": [], "bank-c": []})
    shown = sum(
        next(iter(run_clear(plan, data, drawn(plan, plan.computers, random.Random(seed).randrange)).values())).height
        for seed in range(100)
    )
    assert shown <= 12  # 5 by the bound, the exact probability is less


def test_fresh_noise_is_drawn_for_every_run_and_every_computer() -> None:
    plan = planned()
    one, two = drawn(plan, plan.computers), drawn(plan, plan.computers)
    arrays = [words.tobytes() for draws in (one, two) for parts in draws.values() for words in parts]
    assert len(set(arrays)) == len(arrays)


def test_what_can_not_be_given_noise_is_refused_when_it_is_planned() -> None:
    """Input P4: a plan whose cost is undefined never runs."""
    for sql in (
        "SELECT country, MAX(amount_minor) AS top FROM deposits WHERE currency = 'EUR' GROUP BY country",
        f"{QUERY} HAVING COUNT(*) > 3",
        f"{QUERY} ORDER BY n LIMIT 1",
        "SELECT country, SUM(amount_minor * 2) AS s FROM deposits WHERE currency = 'EUR' GROUP BY country",
        "SELECT ts, COUNT(*) AS n FROM deposits GROUP BY ts",
        BY_AMOUNT,
    ):
        with pytest.raises(RequestError, match="noise is obliged"):
            planned(sql)
    with pytest.raises(RequestError, match="budget of so little"):
        planned(rho=5)
    with pytest.raises(RequestError, match="may collude"):
        planned(
            collusion=dict.fromkeys(BANKS, 2),
            computers=("bank-a", "bank-b", "bank-c", "bank-d", "bank-e"),
            members=("bank-a", "bank-b", "bank-c", "bank-d", "bank-e"),
        )
