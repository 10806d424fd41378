"""Inputs of which other engines gave a wrong answer or an error: joins, set operations, NOT IN, running sums.

Through SQL over three banks: D1, D2, D3, D11 and the running sum of N10.
"""

from pathlib import Path

import pytest

from consortia.errors import RequestError
from consortia.plans.catalogue import Catalogue, CatalogueTable, KeyDomain
from consortia.plans.types import ColumnType
from tests.fixtures_catalogue import BOOL, CUSTOMER, INT, column, table
from tests.pooled_relations import Pool, Row

NUMBERS = KeyDomain(name="customer", id_type="number", key_id="aa")
Tables = dict[str, dict[str, list[Row]]]


def pool(folder: Path, *tables: CatalogueTable, data: Tables) -> Pool:
    catalogue = Catalogue(
        consortium="testers", version=1, previous="0" * 64, purposes=("aml-detection",), key_domains=(NUMBERS,),
        tables=tables,
    )  # fmt: skip
    return Pool(folder, data, catalogue)


def people(name: str) -> CatalogueTable:
    return table(
        name,
        column("id", CUSTOMER, max_distinct=20),
        column("birth_year", INT, 1900, 2026, nullable=True),
        column("x", INT, 0, 100),
        max_rows=8,
    )


def person(id_: int, birth_year: int | None, x: int = 1) -> Row:
    return {"id": str(id_), "birth_year": birth_year, "x": x}


# --- D1: NULL in a join key -------------------------------------------------------------------------------------------

LEFT = {
    "bank-a": [person(1, 1980, 10), person(2, None, 20), person(3, 1990, 30)],
    "bank-b": [person(4, None, 40), person(5, 2000, 50)],
    "bank-c": [person(6, 1970, 60)],
}
RIGHT = {
    "bank-a": [person(5, 2000, 5)],
    "bank-b": [person(1, 1980, 1), person(2, None, 2), person(4, None, 4)],
    "bank-c": [person(3, None, 3), person(6, 1971, 6)],
}
KEYS = "b.id = a.id AND b.birth_year = a.birth_year"


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        (f"SELECT COUNT(*) AS n, SUM(a.x) AS s, SUM(b.x) AS t FROM a JOIN b ON {KEYS}", (2, 60, 6)),
        (f"SELECT COUNT(*) AS n, SUM(a.x) AS s, SUM(b.x) AS t FROM a LEFT JOIN b ON {KEYS}", (6, 210, 6)),
        (f"SELECT COUNT(*) AS n, SUM(a.x) AS s, MAX(a.x) AS t FROM a WHERE EXISTS (SELECT 1 FROM b WHERE {KEYS})",
         (2, 60, 50)),
        (f"SELECT COUNT(*) AS n, SUM(a.x) AS s, MAX(a.x) AS t FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE {KEYS})",
         (4, 150, 60)),
    ],
)  # fmt: skip
def test_d1_rows_with_a_null_in_one_of_two_keys_match_nothing_and_are_no_error(
    tmp_path: Path, sql: str, wanted: tuple[int, int, int]
) -> None:
    asked = pool(tmp_path, people("a"), people("b"), data={"a": LEFT, "b": RIGHT})
    assert asked.ask(sql) == [dict(zip("nst", wanted, strict=True))]


# --- D2: nothing in common --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("right", [{"bank-c": [person(77, 1980)]}, {}], ids=["disjoint", "empty"])
def test_d2_a_join_of_nothing_counts_0_and_sums_to_null(tmp_path: Path, right: dict[str, list[Row]]) -> None:
    asked = pool(tmp_path, people("a"), people("b"), data={"a": LEFT, "b": right})
    found = asked.ask("SELECT COUNT(*) AS n, SUM(b.x) AS s FROM a JOIN b ON b.id = a.id")
    assert found == [{"n": 0, "s": None}]
    assert asked.ask("SELECT a.x, COUNT(*) AS n FROM a JOIN b ON b.id = a.id GROUP BY a.x") == []


# --- D3: a key that stands twice here and three times there -----------------------------------------------------------


def marks(name: str) -> CatalogueTable:
    return table(name, column("word", INT, 0, 9), max_rows=4)


TWICE = {"bank-a": [{"word": 1}], "bank-b": [{"word": 1}, {"word": 2}]}
THRICE = {"bank-a": [{"word": 1}, {"word": 1}], "bank-c": [{"word": 1}, {"word": 3}]}


def test_d3_a_join_of_many_to_many_is_refused_and_the_hint_is_to_group(tmp_path: Path) -> None:
    asked = pool(tmp_path, marks("a"), marks("b"), data={"a": TWICE, "b": THRICE})
    with pytest.raises(RequestError) as caught:
        asked.ask("SELECT COUNT(*) AS n FROM a JOIN b ON b.word = a.word")
    assert caught.value.code == "relational/many-to-many"
    assert "group" in caught.value.remedy
    grouped = "(SELECT word, COUNT(*) AS times FROM b GROUP BY word) AS b"
    assert asked.ask(f"SELECT SUM(b.times) AS n FROM a JOIN {grouped} ON b.word = a.word") == [{"n": 6}]


