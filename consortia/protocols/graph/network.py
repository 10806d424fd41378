"""A secret graph with both orders of its edges prepared, so that values travel along them by linear traffic.

Rows stand in a *base* order: the nodes by key, then the edges as given. Two secret permutations, made once by two
sorts, lead from there to the order by source and to the order by target; in both a node's row stands right above the
edges that leave it (or reach it). What a node holds goes to its edges by differences, the permutation, running sums and
the way back; what edges hold is added up at nodes by the permutation, running sums, the way back and differences.

Functionality: ``prepared`` takes keys on shares, ``spread`` and ``collected`` give fresh shares; nothing is opened but
what a sort opens (comparisons of shuffled rows).
Assumption and view: those of sort, permutation and equality of the engine, which are all that sends.
Rounds: ``prepared`` three sorts, four applied permutations and one comparison (both sides share its rounds); ``spread``
and ``collected`` four each, whatever the number of columns. Bytes a row and column: 64 over all parties.
Source: GraphSC (Nayak et al., S&P 2015) with the sorts of each step replaced by permutations kept from the first one
(Araki et al., CCS 2021).
"""

from dataclasses import dataclass

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.carry import behind_zeros, changes, running, slice_of, with_zeros
from consortia.protocols.shares import Arithmetic, Boolean, Permutation, Rows


@dataclass(frozen=True, slots=True, eq=False)
class Nodes:
    """One row an account: its key, and whether the row is one. No key may stand in two valid rows."""

    key: Boolean
    valid: Boolean


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """One row a transaction: keys of both ends, as wide as the nodes' keys, and whether the row is one."""

    source: Boolean
    target: Boolean
    valid: Boolean


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """``node_order`` leads from nodes as given to nodes by key, where ``spread`` reads and ``collected`` writes.

    ``source`` and ``target`` lead from the base order to all rows by that end of the edges, each node above its edges.
    ``known`` has one plane over the edges: the row is valid and both its ends are listed nodes. Values of all other
    edges must be zero: ``masked`` sees to it.
    """

    nodes: int
    edges: int
    node_order: Permutation
    source: Permutation
    target: Permutation
    known: Boolean


def prepared(engine: Engine, nodes: Nodes, edges: Edges) -> Network:
    """The orders of a graph of at least one node row and one edge row.

    A node row that is not valid stands behind all others; an edge with an end that no valid node has is not ``known``.
    """
    count, length = nodes.key.length, edges.source.length
    if not count or not length:
        raise InternalError("graph/empty", "a graph needs a row for a node and one for an edge", place=f"{count}")
    # Invalid rows get the highest keys, so that none stands between a valid node and its edges.
    listed = _keyed(engine.narrow("nodes"), nodes.key, nodes.valid)
    ordered, node_order = engine.narrow("node-order").sort_keeping(listed, Rows((), (listed,)))
    keys = ordered.boolean[0]
    both = _keyed(
        engine.narrow("edges"), edges.source.concatenated([edges.target]), edges.valid.concatenated([edges.valid])
    )
    ends = both.rows(0, length), both.rows(length, 2 * length)
    sides, wanted, found = [], [], []
    for name, keyed in zip(("source", "target"), ends, strict=True):
        side = engine.narrow(name)
        # The sort is stable: of equal keys the node, which stands first, stays above its edges.
        _, order = side.narrow("sort").sort_keeping(keys.concatenated([keyed]), Rows())
        sides.append(order)
        above = _spread(side.narrow("above"), order, Rows((), (keys,)), length)
        wanted.append(keyed)
        found.append(above.boolean[0])
    same = engine.narrow("known").equal(wanted[0].concatenated(wanted[1:]), found[0].concatenated(found[1:]))
    valid = engine.narrow("both").conjunction(same.rows(0, length), same.rows(length, 2 * length))
    known = engine.narrow("valid").conjunction(valid, edges.valid)
    return Network(count, length, node_order, sides[0], sides[1], known)


def masked(engine: Engine, network: Network, values: Arithmetic) -> Arithmetic:
    """Values over the edges, zero where an edge is not known. Three rounds."""
    bit = engine.narrow("bit").bit_to_arithmetic(network.known)
    return engine.narrow("values").multiply(bit, values)


def spread(engine: Engine, network: Network, end: Permutation, values: Rows) -> Rows:
    """Over the edges: what the node at this end holds; some node's values where an edge is not known. Four rounds."""
    return _spread(engine, end, values, network.edges)


def collected(engine: Engine, network: Network, end: Permutation, values: Arithmetic) -> Arithmetic:
    """Over the nodes: the sum of what the edges with this end hold; zero at edges that are not known. Four rounds.

    Sums are exact if each of them is within the capacity of its users: running sums are modular, differences are not.
    """
    there = engine.narrow("there").permuted(end, behind_zeros(engine, Rows((values,)), network.nodes))
    back = engine.narrow("back").put_back(end, running(there)).arithmetic[0]
    before = back.rows(0, network.nodes)
    total = values.prefix_sums().rows(network.edges - 1, network.edges)
    return before.rows(1, network.nodes).concatenated([total]) - before


def by_key(engine: Engine, network: Network, values: Arithmetic) -> Arithmetic:
    """Values over the nodes as given, in the order in which ``spread`` wants them. Two rounds."""
    return engine.permuted(network.node_order, Rows((values,))).arithmetic[0]


def as_given(engine: Engine, network: Network, values: Arithmetic) -> Arithmetic:
    """The inverse of ``by_key``. Two rounds."""
    return engine.put_back(network.node_order, Rows((values,))).arithmetic[0]


def _spread(engine: Engine, order: Permutation, values: Rows, edges: int) -> Rows:
    there = engine.narrow("there").permuted(order, with_zeros(engine, changes(values), edges))
    back = engine.narrow("back").put_back(order, running(there))
    nodes = (values.arithmetic or values.boolean)[0].length
    return slice_of(back, nodes, nodes + edges)


def _keyed(engine: Engine, key: Boolean, valid: Boolean) -> Boolean:
    """The key with one bit above that is 1 where the row is not valid, and with no other bit there. One round."""
    return engine.conjunction(key, valid).below(engine.invert(valid))
