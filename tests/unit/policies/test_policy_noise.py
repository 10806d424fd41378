"""Noise by policy: who must agree, what it needs, what the final plan holds, and that a tampered plan is denied."""

from dataclasses import replace
from fractions import Fraction

import pytest

from consortia.errors import InternalError
from consortia.plans.model import AggregateStep, Plan, Release
from consortia.plans.steps_of_noise import Bound, Noise
from consortia.plans.zcdp import DELTA_PARTS, RHO_PARTS
from consortia.policies.accounting import charge_of
from consortia.policies.decide import decide
from consortia.policies.obligations import require_kept
from consortia.policies.world import PolicyWorld
from tests import fixtures_catalogue as fixtures
from tests.noisy_policies import AMOUNT, QUERY, clip, compiled, noise, world_of
from tests.policies_world import NOW, draft_of


def denials(sql: str, world: PolicyWorld):
    """Why the draft of a query is denied; looks for no query that would pass."""
    return decide(draft_of(sql, world), world, NOW).denials()


def step(plan: Plan, kind: type):
    return next(each for each in plan.steps if isinstance(each, kind))


def test_a_permitted_query_has_bounds_and_noise_and_no_exact_rule() -> None:
    found = compiled()
    plan = found.plan
    bound, made = step(plan, Bound), step(plan, Noise)
    assert [(each.column, each.lo, each.hi) for each in bound.clips] == [
        ("sum_amount_minor", -100, 50_000),
        ("rows", 0, 5),
    ]
    assert bound.cells == 2
    assert made.rows == len(fixtures.COUNTRIES)
    assert {each.column: each.sensitivity for each in made.noised} == {
        "entities_customer_key": 2,
        "sum_amount_minor": 2 * 50_000**2,
        "rows": 2 * 5**2,
    }
    assert plan.complete_domain is None
    assert found.decision.obligations.minimum_entities == 0
    spent = charge_of(plan)
    assert Fraction(98, 1000) < Fraction(spent.rho, RHO_PARTS) <= Fraction(1, 10)
    released = step(plan, Release)
    assert not any(column.nullable for column in released.columns)


def test_the_strictest_terms_of_all_owners_hold() -> None:
    world = world_of(
        a=(noise(rho_per_release="1/20"), clip(-5, 30_000)), b=(noise(cells_per_unit=1), clip(-100, 40_000)),
        c=(noise(rows_per_cell=3), clip(-50, 90_000)),
    )  # fmt: skip
    plan = compiled(world=world).plan
    assert step(plan, Bound).cells == 1
    assert [(each.lo, each.hi) for each in step(plan, Bound).clips] == [(-5, 30_000), (0, 3)]
    assert charge_of(plan).rho <= RHO_PARTS // 20


def test_owners_that_disagree_on_noise_permit_nothing() -> None:
    found = denials(QUERY, world_of(b=()))
    assert [(owner, reason.rule) for owner, reason in found] == [(owner, "noise") for owner in fixtures.BANKS]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT country, SUM(amount_minor * 2) AS s FROM deposits WHERE currency = 'EUR' GROUP BY country",
        f"{QUERY} HAVING SUM(amount_minor) > 5",
        f"{QUERY} ORDER BY total LIMIT 2",
        "SELECT country, COUNT(DISTINCT member()) AS m FROM deposits GROUP BY country",
        "SELECT ts, COUNT(*) AS n FROM deposits GROUP BY ts",
        (
            "SELECT country, COUNT(*) AS n FROM"
            " (SELECT customer_key, country FROM deposits GROUP BY customer_key, country) AS d GROUP BY country"
        ),
    ],
)
def test_what_noise_can_not_protect_is_denied(sql: str) -> None:
    assert "noise" in {reason.rule for _, reason in denials(sql, world_of())}


ANY_ROWS = ("maximum-rows: 1000", "maximum-rows: off")
BY_DAY = ("ts: {class: quasi, operations: [filter]}", "ts: {class: quasi, operations: [filter, group]}")
BY_TS = "SELECT ts, COUNT(*) AS n FROM deposits GROUP BY ts"
DELTA = {"delta_per_release": "1/100000", "delta_per_period": "1/10000"}


def test_unknown_groups_are_selected_where_every_owner_grants_a_delta() -> None:
    """No two moments are alike beforehand: there are more of them than cells that are all released."""
    granted = (noise(**DELTA), clip(0, 10), BY_DAY, ANY_ROWS)
    plan = compiled(BY_TS, world_of(a=granted, b=granted, c=granted)).plan
    selection = step(plan, Noise).selection
    assert selection is not None
    assert 0 < selection.delta <= DELTA_PARTS // 100_000
    assert charge_of(plan).delta == selection.delta
    without = (noise(), clip(0, 10), BY_DAY, ANY_ROWS)
    found = compiled(BY_TS, world_of(a=granted, b=without, c=granted))
    assert [(owner, reason.rule) for owner, reason in found.decision.denials()] == [("bank-b", "noise")]


