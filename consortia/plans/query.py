"""What a SQL text asks for, bound to the catalogue and typed, before anybody's obligations or sizes.

A query has one relation, group keys, aggregates, a condition on groups, and outputs computed from keys and
aggregates. Names of keys and aggregates are unique within the query and differ from the table's other columns.
"""

from typing import Literal

from consortia.plans.expressions import Expr
from consortia.plans.model import Named, SortKey
from consortia.plans.types import ColumnType
from consortia.trust.documents import Frozen, Name

QueryFunction = Literal["sum", "count", "count-rows", "avg", "count-members", "count-entities"]


class QueryAggregate(Frozen):
    """One aggregate over the rows of a group. ``argument`` is an expression over the table's columns, or None."""

    name: str
    function: QueryFunction
    argument: Expr | None = None
    type: ColumnType


class Query(Frozen):
    """A bound query. ``where`` and ``keys`` read the table; ``having`` and ``outputs`` read keys and aggregates.

    ``owner`` is the one member whose part is asked for (``member.table``), or empty for the logical table.
    ``order_by`` names outputs; the remaining outputs follow it, so that the order is total.
    """

    sql: str
    table: Name
    owner: str = ""
    where: Expr | None = None
    keys: tuple[Named, ...] = ()
    aggregates: tuple[QueryAggregate, ...] = ()
    having: Expr | None = None
    outputs: tuple[Named, ...]
    order_by: tuple[SortKey, ...] = ()
