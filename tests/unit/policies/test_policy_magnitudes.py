"""Dominance, p%, zeros and full cells, rounding by policy: what is obliged, kept by the final plan, and comes out."""

from collections.abc import Callable
from datetime import timedelta
from itertools import product

import pytest

from consortia.errors import InternalError
from consortia.execution.estimate import estimate
from consortia.parties.simulation import simulate
from consortia.plans.catalogue import Catalogue, KeyDomain
from consortia.plans.model import Aggregate, AggregateStep, Control, Plan, Release, Share
from consortia.plans.obligations import DominanceLimit
from consortia.plans.rules import Dominance, FullCell, MinimumContributors, PPercent, ZeroCell, margin_text
from consortia.policies.compiling import Compiled, compile_analysis
from consortia.policies.decide import decide
from consortia.policies.obligations import require_kept
from consortia.policies.world import PolicyWorld
from tests import fixtures_catalogue as fixtures
from tests.policies_world import GENEROUS, NOW, draft_of, loaded, make_world, rules_of
from tests.pooled_relations import Pool, Row

Edits = tuple[tuple[str, str], ...]
ALL: Edits = (
    ("dominance: off", "dominance: {n: 2, percent: 80}"),
    ("p-percent: off", "p-percent: 10"),
    ("zeros-and-full-cells: off", "zeros-and-full-cells: suppressed"),
    ("rounding: off", "rounding: 5"),
)
TOTALS = (
    "SELECT country, SUM(amount_minor) AS total, COUNT(*) AS n FROM deposits WHERE currency = 'EUR' GROUP BY country"
)


def world_of(*edits: Edits) -> PolicyWorld:
    """Policies of the three banks with ``edits``, the same at all if there is one set."""
    each = edits if len(edits) == 3 else edits * 3
    return make_world(*(loaded(owner, *own) for owner, own in zip(fixtures.BANKS, each, strict=True)))


def compiled(sql: str = TOTALS, world: PolicyWorld | None = None, submitter: str = "ana@bank-a") -> Compiled:
    return compile_analysis(
        sql, fixtures.PURPOSE, submitter, fixtures.AS_OF, world or world_of(ALL), estimate, fixtures.AS_OF
    )


def control_of(plan: Plan) -> Control:
    return next(step for step in plan.steps if isinstance(step, Control))


# --- what is obliged -------------------------------------------------------------------------------------------------


def test_each_sum_and_count_that_is_opened_is_checked_by_entity_and_by_member() -> None:
    control = control_of(compiled().plan)
    found = [(type(rule), getattr(rule, "by", ""), getattr(rule, "of", "")) for rule in control.rules]
    assert found[:2] == [(MinimumContributors, "entity", ""), (MinimumContributors, "member", "")]
    assert set(found[2:]) == {
        *product((Dominance, PPercent), ("entity", "member"), ("sum_amount_minor", "rows")),
        (ZeroCell, "", "sum_amount_minor"), (ZeroCell, "", "rows"), (FullCell, "", ""),
    }  # fmt: skip
    assert [(each.column, each.base) for each in control.rounding] == [("sum_amount_minor", 5), ("rows", 5)]


def test_the_recipients_member_counts_as_one_of_the_largest_and_as_the_one_that_estimates() -> None:
    plan = compiled().plan
    made = {each.name: each for step in plan.steps if isinstance(step, AggregateStep) for each in step.aggregates}
    by_member = {type(rule): rule for rule in control_of(plan).rules if getattr(rule, "by", "") == "member"}
    dominance, p_percent = by_member[Dominance], by_member[PPercent]
    assert (made[dominance.largest].count, made[p_percent.known].count) == (1, 1)
    assert made[dominance.largest].excluding == ("bank-a",)
    assert margin_text(p_percent.margin()) == "100 member_all_rows - 110 member_top1_rows >= 0"


def test_the_strictest_of_all_owners_holds_and_pairs_that_another_implies_are_left_out() -> None:
    world = world_of(
        (("dominance: off", "dominance: {n: 1, percent: 60}"), ("p-percent: off", "p-percent: 5")),
        (("dominance: off", "dominance: {n: 2, percent: 90}"), ("rounding: off", "rounding: 3")),
        (
            ("dominance: off", "dominance: {n: 1, percent: 70}"),
            ("p-percent: off", "p-percent: 15"),
            ("rounding: off", "rounding: 2"),
        ),
    )  # fmt: skip
    found = compiled(world=world).decision.obligations
    assert found.dominance == (DominanceLimit(largest=1, percent=60), DominanceLimit(largest=2, percent=90))
    assert (found.p_percent, found.rounding, found.zeros_and_full_cells) == (15, 3, False)


