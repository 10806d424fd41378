"""What a person is told of a result's noise: before the run by ``explain``, with the result, and in its sidecar."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from consortia.plans.accuracy import accuracies, computed, quantile_accuracies
from consortia.plans.model import Plan
from consortia.plans.noised import Selection
from consortia.plans.steps_of_noise import Bound, Noise
from consortia.plans.wording import listed
from consortia.plans.zcdp import DELTA_PARTS, RHO_PARTS
from consortia.policies.accounting import NOTHING, READERS_DELTA, Charge, charge_of, epsilon


def noise_dict(plan: Plan) -> dict[str, Any] | None:
    """The noise of the plan's result for programs; None if its numbers are exact. Numbers are decimal text."""
    charge = charge_of(plan)
    if charge == NOTHING:
        return None
    selection = _selection(plan)
    return {
        "mechanism": "discrete-gaussian",
        "rho": str(Decimal(charge.rho) / RHO_PARTS),
        "epsilon": f"{epsilon(Charge(charge.rho), READERS_DELTA):.4f}",
        "delta": f"{_delta(charge):.6g}",
        "cells_per_contributor": _cells(plan) or None,
        "shown_from_contributors": selection.minimum if selection else None,
        "outputs": [
            {
                "output": each.output,
                "standard_deviation": f"{each.deviation:f}",
                "error_95": f"{each.error:f}",
                "clipped_to": list(each.clip) if each.clip else None,
            }
            for each in accuracies(plan)
        ],
        "quantiles": [
            {"output": each.output, "bin_width": each.width, "rank_error_95": f"{each.rank:f}"}
            for each in quantile_accuracies(plan)
        ],
        "computed": {name: list(columns) for name, columns in computed(plan).items()},
    }


def noise_lines(plan: Plan) -> Sequence[str]:
    """The same for people, a line a statement; none if the numbers are exact."""
    charge = charge_of(plan)
    if charge == NOTHING:
        return ()
    lines = [_output(each.output, f"{each.error:f}", each.clip) for each in accuracies(plan)]
    lines += [
        f"{name}: computed from {listed(columns)}, so its error depends on their sizes"
        for name, columns in computed(plan).items()
    ]
    lines += [
        f"{each.output}: the middle of a bin of {each.width}, of a rank that noise moves by up to {each.rank:f} rows"
        " in 95 of 100 cells"
        for each in quantile_accuracies(plan)
    ]
    if _cells(plan):
        lines.append(f"a contributor counts in at most {_cells(plan)} cells, drawn at random")
    selection = _selection(plan)
    if selection is not None:
        lines.append(f"a cell is shown if its noisy number of contributors is at least {selection.minimum}")
    loss = f"privacy loss rho {Decimal(charge.rho) / RHO_PARTS:f} of every owner's budget"
    lines.append(f"{loss}; epsilon {epsilon(Charge(charge.rho), READERS_DELTA):.2f} at delta {_delta(charge):.3g}")
    return lines


def _delta(charge: Charge) -> float:
    """The delta beside the epsilon: what readers are told it at, and what the selection of cells spends."""
    return READERS_DELTA + charge.delta / DELTA_PARTS


def _output(name: str, error: str, clip: tuple[str, str] | None) -> str:
    bounds = f"; one contributor's part is clipped to {clip[0]}..{clip[1]}" if clip else ""
    return f"{name}: within {error} of the number without noise in 95 of 100 cells{bounds}"


def _selection(plan: Plan) -> Selection | None:
    return next((step.selection for step in plan.steps if isinstance(step, Noise)), None)


def _cells(plan: Plan) -> int:
    return max((step.cells for step in plan.steps if isinstance(step, Bound)), default=0)
