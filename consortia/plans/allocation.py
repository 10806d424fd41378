"""How much noise each number of a release gets: what is wanted first, at the least cost, the rest evenly.

Pure: numbers with the squares of their sensitivities, the errors wanted, and what the release may cost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from consortia.errors import RequestError
from consortia.plans.accuracy import largest_variance
from consortia.plans.zcdp import LEAST_VARIANCE, RHO_PARTS, Release, cost, least_variance
from consortia.trust.sessions import WantedError


@dataclass(frozen=True, slots=True)
class Mode:
    """Where noise is added: ``released`` times s^2 is the variance of a released number, ``copies`` are charged."""

    released: Fraction
    copies: int


ON_SHARES = Mode(Fraction(3, 2), 1)
"""Three computers' parts of s^2 / 2, of which the two honest ones are charged."""


def at_owners(owners: int) -> Mode:
    """Each owner adds noise of s^2 to its own part."""
    return Mode(Fraction(owners), owners)


REMEDY = "ask for SUM, AVG, COUNT and COUNT(DISTINCT unit) of one table, grouped by columns of few known values"


@dataclass(frozen=True, slots=True)
class Number:
    """A column that is opened: D^2 of one entity, its decimal places, and the outputs that show it as it is."""

    column: str
    sensitivity: int
    scale: int = 0
    outputs: tuple[str, ...] = ()


def unprotected(what: str) -> RequestError:
    """The refusal of a query over data whose owners oblige noise."""
    return RequestError("plans/noise", f"noise is obliged here, and {what} can't be given it", remedy=REMEDY)


def variances(
    numbers: Sequence[Number], cells: int, rho: int, errors: Sequence[WantedError], mode: Mode
) -> Mapping[str, int]:
    """s^2 of each number by its column, so that ``cells`` cells of all cost at most ``rho`` parts together.

    Raises RequestError ``plans/wanted-error`` for errors that cost more or are of something else, ``plans/noise`` if
    ``rho`` does not pay for so many numbers.
    """
    wanted = _wanted(numbers, errors)
    found = {
        number.column: max(LEAST_VARIANCE, int(largest_variance(wanted[number.column], number.scale) / mode.released))
        for number in numbers
        if number.column in wanted
    }
    named = [number for number in numbers if number.column in found]
    spent = mode.copies * sum(cost(Release(each.sensitivity, found[each.column], cells)) for each in named)
    if spent > rho:
        raise _too_dear(spent, rho)
    others = [number for number in numbers if number.column not in found]
    for number in others:
        least = least_variance(number.sensitivity, cells, (rho - spent) // (len(others) * mode.copies))
        if least is None:
            raise unprotected(f"a result of {len(numbers)} numbers within a budget of so little")
        found[number.column] = least
    return found


def _wanted(numbers: Sequence[Number], errors: Sequence[WantedError]) -> Mapping[str, Decimal]:
    columns = {output: number.column for number in numbers for output in number.outputs}
    found: dict[str, Decimal] = {}
    for wanted in errors:
        column = columns.get(wanted.output)
        if column is None or column in found or not Decimal(wanted.error):
            raise RequestError(
                "plans/wanted-error",
                f"`{wanted.output}` is no output with noise of its own, is named twice, or nothing is wanted of it",
                remedy="name sums and counts of the select list, each once; averages follow from these",
            )
        found[column] = Decimal(wanted.error)
    return found


def _too_dear(spent: int, rho: int) -> RequestError:
    factor = (Decimal(spent) / rho).sqrt()
    return RequestError(
        "plans/wanted-error",
        f"the errors wanted cost rho {Decimal(spent) / RHO_PARTS:f}, and a release may cost"
        f" {Decimal(rho) / RHO_PARTS:f}",
        remedy=f"ask for errors {factor:.3f} times as large, or for fewer numbers",
    )
