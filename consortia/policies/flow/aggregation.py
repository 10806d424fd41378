"""What a source becomes inside an aggregate: of a nested query, whose groups are the rows of another, or of the last.

A nested query's aggregate over the rows of one entity is that entity's *value*; contributors are counted at the end,
by the last aggregation. So a sum of sums is a sum, and whatever picks out rows inside stays a selection.
"""

from dataclasses import replace
from fractions import Fraction

from consortia.plans.model import Aggregate, AggregateFunction
from consortia.policies.flow.sources import ROWS, ColumnSource, Form, Kind, Sources

_SUMMED: dict[Kind, Kind] = {
    "value": "sum", "total": "sum", "least": "sum", "tally": "count",
    "row": "rows", "grouped-row": "rows", "present": "entities", "row-count": "rows", "member-count": "members",
    "traced": "traced", "learned": "learned", "scored": "scored", "judged": "judged",
}  # fmt: skip
_COUNTED: dict[Kind, Kind] = {
    "value": "count", "total": "count", "least": "count", "tally": "count",
    "row": "rows", "grouped-row": "rows", "present": "entities", "row-count": "rows", "member-count": "members",
    "traced": "traced", "learned": "learned", "scored": "scored", "judged": "judged",
}  # fmt: skip
_INNER_SUM: dict[Kind, Kind] = {"value": "total", "row": "row-count", "grouped-row": "row-count", "present": "tally"}
_INNER_COUNT: dict[Kind, Kind] = _INNER_SUM | {"value": "tally", "total": "tally", "least": "tally"}
OF_ORDER = ("min", "max", "quantile", "median")
OUTERMOST = Fraction(1, 10)
"""Quantiles within this share of either end need `extreme` as well."""
HOLDS_VALUES: frozenset[Kind] = frozenset(("value", "total", "tally", "least"))


def at_last(aggregate: Aggregate, source: ColumnSource) -> tuple[ColumnSource, ...]:
    """What ``source`` becomes inside an aggregate of the last aggregation."""
    function = aggregate.function
    match source.kind:
        case "member":
            return (source,)
        case "match":
            return (replace(source, kind="gaps", form="condition"),)
        case "gap":
            return (replace(source, kind="gaps", form="plain"),)
        case "mark":
            # what it tells beside a number of rows depends on the group's keys: the reader adds it
            return (replace(source, kind="rows", form="linear"),) if function == "sum" else ()
        case "place":
            return (replace(source, kind="selection"), replace(source, kind="ranked"))
    if source.form == "condition":
        return () if source.kind in ROWS else (replace(source, kind="selection"),)
    made = tuple(replace(source, kind=kind, form=_kept(function, source.form)) for kind in _number(aggregate, source))
    picks = source.form == "shape" and function in ("sum", "count")
    return (*made, replace(source, kind="selection")) if picks else made


def marked(keys: Sources, mark: ColumnSource, *, last: bool) -> Sources:
    """What a number made of marks tells: whether several relations hold a row with the same keys."""
    meeting = {replace(key, kind="met" if last else "match") for key in keys if key.kind in HOLDS_VALUES}
    if last:
        return frozenset(meeting) or frozenset((replace(mark, kind="selection"),))
    return frozenset(meeting | {mark})


def _kept(function: AggregateFunction, form: Form) -> Form:
    """The form of a group's number: a count is a count whatever it counts, a sum is one of the form that it sums."""
    return "plain" if function != "sum" or form == "plain" else "linear"


def _number(aggregate: Aggregate, source: ColumnSource) -> tuple[Kind, ...]:
    """Kinds of the number that ``aggregate`` makes of a source."""
    function = aggregate.function
    if function in OF_ORDER:
        if source.kind in ROWS:
            return ()
        if function in ("min", "max"):
            return ("extreme",)
        return ("quantile", "extreme") if function == "quantile" and _is_extreme(aggregate) else ("quantile",)
    if function == "count-distinct":
        return () if source.kind in ROWS else ("entities",)
    if source.form == "square" and function == "sum":
        return ("variance",)
    table = _SUMMED if function == "sum" else _COUNTED
    made = table[source.kind]
    return (made, "ranked") if source.kind == "least" and function == "sum" else (made,)


def _is_extreme(aggregate: Aggregate) -> bool:
    """Whether a quantile is the least or greatest value of a small group: in the outermost tenths."""
    share = Fraction(aggregate.numerator, aggregate.denominator)
    return not OUTERMOST <= share <= 1 - OUTERMOST


def nested(function: AggregateFunction, source: ColumnSource, *, at_owner: bool) -> tuple[ColumnSource, ...]:
    """What ``source`` becomes inside an aggregate of a nested query, or of an owner's own part of any query."""
    if function in OF_ORDER:
        chosen = replace(source, form="linear" if source.form == "plain" else source.form)
        if source.kind == "value":
            return (replace(chosen, kind="least"),)
        return (chosen, replace(chosen, kind="least")) if source.kind == "total" else (chosen,)
    table = _INNER_SUM if function == "sum" else _INNER_COUNT
    if function == "count-distinct" and source.kind in ROWS:
        return ()
    made = replace(source, kind=table.get(source.kind, source.kind))
    counts = made.kind in ("tally", "row-count", "member-count")
    if counts and made.form in ("plain", "square"):
        # A number of groups is a number of groups; the sum of a nested query's numbers is not a count any more.
        made = replace(made, form="plain" if at_owner else "linear")
    return (made,)


def rows_counted(rows: Sources, keys: Sources, *, last: bool, at_owner: bool) -> Sources:
    """What the number of rows of a group tells; ``rows`` is their existence, ``keys`` the group's keys.

    Rows that an owner has grouped are one a member where the group's keys hold all of the owner's keys.
    """
    known = {(key.owner, key.table, key.column, key.form) for key in keys}
    finer = {s for s in rows if s.kind == "present" and (s.owner, s.table, s.column, s.form) not in known}
    form: Form = "plain" if last or at_owner else "linear"
    found: set[ColumnSource] = set()
    for source in rows:
        if source.kind == "present":
            if source in finer:
                found.add(replace(source, kind="entities" if last else "tally", form=form))
            continue
        one_a_member = source.kind == "grouped-row" and not finer
        inner: Kind = "member-count" if one_a_member else "row-count"
        outer: Kind = "members" if one_a_member else "rows"
        repeated = source.form == "shape"
        found.add(replace(source, kind=outer if last else inner, form="shape" if repeated else form))
        if repeated and last:
            found.add(replace(source, kind="selection"))
    return frozenset(found)


def existence(rows: Sources, keys: Sources, *, at_owner: bool) -> Sources:
    """What the existence of a group tells: that there is this combination of keys (forms are those of the keys)."""
    present = {replace(key, kind="present") for key in keys if key.kind in HOLDS_VALUES}
    if at_owner:
        grouped = {replace(row, kind="grouped-row") for row in rows if row.kind in ("row", "grouped-row")}
        return frozenset(present | grouped | {row for row in rows if row.kind == "present"})
    return frozenset(present) or rows
