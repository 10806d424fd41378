"""What a query can't hold is refused with a stable code, the construct, its place and what to write instead."""

import pytest

from consortia.errors import RequestError
from consortia.plans.build import build_plan
from consortia.plans.catalogue import Catalogue, KeyDomain
from consortia.plans.sql import bind, bind_predicate, parse
from tests.fixtures_catalogue import AS_OF, CATALOGUE, NUMBERS, environment, table

GROUPED = "SELECT country, {} FROM numbers GROUP BY country"

REFUSED = (
    # construct, code, what the text names, the place
    ("SELECT COUNT(*) FROM numbers OFFSET 5", "plans/unsupported", "OFFSET", "line 1"),
    ("SELECT COUNT(*) FROM numbers, accounts", "plans/unsupported", "comma", "line 1, column 31"),
    ("SELECT COUNT(*) FROM numbers WHERE EXISTS (SELECT 1)", "plans/syntax", "FROM", "line 1, column 51"),
    ("WITH x AS (SELECT 1) SELECT COUNT(*) FROM numbers", "plans/syntax", "FROM", "line 1"),
    ("SELECT SUM(a) OVER (PARTITION BY b) FROM numbers", "plans/unsupported", "window function", "line 1"),
    (GROUPED.format("RANK() OVER (ORDER BY a)"), "plans/unsupported", "window function", "line 1"),
    (GROUPED.format("SUM(a) FILTER (WHERE b > 1)"), "plans/unsupported", "FILTER", "line 1"),
    (GROUPED.format("SUM(DISTINCT a)"), "plans/unsupported", "SUM(DISTINCT", "line 1"),
    (GROUPED.format("COUNT(DISTINCT a, b)"), "plans/unsupported", "COUNT(DISTINCT", "line 1"),
    (GROUPED.format("median_of(a)"), "plans/unsupported", "median_of", "line 1"),
    (GROUPED.format("SUM(LOG(a))"), "plans/unsupported", "LOG", "line 1"),
    (GROUPED.format("SUM(SIGN(a))"), "plans/unsupported", "sign", "line 1"),
    (GROUPED.format("SUM(ROUND(a, b))"), "plans/type", "ROUND", "line 1"),
    (GROUPED.format("SUM(POWER(a, b))"), "plans/type", "POWER", "line 1"),
    (GROUPED.format("SUM(GREATEST(country, 'DE'))"), "plans/type", "GREATEST", "line 1"),
    (GROUPED.format("SUM(SQRT(flag))"), "plans/type", "SQRT of bool", "line 1"),
    (GROUPED.format("SUM(EXP(1000))"), "plans/capacity", "EXP", "line 1"),
    (GROUPED.format("SUM(SUM(a))"), "plans/unsupported", "aggregate in this place", "line 1"),
    (GROUPED.format("member()"), "plans/unsupported", "member()", "line 1, column 17"),
    ("SELECT COUNT(*) FROM numbers WHERE SUM(a) > 1", "plans/unsupported", "aggregate in this place", "line 1"),
    ("SELECT COUNT(*) FROM numbers GROUP BY SUM(a)", "plans/unsupported", "aggregate in GROUP BY", "line 1"),
    ("SELECT COUNT(*) FROM numbers GROUP BY ROLLUP (country)", "plans/unsupported", "ROLLUP", "line 1"),
    ("SELECT COUNT(*) FROM numbers GROUP BY 'x'", "plans/unsupported", "constant", "line 1, column 39"),
    ("SELECT COUNT(*) FROM numbers WHERE note LIKE 'x%'", "plans/unsupported", "LIKE", "line 1"),
    ("SELECT COUNT(*) FROM numbers WHERE a BETWEEN SYMMETRIC 2 AND 1", "plans/unsupported", "SYMMETRIC", "line 1"),
    ("SELECT COUNT(*) FROM numbers WHERE a IS DISTINCT FROM b", "plans/unsupported", "DISTINCT FROM", "line 1"),
    ("SELECT COUNT(*) FROM numbers WHERE day > CURRENT_DATE - INTERVAL '1 day'", "plans/unsupported", "INTERVAL", ""),
    ("SELECT COUNT(*) FROM numbers WHERE CAST(flag AS INT) = 1", "plans/unsupported", "cast from bool", "line 1"),
    ("SELECT COUNT(*) FROM numbers WHERE note::int = 1", "plans/unsupported", "cast from text", "line 1"),
    ("SELECT country FROM numbers GROUP BY country ORDER BY SUM(a)", "plans/unsupported", "ordering", "line 1"),
    ("SELECT country FROM numbers GROUP BY country ORDER BY 1 NULLS FIRST", "plans/unsupported", "NULLS FIRST", ""),
    ("SELECT DISTINCT COUNT(*) FROM numbers GROUP BY country", "plans/unsupported", "DISTINCT over groups", "line 1"),
    ("SELECT DISTINCT ON (country) country FROM numbers", "plans/unsupported", "ON", "line 1"),
    ("SELECT COUNT(*) FROM numbers TABLESAMPLE SYSTEM (10)", "plans/unsupported", "SAMPLE", "line 1"),
    ("SELECT COUNT(*) FROM numbers FOR UPDATE", "plans/unsupported", "FOR UPDATE", ""),
    ("SELECT COUNT(*) FROM numbers; SELECT 1", "plans/unsupported", "second statement", "line 1, column 38"),
    ("DELETE FROM numbers", "plans/unsupported", "DELETE", "line 1"),
    ("SELECT COUNT(*) FROM numbers HAVING AVG(a) > AVG(b)", "plans/unsupported", "AVG in HAVING", "HAVING"),
    ("SELECT COUNT(*) FROM numbers HAVING SUM(a) / 2 > 1", "plans/unsupported", "DIVIDE in HAVING", "HAVING"),
    ("SELECT COUNT(*) FROM numbers HAVING SUM(a) * SUM(b) > 1", "plans/unsupported", "MULTIPLY in HAVING", "HAVING"),
    ("SELECT COUNT(*) FROM numbers HAVING SUM(a) > NULL", "plans/unsupported", "NULL", "HAVING"),
    ("SELECT COUNT(*) FROM numbers HAVING TRUE", "plans/unsupported", "constant condition", "HAVING"),
    (
        "SELECT country FROM numbers GROUP BY country HAVING country = 'DE' OR SUM(a) > 1",
        "plans/unsupported", "group key `country`", "HAVING",
    ),
    ("SELECT a, b FROM numbers", "plans/rows", "rows", "line 1, column 8"),
    ("SELECT * FROM numbers", "plans/unsupported", "`*`", "line 1, column 8"),
    ("SELECT *, COUNT(*) FROM numbers GROUP BY country", "plans/unsupported", "`*`", "line 1, column 8"),
    ("SELECT a, COUNT(*) FROM numbers", "plans/not-grouped", "`a`", "line 1, column 8"),
    ("SELECT country, b FROM numbers GROUP BY country", "plans/not-grouped", "`b`", "line 1, column 17"),
    ("SELECT country FROM numbers GROUP BY country HAVING b > 1", "plans/not-grouped", "`b`", "line 1, column 53"),
    ("SELECT COUNT(*) FROM deposit", "plans/unknown-table", "`deposit`", "line 1, column 22"),
    ('SELECT COUNT(*) FROM "bank-x".deposits', "plans/unknown-table", "`bank-x`", "line 1"),
    ("SELECT COUNT(*) FROM bank_a.deposits", "plans/unknown-table", "`bank_a`", "line 1"),
    ("SELECT COUNT(*)\nFROM deposits\nWHERE  contry = 'DE'", "plans/unknown-column", "`contry`", "line 3, column 8"),
    ("SELECT COUNT(*) FROM deposits d WHERE deposits.country = 'DE'", "plans/unknown-table", "`deposits`", "line 1"),
    ("SELECT country FROM numbers GROUP BY 2", "plans/unknown-column", "number 2", "line 1, column 38"),
    ("SELECT COUNT(*) FROM deposits WHERE country = 'DK'", "plans/unknown-word", "`DK`", "line 1"),
    ("SELECT COUNT(*) FROM numbers WHERE note = 7", "plans/type", "int and text", "line 1, column 36"),
    ("SELECT COUNT(*) FROM numbers WHERE a = '007'", "plans/type", "int and text", "line 1, column 36"),
    ("SELECT COUNT(*) FROM numbers WHERE person = 'X1'", "plans/type", "key customer and text", "line 1"),
    ("SELECT COUNT(*) FROM numbers WHERE person = 7", "plans/type", "key customer", "line 1"),
    ("SELECT COUNT(*) FROM accounts WHERE account_id = customer_key", "plans/type", "domains", "line 1"),
    ("SELECT COUNT(*) FROM numbers WHERE day = '2026-01-01'", "plans/type", "date and text", "line 1"),
    ("SELECT COUNT(*) FROM numbers WHERE ts = day", "plans/type", "timestamp and date", "line 1"),
    ("SELECT COUNT(*) FROM numbers WHERE country > 'DE'", "plans/type", "no order", "line 1"),
    ("SELECT COUNT(*) FROM numbers WHERE flag > TRUE", "plans/type", "no order", "line 1"),
    ("SELECT COUNT(*) FROM numbers WHERE a", "plans/type", "no condition", "line 1, column 36"),
    ("SELECT COUNT(*) FROM numbers WHERE a AND flag", "plans/type", "no condition", "line 1, column 36"),
    ("SELECT SUM(country) FROM numbers", "plans/type", "SUM of enum", "line 1"),
    ("SELECT AVG(flag) FROM numbers", "plans/type", "AVG of bool", "line 1"),
    ("SELECT SUM(country + 1) FROM numbers", "plans/type", "`+` on enum", "line 1"),
    ("SELECT SUM(a + note) FROM numbers", "plans/type", "text", "line 1"),
    ("SELECT SUM(1e3) FROM numbers", "plans/type", "1e3", "line 1"),
    ("SELECT COUNT(*) FROM numbers WHERE day = DATE '2026-02-30'", "plans/type", "2026-02-30", "line 1"),
    ("SELECT COUNT(*) FROM numbers WHERE ts = TIMESTAMP '2026-02-03 25:00:00'", "plans/type", "25:00", "line 1"),
    ("SELECT CAST(SUM(price) AS DECIMAL(10, 1)) FROM numbers", "plans/type", "drops decimals", "line 1"),
    ("SELECT COUNT(*) AS n, 'x' AS label FROM numbers", "plans/type", "text", "line 1"),
    ("SELECT note, COUNT(*) FROM numbers GROUP BY note", "plans/text-shared", "text", "line 1, column 45"),
    ('SELECT COUNT(*) AS "How many" FROM numbers', "plans/name", "How many", "line 1"),
    ("SELECT COUNT(*) AS n, SUM(a) AS n FROM numbers", "plans/name", "`n`", "line 1"),
    ("", "plans/syntax", "no query", ""),
    ("SELECT COUNT(*) FROM", "plans/syntax", "expected table name", "line 1"),
    ("SELECT COUNT(* FROM numbers", "plans/syntax", "not SQL", "line 1, column"),
    ("SELECT COUNT(*) FROM numbers WHERE note = 'x", "plans/syntax", "quotation", "line 1, column 43"),
    ("SELECT 1", "plans/syntax", "FROM", "line 1, column 8"),
    ("SELECT COUNT(*) FROM numbers WHERE " + "(" * 25 + "flag" + ")" * 25, "plans/too-deep", "24", "line 1"),
    ("SELECT SUM(" + "+".join(["a"] * 80) + ") FROM numbers", "plans/too-deep", "64", "line 1"),
    ("SELECT person FROM numbers GROUP BY person", "plans/null-entity", "`person`", "GROUP BY"),
    ("SELECT person, SUM(a) AS s FROM numbers WHERE flag GROUP BY person", "plans/null-entity", "`person`", ""),
    # what can't be proved exact
    ("SELECT SUM(unbounded) FROM numbers", "plans/no-bounds", "`unbounded`", "unbounded"),
    ("SELECT SUM(huge) FROM numbers", "plans/capacity", "`huge`", "huge"),
    ("SELECT AVG(huge) FROM numbers", "plans/capacity", "`huge`", "huge"),
    ("SELECT SUM(huge + huge) FROM numbers", "plans/capacity", "`huge`", "huge"),
    ("SELECT SUM(huge * 2) FROM numbers", "plans/capacity", "`huge`", "huge"),
    ("SELECT COUNT(*) FROM numbers WHERE huge + huge > 1", "plans/capacity", "`huge`", "huge"),
    ("SELECT SUM(big * big) FROM numbers", "plans/capacity", "SUM", "big"),
    # dates that no database holds: it would fail on the rows that lead there, and so tell that there are some
    ("SELECT COUNT(*) FROM numbers WHERE day + 3000000000 > DATE '2026-01-01'", "plans/capacity", "a date", "`day`"),
    (
        "SELECT COUNT(*) FROM numbers WHERE day + CASE WHEN a > 900 THEN 3000000000 ELSE 0 END > DATE '2026-01-01'",
        "plans/capacity", "a date", "`day`",
    ),
    (
        "SELECT COUNT(*) FROM numbers WHERE day - c * 1000000000 < DATE '2026-01-01'",
        "plans/capacity", "a date", "`day`",
    ),
    ("SELECT SUM(big * big * 100) FROM numbers", "plans/capacity", "`*`", "big"),
    # the quotient would fit, the dividend in the units of the quotient does not: an owner's database would fail on it
    ("SELECT SUM(big * big / 1000000000.00) FROM numbers", "plans/capacity", "scaled dividend", "big"),
    ("SELECT COUNT(*) FROM numbers HAVING SUM(big) > 0", "plans/wide-comparison", "SUM", "HAVING"),
    ("SELECT SUM(amount_minor) FROM deposits", "plans/units", "SUM", "currency"),
    ("SELECT COUNT(*) FROM deposits WHERE amount_minor > 5", "plans/units", "comparison `>`", "currency"),
    ("SELECT COUNT(*) FROM deposits WHERE amount_minor IN (5)", "plans/units", "IN", "currency"),
    ("SELECT amount_minor, COUNT(*) FROM deposits GROUP BY amount_minor", "plans/units", "GROUP BY", "currency"),
    (
        "SELECT SUM(amount_minor) FROM deposits WHERE currency IN ('EUR', 'USD')",
        "plans/units", "SUM", "currency",
    ),
    (
        "SELECT SUM(amount_minor) FROM deposits WHERE currency = 'EUR' OR country = 'DE'",
        "plans/units", "SUM", "currency",
    ),
    (
        "SELECT SUM(amount_minor * amount_minor) FROM deposits WHERE currency = 'EUR'",
        "plans/units", "product", "line 1",
    ),
)  # fmt: skip


