"""Joins with one unique side equal sqlite's on random tables, on every engine, and tell nothing by their traffic."""

import random

import pytest

from consortia.errors import InternalError, RequestError
from consortia.protocols.clear.engine import ClearEngine
from consortia.protocols.relational.join import DUPLICATES, Join, join
from tests.relations_world import (
    Col,
    Given,
    answers,
    declared,
    drawn,
    on_clear,
    on_ring3,
    openings,
    same_rows,
    shared,
    trace,
    valid_rows,
)
from tests.sqlite_oracle import queried
from tests.world import World

PROBE = (
    Col("id", 0, 9, nullable=True),
    Col("year", 0, 3, nullable=True),
    Col("amount", -50, 50, nullable=True, domain="arithmetic"),
    Col("total", -(2**62), 2**62, domain="wide"),
)
UNIQUE = (
    Col("key", 0, 30, nullable=True),
    Col("born", 0, 3, nullable=True),
    Col("code", 5, 300, nullable=True),
    Col("score", -9, 9, domain="arithmetic"),
    Col("limit", -(2**62), 2**62, nullable=True, domain="wide"),
)
ON = (("id", "key"), ("year", "born"))
TAKE = {"code": "code", "score": "score", "their_limit": "limit"}
SQL_ON = "p.id = u.key AND p.year = u.born"
TAKEN = 'u.code AS code, u.score AS score, u."limit" AS their_limit'
SQL = {
    "inner": f"SELECT p.*, {TAKEN} FROM p JOIN u ON {SQL_ON}",
    "left": f"SELECT p.*, {TAKEN} FROM p LEFT JOIN u ON {SQL_ON}",
    "semi": f"SELECT p.* FROM p WHERE EXISTS (SELECT 1 FROM u WHERE {SQL_ON})",
    "anti": f"SELECT p.* FROM p WHERE NOT EXISTS (SELECT 1 FROM u WHERE {SQL_ON})",
}


def spec(kind, **more):
    return Join(kind, ON, TAKE if kind in ("inner", "left") else {}, **more)


def program(join_spec):
    return lambda engine, probe, unique: join(engine, probe, unique, join_spec)


def quoted(given):
    """The table for sqlite: ``limit`` is a word of SQL."""
    return Given(
        tuple(Col(f'"{c.name}"' if c.name == "limit" else c.name, c.lo, c.hi, c.nullable) for c in given.columns),
        [None if row is None else {(f'"{n}"' if n == "limit" else n): v for n, v in row.items()} for row in given.rows],
    )


def asked(sql, probe, unique):
    return queried(sql, {"p": probe, "u": quoted(unique)})


def tables(probe_rows, unique_rows, seed, *, unique=True):
    """Random tables; rows of the second that repeat a known key are dropped, unless duplicates are wanted."""
    rows, seen = [], set()
    for row in drawn(UNIQUE, unique_rows, seed, values=9):
        key = row and (row["key"], row["born"])
        known = row is not None and None not in key
        rows.append(None if known and unique and key in seen else row)
        if known:
            seen.add(key)
    probe = drawn(PROBE, probe_rows, seed, values=3)
    draw = random.Random(seed)
    keys = [row for row in rows if row is not None]
    for row in probe:  # keys that can match
        if row is not None and keys and draw.random() < 0.6:
            other = draw.choice(keys)
            row["id"] = other["key"] if other["key"] is None or other["key"] <= 9 else row["id"]
            row["year"] = other["born"]
    return Given(PROBE, probe), Given(UNIQUE, rows, "beta")


SIZES = [(0, 0), (1, 1), (5, 0), (0, 5), (1, 6), (9, 2), (12, 12), (70, 40)]


@pytest.mark.parametrize("kind", SQL)
@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("sizes", SIZES)
def test_a_join_equals_sqlite_on_random_tables_with_null_and_padding(kind, checked, sizes):
    for seed in range(2 if sum(sizes) < 40 else 1):
        probe, unique = tables(*sizes, seed)
        rows = answers(program(spec(kind, unique_checked=checked)), probe, unique)
        assert len(rows) == sizes[0]
        assert same_rows(valid_rows(rows), asked(SQL[kind], probe, unique))


@pytest.mark.parametrize("kind", ["semi", "anti"])
def test_whether_a_match_exists_may_be_asked_of_a_table_with_duplicates(kind):
    for seed in range(4):
        probe, unique = tables(20, 30, seed, unique=False)
        rows = answers(program(spec(kind)), probe, unique)
        assert same_rows(valid_rows(rows), asked(SQL[kind], probe, unique))


