"""What the leakage report says of joins, limits and what recipients compute, in words."""

from consortia.execution.estimate import estimate
from consortia.plans.build import build_plan
from consortia.plans.leakage import LeakageEntry, leakage_report
from consortia.plans.sql import bind
from tests.fixtures_catalogue import AS_OF, BANKS, CATALOGUE, environment

SMALL = CATALOGUE.model_copy(
    update={"tables": tuple(each.model_copy(update={"max_rows": 20}) for each in CATALOGUE.tables)}
)
JOINED = "SELECT COUNT(*) AS n FROM deposits AS d JOIN accounts AS a ON a.customer_key = d.customer_key"


def entries(sql: str, holders: tuple[str, ...] = BANKS) -> list[LeakageEntry]:
    tables = tuple(
        table.model_copy(update={"holders": holders}) if table.name == "accounts" else table for table in SMALL.tables
    )
    catalogue = SMALL.model_copy(update={"tables": tables})
    plan = build_plan(bind(sql, catalogue, AS_OF), environment(catalogue))
    return list(leakage_report(plan, estimate(plan)).entries)


def test_the_one_bit_of_a_join_is_no_masked_value() -> None:
    told = [entry for entry in entries(JOINED) if entry.kind == "opening" and "holds a key twice" in entry.what]
    assert [entry.amount for entry in told] == [1]
    assert "a fact about the joined rows" in told[0].detail
    assert "`relational/many-to-many`" in told[0].detail
    others = [entry for entry in entries(JOINED) if entry.kind == "opening" and entry not in told]
    assert {"tell nothing" in entry.detail for entry in others} == {True}


def test_a_join_whose_owner_checks_the_keys_opens_nothing_of_them_and_tells_who_refuses() -> None:
    found = entries(JOINED, holders=("bank-b",))
    assert not [entry for entry in found if "holds a key twice" in entry.what and entry.kind == "opening"]
    [told] = [entry for entry in found if entry.kind == "outcome" and entry.step]
    assert "`a_customer_key` twice" in told.what


def test_a_grouped_side_opens_nothing() -> None:
    sql = (
        "SELECT COUNT(*) AS n FROM deposits AS d JOIN (SELECT customer_key FROM accounts GROUP BY customer_key) AS a"
        " ON a.customer_key = d.customer_key"
    )
    assert not [entry for entry in entries(sql) if "twice" in entry.what]


def test_a_limit_says_in_which_order_and_what_it_tells_of_the_others() -> None:
    sql = "SELECT country, COUNT(*) AS n FROM deposits GROUP BY country ORDER BY n DESC LIMIT 2"
    [result] = [entry for entry in entries(sql) if entry.kind == "result"]
    assert result.amount == 2
    assert "the first 2 in the order of rows DESC, country alone" in result.detail
    [all_of_them] = [entry for entry in entries(sql.removesuffix(" ORDER BY n DESC LIMIT 2")) if entry.kind == "result"]
    assert "the first" not in all_of_them.detail


def test_a_variance_opens_its_sum_its_sum_of_squares_and_its_count() -> None:
    sql = "SELECT country, STDDEV(amount_minor) AS s FROM deposits WHERE currency = 'EUR' GROUP BY country"
    [result] = [entry for entry in entries(sql) if entry.kind == "result"]
    assert "`rows`, `squares_amount_minor` and `sum_amount_minor` are opened" in result.detail
