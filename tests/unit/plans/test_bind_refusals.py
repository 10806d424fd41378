"""What a query over several relations can't hold is refused with its code, name, place, and what to write instead."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.errors import RequestError
from consortia.plans.sql import bind
from tests.fixtures_catalogue import AS_OF, CATALOGUE
from tests.random_relations import relation_query
from tests.unit.plans.test_bind_relations import QUERIES

ON = "ON n.person = a.customer_key"
JOINED = f"SELECT COUNT(*) FROM numbers n JOIN accounts a {ON} "
NESTED = "SELECT COUNT(*) FROM (SELECT {} FROM numbers) q"
ROWS = "SELECT COUNT(*) FROM (SELECT a, b FROM numbers {}) q"

REFUSED = (
    # joins
    ("SELECT COUNT(*) FROM numbers, accounts", "plans/unsupported", "comma", "column 31", "JOIN"),
    (f"SELECT COUNT(*) FROM numbers n RIGHT JOIN accounts a {ON}", "plans/unsupported", "RIGHT JOIN", "column 43",
     "swap"),
    (f"SELECT COUNT(*) FROM numbers n FULL JOIN accounts a {ON}", "plans/unsupported", "FULL JOIN", "", "UNION ALL"),
    ("SELECT COUNT(*) FROM numbers CROSS JOIN accounts", "plans/unsupported", "CROSS JOIN", "column 41", "equalities"),
    ("SELECT COUNT(*) FROM numbers NATURAL JOIN accounts", "plans/unsupported", "NATURAL JOIN", "column 43", "USING"),
    ("SELECT COUNT(*) FROM numbers n JOIN accounts a ON n.a < a.risk_score", "plans/unsupported", "without an equality",
     "column 51", "ON a.x = b.x"),
    ("SELECT COUNT(*) FROM numbers n JOIN accounts a ON TRUE", "plans/unsupported", "without an equality", "", "ON"),
    ("SELECT COUNT(*) FROM numbers n JOIN accounts a ON a.country = 'DE'", "plans/unsupported", "equality", "", "ON"),
    (f"SELECT COUNT(*) FROM numbers n LEFT JOIN accounts a {ON} AND n.flag", "plans/unsupported",
     "condition of LEFT JOIN on the left side", "column 86", "CASE WHEN"),
    ("SELECT COUNT(*) FROM numbers JOIN LATERAL (SELECT a FROM accounts) x ON TRUE", "plans/unsupported", "LATERAL", "",
     "grouped"),
    ("SELECT COUNT(*) FROM (numbers JOIN accounts ON person = customer_key) JOIN deposits USING (customer_key)",
     "plans/unsupported", "join in parentheses", "", "left to right"),
    ("SELECT COUNT(*) FROM numbers JOIN accounts ON person = account_id", "plans/type", "domains", "column 47", "one"),
    ("SELECT COUNT(*) FROM numbers JOIN accounts ON a = person", "plans/type", "int and key customer", "", "hashed"),
    ("SELECT COUNT(*) FROM numbers x JOIN numbers y ON x.note = y.note", "plans/text-shared", "text", "column 50",
     "key"),
    ("SELECT COUNT(*) FROM numbers x JOIN transactions y ON x.country = y.currency", "plans/type", "enums", "", "one"),
    ("SELECT COUNT(*) FROM numbers JOIN numbers ON numbers.a = numbers.b", "plans/name", "`numbers`", "", "alias"),
    ("SELECT COUNT(*) FROM numbers JOIN accounts USING (person)", "plans/unknown-column", "right side", "column 51",
     ""),
    ("SELECT COUNT(*) FROM numbers JOIN accounts USING (bank)", "plans/unknown-column", "`bank`", "", ""),
    (JOINED + "WHERE country = 'DE'", "plans/ambiguous", "`country`", "column 83", "alias before"),
    (JOINED + "WHERE b.country = 'DE'", "plans/unknown-table", "`b`", "column 83", "there are `a`"),
    (JOINED + "WHERE a.contry = 'DE'", "plans/unknown-column", "table `accounts` has no column `contry`", "",
     "country"),
    (JOINED + "WHERE member() = 'bank-a'", "plans/unsupported", "member() over joined", "column 83", "subquery"),
    # subqueries
    ("SELECT (SELECT MAX(a) FROM numbers) FROM accounts", "plans/unsupported", "subquery in this place", "", "join"),
    ("SELECT COUNT(*) FROM numbers WHERE a > (SELECT MAX(c) FROM numbers)", "plans/unsupported", "subquery", "",
     "FROM"),
    ("SELECT COUNT(*) FROM numbers WHERE a > ANY (SELECT c FROM numbers)", "plans/unsupported", "ANY", "", "EXISTS"),
    ("SELECT COUNT(*) FROM numbers WHERE flag OR EXISTS (SELECT 1 FROM accounts WHERE customer_key = person)",
     "plans/unsupported", "EXISTS in this place", "", "AND"),
    ("SELECT COUNT(*) FROM numbers WHERE flag OR a IN (SELECT c FROM numbers)", "plans/unsupported",
     "IN (SELECT ...) in this place", "", "AND"),
    ("SELECT SUM(CASE WHEN a IN (SELECT c FROM numbers) THEN 1 END) FROM numbers", "plans/unsupported", "IN (SELECT",
     "",
     "WHERE"),
    ("SELECT COUNT(*) FROM numbers WHERE EXISTS (SELECT 1 FROM accounts)", "plans/unsupported",
     "without an equality", "",
     "EXISTS (SELECT 1"),
    (("SELECT COUNT(*) FROM numbers n WHERE EXISTS (SELECT 1 FROM accounts x WHERE x.customer_key = n.person"
     " AND x.risk_score > n.a)"), "plans/unsupported", "outer query's `a`", "column 122", "equalities"),
    ("SELECT COUNT(*) FROM numbers WHERE person IN (SELECT customer_key FROM accounts x WHERE x.risk_score = a)",
     "plans/unsupported", "outer query's `a`", "", "EXISTS"),
    ("SELECT COUNT(*) FROM numbers WHERE person IN (SELECT * FROM accounts)", "plans/type", "7 columns", "",
     "one column"),
    ("SELECT COUNT(*) FROM numbers WHERE (a, b) IN (SELECT a, b FROM numbers)", "plans/unsupported", "row value", "",
     "EXISTS"),
    ("SELECT COUNT(*) FROM numbers n WHERE EXISTS (SELECT c FROM numbers m WHERE m.a = n.a GROUP BY c)",
     "plans/unsupported", "GROUP BY in this place", "", "subquery in FROM"),
    ("SELECT COUNT(*) FROM numbers n WHERE EXISTS (SELECT 1 FROM numbers m WHERE m.a = n.a LIMIT 1)",
     "plans/unsupported", "LIMIT in this place", "", "subquery in FROM"),
    ("SELECT COUNT(*) FROM numbers n WHERE EXISTS (SELECT a FROM numbers UNION SELECT b FROM numbers)",
     "plans/unsupported", "EXISTS over a set operation", "", "one EXISTS"),
    ("WITH RECURSIVE x AS (SELECT a FROM numbers) SELECT COUNT(*) FROM x", "plans/unsupported", "RECURSIVE", "",
     "write"),
    ("WITH x AS (SELECT a FROM numbers), x AS (SELECT b FROM numbers) SELECT COUNT(*) FROM x", "plans/name", "`x`",
     "column 36", "name each"),
    ("WITH x (a, b, c) AS (SELECT a, b FROM numbers) SELECT COUNT(*) FROM x", "plans/name", "3 names for 2", "", ""),
    ("WITH x AS (SELECT a FROM numbers) SELECT COUNT(*) FROM y", "plans/unknown-table", "`y`", "column 56", ""),
    ("SELECT COUNT(*) FROM (VALUES (1)) AS q", "plans/unsupported", "VALUES", "", "table"),
    (NESTED.format("a, b AS a"), "plans/name", "`a`", "column 30", "name of its own"),
    (NESTED.format("n.a"), "plans/unknown-table", "`n`", "column 30", ""),
    (NESTED.format("n.*"), "plans/unknown-table", "`n`", "column 30", "numbers"),
    (NESTED.format("DISTINCT note"), "plans/text-shared", "`note`", "column 39", "key"),
    (NESTED.format("SUM(x)"), "plans/unknown-column", "`x`", "column 34", ""),
    (NESTED.format("country, SUM(a)"), "plans/not-grouped", "`country`", "column 30", "GROUP BY"),
    # sets
    ("SELECT a FROM numbers UNION ALL SELECT b FROM numbers", "plans/rows", "UNION ALL", "column 8", "UNION"),
    ("SELECT COUNT(*) FROM (SELECT a FROM numbers EXCEPT ALL SELECT b FROM numbers) q", "plans/unsupported",
     "EXCEPT ALL", "", "distinct"),
    ("SELECT a, b FROM numbers UNION SELECT a FROM numbers", "plans/type", "2 and 1 columns", "", "same columns"),
    ("SELECT a FROM numbers UNION SELECT country FROM numbers", "plans/type", "int and enum country", "", "one type"),
    ("SELECT note FROM numbers INTERSECT SELECT note FROM numbers", "plans/text-shared", "`note`", "", "key"),
    ("SELECT a FROM numbers UNION SELECT b FROM numbers ORDER BY c", "plans/unknown-column", "`c`", "column 60", "`a`"),
    ("SELECT a FROM numbers INTERSECT SELECT b FROM numbers LIMIT 0", "plans/type", "LIMIT", "", "LIMIT 10"),
    # windows
    ("SELECT country, RANK() OVER (ORDER BY SUM(a)) FROM numbers GROUP BY country", "plans/unsupported",
     "window function in the outermost query", "", "nested query"),
    ("SELECT COUNT(*) FROM numbers WHERE RANK() OVER (ORDER BY a) < 3", "plans/unsupported", "window", "", "nested"),
    (NESTED.format("RANK() OVER () AS r"), "plans/unsupported", "RANK without ORDER BY", "", "order by"),
    (NESTED.format("AVG(a) OVER (PARTITION BY c) AS r"), "plans/unsupported", "AVG(a)", "column 30", "ROW_NUMBER"),
    (NESTED.format("LAG(a) OVER (ORDER BY c) AS r"), "plans/unsupported", "LAG", "", "ROW_NUMBER"),
    (NESTED.format("SUM(a) OVER w AS r") + " ", "plans/unsupported", "named window", "", "after OVER"),
    (NESTED.format("SUM(a) OVER (ORDER BY c ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS r"), "plans/unsupported",
     "frame", "", "UNBOUNDED PRECEDING"),
    (NESTED.format("SUM(a) OVER (ROWS UNBOUNDED PRECEDING) AS r"), "plans/unsupported", "frame", "", "needs ORDER BY"),
    (NESTED.format("SUM(flag) OVER (ORDER BY c) AS r"), "plans/type", "SUM of bool", "", ""),
    (NESTED.format("RANK() OVER (ORDER BY country) AS r"), "plans/type", "enum country", "column 52", "CASE"),
    (NESTED.format("RANK() OVER (ORDER BY note) AS r"), "plans/text-shared", "ordered", "", "key"),
    (NESTED.format("RANK() OVER (PARTITION BY note ORDER BY a) AS r"), "plans/text-shared", "partitioned", "", "key"),
    (NESTED.format("SUM(a) OVER (PARTITION BY 1) AS r"), "plans/unsupported", "PARTITION BY a constant", "", "leave"),
    ("SELECT COUNT(*) FROM (SELECT COUNT(*) AS n FROM numbers GROUP BY c HAVING RANK() OVER (ORDER BY c) > 1) q",
     "plans/unsupported", "window function in this place", "", "nested query"),
    # order and limit
    (ROWS.format("LIMIT 1.5"), "plans/type", "LIMIT", "", "LIMIT 10"),
    (ROWS.format("LIMIT 5 OFFSET 2"), "plans/unsupported", "OFFSET", "", "LIMIT"),
    (ROWS.format("FETCH FIRST 3 ROWS ONLY"), "plans/unsupported", "FETCH FIRST", "", "LIMIT"),
    (ROWS.format("ORDER BY 3 LIMIT 1"), "plans/unknown-column", "number 3", "column 57", "1 to 2"),
    (ROWS.format("ORDER BY country LIMIT 1"), "plans/type", "enum country", "column 57", "CASE"),
    ("SELECT COUNT(*) FROM (SELECT DISTINCT a FROM numbers ORDER BY b LIMIT 1) q", "plans/unsupported",
     "ordering distinct rows", "column 63", "select it"),
    # aggregates
    ("SELECT MEDIAN(country) FROM numbers", "plans/type", "MEDIAN of enum", "column 8", "int or decimal"),
    ("SELECT MIN(country) FROM numbers", "plans/type", "MIN of enum", "column 8", ""),
    ("SELECT MAX(flag) FROM numbers", "plans/type", "MAX of bool", "column 8", "CASE WHEN"),
    ("SELECT STDDEV(day) FROM numbers", "plans/type", "STDDEV of date", "column 8", ""),
    ("SELECT PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY a) FROM numbers", "plans/unsupported", "PERCENTILE_CONT",
     "column 8", "PERCENTILE_DISC"),
    ("SELECT PERCENTILE_DISC(1.5) WITHIN GROUP (ORDER BY a) FROM numbers", "plans/type", "from 0 to 1", "", "0.25"),
    ("SELECT PERCENTILE_DISC(b) WITHIN GROUP (ORDER BY a) FROM numbers", "plans/type", "from 0 to 1", "", "0.25"),
    ("SELECT PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY a DESC) FROM numbers", "plans/unsupported", "DESC", "",
     "ascending"),
    ("SELECT PERCENTILE_DISC(0.5) FROM numbers", "plans/unsupported", "aggregate in this place", "", "HAVING"),
    ("SELECT MODE() WITHIN GROUP (ORDER BY a) FROM numbers", "plans/unsupported", "WITHIN GROUP", "",
     "PERCENTILE_DISC"),
    ("SELECT COUNT() FROM numbers", "plans/unsupported", "COUNT of nothing", "", "COUNT(*)"),
    ("SELECT COUNT(DISTINCT a, b) FROM numbers", "plans/unsupported", "several columns", "column 23", "DISTINCT"),
    ("SELECT COUNT(DISTINCT note) FROM numbers", "plans/text-shared", "text", "column 23", "key"),
    ("SELECT MAX(DISTINCT a) FROM numbers", "plans/unsupported", "MAX(DISTINCT", "column 8", "group by"),
    ("SELECT ARRAY_AGG(a) FROM numbers", "plans/unsupported", "aggregate in this place", "", ""),
    # units
    ("SELECT COUNT(*) FROM (SELECT customer_key, SUM(amount_minor) AS s FROM deposits GROUP BY customer_key) q",
     "plans/units", "`currency` is not selected", "column 44", "select currency"),
    ("SELECT COUNT(*) FROM deposits x JOIN deposits y ON x.amount_minor = y.amount_minor", "plans/units", "units",
     "column 52", "units too"),
    ("SELECT SUM(x.amount_minor + y.amount_minor) FROM deposits x JOIN deposits y ON x.customer_key = y.customer_key",
     "plans/units", "meet", "column 12", "apart"),
    ("SELECT COUNT(*) FROM (SELECT currency, SUM(amount_minor) OVER (PARTITION BY country) AS s FROM deposits) q",
     "plans/units", "running sum", "column 40", "PARTITION BY currency"),
    (("SELECT COUNT(*) FROM (SELECT currency, amount_minor FROM deposits UNION ALL SELECT currency, c FROM numbers"
     " JOIN deposits ON customer_key = person) q"), "plans/units", "on one side", "", "each side"),
    # too much
    ("WITH a1 AS (SELECT a FROM numbers), " + ", ".join(
        f"a{n} AS (SELECT x.a FROM a{n - 1} x JOIN a{n - 1} y ON x.a = y.a)" for n in range(2, 40)
    ) + " SELECT COUNT(*) FROM a39", "plans/too-deep", "32 tables", "line 1", "several queries"),
    (" UNION ".join(["SELECT a FROM numbers"] * 40), "plans/too-deep", "32 tables", "line 1", "several queries"),
)  # fmt: skip


@pytest.mark.parametrize(("sql", "code", "named", "place", "remedy"), REFUSED, ids=[row[0][:70] for row in REFUSED])
def test_a_construct_is_refused_by_name_place_and_alternative(
    sql: str, code: str, named: str, place: str, remedy: str
) -> None:
    with pytest.raises(RequestError) as refusal:
        bind(sql, CATALOGUE, AS_OF)
    error = refusal.value
    assert error.code == code
    assert named.lower() in error.message.lower()
    assert place in error.place
    assert error.place.startswith("line 1, column "), error.place
    assert remedy in error.remedy
    assert error.remedy


TOKEN = re.compile(r"'[^']*'|\"[^\"]*\"|[A-Za-z_][A-Za-z_0-9]*|\d+(?:\.\d+)?|<>|<=|>=|::|\S")
TEXTS = [*QUERIES, *(row[0] for row in REFUSED if len(row[0]) < 300)]
TOKENS = sorted({token for text in TEXTS for token in TOKEN.findall(text)})


@settings(derandomize=True, deadline=None, max_examples=400)
@given(st.integers(0, 2**32))
def test_a_text_of_changed_words_is_bound_or_refused_and_nothing_else(seed: int) -> None:
    draw = random.Random(seed)
    words = TOKEN.findall(draw.choice(TEXTS))
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(words) + 1)
        match draw.randrange(4):
            case 0:
                del words[place : place + draw.randint(1, 3)]
            case 1:
                words.insert(place, draw.choice(TOKENS))
            case 2:
                words[place : place + 1] = [draw.choice(TOKENS)]
            case _:
                other = TOKEN.findall(draw.choice(TEXTS))
                start = draw.randrange(len(other))
                words[place:place] = other[start : start + draw.randint(1, 12)]
    try:
        refusal = None
        assert bind(" ".join(words), CATALOGUE, AS_OF).outputs
    except RequestError as error:
        refusal = error
    assert refusal is None or (refusal.message and refusal.remedy)


def test_equal_texts_give_equal_trees_and_names_depend_on_the_text_alone() -> None:
    for seed in range(30):
        sql = relation_query(random.Random(seed))
        assert bind(sql, CATALOGUE, AS_OF) == bind(sql, CATALOGUE, AS_OF)