def test_rows_of_a_join_stay_at_their_places():
    probe, unique = tables(30, 20, 3)
    rows = on_clear(program(spec("left")), probe, unique)
    assert [row is None for row in rows] == [row is None for row in probe.rows]
    for row, before in zip(rows, probe.rows, strict=True):
        assert row is None or {name: row[name] for name in before} == before


ONE = (Col("k", 0, 0),)


@pytest.mark.parametrize("kind", ["inner", "left", "semi", "anti"])
def test_a_join_of_equal_keys_of_one_bit_gives_every_row_its_match(kind):
    probe, unique = Given(ONE, [{"k": 0}, None, {"k": 0}]), Given(ONE, [None, {"k": 0}, None])
    rows = answers(program(Join(kind, (("k", "k"),))), probe, unique)
    assert rows == ([None] * 3 if kind == "anti" else [{"k": 0}, None, {"k": 0}])


def test_keys_of_different_width_meet_at_the_wider_one():
    narrow, wide = Given((Col("a", 0, 3),), [{"a": 3}, {"a": 1}]), Given((Col("b", 0, 255),), [{"b": 131}, {"b": 3}])
    for probe, unique, on in ((narrow, wide, ("a", "b")), (wide, narrow, ("b", "a"))):
        rows = answers(program(Join("semi", (on,))), probe, unique)
        assert valid_rows(rows) == [{on[0]: 3}]


# --- NULL in a key (D1), duplicates (D3) ------------------------------------------------------------------

PEOPLE = (Col("id", 0, 9), Col("birth_year", 1900, 2020, nullable=True), Col("n", 0, 9, domain="arithmetic"))


def test_a_null_in_one_of_two_keys_does_not_match_and_is_no_error():
    """D1: three rows of one bank have no birth year; neither side's NULL matches anything, not even a NULL."""
    left = Given(PEOPLE, [{"id": i, "birth_year": None if i < 3 else 1970 + i, "n": i} for i in range(6)])
    right = Given(
        (*PEOPLE[:2], Col("m", 0, 9, domain="arithmetic")),
        [{"id": i, "birth_year": None if i == 4 else 1970 + i, "m": 9 - i} for i in range(6)],
        "beta",
    )
    on = (("id", "id"), ("birth_year", "birth_year"))
    rows = answers(program(Join("inner", on, {"m": "m"})), left, right)
    assert [row and (row["id"], row["m"]) for row in rows] == [None, None, None, (3, 6), None, (5, 4)]
    rows = answers(program(Join("left", on, {"m": "m"})), left, right)
    assert [row["m"] for row in valid_rows(rows)] == [None, None, None, 6, None, 4]
    rows = answers(program(Join("anti", on)), left, right)
    assert [row["id"] for row in valid_rows(rows)] == [0, 1, 2, 4]


def test_null_keys_of_the_unique_side_are_no_duplicates_and_lend_nothing():
    """A NULL is a canonical zero under its validity: it must not stand for the key zero."""
    key, value = Col("k", 0, 3, nullable=True), Col("v", 0, 9, domain="arithmetic")
    unique = Given((key, value), [{"k": None, "v": 7}, {"k": None, "v": 8}, {"k": 0, "v": 5}, None])
    probe = Given((Col("p", 0, 3, nullable=True),), [{"p": 0}, {"p": None}, {"p": 1}, None])
    rows = answers(program(Join("left", (("p", "k"),), {"v": "v"})), probe, unique)
    assert rows == [{"p": 0, "v": 5}, {"p": None, "v": None}, {"p": 1, "v": None}, None]


def test_a_row_with_a_null_key_behind_all_others_disturbs_no_match():
    """Its canonical zero equals another row's key in the last segment, where its columns would count as a change."""
    value = Col("v", 0, 9, domain="arithmetic")
    keys = Col("k", 0, 15), Col("b", 0, 3, nullable=True)
    unique = Given((*keys, value), [{"k": 3, "b": 1, "v": 5}, {"k": 9, "b": 0, "v": 1}, {"k": 9, "b": None, "v": 7}])
    probe = Given((Col("p", 0, 15), Col("q", 0, 3)), [{"p": 3, "q": 1}, {"p": 4, "q": 0}])
    rows = answers(program(Join("inner", (("q", "b"), ("p", "k")), {"v": "v"})), probe, unique)
    assert rows == [{"p": 3, "q": 1, "v": 5}, None]


WORD = (Col("word", 0, 25),)
A, B = Given(WORD, [{"word": 1}, {"word": 1}]), Given(WORD, [{"word": 1}, {"word": 1}, {"word": 1}], "beta")


