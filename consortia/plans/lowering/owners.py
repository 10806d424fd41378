"""The owners' parts of a table occurrence: scan, filters, projection, and the rows that they share."""

from collections.abc import Mapping, Sequence

from consortia.plans.columns import Column
from consortia.plans.expressions import Expr, columns_of
from consortia.plans.lowering.context import Context, check_shareable, in_order
from consortia.plans.lowering.flat import Flat
from consortia.plans.lowering.made import Made, shared_column
from consortia.plans.lowering.needs import Needs, combined
from consortia.plans.lowering.nodes import owners_of
from consortia.plans.lowering.uses import Use
from consortia.plans.model import Filter, Named, Project, Scan, Share, Union
from consortia.plans.narrowing import narrowed
from consortia.plans.query import Relation
from consortia.plans.ranges import infer
from consortia.plans.sql import bind_predicate
from consortia.plans.tables import find_table, table_columns
from consortia.plans.variants import with_column


def share_rows(context: Context, node: Relation, flat: Flat, needs: Needs) -> Made:
    """The single rows of a table occurrence on shares, with the columns needed."""
    types = context.knowledge.types(node)
    wanted = in_order(needs, types)
    names = context.builder.names_of(wanted)
    projected, columns = [], []
    for name, use in wanted:
        check_shareable(name, types[name])
        fact = context.knowledge.fact(node, name)
        found = combined(fact.range, needs[name, use]) or fact.range
        columns.append(shared_column(names[name, use], types[name], use, found))
        projected.append(Named(name=names[name, use], expression=flat.columns[name]))
    rows = find_table(context.catalogue, flat.rows.table).max_rows
    last = {
        owner: project_rows(context, flat, owner, projected, columns)
        for owner in owners_of(flat.rows, context.catalogue)
    }
    return united(context, last, columns, rows, names)


def united(
    context: Context,
    last: Mapping[str, str],
    columns: Sequence[Column],
    rows: int,
    places: Mapping[tuple[str, Use], str],
) -> Made:
    """Every owner's ``last`` step shared, ``rows`` rows each, and the union of them."""
    builder = context.builder
    shares = []
    for owner, step in last.items():
        share = {**builder.place((step,), f"owner:{owner}"), "rows": rows, "columns": tuple(columns), "owner": owner}
        shares.append(builder.add(Share.model_validate(share)))
    total = rows * len(shares)
    union = {**builder.place(shares, "shared"), "rows": total, "columns": tuple(columns), "owners": tuple(last)}
    return Made(builder.add(Union.model_validate(union)), total, tuple(columns), places)


def project_rows(
    context: Context, flat: Flat, owner: str, projected: Sequence[Named], columns: Sequence[Column]
) -> str:
    """The steps of ``owner`` up to the projection, which gives ``columns``; the id of the last."""
    builder = context.builder
    table = find_table(context.catalogue, flat.rows.table)
    filters = _filters(context, flat, owner)
    expressions = (*(predicate for _, predicate in filters), *(named.expression for named in projected))
    read = frozenset().union(*(columns_of(expression) for expression in expressions))
    here = {name: column for name, column in table_columns(table, context.catalogue).items() if name in read}
    rows, at = table.max_rows, f"owner:{owner}"
    scan = {**builder.place((), at), "rows": rows, "columns": tuple(here.values()), "table": table.name}
    last = builder.add(Scan.model_validate(scan))
    for origin, predicate in filters:
        infer(predicate, here)
        if origin != "row-scope":  # a row scope is one owner's own: narrowing by it would set the owners apart
            here = narrowed(here, predicate)
        step = {"rows": rows, "columns": tuple(here.values()), "predicate": predicate, "origin": origin}
        last = builder.add(Filter.model_validate({**builder.place((last,), at), **step}))
    clear = tuple(with_column(column, domain="clear") for column in columns)
    project = {"rows": rows, "columns": clear, "expressions": tuple(projected)}
    return builder.add(Project.model_validate({**builder.place((last,), at), **project}))


def _filters(context: Context, flat: Flat, owner: str) -> list[tuple[str, Expr]]:
    """What keeps rows out, with its origin: the catalogue's predicate, the owner's scopes, the query."""
    table = find_table(context.catalogue, flat.rows.table)
    found: list[tuple[str, Expr]] = []
    if table.canonical and not flat.rows.owner:
        what = "the canonical predicate"
        found.append(("canonical", bind_predicate(table.canonical, table, context.catalogue, context.as_of, what=what)))
    found += [
        ("row-scope", scope.predicate)
        for scope in context.obligations.row_scopes
        if (scope.owner, scope.table) == (owner, table.name)
    ]
    if flat.where is not None:
        found.append(("where", flat.where))
    return found
