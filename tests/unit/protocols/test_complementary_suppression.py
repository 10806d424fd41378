"""Complementary suppression on shares against plain Python, and against an attacker who solves linear equations."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from consortia.errors import InternalError
from consortia.protocols.clear.engine import ClearEngine
from consortia.protocols.counting import CountingEngine
from consortia.protocols.engine import Engine
from consortia.protocols.relational.complementary import still_shown
from consortia.protocols.relational.complete import Domain
from consortia.protocols.relational.table import SharedColumn, SharedTable
from consortia.protocols.shamir.counting import ShamirCountingEngine
from consortia.protocols.shares import Boolean
from tests.plain_suppression import Attacker, Cell, cells_of, hidden_cells, margin, subsets
from tests.relations_world import check_declared, clear_values
from tests.shamir_world import ShamirWorld
from tests.shamir_world import reconstruct as shamir_values
from tests.world import World, reconstruct

SIZES = ((1,), (2,), (5,), (2, 2), (3, 4), (1, 3), (2, 3, 2))
MINIMUM = 3


def domains(sizes: Sequence[int], *, nullable: bool = False) -> list[Domain]:
    """Keys k0, k1, ...; with ``nullable`` the last value of each is NULL, and the least is 5."""
    lo = 5 if nullable else 0
    return [Domain(f"k{key}", lo, lo + size - 1 - nullable, nullable) for key, size in enumerate(sizes)]


def planes(engine: Engine, values: Sequence[int], bits: int) -> Boolean:
    return engine.constant_boolean(np.array(values, dtype=np.uint64).reshape(-1, 1), bits)


def table_of(engine: Engine, keys: Sequence[Domain], rows: Sequence[Cell], padding: int) -> SharedTable:
    """The rows, then as many that are not valid and zero everywhere."""
    columns = {}
    for place, domain in enumerate(keys):
        codes = [row[place] for row in rows]
        last = domain.hi - domain.lo
        known = [int(not domain.nullable or code <= last) for code in codes] + [0] * padding
        values = [code if at else 0 for code, at in zip(codes, known, strict=False)] + [0] * padding
        validity = planes(engine, known, 1) if domain.nullable else None
        columns[domain.key] = SharedColumn(planes(engine, values, domain.bits), domain.lo, domain.hi, validity)
    length = len(rows) + padding
    return SharedTable(length, columns, planes(engine, [1] * len(rows) + [0] * padding, 1))


def shown(keys: Sequence[Domain], rows: Sequence[Cell], passing: set[Cell], padding: int = 2) -> set[Cell]:
    engine = ClearEngine()
    table = table_of(engine, keys, rows, padding)
    bits = planes(engine, [int(row in passing) for row in rows] + [0] * padding, 1)
    found = engine.part(still_shown(engine, table, keys, bits))
    assert not any(found[len(rows) :])
    return {row for row, bit in zip(rows, found[: len(rows), 0], strict=True) if bit}


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("nullable", [False, True])
def test_what_is_shown_is_what_plain_python_shows(sizes: tuple[int, ...], nullable: bool) -> None:
    if nullable and min(sizes) < 2:
        return
    chance = random.Random(f"{sizes}")
    cells = cells_of(sizes)
    for share in (0.0, 0.2, 0.5, 0.9, 1.0):
        rows = [cell for cell in cells if chance.random() < max(share, 0.6)]
        chance.shuffle(rows)
        passing = {cell for cell in rows if chance.random() < share}
        wanted = set(cells) - hidden_cells(sizes, passing)
        assert shown(domains(sizes, nullable=nullable), rows, passing) == wanted


def shared_program(engine: Engine) -> list[Boolean]:
    """Ten groups of a table of three by four, of which some pass, and two rows of padding."""
    chance = random.Random(9)
    keys = domains((3, 4), nullable=True)
    rows = cells_of((3, 4))[:10]
    table = table_of(engine, keys, rows, 2)
    bits = planes(engine, [int(chance.random() < 0.9) for _ in rows] + [0, 0], 1)
    return [still_shown(engine, table, keys, bits)]


@pytest.mark.parametrize("group", [(3, 1), (5, 2)], ids=str)
def test_the_shamir_engine_shows_the_same_at_the_declared_cost(group: tuple[int, int]) -> None:
    [expected] = [clear_values(vector) for vector in shared_program(ClearEngine())]
    world = ShamirWorld(*group)
    found = world.run(shared_program)
    assert shamir_values([each[0] for each in found], group[1]) == expected
    counting = ShamirCountingEngine(world.group)
    shared_program(counting)
    check_declared(world, counting.counts)


def test_the_ring3_engine_shows_the_same_at_the_declared_cost() -> None:
    [expected] = [clear_values(vector) for vector in shared_program(ClearEngine())]
    assert 0 < sum(expected) < 9
    world = World(5)
    found = world.run(shared_program)
    assert reconstruct([each[0] for each in found]) == expected
    counting = CountingEngine(World.computers)
    shared_program(counting)
    check_declared(world, counting.counts)


def test_one_cell_needs_no_other() -> None:
    engine = ClearEngine()
    table = table_of(engine, [], [()], 0)
    assert still_shown(engine, table, [], table.valid) is table.valid


def test_a_key_that_is_not_shared_as_its_domain_says_is_refused() -> None:
    engine = ClearEngine()
    table = table_of(engine, domains((4,)), [(0,), (1,)], 0)
    with pytest.raises(InternalError, match="public domain"):
        still_shown(engine, table, [Domain("k0", 0, 8, nullable=False)], table.valid)


def counts(chance: random.Random, sizes: Sequence[int], empty: float) -> dict[Cell, int]:
    return {cell: 0 if chance.random() < empty else chance.choice((1, 2, 3, 5, 8, 13)) for cell in cells_of(sizes)}


def passing_of(table: dict[Cell, int]) -> set[Cell]:
    return {cell for cell, number in table.items() if number >= MINIMUM}


def found_by_margins(sizes: Sequence[int], table: dict[Cell, int], closed: set[Cell]) -> list[Cell]:
    """Failing cells that follow from the shown ones and all margins."""
    attacker = Attacker(cells_of(sizes))
    for keys in subsets(len(sizes)):
        for line in margin(table, keys):
            attacker.learn(cell for cell in table if tuple(cell[key] for key in keys) == line)
    for cell in set(table) - closed:
        attacker.learn([cell])
    return [cell for cell in set(table) - passing_of(table) if attacker.knows([cell])]


MARGINED = ((2,), (5,), (2, 3), (4, 3), (2, 3, 2))


@pytest.mark.parametrize("sizes", MARGINED)
def test_no_failing_cell_follows_from_the_table_and_all_its_margins(sizes: tuple[int, ...]) -> None:
    chance = random.Random(f"margins {sizes}")
    for _ in range(12):
        table = counts(chance, sizes, 0.05)
        assert found_by_margins(sizes, table, hidden_cells(sizes, passing_of(table))) == []


def test_the_attacker_finds_cells_where_only_failing_ones_are_hidden() -> None:
    chance = random.Random(1)
    tables = [counts(chance, (4, 3), 0.05) for _ in range(12)]
    found = [
        found_by_margins((4, 3), table, hidden_cells((4, 3), passing_of(table), partner=False)) for table in tables
    ]
    assert sum(map(len, found)) > 5


@pytest.mark.parametrize("sizes", MARGINED)
def test_what_a_margin_tells_beside_the_shown_cells_is_worth_a_passing_cell(sizes: tuple[int, ...]) -> None:
    chance = random.Random(f"worth {sizes}")
    for _ in range(12):
        table = counts(chance, sizes, 0.1)
        closed = hidden_cells(sizes, passing_of(table))
        for keys in subsets(len(sizes)):
            for line, total in margin(table, keys).items():
                under = [cell for cell in table if tuple(cell[key] for key in keys) == line]
                rest = sum(table[cell] for cell in under if cell in closed)
                assert rest == 0 or total < MINIMUM or rest >= MINIMUM


CHAINS = ([(), (0,), (0, 1)], [(1,), (0, 1)], [(), (1,), (1, 2), (0, 1, 2)], [(2,), (0, 1, 2)])


def found_in_chain(table: dict[Cell, int], sizes: Sequence[int], chain: list[tuple[int, ...]], partner: bool) -> int:
    """How many failing cells that are not empty follow from what all tables of a chain show; empty cells are known."""
    attacker = Attacker([cell for cell, number in table.items() if number])
    failing: list[list[Cell]] = []
    for keys in chain:
        rolled = margin(table, keys)
        under = {line: [cell for cell in table if tuple(cell[key] for key in keys) == line] for line in rolled}
        closed = hidden_cells([sizes[key] for key in keys], passing_of(rolled), partner=partner)
        for line in set(rolled) - closed:
            attacker.learn(under[line])
        failing += [under[line] for line, number in rolled.items() if 0 < number < MINIMUM]
    return sum(attacker.knows(cells) for cells in failing)


@pytest.mark.parametrize("chain", CHAINS, ids=str)
@pytest.mark.parametrize("empty", [0.0, 0.3, 0.7])
def test_no_failing_cell_follows_from_a_chain_of_tables_even_if_empty_cells_are_known(
    chain: list[tuple[int, ...]], empty: float
) -> None:
    sizes = (3, 3, 2)[: max(map(len, chain))]
    chance = random.Random(f"{chain} {empty}")
    for _ in range(15):
        assert found_in_chain(counts(chance, sizes, empty), sizes, chain, partner=True) == 0


def test_the_attacker_finds_cells_in_a_chain_where_only_failing_ones_are_hidden() -> None:
    chance = random.Random(2)
    tables = [counts(chance, (3, 3), 0.1) for _ in range(15)]
    assert sum(found_in_chain(table, (3, 3), CHAINS[0], partner=False) for table in tables) > 5


def test_p5_a_total_of_180_with_a_cell_of_177_does_not_tell_the_cell_of_3() -> None:
    """Two by three, minimum 10: the cell of 3 is hidden with a partner and their lines; totals do not tell it."""
    table = {(0, 0): 177, (0, 1): 3, (0, 2): 60, (1, 0): 40, (1, 1): 55, (1, 2): 20}
    passing = {cell for cell, number in table.items() if number >= 10}
    keys = domains((2, 3))
    visible = shown(keys, list(table), passing)
    assert visible == {(0, 2), (1, 2)}
    assert visible == set(table) - hidden_cells((2, 3), passing)
    attacker = Attacker(list(table))
    for key in (0, 1):
        for value in range((2, 3)[key]):
            attacker.learn(cell for cell in table if cell[key] == value)
    for cell in visible:
        attacker.learn([cell])
    assert not any(attacker.knows([cell]) for cell in set(table) - visible)
