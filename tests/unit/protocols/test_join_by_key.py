"""A join in the order of its keys has the rows of a join, and a group by the keys follows without a sort."""

import pytest

from consortia.errors import InternalError, RequestError
from consortia.protocols.clear.engine import ClearEngine
from consortia.protocols.relational.group import Grouping, Measure, group
from consortia.protocols.relational.join import Join, join
from consortia.protocols.relational.join_by_key import join_by_key
from consortia.protocols.relational.order import order_by, together
from tests.relations_world import Col, Given, answers, declared, drawn, on_clear, same_rows, shared, trace, valid_rows
from tests.sqlite_oracle import queried

PROBE = (
    Col("id", 0, 9, nullable=True),
    Col("year", 0, 3, nullable=True),
    Col("amount", -50, 50, nullable=True, domain="arithmetic"),
    Col("total", -(2**62), 2**62, domain="wide"),
)
UNIQUE = (
    Col("key", 0, 30, nullable=True),
    Col("born", 0, 3),
    Col("code", 5, 300, nullable=True),
    Col("score", -9, 9, domain="arithmetic"),
    Col("most", -(2**62), 2**62, nullable=True, domain="wide"),
)
ON = (("id", "key"), ("year", "born"))
TAKE = {"code": "code", "score": "score", "most": "most"}
KINDS = ("inner", "left", "semi", "anti")


def spec(kind, **more):
    return Join(kind, ON, TAKE if kind in ("inner", "left") else {}, **more)


def tables(probe_rows, unique_rows, seed):
    rows, seen = [], set()
    for row in drawn(UNIQUE, unique_rows, seed, values=6):
        if row is not None and row["key"] is not None:
            row["key"] %= 10
        key = row and (row["key"], row["born"])
        rows.append(None if key in seen else row)
        if row is not None and row["key"] is not None:
            seen.add(key)
    return Given(PROBE, drawn(PROBE, probe_rows, seed, values=6)), Given(UNIQUE, rows, "beta")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [(0, 3), (1, 1), (3, 0), (12, 9), (60, 40)])
def test_it_has_the_rows_of_a_join_sorted_by_the_keys_with_null_last(kind, sizes):
    for seed in range(2):
        given = tables(*sizes, seed)
        rows = answers(lambda e, p, u: join_by_key(e, p, u, spec(kind)), *given)
        expected = on_clear(
            lambda e, p, u: order_by(e.narrow("s"), join(e.narrow("j"), p, u, spec(kind)), ("id", "year")), *given
        )
        assert rows == expected


def grouped(engine, probe, unique, kind):
    joined = together(engine.narrow("t"), join_by_key(engine.narrow("j"), probe, unique, spec(kind)), ("id", "year"))
    measures = (
        Measure("amount", "sum", -5000, 5000, column="amount", nullable=True),
        Measure("score", "sum", -900, 900, column="score", nullable=True),
        Measure("lines", "count-rows", 0, 99),
    )
    keys = ("id", "year")
    return group(engine.narrow("g"), joined, Grouping(keys, measures, probe.length, keys))


@pytest.mark.parametrize("kind", ["inner", "left"])
def test_a_group_by_the_keys_follows_without_a_sort_and_equals_sqlite(kind):
    sql = f"""SELECT id, year, SUM(amount) AS amount, SUM(score) AS score, COUNT(*) AS lines
              FROM p {kind} JOIN u ON id = key AND year = born GROUP BY id, year"""
    for seed in range(3):
        given = tables(40, 25, seed)
        rows = answers(lambda e, p, u: grouped(e, p, u, kind), *given)
        assert same_rows(valid_rows(rows), queried(sql, {"p": given[0], "u": given[1]}))
    sorts = {o.step for o in declared(lambda e, p, u: grouped(e, p, u, kind), *given).opened if "comparison" in o.what}
    assert len(sorts) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_traffic_is_the_same_whatever_matches(kind):
    def program(engine, probe, unique):
        return join_by_key(engine, probe, unique, spec(kind))

    none = trace(program, Given(PROBE, [None] * 20), Given(UNIQUE, [None] * 15, "beta"))
    assert len(none) >= 3
    assert trace(program, *tables(20, 15, 1)) == none


def test_duplicates_are_refused_unless_only_a_match_is_asked_for():
    keys = (Col("k", 0, 7),)
    probe, twice = Given(keys, [{"k": 2}, {"k": 1}]), Given(keys, [{"k": 2}] * 3, "beta")
    for kind in ("inner", "left"):
        with pytest.raises(RequestError, match="relational/many-to-many"):
            on_clear(lambda e, p, u, kind=kind: join_by_key(e, p, u, Join(kind, (("k", "k"),))), probe, twice)
    assert answers(lambda e, p, u: join_by_key(e, p, u, Join("semi", (("k", "k"),))), probe, twice) == [{"k": 2}, None]


KEY = (Col("k", 0, 7),)


@pytest.mark.parametrize("kind", ["semi", "anti"])
def test_a_key_many_times_behind_all_others_disturbs_no_match(kind):
    probe, unique = Given(KEY, [{"k": 1}, {"k": 2}]), Given(KEY, [{"k": 7}, {"k": 1}, {"k": 7}], "beta")
    rows = answers(lambda e, p, u: join_by_key(e, p, u, Join(kind, (("k", "k"),))), probe, unique)
    assert rows == [{"k": 1 if kind == "semi" else 2}, None]


def test_a_padded_row_does_not_stand_before_the_row_of_key_zero():
    probe, unique = Given(KEY, [{"k": 0}]), Given(KEY, [None, {"k": 0}], "beta")
    assert answers(lambda e, p, u: join_by_key(e, p, u, Join("inner", (("k", "k"),))), probe, unique) == [{"k": 0}]


def test_not_in_is_not_offered():
    engine = ClearEngine()
    one = shared(engine, "in", Given((Col("k", 0, 7),), [{"k": 1}]))
    with pytest.raises(InternalError, match="relational/join"):
        join_by_key(engine, one, one, Join("not-in", (("k", "k"),)))
