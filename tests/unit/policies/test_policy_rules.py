"""One test a rule: what it denies, and that the reason names rule, line, step and column."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consortia.errors import RequestError
from consortia.plans.expressions import Call, Ref
from consortia.plans.model import Filter, Plan, Recipient, Release, Step
from consortia.policies.decide import decide
from consortia.policies.flow.sources import uses_of
from consortia.policies.rules import ALL, leaks
from consortia.policies.rules.base import Case, Finding, Rule
from consortia.policies.verdicts import Decision, Reason
from consortia.policies.world import PolicyWorld
from tests.fixtures_catalogue import BANKS, CATALOGUE, CUSTOMER, INT, STATISTICS, STRUCTURING, column
from tests.policies_world import CELLS, NOW, POLICY, decided, draft_of, loaded, make_card, make_world, rules_of


def reasons(decision: Decision, owner: str = "bank-a") -> list[Reason]:
    return [reason for who, reason in decision.denials() if who == owner]


def with_steps(plan: Plan, change: Any) -> Plan:
    return plan.model_copy(update={"steps": tuple(change(step) for step in plan.steps)})


def denied_after(sql: str, change: Any) -> set[str]:
    world = make_world()
    return rules_of(decide(with_steps(draft_of(sql, world), change), world, NOW))


def line_of(text: str) -> int:
    return POLICY[: POLICY.index(text)].count("\n") + 1


# --- what the examples ask ------------------------------------------------------------------------------------------


def test_the_structuring_query_is_permitted_and_obliges_to_no_minimum() -> None:
    decision = decided(STRUCTURING)
    assert decision.permitted
    assert decision.obligations.minimum_entities == 0


def test_statistics_are_permitted_with_the_largest_minima_of_all_owners() -> None:
    decision = decided(STATISTICS, loaded("bank-c", ("minimum-entities: 10", "minimum-entities: 25")))
    assert decision.permitted
    assert (decision.obligations.minimum_entities, decision.obligations.minimum_members) == (25, 3)
    assert decision.obligations.entity == "customer_key"


def test_every_owners_row_scope_is_an_obligation() -> None:
    scope = ("rows: all", "rows: ts >= TIMESTAMP '2026-09-01 00:00:00'")
    decision = decided(STATISTICS, loaded("bank-b", scope))
    assert [(entry.owner, entry.table) for entry in decision.obligations.row_scopes] == [("bank-b", "deposits")]


# --- operations -----------------------------------------------------------------------------------------------------


def test_a_denial_names_rule_line_step_column_trail_and_what_would_pass() -> None:
    decision = decided("SELECT amount_minor, COUNT(*) AS n FROM deposits WHERE currency = 'EUR' GROUP BY 1")
    [reason] = [reason for reason in reasons(decision) if reason.rule == "operations"]
    assert reason.rule == "operations"
    assert reason.place.startswith(f"bank-a.aml-detection, line {line_of('amount_minor: {')}")
    assert reason.column == "deposits.amount_minor"
    assert reason.step.startswith("s")
    assert reason.trail[0] == "s0"
    assert "currency" in reason.remedy
    assert "country" in reason.remedy


@pytest.mark.parametrize(
    ("sql", "column"),
    [
        ("SELECT ts, COUNT(*) AS n FROM deposits GROUP BY ts", "deposits.ts"),
        ("SELECT customer_key FROM deposits GROUP BY customer_key, country", "deposits.country"),
        ("SELECT COUNT(*) AS n, country FROM deposits WHERE customer_key IS NOT NULL GROUP BY country",
         "deposits.customer_key"),
        ("SELECT country, SUM(amount_minor) AS s FROM deposits WHERE currency = 'EUR' GROUP BY country, ts",
         "deposits.ts"),
        ("SELECT country, COUNT(DISTINCT member()) AS m FROM deposits GROUP BY country", "deposits"),
        ("SELECT country, COUNT(*) AS n FROM accounts GROUP BY country", "accounts.country"),
        ("SELECT country FROM deposits WHERE CASE WHEN customer_key IS NULL THEN TRUE ELSE FALSE END GROUP BY country",
         "deposits.customer_key"),
        ("SELECT country FROM deposits WHERE currency = 'EUR' GROUP BY country HAVING COUNT(DISTINCT customer_key) > 9",
         "deposits.customer_key"),
        ("SELECT CASE WHEN amount_minor > 5 THEN 1 ELSE 0 END AS k FROM deposits WHERE currency = 'EUR' GROUP BY 1",
         "deposits.amount_minor"),
    ],
)  # fmt: skip
def test_an_operation_that_is_not_granted_is_denied_at_the_column(sql: str, column: str) -> None:
    decision = decided(sql)
    assert {reason.column for reason in reasons(decision) if reason.rule == "operations"} == {column}


@pytest.mark.parametrize(
    "argument",
    [
        "CASE WHEN country = 'DE' THEN amount_minor ELSE 0 END",
        "amount_minor / 1000000",
        "amount_minor % 7",
    ],
)
def test_a_sum_that_could_rest_on_one_customer_is_never_permitted_among_groups(argument: str) -> None:
    decision = decided(f"SELECT currency, SUM({argument}) AS s FROM deposits WHERE currency = 'EUR' GROUP BY currency")
    found = [reason for reason in reasons(decision) if reason.rule == "operations"]
    assert found
    assert all("picks out rows" in reason.text for reason in found)


@pytest.mark.parametrize(
    "aggregate", ["SUM(risk_score)", "COUNT(risk_score)", "AVG(risk_score)", "SUM(risk_score + 1)"]
)
def test_a_number_over_a_column_with_gaps_is_permitted_over_the_rows_with_a_value_alone(aggregate: str) -> None:
    granted = tuple(loaded(name, ("operations: [sum, count]", "operations: [filter, sum, count]")) for name in BANKS)
    sql = f"SELECT {aggregate} AS s, SUM(risk_score) AS t FROM accounts"
    found = [reason.text for reason in reasons(decided(sql, *granted)) if reason.rule == "operations"]
    assert found
    assert all("without a value are counted as contributors" in text for text in found)
    assert decided(f"{sql} WHERE risk_score IS NOT NULL", *granted).permitted


def test_a_product_of_columns_picks_out_rows_too() -> None:
    assert uses_of(Call(op="multiply", args=(Ref(column="a"), Ref(column="b")), type=INT)) == {
        ("a", "shape"),
        ("b", "shape"),
    }


@pytest.mark.parametrize("argument", ["amount_minor", "amount_minor * 2", "-amount_minor + 1", "amount_minor + 1"])
def test_a_linear_sum_needs_no_more_than_the_sum(argument: str) -> None:
    sql = f"SELECT country, SUM({argument}) AS s FROM deposits WHERE currency = 'EUR' GROUP BY country"
    assert decided(sql).permitted


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT country, COUNT(*) AS n FROM deposits WHERE member() <> 'bank-b' GROUP BY country",
        "SELECT customer_key FROM deposits WHERE member() = 'bank-b' GROUP BY customer_key",
        "SELECT customer_key FROM deposits GROUP BY 1 HAVING SUM(CASE WHEN member() = 'bank-b' THEN 1 ELSE 0 END) > 0",
        "SELECT country, SUM(CASE WHEN member() = 'bank-b' THEN 1 ELSE 0 END) AS n FROM deposits GROUP BY country",
    ],
)
def test_no_query_picks_out_one_member(sql: str) -> None:
    assert any("picks out single members" in reason.text for reason in reasons(decided(sql)))


@pytest.mark.parametrize("argument", ["1", "amount_minor + 1", "amount_minor * 0 + 1", "3 - amount_minor", "(2 * 3)"])
def test_a_sum_with_a_constant_term_counts_rows_and_needs_that_too(argument: str) -> None:
    sql = f"SELECT country, SUM({argument}) AS s FROM deposits WHERE currency = 'EUR' GROUP BY country"
    without = loaded("bank-a", ("operations: [count, compare, compare-members]", "operations: [compare]"))
    assert decided(sql).permitted
    [reason] = reasons(decided(sql, without))
    assert (reason.rule, reason.column) == ("operations", "deposits")
    no_constant = sql.replace(argument, "2 * amount_minor")
    assert decided(no_constant, without).permitted


def test_an_average_opens_sum_and_count_and_needs_both() -> None:
    sql = "SELECT country, AVG(amount_minor) AS mean FROM deposits WHERE currency = 'EUR' GROUP BY country"
    assert decided(sql).permitted
    without = ("operations: [count, compare, compare-members]", "operations: [compare, compare-members]")
    assert rules_of(decided(sql, loaded("bank-a", without))) == {"operations"}


# --- outputs --------------------------------------------------------------------------------------------------------


def test_the_kind_follows_from_the_plan_not_from_its_word() -> None:
    def relabel(step: Step) -> Step:
        return step.model_copy(update={"output_kind": "aggregate"}) if isinstance(step, Release) else step

    assert "output-kind" in denied_after(STRUCTURING, relabel)


def test_rows_that_would_go_to_others_than_their_owners_are_denied() -> None:
    def to_all(step: Step) -> Step:
        return step.model_copy(update={"rows_of": "all"}) if isinstance(step, Release) else step

    def to_a_person(step: Step) -> Step:
        recipient = Recipient(member="bank-a", person="ana@bank-a")
        return step.model_copy(update={"recipients": (recipient,)}) if isinstance(step, Release) else step

    assert denied_after(STRUCTURING, to_all) == {"recipients"}
    assert "recipients" in denied_after(STRUCTURING, to_a_person)


@pytest.mark.parametrize(("member", "person"), [("bank-a", "eve@bank-a"), ("bank-b", "ana@bank-a"), ("bank-a", None)])
def test_numbers_go_to_the_person_who_asks_alone(member: str, person: str | None) -> None:
    def to(step: Step) -> Step:
        recipient = Recipient(member=member, person=person)
        return step.model_copy(update={"recipients": (recipient,)}) if isinstance(step, Release) else step

    assert "recipients" in denied_after(STATISTICS, to)


def test_a_member_that_may_submit_and_not_receive_is_denied_the_numbers() -> None:
    decision = decided(STATISTICS, loaded("bank-a", ("recipients: [bank-a, bank-b]", "recipients: [bank-b]")))
    assert rules_of(decision) == {"recipients"}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COUNT(*) AS n FROM deposits GROUP BY customer_key",
        "SELECT country, SUM(amount_minor) AS s FROM deposits WHERE currency = 'EUR' GROUP BY customer_key, country",
    ],
)
def test_groups_of_one_contributor_whose_every_cell_would_be_suppressed_are_denied_and_not_run(sql: str) -> None:
    # the privacy unit is an identifier, whoever writes the policy, and an identifier is never a key of numbers
    assert "operations" in rules_of(decided(sql))
    written = "{class: identifier, operations: [alert, count]}"
    for other in ("{class: free, operations: [group]}", "{class: identifier, operations: [group]}"):
        with pytest.raises(RequestError, match="identifier"):
            loaded("bank-a", (written, other))


def test_an_alert_about_another_key_than_the_privacy_unit_is_denied() -> None:
    """Rows with one such key may be of many contributors: the payers of an account, say, at other members."""
    account = (
        "        risk_score:",
        "        account_id: {class: identifier, operations: [alert, count]}\n        risk_score:",
    )
    granted = ("      operations: [count]\n", "      operations: [count, compare]\n")
    key = (
        "customer_key: {class: identifier, operations: []}",
        "customer_key: {class: identifier, operations: [alert]}",
    )
    policies = [loaded(owner, account, granted, key) for owner in BANKS]
    for keys, expected in (
        ("account_id", {"privacy-unit"}),
        ("customer_key", set()),
        ("customer_key, account_id", set()),
    ):
        sql = f"SELECT {keys} FROM accounts GROUP BY {keys} HAVING COUNT(*) >= 2"
        assert rules_of(decided(sql, *policies)) == expected, keys


def test_units_of_tables_that_different_members_hold_must_be_one_where_contributors_are_counted() -> None:
    """Each owner sees one unit in its own tables; the plan counts over both."""
    other = column("holder_key", CUSTOMER, max_distinct=8000)
    tables = tuple(
        table.model_copy(update={"holders": BANKS[:1]})
        if table.name == "deposits"
        else table.model_copy(update={"holders": BANKS[1:2], "columns": (*table.columns, other)})
        for table in CATALOGUE.tables
    )
    catalogue = CATALOGUE.model_copy(update={"tables": tables})
    second = POLICY.index("    accounts:")
    accounts = POLICY[second : POLICY.index("outputs:\n")]
    unit = (
        accounts,
        accounts.replace("customer_key", "holder_key").replace("operations: []", "operations: [count, join]"),
    )
    joins = ("operations: [alert, count]", "operations: [alert, count, join]")
    cells = ("count: never", "count:\n" + CELLS.rstrip().replace("minimum-members: 3", "minimum-members: 2"))
    world = make_world(*(loaded(owner, unit, joins, cells) for owner in BANKS), catalogue=catalogue)
    sql = (
        "SELECT COUNT(*) AS n FROM deposits AS d JOIN (SELECT holder_key FROM accounts GROUP BY holder_key) AS a"
        " ON a.holder_key = d.customer_key"
    )
    decision = decide(draft_of(sql, world), world, NOW)
    assert [verdict.owner for verdict in decision.verdicts] == ["bank-a", "bank-b"]
    assert all("privacy-unit" in {reason.rule for reason in reasons(decision, owner)} for owner in BANKS[:2])
    assert rules_of(decision) == {"privacy-unit"}


def test_one_members_part_alone_never_has_enough_members() -> None:
    decision = decided('SELECT country, COUNT(*) AS n FROM "bank-b".deposits GROUP BY country')
    assert rules_of(decision) == {"minimum-members"}
    assert [verdict.owner for verdict in decision.verdicts] == ["bank-b"]


def test_a_plan_whose_groups_were_never_made_on_shares_is_denied() -> None:
    world = make_world()
    plan = draft_of(STATISTICS, world)
    ungrouped = with_steps(
        plan, lambda step: step.model_copy(update={"at": "owner:bank-a"}) if step.kind == "aggregate" else step
    )
    assert "output-kind" in rules_of(decide(ungrouped, world, NOW))


# --- standing, parties, tables --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "permitted"),
    [
        (datetime(2026, 10, 31, 23, 54, tzinfo=UTC), False),
        (datetime(2026, 10, 31, 23, 56, tzinfo=UTC), True),
        (datetime(2027, 1, 15, 23, 59, tzinfo=UTC), True),
        (datetime(2027, 1, 16, 0, 4, tzinfo=UTC), True),
        (datetime(2027, 1, 16, 0, 6, tzinfo=UTC), False),
    ],
)
def test_validity_counts_whole_days_with_five_minutes_tolerance(now: datetime, permitted: bool) -> None:
    decision = decided(STATISTICS, now=now)
    assert decision.permitted is permitted
    assert rules_of(decision) == (set() if permitted else {"validity"})


def test_a_plan_made_under_other_documents_is_denied() -> None:
    world = make_world()
    for field in ("manifest", "catalogue"):
        plan = draft_of(STATISTICS, world).model_copy(update={field: "f" * 64})
        assert rules_of(decide(plan, world, NOW)) == {"ownership"}


@pytest.mark.parametrize("submitter", ["ana@bank-c", "eve@bank-a", "omar@bank-a"])
def test_only_named_analysts_submit(submitter: str) -> None:
    assert "submitter" in rules_of(decided(STATISTICS, submitter=submitter))


def test_an_owner_without_a_policy_and_one_with_two_deny() -> None:
    world = make_world()
    plan = draft_of(STATISTICS, world)
    for policies in (world.policies[1:], (*world.policies, world.policies[0])):
        other = PolicyWorld(world.manifest, world.catalogue, world.cards, policies)
        decision = decide(plan, other, NOW)
        assert [(owner, reason.rule) for owner, reason in decision.denials()] == [("bank-a", "policy")]


def test_a_missing_card_is_no_proof_of_strength() -> None:
    world = make_world()
    cards = {name: make_card(name) for name in ("bank-a", "bank-b")}
    decision = decide(draft_of(STATISTICS, world), PolicyWorld(world.manifest, CATALOGUE, cards, world.policies), NOW)
    assert rules_of(decision) == {"cryptography"}


def test_a_filter_that_only_claims_to_be_the_owners_wish_is_denied() -> None:
    def claim(step: Step) -> Step:
        return step.model_copy(update={"origin": "row-scope"}) if isinstance(step, Filter) else step

    assert "row-scope" in denied_after(STATISTICS, claim)


def test_a_row_scope_that_can_not_be_bound_denies() -> None:
    assert rules_of(decided(STATISTICS, loaded("bank-a", ("rows: all", "rows: colour = 'red'")))) == {"row-scope"}


def test_a_column_of_the_policy_that_the_table_does_not_have_denies() -> None:
    edit = ("        ts: {class", "        ts2: {class")
    assert "table" in rules_of(decided(STATISTICS, loaded("bank-a", edit)))


# --- the frame ------------------------------------------------------------------------------------------------------


def test_empty_means_no_and_an_error_means_no() -> None:
    world = make_world()
    plan = draft_of(STATISTICS, world)

    def broken(case: Case) -> list[Finding]:
        raise ZeroDivisionError(case.owner)

    assert rules_of(decide(plan, world, NOW, (*ALL, Rule(("broken",), broken)))) == {"broken"}
    assert rules_of(decide(plan, world, NOW, (*ALL, Rule(("silent",), lambda _: [])))) == {"silent"}
    assert not decide(plan, world, NOW, ()).permitted


def test_a_plan_without_owners_is_denied() -> None:
    world = make_world()
    plan = draft_of(STATISTICS, world).model_copy(update={"steps": ()})
    assert not decide(plan, world, NOW).permitted


def test_every_step_kind_says_which_leaks_it_needs_and_unknown_kinds_are_denied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from typing import get_args

    from consortia.plans import model

    kinds = {kind.model_fields["kind"].default for kind in get_args(get_args(model.Step)[0])}
    assert kinds == leaks.NEEDED.keys()
    monkeypatch.setitem(leaks.NEEDED, "sort", ("match_count",))
    assert rules_of(decided(STATISTICS)) == {"leaks"}
    monkeypatch.delitem(leaks.NEEDED, "sort")
    assert rules_of(decided(STATISTICS)) == {"leaks"}


def test_a_permit_lists_every_rule_that_permits() -> None:
    decision = decided(STATISTICS)
    rules = {rule_id for rule in ALL for rule_id in rule.ids}
    for verdict in decision.verdicts:
        assert {reason.rule for reason in verdict.reasons} == rules
    assert decided(STATISTICS, now=NOW + timedelta(minutes=1)).canonical() == decision.canonical()
