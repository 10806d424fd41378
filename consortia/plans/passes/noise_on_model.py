"""Noise on the weights of a model: one sensitivity for all of them, derived from the public steps of its training.

The weights are one vector, of which one entity changes all (``plans.bounded``). So the release costs
what one column of as many numbers costs, and each gets the least variance that keeps it.
"""

from consortia.plans.allocation import ON_SHARES, Number, variances
from consortia.plans.bounded import DIGITS, schedule, sensitivity
from consortia.plans.draft import Draft
from consortia.plans.model import Control, Release, Step
from consortia.plans.noised import Noised
from consortia.plans.noisy_steps import at_recipient, following, numbered, widened
from consortia.plans.obligations import NoiseTerms
from consortia.plans.steps_of_models import Weights
from consortia.plans.steps_of_noise import Noise

WEIGHT = "weight"


def noise_on_model(draft: Draft, terms: NoiseTerms) -> tuple[Step, ...]:
    """All steps, the noise between control and release."""
    made: list[Step] = []
    for step in draft.steps:
        if isinstance(step, Control):
            made += [step, _noise(draft, terms, step)]
        elif isinstance(step, Release):
            made.append(following(step, made[-1]))
        elif step.at == "recipient":
            made.append(at_recipient(step, made[-1]))
        else:
            made.append(step)
    return numbered(made)


def weights_sensitivity(weights: Weights, rows: int) -> int:
    """D^2 of the weights that are learnt from so many padded rows, in squares of their last decimal place."""
    return sensitivity(schedule(weights.method, len(weights.features), rows))


def _noise(draft: Draft, terms: NoiseTerms, control: Control) -> Noise:
    (weights,) = (step for step in draft.steps if isinstance(step, Weights))
    rows = next(step.rows for step in draft.steps if step.id == weights.inputs[0])
    most = weights_sensitivity(weights, rows)
    number = Number(WEIGHT, most, DIGITS, (WEIGHT,))
    errors = draft.environment.errors
    variance = variances([number], weights.rows, terms.rho, errors, ON_SHARES)[WEIGHT]
    noised = Noised(column=WEIGHT, sensitivity=most, variance=variance)
    columns = tuple(widened(column, noised if column.name == WEIGHT else None, 2) for column in control.columns)
    return Noise(
        id="noise", inputs=(control.id,), at="shared", rows=weights.rows, columns=columns, keys=(), noised=(noised,),
        wanted=errors,
    )  # fmt: skip
