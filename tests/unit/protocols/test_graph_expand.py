"""Paths grown by edges within a window, and rows read by number: against plain loops, on every engine."""

import random

import pytest

from consortia.errors import RequestError
from consortia.protocols.graph.expand import Expansion, expanded, timed
from consortia.protocols.graph.read import read_at_or_below
from consortia.protocols.relational.table import SharedColumn, SharedTable
from consortia.protocols.shares import Rows
from tests.relations_world import Col, Given, answers, on_clear, trace

KEYS = (1 << 96) - 1
PATHS = (
    Col("end", 0, KEYS),
    Col("then", -5, 20, domain="arithmetic"),
    Col("note", 0, 9, nullable=True),
    Col("total", -(2**62), 2**62, domain="wide"),
)
EDGES = (
    Col("source", 0, KEYS),
    Col("target", 0, KEYS),
    Col("time", -5, 20, domain="arithmetic"),
    Col("amount", 0, 1000, domain="arithmetic"),
)
TAKE = {"target": "next", "time": "later", "amount": "paid"}


def drawn_paths(seed, paths, edges, nodes=4):
    draw = random.Random(f"expand {seed} {paths} {edges}")
    keys = [0, KEYS, *(draw.randrange(KEYS) for _ in range(nodes - 2))]

    def time():
        return draw.choice([-5, 20, draw.randint(-5, 20)])

    grown = [
        {"end": draw.choice(keys), "then": time(), "note": draw.choice([None, 0, 9]), "total": draw.choice([-3, 2**61])}
        for _ in range(paths)
    ]
    paid = [
        {"source": draw.choice(keys), "target": draw.choice(keys), "time": time(), "amount": draw.randint(0, 1000)}
        for _ in range(edges)
    ]
    return (
        Given(PATHS, [None if draw.random() < 0.2 else row for row in grown]),
        Given(EDGES, [None if draw.random() < 0.2 else row for row in paid], "beta"),
    )


def plain(given, window):
    found = []
    for path in given[0].rows:
        if path is None:
            continue
        later = [
            edge
            for edge in given[1].rows
            if edge and edge["source"] == path["end"] and path["then"] < edge["time"] <= path["then"] + window
        ]
        found += [{**path, **{name: edge[column] for column, name in TAKE.items()}} for edge in later]
    return found


def growing(window, most, keys=("source",), ends=("end",)):
    def program(engine, paths, edges):
        prepared = timed(engine.narrow("timed"), edges, keys, "time", window)
        spec = Expansion(ends, "then", window, TAKE, most)
        return expanded(engine.narrow("expand"), paths, prepared, spec)

    return program


def ordered(rows):
    return sorted((row for row in rows if row), key=repr)


@pytest.mark.parametrize(("sizes", "window"), [((1, 1), 30), ((6, 9), 0), ((6, 9), 3), ((9, 12), 30)])
def test_each_path_meets_every_edge_that_leaves_its_end_within_the_window(sizes, window):
    for seed in range(2):
        given = drawn_paths(seed, *sizes)
        expected = plain(given, window)
        rows = answers(growing(window, max(1, sizes[0] * sizes[1])), *given)
        assert ordered(rows) == ordered(expected)
        assert [row is None for row in rows] == sorted(row is None for row in rows)


def test_the_bound_may_be_met_exactly_and_one_more_path_stops_the_run():
    given = drawn_paths(3, 9, 12)
    many = len(plain(given, 10))
    assert many >= 2
    assert ordered(answers(growing(10, many), *given)) == ordered(plain(given, 10))
    with pytest.raises(RequestError, match="graph/too-many-paths"):
        on_clear(growing(10, many - 1), *given)


def test_a_closing_edge_is_found_by_both_its_ends():
    given = drawn_paths(4, 8, 14, nodes=2)
    starts = [0, KEYS]
    paths = Given(
        (*PATHS, Col("start", 0, KEYS)),
        [row and {**row, "start": starts[place % 2]} for place, row in enumerate(given[0].rows)],
    )
    expected = [row for row in plain((paths, given[1]), 12) if row["next"] == row["start"]]
    assert expected
    program = growing(12, 80, ("source", "target"), ("end", "start"))
    assert ordered(answers(program, paths, given[1])) == ordered(expected)


def test_traffic_is_the_same_whatever_paths_there_are():
    none = Given(PATHS, [None] * 6), Given(EDGES, [None] * 9, "beta")
    empty = trace(growing(5, 40), *none)
    assert len(empty) >= 3
    assert trace(growing(5, 40), *drawn_paths(1, 6, 9)) == empty


HOLDERS = (Col("number", 0, 31), Col("held", -9, 9, domain="arithmetic"), Col("code", 0, 5))
READERS = (Col("wanted", 0, 20),)


def test_a_reader_gets_what_the_last_holder_at_or_below_its_number_holds():
    def program(engine, holders, readers):
        columns = [holders.column(name) for name in ("held", "code")]
        found = read_at_or_below(
            engine,
            holders.column("number").value,
            Rows((columns[0].value,), (columns[1].value,)),
            readers.column("wanted").value,
        )
        # every reader row counts, so that nothing needs clearing
        values = {"held": SharedColumn(found.arithmetic[0], -9, 9), "code": SharedColumn(found.boolean[0], 0, 5)}
        return SharedTable(readers.length, values, readers.valid)

    draw = random.Random(7)
    for sizes in ((1, 1), (3, 8), (9, 5)):
        numbers = sorted(draw.sample(range(1, 31), sizes[0]))
        held = [{"number": n, "held": draw.randint(-9, 9), "code": draw.randint(0, 5)} for n in numbers]
        wanted = [{"wanted": draw.randint(0, 20)} for _ in range(sizes[1])]
        draw.shuffle(held)
        rows = answers(program, Given(HOLDERS, held), Given(READERS, wanted, "beta"))
        for reader, row in zip(wanted, rows, strict=True):
            below = [holder for holder in held if holder["number"] <= reader["wanted"]]
            best = max(below, key=lambda holder: holder["number"], default={"held": 0, "code": 0})
            assert row == {"held": best["held"], "code": best["code"]}
