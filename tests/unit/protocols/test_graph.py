"""Values along the edges of a secret graph: against plain Python, on the clear engine and on three computers."""

import math
import random
from collections import defaultdict

import pytest

from consortia.errors import InternalError
from consortia.protocols.clear.engine import ClearEngine
from consortia.protocols.fixed.numbers import Fixed
from consortia.protocols.graph import network as graph
from consortia.protocols.graph.network import Edges, Nodes, prepared
from consortia.protocols.graph.propagate import PAGE_DAMPING, ranks, risk
from consortia.protocols.graph.weights import FRACTION, shares_of
from consortia.protocols.relational.comparisons import fill
from consortia.protocols.relational.table import SharedColumn, SharedTable
from tests.relations_world import Col, Given, check_declared, declared, on_clear, on_ring3, shared, trace
from tests.world import World

UNIT = 1 << FRACTION
KEYS = 1 << 96
MOST = 1_000_000_000
NODES = (Col("key", 0, KEYS - 1), Col("score", 0, UNIT, domain="arithmetic"))
EDGES = (Col("source", 0, KEYS - 1), Col("target", 0, KEYS - 1), Col("amount", 0, MOST, domain="arithmetic"))


def drawn_graph(seed, nodes=9, edges=25):
    """Unknown accounts, self-transfers, parallel edges, zero amounts, accounts without money, padded rows."""
    draw = random.Random(f"graph {seed} {nodes} {edges}")
    keys = draw.sample([0, 1, KEYS - 1, *(draw.randrange(KEYS) for _ in range(nodes))], nodes)
    ends = [*keys, draw.randrange(KEYS)]
    listed = [{"key": key, "score": draw.choice([0, 1, UNIT, draw.randrange(UNIT)])} for key in keys]
    paid = [
        {"source": draw.choice(ends), "target": draw.choice(ends), "amount": draw.choice([0, 1, MOST, 4711])}
        for _ in range(edges)
    ]
    padded = [None if draw.random() < 0.15 else row for row in listed]
    return Given(NODES, padded), Given(EDGES, [None if draw.random() < 0.15 else row for row in paid], "beta")


def network_of(engine, nodes, edges):
    ends = Edges(edges.column("source").value, edges.column("target").value, edges.valid)
    return prepared(engine.narrow("prepare"), Nodes(nodes.column("key").value, nodes.valid), ends)


def with_values(engine, network, nodes, value, lo, hi):
    """The nodes in the order given, with ``value``, which stands by key; zero where there is no node."""
    back = graph.as_given(engine.narrow("given"), network, value)
    bit = engine.narrow("bit").bit_to_arithmetic(nodes.valid)
    kept = engine.narrow("kept").multiply(bit, back)
    return SharedTable(nodes.length, {"value": SharedColumn(kept, lo, hi)}, nodes.valid)


def both_ways(program, *given):
    """The answer of three computers, whose traffic is as declared, and that of the clear engine."""
    world = World(1)
    secret = on_ring3(program, *given, world=world)
    check_declared(world, declared(program, *given))
    return secret, on_clear(program, *given)


# --- plain ----------------------------------------------------------------------------------------------


def plain_edges(given):
    nodes = {row["key"] for row in given[0].rows if row}
    return [row for row in given[1].rows if row and row["source"] in nodes and row["target"] in nodes]


def plain_risk(given, iterations):
    score = {row["key"]: row["score"] / UNIT for row in given[0].rows if row}
    for k in range(1, iterations + 1):
        received, total, d = defaultdict(float), defaultdict(float), 0.5 / math.sqrt(k)
        for edge in plain_edges(given):
            received[edge["target"]] += edge["amount"] * score[edge["source"]]
            total[edge["target"]] += edge["amount"]
        score = {key: (1 - d) * r + (d * received[key] / total[key] if total[key] else 0) for key, r in score.items()}
    return score


def plain_ranks(given, iterations):
    keys = [row["key"] for row in given[0].rows if row]
    rank = dict.fromkeys(keys, 1 / max(1, len(keys)))
    edges = plain_edges(given)
    out = defaultdict(float)
    for edge in edges:
        out[edge["source"]] += edge["amount"]
    for _ in range(iterations):
        received = defaultdict(float)
        for edge in edges:
            if out[edge["source"]]:
                received[edge["target"]] += edge["amount"] / out[edge["source"]] * rank[edge["source"]]
        rank = {key: (1 - PAGE_DAMPING) / len(keys) + PAGE_DAMPING * received[key] for key in keys}
    return rank


# --- tests ----------------------------------------------------------------------------------------------