def test_d3_an_intersection_is_a_set(tmp_path: Path) -> None:
    asked = pool(tmp_path, marks("a"), marks("b"), data={"a": TWICE, "b": THRICE})
    assert asked.ask("SELECT word FROM a INTERSECT SELECT word FROM b") == [{"word": 1}]
    assert asked.ask("SELECT word FROM a EXCEPT SELECT word FROM b") == [{"word": 2}]
    inside = "SELECT word FROM a INTERSECT SELECT word FROM b"
    assert asked.ask(f"SELECT COUNT(*) AS n FROM ({inside}) AS x") == [{"n": 1}]


# --- D11: NOT IN with a NULL ------------------------------------------------------------------------------------------

X = {"bank-a": [{"v": 1}, {"v": 2}], "bank-b": [{"v": 3}], "bank-c": [{"v": 4}]}
Z = {"bank-a": [{"v": 3}], "bank-c": [{"v": 2}]}


def numbers(name: str, *, nullable: bool = True) -> CatalogueTable:
    return table(name, column("v", INT, 0, 9, nullable=nullable), max_rows=4)


@pytest.mark.parametrize(
    ("y", "left"), [([{"v": 1}, {"v": None}], []), ([{"v": 1}], [4]), ([], [1, 4])], ids=["null", "one", "none"]
)
def test_d11_not_in_keeps_no_row_where_the_list_holds_a_null(tmp_path: Path, y: list[Row], left: list[int]) -> None:
    asked = pool(tmp_path, *(numbers(name) for name in "xyz"), data={"x": X, "y": {"bank-b": y}, "z": Z})
    listed = "SELECT v FROM y UNION ALL SELECT v FROM z"
    found = asked.ask(f"SELECT v FROM x WHERE v NOT IN ({listed}) GROUP BY v ORDER BY v")
    assert [row["v"] for row in found] == left
    assert asked.ask(f"SELECT COUNT(*) AS n FROM x WHERE v NOT IN ({listed})") == [{"n": len(left)}]


def test_d11_not_flag_keeps_the_false_row_alone_behind_a_join(tmp_path: Path) -> None:
    flags = table("f", column("v", INT, 0, 9), column("flag", BOOL, nullable=True), max_rows=4)
    rows = {"bank-a": [{"v": 1, "flag": 1}, {"v": 2, "flag": 0}], "bank-b": [{"v": 3, "flag": None}]}
    asked = pool(tmp_path, numbers("x"), flags, data={"x": X, "f": rows})
    sql = "SELECT x.v FROM x LEFT JOIN f ON f.v = x.v WHERE NOT f.flag GROUP BY x.v"
    assert asked.ask(sql) == [{"v": 2}]


# --- N10: a running sum -----------------------------------------------------------------------------------------------


def wide(top: int) -> CatalogueTable:
    decimal = ColumnType(kind="decimal")
    return table("w", column("place", INT, 1, 2), column("a", decimal, -top, top), max_rows=2)


RUNNING = (
    "SELECT place, total FROM (SELECT place, SUM(a) OVER (ORDER BY place) AS total FROM w) AS x"
    " GROUP BY place, total ORDER BY place"
)


def test_n10_a_running_sum_over_38_nines_is_refused_as_every_other_form_is(tmp_path: Path) -> None:
    top = 10**38 - 1
    asked = pool(tmp_path, wide(top), data={"w": {"bank-a": [{"place": 1, "a": top}]}})
    for sql in (RUNNING, "SELECT SUM(a) AS y FROM w", "SELECT AVG(a) AS y FROM w"):
        with pytest.raises(RequestError) as caught:
            asked.plan(sql)
        assert caught.value.code == "plans/capacity"


def test_n10_a_running_sum_beyond_the_ring_of_shares_is_refused_and_does_not_wrap(tmp_path: Path) -> None:
    top = 10**19 - 1
    asked = pool(tmp_path, wide(top), data={"w": {"bank-a": [{"place": 1, "a": top}]}})
    with pytest.raises(RequestError) as caught:
        asked.plan(RUNNING)
    assert caught.value.code in ("plans/capacity", "plans/wide-comparison")


def test_n10_a_running_sum_that_fits_is_exact(tmp_path: Path) -> None:
    top = 10**17 - 1
    rows = {"bank-a": [{"place": 1, "a": top}], "bank-b": [{"place": 2, "a": top}]}
    asked = pool(tmp_path, wide(top), data={"w": rows})
    assert asked.ask(RUNNING) == [{"place": 1, "total": top}, {"place": 2, "total": 2 * top}]
    assert asked.ask("SELECT SUM(a) AS y FROM w") == [{"y": 2 * top}]
