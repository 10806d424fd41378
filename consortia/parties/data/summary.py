"""What the owner sees of a file that fits: NULLs, distinct values, smallest and largest beside the declared bounds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from consortia.parties.data.binding import BoundColumn
from consortia.parties.data.convert import Carried
from consortia.parties.data.texts import EPOCH, NAIVE_EPOCH
from consortia.plans.meaning import type_words
from consortia.plans.types import ColumnType


@dataclass(frozen=True)
class ColumnSummary:
    """One column; values are written as people write them, empty where there are none."""

    name: str
    type: str
    nulls: int
    distinct: int
    max_distinct: int
    smallest: str
    largest: str
    lowest_allowed: str
    highest_allowed: str

    def as_dict(self) -> dict[str, str | int]:
        """The summary as the JSON object that ``--json`` prints."""
        return asdict(self)


def summarise(columns: Sequence[BoundColumn], values: Mapping[str, Sequence[Carried]]) -> tuple[ColumnSummary, ...]:
    """The summary of each column, in the order given."""
    return tuple(_summary(column, values[column.name]) for column in columns)


def _summary(column: BoundColumn, values: Sequence[Carried]) -> ColumnSummary:
    present = set(values) - {None}
    ordered = column.type.kind in ("int", "decimal", "date", "timestamp")
    numbers = [value for value in present if isinstance(value, int)] if ordered else []
    bounds = column.bounds if ordered else None
    return ColumnSummary(
        name=column.name,
        type=type_words(column.type),
        nulls=sum(value is None for value in values),
        distinct=len(present),
        max_distinct=column.max_distinct,
        smallest=written(min(numbers), column.type) if numbers else "",
        largest=written(max(numbers), column.type) if numbers else "",
        lowest_allowed=written(bounds.lo, column.type) if bounds else "",
        highest_allowed=written(bounds.hi, column.type) if bounds else "",
    )


def written(value: int, kind: ColumnType) -> str:
    """A carried integer as people write it: 12.30, 2026-03-01, 2026-03-01T10:00:00Z."""
    try:
        match kind.kind:
            case "decimal" if kind.scale:
                whole, rest = divmod(abs(value), int(10**kind.scale))
                return f"{'-' if value < 0 else ''}{whole}.{rest:0{kind.scale}d}"
            case "date":
                return (EPOCH + timedelta(days=value)).isoformat()
            case "timestamp":
                return (NAIVE_EPOCH + timedelta(microseconds=value)).isoformat() + "Z"
    except OverflowError:
        pass  # a bound beyond the calendar is shown as its number
    return str(value)
