"""What a SQL text asks for, bound to the catalogue and typed, before anybody's obligations or sizes.

A query has rows to read, group keys, aggregates, a condition on groups, and outputs computed from keys and
aggregates. The rows are those of one table (``table``, ``owner``, ``where``), which owners filter and group in clear,
or a ``relation`` made of several tables or of nested queries, most of which is computed on shares.
Names of keys and aggregates are unique within the query and differ from the other columns of its rows.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from consortia.plans.expressions import Expr
from consortia.plans.learning import Learning, RegressionMethod
from consortia.plans.model import JoinKey, JoinKind, Named, SortKey, WindowFunction
from consortia.plans.networks import Carrying, Pattern
from consortia.plans.noised import Quantile
from consortia.plans.types import ColumnType
from consortia.trust.documents import Frozen, Integer, Name

QueryFunction = Literal[
    "sum", "count", "count-rows", "avg", "count-members", "count-entities",
    "count-distinct", "min", "max", "quantile", "median",
    "variance", "variance-pop", "deviation", "deviation-pop",
]  # fmt: skip


class QueryAggregate(Frozen):
    """One aggregate over the rows of a group. ``argument`` is an expression over the rows' columns, or None.

    ``numerator`` / ``denominator`` is the share of a quantile.
    """

    name: str
    function: QueryFunction
    argument: Expr | None = None
    type: ColumnType
    numerator: int = 0
    denominator: int = 1


class TableRows(Frozen):
    """Rows of a table under its columns' names: of all members that hold it, or of ``owner`` alone."""

    node: Literal["table"] = "table"
    table: Name
    owner: str = ""


class Filtered(Frozen):
    """Rows for which ``predicate`` is TRUE."""

    node: Literal["filtered"] = "filtered"
    source: Relation
    predicate: Expr


class Computed(Frozen):
    """Exactly these columns, in this order."""

    node: Literal["computed"] = "computed"
    source: Relation
    expressions: tuple[Named, ...]


class Joined(Frozen):
    """Rows of ``left`` with those of ``right`` that have equal keys; at most one, or the query is refused.

    Columns: those of both, whose names differ; of ``left`` alone for semi, anti and not-in. Further conditions of ON
    stand in a ``Filtered`` above (inner) or below (on the right alone: left, semi, anti).
    """

    node: Literal["joined"] = "joined"
    how: JoinKind
    left: Relation
    right: Relation
    on: tuple[JoinKey, ...]


class Stacked(Frozen):
    """UNION ALL: the rows of all ``sources``, whose columns have the same names and types."""

    node: Literal["stacked"] = "stacked"
    sources: tuple[Relation, ...]


class Grouped(Frozen):
    """One row for each combination of ``keys`` (NULL equals NULL), with ``aggregates``; DISTINCT has none of these.

    INTERSECT and EXCEPT are made of it: both sides stacked with constant marks, grouped by all columns, filtered by
    the sums of the marks.
    """

    node: Literal["grouped"] = "grouped"
    source: Relation
    keys: tuple[str, ...]
    aggregates: tuple[QueryAggregate, ...] = ()


class Windowed(Frozen):
    """The columns of ``source`` and those of ``functions``, of one PARTITION BY and ORDER BY."""

    node: Literal["windowed"] = "windowed"
    source: Relation
    partition: tuple[str, ...]
    order: tuple[SortKey, ...]
    functions: tuple[WindowFunction, ...]
    types: tuple[ColumnType, ...]
    """The types of ``functions``, in their order."""


class Limited(Frozen):
    """The first ``rows`` rows in the order of ``order``, then of all other columns, so that it is total."""

    node: Literal["limited"] = "limited"
    source: Relation
    order: tuple[SortKey, ...]
    rows: int


class Propagated(Frozen):
    """The rows of ``accounts`` and a number ``made`` of what reaches each along ``payments``: ``model.Propagate``.

    ``later`` are the payments of further periods, with columns of the same names.
    """

    node: Literal["propagated"] = "propagated"
    accounts: Relation
    payments: Relation
    later: tuple[Relation, ...] = ()
    key: str
    score: str = ""
    source: str
    target: str
    amount: str
    made: str
    method: Carrying


class Matched(Frozen):
    """The rows of ``accounts`` that stand in a pattern of ``payments`` (see ``model.Match``).

    ``seeds`` are the accounts where a taint begins, their key is the column ``seed``; None and "" for other patterns.
    """

    node: Literal["matched"] = "matched"
    accounts: Relation
    payments: Relation
    key: str
    source: str
    target: str
    amount: str
    time: str
    seeds: Relation | None = None
    seed: str = ""
    method: Pattern


class Scored(Frozen):
    """The rows of ``source`` and the score ``made`` of a model that learns ``label`` of ``features`` from them.

    Rows in which ``held`` is 1 are not learnt from ("": all are): ``model.Fit`` and ``model.Score``.
    """

    node: Literal["scored"] = "scored"
    source: Relation
    features: tuple[str, ...]
    label: str
    held: str = ""
    made: str
    method: Learning


Relation = Annotated[
    TableRows | Filtered | Computed | Joined | Stacked | Grouped | Windowed | Limited | Propagated | Matched | Scored,
    Field(discriminator="node"),
]
for _node in (Filtered, Computed, Joined, Stacked, Grouped, Windowed, Limited, Propagated, Matched, Scored):
    _node.model_rebuild()


class Histogram(Frozen):
    """What was asked of a query of quantiles, and the bins by which it is answered with noise (``plans.histogram``)."""

    bin: str
    rows: str
    lo: Integer
    hi: Integer
    width: Integer
    quantiles: tuple[Quantile, ...]
    types: tuple[ColumnType, ...]
    outputs: tuple[Named, ...]
    order_by: tuple[SortKey, ...]


class Modelled(Frozen):
    """What is opened of the rows is a model: weights of ``features`` and an intercept, learnt from ``label``.

    ``subject`` is the key that says whose row it is, one row each. Rows in which ``held`` is 1 are not learnt from.
    """

    subject: str
    features: tuple[str, ...]
    label: str
    held: str = ""
    method: RegressionMethod


class Query(Frozen):
    """A bound query. ``where`` and ``keys`` read the rows; ``having`` and ``outputs`` read keys and aggregates.

    ``table`` is empty where the rows are a ``relation``; ``owner`` is the one member whose part is asked for
    (``member.table``), or empty for the logical table. ``order_by`` names outputs; the remaining outputs follow it,
    so that the order is total. ``limit`` is the number of released rows in that order, None for all.

    Of a ``model`` the keys are what is learnt from, and the outputs columns of the model.
    """

    sql: str
    table: str = ""
    owner: str = ""
    where: Expr | None = None
    relation: Relation | None = None
    keys: tuple[Named, ...] = ()
    aggregates: tuple[QueryAggregate, ...] = ()
    having: Expr | None = None
    outputs: tuple[Named, ...]
    order_by: tuple[SortKey, ...] = ()
    limit: int | None = None
    model: Modelled | None = None
