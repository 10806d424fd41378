"""Select list, GROUP BY, HAVING and ORDER BY: keys, aggregates, and outputs computed from both."""

from dataclasses import dataclass, field, replace

from sqlglot import exp

from consortia.errors import RequestError
from consortia.ids import NAME_PATTERN
from consortia.plans import meaning
from consortia.plans.expressions import Const, Expr, Ref
from consortia.plans.model import Column, Named, SortKey
from consortia.plans.names import NamePool, is_legal
from consortia.plans.query import QueryAggregate, QueryFunction
from consortia.plans.ranges import infer
from consortia.plans.refuse import Node, only, place_of, refused_node, unsupported
from consortia.plans.scalar import Scope, bind, bind_condition, folded_name
from consortia.plans.types import ColumnType

NAMES_ARE = "a name is 1 to 31 of a-z, 0-9, _ and -, beginning with a letter"
ROWS_REMEDY = "group the rows: GROUP BY or SELECT DISTINCT the columns, or aggregate them with SUM, COUNT or AVG"


@dataclass(frozen=True)
class Groups:
    """The grouped part of a query, as in ``Query``."""

    keys: tuple[Named, ...]
    aggregates: tuple[QueryAggregate, ...]
    having: Expr | None
    outputs: tuple[Named, ...]
    order_by: tuple[SortKey, ...]


@dataclass
class _Collector:
    """Keys and aggregates met so far; ``types`` are theirs by name. Lives within one ``bind_groups``."""

    rows: Scope
    columns: dict[str, Column]
    names: NamePool
    keys: list[Named] = field(default_factory=list)
    aggregates: list[QueryAggregate] = field(default_factory=list)
    types: dict[str, ColumnType] = field(default_factory=dict)

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
        if isinstance(node, exp.Count | exp.Sum | exp.Avg):
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
        function, argument, kind, base = self._read(node)
        for known in self.aggregates:
            if (known.function, known.argument) == (function, argument):
                return known
        column = f"_{argument.column}" if isinstance(argument, Ref) else ""
        made = QueryAggregate(name=self.names.fresh(f"{base}{column}"), function=function, argument=argument, type=kind)
        self.aggregates.append(made)
        self.types[made.name] = kind
        return made

    def _read(self, node: Node) -> tuple[QueryFunction, Expr | None, ColumnType, str]:
        text = self.rows.text
        if isinstance(node, exp.Count):
            only(node, text, "this", "big_int")
            if isinstance(node.this, exp.Star):
                only(node.this, text)
                return "count-rows", None, meaning.INT, "rows"
            if isinstance(node.this, exp.Distinct):
                return self._distinct(node.this)
            argument = bind(node.this, self.rows)
            if not infer(argument, self.columns).nullable:
                return "count-rows", None, meaning.INT, "rows"
            return "count", argument, meaning.INT, "count"
        only(node, text, "this")
        name = "sum" if isinstance(node, exp.Sum) else "avg"
        if isinstance(node.this, exp.Distinct):
            raise unsupported(node, text, f"{name.upper()}(DISTINCT ...)", "group by the column and sum the groups")
        argument = bind(node.this, self.rows)
        kind = meaning.type_of(argument, self.rows.columns)
        if not meaning.is_numeric(kind) or meaning.is_null_constant(argument):
            raise RequestError(
                "plans/type",
                f"{name.upper()} of {meaning.type_words(kind)}",
                place=place_of(node, text),
                remedy="sum int or decimal columns; for a condition write SUM(CASE WHEN x THEN 1 ELSE 0 END)",
            )
        if name == "sum":
            return "sum", argument, kind, "sum"
        return "avg", argument, meaning.decimal(kind.scale + meaning.QUOTIENT_DIGITS, kind.unit), "avg"

    def _distinct(self, distinct: Node) -> tuple[QueryFunction, Expr | None, ColumnType, str]:
        only(distinct, self.rows.text, "expressions")
        inner = [bind(part, self.rows) for part in distinct.expressions]
        if len(inner) == 1 and meaning.is_member(inner[0]):
            return "count-members", None, meaning.INT, "members"
        if len(inner) == 1 and isinstance(inner[0], Ref):
            return "count-entities", inner[0], meaning.INT, "entities"
        raise unsupported(
            distinct, self.rows.text, "COUNT(DISTINCT ...) of an expression",
            "count distinct members with COUNT(DISTINCT member()), or the privacy unit's column",
        )  # fmt: skip


def bind_groups(select: Node, scope: Scope, columns: dict[str, Column]) -> Groups:
    """Everything of ``select`` but FROM and WHERE; ``columns`` are the table's. Errors as in ``sql.bind``."""
    items = [(item.this, _alias(item, scope)) if isinstance(item, exp.Alias) else (item, "") for item in
             select.expressions]  # fmt: skip
    if not items:
        raise unsupported(select, scope.text, "an empty select list", "name at least one column")
    grouped, distinct, having = select.args.get("group"), select.args.get("distinct"), select.args.get("having")
    aggregated = any(node.find(exp.AggFunc) for node, _ in items) or having is not None
    if not (grouped or distinct or aggregated):
        if isinstance(items[0][0], exp.Star):
            raise refused_node(items[0][0], scope.text)
        raise RequestError(
            "plans/rows",
            "the query asks for rows, and rows leave their owner only in groups",
            place=place_of(items[0][0], scope.text),
            remedy=ROWS_REMEDY,
        )
    names = NamePool({*scope.columns, *(alias for _, alias in items)})
    collector = _Collector(rows=scope, columns=columns, names=names)
    for node, alias in _key_nodes(select, items, scope, distinct_rows=bool(distinct) and not (grouped or aggregated)):
        collector.key(node, alias)
    groups = replace(scope, columns=collector.types, special=collector.special)
    bound = [bind(node, groups) for node, _ in items]
    outputs = _named(items, bound, groups)
    if distinct:
        _check_distinct(distinct, grouped, outputs, collector, scope)
    condition = bind_condition(having.this, groups) if having else None
    order_by = _order(select.args.get("order"), outputs, groups)
    return Groups(
        keys=tuple(collector.keys),
        aggregates=tuple(collector.aggregates),
        having=condition,
        outputs=outputs,
        order_by=order_by,
    )


