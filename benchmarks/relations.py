"""Every operator over tables as a program of n rows (``costs`` says what for)."""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from benchmarks.operations import GROUP, Operation, groups_of, number, planes, table
from consortia.protocols.engine import Engine
from consortia.protocols.relational import carry, domains, filter, moments, pick, segments, sets, union, window  # noqa: A004  a module
from consortia.protocols.relational.control import at_least, control
from consortia.protocols.relational.domains import Form
from consortia.protocols.relational.group import Grouping, Measure, group
from consortia.protocols.relational.join import Join, Kind, join
from consortia.protocols.relational.join_by_key import join_by_key
from consortia.protocols.relational.order import order_by, top
from consortia.protocols.relational.pick import Groups
from consortia.protocols.relational.predicates import Call, Const, Ref
from consortia.protocols.relational.table import Ordering, SharedColumn, SharedTable
from consortia.protocols.relational.window import Window
from consortia.protocols.shares import Arithmetic, Boolean, Rows

TOTAL = Measure("total", "sum", 0, 1 << 50, "a")
COUNT = Measure("count", "count-rows", 0, 1 << 30)
ENTITIES = Measure("entities", "count-entities", 0, 1 << 30)


def _grouping(n: int, *measures: Measure, keys: tuple[str, ...] = ("k",), entity: str = "") -> Grouping:
    return Grouping(keys, measures, groups_of(n) if keys else 1, keys, entity)


def relation_operations() -> Iterator[Operation]:
    """Operators over tables."""

    def op(name: str, what: str, run: Callable[[Engine, int], object]) -> Operation:
        return Operation("Relations", name, what, run)

    def joined(how: Callable[..., SharedTable], kind: Kind, *, checked: bool = True) -> Callable[[Engine, int], object]:
        take = {"x": "rx"} if kind in ("inner", "left") else {}

        def run(engine: Engine, n: int) -> object:
            right = table(engine, n, "r").only(["ru", "ra"])
            right = SharedTable(
                n, {"ru": right.column("ru"), "rx": right.column("ra")}, right.valid, {"beta": right.valid}
            )
            return how(engine, table(engine, n).only(["u", "a"]), right, Join(kind, (("u", "ru"),), take, checked))

        return run

    yield op("order_by", "by a key of 64 bits; three columns", lambda e, n: order_by(e, table(e, n), ("u",)))
    yield op("top", "10 rows by a key of 64 bits", lambda e, n: top(e, table(e, n), (Ordering("u"),), 10))
    yield op(
        "keep_where", "a number below a constant; four columns are cleared",
        lambda e, n: filter.keep_where(e, table(e, n), Call("lt", (Ref("a"), Const(500)))),
    )  # fmt: skip
    yield op("control", "one rule, two columns", lambda e, n: control(e, table(e, n), [at_least("a", 10)], ["k", "a"]))
    yield op("first", "rows of a bit forward, four columns", lambda e, n: filter.first(e, table(e, n), planes(e, n, 1)))
    yield op("own_rows", "of one recipient, two columns", _own_rows)
    yield op(
        "union_all",
        "of two tables of n rows, columns alike",
        lambda e, n: union.union_all(e, [table(e, n), table(e, n)]),
    )
    yield op(
        "group",
        "SUM and COUNT by a key of 64 bits, sorted",
        lambda e, n: group(e, table(e, n), _grouping(n, TOTAL, COUNT)),
    )
    yield op(
        "group", "the same, and distinct entities of 16 bits",
        lambda e, n: group(e, table(e, n), _grouping(n, TOTAL, COUNT, ENTITIES, entity="o")),
    )  # fmt: skip
    yield op(
        "group",
        "SUM and COUNT of the whole table",
        lambda e, n: group(e, table(e, n), _grouping(n, TOTAL, COUNT, keys=())),
    )
    for kind in ("inner", "left", "semi", "anti", "not-in"):
        yield op("join", f"{kind}, n rows with n rows by 64 bits", joined(join, kind))
    yield op("join", "inner, with the test for duplicates", joined(join, "inner", checked=False))
    for kind in ("inner", "left", "semi", "anti"):
        yield op("join_by_key", f"{kind}, n rows with n rows by 64 bits", joined(join_by_key, kind))
    key_only = ("k",)
    yield op("distinct", "of 64 bits, sorted", lambda e, n: sets.distinct(e, table(e, n).only(key_only), key_only))
    yield op(
        "union_distinct", "of two tables of n rows and 64 bits",
        lambda e, n: sets.union_distinct(e, [table(e, n).only(key_only), table(e, n).only(key_only)], key_only),
    )  # fmt: skip
    for how in ("intersect", "except"):
        yield op("compared", f"{how.upper()} of two tables of n rows and 64 bits", _compared(how))
    keys = ("k",)
    yield op(
        "extremes", "MIN and MAX of 16 bits by a key of 64 bits, sorted by both",
        lambda e, n: pick.extremes(e, table(e, n), Groups(keys, groups_of(n), keys), "o", "low", "high"),
    )  # fmt: skip
    yield op(
        "quantiles", "the median of 16 bits by a key of 64 bits, sorted by both",
        lambda e, n: pick.quantiles(e, table(e, n), Groups(keys, groups_of(n), keys), "o", {"m": pick.LOWER_MEDIAN}),
    )  # fmt: skip
    for function, column, frame in (
        ("row-number", "", "rows"), ("rank", "", "rows"), ("dense-rank", "", "rows"), ("sum", "a", "rows"),
        ("sum", "a", "range"), ("sum", "a", "partition"), ("count", "", "rows"),
    ):  # fmt: skip
        wanted = Window("w", function, column, frame)  # type: ignore[arg-type]  # literals
        said = f"{function} {'' if function in ('row-number', 'rank', 'dense-rank') else frame}".strip()
        yield op(
            "windows", f"{said} by a key of 64 bits, sorted by it and 16 bits",
            lambda e, n, wanted=wanted: window.windows(e, table(e, n), ("k",), (Ordering("o"),), [wanted]),  # type: ignore[misc]  # bound now
        )  # fmt: skip
    yield op(
        "with_squares", "of a number below 2^20", lambda e, n: moments.with_squares(e, table(e, n), "a", "squares")
    )
    yield op("with_variance", "of n groups", _variance)
    yield op("as_keys", "a number below 2^20", lambda e, n: domains.as_keys(e, table(e, n), ("a",)))
    yield op("as_numbers", "16 bits", lambda e, n: domains.as_numbers(e, table(e, n), ("o",)))
    yield op(
        "recast",
        "a number below 2^20 as wide",
        lambda e, n: domains.recast(e, table(e, n), table(e, n).column("a"), Form("wide", 0, (1 << 20) - 1)),
    )
    yield op("same_group", "keys of 64 bits", lambda e, n: segments.same_group(e, table(e, n), ("k",)))
    yield op("places", "position and size in a group", lambda e, n: segments.places(e, _firsts(e, n)))
    yield op(
        "carried",
        "a number from the first row to its segment",
        lambda e, n: carry.carried(e, _firsts(e, n), Rows((_at_firsts(e, n),))),
    )
    yield op(
        "carried_back", "a number from the last row to its segment",
        lambda e, n: segments.carried_back(e, _firsts(e, n), _lasts(e, n), Rows((_at_lasts(e, n),))),
    )  # fmt: skip


