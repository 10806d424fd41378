"""What a bound query gives, by the shortest code that does what each node of ``plans/query.py`` says.

The reference for planner, executor and policies: lists of dict rows in carried integers (None is NULL, enum codes),
every row with the set of members whose data is in it. ``answer(query, data)`` is the whole result in its order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import Any

from consortia.plans.catalogue import Catalogue
from consortia.plans.evaluate import Value, evaluate, rounded
from consortia.plans.expressions import Call, Expr, Ref
from consortia.plans.meaning import type_of
from consortia.plans.model import Named, SortKey, WindowFunction
from consortia.plans.query import (
    Computed,
    Filtered,
    Grouped,
    Joined,
    Limited,
    Query,
    QueryAggregate,
    Relation,
    Stacked,
    TableRows,
    Windowed,
)
from consortia.plans.relations import relation_types
from consortia.plans.sql import bind_predicate
from consortia.plans.tables import column_types, find_table
from consortia.plans.types import ColumnType
from tests.fixtures_catalogue import AS_OF, CATALOGUE

Row = dict[str, Value]
Data = Mapping[str, Mapping[str, Sequence[Row]]]
"""Rows by table and member: ``{"numbers": {"bank-a": [...]}}``."""
Types = Mapping[str, ColumnType]


class ManyToMany(Exception):
    """A right side holds a key twice, which a strict evaluation refuses."""


@dataclass(frozen=True)
class Tagged:
    """A row and the members whose data is in it."""

    row: Row
    members: frozenset[str]

    @property
    def member(self) -> str:
        """The member of a row that is one member's."""
        return next(iter(self.members)) if len(self.members) == 1 else ""


@dataclass(frozen=True)
class World:
    """Tables of all members and their catalogue; ``strict`` refuses joins whose right keys are not unique."""

    data: Data
    catalogue: Catalogue = CATALOGUE
    strict: bool = False


def answer(query: Query, world: World) -> list[Row]:
    """The outputs of ``query`` in its order, not more than its limit."""
    rows, types = _read(query, world)
    computed = [Tagged(_computed(query.keys, row, types) | row.row, row.members) for row in rows]
    keyed = {key.name: type_of(key.expression, types) for key in query.keys}
    groups = _groups(computed, tuple(keyed), always=not query.keys)
    kinds = keyed | {made.name: made.type for made in query.aggregates}
    found = []
    for key, group in groups:
        exact = dict(zip(keyed, key, strict=True)) | {m.name: _aggregated(m, group, types) for m in query.aggregates}
        if query.having is None or _exactly(query.having, exact, kinds) == 1:
            row = {made.name: _carried(exact[made.name], made) for made in query.aggregates}
            found.append({o.name: evaluate(o.expression, exact | row, kinds) for o in query.outputs})
    outputs = {output.name: type_of(output.expression, kinds) for output in query.outputs}
    given = {key.column for key in query.order_by}
    total = (*query.order_by, *(SortKey(column=name) for name in outputs if name not in given))
    if query.limit is not None:
        # rows are cut on shares, where words have their codes' order
        found = ordered(found, total)[: query.limit]
    return ordered(found, total, outputs)


def output_types(query: Query, catalogue: Catalogue = CATALOGUE) -> Types:
    """The types of the outputs of ``query`` by name."""
    _, types = _read(query, World({}, catalogue))
    kinds = {key.name: type_of(key.expression, types) for key in query.keys}
    kinds |= {made.name: made.type for made in query.aggregates}
    return {output.name: type_of(output.expression, kinds) for output in query.outputs}


def _read(query: Query, world: World) -> tuple[list[Tagged], Types]:
    if query.relation is not None:
        return rows_of(query.relation, world), relation_types(query.relation, world.catalogue)
    relation: Relation = TableRows(table=query.table, owner=query.owner)
    if query.where is not None:
        relation = Filtered(source=relation, predicate=query.where)
    return rows_of(relation, world), relation_types(relation, world.catalogue)


