"""What stands in a plan: obligations, sizes, domains, recipients and kinds, for the queries that matter."""

import pytest

from consortia.errors import InternalError
from consortia.plans.build import build_plan
from consortia.plans.model import Aggregate, AggregateStep, Control, Filter, Plan, Project, Release, Scan, Share, Sort
from consortia.plans.obligations import NO_OBLIGATIONS, Obligations, RowScope
from consortia.plans.rules import MinimumContributors
from consortia.plans.sql import bind, bind_predicate
from consortia.plans.wording import decimal_text, expression_text
from tests.fixtures_catalogue import (
    AS_OF,
    BANKS,
    CATALOGUE,
    DEPOSITS,
    STATISTICS,
    STRUCTURING,
    environment,
)
from tests.naive_plan import Row, run

CONTROLLED = Obligations(entity="customer_key", minimum_entities=10, minimum_members=3)


def plan_of(sql: str, obligations: Obligations = NO_OBLIGATIONS, **changes: object) -> Plan:
    return build_plan(bind(sql, CATALOGUE, AS_OF), environment(**changes), obligations)


def only(plan: Plan, kind: type) -> object:
    (step,) = [step for step in plan.steps if isinstance(step, kind)]
    return step


def shared_aggregation(plan: Plan) -> AggregateStep:
    (step,) = [step for step in plan.steps if isinstance(step, AggregateStep) and step.at == "shared"]
    return step


def release(plan: Plan) -> Release:
    (step,) = [step for step in plan.steps if isinstance(step, Release)]
    return step


def test_steps_are_numbered_in_canonical_order_and_read_earlier_steps_only() -> None:
    plan = plan_of(STATISTICS, CONTROLLED)
    for number, step in enumerate(plan.steps):
        assert step.id == f"s{number}"
        assert all(int(source[1:]) < number for source in step.inputs)
    assert plan.owners() == BANKS
    places = [step.at for step in plan.steps]
    assert places == sorted(places, key=lambda at: ("owner" not in at, at == "recipient", at if "owner" in at else ""))


def test_the_structuring_query_sends_each_bank_its_own_keys_and_nothing_else() -> None:
    plan = plan_of(STRUCTURING, CONTROLLED)
    opened = release(plan)
    assert opened.output_kind == "alert"
    assert opened.rows_of == "own"
    assert [(recipient.member, recipient.person) for recipient in opened.recipients] == [(b, None) for b in BANKS]
    assert opened.membership == ("has_bank-a", "has_bank-b", "has_bank-c")
    assert [column.name for column in opened.columns] == ["customer_key"]
    assert only(plan, Control).rules == ()  # type: ignore[attr-defined] # the one control step
    assert shared_aggregation(plan).unique_per_member
    assert shared_aggregation(plan).entity == ""
    assert plan.complete_domain is None


def test_rows_follow_from_the_catalogue_and_the_keys() -> None:
    plan = plan_of(STRUCTURING)
    assert [step.rows for step in plan.steps if isinstance(step, Share)] == [8000, 8000, 8000]
    assert shared_aggregation(plan).rows == 24_000
    plan = plan_of(STATISTICS, CONTROLLED)
    assert [step.rows for step in plan.steps if isinstance(step, Share)] == [20_000] * 3
    assert shared_aggregation(plan).rows == 5
    assert plan_of("SELECT COUNT(*) FROM deposits").steps[-1].rows == 1
    # two constants of one filter make no difference to any size
    sizes = [
        [step.rows for step in plan_of(f"SELECT c, COUNT(*) FROM numbers WHERE c = {c} GROUP BY c").steps]
        for c in (0, 7)
    ]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize(
    ("keys", "local", "groups"),
    [
        ("country", 6, 6),  # five words and NULL
        ("flag", 3, 3),
        ("c", 11, 11),
        ("country, flag", 18, 18),
        ("person", 501, 1503),
        ("country, person", 3006, 9018),
        ("a", 2002, 2002),
        ("c % 3", 3, 3),
        ("c * 0 + 1", 1, 1),
        ("day", 10_000, 30_000),
    ],
)
def test_groups_are_bounded_by_domains_and_distinct_values(keys: str, local: int, groups: int) -> None:
    plan = plan_of(f"SELECT COUNT(*) AS n FROM numbers GROUP BY {keys}")
    assert {step.rows for step in plan.steps if isinstance(step, Share)} == {local}
    assert shared_aggregation(plan).rows == groups


