"""A projection on shares: each column in the domain and the bounds that it declares."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import takewhile

from consortia.errors import InternalError, RequestError
from consortia.execution.fit import Nulls, declared_nulls, form_of
from consortia.execution.translate import translated
from consortia.plans.expressions import Call, Expr, Ref
from consortia.plans.model import Named, Project
from consortia.plans.types import ColumnType
from consortia.protocols.engine import Engine
from consortia.protocols.relational.compute import computed
from consortia.protocols.relational.table import Ordering, SharedTable


def projected(
    engine: Engine, step: Project, table: SharedTable, types: Mapping[str, ColumnType], live: frozenset[str]
) -> SharedTable:
    """The columns of ``step`` that are ``live``; ``types`` are those of the input's columns. Rows keep their places.

    Raises InternalError ``execution/shape`` if a column may be NULL and must not, and RequestError
    ``execution/capacity`` where a value may leave what shares compute with.
    """
    declared = {column.name: column for column in step.columns}
    columns = {}
    for named in step.expressions:
        if named.name in live:
            column = declared[named.name]
            with within_capacity(f"column `{named.name}`"):
                expression = translated(named.expression, types)
                made = computed(engine.narrow(f"column-{named.name}"), table, expression, form_of(column))
            nulls: Nulls = "gone" if _may_have_no_value(named.expression) else "never"
            columns[named.name] = declared_nulls(table, made, column, step.id, nulls)
    return replace(table, columns=columns, order=_order(table.order, step.expressions, live))


@contextmanager
def within_capacity(place: str) -> Iterator[None]:
    """RequestError ``execution/capacity`` in place of what operators say of values that do not fit the ring."""
    try:
        yield
    except InternalError as error:
        if error.code not in ("fixed/range", "relational/range", "learning/range"):
            raise
        raise RequestError(
            "execution/capacity",
            f"shares compute with values below 2^62 only: {error.message}",
            place=place,
            remedy="narrow the bounds in the catalogue, take fewer decimal places, or let the owners compute it",
        ) from error


def _may_have_no_value(expression: Expr) -> bool:
    """Whether some operator inside has arguments for which it is NULL, which bounds can rule out."""
    match expression:
        case Call(op=op, args=args):
            return op in ("divide", "modulo", "sqrt", "ln", "power") or any(_may_have_no_value(arg) for arg in args)
        case _:
            return False


def _order(order: Sequence[Ordering], expressions: Sequence[Named], live: frozenset[str]) -> tuple[Ordering, ...]:
    """The order as far as its columns go on, under their new names."""
    names = {
        named.expression.column: named.name
        for named in expressions
        if isinstance(named.expression, Ref) and named.name in live
    }
    kept = takewhile(lambda key: key.column in names, order)
    return tuple(replace(key, column=names[key.column]) for key in kept)
