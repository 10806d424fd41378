"""Relations on every engine: random tables with NULLs and padded rows in, rows out, declared against measured.

A row is a dict of integers or None (NULL) by column, or None itself: a padded row that is not valid. ``answers`` runs
one program on the clear engine and on three computers of either engine, checks the invariant of shared tables in what
comes out, and that the runs sent and opened what their counting engines declare.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from consortia.protocols.clear.engine import ClearEngine, value_words
from consortia.protocols.counting import CountingEngine
from consortia.protocols.engine import ColumnShape
from consortia.protocols.relational.table import SharedColumn, SharedTable
from consortia.protocols.shamir.counting import ShamirCountingEngine
from tests.shamir_world import ShamirWorld
from tests.shamir_world import reconstruct as shamir_values
from tests.world import World, integers_from_words, reconstruct, signed, words_from_integers

Row = dict[str, int | None] | None
Program = Callable[..., SharedTable]


@dataclass(frozen=True)
class Col:
    """One column: its name, bounds, domain, and whether NULL may stand in it."""

    name: str
    lo: int = 0
    hi: int = 7
    nullable: bool = False
    domain: str = "boolean"

    @property
    def shape(self) -> ColumnShape:
        width = max(1, (self.hi - self.lo).bit_length()) if self.domain == "boolean" else 64
        return ColumnShape(self.domain, width)

    def words(self, rows: Sequence[Row]) -> np.ndarray:
        base = self.lo if self.domain == "boolean" else 0
        values = [0 if row is None or row[self.name] is None else row[self.name] - base for row in rows]
        words = words_from_integers(values, 128 if self.domain == "wide" else self.shape.bits)
        return words[:, 0].copy() if self.domain == "arithmetic" else words


@dataclass(frozen=True)
class Given:
    """One table that a program gets: its columns, its rows, and the member that puts it in."""

    columns: tuple[Col, ...]
    rows: Sequence[Row]
    owner: str = "alpha"


def bits_of(flags: Sequence[bool]) -> np.ndarray:
    return np.array([[int(flag)] for flag in flags], np.uint64).reshape(-1, 1)


def shared(engine: Any, step: str, given: Given) -> SharedTable:
    """The table on shares, every column through ``input``, its owner's rows marked."""
    shapes, words = [ColumnShape("boolean", 1)], [bits_of([row is not None for row in given.rows])]
    for column in given.columns:
        shapes.append(column.shape)
        words.append(column.words(given.rows))
        if column.nullable:
            shapes.append(ColumnShape("boolean", 1))
            words.append(bits_of([row is not None and row[column.name] is not None for row in given.rows]))
    silent = isinstance(engine, CountingEngine) or (hasattr(engine, "ctx") and engine.ctx.member != given.owner)
    vectors = iter(engine.narrow(step).input(given.owner, len(given.rows), shapes, None if silent else words))
    valid = next(vectors)
    columns = {}
    for column in given.columns:
        value = next(vectors)
        columns[column.name] = SharedColumn(value, column.lo, column.hi, next(vectors) if column.nullable else None)
    return SharedTable(len(given.rows), columns, valid, {given.owner: valid})


def rows_of(table: SharedTable, read: Callable[[Any], list[int]]) -> list[Row]:
    """Clear rows, with the invariant checked: zero where invalid, canonical zero under NULL."""
    valid = read(lambda t: t.valid)
    found: list[dict[str, int | None]] = [{} for _ in valid]
    for name, column in table.columns.items():
        values = read(lambda t, name=name: t.columns[name].value)
        known = valid if column.validity is None else read(lambda t, name=name: t.columns[name].validity)
        base = column.lo if column.value.__class__.__name__.endswith("Boolean") else 0
        for place, (value, bit) in enumerate(zip(values, known, strict=True)):
            assert bit <= valid[place], "a validity bit without a valid bit"
            assert bit or value == 0, f"`{name}` is not zero where it is NULL or invalid"
            assert not bit or column.lo <= value + base <= column.hi, f"`{name}` = {value + base} out of its bounds"
            found[place][name] = value + base if bit else None
    for member in table.members:
        marks = read(lambda t, member=member: t.members[member])
        assert all(mark <= bit for mark, bit in zip(marks, valid, strict=True))
    return [row if bit else None for row, bit in zip(found, valid, strict=True)]