def test_the_contributor_rules_leave_out_the_recipients_own_rows_and_count_its_member() -> None:
    plan = plan_of(STATISTICS, CONTROLLED, submitter="ben@bank-b")
    aggregation = shared_aggregation(plan)
    assert aggregation.entity == "customer_key"
    assert aggregation.aggregates[-2:] == (
        Aggregate(name="other_entities", function="count-entities", excluding=("bank-b",)),
        Aggregate(name="other_members", function="count-members", excluding=("bank-b",)),
    )
    assert only(plan, Control).rules == (  # type: ignore[attr-defined] # the one control step
        MinimumContributors(by="entity", column="other_entities", minimum=10),
        MinimumContributors(by="member", column="other_members", minimum=2),
    )
    assert release(plan).recipients[0].person == "ben@bank-b"
    assert {column.name for column in release(plan).columns} == {"country", "rows", "sum_amount_minor"}
    assert plan.complete_domain == ("country",)


def test_what_the_rules_release_in_a_whole_run() -> None:
    def deposits(customers: int, country: int, first: int = 0) -> list[Row]:
        return [
            {"customer_key": first + c, "country": country, "currency": 0, "amount_minor": 100 + c}
            for c in range(customers)
            for _ in range(2)
        ]

    data = {
        "bank-a": deposits(40, 0) + deposits(5, 1) + deposits(40, 2),
        # DE: ten others over both; FR: nine; NL: twelve at one member alone
        "bank-b": deposits(6, 0, 100) + deposits(5, 1, 100) + deposits(12, 2, 100),
        "bank-c": deposits(4, 0, 200) + deposits(4, 1, 200),
    }
    (rows,) = run(plan_of(STATISTICS, CONTROLLED), data).values()
    assert [row["country"] for row in rows] == [0]
    assert rows[0]["deposits"] == 100
    (rows,) = run(plan_of(STATISTICS, CONTROLLED, submitter="ben@bank-b"), data).values()
    assert [row["country"] for row in rows] == [0]


def test_one_entity_at_two_members_counts_once() -> None:
    row: Row = {"customer_key": 7, "country": 0, "currency": 0, "amount_minor": 5}
    data: dict[str, list[Row]] = {"bank-a": [], "bank-b": [row], "bank-c": [row]}
    two = Obligations(entity="customer_key", minimum_entities=2)
    one = Obligations(entity="customer_key", minimum_entities=1)
    assert run(plan_of(STATISTICS, two), data) == {"ana@bank-a": []}
    assert len(run(plan_of(STATISTICS, one), data)["ana@bank-a"]) == 1


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT customer_key FROM deposits GROUP BY customer_key", "alert"),
        ("SELECT customer_key, country FROM deposits GROUP BY customer_key, country", "alert"),
        ("SELECT customer_key, COUNT(*) AS n FROM deposits GROUP BY customer_key", "score"),
        ("SELECT account_id FROM accounts GROUP BY account_id", "alert"),
        ("SELECT DISTINCT customer_key FROM accounts", "alert"),
        ("SELECT COUNT(*) FROM deposits", "count"),
        ("SELECT COUNT(*) + 1 AS n, COUNT(DISTINCT member()) AS m FROM deposits", "count"),
        ("SELECT COUNT(*) FROM deposits HAVING COUNT(*) > 5", "count"),
        ("SELECT SUM(amount_minor) FROM deposits WHERE currency = 'EUR'", "aggregate"),
        ("SELECT AVG(risk_score) FROM accounts", "aggregate"),
        ("SELECT country, COUNT(*) FROM deposits GROUP BY country", "aggregate"),
        ("SELECT COUNT(*) FROM deposits GROUP BY customer_key", "aggregate"),
    ],
)
def test_the_kind_of_an_output_follows_from_the_query(sql: str, kind: str) -> None:
    assert release(plan_of(sql)).output_kind == kind


def test_a_unit_that_is_no_key_makes_an_alert_once_the_policies_name_it() -> None:
    sql = "SELECT c, COUNT(*) AS n FROM numbers GROUP BY c"
    assert release(plan_of(sql)).output_kind == "aggregate"
    assert release(plan_of(sql, entities={"numbers": "c"})).output_kind == "score"


def test_alerts_over_one_members_part_go_to_that_member_alone() -> None:
    plan = plan_of('SELECT customer_key FROM "bank-b".deposits GROUP BY customer_key')
    assert [recipient.member for recipient in release(plan).recipients] == ["bank-b"]
    assert plan.owners() == ("bank-b",)


