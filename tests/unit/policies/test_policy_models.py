"""Models are opened with noise alone: what a policy must say, which examples noise protects, what plans must keep."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from consortia.client.noise import noise_dict, noise_lines
from consortia.errors import ConsortiaError, InternalError, RequestError
from consortia.execution.estimate import estimate
from consortia.plans.accuracy import accuracies, wanted_of
from consortia.plans.build import build_plan
from consortia.plans.expressions import Ref
from consortia.plans.model import AggregateStep, Control, Named, Plan, Release, Rounded, Step
from consortia.plans.query import Query, Scored
from consortia.plans.rules import MinimumContributors
from consortia.plans.specs.bind import bind_analysis
from consortia.plans.steps_of_models import Weights
from consortia.plans.steps_of_noise import Noise
from consortia.policies.accounting import charge_of
from consortia.policies.changes.flips import Asked, compare
from consortia.policies.changes.generated import generated
from consortia.policies.compiling import Compiled, compile_analysis, environment_of
from consortia.policies.decide import decide
from consortia.policies.explain import explain
from consortia.policies.language.parse import parse_policy
from consortia.policies.lint import lint
from consortia.policies.obligations import require_kept
from consortia.policies.questions import Question
from consortia.policies.world import PolicyWorld
from tests.fixtures_catalogue import AS_OF, PURPOSE
from tests.policies_world import NOW, RISK, draft_of
from tests.policy_variants import MODEL, data_of, full, permissive, put

WINDOW = MODEL.replace("SUM(amount_minor) AS total", "LEAST(SUM(amount_minor), 9000) AS total").replace(
    "SELECT customer_key AS subject, MAX", "SELECT subject, label, RANK() OVER (ORDER BY total) AS total FROM ("
    " SELECT customer_key AS subject, MAX"
).replace("GROUP BY customer_key\n", "GROUP BY customer_key) AS t\n")  # fmt: skip
LIMITED = WINDOW.replace("RANK() OVER (ORDER BY total) AS total", "total").replace(
    "AS t\n", "AS t ORDER BY total LIMIT 50\n"
)
NOT_IN = MODEL.replace(
    "GROUP BY customer_key\n", "AND customer_key NOT IN (SELECT customer_key FROM accounts) GROUP BY customer_key\n"
)
"""Examples that hold what is made of other customers' rows."""
ON_SHARES = MODEL.replace("SUM(amount_minor) AS total", "{} AS total")
ONCE = (
    MODEL.replace("FROM deposits", "FROM deposits AS d JOIN accounts AS a ON d.customer_key = a.customer_key")
    .replace("country =", "d.country =")
    .replace("SELECT customer_key", "SELECT d.customer_key")
    .replace("GROUP BY customer_key", "GROUP BY d.customer_key")
)
"""Examples over a table of which each key must stand once, which is checked when the query runs."""


def world_of(*edits: tuple[str, Any]) -> PolicyWorld:
    """All owners with the full policy, more granted on the columns of the examples."""
    tree = full()
    columns = tree["data"]["tables"]["deposits"]["columns"]
    columns["amount_minor"]["operations"] += ["rank"]
    tree["data"]["tables"]["accounts"]["columns"]["customer_key"]["operations"] += ["join"]
    for path, value in edits:
        put(tree, path, value)
    return permissive(parse_policy(data_of(tree)))


def compiled(text: str = MODEL, world: PolicyWorld | None = None, **more: Any) -> Compiled:
    return compile_analysis(text, PURPOSE, "ana@bank-a", AS_OF, world or world_of(), estimate, NOW, **more)


def denials(plan: Plan, world: PolicyWorld) -> list[tuple[str, str]]:
    return sorted({(reason.rule, reason.text) for _, reason in decide(plan, world, NOW).denials()})


def changed(plan: Plan, kind: type[Step], change: Callable[[Any], Step]) -> Plan:  # type: ignore[valid-type]
    steps = tuple(change(step) if isinstance(step, kind) else step for step in plan.steps)  # type: ignore[arg-type]
    return plan.model_copy(update={"steps": steps})


