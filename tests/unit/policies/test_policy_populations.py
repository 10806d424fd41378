"""Which rows released cells are made of: equal for equal rows however they are asked for, different for all others."""

import pytest

from consortia.plans.build import build_plan
from consortia.plans.model import Plan
from consortia.plans.obligations import Obligations, RowScope
from consortia.plans.sql import bind
from consortia.policies.flow.apart import are_apart
from consortia.policies.flow.populations import Cells, cells_of
from tests.fixtures_catalogue import AS_OF, CATALOGUE, environment

TOTAL = "SELECT country, SUM(c) AS s FROM numbers {} GROUP BY country"
RISKS = "(SELECT customer_key, MAX(risk_score) AS risk FROM accounts WHERE sar_flag GROUP BY customer_key)"


OBLIGED = Obligations(entity="person", minimum_entities=5)


def plan_of(sql: str, obligations: Obligations = OBLIGED) -> Plan:
    return build_plan(bind(sql, CATALOGUE, AS_OF), environment(), obligations)


def cells(sql: str) -> Cells:
    [found] = cells_of(plan_of(sql))
    return found


WITH = f"JOIN {RISKS} AS"
STACKED = "SELECT person, c FROM numbers UNION ALL SELECT person, c FROM numbers WHERE c = 7"
PLACED = "SELECT person, ROW_NUMBER() OVER (PARTITION BY person ORDER BY {}) AS p FROM numbers"
SAME_ROWS = {
    "another measure, other names": (TOTAL.format(""),
        "SELECT country AS c, COUNT(*) AS n FROM numbers GROUP BY country"),
    "order of conditions": (
        TOTAL.format("WHERE b = 3 AND country <> 'DE'"),
        TOTAL.format("WHERE country <> 'DE' AND b = 3")),
    "sides of comparisons": (
        TOTAL.format("WHERE c > 5"), TOTAL.format("WHERE 5 < c")),
    "grouped by the owner, and single rows": (
        TOTAL.format(""), "SELECT country, MEDIAN(c) AS m FROM numbers GROUP BY country"),
    "an expression of the number": (
        TOTAL.format(""), "SELECT country, SUM(c + 1) AS s FROM numbers GROUP BY country"),
    "a nested query, other names": (
        f"SELECT risk, COUNT(*) AS n FROM {RISKS} AS r GROUP BY risk",
        f"SELECT q.risk, COUNT(DISTINCT q.customer_key) AS people FROM {RISKS} AS q GROUP BY q.risk"),
    "a join, other names and numbers": (
        f"SELECT COUNT(*) AS n FROM accounts AS d {WITH} r ON d.customer_key = r.customer_key WHERE d.country = 'DE'",
        f"SELECT MAX(q.risk) AS m FROM accounts AS e {WITH} q ON q.customer_key = e.customer_key WHERE e.country = 'DE'"
    ),
}  # fmt: skip
OTHER_ROWS = {
    "one condition more": (TOTAL.format(""), TOTAL.format("WHERE country <> 'DE'")),
    "another constant": (TOTAL.format("WHERE c < 5"), TOTAL.format("WHERE c < 6")),
    "one member's rows": (TOTAL.format(""), TOTAL.format("").replace("numbers", '"bank-a".numbers')),
    "a doubled row": (
        "SELECT AVG(c) AS m FROM numbers",
        f"SELECT AVG(c) AS m FROM ({STACKED}) AS t"),
    "rows with a partner": (
        "SELECT COUNT(*) AS n FROM numbers",
        f"SELECT COUNT(*) AS n FROM numbers WHERE person IN (SELECT customer_key FROM {RISKS} AS r)"),
    "another condition in a nested query": (
        f"SELECT risk, COUNT(*) AS n FROM {RISKS} AS r GROUP BY risk",
        f"SELECT risk, COUNT(*) AS n FROM {RISKS.replace('sar_flag', 'NOT sar_flag')} AS r GROUP BY risk"),
    "a condition on a nested number": (
        f"SELECT COUNT(*) AS n FROM {RISKS} AS r WHERE risk > 5",
        f"SELECT COUNT(*) AS n FROM {RISKS} AS r WHERE risk > 6"),
    "a nested LIMIT": (
        "SELECT COUNT(*) AS n FROM (SELECT person, c FROM numbers ORDER BY c LIMIT 50) AS t",
        "SELECT COUNT(*) AS n FROM (SELECT person, c FROM numbers ORDER BY c LIMIT 51) AS t"),
    "a row kept by its place": (
        f"SELECT COUNT(*) AS n FROM ({PLACED.format('c')}) AS t WHERE p <= 2",
        f"SELECT COUNT(*) AS n FROM ({PLACED.format('b')}) AS t WHERE p <= 2"),
    "groups instead of rows": (
        "SELECT COUNT(*) AS n FROM numbers",
        "SELECT COUNT(*) AS n FROM (SELECT person FROM numbers GROUP BY person) AS t"),
}  # fmt: skip


