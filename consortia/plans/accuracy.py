"""How far noise moves the numbers of a plan: standard deviations and error bars, from the plan alone.

All three computers' parts lie on a released number, so its variance is 1.5 s^2 where s^2 is charged, or the sum of all
owners' variances where they add it. Beside the noise
there is what the bounds leave out (rows, cells and amounts beyond them), which depends on the data and is not known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction

from pydantic import ValidationError

from consortia.errors import RequestError
from consortia.plans.columns import Column
from consortia.plans.expressions import Ref, columns_of
from consortia.plans.model import Plan, Project
from consortia.plans.noised import Clip
from consortia.plans.steps_of_noise import Bound, Noise, Quantiles
from consortia.plans.wording import decimal_text
from consortia.trust.sessions import WantedError

_DIGITS = Context(prec=3, rounding=ROUND_CEILING)
_ENOUGH = Context(prec=40)
_NORMAL_95 = Decimal("1.96")
"""The noise of a released number lies within so many standard deviations with a probability of 95 %."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """An output that is opened with noise, in its own unit, rounded up to three digits.

    ``clip`` are the bounds of one contributor's part, None where contributors are counted.
    """

    output: str
    deviation: Decimal
    error: Decimal
    clip: tuple[str, str] | None


def error_95(variance: Fraction, scale: int = 0) -> Decimal:
    """Half the length of the 95 % interval of a released number with noise of ``variance`` and so many places."""
    return _DIGITS.plus(_ENOUGH.multiply(_NORMAL_95, _deviation(variance, scale)))


def wanted_of(errors: Mapping[str, str]) -> tuple[WantedError, ...]:
    """Errors wanted, by output; RequestError ``plans/wanted-error`` for one that is no positive decimal number."""
    found = []
    for output, error in errors.items():
        try:
            found.append(WantedError(output=output, error=error))
        except ValidationError as failed:
            raise RequestError(
                "plans/wanted-error", f"`{error}` is no error that can be wanted of `{output}`",
                remedy="write the output's name and a positive decimal number, such as n=10 or total=2.5",
            ) from failed  # fmt: skip
    return tuple(found)


def wanted_errors(plan: Plan) -> tuple[WantedError, ...]:
    """The errors with which ``plan`` was asked."""
    return next((step.wanted for step in plan.steps if isinstance(step, Noise)), ())


def largest_variance(error: Decimal, scale: int) -> Fraction:
    """The largest variance whose error bar, before it is rounded, is at most ``error``, in squares of carried units."""
    carried = Fraction(error) * Fraction(int(10**scale)) / Fraction(_NORMAL_95)
    return carried * carried


def accuracies(plan: Plan) -> tuple[Accuracy, ...]:
    """The outputs with noise of their own, in the order of the result's columns; none for a plan without noise."""
    noised, columns, clips = _noise(plan)
    found = []
    for name, column in _outputs(plan).items():
        if column in noised:
            variance, scale = noised[column], columns[column].type.scale
            clip = clips.get(column)
            bounds = (decimal_text(clip.lo, scale), decimal_text(clip.hi, scale)) if clip else None
            found.append(Accuracy(name, _DIGITS.plus(_deviation(variance, scale)), error_95(variance, scale), bounds))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class QuantileAccuracy:
    """A quantile read off bins of ``width``, from noise that moves the rank of a value by ``rank`` rows (95 %)."""

    output: str
    width: str
    rank: Decimal


def quantile_accuracies(plan: Plan) -> tuple[QuantileAccuracy, ...]:
    """The outputs that are quantiles, in the order of the result's columns; rounded up to three digits."""
    noised, columns, _ = _noise(plan)
    found = []
    for step in (step for step in plan.steps if isinstance(step, Quantiles)):
        bins = -(-(step.hi - step.lo + 1) // step.width)
        scale = columns[step.bin].type.scale
        asked = {each.name for each in step.quantiles}
        for name, column in _outputs(plan).items():
            if column in asked:
                # half of the bins lie below a median, and less below any value than all of them
                rank = error_95(bins * noised[step.counts])
                found.append(QuantileAccuracy(name, decimal_text(step.width, scale), rank))
    return tuple(found)


def computed(plan: Plan) -> Mapping[str, tuple[str, ...]]:
    """Outputs that the recipient computes from columns with noise, by name, with these columns."""
    noised, _, _ = _noise(plan)
    plain = _outputs(plan)
    return {
        named.name: read
        for step in plan.steps
        if isinstance(step, Project) and step.at == "recipient"
        for named in step.expressions
        if named.name not in plain and (read := tuple(sorted(columns_of(named.expression) & noised.keys())))
    }


def _noise(plan: Plan) -> tuple[dict[str, Fraction], dict[str, Column], dict[str, Clip]]:
    """Released variance, column and clip of each noised column, by name."""
    steps = [step for step in plan.steps if isinstance(step, Noise)]
    noised: dict[str, Fraction] = {}
    for step in steps:
        parts = Fraction(3, 2) if step.at == "shared" else Fraction(1)
        for each in step.noised:
            noised[each.column] = noised.get(each.column, Fraction(0)) + parts * each.variance
    columns = {column.name: column for step in steps for column in step.columns}
    clips = {clip.column: clip for step in plan.steps if isinstance(step, Bound) for clip in step.clips}
    return noised, columns, clips


def _outputs(plan: Plan) -> dict[str, str]:
    """The columns that outputs show as they are, by the output's name."""
    return {
        named.name: named.expression.column
        for step in plan.steps
        if isinstance(step, Project) and step.at == "recipient"
        for named in step.expressions
        if isinstance(named.expression, Ref)
    }


def _deviation(variance: Fraction, scale: int) -> Decimal:
    whole = _ENOUGH.divide(Decimal(variance.numerator), Decimal(variance.denominator))
    return _ENOUGH.scaleb(_ENOUGH.sqrt(whole), -scale)
