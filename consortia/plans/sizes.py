"""How many values an expression can have at one owner: from domains, ``max_distinct`` and ``max_rows``.

Never from a filter's constants or from data, because padded sizes follow from it.
"""

from collections.abc import Mapping
from math import prod

from consortia.plans.catalogue import Catalogue, CatalogueTable
from consortia.plans.columns import Column
from consortia.plans.expressions import Expr, Ref, columns_of
from consortia.plans.meaning import type_of
from consortia.plans.ranges import infer
from consortia.plans.tables import table_columns


def domain_size(expression: Expr, columns: Mapping[str, Column]) -> int | None:
    """The number of values that it can have at all, NULL included; None where nobody knows them beforehand."""
    types = {name: columns[name].type for name in columns_of(expression)}
    if type_of(expression, types).kind in ("key", "text"):
        return None
    found = infer(expression, columns)
    if found.bounds is None:
        return None
    return found.bounds.hi - found.bounds.lo + 1 + int(found.nullable)


def distinct_values(expression: Expr, table: CatalogueTable, catalogue: Catalogue) -> int:
    """The most values of ``expression`` over the table's columns at one owner, NULL included."""
    sizes = [table.max_rows]
    size = domain_size(expression, table_columns(table, catalogue))
    if size is not None:
        sizes.append(size)
    if isinstance(expression, Ref):
        column = next(column for column in table.columns if column.name == expression.column)
        if column.max_distinct:
            sizes.append(column.max_distinct + int(column.nullable))
    else:
        parts = sorted(columns_of(expression))
        sizes.append(prod(distinct_values(Ref(column=name), table, catalogue) for name in parts))
    return min(sizes)