def test_a_limit_of_all_is_no_limit() -> None:
    world = world_of((("dominance: off", "dominance: {n: 2, percent: 100}"),))
    assert compiled(world=world).decision.obligations.dominance == ()


def test_numbers_that_are_no_sums_have_no_such_rule() -> None:
    plan = compiled(
        "SELECT country, COUNT(DISTINCT customer_key) AS n FROM deposits WHERE currency = 'EUR' GROUP BY country"
    ).plan
    assert {type(rule) for rule in control_of(plan).rules} == {MinimumContributors, FullCell}
    assert [each.base for each in control_of(plan).rounding] == [5]


LOWER = ("contributors: exact", "contributors: lower-bound")


def test_contributors_are_counted_by_each_owner_only_where_all_owners_say_so() -> None:
    assert compiled(world=world_of((), (LOWER,), (LOWER,))).decision.obligations.lower_bound is False
    found = compiled(world=world_of((LOWER,)))
    assert found.decision.obligations.lower_bound
    shares = [step for step in found.plan.steps if isinstance(step, Share)]
    assert {(step.rows, step.columns[-1].name) for step in shares} == {(5, "rows")}
    assert "own_entities" in {column.name for column in shares[0].columns}
    exact = compiled(world=world_of((LOWER, ALL[0])))
    assert exact.decision.obligations.lower_bound, "accepted, and not used where a rule must tell customers apart"
    assert not any(column.name == "own_entities" for step in exact.plan.steps for column in step.columns)


def at_owners(plan: Plan, **change: object) -> Plan:
    steps = tuple(
        step.model_copy(update=change) if isinstance(step, AggregateStep) and step.at != "shared" else step
        for step in plan.steps
    )
    return plan.model_copy(update={"steps": steps})


def test_a_lower_bound_that_is_none_or_that_somebody_does_not_accept_is_denied() -> None:
    plan = compiled(world=world_of((LOWER,))).plan
    assert rules_of(decide(plan, world_of((LOWER,)), NOW)) == set()
    assert rules_of(decide(plan, world_of((), (LOWER,), (LOWER,)), NOW)) == {"minimum-entities"}
    others = {"count": 2, "by": "entity", "of": "rows", "function": "magnitude"}
    for field, value in others.items():
        tampered = with_aggregate(plan, "other_entities", **{field: value})
        assert rules_of(decide(tampered, world_of((LOWER,)), NOW)) == {"minimum-entities"}, field
    finer = at_owners(plan, keys=("country", "amount_minor"))
    assert "minimum-entities" in rules_of(decide(finer, world_of((LOWER,)), NOW))
    other_unit = at_owners(plan, entity="country")
    assert "minimum-entities" in rules_of(decide(other_unit, world_of((LOWER,)), NOW))


# --- what is denied beforehand ----------------------------------------------------------------------------------------


def test_a_limit_on_as_many_members_as_there_are_is_denied() -> None:
    """Of three banks two are left beside the recipient: with it they are the three largest."""
    found = compiled(world=world_of((("dominance: off", "dominance: {n: 3, percent: 99}"),)))
    assert rules_of(found.decision) == {"dominance"}


def test_a_variance_of_rounded_sums_is_denied() -> None:
    rounding = ("rounding: off", "rounding: 5")  # for counts and for aggregates
    world = make_world(*(loaded(owner, *GENEROUS, rounding, rounding) for owner in fixtures.BANKS))
    found = compiled("SELECT currency, VARIANCE(amount_minor) AS v FROM deposits GROUP BY currency", world)
    assert rules_of(found.decision) == {"rounding"}
    assert found.suggestion is not None
    assert compiled(found.suggestion, world).permitted


