"""Scalar expressions of a plan: closed, typed by the planner, rendered to SQL for owners and evaluated on shares.

Every expression is one of: ``Ref`` (a column of the step's input), ``Const`` (a typed literal; NULL has no
value), ``Call`` (an operator over expressions). Three-valued logic is SQL's. Operators (``Op``):

- arithmetic: add, subtract, multiply, negate, divide (integers truncate towards zero), modulo
- comparison: eq, ne, lt, le, gt, ge; ``is_null``
- logic: and, or, not (n-ary and/or)
- choice: case (condition, value, condition, value, ..., otherwise), coalesce, in (value, candidates...)
- cast (to the node's type): int to decimal and decimal to another scale; never to a narrower one
- round (to the node's scale, half away from zero), floor, ceil (to the node's scale), abs, greatest, least (of the
  arguments that are not NULL)
- functions with a decimal result of ``FUNCTION_SCALE`` places: sqrt, ln (NULL outside their domains), exp, sigmoid, and
  power (of a number to a constant integer or decimal). Their errors stand in docs/reference/functions.md
- member: no arguments, the id of the member that holds the row (text)
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from consortia.plans.types import ColumnType
from consortia.trust.documents import Frozen, Integer

Op = Literal[
    "add", "subtract", "multiply", "negate", "divide", "modulo",
    "eq", "ne", "lt", "le", "gt", "ge", "is_null",
    "and", "or", "not", "case", "coalesce", "in", "cast", "member",
    "round", "floor", "ceil", "abs", "greatest", "least", "sqrt", "ln", "exp", "sigmoid", "power",
]  # fmt: skip

FUNCTION_SCALE = 6
"""Decimal places of sqrt, ln, exp, sigmoid and power."""


class Ref(Frozen):
    """A column of the input, by name."""

    node: Literal["ref"] = "ref"
    column: str


class Const(Frozen):
    """A literal in carried units: ``integer`` for all kinds but text, key and enum words, which use ``text``.

    Both None is NULL of the given type. The code of an enum word stands in ``integer``, its word in ``text``.
    """

    node: Literal["const"] = "const"
    type: ColumnType
    integer: Integer | None = None
    text: str | None = None


class Call(Frozen):
    """An operator over expressions, with the type of its result."""

    node: Literal["call"] = "call"
    op: Op
    args: tuple[Expr, ...] = ()
    type: ColumnType


Expr = Annotated[Ref | Const | Call, Field(discriminator="node")]
Call.model_rebuild()


def columns_of(expression: Expr) -> frozenset[str]:
    """Names of all columns that ``expression`` reads."""
    match expression:
        case Ref(column=column):
            return frozenset((column,))
        case Call(args=args):
            return frozenset().union(*(columns_of(arg) for arg in args))
        case _:
            return frozenset()
