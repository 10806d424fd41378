"""The values inside plan steps that bound contributions, add noise, and select by noisy numbers."""

from consortia.trust.documents import Frozen, Integer


class Clip(Frozen):
    """The bounds, in carried units, to which one entity's part of ``column`` in one group is clipped."""

    column: str
    lo: Integer
    hi: Integer


class Noised(Frozen):
    """A column with noise: s^2 is ``variance``; one entity changes its values by at most D, D^2 = ``sensitivity``."""

    column: str
    sensitivity: Integer
    variance: Integer


class Quantile(Frozen):
    """The least value that a share numerator / denominator of the rows do not exceed, times ``factor``."""

    name: str
    numerator: int
    denominator: int
    factor: int


class Selection(Frozen):
    """Rows whose noisy number of entities, ``column``, is below ``minimum`` are not opened; costs ``delta`` parts."""

    column: str
    minimum: Integer
    delta: Integer
