"""What one table occurrence is asked for, in clear at its owners: filters and row-wise columns put into one piece.

``Filtered`` and ``Computed`` above a table fold into one condition and one expression for each column, because
expressions are pure: owners decide and compute them in their own database, and nothing of it is computed on shares.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from consortia.plans.catalogue import Catalogue
from consortia.plans.expressions import Expr, Ref
from consortia.plans.query import Computed, Filtered, Relation, TableRows
from consortia.plans.tables import find_table
from consortia.plans.trees import conjunction, conjuncts, substitute


@dataclass(frozen=True)
class Flat:
    """Rows of ``rows`` for which ``where`` is TRUE, and their columns as expressions over the table's columns."""

    rows: TableRows
    where: Expr | None
    columns: Mapping[str, Expr]


def flattened(node: Relation, catalogue: Catalogue) -> Flat | None:
    """``node`` as one piece of local work; None if it is more than filters and projections over a table."""
    match node:
        case TableRows():
            table = find_table(catalogue, node.table)
            return Flat(node, None, {column.name: Ref(column=column.name) for column in table.columns})
        case Filtered():
            below = flattened(node.source, catalogue)
            if below is None:
                return None
            parts = (*conjuncts(below.where), *conjuncts(substitute(node.predicate, below.columns)))
            return Flat(below.rows, conjunction(parts), below.columns)
        case Computed():
            below = flattened(node.source, catalogue)
            if below is None:
                return None
            columns = {named.name: substitute(named.expression, below.columns) for named in node.expressions}
            return Flat(below.rows, below.where, columns)
        case _:
            return None
