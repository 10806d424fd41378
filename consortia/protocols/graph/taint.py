"""Money of seed accounts followed hop by hop: which payments it makes up, and so which accounts it reaches.

What a payment carries of the seeds' money: all of its amount if a seed pays. Otherwise what such money came to the
payer within a window before, at most the amount, and nothing if that is less than a given part of the amount.

Functionality: for payments and seeds on shares, the payments that carry anything after so many hops, as fresh shares.
Nothing is opened but what a sort opens; no bound of paths is needed, for each payment has one number whatever the
number of ways on which money came to it.
How: each payment stands three times in one sorted list: where it arrives (target, time), and where the window of what
it may pass on begins and ends (source, time - window and time). The order is found once. At each hop the amounts
carried are put where payments arrive; running sums, at the end less at the begin, are what came within the window.
Assumption and view: those of sort, permutation, comparison and product of the engine, which are all that sends.
Rounds: a semi-join and one sort, then for each hop after the first two permutations, two comparisons (one where
``part`` is 0) and products: 25 with circuits of few rounds.
"""

from dataclasses import dataclass

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.graph.patterns import AMOUNT, SOURCE, TARGET, TIME
from consortia.protocols.relational.carry import behind_zeros, running
from consortia.protocols.relational.comparisons import fill, is_negative, signed_bits
from consortia.protocols.relational.filter import keep_where
from consortia.protocols.relational.join import Join, join
from consortia.protocols.relational.order import key_planes
from consortia.protocols.relational.predicates import Call, Ref
from consortia.protocols.relational.table import SharedTable, cleared, packed
from consortia.protocols.shares import Arithmetic, Permutation, Rows

SEED = "seed"
"""The key column of the seeds."""
MOST_HOPS = 100
"""Of this protocol; specs allow fewer (``plans.specs.patterns``), since what reaches far says little."""


@dataclass(frozen=True, slots=True)
class Taint:
    """Follow over at most ``hops`` payments, each at most ``window`` after money came.

    A payment carries the seeds' money if that makes up at least part[0] / part[1] of its amount. The sum of all amounts
    is at most ``total`` < 2^62.
    """

    hops: int
    window: int
    part: tuple[int, int]
    total: int

    def __post_init__(self) -> None:
        least, whole = self.part
        if not 1 <= self.hops <= MOST_HOPS or self.window < 0 or not 0 <= least <= whole or whole < 1:
            raise InternalError("graph/range", f"money can't be followed so: {self}")


def tainted(engine: Engine, payments: SharedTable, seeds: SharedTable, spec: Taint) -> SharedTable:
    """The payments that carry the seeds' money: their targets as column ``a0``, valid where they do.

    ``payments`` have the columns of edges in ``patterns``, amounts from 0 on; a payment to oneself carries nothing, nor
    does one of the amount 0. ``seeds`` have a column ``SEED``, in which a key may stand many times.
    """
    paid = keep_where(engine.narrow("paid"), payments, Call("ne", (Ref(SOURCE), Ref(TARGET))))
    payers = SharedTable(paid.length, {SOURCE: paid.column(SOURCE)}, paid.valid)
    first = join(engine.narrow("first"), payers, seeds, Join("semi", ((SOURCE, SEED),)))
    of_seed = engine.narrow("of-seed").bit_to_arithmetic(first.valid)
    amounts = _number(paid, AMOUNT)
    carried = start = engine.narrow("start").multiply(of_seed, amounts)
    if spec.hops > 1:
        order = _window_order(engine.narrow("windows"), paid, spec.window)
        others = engine.narrow("others").bit_to_arithmetic(paid.valid ^ first.valid)
        for hop in range(2, spec.hops + 1):
            at = engine.narrow(f"hop-{hop}")
            passed = _passed(at, amounts, _came(at, order, carried), spec, paid.column(AMOUNT).hi)
            carried = start + at.narrow("others").multiply(others, passed)
    # rows that are not valid carry nothing either
    reached = engine.invert(engine.narrow("none").zero(carried, signed_bits(0, paid.column(AMOUNT).hi)))
    targets = SharedTable(paid.length, {"a0": paid.column(TARGET)}, paid.valid)
    return cleared(engine.narrow("targets"), targets, reached)


def _window_order(engine: Engine, payments: SharedTable, window: int) -> Permutation:
    """From the rows where windows begin, where they end, and where payments arrive, to all by (account, time).

    Times count from where the earliest window begins. Of one account and time, windows stand above what arrives then:
    so it counts where a window begins at that time, and not where one ends.
    """
    time = payments.column(TIME)
    bits = max(1, (time.hi - time.lo + window).bit_length())
    begin = _number(payments, TIME) - fill(engine, payments.length, time.lo)
    end = begin + fill(engine, payments.length, window)
    both = engine.narrow("time").decompose(begin.concatenated([end]), bits)
    end_planes = both.rows(payments.length, 2 * payments.length)
    source, target = (key_planes(payments, name) for name in (SOURCE, TARGET))
    keys = packed([both.concatenated([end_planes]), source.concatenated([source, target])])
    _, order = engine.narrow("sort").sort_keeping(keys, Rows())
    return order


def _came(engine: Engine, order: Permutation, carried: Arithmetic) -> Arithmetic:
    """Over the payments: how much of ``carried`` came to the payer in the window before."""
    count = carried.length
    there = engine.narrow("there").permuted(order, behind_zeros(engine, Rows((carried,)), 2 * count))
    sums = engine.narrow("back").put_back(order, running(there)).arithmetic[0]
    return sums.rows(count, 2 * count) - sums.rows(0, count)


def _passed(engine: Engine, amounts: Arithmetic, came: Arithmetic, spec: Taint, largest: int) -> Arithmetic:
    """Of what came at most the amount, and nothing if that is less than the part; any value in invalid rows."""
    spare = amounts - came
    over = is_negative(engine.narrow("over"), spare, signed_bits(-spec.total, largest))
    bit = engine.narrow("over-bit").bit_to_arithmetic(over)
    most = came + engine.narrow("most").multiply(bit, spare)
    least, whole = spec.part
    if not least:
        return most
    short = is_negative(
        engine.narrow("short"), most.scaled(whole) - amounts.scaled(least), signed_bits(0, largest * whole)
    )
    kept = engine.narrow("kept-bit").bit_to_arithmetic(engine.invert(short))
    return engine.narrow("kept").multiply(kept, most)


def _number(table: SharedTable, name: str) -> Arithmetic:
    value = table.column(name).value
    if not isinstance(value, Arithmetic):
        raise InternalError("graph/shape", f"`{name}` must be an arithmetic column")
    return value
