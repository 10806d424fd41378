"""Queries over several relations, from registered files to the decoded result, against what their words mean.

The oracle is ``naive_relations`` (which agrees with sqlite) for the rows, and for contributors the plan run step by
step over rows that know whose data they hold.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from consortia.errors import ConsortiaError, RequestError
from consortia.plans.obligations import Obligations
from consortia.plans.sql import bind
from tests import naive_plan
from tests.fixtures_catalogue import AS_OF
from tests.naive_relations import ManyToMany, World, answer
from tests.pooled_relations import Pool, Row
from tests.small_tables import SMALL, random_data, random_query, unit_query


def canonical(rows: Sequence[Row]) -> Counter:
    return Counter(tuple(sorted(row.items())) for row in rows)


def outcome(folder: Path, seed: int, *, shared: bool) -> str:
    """How one random query ended: refused, or as it must."""
    sql, data = random_query(seed), random_data(seed)
    pool = Pool(folder / f"{seed}", data, SMALL)
    try:
        plan = pool.plan(sql)
    except RequestError:
        return "refused"
    try:
        wanted = answer(bind(sql, SMALL, AS_OF), World(data, SMALL, strict=True))
    except ManyToMany:
        with pytest.raises(ConsortiaError, match=r"relational/many-to-many|local/duplicate-keys"):
            pool.answers(plan, shared=shared)
        return "many-to-many"
    answers = pool.answers(plan, shared=shared)
    rows = [row for own in answers.values() for row in own]
    if len(answers) > 1:  # every member receives the groups that hold data of its own
        rows = [dict(row) for row in canonical(rows)]
    assert canonical(rows) == canonical(wanted), sql
    return "answered" if rows else "empty"


@pytest.mark.parametrize(("seeds", "shared"), [(range(1018, 1036), False), (range(1000, 1007), True)])
def test_random_queries_are_answered_as_they_mean(seeds: range, *, shared: bool, tmp_path: Path) -> None:
    counted = Counter(outcome(tmp_path, seed, shared=shared) for seed in seeds)
    assert counted["answered"] > len(seeds) // 4


@pytest.mark.parametrize("shared", [False, True])
def test_contributors_are_counted_over_rows_that_hold_nothing_of_the_recipient(*, shared: bool, tmp_path: Path) -> None:
    released = 0
    for seed in range(3) if shared else range(3, 13):
        sql, data = unit_query(seed), random_data(seed, full=True)
        pool = Pool(tmp_path / f"{seed}", data, SMALL)
        rules = Obligations(entity="k", minimum_entities=1 + seed % 3, minimum_members=1 + seed % 2)
        plan = pool.plan(sql, rules)
        wanted = naive_plan.run(plan, data)
        found = pool.answers(plan, shared=shared)
        assert {name: canonical(rows) for name, rows in found.items()} == {
            name: canonical(rows) for name, rows in wanted.items()
        }, sql
        released += sum(map(len, found.values()))
    assert released


def sale(who: str, shop: int | None, paid: int, pieces: int, land: int = 0, day: int = 19_000) -> Row:
    return {"who": who, "shop": shop, "paid": paid, "pieces": pieces, "land": land, "day": day}


def place(shop: int, size: int | None, land: int = 0) -> Row:
    return {"shop": shop, "land": land, "size": size, "open": 1}


SALES = {
    "bank-a": [sale("1", 1, 1050, 3), sale("2", 2, -705, 7, 1), sale("2", 2, 99_999, -9, 1)],
    "bank-b": [sale("1", 2, 55, 40, 1, 19_002), sale("3", 3, 45, 0, 2, 19_002), sale("4", None, 1, 1)],
    "bank-c": [sale("4", 3, 0, 11, 2, 19_003), sale("5", 1, 250, 40, 0, 19_001)],
}
SHOPS = {"bank-b": [place(1, 10), place(2, 3, 1), place(3, None, 2), place(4, 7)]}
PEOPLE = {
    "bank-a": [{"who": "1", "born": 1990, "risk": 250}, {"who": "2", "born": 2001, "risk": None}],
    "bank-c": [{"who": "4", "born": None, "risk": 10_000}, {"who": None, "born": 1999, "risk": 1}],
}
QUERIES = {
    "a product of columns of two tables": "SELECT h.land, SUM(s.pieces * h.size) AS m, MAX(s.pieces + h.size) AS x "
    "FROM sales s LEFT JOIN shops h ON s.shop = h.shop GROUP BY h.land",
    "a choice and a quotient over two tables": "SELECT s.shop, SUM(CASE WHEN s.pieces > h.size THEN s.paid / h.size "
    "WHEN h.size IS NULL THEN 1 ELSE GREATEST(s.paid, 3) END) AS c, SUM(s.pieces / h.size) AS i, "
    "SUM(ROUND(s.paid * h.size, 1)) AS r, SUM(s.pieces % h.size) AS m "
    "FROM sales s JOIN shops h ON s.shop = h.shop GROUP BY s.shop",
    "a group of a join of groups": "WITH t AS (SELECT who, shop, SUM(pieces) AS n FROM sales GROUP BY who, shop) "
    "SELECT p.born, h.size, SUM(t.n) AS n, COUNT(*) AS c FROM t JOIN shops h ON t.shop = h.shop "
    "LEFT JOIN (SELECT who, MAX(born) AS born FROM people GROUP BY who) p ON p.who = t.who GROUP BY p.born, h.size",
    "the first of each group": "SELECT land, SUM(paid) AS t FROM (SELECT land, paid, "
    "ROW_NUMBER() OVER (PARTITION BY shop ORDER BY pieces DESC, paid, day, who) AS n FROM sales) w "
    "WHERE n = 1 GROUP BY land",
    "a share of a total": "SELECT shop, SUM(pieces) AS n, MAX(total) AS t FROM (SELECT shop, pieces, "
    "SUM(pieces) OVER () AS total FROM sales) w GROUP BY shop",
    "a condition on a moving sum": "SELECT COUNT(*) AS n FROM (SELECT SUM(pieces) OVER (ORDER BY day) AS s "
    "FROM sales) w WHERE s > 20",
    "the greatest groups": "SELECT shop, SUM(pieces) AS n FROM sales GROUP BY shop ORDER BY n DESC, shop LIMIT 2",
    "NOT IN with NULL": "SELECT COUNT(*) AS n FROM sales WHERE who NOT IN (SELECT who FROM people)",
    "NOT IN without NULL": "SELECT COUNT(*) AS n FROM sales WHERE who NOT IN "
    "(SELECT who FROM people WHERE who IS NOT NULL)",
    "except and intersect": "SELECT shop FROM shops EXCEPT SELECT shop FROM sales",
    "moments of groups": "SELECT land, VARIANCE(pieces) AS v, STDDEV_POP(paid) AS d, MEDIAN(paid) AS m "
    "FROM sales GROUP BY land",
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_is_answered_on_shares_as_it_means(name: str, tmp_path: Path) -> None:
    data = {"sales": SALES, "shops": SHOPS, "people": PEOPLE}
    pool = Pool(tmp_path / "pool", data)
    wanted = answer(bind(QUERIES[name], pool.catalogue, AS_OF), World(data, pool.catalogue, strict=True))
    found = pool.ask(QUERIES[name])
    assert found == wanted
    assert found


def test_functions_of_two_tables_are_off_by_little(tmp_path: Path) -> None:
    sql = (
        "SELECT s.shop, SUM(SQRT(ABS(s.pieces * h.size))) AS r, SUM(LN(s.pieces + h.size)) AS l, "
        "SUM(EXP((s.pieces - h.size) / 40.0)) AS e, SUM(SIGMOID(s.pieces - h.size)) AS g, "
        "SUM(POWER(h.size + s.pieces, 2)) AS p FROM sales s JOIN shops h ON s.shop = h.shop GROUP BY s.shop"
    )
    data = {"sales": SALES, "shops": SHOPS}
    pool = Pool(tmp_path / "pool", data)
    wanted = answer(bind(sql, pool.catalogue, AS_OF), World(data, pool.catalogue, strict=True))
    for row, exact in zip(pool.ask(sql), wanted, strict=True):
        for name, units in {"r": 10, "l": 10, "e": 10, "g": 1200, "p": 0}.items():
            assert (row[name] is None) == (exact[name] is None)
            assert row[name] is None or abs(row[name] - exact[name]) <= units, name


def test_the_least_of_a_number_and_a_constant_is_as_small_as_the_constant(tmp_path: Path) -> None:
    """So that what is made of it fits, however large the number can be."""
    sql = (
        "SELECT q.land, SUM(EXP(LEAST(q.n, 3))) AS e, SUM(GREATEST(q.n, 2)) AS g FROM"
        " (SELECT land, shop, SUM(pieces) * 1000000 AS n FROM sales GROUP BY land, shop) AS q GROUP BY q.land"
    )
    data = {"sales": SALES}
    pool = Pool(tmp_path / "pool", data)
    wanted = answer(bind(sql, pool.catalogue, AS_OF), World(data, pool.catalogue, strict=True))
    found = pool.ask(sql)
    assert [row["g"] for row in found] == [row["g"] for row in wanted]
    assert all(abs(row["e"] - exact["e"]) <= 20 for row, exact in zip(found, wanted, strict=True))