def _alias(item: Node, scope: Scope) -> str:
    name = folded_name(item.args["alias"])
    if not is_legal(name):
        raise RequestError(
            "plans/name", f"`{name}` is not a legal column name ({NAME_PATTERN})",
            place=place_of(item.args["alias"], scope.text), remedy=NAMES_ARE,
        )  # fmt: skip
    return name


def _key_nodes(
    select: Node, items: list[tuple[Node, str]], scope: Scope, *, distinct_rows: bool
) -> list[tuple[Node, str]]:
    """The expressions to group by, with the alias of each; ordinals and aliases stand for select items."""
    if distinct_rows:
        return items
    group = select.args.get("group")
    if group is None:
        return []
    only(group, scope.text, "expressions")
    found: list[tuple[Node, str]] = []
    for node in group.expressions:
        if isinstance(node, exp.Literal) and not node.args.get("is_string"):
            found.append(items[_ordinal(node, len(items), scope) - 1])
        elif (alias := _plain_name(node)) and alias not in scope.columns:
            # as in PostgreSQL: a name in GROUP BY is the table's column first, then an alias
            matching = [(item, name) for item, name in items if name == alias]
            found.append(matching[0] if matching else (node, ""))
        else:
            labels = [name for item, name in items if item == node]
            found.append((node, labels[0] if labels else ""))
    for node, _ in found:
        if node.find(exp.AggFunc):
            raise unsupported(node, scope.text, "an aggregate in GROUP BY", "group by columns of the table")
    return found


def _plain_name(node: Node) -> str:
    if isinstance(node, exp.Column) and not node.args.get("table"):
        return folded_name(node.this)
    return ""


def _ordinal(node: Node, count: int, scope: Scope) -> int:
    text = str(node.this)
    if not text.isdigit() or not 1 <= int(text) <= count:
        raise RequestError(
            "plans/unknown-column",
            f"there is no output number {text}",
            place=place_of(node, scope.text),
            remedy=f"outputs are numbered from 1 to {count}",
        )
    return int(text)


def _named(items: list[tuple[Node, str]], bound: list[Expr], scope: Scope) -> tuple[Named, ...]:
    """Outputs with their names: the alias, else the column's name, else the function's, made unique."""
    given = [alias for _, alias in items if alias]
    if len(given) != len(set(given)):
        twice = next(alias for alias in given if given.count(alias) > 1)
        raise RequestError(
            "plans/name", f"two outputs are called `{twice}`",
            place=place_of(items[-1][0], scope.text), remedy="give each output its own name with AS",
        )  # fmt: skip
    pool = NamePool(set(given))
    outputs = []
    for (node, alias), expression in zip(items, bound, strict=True):
        kind = meaning.type_of(expression, scope.columns)
        if kind.kind == "text":
            raise RequestError(
                "plans/type", "an output of text", place=place_of(node, scope.text),
                remedy="give enum words, numbers or keys; text never leaves its owner",
            )  # fmt: skip
        base = _plain_name(node) or (node.key if isinstance(node, exp.Count | exp.Sum | exp.Avg) else "column")
        outputs.append(Named(name=alias or pool.fresh(base), expression=expression))
    return tuple(outputs)


def _check_distinct(
    distinct: Node, grouped: Node | None, outputs: tuple[Named, ...], collector: _Collector, scope: Scope
) -> None:
    """DISTINCT over groups changes nothing if every key is an output; otherwise it is refused."""
    only(distinct, scope.text)
    shown = {output.expression.column for output in outputs if isinstance(output.expression, Ref)}
    if grouped and not {key.name for key in collector.keys} <= shown:
        raise unsupported(
            grouped, scope.text, "DISTINCT over groups whose keys are not all selected", "select all keys of GROUP BY"
        )


def _order(order: Node | None, outputs: tuple[Named, ...], scope: Scope) -> tuple[SortKey, ...]:
    """ORDER BY as output names: an alias first, as in PostgreSQL, then a number, then an output's expression."""
    if order is None:
        return ()
    only(order, scope.text, "expressions")
    keys: list[SortKey] = []
    for entry in order.expressions:
        only(entry, scope.text, "this", "desc", "nulls_first")
        descending = bool(entry.args.get("desc"))
        if bool(entry.args.get("nulls_first")) != descending:
            raise unsupported(
                entry, scope.text, "NULLS FIRST or NULLS LAST here",
                "NULL stands last, and first with DESC, as in PostgreSQL",
            )  # fmt: skip
        name = _ordered_output(entry.this, outputs, scope)
        if name not in [key.column for key in keys]:
            keys.append(SortKey(column=name, descending=descending))
    return tuple(keys)


def _ordered_output(node: Node, outputs: tuple[Named, ...], scope: Scope) -> str:
    if isinstance(node, exp.Literal) and not node.args.get("is_string"):
        return outputs[_ordinal(node, len(outputs), scope) - 1].name
    name = _plain_name(node)
    if name and name in [output.name for output in outputs]:
        return name
    bound = bind(node, scope)
    for output in outputs:
        if output.expression == bound:
            return output.name
    raise unsupported(
        node, scope.text, "ordering by what is not selected", "select it too: what orders a result is opened with it"
    )
