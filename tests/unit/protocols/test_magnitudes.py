"""What contributors hold of each group, and who stands beside it, on every engine, against plain Python."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from consortia.errors import InternalError
from consortia.protocols.clear.engine import ClearEngine
from consortia.protocols.relational.beside import beside
from consortia.protocols.relational.control import Bar, at_least, control
from consortia.protocols.relational.group import Grouping, Measure, group
from consortia.protocols.relational.magnitudes import Apart, Contribution, Wanted, by_entity, by_member
from consortia.protocols.relational.order import order_by
from consortia.protocols.relational.table import SharedTable
from consortia.protocols.relational.union import union
from tests.relations_world import Col, Given, Program, answers, clear_values, drawn, shared, trace, valid_rows

OWNERS = ("alpha", "beta", "gamma")
COLUMNS = (
    Col("g", 0, 2, nullable=True),
    Col("h", 0, 1),
    Col("e", 0, 5, nullable=True),
    Col("v", -30, 30, nullable=True, domain="arithmetic"),
)
CONTRIBUTIONS = (
    Contribution("total", "sum", 60 * 30, "v", signed=True),
    Contribution("known", "count", 60, "v"),
    Contribution("rows", "count-rows", 60),
)
COUNTS = (0, 1, 2, 3)
WANTED = [Wanted(f"{of.name}{count}", of.name, count) for of in CONTRIBUTIONS for count in COUNTS]


def given(rows: int, seed: int) -> list[Given]:
    return [Given(COLUMNS, drawn(COLUMNS, rows, seed + 7 * place), owner) for place, owner in enumerate(OWNERS)]


def held_by(who: str, keys: tuple[str, ...], excluding: tuple[str, ...], *, mixed: bool) -> Program:
    """Groups with the columns of ``WANTED``. ``mixed``: gamma's rows hold data of beta as well."""

    def program(engine: Any, *tables: SharedTable) -> SharedTable:
        whole = union(tables, OWNERS, OWNERS)
        if mixed:
            both = whole.members["beta"] ^ whole.members["gamma"]
            whole = replace(whole, members=whole.members | {"beta": both})
        near = order_by(engine.narrow("sort"), whole, (*keys, "e"))
        grouping = Grouping(keys, (Measure("n", "count-rows", 0, 60),), 60 if keys else 1, keys, entity="e")
        found = group(engine.narrow("groups"), near, grouping)
        compute = by_entity if who == "entity" else by_member
        apart = Apart(OWNERS, excluding, mixed=mixed)
        made = compute(engine.narrow("held"), near, grouping, CONTRIBUTIONS, WANTED, apart)
        return replace(found, columns={**found.columns, **made})

    return program


def plain(
    who: str, keys: tuple[str, ...], excluding: tuple[str, ...], tables: Sequence[Given], *, mixed: bool
) -> list[dict[str, Any]]:
    groups: dict[tuple, list[tuple[set[str], dict]]] = defaultdict(list)
    if not keys:
        groups[()] = []
    for table in tables:
        members = {"beta", "gamma"} if mixed and table.owner == "gamma" else {table.owner}
        for row in valid_rows(table.rows):
            groups[tuple(row[key] for key in keys)].append((members, row))
    found = []
    for key, rows in groups.items():
        made: dict[str, Any] = dict(zip(keys, key, strict=True)) | {"n": len(rows)}
        for name, value in (
            ("total", lambda row: row["v"] or 0),
            ("known", lambda row: int(row["v"] is not None)),
            ("rows", lambda _: 1),
        ):
            sums: dict[Any, int] = defaultdict(int)
            more: dict[Any, int] = defaultdict(int)
            for members, row in rows:
                others = members - set(excluding)
                for contributor in [row["e"]] if who == "entity" and others else others:
                    if others == members:
                        sums[contributor] += value(row)
                    else:
                        more[contributor] += abs(value(row))
            sizes = sorted((abs(sums[each]) + more[each] for each in {*sums, *more}), reverse=True)
            made |= {f"{name}{count}": sum(sizes[:count]) for count in COUNTS if count}
            whole = abs(sum(value(row) for members, row in rows if not members & set(excluding)))
            made[f"{name}0"] = whole if mixed and who == "member" else sum(map(abs, sums.values()))
        found.append(made)
    return found


@pytest.mark.parametrize("who", ["entity", "member"])
@pytest.mark.parametrize(
    ("keys", "excluding", "mixed", "rows"),
    [
        (("g",), ("alpha",), False, 7),
        (("h", "g"), (), False, 5),
        ((), ("beta",), False, 4),
        (("g",), ("alpha",), True, 6),
        (("h",), ("gamma",), True, 5),
        (("h",), ("alpha", "gamma"), True, 4),
        (("e",), ("beta",), False, 4),
    ],
)
def test_what_contributors_hold_equals_the_plain_computation(
    who: str, keys: tuple[str, ...], excluding: tuple[str, ...], rows: int, *, mixed: bool
) -> None:
    tables = given(rows, 3)
    found = valid_rows(answers(held_by(who, keys, excluding, mixed=mixed), *tables))
    wanted = plain(who, keys, excluding, tables, mixed=mixed)
    assert sorted(map(repr, found)) == sorted(repr({name: row[name] for name in found[0]}) for row in wanted)


