"""The values that stand in a policy: words, dates, ids, and the base of its sections."""

import datetime as dt
import re
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_core import PydanticCustomError

from consortia.ids import DIGEST_PATTERN, NAME_PATTERN, PERSON_PATTERN

DATE_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


MISFIT = "policy_misfit"
"""The type of the errors that ``misfit`` makes."""


def misfit(reason: str, expected: str, *at: str | int) -> PydanticCustomError:
    """What a section's own check raises: ``reason`` and what is ``expected``, at the key ``at`` of the section."""
    return PydanticCustomError(MISFIT, "{reason}: {expected}", {"reason": reason, "expected": expected, "at": at})


def _date(value: Any) -> dt.date:
    expected = "expected a date, YEAR-MONTH-DAY, such as 2026-11-01"
    if not (isinstance(value, str) and re.match(DATE_PATTERN, value)):
        raise misfit(f"`{value}` is no date", expected)
    try:
        return dt.date.fromisoformat(value)
    except ValueError as error:
        raise misfit(f"`{value}` is no day of the calendar", expected) from error


def _hyphened(name: str) -> str:
    return name.replace("_", "-")


Off = Literal["off"]
Never = Literal["never"]
Closed = Literal["open", "closed"]

Text = Annotated[str, Field(min_length=1, max_length=300)]
WORD_PATTERN = r"^[a-z][a-z0-9._-]{0,62}$"
WHO_PATTERN = r"^[a-z][a-z0-9_-]{0,30}(@[a-z][a-z0-9_-]{0,30})?$"
FRACTION_PATTERN = r"^[1-9][0-9]{0,8}(/[1-9][0-9]{0,8})?$"

Word = Annotated[str, Field(pattern=WORD_PATTERN)]
MemberName = Annotated[str, Field(pattern=NAME_PATTERN)]
PersonName = Annotated[str, Field(pattern=PERSON_PATTERN)]
Who = Annotated[str, Field(pattern=WHO_PATTERN)]
"""A member (any analyst of it), or one person as ``name@member``."""
Day = Annotated[
    dt.date,
    BeforeValidator(_date, json_schema_input_type=Annotated[str, Field(pattern=DATE_PATTERN)]),
    PlainSerializer(lambda day: day.isoformat(), return_type=str),
]
Previous = Annotated[str, Field(pattern=rf"{DIGEST_PATTERN}|^none$")]
Fraction = Annotated[str, Field(pattern=FRACTION_PATTERN)]
"""An exact ratio such as 1/100: no floating point in a policy."""

ColumnClass = Literal["identifier", "quasi", "sensitive", "label", "free"]

ColumnOperation = Literal[
    "filter",
    "group",
    "count",
    "sum",
    "compare",
    "alert",
    "score",
    "join",
    "rank",
    "extreme",
    "quantile",
    "variance",
    "trace",
    "train",
    "evaluate",
]
"""What may be done with a column:

- filter: rows may be selected by it (WHERE), inside the owner's node or on shares before contributors are counted
- group: its values may be opened as group keys of an aggregate
- count: the number of its non-NULL values in a group may be opened
- sum: its sum in a group may be opened, and the average, which follows from sum and count
- compare: its sum or count may be compared (HAVING); which groups pass is learnt, the number is not
- alert: its values may be opened to a member for groups to which that member itself contributed rows
- score: a number made from it may be opened beside an alert, so per entity and without a minimum of contributors
- join: its equality with another value may decide which rows meet: keys of joins and of nested groups, partitions
- rank: its order may decide: window numbers, LIMIT inside a query, a minimum or maximum inside a nested query
- extreme: its least and greatest value in a group may be opened, each of which is one contributor's
- quantile: its median and other quantiles in a group may be opened, which are one or two contributors' values
- trace: it may be followed from account to account, so that payments decide numbers and alerts of the accounts that
  they reach, which go to the members that keep these accounts
- train: a joint model may learn from it: the model stays on shares, and its scores go to the members of the rows
- evaluate: with `train`, such a model may be judged: numbers of rows and of labels by bands of the scores may be opened
- variance: its sum of squares in a group may be opened; variance and deviation open sum and count beside it
"""

TableOperation = Literal["count", "compare", "count-members", "compare-members", "score", "train", "evaluate"]
"""What may be done with rows as such: their number in a group opened (count) or compared (compare), the number of
members in a group opened or compared, either of them opened beside an alert (score), and what a joint model learns from
and is judged by (train, evaluate)."""

LEARNING = frozenset(("train", "evaluate"))
CLASS_OPERATIONS: dict[ColumnClass, frozenset[str]] = {
    "identifier": frozenset(("alert", "count", "compare", "join", "trace")),
    "quasi": LEARNING
    | frozenset(("filter", "group", "count", "sum", "compare", "alert", "join", "rank", "quantile", "trace")),
    "sensitive": LEARNING
    | frozenset(("filter", "count", "sum", "compare", "score", "rank", "quantile", "variance", "trace")),
    "label": LEARNING | frozenset(("filter", "group", "count", "compare", "join")),
    "free": frozenset(get_args(ColumnOperation)),
}
"""The most that may be written for a column of each class: nobody groups by an identifier or by a sensitive value,
lets rows meet by a sensitive value (equal salaries would find each other), or opens one customer's extreme value."""


class Section(BaseModel):
    """A part of a policy: immutable, strict, unknown keys refused, keys written with hyphens."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=_hyphened)


def sections_in(annotation: Any) -> list[type[Section]]:
    """The sections that the type of a field may be, in its alternatives, lists and mappings too."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [section for part in get_args(annotation) for section in sections_in(part)]
