"""Features standardised on shares against exact sums; edge values; every engine."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consortia.errors import InternalError
from consortia.protocols.clear.engine import ClearEngine
from consortia.protocols.learning import scaling
from consortia.protocols.learning.scaling import (
    CLIP,
    COARSE,
    FRACTION,
    LARGEST,
    UNITS,
    Column,
    flat_length,
    from_flat,
    learned,
    standardised,
    units_of,
)
from consortia.protocols.relational.table import SharedColumn, SharedTable
from consortia.protocols.shamir.counting import ShamirCountingEngine
from tests.learning_world import columns_of, numbers, real_values, standardised_plainly
from tests.relations_world import Col, Given, check_declared, declared, on_clear, on_ring3, on_shamir, trace
from tests.shamir_world import ShamirWorld
from tests.world import World


def found(features, bounds, counted):
    """Standardised features on the clear engine, which raises where a number leaves its bounds."""
    engine = ClearEngine()
    columns = columns_of(engine, features, bounds)
    flat = learned(engine.narrow("learn"), columns, numbers(engine, counted)).flat()
    assert flat.length == flat_length(len(features))
    again = from_flat(flat)
    return real_values(standardised(engine.narrow("use"), columns, again), len(counted))


def allowed(column, want, deviation):
    """The declared error: rounding, two fine units of the range, and what the deviation is off."""
    if deviation == 0:
        return 0
    unit, coarse = (2.0 ** (column.half - bits) / deviation for bits in (UNITS, COARSE))
    # a deviation of 16 coarse units or more is that of rounded values
    relative = 2.0**-11 + unit / 16 + (coarse / 2 if 15 * coarse < 1 and column.half > COARSE else 0)
    return 2 * 2.0**-FRACTION + 2 * unit + np.abs(want) * relative


def check(features, bounds, counted):
    got = found(features, bounds, counted)
    for x, (lo, hi), line in zip(features, bounds, got, strict=True):
        want, deviation = standardised_plainly(x, counted)
        column = Column(numbers(ClearEngine(), x), lo, hi)
        assert np.abs(line).max(initial=0) <= CLIP
        if deviation == 0 or deviation > 2.0 ** (column.half - UNITS):
            assert np.all(np.abs(line - want) <= allowed(column, want, deviation)), (lo, hi, deviation)


@pytest.mark.parametrize("rows", [1, 2, 37, 600])
def test_features_are_those_of_exact_mean_and_deviation(rows):
    draw = np.random.default_rng(rows)
    features = [
        draw.integers(0, 101, rows),
        draw.integers(0, 2, rows),
        draw.lognormal(8, 2, rows).astype(np.int64),
        (draw.normal(size=rows) * 2**40).astype(np.int64),
        (draw.normal(size=rows) * 1000).astype(np.int64) + 1_700_000_000_000,
        draw.integers(-(2**61), 2**61, rows),
        (np.arange(rows) == rows // 2).astype(int),
    ]
    bounds = [(0, 100), (0, 1), (0, 10**12), (-LARGEST, LARGEST), (0, 2 * 10**12), (-LARGEST, LARGEST), (0, 1)]
    check(features, bounds, draw.random(rows) < 0.7)
    check(features, bounds, np.ones(rows, bool))


@pytest.mark.parametrize("at_once", [1, 80, 1 << 19])
def test_features_are_the_same_however_many_are_worked_on_at_a_time(monkeypatch, at_once):
    draw = np.random.default_rng(3)
    features = draw.integers(-(2**30), 2**30, (5, 40))
    bounds, counted = [(-(2**30), 2**30)] * 5, draw.random(40) < 0.7
    monkeypatch.setattr(scaling, "AT_ONCE", at_once)
    check(features, bounds, counted)


def test_the_larger_units_of_more_rows_give_the_same_features_less_precisely(monkeypatch):
    units = units_of(1 << 24)
    assert (units.coarse, units.fine) == (17, 30)
    draw = np.random.default_rng(4)
    features = [
        draw.integers(0, 101, 200),
        (draw.normal(size=200) * 10**6).astype(int) + 10**9,
        (draw.normal(size=200) * 2**40).astype(int),
    ]
    bounds, counted = [(0, 100), (0, 2 * 10**9), (-LARGEST, LARGEST)], draw.random(200) < 0.7
    monkeypatch.setattr(scaling, "COARSE", units.coarse)
    monkeypatch.setattr(scaling, "STEP", units.step)
    got = found(features, bounds, counted)
    for x, (lo, hi), line in zip(features, bounds, got, strict=True):
        want, deviation = standardised_plainly(x, counted)
        unit = 2.0 ** (Column(numbers(ClearEngine(), x), lo, hi).half - units.fine) / deviation
        assert np.abs(line - want).max() < 1e-4 + 2 * unit + 8 * 2.0**-10


EDGES = st.sampled_from([-LARGEST, -LARGEST + 1, -(2**37) - 1, -(2**36), -1, 0, 1, 2, 2**36, 2**37 + 1, LARGEST])


@st.composite
def edge_columns(draw):
    lo, hi = sorted((draw(EDGES), draw(EDGES)))
    rows = draw(st.integers(1, 6))
    inside = st.one_of(st.sampled_from([lo, hi, (lo + hi) // 2]), st.integers(lo, hi))
    counted = draw(st.lists(st.booleans(), min_size=rows, max_size=rows))
    # a row that does not count may be one that is not valid, which holds 0
    values = [draw(inside) if keep else draw(st.one_of(inside, st.just(0))) for keep in counted]
    return values, (lo, hi), counted


@settings(max_examples=60, deadline=None)
@given(edge_columns())
@example(([-LARGEST, LARGEST], (-LARGEST, LARGEST), [True, True]))
@example(([0, 0], (10**9, 10**9 + 1), [False, False]))
def test_edge_values_stay_within_their_limits_and_the_declared_error(case):
    values, bounds, counted = case
    check([values], [bounds], counted)


@pytest.mark.parametrize("bounds", [(7, 7), (0, 10**9), (-LARGEST, LARGEST), (5, 2**50)])
def test_a_feature_without_spread_is_zero_in_every_row(bounds):
    assert not found([[7] * 5], [bounds], [1] * 5).any()
    # of rows that do not count it may say anything
    assert not found([[7, 7, bounds[1], bounds[0]]], [bounds], [1, 1, 0, 0]).any()


def test_without_a_row_that_counts_all_features_are_zero():
    assert not found([[1, 2, 3], [-5, 0, 5]], [(0, 10), (-LARGEST, LARGEST)], [0, 0, 0]).any()
    assert not found([[3]], [(0, 10)], [1]).any()


def test_rows_that_do_not_count_change_nothing_for_the_others():
    one = found([[1, 5, 9, 0]], [(0, 10)], [1, 1, 1, 0])
    other = found([[1, 5, 9, 10]], [(0, 10)], [1, 1, 1, 0])
    assert (one[:, :3] == other[:, :3]).all()


def test_a_value_far_from_the_others_is_clipped_on_its_side():
    values = [*([0, 1] * 100), 10**9, -(10**9)]
    got = found([values], [(-(10**9), 10**9)], [1] * 200 + [0, 0])
    assert got[0, -2:].tolist() == [CLIP, -CLIP]


@pytest.mark.parametrize("rows", [1, 2, 3, 1000, 2**16, 2**20 - 1, 2**20, 2**24, 2**25])
def test_sums_of_so_many_rows_stay_below_the_bound_of_division(rows):
    units = units_of(rows)
    assert rows * units.variance < 1 << 61
    assert rows << units.fine < 1 << 61
    assert units.variance << 16 < 1 << 60


def test_more_rows_than_sums_can_hold_and_wider_bounds_are_refused():
    for wrong in (0, 2**25 + 1):
        with pytest.raises(InternalError, match="learning/range"):
            units_of(wrong)
    engine = ClearEngine()
    for lo, hi in ((-LARGEST - 1, 0), (0, LARGEST + 1), (1, 0)):
        with pytest.raises(InternalError, match="learning/range"):
            Column(numbers(engine, [0]), lo, hi)


BOUNDS = ((0, 100), (-(10**15), 10**15))


def program(engine, table):
    columns = [Column(table.column(name).value, lo, hi) for name, (lo, hi) in zip("ab", BOUNDS, strict=True)]
    moments = learned(engine.narrow("learn"), columns, table.column("counted").value)
    matrix = standardised(engine.narrow("use"), columns, moments)
    lines = {name: matrix.carried.rows(i * table.length, (i + 1) * table.length) for i, name in enumerate("ab")}
    return SharedTable(
        table.length,
        {name: SharedColumn(line, -matrix.limit, matrix.limit) for name, line in lines.items()},
        table.valid,
    )


def drawn(seed, rows=12):
    draw = np.random.default_rng(seed)
    columns = [Col(name, lo, hi, domain="arithmetic") for name, (lo, hi) in zip("ab", BOUNDS, strict=True)]
    made = [
        {"a": int(a), "b": int(b), "counted": int(keep)}
        for a, b, keep in zip(
            draw.integers(0, 101, rows), draw.normal(size=rows) * 10**12, draw.integers(0, 2, rows), strict=True
        )
    ]
    return Given((*columns, Col("counted", 0, 1, domain="arithmetic")), made)


def test_every_engine_gives_the_same_features_and_sends_what_is_declared():
    table = drawn(1)
    clear = on_clear(program, table)
    world, group = World(1), ShamirWorld()
    secret = on_ring3(program, table, world=world)
    threshold = on_shamir(program, table, world=group)
    check_declared(world, declared(program, table))
    check_declared(group, declared(program, table, engine=ShamirCountingEngine(group.group)))
    for rows in (secret, threshold):
        for row, other in zip(rows, clear, strict=True):
            assert all(abs(row[name] - other[name]) <= 3 for name in "ab")


def test_traffic_is_the_same_whatever_the_values_are():
    none = Given(drawn(1).columns, [{"a": 0, "b": 0, "counted": 0}] * 12)
    assert trace(program, drawn(2)) == trace(program, none)