@pytest.mark.parametrize("pair", SAME_ROWS.values(), ids=SAME_ROWS.keys())
def test_the_same_rows_have_one_form(pair: tuple[str, str]) -> None:
    one, other = map(cells, pair)
    assert one.of_same_rows(other)


@pytest.mark.parametrize("pair", OTHER_ROWS.values(), ids=OTHER_ROWS.keys())
def test_other_rows_have_another_form(pair: tuple[str, str]) -> None:
    one, other = map(cells, pair)
    assert not one.of_same_rows(other)


def test_a_row_scope_of_one_owner_makes_other_rows() -> None:
    scope = plan_of(TOTAL.format("WHERE country = 'DE'")).steps[1].predicate
    narrower = Obligations(row_scopes=(RowScope(owner="bank-b", table="numbers", predicate=scope),))
    [one], [other] = cells_of(plan_of(TOTAL.format(""), Obligations())), cells_of(plan_of(TOTAL.format(""), narrower))
    assert not one.of_same_rows(other)


def test_functions_and_keys_are_those_of_what_is_opened() -> None:
    mean = cells("SELECT country, flag, AVG(c) AS m FROM numbers GROUP BY flag, country")
    assert mean.functions == {"sum", "count-rows"}
    assert mean.is_additive
    assert len(mean.keys) == 2
    assert mean.keys > cells(TOTAL.format("")).keys
    least = cells("SELECT MIN(c) AS m FROM numbers")
    assert least.functions == {"min"}
    assert not least.is_additive
    people = cells("SELECT COUNT(DISTINCT person) AS n FROM numbers")
    assert not people.is_additive


APART = {
    "two words": ("country = 'DE'", "country = 'FR'"),
    "a word and a list": ("country = 'DE'", "country IN ('FR', 'NL')"),
    "ranges": ("c < 5", "5 <= c"),
    "a value and a range": ("c = 4", "c > 4 AND b = 3"),
    "months": (
        "ts < TIMESTAMP '2026-02-01 00:00:00'",
        "ts >= TIMESTAMP '2026-02-01 00:00:00' AND ts < TIMESTAMP '2026-03-01 00:00:00'"),
    "a condition and its negation": ("c = b", "NOT c = b"),
}  # fmt: skip
TOGETHER = {
    "two columns": ("country = 'DE'", "b = 3"),
    "lists with a common word": ("country IN ('DE', 'FR')", "country IN ('FR', 'NL')"),
    "ranges that meet": ("c <= 5", "5 <= c"),
    "anything but": ("country <> 'DE'", "country <> 'FR'"),
    "either of two": ("country = 'DE' OR c < 5", "country = 'FR' OR c < 5"),
}


def conditions(text: str) -> Cells:
    return cells(TOTAL.format(f"WHERE {text}"))


@pytest.mark.parametrize("pair", APART.values(), ids=APART.keys())
def test_conditions_that_no_row_meets_together_are_apart(pair: tuple[str, str]) -> None:
    one, other = map(conditions, pair)
    assert are_apart(one.conditions.values(), other.conditions.values())
    assert are_apart(other.conditions.values(), one.conditions.values())
    assert one.source == other.source


@pytest.mark.parametrize("pair", TOGETHER.values(), ids=TOGETHER.keys())
def test_conditions_that_a_row_may_meet_together_are_not_apart(pair: tuple[str, str]) -> None:
    one, other = map(conditions, pair)
    assert not are_apart(one.conditions.values(), other.conditions.values())
