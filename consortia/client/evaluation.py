"""How good a joint model is, from what an evaluation opened: numbers of rows, labels and scores by bands of places.

What is opened are the bands alone; recall, precision and the rest follow from these numbers,
here, at the person who asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from consortia.errors import RequestError
from consortia.plans.expressions import Call, Const
from consortia.plans.model import Plan, Project
from consortia.plans.specs.learning import EXPECTED, POSITIVES, ROWS, UP_TO

SUPPRESSED = "suppressed"


@dataclass(frozen=True)
class Band:
    """The rows up to the place ``up_to`` (None: the rest) from the band before on.

    ``recall`` and ``precision`` are those of an alert on every row up to here; None where a band before is missing or
    nothing is to be found.
    """

    up_to: int | None
    rows: int
    positives: int
    expected: float
    recall: float | None
    precision: float | None


@dataclass(frozen=True)
class Evaluation:
    """Bands in the order of their places, and the average precision if none is missing.

    ``missing`` are the last places of bands that were not shown whole: too few contributors, or no row. ``alert_rates``
    gives, for each group that is shown in all bands, the share of its rows up to the end of each band but the last.
    """

    bands: tuple[Band, ...]
    missing: tuple[int | None, ...]
    average_precision: float | None
    alert_rates: Mapping[str, tuple[float, ...]]


def ends_of(plan: Plan) -> tuple[int | None, ...]:
    """The last places of the bands of an evaluation; RequestError ``client/no-evaluation`` for any other plan."""
    for step in plan.steps:
        for named in step.expressions if isinstance(step, Project) and step.at == "shared" else ():
            match named.expression:
                case Call(op="case", args=args) if named.name == UP_TO:
                    return tuple(each.integer for each in (*args[1::2], args[-1]) if isinstance(each, Const))
    raise RequestError(
        "client/no-evaluation",
        "the session did not judge a model",
        remedy="name a session of a spec with `give: evaluation` (docs/reference/learning.md)",
    )


def evaluated(frame: pl.DataFrame, ends: Sequence[int | None]) -> Evaluation:
    """What the opened bands tell; ``frame`` is the result of an evaluation whose bands end at ``ends``."""
    shown = frame.filter(~pl.col(SUPPRESSED)) if SUPPRESSED in frame.columns else frame
    sums = shown.group_by(UP_TO).agg(pl.col(ROWS, POSITIVES, EXPECTED).sum())
    found = {row[UP_TO]: row for row in sums.to_dicts()}
    groups = _groups(shown)
    missing = tuple(end for place, end in enumerate(ends) if not _is_whole(found, ends, place, groups))
    bands = _bands(found, ends, missing)
    return Evaluation(bands, missing, None if missing else _average(bands), _rates(groups, ends))


_Groups = Mapping[str, Mapping[int | None, int]]
"""Rows of each band, by the value of the column that bands are parted by; empty where they are not."""


def _groups(shown: pl.DataFrame) -> _Groups:
    by = [name for name in shown.columns if name not in (UP_TO, ROWS, POSITIVES, EXPECTED, SUPPRESSED)]
    found: dict[str, dict[int | None, int]] = {}
    for row in shown.to_dicts() if by else ():
        found.setdefault(str(row[by[0]]), {})[row[UP_TO]] = int(row[ROWS])
    return dict(sorted(found.items()))


def _is_whole(
    found: Mapping[int | None, Mapping[str, Any]], ends: Sequence[int | None], place: int, groups: _Groups
) -> bool:
    """Whether all rows of a band are shown: as many as it has places, or a part of every group."""
    end = ends[place]
    if end not in found:
        return False
    if not groups or all(end in counts for counts in groups.values()):
        return True
    before = ends[place - 1] if place else 0
    return end is not None and before is not None and int(found[end][ROWS]) == end - before


def _bands(
    found: Mapping[int | None, Mapping[str, Any]], ends: Sequence[int | None], missing: Sequence[int | None]
) -> tuple[Band, ...]:
    total = sum(int(row[POSITIVES]) for row in found.values())
    rows = positives = 0
    whole, bands = True, []
    for end in ends:
        whole = whole and end not in missing
        if end not in found:
            continue
        row = found[end]
        rows, positives = rows + int(row[ROWS]), positives + int(row[POSITIVES])
        recall = positives / total if not missing and total else None
        precision = positives / rows if whole and rows else None
        bands.append(Band(end, int(row[ROWS]), int(row[POSITIVES]), float(row[EXPECTED]), recall, precision))
    return tuple(bands)


def _average(bands: Sequence[Band]) -> float | None:
    """Precision at each band's end times the recall that the band adds."""
    before, total = 0.0, 0.0
    for band in bands:
        if band.recall is None or band.precision is None:
            return None
        total += (band.recall - before) * band.precision
        before = band.recall
    return total


def _rates(groups: _Groups, ends: Sequence[int | None]) -> dict[str, tuple[float, ...]]:
    """Of the groups of which a part of every band is shown."""
    rates: dict[str, tuple[float, ...]] = {}
    for group, counts in groups.items():
        if all(end in counts for end in ends):
            whole = sum(counts.values())
            above = [sum(counts[end] for end in ends[: place + 1]) for place in range(len(ends) - 1)]
            rates[group] = tuple(count / whole for count in above)
    return rates
