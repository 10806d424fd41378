"""Plans give what sqlite gives on the pooled rows: pre-aggregation, HAVING, NULL groups, empty members and all."""

import random
import sqlite3
from fractions import Fraction

import pytest

from consortia.plans.build import build_plan
from consortia.plans.obligations import Obligations
from consortia.plans.sql import bind
from tests.fixtures_catalogue import AS_OF, BANKS, CATALOGUE, COUNTRIES, environment
from tests.naive_plan import Row, run

NAMES = ("a", "b", "c", "flag", "country", "person")

QUERIES = (
    "SELECT country, COUNT(*) AS n, COUNT(a) AS k, SUM(a) AS s, COUNT(DISTINCT member()) AS m FROM numbers GROUP BY 1",
    "SELECT COUNT(*), COUNT(a), SUM(a), SUM(a * b), COUNT(DISTINCT member()) FROM numbers",
    "SELECT COUNT(*) AS n, SUM(a) AS s FROM numbers WHERE a > 2000",
    "SELECT COUNT(DISTINCT member()) AS n FROM numbers WHERE c = 3 AND a < -900",
    "SELECT country, flag, SUM(a + b) AS s FROM numbers WHERE NOT flag GROUP BY country, flag",
    "SELECT country, SUM(CASE WHEN flag THEN a ELSE -b END) AS s FROM numbers GROUP BY country",
    "SELECT c % 3 AS class, COUNT(*) AS n, SUM(a) / COUNT(*) AS mean FROM numbers WHERE a IS NOT NULL GROUP BY class",
    "SELECT c / 4 AS class, c, SUM(b) AS s FROM numbers GROUP BY 1, 2",
    "SELECT DISTINCT country, flag FROM numbers",
    "SELECT DISTINCT c + 1 AS next FROM numbers WHERE a NOT IN (1, NULL)",
    "SELECT country FROM numbers GROUP BY country HAVING SUM(a) > 100 AND country IN ('DE', 'FR')",
    "SELECT country, COUNT(*) AS n FROM numbers GROUP BY country HAVING COUNT(*) >= 5 OR SUM(b) IS NULL",
    "SELECT country, flag FROM numbers GROUP BY country, flag HAVING NOT (SUM(a) - SUM(b) < 2 * COUNT(*) + 10)",
    "SELECT c, COUNT(DISTINCT member()) AS m FROM numbers GROUP BY c HAVING COUNT(DISTINCT member()) BETWEEN 2 AND 3",
    "SELECT SUM(a) AS s FROM numbers HAVING COUNT(*) > 20",
    "SELECT country, COUNT(DISTINCT person) AS people FROM numbers GROUP BY country",
    "SELECT COUNT(DISTINCT person) AS people FROM numbers WHERE flag",
    "SELECT COALESCE(b, 0) AS b0, COUNT(*) AS n, SUM(c) AS s FROM numbers WHERE a BETWEEN -500 AND 500 GROUP BY b0",
    "SELECT country, SUM(a) AS s, SUM(b) AS t FROM numbers WHERE a >= -20 AND 30 > a AND b IN (1, 2, NULL) GROUP BY 1",
    "SELECT flag, c, SUM(b) AS s FROM numbers WHERE flag = TRUE AND c <> 3 AND b IS NOT NULL AND c <= 4 GROUP BY 1, 2",
    "SELECT country, SUM(a) AS s FROM numbers WHERE country IN ('FR', 'NL') AND a BETWEEN 5 AND 900 GROUP BY country",
    "SELECT country, SUM(a) AS s FROM numbers WHERE a > 5 AND a < 5 GROUP BY country",
    "SELECT 7 AS seven, COUNT(*) * 2 - 1 AS odd FROM numbers",
)


def pooled(seed: int, sizes: tuple[int, int, int]) -> dict[str, list[Row]]:
    dice = random.Random(seed)

    def maybe(value: int) -> int | None:
        return None if dice.random() < 0.2 else value

    return {
        bank: [
            {
                "a": maybe(dice.randint(-1000, 1000)),
                "b": maybe(dice.randint(-20, 20)),
                "c": dice.randint(0, 10),
                "flag": maybe(dice.randint(0, 1)),
                "country": maybe(dice.randrange(len(COUNTRIES))),
                "person": maybe(dice.randint(1, 12)),
            }
            for _ in range(size)
        ]
        for bank, size in zip(BANKS, sizes, strict=True)
    }