def test_a_final_plan_that_selects_below_its_threshold_is_denied() -> None:
    granted = (noise(**DELTA), clip(0, 10), BY_DAY, ANY_ROWS)
    world = world_of(a=granted, b=granted, c=granted)
    plan = compiled(BY_TS, world).plan
    assert decide(plan, world, NOW).permitted
    made = step(plan, Noise)
    selection = made.selection
    assert selection is not None
    for changed in (
        selection.model_copy(update={"minimum": selection.minimum - 1}),
        selection.model_copy(update={"column": "rows"}),
        selection.model_copy(update={"delta": DELTA_PARTS}),
        None,
    ):
        denials = decide(tampered(plan, Noise, selection=changed), world, NOW).denials()
        assert "noise" in {reason.rule for _, reason in denials}


SUMS = "SELECT country, SUM(amount_minor) AS total, COUNT(*) AS k FROM deposits WHERE currency = 'EUR' GROUP BY country"
LOCAL = (noise(mechanism="local-discrete-gaussian"), clip(-100, 50_000))


def test_noise_at_the_owners_is_bounded_and_charged_for_all_of_them() -> None:
    world = world_of(a=LOCAL, b=LOCAL, c=LOCAL)
    plan = compiled(SUMS, world).plan
    places = [each.at for each in plan.steps if isinstance(each, Noise)]
    assert places == [f"owner:{owner}" for owner in fixtures.BANKS]
    assert RHO_PARTS // 11 < charge_of(plan).rho <= RHO_PARTS // 10
    assert not any(each.at == "shared" for each in plan.steps if isinstance(each, Bound))
    assert {reason.rule for _, reason in denials(QUERY, world)} == {"noise"}  # it counts contributors
    assert {reason.rule for _, reason in denials(SUMS, world_of(a=LOCAL, c=LOCAL))} == {"noise"}


