"""One pipeline from a query to a decided plan: what a permit and a denial carry, suggestions."""

import contextlib
from collections.abc import Callable
from datetime import timedelta

import pytest

from consortia.errors import InternalError, RequestError
from consortia.plans.cost import Estimate
from consortia.plans.model import Control, Filter, Plan
from consortia.policies.compiling import Compiled, compile_analysis, refusal
from consortia.policies.obligations import require_kept
from consortia.policies.world import PolicyWorld
from tests.fixtures_catalogue import PURPOSE, STATISTICS, STRUCTURING
from tests.policies_world import NOW, SCORE_QUERY, generous_world, loaded, make_world

SCOPED = loaded("bank-b", ("rows: all", "rows: ts >= TIMESTAMP '2026-09-01 00:00:00'"))


BY_COUNTRY = "SELECT country, SUM(amount_minor) AS total FROM deposits WHERE currency = 'EUR' GROUP BY country"


def no_cost(_: Plan) -> Estimate:
    return Estimate()


def compiled(sql: str, world: PolicyWorld | None = None, submitter: str = "ana@bank-a") -> Compiled:
    return compile_analysis(sql, PURPOSE, submitter, NOW, world or make_world(), no_cost, NOW)


def test_the_plan_has_the_circuits_that_the_submission_says() -> None:
    thrifty = compile_analysis(STATISTICS, PURPOSE, "ana@bank-a", NOW, make_world(), no_cost, NOW, "few-bytes")
    usual = compiled(STATISTICS)
    assert (usual.plan.circuits, thrifty.plan.circuits) == ("few-rounds", "few-bytes")
    assert thrifty.plan == usual.plan.model_copy(update={"circuits": "few-bytes"})


def test_the_final_plan_holds_scopes_and_minima_and_is_the_same_at_every_party() -> None:
    found = compiled(STATISTICS, make_world(SCOPED))
    again = compiled(STATISTICS, make_world(SCOPED))
    assert found.permitted
    assert (found.plan.canonical(), found.decision.canonical()) == (again.plan.canonical(), again.decision.canonical())
    assert found.leakage is not None
    assert found.decision.plan == found.plan.digest()
    scopes = [step.at for step in found.plan.steps if isinstance(step, Filter) and step.origin == "row-scope"]
    assert scopes == ["owner:bank-b"]
    [control] = [step for step in found.plan.steps if isinstance(step, Control)]
    # The recipient's own member is not counted, and counts as one.
    assert {(rule.by, rule.minimum) for rule in control.rules} == {("entity", 10), ("member", 2)}


def test_a_stricter_policy_gives_another_plan() -> None:
    stricter = make_world(loaded("bank-c", ("minimum-entities: 10", "minimum-entities: 11")))
    assert compiled(STATISTICS).plan.digest() != compiled(STATISTICS, stricter).plan.digest()


def test_an_alert_is_permitted_without_a_minimum() -> None:
    found = compiled(STRUCTURING)
    assert found.permitted
    assert [step.rules for step in found.plan.steps if isinstance(step, Control)] in ([()], [])


def lost(change: Callable[[Plan], Plan]) -> None:
    found = compiled(STATISTICS, make_world(SCOPED))
    with pytest.raises(InternalError) as caught:
        require_kept(change(found.plan), found.decision.obligations)
    assert caught.value.code == "policies/obligation-lost"


def test_a_final_plan_that_lost_an_obligation_is_an_internal_error() -> None:
    def without_scope(plan: Plan) -> Plan:
        kept = tuple(s for s in plan.steps if not (isinstance(s, Filter) and s.origin == "row-scope"))
        return plan.model_copy(update={"steps": kept})

    def weaker(by: str) -> Callable[[Plan], Plan]:
        def change(plan: Plan) -> Plan:
            steps = []
            for step in plan.steps:
                if isinstance(step, Control):
                    rules = tuple(
                        rule.model_copy(update={"minimum": 1}) if rule.by == by else rule for rule in step.rules
                    )
                    step = step.model_copy(update={"rules": rules})  # noqa: PLW2901 - the changed step stands for it
                steps.append(step)
            return plan.model_copy(update={"steps": tuple(steps)})

        return change

    lost(without_scope)
    lost(weaker("entity"))
    lost(weaker("member"))


