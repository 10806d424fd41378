"""Steps of plans that learn a joint model, give its scores, or make its weights, at ``shared``."""

from typing import Literal

from consortia.plans.columns import StepBase
from consortia.plans.learning import Learning, RegressionMethod
from consortia.plans.types import Bounds


class Fit(StepBase):
    """A model that learns ``label`` (0 or 1) of ``features`` from the input's rows, those aside where ``held`` is 1.

    At ``shared``. One column, a row for each parameter: nobody opens or computes with it but a score step.
    """

    kind: Literal["fit"] = "fit"
    features: tuple[str, ...]
    label: str
    held: str = ""
    method: Learning


class Score(StepBase):
    """The rows of the first input, each with the score ``made`` that the model of the second gives its ``features``."""

    kind: Literal["score"] = "score"
    features: tuple[str, ...]
    made: str
    method: Learning


class Weights(StepBase):
    """The weights of a regression of ``label`` on ``features`` in steps of public size; at ``shared``.

    No two rows of the input share the key ``unit``. A feature's values count within its public range of ``ranges``,
    which is taken to [-1, 1]. Columns: the parameter, an enum of the features' names and ``intercept``, and its weight.
    Of one unit's row the weights depend by at most what ``plans.bounded`` proves.
    """

    kind: Literal["weights"] = "weights"
    unit: str
    features: tuple[str, ...]
    ranges: tuple[Bounds, ...]
    label: str
    held: str = ""
    method: RegressionMethod
