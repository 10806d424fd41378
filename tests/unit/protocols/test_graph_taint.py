"""Taint on shares: the payments and accounts that a plain loop over hops and payments finds."""

import random

import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from consortia.errors import InternalError
from consortia.protocols.graph.patterns import accounts_on
from consortia.protocols.graph.taint import Taint, tainted
from tests.relations_world import Col, Given, answers, on_clear, trace, valid_rows

KEYS = (1 << 70) - 1
EDGES = (
    Col("source", 0, KEYS),
    Col("target", 0, KEYS),
    Col("time", -5, 40, domain="arithmetic"),
    Col("amount", 0, 1000, domain="arithmetic"),
)
SEEDS = (Col("seed", 0, KEYS),)
NODES = (Col("id", 0, KEYS),)
ACCOUNTS = [3, 17, 1 << 69, KEYS, 0]


def taint(hops=3, window=10, part=(8, 10)):
    return Taint(hops, window, part, total=1 << 20)


def plain_taint(payments, seeds, spec):
    """What each payment carries after so many hops, by the definition."""
    least, whole = spec.part
    carried = [0] * len(payments)
    for _ in range(spec.hops):
        carried = [
            row["amount"]
            if row["source"] in seeds and row["source"] != row["target"]
            else passed(row, came(row, payments, carried, spec.window), least, whole)
            for row in payments
        ]
    return carried


def came(row, payments, carried, window):
    arrived = zip(payments, carried, strict=True)
    return sum(
        part for each, part in arrived
        if each["target"] == row["source"] and 0 < row["time"] - each["time"] <= window
    )  # fmt: skip


def passed(row, money, least, whole):
    most = min(money, row["amount"])
    return most if row["source"] != row["target"] and most * whole >= row["amount"] * least else 0


def following(spec):
    def program(engine, payments, seeds):
        return tainted(engine, payments, seeds, spec)

    return program


def reaching(spec):
    def program(engine, nodes, payments, seeds):
        return accounts_on(engine.narrow("on"), nodes, "id", [tainted(engine.narrow("find"), payments, seeds, spec)])

    return program


def expected_targets(payments, seeds, spec):
    """For each row its target if it carries money; None for padded rows and the others."""
    rows = valid_rows(payments)
    known = {row["seed"] for row in valid_rows(seeds)}
    left = iter(plain_taint(rows, known, spec))
    return [None if row is None or not next(left) else {"a0": row["target"]} for row in payments]


def drawn(seed, count=24):
    """Few accounts and times, so that money is split, meets again and goes in circles; zeros, self-transfers."""
    draw = random.Random(f"taint {seed}")
    rows = [
        {
            "source": draw.choice(ACCOUNTS),
            "target": draw.choice(ACCOUNTS),
            "time": draw.randint(-5, 40),
            "amount": draw.choice([0, 1, 100, 300, 500, 1000]),
        }
        for _ in range(count)
    ]
    seeds = [{"seed": ACCOUNTS[0]}, None, {"seed": ACCOUNTS[0]}, {"seed": 99}]
    return [None if draw.random() < 0.1 else row for row in rows], seeds


@pytest.mark.parametrize(
    "spec",
    [taint(1), taint(2), taint(4), taint(6, 45, (0, 1)), taint(3, 0), taint(3, 45, (1, 1))],
    ids=["one hop", "two", "four", "any part", "no window", "all of it"],
)
def test_payments_that_carry_seeds_money_are_those_of_the_plain_loop_on_every_engine(spec):
    for seed in range(2):
        payments, seeds = drawn(seed)
        assert answers(following(spec), Given(EDGES, payments), Given(SEEDS, seeds, "beta")) == expected_targets(
            payments, seeds, spec
        )


def test_listed_accounts_are_told_whatever_the_hop_that_reaches_them():
    payments, seeds = drawn(5)
    spec = taint(4)
    carried = {row["a0"] for row in valid_rows(expected_targets(payments, seeds, spec))}
    direct = {row["a0"] for row in valid_rows(expected_targets(payments, seeds, taint(1)))}
    assert direct < carried
    listed = ACCOUNTS[1:]
    nodes = Given(NODES, [None, *({"id": key} for key in listed), {"id": 98}], "gamma")
    found = answers(reaching(spec), nodes, Given(EDGES, payments), Given(SEEDS, seeds, "beta"))
    assert {row["id"] for row in valid_rows(found)} == carried & set(listed)


