"""Bound relation trees give what sqlite gives on the pooled rows: joins, nested queries, sets, windows, limits."""

import random
import sqlite3

import pytest

from consortia.plans.query import Query
from consortia.plans.sql import bind
from tests.fixtures_catalogue import AS_OF, BANKS, CATALOGUE, COUNTRIES
from tests.naive_relations import Row, World, answer, output_types
from tests.random_relations import relation_query

NUMBERS = ("a", "b", "c", "flag", "country", "day", "person")
ACCOUNTS = ("account_id", "customer_key", "opened", "country", "risk_score", "sar_flag")

QUERIES = (
    # joins
    (
        "SELECT n.country, COUNT(*) AS k, SUM(a.risk_score) AS s FROM numbers AS n JOIN accounts AS a"
        " ON n.person = a.customer_key WHERE a.risk_score > 20 GROUP BY n.country"
    ),
    (
        "SELECT n.country, COUNT(*) AS k FROM numbers AS n JOIN accounts AS a ON a.customer_key = n.person"
        " AND n.country = a.country AND n.a > a.risk_score GROUP BY 1"
    ),
    (
        "SELECT numbers.country, COUNT(*) AS k, COUNT(risk_score) AS r FROM numbers LEFT JOIN accounts AS x"
        " ON person = customer_key AND x.sar_flag GROUP BY numbers.country"
    ),
    (
        "SELECT country, COUNT(*) AS k, SUM(c * risk_score) AS s FROM numbers INNER JOIN accounts USING (country)"
        " GROUP BY country"
    ),
    "SELECT country, SUM(numbers.a) AS s FROM numbers LEFT JOIN accounts USING (country) GROUP BY country",
    "SELECT x.flag, COUNT(*) AS k FROM numbers AS x JOIN numbers AS y ON x.a + 1 = y.b AND y.c = x.c GROUP BY x.flag",
    (
        "SELECT COUNT(*) AS k FROM numbers AS x JOIN accounts AS y ON x.person = y.customer_key"
        " LEFT JOIN numbers AS z ON z.a = y.risk_score JOIN accounts AS w ON w.country = z.country WHERE x.c < 6"
    ),
    (
        "SELECT q.k, COUNT(*) AS n FROM numbers JOIN (SELECT customer_key AS k, MAX(risk_score) AS r FROM accounts"
        " GROUP BY customer_key) AS q ON person = q.k AND q.r > 10 GROUP BY q.k"
    ),
    # [NOT] EXISTS, [NOT] IN
    (
        "SELECT country, COUNT(*) AS k FROM numbers AS n WHERE EXISTS (SELECT 1 FROM accounts AS a"
        " WHERE a.customer_key = n.person AND a.risk_score > 30) AND c > 2 GROUP BY country"
    ),
    (
        "SELECT country, COUNT(*) AS k FROM numbers AS n WHERE NOT EXISTS (SELECT * FROM accounts AS a"
        " WHERE n.person = customer_key AND n.country = a.country) GROUP BY country"
    ),
    "SELECT flag, COUNT(*) AS k FROM numbers WHERE b IN (SELECT c FROM numbers WHERE a > 0) GROUP BY flag",
    "SELECT flag, COUNT(*) AS k FROM numbers WHERE NOT (b IN (SELECT c + 1 FROM numbers WHERE c > 7)) GROUP BY flag",
    "SELECT flag, COUNT(*) AS k FROM numbers WHERE b NOT IN (SELECT a FROM numbers) GROUP BY flag",
    "SELECT COUNT(*) AS k FROM numbers WHERE b NOT IN (SELECT a FROM numbers WHERE a > 5000)",
    (
        "SELECT COUNT(*) AS k FROM numbers WHERE b NOT IN (SELECT c FROM numbers UNION ALL SELECT risk_score"
        " FROM accounts)"
    ),
    (
        "SELECT COUNT(*) AS k FROM numbers AS x WHERE EXISTS (SELECT 1 FROM accounts WHERE customer_key = x.person"
        " AND NOT EXISTS (SELECT 1 FROM numbers AS y WHERE y.c = risk_score))"
    ),
    # nested
    (
        "SELECT s, COUNT(*) AS k FROM (SELECT country, SUM(b) AS s FROM numbers GROUP BY country HAVING"
        " COUNT(*) > 3) AS q"
        " GROUP BY s"
    ),
    "SELECT m, SUM(s) AS t FROM (SELECT c % 3 AS m, c, SUM(a * b) AS s FROM numbers GROUP BY 1, c) GROUP BY m",
    (
        "WITH x AS (SELECT person AS p, COUNT(*) AS n, MIN(a) AS lo FROM numbers GROUP BY person)"
        " SELECT y.n, SUM(z.lo) AS s FROM x AS y JOIN x AS z ON y.p = z.p WHERE z.n < 9 GROUP BY y.n"
    ),
    (
        "WITH x (k, v) AS (SELECT c, a FROM numbers), y AS (SELECT k, v + 1 AS v FROM x WHERE v IS NOT NULL)"
        " SELECT k, SUM(v) AS s FROM y GROUP BY k"
    ),
    "SELECT DISTINCT k FROM (SELECT DISTINCT c / 2 AS k, flag FROM numbers) AS q WHERE NOT flag",
    "SELECT n, COUNT(*) AS k FROM (SELECT COUNT(*) AS n FROM numbers) AS q GROUP BY n",
    "SELECT COUNT(*) AS k, SUM(x.b) AS s FROM (SELECT * FROM numbers WHERE flag) AS x",
    # sets
    "SELECT a AS x FROM numbers UNION SELECT b FROM numbers",
    (
        "SELECT c AS x, flag FROM numbers UNION ALL SELECT b, flag FROM numbers UNION SELECT a, sar_flag FROM numbers"
        " JOIN accounts ON person = customer_key"
    ),
    "SELECT b AS x FROM numbers INTERSECT SELECT c FROM numbers",
    "SELECT b AS x, flag FROM numbers INTERSECT SELECT c, flag FROM numbers INTERSECT SELECT a, flag FROM numbers",
    "SELECT c AS x FROM numbers EXCEPT SELECT b FROM numbers",
    (
        "SELECT COUNT(*) AS k FROM (SELECT b, flag FROM numbers EXCEPT SELECT c, flag FROM numbers"
        " EXCEPT SELECT a, flag FROM numbers) AS q"
    ),
    "SELECT x, COUNT(*) AS k FROM (SELECT a AS x FROM numbers UNION ALL SELECT b FROM numbers) AS q GROUP BY x",
    "SELECT country AS x FROM numbers INTERSECT SELECT country FROM accounts WHERE risk_score > 50",
    # windows and limits
    (
        "SELECT c, SUM(b) AS s FROM (SELECT c, b, ROW_NUMBER() OVER (PARTITION BY c ORDER BY a DESC NULLS FIRST,"
        " b DESC NULLS FIRST, person, flag, day) AS r FROM numbers) AS q WHERE r <= 3 GROUP BY c"
    ),
    (
        "SELECT r, d, COUNT(*) AS k FROM (SELECT RANK() OVER (PARTITION BY flag ORDER BY c) AS r,"
        " DENSE_RANK() OVER (PARTITION BY flag ORDER BY c) AS d FROM numbers) AS q GROUP BY r, d"
    ),
    (
        "SELECT t, n, k, COUNT(*) AS m FROM (SELECT SUM(b) OVER (PARTITION BY flag ORDER BY c) AS t,"
        " COUNT(*) OVER (PARTITION BY flag) AS n, COUNT(b) OVER (ORDER BY c + 1 RANGE UNBOUNDED PRECEDING) AS k"
        " FROM numbers) AS q GROUP BY t, n, k"
    ),
    (
        "SELECT t, COUNT(*) AS k FROM (SELECT SUM(c) OVER (ORDER BY c ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
        " AS t FROM numbers) AS q GROUP BY t"
    ),
    (
        "SELECT r, COUNT(*) AS k FROM (SELECT flag, c, RANK() OVER (PARTITION BY flag ORDER BY SUM(b) DESC NULLS FIRST,"
        " COUNT(*)) AS r FROM numbers GROUP BY flag, c) AS q GROUP BY r"
    ),
    "SELECT SUM(c) AS s FROM (SELECT c FROM numbers ORDER BY c DESC LIMIT 5) AS q",
    (
        "SELECT COUNT(*) AS k FROM (SELECT c, b FROM numbers ORDER BY a NULLS LAST, c, b NULLS LAST LIMIT 7) AS q"
        " WHERE b IS NULL"
    ),
    "SELECT c, COUNT(*) AS k FROM numbers GROUP BY c ORDER BY k DESC, c LIMIT 4",
    "SELECT b AS x FROM numbers UNION SELECT c FROM numbers ORDER BY x DESC NULLS FIRST LIMIT 6",
    # aggregates
    (
        "SELECT country, MIN(a) AS lo, MAX(b) AS hi, MIN(day) AS first, COUNT(DISTINCT c) AS n,"
        " COUNT(DISTINCT a + b) AS m FROM numbers GROUP BY country HAVING MAX(a) > 5 OR MIN(b) IS NULL"
    ),
)