@pytest.mark.parametrize(("sql", "code", "named", "place"), REFUSED, ids=[f"{c}: {s[:60]}" for s, c, _, _ in REFUSED])
def test_a_query_outside_the_class_is_refused_by_name_place_and_alternative(
    sql: str, code: str, named: str, place: str
) -> None:
    with pytest.raises(RequestError) as refusal:
        build_plan(bind(sql, CATALOGUE, AS_OF), environment())
    error = refusal.value
    assert error.code == code
    assert named.lower() in error.message.lower()
    assert place in error.place
    assert error.remedy


def test_the_nearest_name_is_offered() -> None:
    with pytest.raises(RequestError, match="did you mean `country`"):
        bind("SELECT COUNT(*) FROM deposits WHERE contry = 'DE'", CATALOGUE, AS_OF)
    with pytest.raises(RequestError, match="did you mean `deposits`"):
        bind("SELECT COUNT(*) FROM deposit", CATALOGUE, AS_OF)


def test_comparing_an_amount_with_zero_or_under_one_unit_needs_nothing_more() -> None:
    for sql in (
        "SELECT COUNT(*) FROM deposits WHERE amount_minor > 0",
        "SELECT currency, SUM(amount_minor) AS s FROM deposits GROUP BY currency",
        "SELECT SUM(amount_minor) AS s FROM deposits WHERE country = 'DE' AND currency IN ('EUR')",
        "SELECT SUM(amount_minor) AS s FROM deposits WHERE 'EUR' = currency AND amount_minor < 5",
    ):
        build_plan(bind(sql, CATALOGUE, AS_OF), environment())


