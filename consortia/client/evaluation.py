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

    ``missing`` are the last places of bands that were not shown: too few contributors, or no row. ``alert_rates`` gives
    for each group and each band but the last the share of its rows up to there, of what is shown.
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
    missing = tuple(end for end in ends if end not in found)
    bands = _bands(found, ends)
    return Evaluation(bands, missing, None if missing else _average(bands), _rates(shown, ends))


def _bands(found: Mapping[int | None, Mapping[str, Any]], ends: Sequence[int | None]) -> tuple[Band, ...]:
    every = all(end in found for end in ends)
    total = sum(int(row[POSITIVES]) for row in found.values())
    rows = positives = 0
    whole, bands = True, []
    for end in ends:
        if end not in found:
            whole = False
            continue
        row = found[end]
        rows, positives = rows + int(row[ROWS]), positives + int(row[POSITIVES])
        recall = positives / total if whole and every and total else None
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


def _rates(shown: pl.DataFrame, ends: Sequence[int | None]) -> dict[str, tuple[float, ...]]:
    by = [name for name in shown.columns if name not in (UP_TO, ROWS, POSITIVES, EXPECTED, SUPPRESSED)]
    if not by:
        return {}
    rates: dict[str, tuple[float, ...]] = {}
    for (group,), part in shown.group_by(by[0], maintain_order=True):
        counts = {row[UP_TO]: int(row[ROWS]) for row in part.to_dicts()}
        whole = sum(counts.values())
        above = [sum(counts.get(end, 0) for end in ends[: place + 1]) for place in range(len(ends) - 1)]
        rates[str(group)] = tuple(count / whole for count in above)
    return dict(sorted(rates.items()))