def in_sqlite(sql: str, data: dict[str, list[Row]]) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE TABLE numbers (member TEXT, {', '.join(NAMES)})")
    for member, rows in data.items():
        for row in rows:
            words = {"country": None if row["country"] is None else COUNTRIES[int(row["country"])]}
            values = [member, *((row | words)[name] for name in NAMES)]
            connection.execute("INSERT INTO numbers VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    found = connection.execute(sql.replace("member()", "member")).fetchall()
    connection.close()
    return found


def answer(sql: str, data: dict[str, list[Row]], obligations: Obligations | None = None) -> list[Row]:
    plan = build_plan(bind(sql, CATALOGUE, AS_OF), environment(), obligations or Obligations())
    results = run(plan, data)
    (rows,) = results.values()
    return rows


def shown(rows: list[Row]) -> list[tuple[object, ...]]:
    """Rows as sqlite gives them: enum codes as words."""
    return [
        tuple(
            COUNTRIES[value] if name == "country" and isinstance(value, int) else value for name, value in row.items()
        )
        for row in rows
    ]


def in_order(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return sorted(rows, key=lambda row: [(value is None, str(type(value)), value) for value in row])


@pytest.mark.parametrize("sizes", [(40, 30, 50), (1, 0, 0), (0, 0, 0), (25, 0, 3)])
@pytest.mark.parametrize("sql", QUERIES)
def test_a_plan_gives_what_sqlite_gives_on_the_pooled_rows(sql: str, sizes: tuple[int, int, int]) -> None:
    data = pooled(sum(sizes), sizes)
    expected = in_order(in_sqlite(sql, data))
    for pre_aggregate in (True, False):
        assert in_order(shown(answer(sql, data, Obligations(pre_aggregate=pre_aggregate)))) == expected


def test_one_members_part_is_that_member_alone() -> None:
    data = pooled(5, (20, 20, 20))
    sql = "SELECT country, COUNT(*) AS n FROM {} GROUP BY country"
    expected = in_sqlite(sql.format("numbers"), {"bank-b": data["bank-b"]})
    assert in_order(shown(answer(sql.format('"bank-b".numbers'), data))) == in_order(expected)


@pytest.mark.parametrize("operator", ["=", "<>", "<", "<=", ">", ">="])
@pytest.mark.parametrize("threshold", ["0", "-37.5", "12", "3.3333333333", "-0.000001"])
def test_having_compares_the_exact_average_on_either_side(operator: str, threshold: str) -> None:
    data = pooled(9, (30, 30, 30))
    compare = {
        "=": lambda x, y: x == y, "<>": lambda x, y: x != y, "<": lambda x, y: x < y,
        "<=": lambda x, y: x <= y, ">": lambda x, y: x > y, ">=": lambda x, y: x >= y,
    }[operator]  # fmt: skip
    by_class: dict[int, list[int]] = {}
    for row in (row for rows in data.values() for row in rows):
        if row["a"] is not None:
            by_class.setdefault(int(row["c"] or 0), []).append(int(row["a"]))
    limit = Fraction(threshold)
    expected = sorted(c for c, values in by_class.items() if compare(Fraction(sum(values), len(values)), limit))
    mirrored = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(operator, operator)
    for condition in (f"AVG(a) {operator} {threshold}", f"{threshold} {mirrored} AVG(a)"):
        assert [row["c"] for row in answer(f"SELECT c FROM numbers GROUP BY c HAVING {condition}", data)] == expected


def test_an_average_equal_to_its_threshold_is_found_equal() -> None:
    data: dict[str, list[Row]] = {bank: [] for bank in BANKS}
    data["bank-a"] = [{"a": 1, "c": 1}, {"a": 2, "c": 1}, {"a": None, "c": 1}, {"a": None, "c": 2}]
    assert answer("SELECT c FROM numbers GROUP BY c HAVING AVG(a) = 1.5", data) == [{"c": 1}]
    assert answer("SELECT c FROM numbers GROUP BY c HAVING AVG(a) <> 1.5", data) == []
    assert answer("SELECT c FROM numbers GROUP BY c HAVING AVG(a) IS NULL", data) == [{"c": 2}]


def test_the_average_has_six_more_places_and_rounds_halves_away_from_zero() -> None:
    data: dict[str, list[Row]] = {bank: [] for bank in BANKS}
    data["bank-a"] = [{"price": -100, "a": 1}, {"price": None, "a": 2}]
    data["bank-c"] = [{"price": -101, "a": 2}, {"price": -101, "a": 2}]
    (row,) = answer("SELECT AVG(price) AS p, AVG(a) AS a FROM numbers", data)
    # -302 / 300 in units of 10^-8, and 7 / 4 in units of 10^-6
    assert row == {"p": -100_666_667, "a": 1_750_000}


def test_the_result_is_ordered_by_order_by_and_then_by_every_output() -> None:
    data: dict[str, list[Row]] = {bank: [] for bank in BANKS}
    data["bank-b"] = [{"c": c, "country": k} for c, k in ((1, 1), (1, None), (2, 0), (2, 3), (1, 2))]
    rows = answer("SELECT country, c FROM numbers GROUP BY country, c ORDER BY c DESC", data)
    assert shown(rows) == [("AT", 2), ("DE", 2), ("FR", 1), ("NL", 1), (None, 1)]
    rows = answer("SELECT country FROM numbers GROUP BY country ORDER BY 1 DESC", data)
    assert shown(rows) == [(None,), ("NL",), ("FR",), ("DE",), ("AT",)]


def test_interbank_rows_count_once_in_the_logical_table_and_twice_over_the_members_parts() -> None:
    row: Row = {"from_bank": 0, "to_bank": 1}
    cash: Row = {"from_bank": None, "to_bank": 1}
    data = {"bank-a": [row], "bank-b": [row, cash], "bank-c": []}
    assert answer("SELECT COUNT(*) AS n FROM transactions", data) == [{"n": 2}]
    assert answer('SELECT COUNT(*) AS n FROM "bank-b".transactions', data) == [{"n": 2}]
    assert answer('SELECT COUNT(*) AS n FROM "bank-a".transactions', data) == [{"n": 1}]