def test_a_model_is_opened_to_whoever_asks_with_noise_that_costs_no_more_than_a_release_may() -> None:
    found = compiled()
    assert found.permitted
    (release,) = (step for step in found.plan.steps if isinstance(step, Release))
    assert (release.output_kind, release.rows_of) == ("model", "all")
    assert [column.name for column in release.columns] == ["parameter", "weight"]
    assert 0 < charge_of(found.plan).rho <= 10**7
    assert found.leakage is not None
    (told,) = (entry for entry in found.leakage.entries if entry.kind == "result")
    assert told.what == "`parameter` and `weight` of the model, and the public ranges"
    assert "with noise: `weight`" in told.detail


def test_explain_states_the_error_of_a_weight_and_the_loss() -> None:
    plan = compiled().plan
    told = noise_dict(plan)
    assert told is not None
    (noise,) = (step for step in plan.steps if isinstance(step, Noise))
    (output,) = told["outputs"]
    assert output["output"] == "weight"
    deviation = (1.5 * noise.noised[0].variance) ** 0.5 / 10**6
    assert float(output["standard_deviation"]) == pytest.approx(deviation, rel=0.01)
    assert any("privacy loss rho 0.01 " in line for line in noise_lines(plan))


def test_an_error_that_is_wanted_of_weights_costs_the_least_that_keeps_it() -> None:
    exact = compiled().plan
    wide = compiled(errors=wanted_of({"weight": "0.5"})).plan
    assert charge_of(wide).rho < charge_of(exact).rho
    assert float(accuracies(wide)[0].error) <= 0.5


@pytest.mark.parametrize("noise", ["off", {"rho-per-release": "off"}, {"delta-per-release": "1/1000000"}])
def test_a_policy_can_not_say_that_a_model_is_opened_without_noise(noise: Any) -> None:
    tree = full()
    tree["outputs"]["model"]["noise"] = noise
    with pytest.raises(ConsortiaError) as refused:
        parse_policy(data_of(tree))
    assert refused.value.code == "policies/schema"


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("outputs.model", "never", "output-kind"),
        ("outputs.model.recipients", ["bank-b"], "recipients"),
        ("outputs.model.recipients", ["abe@bank-a"], "recipients"),
        ("outputs.model.minimum-members", 4, "minimum-members"),
        ("outputs.model.maximum-rows", 1, "maximum-rows"),
        ("data.tables.deposits.columns.amount_minor.operations", ["filter", "sum"], "operations"),
        ("data.tables.deposits.columns.country.operations", ["filter", "group"], "operations"),
    ],
)
def test_a_policy_denies_a_model_by_its_rule(path: str, value: Any, rule: str) -> None:
    world = world_of((path, value))
    assert {found for found, _ in denials(draft_of(MODEL, world), world)} == {rule}


@pytest.mark.parametrize(
    ("text", "says"),
    [(WINDOW, "`window` step"), (LIMITED, "`limit` step"), (NOT_IN, "NOT IN")],
    ids=["window", "limit", "not-in"],
)
def test_examples_that_other_customers_rows_change_are_denied(text: str, says: str) -> None:
    world = world_of()
    found = dict(denials(draft_of(text, world), world))
    assert says in found["noise"]


@pytest.mark.parametrize(
    ("total", "says"),
    [
        ("LN(1 + SUM(amount_minor))", "LN on shares"),
        ("SQRT(SUM(amount_minor))", "SQRT on shares"),
        ("CASE WHEN LN(1 + COUNT(*)) >= 0.693148 THEN 1 ELSE 0 END", "LN on shares"),
        ("SIGMOID(MAX(amount_minor))", "SIGMOID on shares"),
        ("SUM(LN(1 + amount_minor))", ""),
        ("MAX(LN(1 + amount_minor))", ""),
    ],
)
def test_functions_that_round_by_the_place_of_a_row_are_for_owners_alone(total: str, says: str) -> None:
    world = world_of()
    found = dict(denials(draft_of(ON_SHARES.format(total), world), world))
    assert says in found.get("noise", "")
    assert bool(says) == ("noise" in found)


def test_a_join_that_would_tell_whether_a_key_stands_twice_is_denied() -> None:
    world = world_of()
    found = dict(denials(draft_of(ONCE, world), world))
    assert "stands twice" in found["noise"]