def money_in(engine, nodes, edges):
    network = network_of(engine, nodes, edges)
    known = graph.masked(engine.narrow("mask"), network, edges.column("amount").value)
    total = graph.collected(engine.narrow("sum"), network, network.target, known)
    return with_values(engine, network, nodes, total, 0, MOST * edges.length)


@pytest.mark.parametrize("sizes", [(1, 1), (2, 3), (9, 25)])
def test_what_edges_hold_is_added_up_at_the_node_they_reach_exactly(sizes):
    for seed in range(3):
        given = drawn_graph(seed, *sizes)
        expected = defaultdict(int)
        for edge in plain_edges(given):
            expected[edge["target"]] += edge["amount"]
        for rows in both_ways(money_in, *given):
            assert rows == [row and {"value": expected[row["key"]]} for row in given[0].rows]


def scores_of_sources(engine, nodes, edges):
    network = network_of(engine, nodes, edges)
    score = graph.by_key(engine.narrow("by-key"), network, nodes.column("score").value)
    there = graph.spread(engine.narrow("spread"), network, network.source, graph.Rows((score,))).arithmetic[0]
    known = graph.masked(engine.narrow("mask"), network, there)
    return SharedTable(edges.length, {"value": SharedColumn(known, 0, UNIT)}, edges.valid)


def test_what_a_node_holds_reaches_the_edges_that_leave_it_and_none_of_unknown_accounts():
    for seed in range(3):
        given = drawn_graph(seed)
        scores = {row["key"]: row["score"] for row in given[0].rows if row}
        known = plain_edges(given)
        for rows in both_ways(scores_of_sources, *given):
            expected = [row and {"value": scores[row["source"]] if row in known else 0} for row in given[1].rows]
            assert rows == expected


def propagated(iterations):
    def program(engine, nodes, edges):
        network = network_of(engine, nodes, edges)
        start = graph.by_key(engine.narrow("by-key"), network, nodes.column("score").value)
        weights = shares_of(
            engine.narrow("weights"), network, network.target, edges.column("amount").value, MOST * edges.length
        )
        found = risk(engine.narrow("risk"), network, Fixed(start, FRACTION, UNIT), weights, iterations)
        return with_values(engine, network, nodes, found.carried, -found.limit, found.limit)

    return program


@pytest.mark.parametrize("iterations", [0, 1, 3])
def test_risk_propagation_is_that_of_the_pooled_graph(iterations):
    for seed in range(2):
        given = drawn_graph(seed)
        expected = plain_risk(given, iterations)
        for rows in both_ways(propagated(iterations), *given):
            for node, row in zip(given[0].rows, rows, strict=True):
                assert (node is None) == (row is None)
                assert node is None or abs(row["value"] / UNIT - expected[node["key"]]) < 1e-7


def ranked(iterations):
    def program(engine, nodes, edges):
        network = network_of(engine, nodes, edges)
        valid = engine.narrow("valid").permuted(network.node_order, graph.Rows((), (nodes.valid,))).boolean[0]
        weights = shares_of(
            engine.narrow("weights"), network, network.source, edges.column("amount").value, MOST * edges.length
        )
        found = ranks(engine.narrow("ranks"), network, valid, weights, iterations)
        return with_values(engine, network, nodes, found.carried, -found.limit, found.limit)

    return program


def test_ranks_are_those_of_the_pooled_graph():
    for seed in range(2):
        given = drawn_graph(seed)
        expected = plain_ranks(given, 5)
        for rows in both_ways(ranked(5), *given):
            for node, row in zip(given[0].rows, rows, strict=True):
                assert node is None or abs(row["value"] / UNIT - expected[node["key"]]) < 1e-7


def test_traffic_is_the_same_whatever_the_graph_is():
    none = (Given(NODES, [None] * 9), Given(EDGES, [None] * 25, "beta"))
    empty = trace(propagated(2), *none)
    assert len(empty) >= 3
    assert trace(propagated(2), *drawn_graph(1)) == empty


def test_a_graph_without_rows_is_refused():
    engine = ClearEngine()
    tables = [shared(engine, f"in-{i}", Given(columns, [])) for i, columns in enumerate((NODES, EDGES))]
    with pytest.raises(InternalError, match="graph/empty"):
        network_of(engine, *tables)


def test_scores_that_can_reach_more_than_two_are_refused():
    engine = ClearEngine()
    nodes, edges = (shared(engine, f"in-{i}", given) for i, given in enumerate(drawn_graph(1)))
    network = network_of(engine, nodes, edges)
    weights = Fixed(fill(engine, edges.length, 0), FRACTION, UNIT)
    with pytest.raises(InternalError, match="graph/range"):
        risk(engine, network, Fixed(nodes.column("score").value, FRACTION, 2 * UNIT + 1), weights, 1)
