"""Queries that would isolate a customer or read a member's book, and the rule that denies each.

The policies permit everything that a policy can permit, so each denial stands whatever an officer writes.
"""

import pytest

from consortia.errors import RequestError
from consortia.plans.cost import Estimate
from consortia.plans.model import Control, Join
from consortia.policies.compiling import Compiled, compile_analysis
from consortia.policies.flow.needs import BY_GAPS, BY_MEMBER, BY_MIXING, BY_NO_MATCH, BY_SELECTION
from tests.fixtures_catalogue import PURPOSE
from tests.policies_world import NOW, generous_world

WORLD = generous_world()
EUR = "WHERE currency = 'EUR'"
ONE_BY_ONE = "their books would be read one by one"
UNGRANTED = "which the policy does not permit"
TWIN = "one key stands twice among the rows that it picks out"
RANKED = (
    "SELECT customer_key, country, amount_minor, ROW_NUMBER() OVER (PARTITION BY customer_key"
    f" ORDER BY amount_minor DESC) AS place FROM deposits {EUR}"
)
TOTALS = f"SELECT customer_key, country, SUM(amount_minor) AS total FROM deposits {EUR} GROUP BY customer_key, country"
FLAGS = "SELECT customer_key, COUNT(*) AS n, MAX(risk_score) AS risk FROM accounts GROUP BY customer_key"


def compiled(sql: str) -> Compiled:
    return compile_analysis(sql, PURPOSE, "ana@bank-a", NOW, WORLD, lambda _: Estimate(), NOW)


def denials(sql: str) -> dict[str, set[str]]:
    """What denies, by rule: texts with their remedies."""
    found: dict[str, set[str]] = {}
    for _, reason in compiled(sql).decision.denials():
        found.setdefault(reason.rule, set()).add(f"{reason.text}; {reason.remedy}")
    return found


