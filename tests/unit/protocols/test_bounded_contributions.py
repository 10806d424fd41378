"""Contributions of entities summed, clipped and limited, and public domains completed: every engine, plain answers."""

import random
from collections import Counter, defaultdict

import pytest

from consortia.errors import InternalError
from consortia.protocols.clear.engine import ClearEngine
from consortia.protocols.relational.bound import Limits, bounded
from consortia.protocols.relational.complete import Domain, completed
from consortia.protocols.relational.order import order_by
from tests.relations_world import Col, Given, answers, on_clear, on_ring3, shared
from tests.world import World

COLUMNS = (
    Col("month", 1, 4, nullable=True),
    Col("customer", 0, 15, nullable=True),
    Col("amount", -50, 100, nullable=True, domain="arithmetic"),
    Col("rows", 0, 9, domain="arithmetic"),
)


def rows(seed: int, number: int = 40) -> list:
    """At most three rows of a (month, customer), some NULL, some padding."""
    draw, seen, made = random.Random(seed), Counter(), []
    while len(made) < number:
        month, customer = draw.choice([1, 2, 3, 4, None]), draw.choice([*range(6), None])
        if seen[month, customer] == 3 or draw.random() < 0.1:
            made.append(None)
            continue
        seen[month, customer] += 1
        amount = None if draw.random() < 0.2 else draw.randint(-50, 100)
        made.append({"month": month, "customer": customer, "amount": amount, "rows": draw.randint(0, 9)})
    return made


def expected(given, lo, hi, most) -> dict[tuple, tuple[int, int]]:
    sums: dict[tuple, list[int]] = defaultdict(lambda: [0, 0])
    for row in given:
        if row is not None and row["customer"] is not None:
            sums[row["month"], row["customer"]][0] += row["amount"] or 0
            sums[row["month"], row["customer"]][1] += row["rows"]
    return {key: (min(max(a, lo), hi), min(r, most)) for key, (a, r) in sums.items()}


def program(lo, hi, most, cells):
    def run(engine, table):
        by_key = order_by(engine.narrow("sort"), table, ["month", "customer"])
        limits = Limits({"amount": (lo, hi), "rows": (0, most)}, cells)
        return bounded(engine.narrow("bound"), by_key, ["month"], "customer", limits, members=3)

    return run


def cells(found) -> list[tuple]:
    """Valid rows, which hold no customer, in a canonical order."""
    return in_order((row["month"], row["amount"], row["rows"]) for row in found if row is not None)


def in_order(rows) -> list[tuple]:
    return sorted(rows, key=lambda row: tuple((value is None, value or 0) for value in row))


@pytest.mark.parametrize(("lo", "hi", "most"), [(-60, 120, 5), (0, 90, 100), (10, 20, 3)])
def test_sums_are_clipped_and_rows_without_an_entity_go(lo: int, hi: int, most: int) -> None:
    given = rows(5)
    found = answers(program(lo, hi, most, 0), Given(COLUMNS, given))
    wanted = expected(given, lo, hi, most)
    assert cells(found) == in_order((month, amount, count) for (month, _), (amount, count) in wanted.items())
    assert found.index(None) == len(wanted)  # valid rows first
    assert "customer" not in found[0]


def once_each(seed: int) -> list:
    """One row a month and customer, whose number stands in `rows`, so that it can be told who is kept."""
    draw = random.Random(seed)
    pairs = draw.sample([(month, customer) for month in (1, 2, 3, 4, None) for customer in range(8)], 30)
    return [{"month": m, "customer": c, "amount": draw.randint(-50, 100), "rows": c} for m, c in pairs]


def test_an_entity_stays_in_as_many_groups_as_it_may_and_no_more() -> None:
    given = once_each(8)
    whole = {(row["month"], row["amount"], row["rows"]) for row in given}
    had = Counter(row["customer"] for row in given)
    for most in (1, 2, 3):
        for engine in (on_clear, on_ring3):  # the kept groups differ from engine to engine: the choice is random
            kept = cells(engine(program(-60, 120, 9, most), Given(COLUMNS, given)))
            assert set(kept) <= whole
            assert Counter(customer for _, _, customer in kept) == {c: min(n, most) for c, n in had.items()}


def test_which_groups_stay_is_drawn_evenly() -> None:
    given = [{"month": m, "customer": c, "amount": 1, "rows": 1} for c in range(16) for m in (1, 2, 3, 4)]
    kept = Counter()
    for seed in range(6):
        found = on_ring3(program(0, 9, 9, 1), Given(COLUMNS, given), world=World(seed))
        kept.update(month for month, _, _ in cells(found))
    assert sum(kept.values()) == 6 * 16
    assert all(8 <= kept[month] <= 42 for month in (1, 2, 3, 4))  # 24 each; beyond four deviations


def test_a_sum_that_does_not_fit_is_refused() -> None:
    columns = (COLUMNS[1], Col("amount", 0, 1 << 61, domain="arithmetic"))
    given = Given(columns, [{"customer": 1, "amount": 5}])
    with pytest.raises(InternalError, match="does not fit"):
        on_clear(lambda e, t: bounded(e, t, [], "customer", Limits({"amount": (0, 9)}), members=3), given)


def test_every_value_of_a_public_domain_stands_there_once() -> None:
    columns = (Col("month", 1, 4, nullable=True), Col("flag", 0, 1), Col("total", -9, 99, domain="arithmetic"))
    given = [
        {"month": 2, "flag": 1, "total": 40},
        {"month": None, "flag": 0, "total": -9},
        None,
        {"month": 4, "flag": 0, "total": 99},
    ]
    domains = [Domain("month", 1, 4, nullable=True), Domain("flag", 0, 1, nullable=False)]
    found = answers(lambda e, t: completed(e, t, domains, ["total"]), Given(columns, given))
    sums = {(row["month"], row["flag"]): row["total"] for row in given if row is not None}
    assert [(row["month"], row["flag"]) for row in found] == [(m, f) for m in (1, 2, 3, 4, None) for f in (0, 1)]
    assert [row["total"] for row in found] == [sums.get((row["month"], row["flag"]), 0) for row in found]


def test_a_wide_number_is_completed_too_and_a_key_of_another_shape_is_refused() -> None:
    columns = (Col("flag", 0, 1), Col("total", 0, 1 << 80, domain="wide"))
    given = Given(columns, [{"flag": 1, "total": 1 << 79}, None])
    found = answers(lambda e, t: completed(e, t, [Domain("flag", 0, 1, nullable=False)], ["total"]), given)
    assert [row["total"] for row in found] == [0, 1 << 79]
    with pytest.raises(InternalError, match="not shared as"):
        completed(ClearEngine(), on_table(given), [Domain("flag", 0, 3, nullable=False)], ["total"])


def on_table(given: Given):
    return shared(ClearEngine(), "in", given)