def test_a_plan_that_compares_weights_before_noise_is_denied() -> None:
    plan, world = compiled().plan, world_of()
    for update in (
        {"rules": (MinimumContributors(by="entity", column="weight", minimum=1),)},
        {"rounding": (Rounded(column="weight", base=10),)},
    ):
        other = changed(plan, Control, lambda step, update=update: step.model_copy(update=update))
        assert "noise is not what the plan says" in dict(denials(other, world))["noise"]


NETWORK = (
    RISK.replace("analysis: risk-propagation\n", "analysis: logistic-regression\n")
    + """
examples: |
  SELECT n.account AS subject, MAX(CASE WHEN n.risk > 1 THEN 1 ELSE 0 END) AS label, MAX(n.risk) AS risk
  FROM network AS n GROUP BY n.account
epochs: 2
"""
)


def test_risk_along_payments_is_no_feature_of_a_model_that_is_opened() -> None:
    world = world_of()
    with pytest.raises(RequestError) as refused:
        draft_of(f"{NETWORK}give: model\n", world)
    assert "give: model" not in refused.value.message
    # a plan that has it all the same is denied: the spec of scores, and a model opened of its examples
    scored = bind_analysis(f"{NETWORK}give: scores\n", world.catalogue, AS_OF).relation
    assert isinstance(scored, Scored)
    model = bind_analysis(MODEL, world.catalogue, AS_OF).model
    assert model is not None
    columns = ("subject", "label", "risk")
    query = Query(
        sql="",
        relation=scored.source,
        keys=tuple(Named(name=name, expression=Ref(column=name)) for name in columns),
        outputs=tuple(Named(name=name, expression=Ref(column=name)) for name in ("parameter", "weight")),
        model=model.model_copy(update={"features": ("risk",)}),
    )
    plan = build_plan(query, environment_of(PURPOSE, "ana@bank-a", AS_OF, world))
    assert "`propagate` step" in dict(denials(plan, world))["noise"]


def several(step: AggregateStep) -> Step:
    """The last group by the customer, and by something else too."""
    if step.at != "shared":
        return step
    return step.model_copy(update={"keys": (*step.keys, step.columns[-1].name)})


@pytest.mark.parametrize(
    ("kind", "change", "says"),
    [
        (AggregateStep, several, "may have several examples"),
        (Weights, lambda step: step.model_copy(update={"unit": step.label}), "may hold rows of several contributors"),
        (Weights, lambda step: step.model_copy(update={"label": step.features[0]}), "other than 0 or 1"),
    ],
    ids=["groups", "unit", "label"],
)
def test_a_plan_whose_examples_are_not_one_for_each_contributor_is_denied(
    kind: type[Step],  # type: ignore[valid-type]
    change: Callable[[Any], Step],
    says: str,
) -> None:
    world = world_of()
    plan = draft_of(MODEL, world)
    assert not denials(plan, world)
    assert any(rule == "noise" and says in text for rule, text in denials(changed(plan, kind, change), world))


def less_sensitive(step: Noise) -> Step:
    (noised,) = step.noised
    return step.model_copy(update={"noised": (noised.model_copy(update={"sensitivity": noised.sensitivity - 1}),)})


