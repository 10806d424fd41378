"""Error bars from plans: against the draws themselves, and in the unit of the output."""

import random
from decimal import Decimal
from fractions import Fraction

from consortia.client.noise import noise_dict, noise_lines
from consortia.execution.noise import drawn
from consortia.plans.accuracy import accuracies, computed, error_95
from consortia.plans.steps_of_noise import Noise
from tests.policies_world import draft_of, make_world
from tests.unit.execution.test_noise_steps import HI, QUERY, planned


def test_nineteen_of_twenty_draws_lie_within_the_error_bar() -> None:
    plan = planned()
    step = next(each for each in plan.steps if isinstance(each, Noise))
    draw = random.Random(4).randrange
    inside = total = 0
    for _ in range(200):
        parts = drawn(plan, plan.computers, draw)
        for place, each in enumerate(step.noised):
            sums = sum(parts[key][place].view("int64") for key in parts)
            total += len(sums)
            inside += sum(abs(int(value)) <= error_95(Fraction(3 * each.variance, 2)) for value in sums)
    assert 0.935 < inside / total < 0.975  # 95 % and what whole numbers and rounding up add, of 3,000 draws


def test_an_error_bar_is_rounded_up_and_scaled_like_the_number() -> None:
    assert error_95(Fraction(6)) == Decimal("4.81")  # 1.96 * sqrt(6) = 4.801
    assert error_95(Fraction(6 * 10**12)) == Decimal("4.81E+6")
    assert error_95(Fraction(6 * 10**12), scale=2) == Decimal("4.81E+4")


def test_outputs_are_named_as_the_query_names_them() -> None:
    plan = planned(QUERY.replace("COUNT(*) AS k", "AVG(amount_minor) AS mean"))
    found = {each.output: each.clip for each in accuracies(plan)}
    assert found == {"n": None, "total": ("0", str(HI))}
    assert computed(plan) == {"mean": ("rows", "sum_amount_minor")}
    said = noise_dict(plan)
    assert said is not None
    assert [each["output"] for each in said["outputs"]] == ["n", "total"]
    assert Decimal(said["rho"]) <= 1
    assert any(line.startswith("total: within") for line in noise_lines(plan))


def test_a_plan_without_noise_says_nothing() -> None:
    plan = draft_of("SELECT country, COUNT(*) AS n FROM deposits GROUP BY country", make_world())
    assert accuracies(plan) == ()
    assert noise_dict(plan) is None
    assert noise_lines(plan) == ()
