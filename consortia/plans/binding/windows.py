"""Window functions of a nested query: numbers, ranks, counts and running sums over partitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from sqlglot import exp

from consortia.errors import RequestError
from consortia.plans import meaning
from consortia.plans.binding.aggregates import check_argument
from consortia.plans.binding.ordering import check_order, read_order
from consortia.plans.binding.rows import Bound, with_columns
from consortia.plans.binding.scope import Scope
from consortia.plans.expressions import Const, Expr, Ref
from consortia.plans.model import SortKey, WindowFunction
from consortia.plans.names import NamePool
from consortia.plans.query import Windowed
from consortia.plans.refuse import Node, function_name, only, place_of, unsupported
from consortia.plans.scalar import bind
from consortia.plans.types import ColumnType

Frame = Literal["rows", "range", "partition"]
RANKS: dict[type[Node], Literal["row-number", "rank", "dense-rank"]] = {
    exp.RowNumber: "row-number", exp.Rank: "rank", exp.DenseRank: "dense-rank",
}  # fmt: skip
WINDOWS_ARE = "windows are ROW_NUMBER, RANK, DENSE_RANK, COUNT and SUM; group by the window's keys and join for others"
FRAMES_ARE = "a frame is ROWS or RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"


@dataclass(frozen=True)
class _Call:
    """One window column before its arguments are columns."""

    name: str
    function: Literal["row-number", "rank", "dense-rank", "count", "sum"]
    argument: Expr | None
    frame: Frame
    partition: tuple[Expr, ...]
    order: tuple[tuple[Expr, bool], ...]
    type: ColumnType


@dataclass
class WindowCollector:
    """Windows met so far; ``types`` are theirs by name. Lives while one nested SELECT is bound.

    ``fixed`` are columns of one value: a sum over several units is refused as in groups.
    """

    rows: Scope
    names: NamePool
    fixed: frozenset[str]
    calls: list[_Call] = field(default_factory=list)
    types: dict[str, ColumnType] = field(default_factory=dict)

    def special(self, node: Node) -> Expr | None:
        """A window as a reference to its column; everything else as the rows' own scope says."""
        if not isinstance(node, exp.Window):
            return self.rows.special(node)
        made = self._read(node)
        for known in self.calls:
            if (known.function, known.argument, known.frame) == (made.function, made.argument, made.frame) and (
                (known.partition, known.order) == (made.partition, made.order)
            ):
                return Ref(column=known.name)
        self.calls.append(made)
        self.types[made.name] = made.type
        return Ref(column=made.name)

    def _read(self, node: Node) -> _Call:
        text = self.rows.text
        if node.args.get("alias"):
            raise unsupported(node, text, "a named window", "write the window out after OVER")
        only(node, text, "this", "partition_by", "order", "spec", "over")
        partition = tuple(dict.fromkeys(self._partition(part) for part in node.args.get("partition_by") or ()))
        order: list[tuple[Expr, bool]] = []
        for entry in read_order(node.args.get("order"), text):
            bound = bind(entry.node, self.rows)
            check_order(meaning.type_of(bound, self.rows.columns), entry.node, text)
            if bound not in partition and bound not in [known for known, _ in order] and not isinstance(bound, Const):
                order.append((bound, entry.descending))
        frame = self._frame(node.args.get("spec"), node, ordered=bool(order))
        function, argument, kind = self._function(node.this, bool(order))
        if function in RANKS.values():
            frame = "range"
        if kind.unit:
            self._check_unit(node, kind.unit, partition)
        base = function.replace("-", "_") + (f"_{argument.column}" if isinstance(argument, Ref) else "")
        return _Call(self.names.fresh(base), function, argument, frame, partition, tuple(order), kind)

    def _partition(self, node: Node) -> Expr:
        bound = bind(node, self.rows)
        if isinstance(bound, Const):
            raise unsupported(node, self.rows.text, "PARTITION BY a constant", "leave it out")
        if meaning.type_of(bound, self.rows.columns).kind == "text":
            raise RequestError(
                "plans/text-shared", "text never leaves its owner, so nothing can be partitioned by it",
                place=place_of(node, self.rows.text), remedy="partition by an enum, key or number column",
            )  # fmt: skip
        return bound

    def _frame(self, spec: Node | None, node: Node, *, ordered: bool) -> Frame:
        if spec is None:
            return "range" if ordered else "partition"
        text = self.rows.text
        only(spec, text, "kind", "start", "start_side", "end", "end_side")
        edges = tuple(str(spec.args.get(name) or "").upper() for name in ("start", "start_side", "end", "end_side"))
        if edges == ("UNBOUNDED", "PRECEDING", "UNBOUNDED", "FOLLOWING"):
            return "partition"
        kind = str(spec.args.get("kind") or "").upper()
        if edges[:2] != ("UNBOUNDED", "PRECEDING") or edges[2:] not in (("CURRENT ROW", ""), ("", "")):
            raise unsupported(node, text, "this frame of a window", FRAMES_ARE)
        if kind == "ROWS" and ordered:
            return "rows"
        if kind == "RANGE":
            return "range" if ordered else "partition"
        raise unsupported(node, text, "this frame of a window", f"{FRAMES_ARE}; ROWS needs ORDER BY")

    def _function(
        self, node: Node, ordered: bool
    ) -> tuple[Literal["row-number", "rank", "dense-rank", "count", "sum"], Expr | None, ColumnType]:
        text = self.rows.text
        if type(node) in RANKS:
            only(node, text)
            if not ordered:
                raise unsupported(
                    node, text, f"{function_name(node)} without ORDER BY", "order by a column of the rows"
                )
            return RANKS[type(node)], None, meaning.INT
        if isinstance(node, exp.Count | exp.Sum):
            check_argument(node, text)
        if isinstance(node, exp.Count) and not isinstance(node.this, exp.Distinct):
            only(node, text, "this", "big_int")
            if isinstance(node.this, exp.Star):
                only(node.this, text)
                return "count", None, meaning.INT
            return "count", bind(node.this, self.rows), meaning.INT
        if isinstance(node, exp.Sum) and not isinstance(node.this, exp.Distinct):
            only(node, text, "this")
            argument = bind(node.this, self.rows)
            kind = meaning.type_of(argument, self.rows.columns)
            if not meaning.is_numeric(kind) or meaning.is_null_constant(argument):
                raise RequestError(
                    "plans/type", f"SUM of {meaning.type_words(kind)}", place=place_of(node, text),
                    remedy="sum int or decimal columns",
                )  # fmt: skip
            return "sum", argument, kind
        raise unsupported(node, text, f"the window function {node.sql()[:40]}", WINDOWS_ARE)

    def _check_unit(self, node: Node, unit: str, partition: Sequence[Expr]) -> None:
        if unit not in self.fixed and Ref(column=unit) not in partition:
            raise RequestError(
                "plans/units", f"a running sum over amounts of several units of `{unit}` means nothing",
                place=place_of(node, self.rows.text), remedy=f"fix the unit in WHERE, or PARTITION BY {unit}",
            )  # fmt: skip

    def applied(self, bound: Bound) -> Bound:
        """``bound`` with all window columns; those of one PARTITION BY and ORDER BY in one step."""
        for partition, order in dict.fromkeys((call.partition, call.order) for call in self.calls):
            calls = [call for call in self.calls if (call.partition, call.order) == (partition, order)]
            arguments = [call.argument for call in calls if call.argument is not None]
            wanted = [*partition, *(expression for expression, _ in order), *arguments]
            bound, names = with_columns(bound, wanted, "window", self.names)
            keys, given = names[: len(partition)], names[len(partition) : len(partition) + len(order)]
            columns = iter(names[len(partition) + len(order) :])
            functions = tuple(
                WindowFunction(
                    name=call.name,
                    function=call.function,
                    column="" if call.argument is None else next(columns),
                    frame=call.frame,
                )
                for call in calls
            )
            types = tuple(call.type for call in calls)
            relation = Windowed(
                source=bound.relation,
                partition=tuple(keys),
                order=tuple(
                    SortKey(column=name, descending=descending)
                    for name, (_, descending) in zip(given, order, strict=True)
                ),
                functions=functions,
                types=types,
            )
            bound = Bound(relation, bound.types | {call.name: call.type for call in calls})
        return bound
