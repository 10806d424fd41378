"""What is proved of a relation's columns before any step exists: ranges, sums, numbers of values, numbers of rows.

``total`` bounds the sum of a column over any of the relation's rows, so that a sum of sums is bounded by the rows
below, not by groups times the largest sum. ``unfiltered`` is the range that no condition has narrowed: padded sizes
follow from it, because they must not depend on a filter's constants.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import prod

from consortia.errors import InternalError
from consortia.plans.catalogue import Catalogue
from consortia.plans.columns import Column
from consortia.plans.expressions import Expr, Ref, columns_of
from consortia.plans.learning import score_bounds
from consortia.plans.lowering.flat import Flat, flattened
from consortia.plans.lowering.nodes import owners_of, tables_of, types_of
from consortia.plans.model import WindowFunction
from consortia.plans.narrowing import narrowed
from consortia.plans.networks import made_bounds
from consortia.plans.query import (
    Computed,
    Filtered,
    Grouped,
    Joined,
    Limited,
    Matched,
    Propagated,
    QueryAggregate,
    Relation,
    Scored,
    Stacked,
    TableRows,
    Windowed,
)
from consortia.plans.ranges import Range, checked, hull, infer, summed
from consortia.plans.sizes import distinct_values
from consortia.plans.sql import bind_predicate
from consortia.plans.tables import find_table, table_columns
from consortia.plans.types import Bounds, ColumnType


@dataclass(frozen=True)
class Fact:
    """One column: its ``range``, and the other bounds that the module speaks of; ``distinct`` counts NULL too."""

    type: ColumnType
    range: Range
    unfiltered: Range
    total: Bounds | None
    distinct: int

    def column(self, name: str) -> Column:
        """The column as a step that gives these values declares it."""
        return _column(name, self.type, self.range)


def _column(name: str, kind: ColumnType, found: Range) -> Column:
    bounds = None if kind.kind in ("key", "text") else found.bounds
    return Column(name=name, type=kind, bounds=bounds, nullable=found.nullable)


@dataclass
class Knowledge:
    """Facts by node and column, computed on demand: a column that nobody reads needs no bounds."""

    catalogue: Catalogue
    as_of: datetime
    _facts: dict[tuple[int, str], tuple[Relation, Fact]] = field(default_factory=dict)
    _rows: dict[int, tuple[Relation, int]] = field(default_factory=dict)

    def rows(self, node: Relation) -> int:
        """The public, padded number of rows."""
        if id(node) not in self._rows:
            self._rows[id(node)] = (node, self._count(node))
        return self._rows[id(node)][1]

    def fact(self, node: Relation, name: str) -> Fact:
        """What is known of the column ``name`` of ``node``; RequestError ``plans/capacity`` or ``plans/no-bounds``."""
        found = self._facts.get((id(node), name))
        if found is None:
            found = (node, self._of(node, name))
            self._facts[id(node), name] = found
        return found[1]

    def columns(self, node: Relation) -> Mapping[str, Column]:
        """The columns of ``node`` by name, as ``infer`` reads them."""
        return _Columns(self, node, unfiltered=False)

    def types(self, node: Relation) -> dict[str, ColumnType]:
        """The types of the columns of ``node``."""
        return types_of(node, self.catalogue)

    def flat(self, node: Relation) -> Flat | None:
        """``node`` as local work of owners, if it is that."""
        return flattened(node, self.catalogue)

    def narrowed_columns(self, flat: Flat) -> dict[str, Column]:
        """The table's columns in the rows that are asked for.

        Words and truth values keep their whole domain: they cost next to nothing, and codes of one enum then always
        count from the same bound.
        """
        table = find_table(self.catalogue, flat.rows.table)
        whole = table_columns(table, self.catalogue)
        columns = whole
        if table.canonical and not flat.rows.owner:
            what = "the canonical predicate"
            columns = narrowed(columns, bind_predicate(table.canonical, table, self.catalogue, self.as_of, what=what))
        if flat.where is not None:
            infer(flat.where, columns)
            columns = narrowed(columns, flat.where)
        return {
            name: column.model_copy(update={"bounds": whole[name].bounds})
            if column.type.kind in ("enum", "bool")
            else column
            for name, column in columns.items()
        }

    # --- rows ---------------------------------------------------------------------------------------------

    def _count(self, node: Relation) -> int:
        match node:
            case TableRows():
                return find_table(self.catalogue, node.table).max_rows * len(owners_of(node, self.catalogue))
            case Filtered() | Computed() | Windowed() | Scored():
                return self.rows(node.source)
            case Joined():
                return self.rows(node.left)
            case Stacked():
                return sum(self.rows(source) for source in node.sources)
            case Limited():
                return min(node.rows, self.rows(node.source))
            case Propagated() | Matched():
                return self.rows(node.accounts)
            case Grouped():
                return self.groups(node)

    def groups(self, node: Grouped) -> int:
        """The most groups of ``node`` over all owners."""
        if not node.keys:
            return 1
        most = min(self.rows(node.source), prod(self.fact(node.source, key).distinct for key in node.keys))
        flat = self.flat(node.source)
        if flat is None:
            return most
        return min(most, self.groups_at_owner(node, flat) * len(owners_of(flat.rows, self.catalogue)))

    def groups_at_owner(self, node: Grouped, flat: Flat) -> int:
        """The most groups at one owner."""
        table = find_table(self.catalogue, flat.rows.table)
        return min(table.max_rows, prod(distinct_values(flat.columns[key], table, self.catalogue) for key in node.keys))

    # --- columns ------------------------------------------------------------------------------------------

    def _of(self, node: Relation, name: str) -> Fact:  # noqa: C901 - a case for each kind of node
        flat = self.flat(node)
        if flat is not None:
            return self._of_table(flat, flat.columns[name])
        match node:
            case Filtered() | Limited():
                return self._within(node, self.fact(node.source, name))
            case Computed():
                named = next(named for named in node.expressions if named.name == name)
                if isinstance(named.expression, Ref):
                    return self.fact(node.source, named.expression.column)
                return self._computed(node, named.expression)
            case Joined():
                return self._joined(node, name)
            case Stacked():
                return self._stacked(node, name)
            case Grouped():
                if name in node.keys:
                    return self._within(node, replace(self.fact(node.source, name), total=None))
                aggregate = next(aggregate for aggregate in node.aggregates if aggregate.name == name)
                return self._aggregate(node, aggregate)
            case Scored(made=made_name) if name == made_name:
                return self._fact(node, self.types(node)[name], Range(score_bounds(), nullable=False))
            case Scored():
                return self.fact(node.source, name)
            case Propagated(made=made_name) if name == made_name:
                return self._fact(node, self.types(node)[name], Range(made_bounds(node.method), nullable=False))
            case Propagated() | Matched():
                return self._within(node, self.fact(node.accounts, name))
            case Windowed():
                made = {each.name: each for each in node.functions}
                if name not in made:
                    return self.fact(node.source, name)
                return self._window(node, made[name])
        raise InternalError("plans/relation", f"no column `{name}` in a {node.node}")

    def _fact(self, node: Relation, kind: ColumnType, found: Range, unfiltered: Range | None = None) -> Fact:
        """A fact of which no more is known than the range of each value."""
        whole = unfiltered or found
        sizes = [self.rows(node)]
        if kind.kind not in ("key", "text") and whole.bounds is not None:
            sizes.append(whole.bounds.hi - whole.bounds.lo + 1 + int(whole.nullable))
        total = None
        if kind.kind in ("int", "decimal") and found.bounds is not None:
            total = summed(found.bounds, self.rows(node))
        return Fact(kind, found, whole, total, min(sizes))

    def _within(self, node: Relation, fact: Fact) -> Fact:
        """The fact over a part of the rows."""
        fresh = self._fact(node, fact.type, fact.range, fact.unfiltered)
        return replace(fresh, total=fact.total or fresh.total, distinct=min(fact.distinct, fresh.distinct))

    def _of_table(self, flat: Flat, expression: Expr) -> Fact:
        table = find_table(self.catalogue, flat.rows.table)
        whole = table_columns(table, self.catalogue)
        types = {name: column.type for name, column in whole.items()}
        owners = len(owners_of(flat.rows, self.catalogue))
        kind = types[expression.column] if isinstance(expression, Ref) else expression.type
        found = infer(expression, self.narrowed_columns(flat))
        fact = self._fact(flat.rows, kind, found, infer(expression, whole))
        return replace(fact, distinct=min(fact.distinct, owners * distinct_values(expression, table, self.catalogue)))

    def _computed(self, node: Computed, expression: Expr) -> Fact:
        if isinstance(expression, Ref):
            raise InternalError("plans/relation", "a plain column is known already")
        found = infer(expression, self.columns(node.source))
        unfiltered = infer(expression, _Columns(self, node.source, unfiltered=True))
        return self._fact(node, expression.type, found, unfiltered)

    def _joined(self, node: Joined, name: str) -> Fact:
        if node.how not in ("inner", "left") or name in self.types(node.left):
            return self._within(node, self.fact(node.left, name))
        fact = self.fact(node.right, name)
        missing = node.how == "left"
        found = Range(fact.range.bounds, fact.range.nullable or missing)
        unfiltered = Range(fact.unfiltered.bounds, fact.unfiltered.nullable or missing)
        fresh = self._fact(node, fact.type, found, unfiltered)
        return replace(fresh, distinct=min(fresh.distinct, fact.distinct + int(missing)))

    def _stacked(self, node: Stacked, name: str) -> Fact:
        facts = [self.fact(source, name) for source in node.sources]
        found, unfiltered = _either([fact.range for fact in facts]), _either([fact.unfiltered for fact in facts])
        fresh = self._fact(node, facts[0].type, found, unfiltered)
        totals = [fact.total for fact in facts if fact.total is not None]
        total = fresh.total
        if len(totals) == len(facts):
            total = Bounds(lo=sum(part.lo for part in totals), hi=sum(part.hi for part in totals))
        return replace(fresh, total=total, distinct=min(fresh.distinct, sum(fact.distinct for fact in facts)))

    def _aggregate(self, node: Grouped, aggregate: QueryAggregate) -> Fact:
        rows = self.rows(node.source)
        match aggregate.function:
            case "count" | "count-rows":
                counted = Bounds(lo=0, hi=rows)
                return replace(self._fact(node, aggregate.type, Range(counted, nullable=False)), total=counted)
            case "count-entities" | "count-distinct":
                return self._fact(node, aggregate.type, Range(Bounds(lo=0, hi=rows), nullable=False))
            case "count-members":
                members = {owner for rows in tables_of(node) for owner in owners_of(rows, self.catalogue)}
                return self._fact(node, aggregate.type, Range(Bounds(lo=0, hi=len(members)), nullable=False))
            case _:
                return self._of_values(node, aggregate)

    def _of_values(self, node: Grouped, aggregate: QueryAggregate) -> Fact:
        """Aggregates that give a value: NULL for a group without any."""
        if aggregate.argument is None:
            raise InternalError("plans/relation", f"`{aggregate.name}` reads nothing")
        source = self._argument(node, aggregate.argument)
        nullable = source.range.nullable or not node.keys
        match aggregate.function:
            case "sum":
                if source.total is None:
                    raise InternalError("plans/relation", f"`{aggregate.name}` is a sum of no number")
                where = columns_of(aggregate.argument)
                bounds = checked(source.total, f"SUM over {self.rows(node.source)} rows", where)
                return replace(self._fact(node, aggregate.type, Range(bounds, nullable)), total=bounds)
            case "min" | "max" | "quantile":
                unfiltered = Range(source.unfiltered.bounds, source.unfiltered.nullable or not node.keys)
                return self._fact(node, aggregate.type, Range(source.range.bounds, nullable), unfiltered)
            case "median" if source.range.bounds is not None:
                # half of a sum of two values of the column, with one more decimal place
                wide = Bounds(lo=source.range.bounds.lo * 10, hi=source.range.bounds.hi * 10)
                return self._fact(node, aggregate.type, Range(wide, nullable))
        raise InternalError("plans/relation", f"`{aggregate.function}` should have been expanded")

    def _argument(self, node: Grouped, argument: Expr) -> Fact:
        if isinstance(argument, Ref):
            return self.fact(node.source, argument.column)
        found = infer(argument, self.columns(node.source))
        unfiltered = infer(argument, _Columns(self, node.source, unfiltered=True))
        return self._fact(node.source, argument.type, found, unfiltered)

    def _window(self, node: Windowed, made: WindowFunction) -> Fact:
        kind = self.types(node)[made.name]
        rows = self.rows(node)
        match made.function:
            case "row-number" | "rank" | "dense-rank":
                return self._fact(node, kind, Range(Bounds(lo=1, hi=rows), nullable=False))
            case "count":
                return self._fact(node, kind, Range(Bounds(lo=0, hi=rows), nullable=False))
            case "sum":
                source = self.fact(node.source, made.column)
                if source.range.bounds is None:
                    raise InternalError("plans/relation", f"a sum of `{made.column}`, which is no number")
                bounds = summed(source.range.bounds, rows)
                checked(bounds, f"a running SUM over {rows} rows", frozenset((made.column,)))
                return self._fact(node, kind, Range(bounds, source.range.nullable))


class _Columns(Mapping[str, Column]):
    """The columns of a node as a mapping that computes what is read."""

    def __init__(self, knowledge: Knowledge, node: Relation, *, unfiltered: bool) -> None:
        self._knowledge = knowledge
        self._node = node
        self._unfiltered = unfiltered

    def __getitem__(self, name: str) -> Column:
        fact = self._knowledge.fact(self._node, name)
        return _column(name, fact.type, fact.unfiltered if self._unfiltered else fact.range)

    def __iter__(self) -> Iterator[str]:
        return iter(self._knowledge.types(self._node))

    def __len__(self) -> int:
        return len(self._knowledge.types(self._node))


def _either(parts: list[Range]) -> Range:
    known = [part.bounds for part in parts if part.bounds is not None]
    return Range(hull(known) if known else None, nullable=any(part.nullable for part in parts))
