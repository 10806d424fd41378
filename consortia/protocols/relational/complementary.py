"""Complementary suppression on shares: no cell that failed a rule follows from sums of others, published or not.

Functionality. A table of groups with distinct keys from public domains, and one bit a row: it passes all rules. A cell
*fails* if no row passes for it (an empty cell fails too). For each key let B be its values that a failing cell has, and
A = B and the first value, in the public order, that is not in B. Passing cells whose every key lies in its A are hidden
too; if nothing fails, nothing is hidden. Nobody learns why a cell is hidden.

Why that suffices. Rules are monotone: where every part of a cell passes, the cell does (more contributors; for sums of
values of one sign also dominance and p%, since the n largest of a whole hold no more than those of its parts). So with
further keys B only grows, and A with it: let y be the first value outside of B, and B' contain B; then y is in B', or
it is still the first outside. Let tables over keys K1 < K2 < ... of the same rows be opened so, and x be a cell of one
of them that fails and is not empty. Then some change of the data moves x and no opened cell:

- Take the coarsest table in which the cell over x fails; the cell m over that one passes there (or is the whole). If
  one of the keys that were added has a value outside of its B, choose it for that key (y, in A) and any of A for the
  other added keys: every cell with it passes, so it holds contributors. Otherwise all values of the added keys are in
  A; let then another cell of m than x hold a contributor, if there is one. Call the cell that was found z: it holds
  contributors, its keys are in A at this table and so in all finer ones, and below z there is in each finer table a
  cell that holds contributors and whose keys are in A, by the same choice.
- Moving one contributor's value from below z to below x changes, in each table from this one on, only cells whose keys
  are all in A (those over x fail), and in coarser ones nothing, as both lie under m.
- If all contributors of m are in x (m is the whole, or x fails the full-cell rule alone, since its line is otherwise
  empty: all other rules say of x what they say of m), all other cells of m are empty and fail too. So every value of
  the added keys is in B and all cells of m are hidden. Let z be any other one: below it everything is empty and fails,
  and below x a cell that holds contributors and whose keys are in A is found as above. Moving a contributor's value
  from there to below z changes again only cells whose keys are all in A.

So x is no linear combination of opened cells, whatever is empty for reasons that everybody knows. If every combination
of keys can occur, more holds: with any two values of each A, all margins of the table stay as they are, so no failing
cell follows from the table and all its margins. And what a margin tells beside the shown cells under it is worth a
passing cell: with a value outside of B for an added key, all cells of that value pass; else nothing is shown under it.

What it tells: the pattern of hidden cells. As the order is public, whoever reads the pattern can tell which value of a
key was added for the others' sake.

Simulation: nothing is opened, every message is one of an engine operation. Rounds: one equality, one AND, one
conversion of bits, one comparison, one OR over prefixes and one AND for each key, and one AND for each key more; bytes
grow with rows times values of all keys. Assumption: that of the engine's operations.
Sources: Cox, Suppression methodology and statistical disclosure control, JASA 75 (1980); Hundepool et al.,
Statistical Disclosure Control (2012), section 4.3.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import numpy as np

from consortia.protocols.engine import Engine
from consortia.protocols.relational.comparisons import fill, fill_planes
from consortia.protocols.relational.complete import Domain, check_key
from consortia.protocols.relational.table import SharedColumn, SharedTable, joined, packed, split, unpacked
from consortia.protocols.shares import Arithmetic, Boolean


def still_shown(engine: Engine, table: SharedTable, domains: Sequence[Domain], passing: Boolean) -> Boolean:
    """One plane: the row passes and is not hidden for another's sake. ``passing`` implies the valid bit.

    Without ``domains`` there is one cell, which no other could tell. InternalError ``relational/shape`` if a key is
    not shared as its domain says.
    """
    if not domains:
        return passing
    marks = [
        engine.narrow(f"mark-{domain.key}").conjunction(
            _values(engine.narrow(f"value-{domain.key}"), table, domain), passing
        )
        for domain in domains
    ]
    fails, *by_key = _failing(engine.narrow("failing"), domains, marks, passing)
    hidden = _repeated(fails, table.length)
    for domain, mark, bits in zip(domains, marks, by_key, strict=True):
        step = engine.narrow(f"hide-{domain.key}")
        chosen = _repeated(_with_first_other(step.narrow("first"), bits), table.length)
        line = _either(step.narrow("line").conjunction(mark, chosen))
        hidden = step.narrow("and").conjunction(hidden, line)
    return passing ^ hidden


def sizes_of(domains: Sequence[Domain]) -> list[int]:
    """The number of values of each domain, NULL included."""
    return [domain.hi - domain.lo + 1 + int(domain.nullable) for domain in domains]


def _values(engine: Engine, table: SharedTable, domain: Domain) -> Boolean:
    """A plane for each value of the domain, NULL last: the row has it."""
    column = table.column(domain.key)
    check_key(column, domain)
    [size] = sizes_of([domain])
    key = _key(column)
    above = [*range(domain.hi - domain.lo + 1), *([0] if domain.nullable else [])]
    known = [int(place <= domain.hi - domain.lo) for place in range(size)]
    codes = [value | (known[place] << domain.bits if domain.nullable else 0) for place, value in enumerate(above)]
    constants = np.repeat(np.array(codes, dtype=np.uint64), table.length).reshape(-1, 1)
    equal = engine.equal(joined([key] * size), engine.constant_boolean(constants, key.bits))
    return packed(split(equal, [table.length] * size))


def _key(column: SharedColumn) -> Boolean:
    """The key's planes with the bit that it is known above them; NULL is zero everywhere."""
    value = column.value
    if not isinstance(value, Boolean):  # ``check_key`` has seen to it
        raise TypeError("a key is shared as bits")
    return value if column.validity is None else packed([value, column.validity])