def test_the_canonical_predicate_and_the_owners_scope_stand_before_the_query_where() -> None:
    transactions = next(table for table in CATALOGUE.tables if table.name == "transactions")
    scope = bind_predicate("format <> 'card'", transactions, CATALOGUE, AS_OF)
    obligations = Obligations(
        row_scopes=(
            RowScope(owner="bank-b", table="transactions", predicate=scope),
            RowScope(owner="bank-b", table="deposits", predicate=scope),
        )
    )
    plan = plan_of("SELECT COUNT(*) FROM transactions WHERE format = 'cash'", obligations)
    origins = {
        bank: [step.origin for step in plan.steps if isinstance(step, Filter) and step.at == f"owner:{bank}"]
        for bank in BANKS
    }
    assert origins == {
        "bank-a": ["canonical", "where"],
        "bank-b": ["canonical", "row-scope", "where"],
        "bank-c": ["canonical", "where"],
    }
    part = plan_of('SELECT COUNT(*) FROM "bank-b".transactions', obligations)
    assert [step.origin for step in part.steps if isinstance(step, Filter)] == ["row-scope"]


def test_an_owners_scope_never_changes_the_shape_of_what_it_shares() -> None:
    numbers = next(table for table in CATALOGUE.tables if table.name == "numbers")
    scope = bind_predicate("c BETWEEN 2 AND 3 AND country IS NOT NULL", numbers, CATALOGUE, AS_OF)
    obligations = Obligations(row_scopes=(RowScope(owner="bank-c", table="numbers", predicate=scope),))
    plan = plan_of("SELECT c, country, SUM(c) AS s FROM numbers GROUP BY c, country", obligations)
    shared = [(step.rows, step.columns) for step in plan.steps if isinstance(step, Share)]
    assert shared[0] == shared[1] == shared[2]


def test_conditions_on_keys_move_from_having_to_where() -> None:
    plan = plan_of(
        "SELECT c / 2 AS half FROM numbers WHERE flag GROUP BY half "
        "HAVING c / 2 > 1 AND SUM(a) > 5 AND c / 2 IS NOT NULL"
    )
    where = next(step for step in plan.steps if isinstance(step, Filter) and step.origin == "where")
    having = next(step for step in plan.steps if isinstance(step, Filter) and step.origin == "having")
    assert expression_text(where.predicate) == "flag AND ((c / 2) > 1) AND ((c / 2) IS NOT NULL)"
    assert expression_text(having.predicate) == "sum_a > 5"


def test_the_average_opens_a_sum_and_a_count_that_others_may_share() -> None:
    plan = plan_of("SELECT AVG(c) AS m, SUM(c) AS s, COUNT(*) AS n, COUNT(c) AS k, AVG(a) AS ma FROM numbers")
    names = [aggregate.name for aggregate in shared_aggregation(plan).aggregates]
    assert names == ["sum_c", "rows", "sum_a", "count_a"]
    project = [step for step in plan.steps if isinstance(step, Project)][-1]
    assert [expression_text(named.expression) for named in project.expressions] == [
        "sum_c / rows", "sum_c", "rows", "rows", "sum_a / count_a",
    ]  # fmt: skip


def test_the_largest_decimals_are_summed_in_128_bits_and_averaged_exactly() -> None:
    # 90000000000000.00 in DECIMAL(18,2), 10,000 rows at each of three banks
    plan = plan_of("SELECT SUM(big) AS total, AVG(big) AS mean FROM numbers")
    columns = {column.name: column for column in shared_aggregation(plan).columns}
    assert columns["sum_big"].domain == "wide"
    assert columns["sum_big"].bounds is not None
    assert columns["sum_big"].bounds.hi == 30_000 * (10**18 - 1)
    for step in plan.steps:
        if isinstance(step, Share):
            assert {column.name: column.domain for column in step.columns}["sum_big"] == "wide"
    value = 90_000_000_000_000_00
    data: dict[str, list[Row]] = {bank: [{"big": value}] * 10_000 for bank in BANKS}
    (row,) = run(plan, data)["ana@bank-a"]
    mean = plan.steps[-1].columns[1].type
    assert row["total"] == 30_000 * value
    assert decimal_text(int(row["mean"] or 0), mean.scale) == "90000000000000.00000000"


def test_the_sum_of_decimals_keeps_their_two_places() -> None:
    plan = plan_of("SELECT SUM(price) AS total FROM numbers")
    data: dict[str, list[Row]] = {"bank-a": [{"price": 10}] * 3, "bank-b": [{"price": 20}] * 3, "bank-c": []}
    (row,) = run(plan, data)["ana@bank-a"]
    kind = plan.steps[-1].columns[0].type
    assert (kind.kind, kind.scale) == ("decimal", 2)
    assert decimal_text(int(row["total"] or 0), kind.scale) == "0.90"