def _compared(how: Literal["intersect", "except"]) -> Callable[[Engine, int], object]:
    def run(engine: Engine, n: int) -> object:
        left, right = (table(engine, n).only(["k"]) for _ in range(2))
        return sets.compared(engine, left, right, ("k",), how)

    return run


def _own_rows(engine: Engine, n: int) -> object:
    made = table(engine, n)
    columns = {**made.columns, "mine": SharedColumn(planes(engine, n, 1), 0, 1)}
    marked = SharedTable(n, columns, made.valid, made.members, made.order)
    return filter.own_rows(engine, marked, "mine", ["k", "a"])


def _variance(engine: Engine, n: int) -> object:
    columns = {
        name: SharedColumn(number(engine, n, value), 0, limit)
        for name, value, limit in (("c", 4, 1 << 10), ("t", 8, 1 << 20), ("q", 16, 1 << 40))
    }
    made = SharedTable(n, columns, engine.constant_boolean(np.ones((n, 1), np.uint64), 1))
    return moments.with_variance(engine, made, "c", "t", "q", "v")


def _marks(n: int, place: int) -> np.ndarray:
    return (np.arange(n, dtype=np.uint64) % GROUP == place % GROUP).astype(np.uint64)


def _firsts(engine: Engine, n: int) -> Boolean:
    return engine.constant_boolean(_marks(n, 0)[:, np.newaxis], 1)


def _lasts(engine: Engine, n: int) -> Boolean:
    marks = _marks(n, -1)
    marks[-1:] = 1
    return engine.constant_boolean(marks[:, np.newaxis], 1)


def _at_firsts(engine: Engine, n: int) -> Arithmetic:
    return engine.constant_arithmetic(_marks(n, 0))


def _at_lasts(engine: Engine, n: int) -> Arithmetic:
    marks = _marks(n, -1)
    marks[-1:] = 1
    return engine.constant_arithmetic(marks)