def pay(source, target, time, amount):
    return {"source": source, "target": target, "time": time, "amount": amount}


@pytest.mark.parametrize(
    ("chain", "reached"),
    [
        ([pay(1, 2, 0, 100), pay(2, 3, 10, 100)], True),
        ([pay(1, 2, 0, 100), pay(2, 3, 11, 100)], False),
        ([pay(1, 2, 0, 100), pay(2, 3, 0, 100)], False),
        ([pay(1, 2, 5, 100), pay(2, 3, 4, 100)], False),
        ([pay(1, 2, 0, 100), pay(2, 3, 1, 125)], True),
        ([pay(1, 2, 0, 100), pay(2, 3, 1, 126)], False),
        ([pay(1, 2, 0, 100), pay(2, 3, 1, 1)], True),
        ([pay(1, 2, 0, 60), pay(1, 2, 1, 60), pay(2, 3, 2, 120)], True),
        ([pay(1, 2, 0, 60), pay(1, 2, 2, 60), pay(2, 3, 11, 120)], False),
        ([pay(1, 2, 0, 0), pay(2, 3, 1, 0)], False),
        ([pay(1, 2, 0, 100), pay(2, 2, 9, 100), pay(2, 3, 18, 100)], False),
        ([pay(1, 2, 0, 80), pay(2, 4, 1, 100), pay(4, 3, 2, 100)], True),
        ([pay(1, 2, 0, 80), pay(2, 4, 1, 100), pay(4, 3, 2, 125)], False),
        ([pay(1, 2, 0, 50), pay(1, 4, 0, 50), pay(4, 2, 1, 50), pay(2, 3, 2, 100)], True),
    ],
    ids=[
        "window full", "window over", "same time", "before", "part just enough", "part too small", "a small part of it",
        "two together", "one of two too early", "nothing paid", "through oneself", "80 of 100 go on",
        "80 are less than 0.8 of 125", "by ways of different length",
    ],
)  # fmt: skip
def test_money_is_followed_by_time_and_by_the_part_of_a_payment_that_it_makes_up(chain, reached):
    found = on_clear(following(taint()), Given(EDGES, chain), Given(SEEDS, [{"seed": 1}]))
    assert ({"a0": 3} in found) is reached
    assert plain_taint(chain, {1}, taint())[-1] > 0 or not reached


payment = st.builds(
    pay,
    st.sampled_from(ACCOUNTS[:3]),
    st.sampled_from(ACCOUNTS[:3]),
    st.sampled_from([-5, -4, 0, 1, 2, 39, 40]),
    st.sampled_from([0, 1, 2, 999, 1000]),
)


@settings(max_examples=150, deadline=None, derandomize=True)
@examples(
    st.lists(st.none() | payment, min_size=1, max_size=8),
    st.lists(st.none() | st.sampled_from(ACCOUNTS[:3]), min_size=1, max_size=2),
    st.integers(1, 5),
    st.sampled_from([0, 1, 2, 45, 46, 1000]),
    st.sampled_from([(0, 1), (1, 2), (999, 1000), (1, 1)]),
)
def test_any_small_network_gives_what_the_definition_says(rows, keys, hops, window, part):
    spec = Taint(hops, window, part, total=8 * 1000)
    seeds = [None if key is None else {"seed": key} for key in keys]
    found = on_clear(following(spec), Given(EDGES, rows), Given(SEEDS, seeds))
    assert found == expected_targets(rows, seeds, spec)


def test_traffic_is_the_same_whatever_money_flows():
    nobody = [None] * 8
    flowing = [pay(1, 2, 0, 100), *(pay(2, 3, 1, 100) for _ in range(7))]
    spec = taint(2)
    empty = trace(following(spec), Given(EDGES, nobody), Given(SEEDS, [None], "beta"))
    full = trace(following(spec), Given(EDGES, flowing), Given(SEEDS, [{"seed": 1}], "beta"))
    assert len(empty) >= 3
    assert full == empty


@pytest.mark.parametrize("wrong", [(0, 5, (1, 2)), (3, -1, (1, 2)), (3, 5, (3, 2)), (101, 5, (0, 1)), (3, 5, (0, 0))])
def test_money_that_is_followed_without_sense_is_refused(wrong):
    with pytest.raises(InternalError, match="graph/range"):
        Taint(*wrong, total=1)