def test_sums_below_the_bound_of_62_bits_stay_in_one_word() -> None:
    def domain(bound: int) -> str:
        column = DEPOSITS.columns[2].model_copy(update={"bounds": DEPOSITS.columns[2].bounds.__class__(lo=0, hi=bound)})
        table = DEPOSITS.model_copy(update={"columns": (*DEPOSITS.columns[:2], column, *DEPOSITS.columns[3:])})
        catalogue = CATALOGUE.model_copy(update={"tables": (table,)})
        query = bind("SELECT SUM(amount_minor) AS s FROM deposits WHERE currency = 'EUR'", catalogue, AS_OF)
        return shared_aggregation(build_plan(query, environment(catalogue))).columns[0].domain

    most = ((1 << 62) - 1) // 60_000
    assert domain(most) == "arithmetic"
    assert domain(most + 1) == "wide"


def test_sums_are_null_without_rows_and_counts_are_not() -> None:
    plan = plan_of("SELECT SUM(c) AS s, COUNT(*) AS n, COUNT(a) AS k FROM numbers")
    assert [column.nullable for column in shared_aggregation(plan).columns] == [True, False, False]
    assert run(plan, {bank: [] for bank in BANKS}) == {"ana@bank-a": [{"s": None, "n": 0, "k": 0}]}
    plan = plan_of("SELECT flag, SUM(c) AS s, SUM(a) AS t FROM numbers GROUP BY flag")
    assert {column.name: column.nullable for column in shared_aggregation(plan).columns} == {
        "flag": True, "sum_c": False, "sum_a": True,
    }  # fmt: skip


def test_no_text_and_no_column_of_the_filter_leaves_the_owner() -> None:
    plan = plan_of("SELECT country, COUNT(note) AS n FROM numbers WHERE note <> 'x' AND flag GROUP BY country")
    for step in plan.steps:
        if isinstance(step, Scan):
            assert [column.name for column in step.columns] == ["flag", "country", "note"]
        if isinstance(step, Share):
            assert [column.name for column in step.columns] == ["country", "count_note"]
        assert isinstance(step, Scan | Filter | Project) or all(column.type.kind != "text" for column in step.columns)


def test_single_rows_are_shared_where_a_policy_needs_them() -> None:
    plan = plan_of("SELECT COUNT(a) AS k FROM numbers", Obligations(pre_aggregate=False))
    assert [step.rows for step in plan.steps if isinstance(step, Share)] == [10_000] * 3
    assert not shared_aggregation(plan).unique_per_member
    plan = plan_of("SELECT COUNT(*) AS n FROM numbers WHERE flag", Obligations(pre_aggregate=False))
    assert all(step.columns == () for step in plan.steps if isinstance(step, Share))


def test_visibility_and_domains_follow_the_place_of_a_step() -> None:
    for step in plan_of(STATISTICS, CONTROLLED).steps:
        seen = {column.visibility for column in step.columns}
        domains = {column.domain for column in step.columns}
        if step.at.startswith("owner:") and step.kind != "share":
            assert (seen, domains) == ({"owner"}, {"clear"})
        elif step.at == "recipient":
            assert (seen, domains) == ({"recipient"}, {"clear"})
        else:
            assert seen == ({"recipient"} if step.kind == "release" else {"nobody"})
            assert domains == {"boolean", "arithmetic"}


def test_the_recipient_orders_by_order_by_and_then_by_all_outputs() -> None:
    last = plan_of("SELECT country, flag, COUNT(*) AS n FROM numbers GROUP BY 1, 2 ORDER BY n DESC, 1").steps[-1]
    assert isinstance(last, Sort)
    assert [(key.column, key.descending) for key in last.keys] == [("n", True), ("country", False), ("flag", False)]


@pytest.mark.parametrize(
    ("sql", "domain"),
    [
        ("SELECT country, flag, COUNT(*) AS n FROM numbers GROUP BY country, flag", ("country", "flag")),
        ("SELECT COUNT(*) AS n FROM numbers", ()),
        ("SELECT c, COUNT(*) AS n FROM numbers GROUP BY c", None),
        ("SELECT COUNT(*) AS n FROM numbers GROUP BY country", None),
        ("SELECT country, COUNT(*) AS n FROM numbers GROUP BY country HAVING COUNT(*) > 3", None),
    ],
)
def test_a_public_domain_is_completed_where_the_keys_are_shown_and_nothing_else_hides_cells(
    sql: str, domain: tuple[str, ...] | None
) -> None:
    rules = Obligations(entity="person", minimum_entities=10, minimum_members=3)
    assert plan_of(sql, rules).complete_domain == domain
    assert plan_of(sql).complete_domain is None


def test_an_obligation_on_no_column_of_the_table_is_our_own_fault() -> None:
    with pytest.raises(InternalError):
        plan_of(STATISTICS, Obligations(entity="patient", minimum_entities=3))