def test_a_final_plan_whose_owners_protect_less_is_denied() -> None:
    world = world_of(a=LOCAL, b=LOCAL, c=LOCAL)
    plan = compiled(SUMS, world).plan
    made, bound = step(plan, Noise), step(plan, Bound)
    less = tuple(each.model_copy(update={"variance": each.variance // 2}) for each in made.noised)
    narrow = tuple(each.model_copy(update={"sensitivity": each.sensitivity - 1}) for each in made.noised)
    wide = tuple(each.model_copy(update={"hi": each.hi * 2}) for each in bound.clips)

    def changed(old: object, **changes: object) -> Plan:
        steps = tuple(each.model_copy(update=changes) if each is old else each for each in plan.steps)
        return plan.model_copy(update={"steps": steps})

    unprotected = next(each for each in plan.steps if each.kind == "share")
    for tampering in (
        changed(made, noised=less),
        changed(made, noised=narrow),
        changed(made, noised=()),
        changed(made, keys=()),
        changed(bound, clips=wide),
        changed(bound, cells=0),
        changed(bound, entity="country"),
        changed(unprotected, inputs=made.inputs),
    ):
        assert "noise" in {reason.rule for _, reason in decide(tampering, world, NOW).denials()}


def test_the_nearest_query_that_passes_passes() -> None:
    suggestion = compiled(f"{QUERY} HAVING SUM(amount_minor) > 5").suggestion
    if suggestion is not None:
        assert compiled(suggestion).permitted
    denied = "SELECT country, COUNT(*) AS n, COUNT(DISTINCT member()) AS m FROM deposits GROUP BY country"
    suggestion = compiled(denied).suggestion
    assert suggestion is not None
    assert compiled(suggestion).permitted


@pytest.mark.parametrize("other", [(), (clip(60_000, 70_000),)])
def test_a_sum_without_bounds_on_which_all_agree_is_denied(other: tuple[tuple[str, str], ...]) -> None:
    """Input P3: a column without bounds gets no noise, so it is refused."""
    found = compiled(world=world_of(b=(noise(), *other)))
    assert {reason.rule for _, reason in found.decision.denials()} == {"noise"}
    assert found.suggestion is not None
    assert "SUM" not in found.suggestion
    assert compiled("SELECT country, COUNT(*) AS n FROM deposits GROUP BY country", world_of(b=(noise(),))).permitted


def tampered(plan: Plan, kind: type, **changes: object) -> Plan:
    steps = tuple(each.model_copy(update=changes) if isinstance(each, kind) else each for each in plan.steps)
    return plan.model_copy(update={"steps": steps})


def test_a_final_plan_that_protects_less_than_it_says_is_denied() -> None:
    world = world_of()
    plan = compiled(world=world).plan
    assert decide(plan, world, NOW).permitted
    made, bound = step(plan, Noise), step(plan, Bound)
    less = tuple(each.model_copy(update={"variance": each.variance // 2}) for each in made.noised)
    narrow = tuple(each.model_copy(update={"sensitivity": each.sensitivity - 1}) for each in made.noised)
    wide = tuple(each.model_copy(update={"hi": each.hi * 2}) for each in bound.clips)
    for changed in (
        tampered(plan, Noise, noised=less),
        tampered(plan, Noise, noised=narrow),
        tampered(plan, Noise, noised=made.noised[1:]),
        tampered(plan, Noise, keys=()),
        tampered(plan, Noise, rows=made.rows - 1),
        tampered(plan, Bound, clips=wide),
        tampered(plan, Bound, clips=bound.clips[1:]),
        tampered(plan, Bound, cells=0),
        tampered(plan, Bound, entity="country"),
        tampered(plan, AggregateStep, entity="country"),
    ):
        denials = decide(changed, world, NOW).denials()
        assert "noise" in {reason.rule for _, reason in denials}


def test_a_plan_without_the_obliged_noise_is_no_final_plan() -> None:
    found = compiled()
    require_kept(found.plan, found.decision.obligations)
    with pytest.raises(InternalError, match="the noise"):
        require_kept(draft_of(QUERY, world_of()), found.decision.obligations)


def test_the_cost_never_falls_when_the_noise_falls() -> None:
    """Input P4: a cheaper price for less noise."""
    costs = []
    for rho in ("1/1000", "1/100", "1/10", "9/10"):
        fields = noise(rho_per_release=rho, rho_per_period="1/1")
        plan = compiled(world=world_of(**{o: (fields, clip(0, 100)) for o in "abc"})).plan
        costs.append(([each.variance for each in step(plan, Noise).noised], charge_of(plan).rho))
    variances, charges = zip(*costs, strict=True)
    assert list(variances) == sorted(variances, reverse=True)
    assert list(charges) == sorted(charges)


@pytest.mark.parametrize(("lo", "hi", "end"), [(0, 1, 1), (-3, 4, 4), (-9, 4, 9)])
def test_sensitivity_is_the_farther_bound_in_whole_numbers(lo: int, hi: int, end: int) -> None:
    """Input P4: sensitivity halved by integer rounding, bounds (0, 1) and (-3, 4)."""
    world = world_of(**{owner: (noise(), clip(lo, hi)) for owner in "abc"})
    noised = step(compiled(world=world).plan, Noise).noised
    assert next(each.sensitivity for each in noised if each.column == "sum_amount_minor") == 2 * end * end


def test_another_owner_s_policy_is_compared_by_its_own_section() -> None:
    world = world_of()
    plan = compiled(world=world).plan
    stricter = replace(world, policies=world_of(c=(noise(rho_per_release="1/11"), clip(-100, 50_000))).policies)
    denials = decide(plan, stricter, NOW).denials()
    assert [(owner, reason.rule) for owner, reason in denials] == [("bank-c", "noise")]


QUANTILE = AMOUNT + ", quantile], clip: {lo: 0, hi: 9999}}"
MEDIANS = (
    "SELECT country, MEDIAN(amount_minor) AS m FROM deposits WHERE currency = 'EUR' GROUP BY country ORDER BY country"
)


def quantiles(*edits: tuple[str, str]) -> PolicyWorld:
    allowed = (AMOUNT + "]}", QUANTILE)
    return world_of(**dict.fromkeys("abc", (noise(), allowed, *edits)))


def test_quantiles_are_read_off_noisy_counts_where_values_and_counts_may_be_opened() -> None:
    found = compiled(MEDIANS, quantiles())
    assert found.permitted
    assert step(found.plan, Noise).rows == 5 * 64
    without_counts = ("operations: [count, compare, compare-members]", "operations: [compare, compare-members]")
    for edits in ((without_counts,), ((", quantile], clip", "], clip"),), ((", clip: {lo: 0, hi: 9999}", ""),)):
        denied = denials(MEDIANS, quantiles(*edits))
        assert denied
        assert {reason.rule for _, reason in denied} <= {"noise", "operations"}


def test_a_plan_whose_bins_are_no_histogram_of_the_column_needs_another_word() -> None:
    """The bins of a quantile tell quantiles; a group key tells values, and no policy opens those of a sensitive one."""
    world = quantiles()
    plan = compiled(MEDIANS, world).plan
    steps = tuple(each for each in plan.steps if each.kind != "quantiles")
    assert decide(plan.model_copy(update={"steps": steps}), world, NOW).denials()


def test_exact_rules_that_are_in_effect_beside_noise_do_not_apply() -> None:
    exact = (
        ("dominance: off", "dominance: {n: 2, percent: 90}"),
        ("p-percent: off", "p-percent: 10"),
        ("zeros-and-full-cells: off", "zeros-and-full-cells: suppressed"),
        ("complementary-suppression: off", "complementary-suppression: required"),
        ("differencing: off", "differencing: {new-data-days: 7}"),
    )
    for sql, terms in ((QUERY, (noise(), clip(0, 9))), (SUMS, LOCAL)):
        found = compiled(sql, world_of(**dict.fromkeys("abc", (*terms, *exact))))
        assert found.permitted
        obliged = found.decision.obligations
        assert (obliged.minimum_entities, obliged.minimum_members, obliged.dominance, obliged.p_percent) == (
            0,
            0,
            (),
            None,
        )
        assert not obliged.zeros_and_full_cells
        assert not any(each.rules for each in found.plan.steps if each.kind == "control")
