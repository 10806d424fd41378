"""Steps of plans that stand there where owners oblige noise."""

from typing import Literal

from consortia.plans.columns import StepBase
from consortia.plans.noised import Clip, Noised, Quantile, Selection
from consortia.trust.documents import Integer
from consortia.trust.sessions import WantedError


class Bound(StepBase):
    """One row for each group and entity, its columns the sums over all members, clipped; at ``shared``.

    Input is sorted by (keys, entity). Rows without an entity are dropped. Of an entity that is in more than ``cells``
    groups, so many are kept, drawn at random; 0 keeps all. So a change of one entity's rows, whoever holds them,
    changes at most ``cells`` rows of the result, and each by no more than its clips. At an owner the same of its rows.
    """

    kind: Literal["bound"] = "bound"
    keys: tuple[str, ...]
    entity: str
    clips: tuple[Clip, ...]
    cells: int


class Noise(StepBase):
    """One row for each value of the public domain of ``keys``, zeros where there is no group; noise on each number.

    Every computer adds to each number of ``noised`` a discrete Gaussian of variance s^2 / 2, drawn before the secure
    stage: whoever knows one of the parts still faces s^2. Without keys there is the one group. All rows are valid.
    ``wanted`` are the errors that the submitter asked for. Of a model all weights get noise, of one sensitivity.

    At an owner, it draws all the noise of its part itself, of variance s^2, in clear.

    With ``selection`` the keys' values are not known beforehand: there are the input's groups, and of them those that
    the selection shows, in front of the others.
    """

    kind: Literal["noise"] = "noise"
    keys: tuple[str, ...]
    noised: tuple[Noised, ...]
    wanted: tuple[WantedError, ...] = ()
    selection: Selection | None = None


class Quantiles(StepBase):
    """For each of ``keys`` the ``quantiles`` of a noisy histogram; at the recipient.

    Bin 0 begins at ``lo``, each is ``width`` wide, the last ends at ``hi``; ``counts`` holds the noisy number of rows
    in ``bin``, rows without a bin count nowhere. A quantile is the middle of its bin; NULL if no rows are left.
    """

    kind: Literal["quantiles"] = "quantiles"
    keys: tuple[str, ...]
    bin: str
    counts: str
    lo: Integer
    hi: Integer
    width: Integer
    quantiles: tuple[Quantile, ...]