def test_a_table_without_valid_rows_has_one_group_without_keys_that_holds_nothing() -> None:
    tables = [Given(COLUMNS, [None, None], owner) for owner in OWNERS]
    (found,) = valid_rows(answers(held_by("entity", (), ("alpha",), mixed=False), *tables))
    assert set(found.values()) == {0}


def test_messages_do_not_depend_on_who_holds_what() -> None:
    program = held_by("entity", ("g",), ("alpha",), mixed=False)
    one, other = (trace(program, *given(6, seed)) for seed in (1, 2))
    assert one == other


@pytest.mark.parametrize("keys", [("g",), ("g", "h"), ("h", "g", "e")])
@pytest.mark.parametrize("seed", range(2))
def test_who_stands_beside_a_cell_is_counted_along_each_key(keys: tuple[str, ...], seed: int) -> None:
    tables = given(4, seed)

    def program(engine: Any, *shares: SharedTable) -> SharedTable:
        near = order_by(engine.narrow("sort"), union(shares, OWNERS, ()), keys)
        groups = group(engine.narrow("groups"), near, Grouping(keys, (Measure("n", "count-rows", 0, 60),), 60, keys))
        made = {f"along_{key}": beside(engine.narrow(key), groups, keys, key, "n", 60) for key in keys}
        return replace(groups, columns={**groups.columns, **made})

    sizes: dict[tuple, int] = defaultdict(int)
    for table in tables:
        for row in valid_rows(table.rows):
            sizes[tuple(row[key] for key in keys)] += 1
    for row in valid_rows(answers(program, *tables)):
        cell = tuple(row[key] for key in keys)
        for place, key in enumerate(keys):
            line = [other for other in sizes if other[:place] + other[place + 1 :] == cell[:place] + cell[place + 1 :]]
            assert row[f"along_{key}"] == sum(sizes[other] for other in line) - sizes[cell]


# --- bars -------------------------------------------------------------------------------------------------------------

NUMBERS = (Col("a", 0, 1 << 58, domain="arithmetic"), Col("b", 0, 1 << 58, domain="arithmetic"))


@pytest.mark.parametrize(
    ("bars", "passes"),
    [
        ([at_least("a", 5)], lambda a, _: a >= 5),
        ([Bar((("a", 3), ("b", -2)), 0)], lambda a, b: 3 * a - 2 * b >= 0),
        ([Bar((("a", -1),), -7), at_least("b", 1)], lambda a, b: a <= 7 and b >= 1),
        ([Bar((("a", 1), ("a", 2), ("b", 1)), 30)], lambda a, b: 3 * a + b >= 30),
    ],
)
def test_rows_that_miss_a_bar_are_cleared(bars: list[Bar], passes) -> None:
    pairs = [(0, 0), (5, 7), (4, 6), (4, 7), (7, 1), (8, 1), (7, 0), (9, 3), (9, 2), (1 << 57, 1)]
    table = Given(NUMBERS, [None, *({"a": a, "b": b} for a, b in pairs)])
    found = answers(lambda e, t: control(e, t, bars, ["a", "b"]), table)
    assert found == [None, *({"a": a, "b": b} if passes(a, b) else None for a, b in pairs)]


@pytest.mark.parametrize("factor", [90, 150])
def test_a_sum_beyond_2_to_63_is_compared_without_its_low_bits_and_never_to_a_rows_advantage(factor: int) -> None:
    top = 1 << 58
    pairs = [(top, top), (top - 1, top), (factor * 10**12, 10**14), (factor * 10**12 - 1, 10**14), (0, 0), (9, 1)]
    pairs += [(value, value * factor // 100 + more) for value in (10**15, 10**16) for more in (-(10**7), 10**7)]
    table = Given(NUMBERS, [{"a": a, "b": b} for a, b in pairs])
    bar = Bar((("a", 100), ("b", -factor)), 0)
    found = answers(lambda e, t: control(e, t, [bar], ["a"]), table)
    for (a, b), row in zip(pairs, found, strict=True):
        margin = 100 * a - factor * b
        assert row is None or margin >= 0
        assert row is not None or margin < 2**14, "only what is close to the bar is kept back"


def test_a_bar_that_reads_no_plain_number_is_a_fault_of_the_plan() -> None:
    table = shared(ClearEngine(), "in", Given(COLUMNS, [None]))
    for name in ("g", "v", "nothing"):
        with pytest.raises(InternalError):
            control(ClearEngine(), table, [at_least(name, 1)], [])


def test_contributions_of_a_table_that_names_no_entity_are_refused() -> None:
    table = shared(ClearEngine(), "in", Given(COLUMNS, [None]))
    grouping = Grouping((), (), 1, ())
    with pytest.raises(InternalError) as caught:
        by_entity(ClearEngine(), table, grouping, CONTRIBUTIONS, WANTED, Apart(OWNERS, (), mixed=False))
    assert caught.value.code == "relational/entity"
    assert clear_values(table.valid) == [0]
