"""Every operation on a secret graph as a program of n edges and n/4 nodes (``costs`` says what for)."""

from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.operations import Operation, number, planes
from consortia.protocols.engine import Engine
from consortia.protocols.fixed.numbers import Fixed
from consortia.protocols.graph import network as graph
from consortia.protocols.graph.expand import Expansion, TimedEdges, expanded, timed
from consortia.protocols.graph.network import Edges, Network, Nodes
from consortia.protocols.graph.patterns import Cycles, Following, ScatterGather, accounts_on, cycles, scatter_gather
from consortia.protocols.graph.propagate import ranks, risk
from consortia.protocols.graph.read import read_at_or_below
from consortia.protocols.graph.taint import SEED, Taint, tainted
from consortia.protocols.graph.weights import FRACTION, shares_of
from consortia.protocols.relational.table import SharedColumn, SharedTable
from consortia.protocols.shares import Arithmetic, Boolean, Rows

EDGES_A_NODE = 4
UNIT = 1 << FRACTION
MOST = 1_000_000_000
KEY_BITS, WINDOW = 40, 1000
FOLLOWS = Following(WINDOW, (9, 10))


def nodes_of(edges: int) -> int:
    """Nodes of the graphs below."""
    return -(-edges // EDGES_A_NODE)


def graph_operations() -> Iterator[Operation]:
    """Operators over graphs; those after ``prepared`` include it."""

    def op(name: str, what: str, run: Callable[[Engine, int], object]) -> Operation:
        return Operation("Graphs", name, what, run)

    yield op("prepared", "keys of 96 bits, n edges, n/4 nodes", _network)
    yield op("masked", "", lambda e, n: graph.masked(e, _network(e.narrow("p"), n), number(e, n)))
    yield op("spread", "one number", _spread)
    yield op("collected", "one number", _collected)
    yield op("by_key", "one number", lambda e, n: _nodes(e, n, graph.by_key))
    yield op("as_given", "one number", lambda e, n: _nodes(e, n, graph.as_given))
    yield op("shares_of", "amounts below 10^9", lambda e, n: _weights(e, _network(e.narrow("p"), n), n))
    yield op("risk", "two iterations, weights included", _risk)
    yield op("read_at_or_below", "n holders and n readers, 20 bits, one number", _read)
    yield op("timed", "by a key of 40 bits and a time of 20", _timed)
    yield op("expanded", "n paths by n edges to n paths", _expanded)
    yield op("cycles", "up to 3 payments, n open paths of 2, n closed ones", _cycles)
    yield op("scatter_gather", "n paths of 2 payments", _scatter_gather)
    yield op("tainted", "3 hops, n/4 seeds, keys of 40 bits and times of 20", _tainted)
    yield op("accounts_on", "n/4 accounts, n cycles of 2", _accounts_on)
    yield op("ranks", "one iteration, weights included", _ranks)


def _read(engine: Engine, n: int) -> object:
    numbers = planes(engine, n, 20)
    return read_at_or_below(engine, numbers, Rows((number(engine, n),)), numbers)


def _edges(engine: Engine, n: int) -> SharedTable:
    """Payments in a ring of accounts, one a second."""
    valid = engine.constant_boolean(np.ones((n, 1), np.uint64), 1)
    key = SharedColumn(planes(engine, n, KEY_BITS), 0, (1 << KEY_BITS) - 1)
    numbers = {"time": (1 << 20) - WINDOW - 1, "amount": MOST}
    columns = {name: SharedColumn(number(engine, n, 0), 0, hi) for name, hi in numbers.items()}
    return SharedTable(n, {"source": key, "target": key, **columns}, valid)


def _timed(engine: Engine, n: int) -> TimedEdges:
    return timed(engine, _edges(engine, n), ("source",), "time", WINDOW)


def _expanded(engine: Engine, n: int) -> object:
    spec = Expansion(("target",), "time", WINDOW, {"target": "next", "time": "later", "amount": "passed"}, n)
    return expanded(engine.narrow("e"), _edges(engine, n), _timed(engine.narrow("t"), n), spec)


def _cycles(engine: Engine, n: int) -> object:
    return cycles(engine, _edges(engine, n), Cycles(3, FOLLOWS, (n,), n))


def _scatter_gather(engine: Engine, n: int) -> object:
    return scatter_gather(engine, _edges(engine, n), ScatterGather(3, FOLLOWS, n))


def _tainted(engine: Engine, n: int) -> object:
    edges = _edges(engine, n)
    ring = _edges(engine, nodes_of(n))
    seeds = SharedTable(ring.length, {SEED: ring.column("source")}, ring.valid)
    return tainted(engine, edges, seeds, Taint(3, WINDOW, (9, 10), min(1 << 60, n * MOST)))


def _accounts_on(engine: Engine, n: int) -> object:
    edges = _edges(engine, n)
    nodes = _edges(engine, nodes_of(n)).only(("source",))
    found = SharedTable(n, {"a0": edges.column("source"), "a1": edges.column("target")}, edges.valid)
    return accounts_on(engine, nodes, "source", [found])


def _network(engine: Engine, n: int) -> Network:
    """A ring of accounts."""
    count = nodes_of(n)
    node, edge = np.arange(count, dtype=np.uint64), np.arange(n, dtype=np.uint64)

    def keys(values: np.ndarray) -> Boolean:
        return engine.constant_boolean(np.stack([values, values], axis=1), 96)

    def all_of(length: int) -> Boolean:
        return engine.constant_boolean(np.ones((length, 1), np.uint64), 1)

    ends = keys(edge % np.uint64(count)), keys((edge + np.uint64(1)) % np.uint64(count))
    return graph.prepared(engine, Nodes(keys(node), all_of(count)), Edges(*ends, all_of(n)))


def _spread(engine: Engine, n: int) -> object:
    network = _network(engine.narrow("p"), n)
    return graph.spread(engine, network, network.source, Rows((number(engine, network.nodes),)))


def _collected(engine: Engine, n: int) -> object:
    network = _network(engine.narrow("p"), n)
    return graph.collected(engine, network, network.target, number(engine, n))


def _nodes(engine: Engine, n: int, move: Callable[..., Arithmetic]) -> object:
    network = _network(engine.narrow("p"), n)
    return move(engine, network, number(engine, network.nodes))


def _weights(engine: Engine, network: Network, n: int) -> Fixed:
    return shares_of(engine.narrow("w"), network, network.target, number(engine, n), MOST * n)


def _risk(engine: Engine, n: int) -> object:
    network = _network(engine.narrow("p"), n)
    scores = Fixed(number(engine, network.nodes), FRACTION, UNIT)
    return risk(engine, network, scores, _weights(engine, network, n), 2)


def _ranks(engine: Engine, n: int) -> object:
    network = _network(engine.narrow("p"), n)
    return ranks(engine, network, planes(engine, network.nodes, 1), _weights(engine, network, n), 1)
