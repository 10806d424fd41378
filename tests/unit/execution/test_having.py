"""HAVING on shares means what ``plans.evaluate`` means, three-valued logic included, at any nesting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.errors import InternalError
from consortia.execution.encode import encode
from consortia.execution.layout import shapes_of
from consortia.execution.translate import translated
from consortia.plans.evaluate import evaluate
from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.model import Share
from consortia.plans.types import ColumnType
from consortia.protocols.clear.engine import ClearEngine
from consortia.protocols.counting import CountingEngine
from consortia.protocols.relational.filter import keep_where
from consortia.protocols.relational.table import SharedColumn, SharedTable
from consortia.protocols.shares import Boolean
from tests.shared_plans import BIT, COUNTRY, NUMBER, Row, code, frame_of, number
from tests.world import World

TWO_PLACES = ColumnType(kind="decimal", scale=2)
COLUMNS = (
    number("a", -50, 50, nullable=True),
    number("b", 0, 1000),
    number("p", -500, 500, nullable=True, scale=2),
    code("flag", BIT, nullable=True),
    code("country", COUNTRY, nullable=True),
)
TYPES = {column.name: column.type for column in COLUMNS}


def integer(value: int | None, kind: ColumnType = NUMBER) -> Const:
    return Const(type=kind, integer=value)


def call(op: str, *args: Expr, kind: ColumnType = BIT) -> Call:
    return Call(op=op, args=args, type=kind)


leaves = st.one_of(
    st.sampled_from([Ref(column="a"), Ref(column="b")]),
    st.integers(-60, 60).map(integer),
    st.just(integer(None)),
)
numbers = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda op, x, y: call(op, x, y, kind=NUMBER), st.sampled_from(["add", "subtract"]), inner, inner),
        st.builds(lambda x, y: call("multiply", x, y, kind=NUMBER), inner, st.integers(-9, 9).map(integer)),
        st.builds(lambda x: call("negate", x, kind=NUMBER), inner),
        st.builds(lambda x, y: call("coalesce", x, y, kind=NUMBER), inner, inner),
    ),
    max_leaves=4,
)
OPS = st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"])
comparisons = st.one_of(
    st.builds(call, OPS, numbers, numbers),
    st.builds(lambda op, v: call(op, Ref(column="country"), integer(v, COUNTRY)), OPS, st.integers(-1, 4)),
    st.builds(lambda op, v: call(op, integer(v, COUNTRY), Ref(column="country")), OPS, st.integers(-1, 4)),
    st.builds(
        lambda op, v: call(op, Ref(column="p"), call("cast", integer(v), kind=TWO_PLACES)), OPS, st.integers(-5, 5)
    ),
    st.builds(lambda x: call("is_null", x), numbers),
    st.just(call("is_null", Ref(column="country"))),
    st.just(Ref(column="flag")),
    st.builds(lambda x, ys: call("in", x, *ys), numbers, st.lists(numbers, min_size=1, max_size=3)),
    st.sampled_from([integer(None, BIT), integer(1, BIT), integer(0, BIT)]),
)
conditions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds(lambda x: call("not", x), inner),
        st.builds(
            lambda op, xs: call(op, *xs), st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)
        ),
    ),
    max_leaves=5,
)
maybe = st.none()
rows = st.lists(
    st.fixed_dictionaries(
        {
            "a": st.integers(-50, 50) | maybe,
            "b": st.integers(0, 1000) | st.integers(0, 60),
            "p": st.integers(-500, 500) | maybe,
            "flag": st.integers(0, 1) | maybe,
            "country": st.integers(0, 2) | maybe,
        }
    ),
    min_size=1,
    max_size=8,
)


def shared(engine, table: list[Row], columns=COLUMNS) -> SharedTable:
    step = Share(id="s0", inputs=(), at="owner:alpha", rows=len(table) + 2, columns=columns, owner="alpha")
    values = None if isinstance(engine, CountingEngine) else encode(step, frame_of(columns, table))
    vectors = iter(engine.narrow("input").input("alpha", step.rows, shapes_of(columns), values))
    valid = next(vectors)
    made = {}
    for column in columns:
        bounds = column.bounds
        lo, hi = (bounds.lo, bounds.hi) if bounds else (0, 10)
        made[column.name] = SharedColumn(next(vectors), lo, hi, next(vectors) if column.nullable else None)
    assert isinstance(valid, Boolean)
    return SharedTable(step.rows, made, valid)


def kept(table: list[Row], condition: Expr) -> list[int]:
    engine = ClearEngine()
    result = keep_where(engine.narrow("filter"), shared(engine, table), translated(condition, TYPES))
    return [int(bit) for bit in result.valid.values]


@settings(derandomize=True, deadline=None, max_examples=300)
@given(table=rows, condition=conditions)
def test_a_row_is_kept_if_and_only_if_the_condition_is_true(table: list[Row], condition: Expr) -> None:
    wanted = [int(evaluate(condition, row, TYPES) == 1) for row in table]
    assert kept(table, condition) == [*wanted, 0, 0]


CONDITION = call(
    "or",
    call(
        "and", call("gt", call("add", Ref(column="a"), Ref(column="b"), kind=NUMBER), integer(20)), Ref(column="flag")
    ),
    call("not", call("in", Ref(column="a"), integer(3), integer(-4), Ref(column="b"))),
    call("lt", call("coalesce", Ref(column="a"), Ref(column="b"), kind=NUMBER), integer(2)),
)


def test_three_computers_decide_as_the_clear_engine_at_the_declared_cost() -> None:
    table = [
        {"a": a, "b": b, "p": None, "flag": flag, "country": None}
        for a in (None, 3, -4, 19) for b in (0, 2, 3) for flag in (None, 0, 1)
    ]  # fmt: skip
    expression = translated(CONDITION, TYPES)
    world = World(4)

    def program(engine):
        columns = shared_by_alpha(engine, table)
        result = keep_where(engine.narrow("filter"), columns, expression)
        return engine.narrow("open").open_to_computer(0, result.valid)

    opened = world.run(program)[0]
    assert opened is not None
    assert opened[:, 0].tolist() == kept(table, CONDITION)
    counting = CountingEngine(world.computers)
    keep_where(counting.narrow("filter"), shared(counting, table), expression)
    assert world.transcripts[0].total_sent("filter") == sum(
        count for (path, member), count in counting.counts.sent.items() if member == "alpha" and "filter" in path
    )
    assert world.transcripts[0].total_rounds("filter") == sum(
        count for path, count in counting.counts.rounds.items() if "filter" in path
    )


def shared_by_alpha(engine, table: list[Row]) -> SharedTable:
    class OnlyAlpha:
        """The engine, with values given at their owner alone."""

        def narrow(self, name):
            return self if name == "input" else engine.narrow(name)

        def input(self, owner, length, shapes, values):
            given = values if engine.ctx.member == "alpha" else None
            return engine.narrow("input").input("alpha", length, shapes, given)

    return shared(OnlyAlpha(), table)


def test_a_wide_value_can_not_be_compared() -> None:
    columns = (number("w", -(1 << 70), 1 << 70, domain="wide"),)
    engine = ClearEngine()
    table = shared(engine, [{"w": 1}], columns)
    condition = translated(call("gt", Ref(column="w"), integer(0)), {"w": NUMBER})
    with pytest.raises(InternalError, match="relational/unsupported"):
        keep_where(engine.narrow("filter"), table, condition)


def test_a_comparison_that_does_not_fit_the_ring_is_refused() -> None:
    columns = (number("x", -(1 << 61), 1 << 61),)
    engine = ClearEngine()
    table = shared(engine, [{"x": 1}], columns)
    big = call("multiply", Ref(column="x"), integer(100), kind=NUMBER)
    with pytest.raises(InternalError, match="relational/range"):
        keep_where(engine.narrow("filter"), table, translated(call("gt", big, integer(0)), {"x": NUMBER}))


def test_filtered_rows_are_zero_everywhere() -> None:
    engine = ClearEngine()
    table = shared(engine, [{"a": 5, "b": 9, "p": 1, "flag": 1, "country": 2}])
    result = keep_where(engine.narrow("f"), table, translated(call("lt", Ref(column="a"), integer(0)), TYPES))
    for column in result.columns.values():
        assert not np.any(column.value.values)
        assert column.validity is None or not np.any(column.validity.values)