PER_CUSTOMER = "(SELECT customer_key, {} AS t FROM deposits WHERE currency = 'EUR' GROUP BY customer_key) AS x"
MIXED = {
    "a constant": "SELECT country, SUM(amount_minor + 100000) AS s, COUNT(*) AS n FROM deposits {} GROUP BY country",
    "a constant in an average": "SELECT country, AVG(amount_minor - 5) AS m FROM deposits {} GROUP BY country",
    "a column twice": "SELECT country, SUM(amount_minor + 2 * amount_minor) AS s FROM deposits {} GROUP BY country",
    "a nested constant": f"SELECT SUM(t) AS s FROM {PER_CUSTOMER.format('SUM(amount_minor + 100000)')}",
    "a constant beside a nested sum": f"SELECT SUM(t) AS s FROM {PER_CUSTOMER.format('SUM(amount_minor) + 100000')}",
    "a nested number of rows": f"SELECT SUM(t) AS s FROM {PER_CUSTOMER.format('SUM(amount_minor) + COUNT(*)')}",
    "a nested maximum": f"SELECT SUM(t) AS s FROM {PER_CUSTOMER.format('MAX(amount_minor + 100000)')}",
    "another table's column": "SELECT SUM(d.amount_minor + a.s) AS v FROM deposits AS d JOIN (SELECT customer_key,"
    " SUM(risk_score) AS s FROM accounts WHERE risk_score IS NOT NULL GROUP BY customer_key) AS a"
    " ON a.customer_key = d.customer_key WHERE d.currency = 'EUR'",
    "a product": "SELECT SUM(d.amount_minor * a.s) AS v FROM deposits AS d JOIN (SELECT customer_key,"
    " SUM(risk_score) AS s FROM accounts WHERE risk_score IS NOT NULL GROUP BY customer_key) AS a"
    " ON a.customer_key = d.customer_key WHERE d.currency = 'EUR'",
}  # fmt: skip
SINGLE = {
    "a sum, an average, a number of rows": "SELECT country, SUM(amount_minor) AS s, AVG(amount_minor) AS m,"
    " COUNT(*) AS n FROM deposits {} GROUP BY country",
    "times a constant": "SELECT country, SUM(-3 * amount_minor) AS s FROM deposits {} GROUP BY country",
    "sums beside each other": "SELECT country, SUM(amount_minor) + COUNT(*) AS s FROM deposits {} GROUP BY country",
    "a variance": "SELECT country, VARIANCE(amount_minor) AS v FROM deposits {} GROUP BY country",
    "a nested sum": f"SELECT SUM(t) AS s, COUNT(*) AS n FROM {PER_CUSTOMER.format('SUM(2 * amount_minor)')}",
    "a nested maximum": f"SELECT SUM(t) AS s FROM {PER_CUSTOMER.format('MAX(amount_minor)')}",
    "a nested number of rows": f"SELECT SUM(t) AS s FROM {PER_CUSTOMER.format('COUNT(*)')}",
    "another table's column": "SELECT SUM(a.s) AS v FROM deposits AS d JOIN (SELECT customer_key,"
    " SUM(risk_score) AS s FROM accounts WHERE risk_score IS NOT NULL GROUP BY customer_key) AS a"
    " ON a.customer_key = d.customer_key WHERE d.currency = 'EUR'",
}  # fmt: skip


def denied_by(sql: str, *edits: tuple[str, str]) -> set[str]:
    each = [edit for edit in edits for _ in ("count", "aggregate")]
    world = make_world(*(loaded(owner, *GENEROUS, *each) for owner in fixtures.BANKS))
    return rules_of(decide(draft_of(sql.format("WHERE currency = 'EUR'"), world), world, NOW))


@pytest.mark.parametrize("name", MIXED)
def test_a_sum_to_which_something_is_added_is_denied_where_a_rule_is_about_who_rules_it(name: str) -> None:
    """The rule would be about the sum of both, and what was added can be subtracted again."""
    without = denied_by(MIXED[name])
    for edit in ALL[:3]:
        rule = edit[0].split(":")[0]
        assert denied_by(MIXED[name], edit) - without == {rule}
    assert denied_by(MIXED[name], ("dominance: off", "dominance: {n: 2, percent: 100}")) == without


@pytest.mark.parametrize("name", SINGLE)
def test_a_multiple_of_one_column_is_permitted_under_every_rule_on_magnitudes(name: str) -> None:
    assert denied_by(SINGLE[name], *ALL[:3]) == set()


def test_p_percent_is_denied_where_one_other_member_holds_the_rows() -> None:
    world = world_of((("p-percent: off", "p-percent: 10"),))
    found = compiled(TOTALS.replace("FROM deposits", 'FROM "bank-b".deposits'), world)
    assert "p-percent" in rules_of(found.decision)
    assert found.suggestion == TOTALS, "all members' table"


