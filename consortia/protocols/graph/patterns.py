"""Patterns of laundering as sets of paths: closed ones, and many that part and meet again.

Both start from edges of one public interval, each with two keys, a time and an amount, and grow paths by ``expand``:
the next payment follows within a window, and moves at most what came and at least a given part of it. Accounts on a
path are different. Which paths there are stays secret; the bounds are public, and each opens one bit: of how many
pairs of a path and a payment that leaves its end within the window, whatever the amount and wherever it goes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.graph.expand import Expansion, TimedEdges, expanded, timed
from consortia.protocols.relational.filter import keep_where
from consortia.protocols.relational.group import Grouping, Measure, group
from consortia.protocols.relational.join import Join, join
from consortia.protocols.relational.order import order_by
from consortia.protocols.relational.predicates import Call, Const, Expression, Ref
from consortia.protocols.relational.table import SharedTable
from consortia.protocols.relational.union import union_all

SHORTEST, LONGEST = 2, 6
SOURCE, TARGET, TIME, AMOUNT = "source", "target", "time", "amount"
"""Columns of the edges: keys shared as boolean, numbers as arithmetic."""
NEXT, LATER, PASSED = "next", "later", "passed"


@dataclass(frozen=True, slots=True)
class Following:
    """When a payment follows another: 0 < gap <= ``window``, and part[0] / part[1] <= next / amount <= 1."""

    window: int
    part: tuple[int, int]

    def __post_init__(self) -> None:
        if self.window < 0 or not 0 <= self.part[0] <= self.part[1] or self.part[1] < 1:
            raise InternalError("graph/range", f"no payment follows another so: {self}")


@dataclass(frozen=True, slots=True)
class Cycles:
    """Closed paths of ``SHORTEST`` to ``longest`` payments.

    ``paths`` has ``longest`` - 2 numbers, which bound the pairs of an open path of 1, 2, ... payments and a payment
    that leaves its end within the window; ``closed`` those whose payment goes to the first account, for each length.
    """

    longest: int
    follows: Following
    paths: tuple[int, ...]
    closed: int

    def __post_init__(self) -> None:
        if not SHORTEST <= self.longest <= LONGEST or len(self.paths) != self.longest - SHORTEST or self.closed < 1:
            raise InternalError("graph/range", f"no cycles can be looked for so: {self}")


@dataclass(frozen=True, slots=True)
class ScatterGather:
    """Pairs of accounts with at least ``middles`` accounts between them.

    ``paths`` bounds the pairs of payments of which one leaves within the window where the other arrived.
    """

    middles: int
    follows: Following
    paths: int


def cycles(engine: Engine, edges: SharedTable, spec: Cycles) -> list[SharedTable]:
    """For each length from ``SHORTEST`` on, the closed paths, account by account in columns a0, a1, ...

    A cycle is found once, beginning with its earliest payment. The last payment too must follow the one before.
    """
    by_source = timed(engine.narrow("by-source"), edges, (SOURCE,), TIME, spec.follows.window)
    by_both = timed(engine.narrow("by-both"), edges, (SOURCE, TARGET), TIME, spec.follows.window)
    paths, found = _first(engine.narrow("first"), edges), []
    for length in range(SHORTEST, spec.longest + 1):
        at, last = engine.narrow(f"length-{length}"), f"a{length - 1}"
        found.append(_closed(at.narrow("close"), paths, by_both, spec, last))
        if length < spec.longest:
            bound = spec.paths[length - SHORTEST]
            paths = _grown(at.narrow("grow"), paths, by_source, spec.follows, length, bound)
    return found


def scatter_gather(engine: Engine, edges: SharedTable, spec: ScatterGather) -> list[SharedTable]:
    """The pairs (a0, a2), and the paths (a0, a1, a2) between them; a1 is a middle."""
    by_source = timed(engine.narrow("by-source"), edges, (SOURCE,), TIME, spec.follows.window)
    first = _first(engine.narrow("first"), edges)
    paths = _grown(engine.narrow("grow"), first, by_source, spec.follows, 2, spec.paths).only(("a0", "a1", "a2"))
    near = order_by(engine.narrow("order"), paths, ("a0", "a2", "a1"))
    count = Measure("middles", "count-entities", 0, spec.paths)
    grouping = Grouping(("a0", "a2"), (count,), spec.paths, ("a0", "a2"), entity="a1")
    pairs = group(engine.narrow("pairs"), near, grouping)
    many = keep_where(engine.narrow("many"), pairs, Call("ge", (Ref("middles"), Const(spec.middles))))
    between = Join("semi", (("a0", "a0"), ("a2", "a2")))
    return [many.only(("a0", "a2")), join(engine.narrow("between"), paths, many, between)]


def accounts_on(engine: Engine, nodes: SharedTable, key: str, found: Sequence[SharedTable]) -> SharedTable:
    """The rows of ``nodes`` whose ``key`` stands in some column a0, a1, ... of ``found``; others are not valid."""
    listed = [
        SharedTable(table.length, {"account": column}, table.valid)
        for table in found
        for name, column in table.columns.items()
        if name.startswith("a") and name[1:].isdigit()
    ]
    everybody = union_all(engine, listed)
    return join(engine.narrow("join"), nodes, everybody, Join("semi", ((key, "account"),)))


def _first(engine: Engine, edges: SharedTable) -> SharedTable:
    """Every edge as a path of one payment; one from an account to itself is none."""
    named = {"a0": edges.column(SOURCE), "a1": edges.column(TARGET), TIME: edges.column(TIME)}
    paths = SharedTable(edges.length, {**named, AMOUNT: edges.column(AMOUNT)}, edges.valid)
    return keep_where(engine, paths, Call("ne", (Ref("a0"), Ref("a1"))))


def _closed(engine: Engine, paths: SharedTable, edges: TimedEdges, spec: Cycles, last: str) -> SharedTable:
    take = {AMOUNT: PASSED}
    grown = expanded(
        engine.narrow("expand"), paths, edges, Expansion((last, "a0"), TIME, spec.follows.window, take, spec.closed)
    )
    return keep_where(engine.narrow("keep"), grown, _passes(spec.follows))


def _grown(
    engine: Engine, paths: SharedTable, edges: TimedEdges, follows: Following, length: int, most: int
) -> SharedTable:
    """Paths with one payment more, to an account that is not on them."""
    take = {TARGET: NEXT, TIME: LATER, AMOUNT: PASSED}
    spec = Expansion((f"a{length - 1}",), TIME, follows.window, take, most)
    grown = expanded(engine.narrow("expand"), paths, edges, spec)
    new = [Call("ne", (Ref(NEXT), Ref(f"a{place}"))) for place in range(length)]
    kept = keep_where(engine.narrow("keep"), grown, _all([_passes(follows), *new]))
    columns = {f"a{place}": kept.column(f"a{place}") for place in range(length)}
    columns |= {f"a{length}": kept.column(NEXT), TIME: kept.column(LATER), AMOUNT: kept.column(PASSED)}
    return replace(kept, columns=columns)


def _passes(follows: Following) -> Expression:
    """What is paid on is at most what came, and at least the stated part of it."""
    least, whole = follows.part
    enough = Call("ge", (Call("multiply", (Ref(PASSED), Const(whole))), Call("multiply", (Ref(AMOUNT), Const(least)))))
    return Call("and", (Call("le", (Ref(PASSED), Ref(AMOUNT))), enough))


def _all(conditions: Sequence[Expression]) -> Expression:
    whole = conditions[0]
    for condition in conditions[1:]:
        whole = Call("and", (whole, condition))
    return whole