def rows_of(relation: Relation, world: World) -> list[Tagged]:
    """The rows of a relation, in an order that only a ``Limited`` gives a meaning."""
    match relation:
        case TableRows():
            return _table(relation, world)
        case Filtered(source=source, predicate=predicate):
            types = relation_types(source, world.catalogue)
            rows = rows_of(source, world)
            return [row for row in rows if evaluate(predicate, row.row, types, member=row.member) == 1]
        case Computed(source=source, expressions=expressions):
            types = relation_types(source, world.catalogue)
            return [Tagged(_computed(expressions, row, types), row.members) for row in rows_of(source, world)]
        case Joined():
            return _joined(relation, world)
        case Stacked(sources=sources):
            return [row for source in sources for row in rows_of(source, world)]
        case Grouped(source=source, keys=keys, aggregates=aggregates):
            types = relation_types(source, world.catalogue)
            return [
                Tagged(
                    dict(zip(keys, key, strict=True))
                    | {made.name: _carried(_aggregated(made, group, types), made) for made in aggregates},
                    frozenset().union(*(row.members for row in group)),
                )
                for key, group in _groups(rows_of(source, world), keys, always=not keys)
            ]
        case Windowed():
            return _windowed(relation, world)
        case Limited(source=source, order=order, rows=count):
            tagged = rows_of(source, world)
            given = {key.column for key in order}
            names = relation_types(source, world.catalogue)
            total = (*order, *(SortKey(column=name) for name in names if name not in given))
            places = ordered([row.row | {"": place} for place, row in enumerate(tagged)], total)
            return [tagged[int(row[""] or 0)] for row in places[:count]]


def _table(relation: TableRows, world: World) -> list[Tagged]:
    """A member's whole part, or the canonical rows of all holders."""
    table = find_table(world.catalogue, relation.table)
    types = column_types(table, world.catalogue)
    by_member = world.data.get(relation.table, {})
    canonical = None
    if table.canonical and not relation.owner:
        canonical = bind_predicate(table.canonical, table, world.catalogue, AS_OF)
    members = (relation.owner,) if relation.owner else sorted(table.holders)
    return [
        Tagged({name: row.get(name) for name in types}, frozenset((member,)))
        for member in members
        for row in by_member.get(member, ())
        if canonical is None or evaluate(canonical, row, types, member=member) == 1
    ]


def _computed(expressions: Sequence[Named], row: Tagged, types: Types) -> Row:
    return {named.name: evaluate(named.expression, row.row, types, member=row.member) for named in expressions}


def _joined(relation: Joined, world: World) -> list[Tagged]:
    left, right = rows_of(relation.left, world), rows_of(relation.right, world)
    matches: dict[tuple[Value, ...], list[Tagged]] = {}
    for row in right:
        matches.setdefault(tuple(row.row[key.right] for key in relation.on), []).append(row)
    unknown = any(None in key for key in matches)
    matches = {key: rows for key, rows in matches.items() if None not in key}
    if world.strict and relation.how in ("inner", "left") and any(len(rows) > 1 for rows in matches.values()):
        raise ManyToMany
    nothing: Row = dict.fromkeys(relation_types(relation.right, world.catalogue))
    found = []
    for row in left:
        key = tuple(row.row[pair.left] for pair in relation.on)
        matched = matches.get(key, [])
        match relation.how:
            case "inner" | "left":
                found += [Tagged(row.row | other.row, row.members | other.members) for other in matched]
                if not matched and relation.how == "left":
                    found.append(Tagged(row.row | nothing, row.members))
            case "semi":
                found += [Tagged(row.row, row.members | _all_members(matched))] if matched else []
            case "anti":
                found += [] if matched else [row]
            case "not-in":
                # x NOT IN (nothing) is TRUE whatever x is; with a NULL on either side it is never TRUE
                found += [row] if not right or (None not in key and not matched and not unknown) else []
    return found


def _all_members(rows: Sequence[Tagged]) -> frozenset[str]:
    return frozenset().union(*(row.members for row in rows))


def _groups(
    rows: Sequence[Tagged], keys: Sequence[str], *, always: bool
) -> list[tuple[tuple[Value, ...], list[Tagged]]]:
    groups: dict[tuple[Value, ...], list[Tagged]] = {(): []} if always else {}
    for row in rows:
        groups.setdefault(tuple(row.row[key] for key in keys), []).append(row)
    return list(groups.items())


def _aggregated(made: QueryAggregate, group: Sequence[Tagged], types: Types) -> Any:
    """The exact value: an integer in the carried units of the result, or a fraction of them before rounding."""
    if made.argument is None:
        return len(group) if made.function == "count-rows" else len(_all_members(group))
    argument = made.argument
    known = [evaluate(argument, row.row, types, member=row.member) for row in group]
    values = sorted(int(value) for value in known if value is not None)
    if made.function == "count":
        return len(values)
    if made.function in ("count-entities", "count-distinct"):
        return len(set(values))
    return _of_values(made, values, type_of(argument, types).scale) if values else None


