"""The place of the greatest value, as a one-hot choice, without opening anything.

Functionality: of ``candidates`` times ``columns`` numbers, candidate by candidate, shares of one 1 in each column, at
its first greatest number.
How: a tournament of neighbours, all columns and matches of a round in one batch, so that of equals the earlier one
goes on; then the bits of the matches lead back from the one winner: each of two gets the winner's 1 times "I won".
Assumption and view: comparison, conversion and product of the engine, which are all that sends.
Rounds: with k = ceil(log2 candidates), k times those of a comparison, 3 more up and 1 down.
"""

from consortia.protocols.engine import Engine
from consortia.protocols.fixed.numbers import Fixed, public, stacked
from consortia.protocols.shares import Arithmetic


def best(engine: Engine, values: Fixed, candidates: int) -> Arithmetic:
    """0 or 1 for each value: 1 at the first greatest of each column."""
    columns = values.length // candidates
    current, width = values.carried, candidates
    matches: list[Arithmetic] = []
    while width > 1:
        at = engine.narrow(f"round-{len(matches)}")
        pairs = width // 2
        first, second = _apart(current.rows(0, 2 * pairs * columns), columns)
        loses = at.narrow("compare").negative(first - second, values.bits + 1)
        bit = at.narrow("bit").bit_to_arithmetic(loses)
        better = first + at.narrow("take").multiply(bit, second - first)
        current = stacked([better, current.rows(2 * pairs * columns, width * columns)])
        matches.append(bit)
        width -= pairs
    chosen = public(engine, columns, 1, 0).carried
    for number, bit in reversed(list(enumerate(matches))):
        played, rest = chosen.rows(0, bit.length), chosen.rows(bit.length, chosen.length)
        second = engine.narrow(f"back-{number}").multiply(played, bit)
        chosen = stacked([_together(played - second, second, columns), rest])
    return chosen


def _apart(rows: Arithmetic, columns: int) -> tuple[Arithmetic, Arithmetic]:
    """Rows 0, 2, 4 and so on of so many columns, and the others. Local."""
    turned = rows.transposed(2 * columns)
    half, pairs = turned.length // 2, turned.length // (2 * columns)
    return turned.rows(0, half).transposed(pairs), turned.rows(half, 2 * half).transposed(pairs)


def _together(first: Arithmetic, second: Arithmetic, columns: int) -> Arithmetic:
    """The inverse."""
    pairs = first.length // columns
    return stacked([first.transposed(columns), second.transposed(columns)]).transposed(pairs)
