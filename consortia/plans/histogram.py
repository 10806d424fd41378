"""Quantiles with noise: a noisy histogram over public bins, of which the recipient reads the quantiles off.

A quantile of single values can't be given noise; the numbers of rows in public bins can. The bins part the clip bounds
of the column evenly; the query becomes a count by its keys and the bin, and what was asked is computed from that.
"""

from collections.abc import Mapping, Sequence
from math import prod

from consortia.plans.allocation import unprotected
from consortia.plans.columns import Column
from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.meaning import BOOL, INT, type_of
from consortia.plans.model import Named, Project, Release, Sort, SortKey, Step
from consortia.plans.noised import Quantile
from consortia.plans.noisy_steps import MOST_CELLS
from consortia.plans.obligations import NoiseTerms
from consortia.plans.query import Histogram, Query, QueryAggregate
from consortia.plans.ranges import infer
from consortia.plans.sizes import domain_size
from consortia.plans.steps_of_noise import Quantiles
from consortia.plans.types import Bounds, ColumnType
from consortia.plans.wording import listed

MOST_BINS = 64
"""More bins tell the value more finely, and add up more noise below it."""
OF_VALUES = ("quantile", "median")
_TENTHS = 10
"""A median has one place more than its column."""


def wants_histogram(query: Query) -> bool:
    """Whether a query over one table asks for quantiles."""
    return query.relation is None and any(made.function in OF_VALUES for made in query.aggregates)


def histogram_of(query: Query, bounds: tuple[int, int], cells: int, names: Sequence[str]) -> Histogram:
    """The histogram within ``bounds`` that ``query`` needs; ``names`` are fresh ones for bins and rows."""
    lo, hi = bounds
    values = hi - lo + 1
    most = min(MOST_BINS, MOST_CELLS // cells - 1)  # and one for NULL
    if most < 2:
        raise unprotected(f"a histogram in each of {cells} cells")
    width = -(-values // min(most, values))
    return Histogram(
        bin=names[0],
        rows=names[1],
        lo=lo,
        hi=hi,
        width=width,
        quantiles=tuple(_quantile(made) for made in query.aggregates),
        types=tuple(made.type for made in query.aggregates),
        outputs=query.outputs,
        order_by=query.order_by,
    )


def column_of(query: Query) -> str:
    """The one column whose quantiles, and nothing else, ``query`` asks for; RequestError ``plans/noise`` otherwise."""
    arguments = {made.argument for made in query.aggregates}
    others = [made.function for made in query.aggregates if made.function not in OF_VALUES]
    argument = next(iter(arguments), None)
    if others or len(arguments) != 1 or not isinstance(argument, Ref):
        raise unprotected(f"quantiles beside {listed(tuple(others)) or 'those of another value'} in one query,")
    if query.having is not None or query.limit is not None:
        raise unprotected("quantiles with HAVING or LIMIT")
    return argument.column


def counted(query: Query, column: str, made: Histogram, bounds: tuple[int, int], *, nullable: bool) -> Query:
    """The query of the histogram: numbers of rows by the keys and the bin."""
    lo, hi = bounds
    value: Expr = Ref(column=column)
    known = Call(op="coalesce", args=(value, _whole(lo)), type=INT) if nullable else value
    clipped = Call(op="greatest", args=(Call(op="least", args=(known, _whole(hi)), type=INT), _whole(lo)), type=INT)
    above = Call(op="subtract", args=(clipped, _whole(lo)), type=INT)
    place: Expr = Call(op="divide", args=(above, _whole(made.width)), type=INT)
    if nullable:  # rows without a value have a bin of their own, which the recipient leaves out
        missing = Call(op="is_null", args=(value,), type=BOOL)
        place = Call(op="case", args=(missing, Const(type=INT), place), type=INT)
    keys = (*query.keys, Named(name=made.bin, expression=place))
    opened = tuple(Named(name=key.name, expression=Ref(column=key.name)) for key in keys)
    return query.model_copy(
        update={
            "keys": keys,
            "aggregates": (QueryAggregate(name=made.rows, function="count-rows", type=INT),),
            "outputs": (*opened, Named(name=made.rows, expression=Ref(column=made.rows))),
            "order_by": (),
        }
    )


def bounds_of_clip(terms: NoiseTerms, table: str, column: str, kind: ColumnType) -> tuple[int, int]:
    """The ends of the bins."""
    clip = terms.clip(table, column)
    if clip is None or kind.kind != "int":
        raise unprotected("quantiles of anything but whole numbers with clip bounds")
    return clip.lo, clip.hi


def cells_of(keys: Sequence[Named], columns: Mapping[str, Column]) -> int:
    """The number of cells of the query's own keys."""
    sizes = [domain_size(key.expression, columns) for key in keys]
    known = [size for size in sizes if size is not None]
    if len(known) != len(sizes):
        raise unprotected("quantiles by groups whose values nobody knows beforehand")
    return prod(known)


def read_off(steps: Sequence[Step], made: Histogram) -> list[Step]:
    """The steps of a noisy histogram, at whose end the recipient reads the quantiles off and shows what was asked."""
    release = next(step for step in steps if isinstance(step, Release))
    keys = tuple(column for column in release.columns if column.name not in (made.bin, made.rows))
    factors = {each.name: each.factor for each in made.quantiles}
    found = tuple(
        Column(
            name=name, type=kind, nullable=True, visibility="recipient",
            bounds=Bounds(lo=made.lo * factors[name], hi=made.hi * factors[name]),
        )
        for name, kind in zip(factors, made.types, strict=True)
    )  # fmt: skip
    columns = {column.name: column for column in (*keys, *found)}
    quantiles = Quantiles(
        id="quantiles", inputs=(release.id,), at="recipient", rows=release.rows, columns=tuple(columns.values()),
        keys=tuple(column.name for column in keys), bin=made.bin, counts=made.rows, lo=made.lo, hi=made.hi,
        width=made.width, quantiles=made.quantiles,
    )  # fmt: skip
    shown = tuple(_shown(named, columns) for named in made.outputs)
    project = Project(
        id="shown", inputs=(quantiles.id,), at="recipient", rows=release.rows, columns=shown, expressions=made.outputs
    )
    given = tuple(key.column for key in made.order_by)
    order = (*made.order_by, *(SortKey(column=column.name) for column in shown if column.name not in given))
    sort = Sort(id="sorted", inputs=(project.id,), at="recipient", rows=release.rows, columns=shown, keys=order)
    return [step for step in steps if step.at != "recipient"] + [quantiles, project, sort]


def _shown(named: Named, columns: Mapping[str, Column]) -> Column:
    found = infer(named.expression, columns)
    types = {name: column.type for name, column in columns.items()}
    return Column(name=named.name, type=type_of(named.expression, types), bounds=found.bounds, nullable=found.nullable)


def _quantile(made: QueryAggregate) -> Quantile:
    median = made.function == "median"
    return Quantile(
        name=made.name,
        numerator=1 if median else made.numerator,
        denominator=2 if median else made.denominator,
        factor=_TENTHS if median else 1,
    )


def _whole(value: int) -> Const:
    return Const(type=INT, integer=value)
