"""Where a column of a step comes from: the owner's columns, what they have become, and inside which expression.

Before the last aggregation a source says what each *row* holds (a value, a nested query's sum, whether a row found a
partner, ...), after it what each *group* holds. ``form`` says how the number depends on the source: a sum over rows of
a ``plain`` or ``linear`` one rests on every row alike, one of a ``shape`` or ``condition`` may rest on one row.
"""

from dataclasses import dataclass
from typing import Literal

from consortia.plans.expressions import Call, Const, Expr, Ref

Kind = Literal[
    # of a row
    "value",  # the owner's value
    "total",  # a sum that a nested query made
    "tally",  # the number of a column's values, or of its distinct ones, that a nested query made
    "least",  # one of the values, chosen by their order: a nested query's minimum, maximum or quantile
    "row",  # the row itself, so also a constant in each row: a sum of it counts rows
    "grouped-row",  # the same where an owner has grouped its rows
    "present",  # the combination of a nested group's keys: the number of such rows is one of distinct values
    "row-count",  # a nested query's number of rows
    "member-count",  # a nested query's number of members
    "member",  # the id of the member that holds the row
    "mark",  # which of several stacked relations the row comes from
    "match",  # whether the row found a partner in a join that keeps rows without one
    "gap",  # is NULL in some rows
    "place",  # a window's number: the row's place in an order
    "learned",  # what a joint model learnt of all rows, in a score or in the model itself; of a group too
    "scored",  # what a score is made of in its own row; of a group too
    "judged",  # the label by which a model is judged; of a group too
    "traced",  # a number that payments between accounts brought about; of a group too
    # of a group that the last aggregation made
    "sum",
    "count",
    "entities",  # number of distinct values
    "rows",  # number of rows
    "members",  # number of members
    "extreme",  # least or greatest value
    "quantile",
    "variance",  # sum of squares
    "ranked",  # an order decided which value of each entity counts
    "met",  # whether several stacked relations hold a row with these keys
    "selection",  # decides which rows a number is made of
    "gaps",  # is NULL in some of the rows that a number is made of
]
Form = Literal["plain", "linear", "square", "shape", "condition"]
Use = Literal["plain", "linear", "square", "shape", "condition", "member", "constant"]

ROWS: frozenset[Kind] = frozenset(("row", "grouped-row", "present"))
"""Kinds of a row's existence; in a column they stand for a constant."""
OF_ROWS: frozenset[Kind] = frozenset(
    ("row", "grouped-row", "row-count", "member-count", "member", "mark", "rows", "members")
)
"""Kinds that are about rows as such, not about a column."""
SHAPES = frozenset(
    ("multiply", "divide", "modulo", "coalesce", "abs", "greatest", "least", "round", "floor", "ceil")
) | frozenset(("sqrt", "ln", "exp", "sigmoid", "power"))
"""Operators whose result is a number that is not linear in their arguments."""


@dataclass(frozen=True, slots=True, order=True)
class ColumnSource:
    """A column of an owner's table; ``column`` is empty where rows as such are meant.

    ``mixed``: made of rows of several entities beside the row's own, as a running sum over all customers is.
    ``trail`` lists the steps on the way.
    """

    owner: str
    table: str
    column: str
    kind: Kind
    form: Form = "plain"
    mixed: bool = False
    trail: tuple[str, ...] = ()


Sources = frozenset[ColumnSource]


def uses_of(expression: Expr) -> frozenset[tuple[str, Use]]:
    """Columns that ``expression`` reads, each in the form that it has there.

    ``""`` stands for the row itself: as ``member`` where the holder's id is read, as ``constant`` where a constant is
    added, so that a sum of it would count rows.
    """
    match expression:
        case Ref(column=column):
            return frozenset(((column, "plain"),))
        case Const(integer=integer):
            return frozenset((("", "constant"),)) if integer else frozenset()
        case Call(op="member"):
            return frozenset((("", "member"),))
        case Call(op="cast", args=args):
            return _of_all(args)
        case Call(op="add" | "subtract" | "negate", args=args):
            return _as("linear", _of_all(args))
        case Call(op="multiply", args=args) if sum(not isinstance(arg, Const) for arg in args) == 1:
            return _as("linear", _of_all(tuple(arg for arg in args if not isinstance(arg, Const))))
        case Call(op="multiply", args=[left, right]) if left == right and _of_one_column(left):
            # (a x + b)^2 is made of x^2, x and a constant.
            uses = uses_of(left)
            return _as("square", uses) if isinstance(_bare(left), Ref) else _as("square", uses) | _as("linear", uses)
        case Call(op="case", args=args):
            pairs = len(args) // 2
            conditions = tuple(args[2 * place] for place in range(pairs))
            results = tuple(args[2 * place + 1] for place in range(pairs)) + args[2 * pairs :]
            return _as("condition", _of_all(conditions)) | _as("shape", _of_all(results))
        case Call(op=op, args=args):
            return _as("shape" if op in SHAPES else "condition", _of_all(args))


def _of_all(expressions: tuple[Expr, ...]) -> frozenset[tuple[str, Use]]:
    return frozenset().union(*(uses_of(expression) for expression in expressions))


def _bare(expression: Expr) -> Expr:
    """The expression without casts around it."""
    while isinstance(expression, Call) and expression.op == "cast":
        expression = expression.args[0]
    return expression


def _of_one_column(expression: Expr) -> bool:
    """Whether the expression is linear in one column."""
    uses = uses_of(expression)
    forms = {use for _, use in uses}
    return len({column for column, _ in uses if column}) == 1 and forms <= {"plain", "linear", "constant"}


def _as(form: Form, uses: frozenset[tuple[str, Use]]) -> frozenset[tuple[str, Use]]:
    """The same columns inside one more operator; a constant in a condition is no term of a sum."""
    found: set[tuple[str, Use]] = set()
    for column, use in uses:
        if use == "member" or (use == "constant" and form != "condition"):
            found.add((column, use))
        elif use != "constant":
            found.add((column, combined(form, use)))
    return frozenset(found)


def combined(outer: Form, inner: Form) -> Form:
    """The form of a number of form ``inner`` inside an expression that is of form ``outer`` in it."""
    if "condition" in (outer, inner):
        return "condition"
    if outer == "plain":
        return inner
    if outer == "linear":
        return "linear" if inner == "plain" else inner
    if outer == "square" and inner in ("plain", "linear"):
        return "square"
    return "shape"
