"""An analyst states the error wanted and pays the least for it; what is not named shares the rest."""

from decimal import Decimal
from fractions import Fraction

import pytest

from consortia.errors import RequestError
from consortia.execution.estimate import estimate
from consortia.plans.accuracy import error_95, wanted_errors, wanted_of
from consortia.plans.model import Plan
from consortia.plans.noised import Noised
from consortia.plans.steps_of_noise import Noise
from consortia.policies.accounting import charge_of
from consortia.policies.compiling import compile_analysis
from tests.fixtures_catalogue import AS_OF, PURPOSE
from tests.noisy_policies import QUERY, world_of
from tests.policies_world import make_world
from tests.unit.execution.test_noise_steps import planned


def noised(plan: Plan) -> dict[str, Noised]:
    step = next(each for each in plan.steps if isinstance(each, Noise))
    return {each.column: each for each in step.noised}


def asked(**errors: str) -> Plan:
    return planned(errors=wanted_of(errors))


@pytest.mark.parametrize("error", ["8", "25.5", "1000"])
def test_the_largest_variance_that_keeps_the_error_is_taken(error: str) -> None:
    found = noised(asked(n=error))["entities_customer_key"]
    deviation = Decimal("1.5") * found.variance
    assert deviation.sqrt() * Decimal("1.96") <= Decimal(error)
    assert (deviation + Decimal("1.5")).sqrt() * Decimal("1.96") > Decimal(error)


def test_a_larger_error_costs_less_and_all_that_is_wanted_costs_nothing_more() -> None:
    charges = [charge_of(asked(n=error, total=total, k=k)).rho for error, total, k in (
        ("10", "4000", "20"), ("20", "8000", "40"), ("40", "16000", "80"))]  # fmt: skip
    assert charges[0] > 3.9 * charges[1] > 15 * charges[2]
    assert charges[0] < 10**9


def test_what_is_not_named_shares_what_is_left() -> None:
    with_less = noised(asked(n="100"))
    evenly = noised(planned())
    assert with_less["sum_amount_minor"].variance < evenly["sum_amount_minor"].variance
    assert charge_of(asked(n="100")).rho <= 10**9


def test_an_error_that_costs_too_much_is_refused_with_what_would_do() -> None:
    with pytest.raises(RequestError, match="a release may cost 1") as refused:
        asked(total="100")
    factor = Decimal(refused.value.remedy.split("errors ")[1].split(" ")[0])
    assert charge_of(asked(total=str((100 * factor * Decimal("1.01")).quantize(Decimal(1))))).rho <= 10**9


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ({"country": "3"}, "plans/wanted-error"),
        ({"nothing": "3"}, "plans/wanted-error"),
        ({"n": "0"}, "plans/wanted-error"),
        ({"n": "-3"}, "plans/wanted-error"),
        ({"n": "1e3"}, "plans/wanted-error"),
        ({"N": "3"}, "plans/wanted-error"),
    ],
)
def test_what_is_no_error_of_a_noisy_output_is_refused(errors: dict[str, str], code: str) -> None:
    with pytest.raises(RequestError) as refused:
        asked(**errors)
    assert refused.value.code == code


def test_the_wanted_errors_stand_in_the_plan_and_an_exact_result_has_none() -> None:
    errors = wanted_of({"n": "50"})
    compiled = compile_analysis(
        QUERY, PURPOSE, "ana@bank-a", AS_OF, world_of(), estimate, AS_OF, errors=errors
    )  # fmt: skip
    assert compiled.permitted
    assert wanted_errors(compiled.plan) == errors
    assert error_95(Fraction(3 * noised(compiled.plan)["entities_customer_key"].variance, 2)) <= 50
    exact = "SELECT country, COUNT(*) AS n FROM deposits GROUP BY country"
    with pytest.raises(RequestError, match="numbers are exact"):
        compile_analysis(exact, PURPOSE, "ana@bank-a", AS_OF, make_world(), estimate, AS_OF, errors=errors)