ATTACKS = {
    # UNION ALL as a condition: the target's values beside rows that only bring contributors
    "zeros beside the target": (
        (f"SELECT country, SUM(x) AS s FROM (SELECT customer_key, country, amount_minor AS x FROM deposits {EUR} AND"
        " ts = TIMESTAMP '2026-03-01 00:00:00' UNION ALL SELECT customer_key, country, 0 AS x FROM accounts) u"
        " GROUP BY country"),
        "operations", BY_SELECTION),
    "all but the target with the other sign": (
        (f"SELECT country, SUM(x) AS s FROM (SELECT customer_key, country, amount_minor AS x FROM deposits {EUR} UNION"
        f" ALL SELECT customer_key, country, -amount_minor AS x FROM deposits {EUR} AND ts <> TIMESTAMP"
        " '2026-03-01 00:00:00') u GROUP BY country"),
        "operations", BY_SELECTION),
    "the target's rows again and again": (
        (f"SELECT country, SUM(x) AS s FROM (SELECT customer_key, country, amount_minor AS x FROM deposits {EUR} UNION"
        f" ALL SELECT customer_key, country, amount_minor AS x FROM deposits {EUR} AND ts = TIMESTAMP"
        " '2026-03-01 00:00:00') u GROUP BY country"),
        "operations", BY_SELECTION),
    "the target's rows counted again": (
        ("SELECT country, COUNT(*) AS n FROM (SELECT customer_key, country FROM deposits UNION ALL"
        " SELECT customer_key, country FROM deposits WHERE ts = TIMESTAMP '2026-03-01 00:00:00') u GROUP BY country"),
        "operations", BY_SELECTION),
    "values joined to rows that stand there again": (
        ("SELECT u.country, SUM(a.n) AS s FROM (SELECT customer_key, country FROM deposits UNION ALL SELECT"
        " customer_key, country FROM deposits WHERE ts = TIMESTAMP '2026-03-01 00:00:00') u"
        f" JOIN ({FLAGS}) a ON a.customer_key = u.customer_key GROUP BY u.country"),
        "operations", BY_SELECTION),
    "a larger scale for the target": (
        (f"SELECT SUM(x) AS s FROM (SELECT customer_key, amount_minor * 1000 AS x FROM deposits {EUR} UNION ALL"
        " SELECT customer_key, risk_score AS x FROM accounts WHERE risk_score IS NOT NULL) u"),
        "operations", BY_SELECTION),
    "marks summed over customers": (
        ("SELECT SUM(m) AS s FROM (SELECT customer_key, SUM(side) AS m FROM (SELECT customer_key, 1 AS side FROM"
        " deposits UNION ALL SELECT customer_key, 0 AS side FROM accounts) u GROUP BY customer_key) v"),
        "operations", BY_NO_MATCH),
    # joins as a condition
    "a left join that leaves the target's value alone": (
        (f"SELECT d.country, SUM(a.n) AS s FROM deposits d LEFT JOIN ({FLAGS}) a ON a.customer_key = d.customer_key"
        " GROUP BY d.country"),
        "operations", BY_NO_MATCH),
    "a left join's constant": (
        ("SELECT d.country, SUM(a.one) AS s FROM deposits d LEFT JOIN (SELECT customer_key, 1 AS one FROM accounts"
        " GROUP BY customer_key) a ON a.customer_key = d.customer_key GROUP BY d.country"),
        "operations", BY_NO_MATCH),
    "a left join in CASE": (
        (f"SELECT d.country, SUM(CASE WHEN a.n IS NULL THEN 0 ELSE 1 END) AS s FROM deposits d LEFT JOIN ({FLAGS}) a"
        " ON a.customer_key = d.customer_key GROUP BY d.country"),
        "operations", BY_NO_MATCH),
    "COALESCE over a left join": (
        (f"SELECT d.country, SUM(COALESCE(a.n, 0)) AS s FROM deposits d LEFT JOIN ({FLAGS}) a"
        " ON a.customer_key = d.customer_key GROUP BY d.country"),
        "operations", BY_SELECTION),
    "a product with the joined table": (
        (f"SELECT SUM(d.amount_minor * a.n) AS s FROM deposits d JOIN ({FLAGS}) a ON a.customer_key = d.customer_key"
        " WHERE d.currency = 'EUR'"),
        "operations", BY_SELECTION),
    "a nullable value of a nested query": (
        (f"SELECT d.country, SUM(a.risk) AS s FROM deposits d JOIN ({FLAGS}) a ON a.customer_key = d.customer_key"
        " GROUP BY d.country"),
        "operations", BY_GAPS),
    "a count of values that seems to have no gaps": (
        ("SELECT country, SUM(c) AS s FROM (SELECT customer_key, country, COUNT(risk_score) AS c FROM accounts"
        " GROUP BY customer_key, country) x WHERE c IS NOT NULL GROUP BY country"),
        "operations", BY_GAPS),
    "a default for what is missing": (
        (f"SELECT SUM(v) AS s FROM (SELECT d.customer_key, COALESCE(a.risk, 0) AS v FROM deposits d JOIN ({FLAGS}) a"
        " ON a.customer_key = d.customer_key) x WHERE v IS NOT NULL"),
        "operations", BY_SELECTION),
    "rows that meet by a sensitive value": (
        "SELECT COUNT(*) AS n FROM accounts WHERE risk_score IN (SELECT risk_score FROM accounts)",
        "operations", UNGRANTED),
    "a twin of the analyst's own row": (
        ("SELECT d.country, COUNT(*) AS n FROM deposits d JOIN (SELECT customer_key FROM accounts WHERE risk_score = 7)"
        " a ON a.customer_key = d.customer_key GROUP BY d.country"),
        "leaks", TWIN),
    "a twin by a computed key": (
        ("SELECT d.country, COUNT(*) AS n FROM (SELECT customer_key, country, country = 'DE' AS k FROM deposits) d"
        " JOIN (SELECT customer_key, country = 'DE' AS k FROM accounts) a"
        " ON a.customer_key = d.customer_key AND a.k = d.k GROUP BY d.country"),
        "leaks", TWIN),
    "one member's part as a filter on all": (
        ('SELECT d.country, COUNT(*) AS n FROM deposits d WHERE d.customer_key IN'
        ' (SELECT customer_key FROM "bank-a".accounts) GROUP BY d.country'),
        "table", ONE_BY_ONE),
    "alerts on the customers of one other member": (
        ('SELECT customer_key FROM deposits WHERE customer_key IN (SELECT customer_key FROM "bank-b".accounts)'
        " GROUP BY customer_key"),
        "table", ONE_BY_ONE),
    "one member's part stacked on all": (
        ('SELECT customer_key FROM (SELECT customer_key FROM deposits UNION ALL SELECT customer_key FROM'
        ' "bank-b".accounts) u GROUP BY customer_key HAVING COUNT(*) > 1'),
        "table", ONE_BY_ONE),
    "the member's id through a nested query": (
        "SELECT m, COUNT(*) AS n FROM (SELECT customer_key, member() = 'bank-b' AS m FROM deposits) x GROUP BY m",
        "operations", BY_MEMBER),
    "a window for each member": (
        ("SELECT COUNT(*) AS n FROM (SELECT customer_key, ROW_NUMBER() OVER (PARTITION BY m ORDER BY ts) AS place FROM"
        " (SELECT customer_key, ts, member() = 'bank-b' AS m FROM deposits) x) y WHERE place <= 10"),
        "operations", BY_MEMBER),
    # windows
    "a place inside SUM": (
        f"SELECT country, SUM(place) AS s FROM ({RANKED}) x GROUP BY country", "operations", BY_SELECTION),
    "a place inside CASE": (
        (f"SELECT country, SUM(CASE WHEN place = 1 THEN amount_minor ELSE 0 END) AS s FROM ({RANKED}) x"
        " GROUP BY country"),
        "operations", BY_SELECTION),
    "a place as a key": (
        f"SELECT place, SUM(amount_minor) AS s FROM ({RANKED}) x GROUP BY place", "operations", UNGRANTED),
    "running sums summed: weights by place": (
        ("SELECT country, SUM(r) AS s FROM (SELECT customer_key, country, SUM(amount_minor) OVER (ORDER BY ts) AS r"
        f" FROM deposits {EUR}) x GROUP BY country"),
        "operations", BY_SELECTION),
    "a partition by a sensitive value": (
        ("SELECT COUNT(*) AS n FROM (SELECT customer_key, ROW_NUMBER() OVER (PARTITION BY risk_score ORDER BY"
        " customer_key) AS place FROM accounts) x WHERE place = 1"),
        "operations", UNGRANTED),
    "a score made of all customers' running sum": (
        ("SELECT customer_key, r FROM (SELECT customer_key, SUM(amount_minor) OVER (ORDER BY ts) AS r FROM deposits"
        f" {EUR}) x GROUP BY customer_key, r"),
        "operations", BY_MIXING),
    "alerts by all customers' running sum": (
        ("SELECT customer_key FROM (SELECT customer_key, SUM(amount_minor) OVER (ORDER BY ts) AS r FROM deposits"
        f" {EUR}) x WHERE r > 1000 GROUP BY customer_key"),
        "operations", BY_MIXING),
    # nested groups
    "a condition on a nested sum inside SUM": (
        f"SELECT country, SUM(CASE WHEN total > 1000 THEN total ELSE 0 END) AS s FROM ({TOTALS}) x GROUP BY country",
        "operations", BY_SELECTION),
    "a condition inside the nested sum": (
        ("SELECT country, SUM(t) AS s FROM (SELECT customer_key, country, SUM(CASE WHEN ts = TIMESTAMP"
        f" '2026-03-01 00:00:00' THEN amount_minor ELSE 0 END) AS t FROM deposits {EUR} GROUP BY customer_key, country)"
        " x GROUP BY country"),
        "operations", BY_SELECTION),
    "a nested count of a condition": (
        ("SELECT country, SUM(c) AS s FROM (SELECT customer_key, country, COUNT(CASE WHEN ts = TIMESTAMP"
        " '2026-03-01 00:00:00' THEN 1 END) AS c FROM deposits GROUP BY customer_key, country) x GROUP BY country"),
        "operations", BY_SELECTION),
    "a customer's sum as a key": (
        f"SELECT total, COUNT(*) AS n FROM ({TOTALS}) x GROUP BY total", "operations", UNGRANTED),
    "DISTINCT values summed": (
        (f"SELECT country, SUM(amount_minor) AS s FROM (SELECT DISTINCT customer_key, country, amount_minor FROM"
        f" deposits {EUR}) x GROUP BY country"),
        "operations", UNGRANTED),
    "a function that is zero for all but one": (
        f"SELECT country, SUM(FLOOR(total / 1000000)) AS s FROM ({TOTALS}) x GROUP BY country",
        "operations", BY_SELECTION),
    # orders
    "customers in the order of their key": (
        ("SELECT country, COUNT(*) AS n FROM (SELECT customer_key, country FROM accounts ORDER BY customer_key LIMIT"
        " 10) x GROUP BY country"),
        "operations", UNGRANTED),
    "least and greatest value": (
        f"SELECT country, MIN(amount_minor) AS lo, MAX(amount_minor) AS hi FROM deposits {EUR} GROUP BY country",
        "operations", UNGRANTED),
    "least equals greatest": (
        f"SELECT country FROM deposits {EUR} GROUP BY country HAVING MIN(amount_minor) = MAX(amount_minor)",
        "operations", UNGRANTED),
    "the greatest value as a quantile": (
        (f"SELECT country, PERCENTILE_DISC(0.999) WITHIN GROUP (ORDER BY amount_minor) AS q FROM deposits {EUR}"
        " GROUP BY country"),
        "operations", UNGRANTED),
    "the largest number of rows of one customer": (
        "SELECT MAX(n) AS most FROM (SELECT customer_key, COUNT(*) AS n FROM deposits GROUP BY customer_key) x",
        "operations", "leave it out"),
}  # fmt: skip