def less_noise(step: Noise) -> Step:
    (noised,) = step.noised
    return step.model_copy(update={"noised": (noised.model_copy(update={"variance": noised.variance // 2}),)})


def longer(step: Weights) -> Step:
    return step.model_copy(update={"method": step.method.model_copy(update={"epochs": step.method.epochs + 1})})


def faster(step: Weights) -> Step:
    return step.model_copy(update={"method": step.method.model_copy(update={"rate": 10**9})})


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (Noise, less_sensitive),
        (Noise, less_noise),
        (Noise, lambda step: step.model_copy(update={"noised": ()})),
        (Noise, lambda step: step.model_copy(update={"rows": step.rows - 1})),
        (Noise, lambda step: step.model_copy(update={"keys": ("parameter",)})),
        (Weights, longer),
        (Weights, faster),
        (Weights, lambda step: step.model_copy(update={"ranges": ()})),
    ],
    ids=["sensitivity", "variance", "none", "rows", "keys", "epochs", "rate", "ranges"],
)
def test_a_final_plan_with_less_noise_than_its_steps_need_is_denied(
    kind: type[Step],  # type: ignore[valid-type]
    change: Callable[[Any], Step],
) -> None:
    world = world_of()
    plan = compiled(world=world).plan
    assert not denials(plan, world)
    assert "noise" in {rule for rule, _ in denials(changed(plan, kind, change), world)}


def test_a_final_plan_without_noise_has_lost_what_was_obliged() -> None:
    world = world_of()
    with pytest.raises(InternalError) as lost:
        require_kept(draft_of(MODEL, world), compiled(world=world).decision.obligations)
    assert lost.value.code == "policies/obligation-lost"


def test_a_plan_that_opens_more_of_a_model_than_its_weights_is_denied() -> None:
    world = world_of()
    plan = compiled(world=world).plan
    (release,) = (step for step in plan.steps if isinstance(step, Release))
    # the examples themselves, called a model
    opened = release.model_copy(update={"inputs": next(s for s in plan.steps if isinstance(s, Weights)).inputs})
    found = denials(changed(plan, Release, lambda _: opened), world)
    assert found


def test_the_strictest_owner_says_how_much_a_model_may_cost() -> None:
    tree = full()
    world = permissive(parse_policy(data_of(tree)))
    put(tree, "outputs.model.noise", {"rho-per-release": "1/1000"})
    strict = parse_policy(data_of(tree)).policy
    others = tuple(
        replace(each, policy=strict.model_copy(update={"identity": each.policy.identity}))
        if each.policy.identity.owner == "bank-b"
        else each
        for each in world.policies
    )
    mixed = PolicyWorld(world.manifest, world.catalogue, world.cards, others)
    assert charge_of(compiled(world=mixed).plan).rho <= 10**6


def test_the_page_says_who_receives_models_and_what_they_cost() -> None:
    tree = full()
    page = " ".join(explain(parse_policy(data_of(tree))).split())
    assert "Every weight has random noise" in page
    assert "fitted models without noise" in page
    tree["outputs"]["model"] = "never"
    closed = " ".join(explain(parse_policy(data_of(tree))).split())
    assert "Every weight has random noise" not in closed
    assert "fitted models." in closed or "fitted models," in closed


def test_lint_names_a_budget_of_no_release_and_a_model_that_nothing_teaches() -> None:
    tree = full()
    tree["outputs"]["model"]["noise"] = {"rho-per-release": "1/2", "rho-per-period": "1/3"}
    for column in tree["data"]["tables"]["deposits"]["columns"].values():
        column["operations"] = [each for each in column["operations"] if each != "train"]
    found = {
        (problem.check, problem.path) for problem in lint(data_of(tree), NOW, permissive(parse_policy(data_of(full()))))
    }
    assert ("budget", "outputs.model.noise.rho-per-release") in found
    assert ("unused", "outputs.model") in found


def test_a_policy_that_comes_to_permit_models_flips_generated_questions() -> None:
    tree = full()
    tree["data"]["tables"]["deposits"]["operations"] += ["train"]  # of numbers of rows
    world = permissive(parse_policy(data_of(tree)))
    after = parse_policy(data_of(tree))
    put(tree, "outputs.model", "never")
    before = parse_policy(data_of(tree))
    sqls = [each.sql for each in generated((before.policy, after.policy), world) if "give: model" in each.sql]
    assert sqls
    asked = tuple(Asked(Question(sql, PURPOSE, "ana@bank-a", NOW), "test") for sql in sqls)
    assert {flip.after.verdict for flip in compare(asked, before, after, world).flips} == {"permit"}


def test_a_model_is_not_opened_where_computers_may_collude() -> None:
    obliged = compiled().decision.obligations
    five = ("bank-a", "bank-b", "bank-c", "bank-d", "bank-e")
    world = world_of()
    around = replace(
        environment_of(PURPOSE, "ana@bank-a", AS_OF, world),
        computers=five, members=five, collusion=dict.fromkeys(("bank-a", "bank-b", "bank-c"), 2),
    )  # fmt: skip
    with pytest.raises(RequestError, match="may collude"):
        build_plan(bind_analysis(MODEL, world.catalogue, AS_OF), around, obliged)