@pytest.mark.parametrize("kind", ["inner", "left"])
@pytest.mark.parametrize("run", [on_clear, on_ring3])
def test_a_join_many_to_many_is_refused_and_says_what_to_do(kind, run):
    """D3: 'a' twice in A and three times in B would give 6 rows."""
    with pytest.raises(RequestError) as caught:
        run(program(Join(kind, (("word", "word"),))), A, B)
    assert caught.value.code == "relational/many-to-many"
    assert "group" in caught.value.remedy


def test_a_duplicate_far_from_its_twin_is_found_and_single_keys_pass():
    keys = (Col("k", 0, 255),)
    single = Given(keys, [{"k": k} for k in range(200)], "beta")
    probe = Given(keys, [{"k": 7}])
    for twin in (0, 100, 199):
        twice = Given(keys, [*single.rows, {"k": twin}], "beta")
        with pytest.raises(RequestError):
            on_clear(program(Join("inner", (("k", "k"),))), probe, twice)
    assert on_clear(program(Join("inner", (("k", "k"),))), probe, single) == [{"k": 7}]


# --- NOT IN (D11) -----------------------------------------------------------------------------------------


def not_in(probe, unique):
    return valid_rows(answers(program(Join("not-in", (("a", "b"),))), probe, unique))


@pytest.mark.parametrize("own_null", [False, True])
@pytest.mark.parametrize("their_null", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 9])
def test_not_in_equals_sqlite(own_null, their_null, rows):
    for seed in range(4):
        own, theirs = (Col("a", 0, 5, nullable=own_null),), (Col("b", 0, 5, nullable=their_null),)
        probe, unique = Given(own, drawn(own, 10, seed)), Given(theirs, drawn(theirs, rows, seed, padding=0.6))
        sql = "SELECT a FROM p WHERE a NOT IN (SELECT b FROM u)"
        assert same_rows(not_in(probe, unique), queried(sql, {"p": probe, "u": unique}))


def test_not_in_a_table_that_holds_a_null_gives_no_row():
    """D11: x NOT IN (y UNION ALL z) with x {1,2,3,4}, y {1,NULL}, z {2,3}."""
    x = Given((Col("a", 0, 7),), [{"a": value} for value in (1, 2, 3, 4)])
    yz = Given((Col("b", 0, 7, nullable=True),), [{"b": value} for value in (1, None, 2, 3)])
    assert not_in(x, yz) == []


# --- traffic and openings ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["inner", "left", "semi", "anti"])
def test_traffic_of_a_join_is_the_same_whatever_matches(kind):
    none = Given(PROBE, [None] * 40), Given(UNIQUE, [None] * 25, "beta")
    first = trace(program(spec(kind)), *none)
    assert len(first) >= 3
    for seed in range(3):
        assert trace(program(spec(kind)), *tables(40, 25, seed)) == first


@pytest.mark.parametrize("kind", ["inner", "left"])
def test_the_test_for_duplicates_is_one_bit_on_the_record_unless_it_was_made_before(kind):
    probe, unique = tables(10, 10, 1)
    opened = openings(declared(program(spec(kind)), probe, unique).opened)
    assert opened[DUPLICATES, World.computers] == 1
    assert opened == {
        (DUPLICATES, World.computers): 1,
        ("comparison bits of shuffled rows", World.computers): 190,
        ("positions of shuffled rows", World.computers): 20,
    }
    checked = openings(declared(program(spec(kind, unique_checked=True)), probe, unique).opened)
    assert checked == {key: count for key, count in opened.items() if key[0] != DUPLICATES}


# --- misuse -----------------------------------------------------------------------------------------------

REFUSED = {
    "no key": Join("inner", ()),
    "columns of a semi join": Join("semi", (("id", "key"),), {"code": "code"}),
    "two keys of NOT IN": Join("not-in", ON),
    "a name twice": Join("inner", (("id", "key"),), {"amount": "score"}),
    "keys of different lower bounds": Join("inner", (("id", "code"),)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_join_that_makes_no_sense_is_an_internal_error(name):
    engine = ClearEngine()
    given = tables(3, 3, 1)
    with pytest.raises(InternalError, match="relational/join"):
        join(engine, *(shared(engine, f"{i}", table) for i, table in enumerate(given)), REFUSED[name])


def test_a_key_of_numbers_is_refused():
    engine = ClearEngine()
    given = tables(3, 3, 1)
    with pytest.raises(InternalError, match="relational/key"):
        join(
            engine,
            *(shared(engine, f"{i}", table) for i, table in enumerate(given)),
            Join("semi", (("amount", "key"),)),
        )