def _failing(engine: Engine, domains: Sequence[Domain], marks: Sequence[Boolean], passing: Boolean) -> list[Boolean]:
    """Whether any cell fails; then for each key one row, a plane for each of its values: a cell with it fails.

    A line of the table has as many cells as the other keys have combinations; it holds a failing one if fewer pass.
    """
    sizes = sizes_of(domains)
    cells = prod(sizes)
    lines = [passing, *(plane for mark in marks for plane in unpacked(mark, [1] * mark.bits))]
    wanted = [cells, *(cells // size for size in sizes for _ in range(size))]
    bits = engine.narrow("count").bit_to_arithmetic(joined(lines))
    missing = joined(
        [count - fill(engine, 1, full) for count, full in zip(_sums(bits, passing.length), wanted, strict=True)]
    )
    fails = split(engine.narrow("compare").negative(missing, cells.bit_length() + 1), [1] * len(wanted))
    rows, place = [fails[0]], 1
    for size in sizes:
        rows.append(packed(fails[place : place + size]))
        place += size
    return rows


def _sums(values: Arithmetic, length: int) -> list[Arithmetic]:
    """The sum of each ``length`` rows."""
    so_far = values.prefix_sums()
    ends = [so_far.rows(end - 1, end) for end in range(length, values.length + 1, length)]
    return [ends[0], *(after - before for before, after in pairwise(ends))]


def _with_first_other(engine: Engine, bits: Boolean) -> Boolean:
    """``bits`` (one row) and the lowest plane that is 0 in it, if there is one."""
    others = engine.invert(bits).reversed_planes()
    reached = engine.filled(others)  # the lowest plane stands highest here
    nothing = fill_planes(engine, 1, 0, 1)
    above = nothing if bits.bits == 1 else packed([reached.planes(1, bits.bits), nothing])
    return bits ^ (reached ^ above).reversed_planes()


def _repeated(row: Boolean, length: int) -> Boolean:
    """The one row, ``length`` times. Local."""
    found = row
    while found.length < length:
        found = joined([found, found])
    return found.rows(0, length)


def _either(planes: Boolean) -> Boolean:
    """One plane: the exclusive or of all planes, of which at most one is 1 in a row. Local."""
    first, *others = unpacked(planes, [1] * planes.bits)
    for plane in others:
        first = first ^ plane
    return first