def changed(*domains: KeyDomain, rows: int = 1000) -> Catalogue:
    deposits = next(t for t in CATALOGUE.tables if t.name == "accounts").model_copy(update={"max_rows": rows})
    return CATALOGUE.model_copy(update={"key_domains": domains, "tables": (deposits,)})


def test_a_plan_over_two_key_ids_is_refused() -> None:
    catalogue = changed(
        KeyDomain(name="account", id_type="iban", key_id="aa"), KeyDomain(name="customer", id_type="id", key_id="bb")
    )
    query = bind("SELECT account_id FROM accounts WHERE customer_key IS NOT NULL GROUP BY account_id", catalogue, AS_OF)
    with pytest.raises(RequestError, match="`account` and `customer`") as refusal:
        build_plan(query, environment(catalogue))
    assert refusal.value.code == "plans/key-ids"


def test_so_many_rows_that_keys_could_collide_are_refused_and_one_fewer_is_not() -> None:
    # 96 bits allow rows^2 <= 2^57: 379,625,062 rows over three members
    domains = (
        KeyDomain(name="account", id_type="iban", key_id="aa"),
        KeyDomain(name="customer", id_type="id", key_id="aa"),
    )
    sql = "SELECT customer_key FROM accounts GROUP BY customer_key"
    fits, too_many = changed(*domains, rows=126_541_687), changed(*domains, rows=126_541_688)
    build_plan(bind(sql, fits, AS_OF), environment(fits))
    with pytest.raises(RequestError, match="96 bits") as refusal:
        build_plan(bind(sql, too_many, AS_OF), environment(too_many))
    assert refusal.value.code == "plans/key-collisions"