def test_rounding_and_noise_at_once_are_denied() -> None:
    noise = ("noise: off", "noise: {rho-per-release: 1/10, rho-per-period: 1/2}")
    found = compiled(world=world_of((noise, ("rounding: off", "rounding: 5"))))
    assert "rounding" in rules_of(found.decision)


# --- what the final plan keeps ----------------------------------------------------------------------------------------


def changed(plan: Plan, change: Callable[[Control], Control]) -> Plan:
    steps = tuple(change(step) if isinstance(step, Control) else step for step in plan.steps)
    return plan.model_copy(update={"steps": steps})


def without(kind: type, by: str = "") -> Callable[[Control], Control]:
    def change(step: Control) -> Control:
        kept = tuple(
            rule for rule in step.rules if not (isinstance(rule, kind) and by in ("", getattr(rule, "by", "")))
        )
        return step.model_copy(update={"rules": kept})

    return change


LOST: dict[str, Callable[[Control], Control]] = {
    "dominance by entity": without(Dominance, "entity"),
    "dominance by member": without(Dominance, "member"),
    "p% by entity": without(PPercent, "entity"),
    "p% by member": without(PPercent, "member"),
    "zero cells": without(ZeroCell),
    "full cells": without(FullCell),
    "one rounded column": lambda step: step.model_copy(update={"rounding": step.rounding[:1]}),
    "a weaker limit": lambda step: step.model_copy(update={"rules": tuple(
        rule.model_copy(update={"percent": 81}) if isinstance(rule, Dominance) else rule for rule in step.rules)}),
}  # fmt: skip


@pytest.mark.parametrize("name", LOST)
def test_a_final_plan_without_a_rule_is_not_run(name: str) -> None:
    found = compiled()
    require_kept(found.plan, found.decision.obligations)
    with pytest.raises(InternalError) as caught:
        require_kept(changed(found.plan, LOST[name]), found.decision.obligations)
    assert caught.value.code == "policies/obligation-lost"


def with_aggregate(plan: Plan, name: str, **change: object) -> Plan:
    def each(made: Aggregate) -> Aggregate:
        return made.model_copy(update=change) if made.name == name else made

    steps = tuple(
        step.model_copy(update={"aggregates": tuple(map(each, step.aggregates))})
        if isinstance(step, AggregateStep) and step.at == "shared"
        else step
        for step in plan.steps
    )
    return plan.model_copy(update={"steps": steps})


@pytest.mark.parametrize(
    ("name", "change", "rule"),
    [
        ("entity_all_rows", {"excluding": ()}, {"dominance", "p-percent", "zeros-and-full-cells"}),
        ("entity_top2_rows", {"of": "sum_amount_minor"}, {"dominance", "p-percent"}),
        ("entity_top1_rows", {"count": 3}, {"p-percent"}),
        ("member_top1_rows", {"by": "entity"}, {"dominance", "p-percent"}),
        ("beside_country", {"of": "currency"}, {"zeros-and-full-cells"}),
    ],
)
def test_a_rule_over_columns_that_say_something_else_is_denied(name: str, change: dict, rule: set[str]) -> None:
    found = compiled()
    tampered = with_aggregate(found.plan, name, **change)
    assert rules_of(decide(tampered, world_of(ALL), NOW)) == rule


@pytest.mark.parametrize("column", ["entity_top1_rows", "entity_all_rows", "beside_country"])
def test_what_contributors_hold_is_never_opened(column: str) -> None:
    plan = compiled().plan
    groups = next(step for step in plan.steps if isinstance(step, AggregateStep) and step.at == "shared")
    more = next(each for each in groups.columns if each.name == column)

    def opening(step):
        if not isinstance(step, Control | Release):
            return step
        return step.model_copy(update={"columns": (*step.columns, more)})

    tampered = plan.model_copy(update={"steps": tuple(opening(step) for step in plan.steps)})
    assert "operations" in rules_of(decide(tampered, world_of(ALL), NOW))


# --- from the policy file to the frame --------------------------------------------------------------------------------

SMALL = Catalogue(
    consortium="testers",
    version=1,
    previous=fixtures.ZEROS,
    purposes=(fixtures.PURPOSE,),
    key_domains=(KeyDomain(name="customer", id_type="number", key_id="aa"),),
    tables=(
        fixtures.table(
            "deposits",
            fixtures.column("customer_key", fixtures.CUSTOMER),
            fixtures.column("ts", fixtures.TIMESTAMP),
            fixtures.column("amount_minor", fixtures.AMOUNT, 0, 10**6),
            fixtures.column("currency", fixtures.CURRENCY),
            fixtures.column("country", fixtures.COUNTRY),
            max_rows=40,
        ),
    ),
)