# --- denials and what would pass ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("denied", "passes"),
    [
        (SCORE_QUERY, BY_COUNTRY),
        (BY_COUNTRY.replace("country", "customer_key, country") + " ORDER BY total", BY_COUNTRY + " ORDER BY total"),
        ("SELECT country, COUNT(*) AS n, COUNT(DISTINCT member()) AS m FROM deposits GROUP BY country",
         "SELECT country, COUNT(*) AS n FROM deposits GROUP BY country"),
        ('SELECT country, COUNT(*) AS n FROM "bank-b".deposits GROUP BY country ORDER BY n',
         "SELECT country, COUNT(*) AS n FROM deposits GROUP BY country ORDER BY n"),
        ("SELECT country, COUNT(*) AS n FROM deposits WHERE member() <> 'bank-b' AND currency = 'EUR' GROUP BY country",
         "SELECT country, COUNT(*) AS n FROM deposits WHERE currency = 'EUR' GROUP BY country"),
        ("SELECT ts, COUNT(*) AS n FROM deposits GROUP BY ts ORDER BY ts",
         "SELECT currency, COUNT(*) AS n FROM deposits GROUP BY currency"),
    ],
)  # fmt: skip
def test_a_denial_comes_with_the_nearest_query_that_passes(denied: str, passes: str) -> None:
    found = compiled(denied)
    assert not found.permitted
    assert (found.estimate, found.leakage) == (None, None)
    assert found.suggestion == passes
    assert compiled(found.suggestion).permitted
    error = refusal(found)
    assert error.code == "policies/denied"
    assert found.suggestion in error.remedy


FLAGS = "(SELECT customer_key, MAX(risk_score) AS risk, COUNT(*) AS n FROM accounts GROUP BY customer_key) AS a"
ON_CUSTOMER = f"JOIN {FLAGS} ON a.customer_key = d.customer_key"


@pytest.mark.parametrize(
    ("denied", "passes"),
    [
        (
            f"SELECT d.country, SUM(a.risk) AS s FROM deposits AS d {ON_CUSTOMER} GROUP BY d.country",
            (
                f"SELECT d.country, SUM(a.risk) AS s FROM deposits AS d {ON_CUSTOMER} WHERE NOT a.risk IS NULL"
                " GROUP BY d.country"
            ),
        ),
        (
            f"SELECT d.country, COUNT(*) AS k, SUM(a.n) AS s FROM deposits AS d LEFT {ON_CUSTOMER} GROUP BY d.country",
            f"SELECT d.country, COUNT(*) AS k, SUM(a.n) AS s FROM deposits AS d {ON_CUSTOMER} GROUP BY d.country",
        ),
        (
            (
                "SELECT d.country, SUM(d.amount_minor) AS s FROM deposits AS d JOIN accounts AS a ON a.risk_score ="
                " d.amount_minor WHERE d.currency = 'EUR' GROUP BY d.country ORDER BY s"
            ),
            "SELECT country, SUM(amount_minor) AS s FROM deposits WHERE currency = 'EUR' GROUP BY country ORDER BY s",
        ),
    ],
)
def test_a_denied_query_over_several_tables_comes_with_the_nearest_that_passes(denied: str, passes: str) -> None:
    found = compiled(denied, generous_world())
    assert (found.permitted, found.suggestion) == (False, passes)
    assert compiled(passes, generous_world()).permitted


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ts FROM deposits UNION SELECT opened FROM accounts",
        "WITH x AS (SELECT ts, customer_key FROM deposits) SELECT ts, COUNT(*) AS n FROM x GROUP BY ts",
        "SELECT COUNT(*) AS n FROM (SELECT customer_key FROM deposits EXCEPT SELECT customer_key FROM accounts) AS x",
    ],
)
def test_a_query_of_any_shape_is_answered_and_what_is_suggested_passes(sql: str) -> None:
    with contextlib.suppress(RequestError):  # what is refused as no query needs none
        suggestion = compiled(sql).suggestion
        assert suggestion is None or compiled(suggestion).permitted


def test_no_other_query_is_suggested_where_the_submitter_or_the_date_is_at_fault() -> None:
    for submitter in ("ana@bank-c", "eve@bank-a"):
        assert compiled(SCORE_QUERY, submitter=submitter).suggestion is None
    assert compiled("SELECT country, COUNT(*) AS n FROM accounts GROUP BY country").suggestion is None


def test_a_suggestion_follows_every_owner() -> None:
    narrow = loaded("bank-c", ("country: {class: quasi, operations: [filter, group]}",
                               "country: {class: quasi, operations: [filter]}"))  # fmt: skip
    found = compiled(SCORE_QUERY, make_world(narrow))
    assert found.suggestion is not None
    assert "GROUP BY currency" in found.suggestion


@pytest.mark.parametrize("shift", [timedelta(minutes=6), -timedelta(days=7, minutes=1)])
def test_an_as_of_in_the_future_or_older_than_a_week_is_refused(shift: timedelta) -> None:
    with pytest.raises(RequestError) as caught:
        compile_analysis(STATISTICS, PURPOSE, "ana@bank-a", NOW + shift, make_world(), no_cost, NOW)
    assert caught.value.code == "policies/as-of"