def pooled(seed: int, sizes: tuple[int, int, int]) -> dict[str, dict[str, list[Row]]]:
    dice = random.Random(seed)

    def maybe(value: int) -> int | None:
        return None if dice.random() < 0.2 else value

    def numbers() -> Row:
        return {
            "a": maybe(dice.randint(-10, 10)),
            "b": maybe(dice.randint(-5, 10)),
            "c": dice.randint(0, 10),
            "flag": maybe(dice.randint(0, 1)),
            "country": maybe(dice.randrange(len(COUNTRIES))),
            "day": maybe(dice.randint(20_000, 20_003)),
            "person": maybe(dice.randint(1, 12)),
        }

    def accounts() -> Row:
        return {
            "account_id": dice.randint(1, 99),
            "customer_key": dice.randint(1, 12),
            "opened": dice.randint(20_000, 20_009),
            "country": dice.randrange(len(COUNTRIES)),
            "risk_score": maybe(dice.choice((0, 5, 10, 25, 40, 100))),
            "sar_flag": maybe(dice.randint(0, 1)),
        }

    tables = {"numbers": numbers, "accounts": accounts}
    return {
        name: {bank: [row() for _ in range(size)] for bank, size in zip(BANKS, sizes, strict=True)}
        for name, row in tables.items()
    }


