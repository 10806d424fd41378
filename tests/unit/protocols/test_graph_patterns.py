"""Cycles and scatter-gather on shares: the accounts that plain search over the pooled payments finds."""

import random
from collections import defaultdict

import pytest

from consortia.errors import InternalError, RequestError
from consortia.protocols.graph.patterns import (
    Cycles,
    Following,
    ScatterGather,
    accounts_on,
    cycles,
    scatter_gather,
)
from tests.relations_world import Col, Given, check_declared, declared, on_clear, on_ring3, trace
from tests.world import World

KEYS = (1 << 40) - 1
NODES = (Col("id", 0, KEYS),)
EDGES = (
    Col("source", 0, KEYS),
    Col("target", 0, KEYS),
    Col("time", 0, 100, domain="arithmetic"),
    Col("amount", 0, 1000, domain="arithmetic"),
)
FOLLOWS = Following(window=20, part=(8, 10))


def drawn_payments(seed, edges=24, nodes=4):
    """Few accounts and amounts, so that there are cycles; self-transfers, strangers, padded rows."""
    draw = random.Random(f"patterns {seed} {edges}")
    keys = draw.sample(range(KEYS), nodes)
    paid = [
        {
            "source": draw.choice(keys),
            "target": draw.choice(keys),
            "time": draw.randint(0, 40),
            "amount": draw.choice([900, 950, 1000]),
        }
        for _ in range(edges)
    ]
    listed = [{"id": key} for key in keys[1:]]
    return (
        Given(NODES, [*listed, None]),
        Given(EDGES, [None if draw.random() < 0.1 else row for row in paid], "beta"),
    )


def follows(first, second, rule=FOLLOWS):
    gap = second["time"] - first["time"]
    least, whole = rule.part
    enough = second["amount"] * whole >= first["amount"] * least
    return 0 < gap <= rule.window and second["amount"] <= first["amount"] and enough


def plain_paths(edges, length):
    """Open paths of so many payments over different accounts."""
    paths = [[edge] for edge in edges if edge["source"] != edge["target"]]
    for _ in range(length - 1):
        paths = [
            [*path, edge]
            for path in paths
            for edge in edges
            if edge["source"] == path[-1]["target"]
            and follows(path[-1], edge)
            and edge["target"] not in {step["source"] for step in path} | {path[-1]["target"]}
        ]
    return paths


def plain_cycles(edges, longest):
    found = []
    for length in range(2, longest + 1):
        for path in plain_paths(edges, length - 1):
            found += [
                [*path, edge]
                for edge in edges
                if (edge["source"], edge["target"]) == (path[-1]["target"], path[0]["source"])
                and follows(path[-1], edge)
            ]
    return found


def rows_of(given):
    return [row for row in given.rows if row]


def searching(spec):
    def program(engine, nodes, edges):
        search = cycles if isinstance(spec, Cycles) else scatter_gather
        return accounts_on(engine.narrow("on"), nodes, "id", search(engine.narrow("find"), edges, spec))

    return program


def found_by(program, given):
    world = World(1)
    secret = on_ring3(program, *given, world=world)
    check_declared(world, declared(program, *given))
    assert on_clear(program, *given) == secret
    return {row["id"] for row in secret if row}


@pytest.mark.parametrize("longest", [2, 3, 4])
def test_the_accounts_on_cycles_are_those_of_plain_search(longest):
    seen = set()
    for seed in range(2):
        given = drawn_payments(seed)
        expected = {step["source"] for cycle in plain_cycles(rows_of(given[1]), longest) for step in cycle}
        spec = Cycles(longest, FOLLOWS, (120,) * (longest - 2), 80)
        listed = {row["id"] for row in rows_of(given[0])}
        assert found_by(searching(spec), given) == expected & listed
        seen |= expected
    assert seen


def test_accounts_between_which_many_carry_money_are_those_of_plain_search():
    seen = 0
    for seed in range(3):
        given = drawn_payments(seed, edges=30)
        between = defaultdict(set)
        for first, second in plain_paths(rows_of(given[1]), 2):
            between[first["source"], second["target"]].add(first["target"])
        pairs = {pair: middles for pair, middles in between.items() if len(middles) >= 2}
        expected = {account for pair, middles in pairs.items() for account in (*pair, *middles)}
        listed = {row["id"] for row in rows_of(given[0])}
        assert found_by(searching(ScatterGather(2, FOLLOWS, 200)), given) == expected & listed
        seen += len(pairs)
    assert seen


def test_more_paths_than_the_bound_stop_the_run():
    given = drawn_payments(1)
    assert len(plain_paths(rows_of(given[1]), 2)) > 1
    with pytest.raises(RequestError, match="graph/too-many-paths"):
        on_clear(searching(Cycles(3, FOLLOWS, (1,), 80)), *given)


def test_traffic_is_the_same_whatever_cycles_there_are():
    spec = Cycles(3, FOLLOWS, (30,), 20)
    nobody = Given(NODES, [None] * 4), Given(EDGES, [None] * 12, "beta")
    empty = trace(searching(spec), *nobody)
    assert len(empty) >= 3
    assert trace(searching(spec), *drawn_payments(2, edges=12)) == empty


@pytest.mark.parametrize(
    "wrong", [lambda: Following(-1, (1, 2)), lambda: Following(5, (3, 2)), lambda: Cycles(7, FOLLOWS, (9,) * 5, 9)]
)
def test_a_search_without_sense_is_refused(wrong):
    with pytest.raises(InternalError, match="graph/range"):
        wrong()