def deposits(country: int, *amounts: int, first: int) -> list[Row]:
    return [
        {"customer_key": f"{first + place}", "amount_minor": amount, "currency": 0, "country": country, "ts": 0}
        for place, amount in enumerate(amounts)
    ]


def test_cells_that_miss_a_rule_stand_there_as_suppressed_and_the_others_are_rounded(tmp_path) -> None:
    even, none = [1001] * 6, [0] * 6
    data = {
        "deposits": {
            "bank-a": deposits(0, *even, first=0) + deposits(1, 10**6, *even, first=10),
            "bank-b": deposits(0, *even, first=100) + deposits(1, 50_000, *even, first=110)
            + deposits(2, *none, first=120),
            "bank-c": deposits(0, *even, first=200) + deposits(1, *even, first=210) + deposits(2, *none, first=220),
        }
    }  # fmt: skip
    world = make_world(*(loaded(owner, *ALL) for owner in fixtures.BANKS), catalogue=SMALL)
    found = compile_analysis(TOTALS, fixtures.PURPOSE, "ana@bank-a", NOW, world, estimate, NOW + timedelta(seconds=1))
    assert found.permitted, found.decision.denials()
    pool = Pool(tmp_path, data, SMALL)
    run = simulate(found.plan, pool.frames(found.plan))
    assert run.measured == found.estimate
    ((_, frame),) = run.results.items()
    shown = {row[0]: row[1:] for row in frame.rows() if row[0] is not None}
    # one of 13 other customers holds most of the second country; all of the third have nothing
    assert [shown[name][-1] for name in fixtures.COUNTRIES[:3]] == [False, True, True]
    assert shown[fixtures.COUNTRIES[0]][:2] == (18_020, 20)  # of 18,018 and 18


# --- two owners -------------------------------------------------------------------------------------------------------

PAIR = fixtures.BANKS[:2]
OF_TWO = SMALL.model_copy(update={"tables": (SMALL.tables[0].model_copy(update={"holders": PAIR}),)})
TWO_MEMBERS = ("minimum-members: 3", "minimum-members: 2")


def compiled_of_two(*edits: Edits, sql: str = TOTALS) -> Compiled:
    each = edits if len(edits) == 2 else edits * 2
    world = make_world(*(loaded(owner, *own) for owner, own in zip(PAIR, each, strict=True)), catalogue=OF_TWO)
    return compile_analysis(sql, fixtures.PURPOSE, "ana@bank-a", NOW, world, estimate, NOW + timedelta(seconds=1))


def test_two_owners_may_agree_that_either_subtracts_its_own_part() -> None:
    found = compiled_of_two((*ALL, TWO_MEMBERS))
    assert found.permitted, found.decision.denials()
    rules = control_of(found.plan).rules
    assert {rule.by for rule in rules if isinstance(rule, Dominance | PPercent)} == {"entity"}
    assert [rule.minimum for rule in rules if isinstance(rule, MinimumContributors)] == [10, 1]
    assert found.leakage is not None
    told = [entry.detail for entry in found.leakage.entries if entry.kind == "result"]
    assert "each of the two owners can subtract its own part of a number, and knows the other's" in told[0]


def test_two_are_too_few_if_one_of_them_wants_three() -> None:
    assert rules_of(compiled_of_two((TWO_MEMBERS,), ()).decision) == {"minimum-members"}


def test_of_two_owners_the_others_part_must_pass_by_itself(tmp_path) -> None:
    even = [1001] * 11
    data = {
        "deposits": {
            "bank-a": deposits(0, *even, first=0) + deposits(1, *even, first=20),
            "bank-b": deposits(0, *even, first=0)
            + deposits(1, *even[:9], first=20)
            + deposits(2, 10**6, *even, first=40),
        }
    }  # fmt: skip
    found = compiled_of_two((*ALL, TWO_MEMBERS))
    run = simulate(found.plan, Pool(tmp_path, data, OF_TWO).frames(found.plan))
    assert run.measured == found.estimate
    ((_, frame),) = run.results.items()
    shown = {row[0]: row[-1] for row in frame.rows() if row[0] is not None}
    # nine customers of the other bank are too few, and one holds nearly all of the third country
    assert [shown[name] for name in fixtures.COUNTRIES[:3]] == [False, True, True]