def in_sqlite(sql: str, data: dict[str, dict[str, list[Row]]]) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(":memory:")
    for table, names in (("numbers", NUMBERS), ("accounts", ACCOUNTS)):
        connection.execute(f"CREATE TABLE {table} ({', '.join(names)})")
        for rows in data[table].values():
            places = ", ".join("?" * len(names))
            connection.executemany(f"INSERT INTO {table} VALUES ({places})", [[row[n] for n in names] for row in rows])
    found = connection.execute(sql).fetchall()
    connection.close()
    return found


def bound(sql: str) -> Query:
    return bind(sql, CATALOGUE, AS_OF)


def in_order(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return sorted(rows, key=lambda row: [(value is None, value or 0) for value in row])


@pytest.mark.parametrize("sizes", [(20, 10, 15), (1, 0, 0), (0, 0, 0), (6, 0, 3)])
@pytest.mark.parametrize("sql", QUERIES)
def test_a_bound_relation_gives_what_sqlite_gives_on_the_pooled_rows(sql: str, sizes: tuple[int, int, int]) -> None:
    for seed in range(3):
        data = pooled(seed, sizes)
        query = bound(sql)
        found = answer(query, World(data))
        assert list(output_types(query)) == [output.name for output in query.outputs]
        assert in_order([tuple(row.values()) for row in found]) == in_order(in_sqlite(sql, data))


@pytest.mark.parametrize("start", range(0, 400, 50))
def test_random_relations_give_what_sqlite_gives(start: int) -> None:
    for seed in range(start, start + 50):
        draw = random.Random(seed)
        sql = relation_query(draw, unique=draw.random() < 0.3)
        data = pooled(seed, (5, 3, 4))
        found = answer(bound(sql), World(data))
        assert in_order([tuple(row.values()) for row in found]) == in_order(in_sqlite(sql, data)), sql
