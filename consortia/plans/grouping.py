"""Select list, GROUP BY and HAVING: keys, aggregates, and outputs computed from both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from consortia.errors import RequestError
from consortia.ids import NAME_PATTERN
from consortia.plans import meaning
from consortia.plans.binding.aggregates import AGGREGATES, read_aggregate
from consortia.plans.binding.ordering import ordered_output, plain_name, read_order, select_place
from consortia.plans.binding.scope import Scope, folded_name
from consortia.plans.columns import Column
from consortia.plans.expressions import Const, Expr, Ref
from consortia.plans.model import Named, SortKey
from consortia.plans.names import NamePool, is_legal
from consortia.plans.query import QueryAggregate
from consortia.plans.ranges import infer
from consortia.plans.refuse import Node, function_name, only, place_of, refused_node, unsupported
from consortia.plans.scalar import bind, bind_condition
from consortia.plans.types import ColumnType

NAMES_ARE = "a name is 1 to 31 of a-z, 0-9, _ and -, beginning with a letter"
ROWS_REMEDY = "group the rows: GROUP BY or SELECT DISTINCT the columns, or aggregate them with SUM, COUNT or AVG"


@dataclass(frozen=True)
class Item:
    """One entry of a select list: its expression, and its alias or nothing."""

    node: Node
    alias: str = ""


@dataclass(frozen=True)
class Groups:
    """The grouped part of a query, as in ``Query``."""

    keys: tuple[Named, ...]
    aggregates: tuple[QueryAggregate, ...]
    having: Expr | None
    outputs: tuple[Named, ...]
    order_by: tuple[SortKey, ...]


@dataclass
class Collector:
    """Keys and aggregates met so far; ``types`` are theirs by name. Lives while one SELECT is bound.

    ``columns`` tell which columns are never NULL, where that is known: a count of these is one of rows.
    """

    rows: Scope
    names: NamePool
    columns: Mapping[str, Column] | None = None
    keys: list[Named] = field(default_factory=list)
    aggregates: list[QueryAggregate] = field(default_factory=list)
    types: dict[str, ColumnType] = field(default_factory=dict)

    @property
    def scope(self) -> Scope:
        """The scope of what reads groups: HAVING and outputs."""
        return replace(self.rows, columns=self.types, special=self.special)

    def key(self, node: Node, label: str) -> None:
        """Add a group key; ``label`` is its alias in the select list, if it has one."""
        bound = bind(node, self.rows)
        if any(bound == known.expression for known in self.keys):
            return
        if isinstance(bound, Const):
            raise unsupported(node, self.rows.text, "grouping by a constant", "group by columns, or leave it out")
        kind = meaning.type_of(bound, self.rows.columns)
        if kind.kind == "text":
            raise RequestError(
                "plans/text-shared",
                "text never leaves its owner, so nothing can be grouped by it",
                place=place_of(node, self.rows.text),
                remedy="group by an enum or key column; for one member's rows query `member.table`",
            )
        free = label and label not in self.rows.columns and label not in self.types
        name = bound.column if isinstance(bound, Ref) else label if free else self.names.fresh("key")
        self.keys.append(Named(name=name, expression=bound))
        self.types[name] = kind

    def special(self, node: Node) -> Expr | None:
        """Group keys and aggregates as references; a column that is neither is refused."""
        if isinstance(node, AGGREGATES):
            return Ref(column=self._aggregate(node).name)
        if node.find(exp.AggFunc):
            return None
        if isinstance(node, exp.Column | exp.Anonymous) or node.find(exp.Column):
            bound = bind(node, self.rows)
            for key in self.keys:
                if key.expression == bound:
                    return Ref(column=key.name)
        if isinstance(node, exp.Column):
            raise RequestError(
                "plans/not-grouped",
                f"`{folded_name(node.this)}` is neither grouped by nor aggregated",
                place=place_of(node, self.rows.text),
                remedy="add it to GROUP BY, or put it into SUM, COUNT or AVG",
            )
        if isinstance(node, exp.Anonymous) and node.name.lower() == "member":
            raise unsupported(
                node, self.rows.text, "member() here",
                "it stands in WHERE and in COUNT(DISTINCT member()); for one member's rows query `member.table`",
            )  # fmt: skip
        return None

    def _aggregate(self, node: Node) -> QueryAggregate:
        reading = read_aggregate(node, self.rows)
        function, argument, base = reading.function, reading.argument, reading.base
        if function == "count" and argument is not None and self._never_null(argument):
            function, argument, base = "count-rows", None, "rows"
        wanted = QueryAggregate(
            name="",
            function=function,
            argument=argument,
            type=reading.type,
            numerator=reading.share.numerator,
            denominator=reading.share.denominator,
        )
        for known in self.aggregates:
            if known.model_copy(update={"name": ""}) == wanted:
                return known
        column = f"_{argument.column}" if isinstance(argument, Ref) else ""
        made = wanted.model_copy(update={"name": self.names.fresh(f"{base}{column}")})
        self.aggregates.append(made)
        self.types[made.name] = made.type
        return made

    def _never_null(self, argument: Expr) -> bool:
        return self.columns is not None and not infer(argument, self.columns).nullable


def select_items(select: Node, scope: Scope) -> list[Item]:
    """The entries of the select list, aliases checked."""
    items = [Item(item.this, _alias(item, scope)) if isinstance(item, exp.Alias) else Item(item) for item in
             select.expressions]  # fmt: skip
    if not items:
        raise unsupported(select, scope.text, "an empty select list", "name at least one column")
    return items


def is_aggregated(select: Node, items: Sequence[Item]) -> bool:
    """Whether the rows of ``select`` are groups by more than DISTINCT."""
    if select.args.get("group") or select.args.get("having"):
        return True
    calls = [call for item in items for call in item.node.find_all(exp.AggFunc, exp.WithinGroup)]
    # the function of a window is no aggregate of the query; those in its arguments are
    return any(not isinstance(call.parent, exp.Window) or call.arg_key != "this" for call in calls)


def bind_groups(select: Node, scope: Scope, columns: Mapping[str, Column] | None) -> Groups:
    """Everything of a grouped ``select`` but FROM and WHERE; ``columns`` as in ``Collector``. Errors: ``sql.bind``."""
    items = select_items(select, scope)
    distinct, having = select.args.get("distinct"), select.args.get("having")
    aggregated = is_aggregated(select, items)
    if not (distinct or aggregated):
        if isinstance(items[0].node, exp.Star):
            raise refused_node(items[0].node, scope.text)
        raise RequestError(
            "plans/rows",
            "the query asks for rows, and rows leave their owner only in groups",
            place=place_of(items[0].node, scope.text),
            remedy=ROWS_REMEDY,
        )
    collector = Collector(scope, NamePool({*scope.columns, *(item.alias for item in items)}), columns)
    collect_keys(collector, select, items, distinct_rows=not aggregated)
    groups = collector.scope
    outputs = named_outputs(items, [bind(item.node, groups) for item in items], groups)
    _refuse_text(items, outputs, groups)
    if distinct:
        _check_distinct(distinct, select.args.get("group"), outputs, collector, scope)
    condition = bind_condition(having.this, groups) if having else None
    order_by: dict[str, SortKey] = {}
    for entry in read_order(select.args.get("order"), scope.text):
        name = ordered_output(entry.node, outputs, groups)
        order_by.setdefault(name, SortKey(column=name, descending=entry.descending))
    return Groups(
        keys=tuple(collector.keys),
        aggregates=tuple(collector.aggregates),
        having=condition,
        outputs=outputs,
        order_by=tuple(order_by.values()),
    )


def _alias(item: Node, scope: Scope) -> str:
    name = folded_name(item.args["alias"])
    if not is_legal(name):
        raise RequestError(
            "plans/name", f"`{name}` is not a legal column name ({NAME_PATTERN})",
            place=place_of(item.args["alias"], scope.text), remedy=NAMES_ARE,
        )  # fmt: skip
    return name


def collect_keys(collector: Collector, select: Node, items: Sequence[Item], *, distinct_rows: bool) -> None:
    """Give ``collector`` the expressions to group by: those of GROUP BY, or with DISTINCT the select list."""
    found = items if distinct_rows else _grouped_by(select.args.get("group"), items, collector.rows)
    for item in found:
        if item.node.find(exp.AggFunc, exp.Window):
            raise unsupported(
                item.node, collector.rows.text, "an aggregate in GROUP BY", "group by columns of the table"
            )
        collector.key(item.node, item.alias)


def _grouped_by(group: Node | None, items: Sequence[Item], scope: Scope) -> list[Item]:
    """The expressions of GROUP BY with the alias of each; ordinals and aliases stand for select items."""
    if group is None:
        return []
    only(group, scope.text, "expressions")
    found: list[Item] = []
    for node in group.expressions:
        if isinstance(node, exp.Literal) and not node.args.get("is_string"):
            found.append(items[select_place(node, len(items), scope.text)])
        elif (alias := plain_name(node)) and not scope.has(alias):
            # as in PostgreSQL: a name in GROUP BY is the table's column first, then an alias
            matching = [item for item in items if item.alias == alias]
            found.append(matching[0] if matching else Item(node))
        else:
            labels = [item.alias for item in items if item.node == node]
            found.append(Item(node, labels[0] if labels else ""))
    return found


def named_outputs(items: Sequence[Item], bound: Sequence[Expr], scope: Scope) -> tuple[Named, ...]:
    """Outputs with their names: the alias, else the column's name, else the function's, made unique."""
    given = [item.alias for item in items if item.alias]
    if len(given) != len(set(given)):
        twice = next(alias for alias in given if given.count(alias) > 1)
        raise RequestError(
            "plans/name", f"two outputs are called `{twice}`",
            place=place_of(items[-1].node, scope.text), remedy="give each output its own name with AS",
        )  # fmt: skip
    pool = NamePool(set(given))
    return tuple(
        Named(name=item.alias or pool.fresh(_base(item.node)), expression=expression)
        for item, expression in zip(items, bound, strict=True)
    )


def _base(node: Node) -> str:
    if isinstance(node, exp.Column):
        return folded_name(node.this)
    inner = node.this if isinstance(node, exp.Window | exp.WithinGroup) else node
    function = isinstance(inner, exp.AggFunc | exp.RowNumber | exp.Rank | exp.DenseRank)
    return function_name(inner).lower() if function else "column"


def _refuse_text(items: Sequence[Item], outputs: Sequence[Named], scope: Scope) -> None:
    for item, output in zip(items, outputs, strict=True):
        if meaning.type_of(output.expression, scope.columns).kind == "text":
            raise RequestError(
                "plans/type", "an output of text", place=place_of(item.node, scope.text),
                remedy="give enum words, numbers or keys; text never leaves its owner",
            )  # fmt: skip


def _check_distinct(
    distinct: Node, grouped: Node | None, outputs: tuple[Named, ...], collector: Collector, scope: Scope
) -> None:
    """DISTINCT over groups changes nothing if every key is an output; otherwise it is refused."""
    only(distinct, scope.text)
    shown = {output.expression.column for output in outputs if isinstance(output.expression, Ref)}
    if grouped and not {key.name for key in collector.keys} <= shown:
        raise unsupported(
            grouped, scope.text, "DISTINCT over groups whose keys are not all selected", "select all keys of GROUP BY"
        )
