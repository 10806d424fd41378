"""Privacy accounting: what a release spends, what a policy grants, whether it still fits, what it means in epsilon.

The ledger of an owner adds up charges per table, privacy unit, purpose and period. Composition is (rho, delta)
approximate zCDP, in which both add up (Bun and Steinke, TCC 2016, lemma 8.2), also where an analyst chooses each
query after seeing the answers to those before: the filter simply refuses what would exceed the sum (Feldman and
Zrnic, NeurIPS 2021; Whitehouse et al., ICML 2023). Every owner of a plan is charged the whole cost of a release,
because a customer of several members is one privacy unit, and its whole contribution is what the noise hides.

Pure and in integers (``plans.zcdp`` says in which parts); a charge is rounded up, a grant down.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import exp, inf, log, log1p
from typing import Self

from consortia.plans.model import Plan
from consortia.plans.steps_of_noise import Noise as NoiseStep
from consortia.plans.zcdp import DELTA_PARTS, RHO_PARTS, Release, cost
from consortia.policies.language.model import ModelNoise, Noise


@dataclass(frozen=True, slots=True)
class Charge:
    """An amount of privacy loss: ``rho`` in billionths (zCDP), ``delta`` in millionths of a billionth."""

    rho: int = 0
    delta: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(self.rho + other.rho, self.delta + other.delta)

    def within(self, limit: Self) -> bool:
        """Whether both amounts are at most those of ``limit``."""
        return self.rho <= limit.rho and self.delta <= limit.delta

    def left(self, limit: Self) -> Self:
        """What remains of ``limit`` after this, never below nothing."""
        return type(self)(max(0, limit.rho - self.rho), max(0, limit.delta - self.delta))


NOTHING = Charge()
READERS_DELTA = 1e-6
"""The delta at which readers are told a privacy loss as an epsilon."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a policy's ``noise`` section grants: to one release, and to all of a period of ``period_days`` days."""

    per_release: Charge
    per_period: Charge
    period_days: int


def grant_of(noise: Noise | ModelNoise) -> Grant:
    """The grant of a policy's section; all of a model is known beforehand, so that it spends no delta."""
    release, period = (noise.delta_per_release, noise.delta_per_period) if isinstance(noise, Noise) else ("off", "off")
    return Grant(
        per_release=Charge(_parts(noise.rho_per_release, RHO_PARTS), _parts(release, DELTA_PARTS)),
        per_period=Charge(_parts(noise.rho_per_period, RHO_PARTS), _parts(period, DELTA_PARTS)),
        period_days=noise.period_days,
    )


def charge_of(plan: Plan) -> Charge:
    """What one release of ``plan`` spends at every owner; nothing for a plan without noise, whose answers are exact."""
    steps = [step for step in plan.steps if isinstance(step, NoiseStep)]
    numbers = [
        Charge(cost(Release(each.sensitivity, each.variance, step.rows))) for step in steps for each in step.noised
    ]
    return total([*numbers, *(Charge(delta=step.selection.delta) for step in steps if step.selection is not None)])


def total(charges: Iterable[Charge]) -> Charge:
    """The sum."""
    return sum(charges, NOTHING)


def admits(limit: Charge, spent: Charge, charge: Charge) -> bool:
    """The filter: whether ``charge`` still fits after ``spent`` (reserved and committed alike)."""
    return (spent + charge).within(limit)


def epsilon(charge: Charge, delta: float) -> float:
    """The least epsilon such that ``charge`` implies (epsilon, delta)-differential privacy; inf if there is none.

    For readers, not for decisions: floating point, minimised over the order alpha (Canonne, Kamath and Steinke 2020,
    corollary 13). ``delta`` is the whole one; what ``charge`` itself spends of it is taken off first.
    """
    rest = delta - charge.delta / DELTA_PARTS
    if not 0 < delta < 1 or rest <= 0:
        return inf
    if not charge.rho:
        return 0.0
    rho = charge.rho / RHO_PARTS

    def at(order: float) -> float:
        return order * rho + log1p(-1 / order) - (log(rest) + log(order)) / (order - 1)

    # `at` falls to its one minimum and rises again; the order lies near 1 + sqrt(log(1/delta) / rho)
    low, high = log(1e-9), log(10 + 10 * (-log(rest) / rho) ** 0.5)
    for _ in range(200):
        third = (high - low) / 3
        if at(1 + exp(low + third)) < at(1 + exp(high - third)):
            high -= third
        else:
            low += third
    return max(0.0, at(1 + exp(high)))


def _parts(written: str, parts: int) -> int:
    """A fraction of a policy in parts, rounded down; nothing where it is off."""
    return 0 if written == "off" else int(Fraction(written) * parts)
