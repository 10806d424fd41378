"""Quantiles read off a noisy histogram, at the recipient: plain integers, after everything was opened."""

from collections.abc import Sequence

from consortia.plans.noised import Quantile
from consortia.plans.steps_of_noise import Quantiles

Value = int | str | None
Row = dict[str, Value]


def read_off(step: Quantiles, rows: Sequence[Row]) -> list[Row]:
    """One row for each combination of keys, in the order of their first rows, with the quantiles."""
    found: dict[tuple[Value, ...], dict[int, int]] = {}
    for row in rows:
        bins = found.setdefault(tuple(row[key] for key in step.keys), {})
        place, count = row[step.bin], row[step.counts]
        if isinstance(place, int) and isinstance(count, int):
            bins[place] = count
    return [
        {**dict(zip(step.keys, key, strict=True)), **{each.name: _value(step, each, bins) for each in step.quantiles}}
        for key, bins in found.items()
    ]


def _value(step: Quantiles, asked: Quantile, bins: dict[int, int]) -> int | None:
    """The middle of the first bin up to which there is the share of rows that is asked for.

    Noisy numbers may be negative, so the sums need not grow; the first bin that reaches the share counts.
    """
    whole = sum(bins.values())
    if whole <= 0:
        return None
    below = 0
    for place in sorted(bins):
        below += bins[place]
        if below * asked.denominator >= whole * asked.numerator:
            first = step.lo + place * step.width
            last = min(first + step.width - 1, step.hi)
            return asked.factor * (first + last) // 2
    return None