def _of_values(made: QueryAggregate, values: Sequence[int], scale: int) -> Any:
    """Functions of at least one value, in order; ``scale`` is theirs."""
    exact = [Fraction(value, 10**scale) for value in values]
    factor = 10**made.type.scale
    count, total = len(exact), sum(exact)
    match made.function:
        case "sum":
            return int(total * factor)
        case "avg":
            return Fraction(total, count) * factor
        case "min" | "max":
            return values[0] if made.function == "min" else values[-1]
        case "quantile":
            return values[max(0, -(-made.numerator * count // made.denominator) - 1)]
        case "median":
            return (exact[(count - 1) // 2] + exact[count // 2]) / 2 * factor
    divisor = count if made.function.endswith("pop") else count - 1
    if not divisor:
        return None
    variance = Fraction(count * sum(value * value for value in exact) - total * total, count * divisor)
    return variance * factor if made.function.startswith("variance") else ("root", variance * factor * factor)


def _carried(value: Any, made: QueryAggregate) -> Value:
    if isinstance(value, tuple):
        return _root(value[1])
    if isinstance(value, Fraction):
        return rounded(value.numerator, value.denominator)
    return value  # type: ignore[no-any-return] # an integer or None


def _root(square: Fraction) -> int:
    """The square root, rounded to the nearest integer."""
    floor = isqrt(square.numerator // square.denominator)
    return floor + int(4 * square >= (2 * floor + 1) ** 2)


def _exactly(condition: Expr, row: Mapping[str, Any], types: Types) -> Value:
    """HAVING, in which an average is compared before it is rounded."""
    values = {name: _root(value[1]) if isinstance(value, tuple) else value for name, value in row.items()}
    finer: dict[str, Any] = {}

    def scaled(expression: Expr) -> Expr:
        match expression:
            case Call(op="cast", args=[Ref(column=name)], type=kind) if isinstance(values[name], Fraction):
                column = f"{name} as {kind.scale}"
                finer[column] = values[name] * 10 ** (kind.scale - types[name].scale)
                return Ref(column=column)
            case Call(args=args):
                return expression.model_copy(update={"args": tuple(scaled(arg) for arg in args)})
        return expression

    return evaluate(scaled(condition), values | finer, types)


def _windowed(relation: Windowed, world: World) -> list[Tagged]:
    rows = rows_of(relation.source, world)
    found = []
    for _, partition in _groups(rows, relation.partition, always=False):
        numbered = [row.row | {"": place} for place, row in enumerate(partition)]
        in_order = [partition[int(row[""] or 0)] for row in ordered(numbered, relation.order)]
        ranks = [tuple(row.row[key.column] for key in relation.order) for row in in_order]
        for place, row in enumerate(in_order):
            made = {function.name: _window(function, in_order, ranks, place) for function in relation.functions}
            found.append(Tagged(row.row | made, row.members))
    return found


def _window(function: WindowFunction, rows: Sequence[Tagged], ranks: Sequence[tuple[Value, ...]], place: int) -> Value:
    match function.function:
        case "row-number":
            return place + 1
        case "rank":
            return ranks.index(ranks[place]) + 1
        case "dense-rank":
            return len(set(ranks[: place + 1]))
    end = {"rows": place + 1, "partition": len(rows)}.get(function.frame, 0)
    if function.frame == "range":
        end = max(other for other, rank in enumerate(ranks) if rank == ranks[place]) + 1
    frame = [row.row[function.column] if function.column else 1 for row in rows[:end]]
    values = [int(value) for value in frame if value is not None]
    if function.function == "count":
        return len(values)
    return sum(values) if values else None


def ordered(rows: Sequence[Row], keys: Sequence[SortKey], kinds: Types | None = None) -> list[Row]:
    """``rows`` by ``keys``: NULL last, first if descending; enums by their word if ``kinds`` are given."""

    def rank(row: Row, name: str) -> tuple[int, str | int]:
        value = row[name]
        if value is None:
            return (1, 0)
        if kinds is not None and kinds[name].kind == "enum":
            return (0, kinds[name].values[int(value)])
        return (0, value)

    found = list(rows)
    for key in reversed(keys):
        found.sort(
            key=lambda row, name=key.column: rank(row, name),  # type: ignore[misc]  # a default binds this round's key
            reverse=key.descending,
        )
    return found