@pytest.mark.parametrize(("sql", "rule", "says"), ATTACKS.values(), ids=ATTACKS.keys())
def test_an_attack_is_denied_whatever_a_policy_permits(sql: str, rule: str, says: str) -> None:
    found = denials(sql)
    assert rule in found, found
    assert any(says in text for text in found[rule]), found


LOST = {
    "alerts by other customers' total": (
        f"SELECT d.customer_key FROM deposits d JOIN (SELECT country, SUM(amount_minor) AS t FROM deposits {EUR}"
        " GROUP BY country) c ON c.country = d.country WHERE c.t > 1000 GROUP BY d.customer_key"
    ),
    "a score of other customers in the country": (
        f"SELECT d.customer_key, c.t FROM deposits d JOIN (SELECT country, SUM(amount_minor) AS t FROM deposits {EUR}"
        " GROUP BY country) c ON c.country = d.country GROUP BY d.customer_key, c.t"
    ),
    "a group of strangers as a value": (
        f"SELECT SUM(t) AS s FROM (SELECT country, SUM(amount_minor) AS t FROM deposits {EUR} GROUP BY country) x"
    ),
    "a join that is not on the contributor": (
        f"SELECT d.country, SUM(c.t) AS s FROM deposits d JOIN (SELECT country, SUM(amount_minor) AS t FROM deposits"
        f" {EUR} GROUP BY country) c ON c.country = d.country GROUP BY d.country"
    ),
    "an extreme of a group as a key": (
        "SELECT m, COUNT(*) AS n FROM (SELECT country, MAX(ts) AS m FROM deposits GROUP BY country) x GROUP BY m"
    ),
}