def clear_values(vector: Any) -> list[int]:
    values = integers_from_words(value_words(vector))
    kind = type(vector).__name__
    return values if kind == "ClearBoolean" else [signed(v, 64 if kind == "ClearArithmetic" else 128) for v in values]


def on_clear(program: Program, *given: Given) -> list[Row]:
    engine = ClearEngine()
    tables = [shared(engine, f"in-{i}", table) for i, table in enumerate(given)]
    result = program(engine.narrow("op"), *tables)
    return rows_of(result, lambda pick: clear_values(pick(result)))


def on_ring3(program: Program, *given: Given, world: World | None = None) -> list[Row]:
    world = world or World(1)

    def run(engine):
        tables = [shared(engine, f"in-{i}", table) for i, table in enumerate(given)]
        return program(engine.narrow("op"), *tables)

    results = world.run(run)
    return rows_of(results[0], lambda pick: reconstruct([pick(result) for result in results]))


def on_shamir(program: Program, *given: Given, world: ShamirWorld | None = None) -> list[Row]:
    world = world or ShamirWorld()

    def run(engine):
        tables = [shared(engine, f"in-{i}", table) for i, table in enumerate(given)]
        return program(engine.narrow("op"), *tables)

    results = world.run(run)
    threshold = world.group.threshold
    return rows_of(results[0], lambda pick: shamir_values([pick(result) for result in results], threshold))


def declared(program: Program, *given: Given, engine: Any = None) -> Any:
    engine = engine or CountingEngine(World.computers)
    tables = [shared(engine, f"in-{i}", table) for i, table in enumerate(given)]
    program(engine.narrow("op"), *tables)
    return engine.counts


def check_declared(world: World | ShamirWorld, counts: Any) -> None:
    """Bytes by member, rounds, and openings by kind are what the counting engine says."""
    for name in world.computers:
        said = sum(size for (_, by), size in counts.sent.items() if by == name)
        assert world.sent_bytes(name) == said
    rounds = sum(counts.rounds.values())
    assert {transcript.total_rounds() for transcript in world.transcripts} == {rounds}
    assert world.rounds() <= rounds
    for transcript in world.transcripts:
        assert openings(transcript.opened) == openings(counts.opened)


def openings(entries: Sequence[Any]) -> Counter:
    found: Counter = Counter()
    for entry in entries:
        found[entry.what, entry.to] += entry.elements
    return found


def answers(program: Program, *given: Given) -> list[Row]:
    """The rows, equal on the clear engine and on three computers, whose traffic is the declared one."""
    world = World(1)
    secret = on_ring3(program, *given, world=world)
    assert on_clear(program, *given) == secret
    check_declared(world, declared(program, *given))
    group = ShamirWorld()
    assert on_shamir(program, *given, world=group) == secret
    check_declared(group, declared(program, *given, engine=ShamirCountingEngine(group.group)))
    return secret


def trace(program: Program, *given: Given) -> dict:
    """What an observer of the wires sees: steps and sizes of each pair in order."""
    sent = defaultdict(list)

    def watch(step, sender, receiver, payload):
        sent[sender, receiver].append((step, len(payload)))
        return payload

    on_ring3(program, *given, world=World(5, interceptor=watch))
    return sent


def drawn(columns: Sequence[Col], rows: int, seed: int, *, padding: float = 0.2, values: int = 4) -> list[Row]:
    """Random rows with NULLs, duplicates and padded rows; each column takes at most ``values`` values and its ends."""
    draw = random.Random(f"{seed} {rows} {[column.name for column in columns]}")
    pools = {
        column.name: [column.lo, column.hi, *(draw.randint(column.lo, column.hi) for _ in range(values))]
        for column in columns
    }

    def value(column: Col) -> int | None:
        return None if column.nullable and draw.random() < 0.3 else draw.choice(pools[column.name])

    return [
        None if draw.random() < padding else {column.name: value(column) for column in columns} for _ in range(rows)
    ]


def valid_rows(rows: Sequence[Row]) -> list[dict[str, int | None]]:
    return [row for row in rows if row is not None]


def same_rows(left: Sequence[Any], right: Sequence[Any]) -> bool:
    """Equal as multisets."""

    def canonical(rows):
        return Counter(tuple(sorted(row.items())) if isinstance(row, dict) else tuple(row) for row in rows)

    return canonical(left) == canonical(right)