def test_an_unknown_purpose_and_a_stranger_are_refused() -> None:
    query = bind("SELECT COUNT(*) FROM numbers", CATALOGUE, AS_OF)
    with pytest.raises(RequestError, match="did you mean `aml-detection`") as refusal:
        build_plan(query, environment(purpose="aml-detectoin"))
    assert refusal.value.code == "plans/unknown-purpose"
    with pytest.raises(RequestError) as refusal:
        build_plan(query, environment(submitter="eve@bank-x"))
    assert refusal.value.code == "plans/submitter"


def test_faults_in_a_predicate_are_placed_in_its_own_text() -> None:
    with pytest.raises(RequestError) as refusal:
        bind_predicate("c > 1 AND contry = 'DE'", NUMBERS, CATALOGUE, AS_OF, what="the row scope")
    assert refusal.value.place == "the row scope of `numbers`, line 1, column 11"
    for wrong in ("c > 1 GROUP BY c", "c > 1; SELECT 1", "c", "SUM(c) > 1", "c IN (SELECT 1)"):
        with pytest.raises(RequestError):
            bind_predicate(wrong, NUMBERS, CATALOGUE, AS_OF)


def test_a_key_of_an_undeclared_domain_is_a_fault_of_the_catalogue() -> None:
    catalogue = CATALOGUE.model_copy(update={"key_domains": (), "tables": (table("t", *NUMBERS.columns),)})
    with pytest.raises(RequestError) as refusal:
        bind("SELECT COUNT(*) FROM t", catalogue, AS_OF)
    assert refusal.value.code == "plans/catalogue"


def test_a_text_of_any_length_is_answered() -> None:
    with pytest.raises(RequestError) as refusal:
        parse("SELECT " + "x" * 70_000)
    assert refusal.value.code == "plans/syntax"
    with pytest.raises(RequestError) as refusal:
        parse("SELECT " + "(" * 20_000)
    assert refusal.value.code == "plans/too-deep"
    nested = "CASE WHEN flag THEN 1 ELSE " * 24 + "0" + " END" * 24
    bind(f"SELECT COUNT(*) FROM numbers WHERE {nested} = 1", CATALOGUE, AS_OF)
    many = " AND ".join(["c > 1"] * 2000)
    build_plan(bind(f"SELECT COUNT(*) FROM numbers WHERE {many}", CATALOGUE, AS_OF), environment())