@pytest.mark.parametrize("sql", LOST.values(), ids=LOST.keys())
def test_numbers_over_rows_that_lost_their_contributor_are_never_planned(sql: str) -> None:
    try:
        found = denials(sql)
    except RequestError as error:
        assert error.code == "plans/entity-lost"  # noqa: PT017 - either answer is a refusal
    else:
        assert found


ISOLATED = {
    "the first customer by amount": (
        "SELECT SUM(total) AS s FROM (SELECT customer_key, SUM(amount_minor) AS total FROM deposits"
        f" {EUR} GROUP BY customer_key ORDER BY total DESC LIMIT 1) x"
    ),
    "each customer's largest deposit": f"SELECT country, SUM(amount_minor) AS s FROM ({RANKED}) x WHERE place = 1"
    " GROUP BY country",
    "customers above a threshold": (
        f"SELECT country, SUM(total) AS s FROM ({TOTALS}) x WHERE total > 900 GROUP BY country"
    ),
    "members of another table": (
        "SELECT country, COUNT(*) AS n FROM deposits WHERE customer_key IN (SELECT customer_key FROM accounts WHERE"
        " risk_score > 90) GROUP BY country"
    ),
}


@pytest.mark.parametrize("sql", ISOLATED.values(), ids=ISOLATED.keys())
def test_rows_picked_out_before_the_end_are_counted_at_the_end(sql: str) -> None:
    found = compiled(sql)
    assert found.permitted, found.decision.denials()
    [control] = [step for step in found.plan.steps if isinstance(step, Control)]
    assert {(rule.by, rule.minimum) for rule in control.rules} == {("entity", 10), ("member", 2)}


def test_a_condition_on_a_joined_table_is_checked_after_its_keys() -> None:
    found = compiled(
        "SELECT d.country, COUNT(*) AS n FROM deposits d JOIN accounts a ON a.customer_key = d.customer_key"
        " WHERE a.risk_score > 50 GROUP BY d.country"
    )
    assert found.permitted, found.decision.denials()
    [join] = [step for step in found.plan.steps if isinstance(step, Join)]
    assert join.uniqueness == "opened"


@pytest.mark.parametrize(
    "aggregate", ["SUM(a.risk)", "AVG(a.risk)", "VARIANCE(a.risk)", "SUM(a.risk + 1)", "SUM(d.amount_minor + a.risk)"]
)
def test_a_nullable_value_of_a_nested_query_may_be_summed_where_it_is_not_null(aggregate: str) -> None:
    sql = (
        f"SELECT d.country, {aggregate} AS s FROM deposits d JOIN ({FLAGS}) a ON a.customer_key = d.customer_key"
        " WHERE d.currency = 'EUR' AND a.risk IS NOT NULL GROUP BY d.country"
    )
    found = compiled(sql)
    assert found.permitted, found.decision.denials()
    assert not compiled(sql.replace(" AND a.risk IS NOT NULL", "")).permitted


def test_a_limit_on_alerts_is_refused() -> None:
    with pytest.raises(RequestError):
        compiled("SELECT customer_key FROM deposits GROUP BY customer_key ORDER BY customer_key LIMIT 3")
