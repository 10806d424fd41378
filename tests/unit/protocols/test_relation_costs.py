"""Rounds and bytes of relations beside their sorts are those of docs/reference/protocols.md: a change must be meant."""

from dataclasses import replace

import pytest

from consortia.protocols.relational.join import Join, join
from consortia.protocols.relational.order import ascending, order_by
from consortia.protocols.relational.pick import LOWER_MEDIAN, UPPER_MEDIAN, Groups, extremes, quantiles
from consortia.protocols.relational.sets import distinct
from consortia.protocols.relational.window import Window, windows
from tests.relations_world import Col, Given, declared

N = 1024
KEY_BITS = 20
PROBE = Given((Col("k", 0, 2**KEY_BITS - 1), Col("o", 0, 255), Col("a", 0, 9, domain="arithmetic")), [None] * N)
UNIQUE = Given(
    (Col("u", 0, 2**KEY_BITS - 1), Col("c", 0, 2**15 - 1), Col("x", 0, 9, domain="arithmetic")), [None] * N, "beta"
)
EQUALITY_ROUNDS, EQUALITY = 5, 3 * (KEY_BITS - 1) / 8
PLANE, NUMBER = 3 / 8, 24
"""Bytes over three computers of one AND and of one product, a row."""


def beside_sorts(program, *given):
    """Rounds, and bytes a row of the first table, of all steps but sorts."""
    counts = declared(program, *given)

    def counted(step):
        return step.startswith("op/") and "sort" not in step.split("/")

    rounds = sum(number for step, number in counts.rounds.items() if counted(step))
    return rounds, sum(size for (step, _), size in counts.sent.items() if counted(step)) / N


def joined(kind, **more):
    take = {"c": "c", "x": "x"} if kind in ("inner", "left") else {}
    spec = Join(kind, (("k", "u"),), take, **more)
    return beside_sorts(lambda e, p, u: join(e, p, replace(u, members={}), spec), PROBE, UNIQUE)


def carry(c):
    """Carried and put back twice, and equality of neighbours: a row of both tables, c bytes of columns."""
    return 2 * (52 + 12 * c + EQUALITY)


def clear(planes, numbers):
    return planes * PLANE + (NUMBER + numbers * NUMBER if numbers else 0)


def test_a_join_costs_eleven_rounds_and_the_equality_and_the_clearing_beside_its_sort():
    # columns carried: the mark and 15 bits, one number; cleared: k, o, the member's plane and c, two numbers
    assert joined("inner", unique_checked=True) == (11 + EQUALITY_ROUNDS + 4, carry(2 + 8) + PLANE + clear(44, 2))
    assert joined("left", unique_checked=True) == (11 + EQUALITY_ROUNDS + 4, carry(2 + 8) + PLANE + clear(15, 1))
    assert joined("semi") == joined("anti") == (12 + EQUALITY_ROUNDS + 4, carry(1) + 3 * PLANE + clear(29, 1))


def test_the_test_for_duplicates_costs_little_more_than_a_bit_to_number():
    rounds, size = joined("inner")
    free_rounds, free = joined("inner", unique_checked=True)
    # the sum of 2048 bits is compared with zero at 13 bits
    assert rounds - free_rounds == 5 + 4
    assert 2 * (NUMBER + PLANE) < size - free < 2 * (NUMBER + PLANE) + 1


def after_sort(program):
    return beside_sorts(lambda e, t: program(e.narrow("w"), order_by(e.narrow("sort"), t, ("k", "o"))), PROBE)


@pytest.mark.parametrize(
    ("functions", "rounds", "size"),
    [
        (("row-number",), 10 + EQUALITY_ROUNDS + 3, 164 + 24),
        (("sum",), 11 + EQUALITY_ROUNDS + 3, 164 + 88 + 24),
        (("row-number", "sum"), 11 + EQUALITY_ROUNDS + 3, 164 + 88 + 2 * 24),
    ],
)
def test_windows_cost_one_carry_for_all_of_them(functions, rounds, size):
    wanted = [Window(name, name, "a" if name == "sum" else "") for name in functions]
    found = after_sort(lambda e, t: windows(e, t, ("k",), ascending(("o",)), wanted))
    assert found == (rounds, pytest.approx(size + EQUALITY + PLANE))


GROUPS = Groups(("k",), N, ("k",))


def test_extremes_cost_a_group_and_two_ands():
    found = after_sort(lambda e, t: extremes(e, t, GROUPS, "o", "low", "high"))
    # carried to the ends: k, two values of 8 bits, two marks and the valid bit
    assert found[0] == 11 + EQUALITY_ROUNDS
    assert found[1] == EQUALITY + PLANE + 2 * PLANE + 16 * PLANE + PLANE + 52 + 4 * 5 + (20 + 18) * PLANE


def test_quantiles_of_all_ranks_cost_one_search_for_places_and_one_group():
    ranks = {"low": LOWER_MEDIAN, "up": UPPER_MEDIAN}
    one = after_sort(lambda e, t: quantiles(e, t, GROUPS, "o", {"low": LOWER_MEDIAN}))
    two = after_sort(lambda e, t: quantiles(e, t, GROUPS, "o", ranks))
    assert two[0] == one[0] + 2
    assert two[1] - one[1] < NUMBER


def test_distinct_costs_a_group_of_no_measure():
    found = after_sort(lambda e, t: distinct(e, t, ("k",)))
    assert found == (8 + EQUALITY_ROUNDS, EQUALITY + 2 * PLANE + 52 + 4 * 3 + 20 * PLANE)
