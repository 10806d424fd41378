"""Sort: stable, ascending, by keys of any width.

Functionality: fresh random shares of the rows in stable ascending order of the unsigned keys.
How: the secret row number (public constants, shared for free) goes below the key bits, which makes keys distinct and
the sort stable. Keys and columns are shuffled (``order.shuffle``). Then a quicksort of the shuffled rows, whose
comparison bits are opened to all computers in batches of public size (``order.compare``, ``order.schedule``). What
follows from the bits is public index work on shuffled rows (``order.segments``): no traffic.
Assumption: one passively corrupted computer; AES-CTR under HKDF keys is pseudorandom.
View: besides the messages of shuffle and comparisons, the opened bits. All keys are distinct and the permutation is
uniform and unknown to each computer, so the order pattern of the shuffled list is uniform and independent of the data;
every opened bit, and every choice of what to compare next, is a function of that pattern. The simulator draws a
uniform pattern and runs the public side on it (Hamada et al., ICISC 2012; protocol-proofs.md, section 3). Ties broken
by the *public* place after the shuffle would not do: equal keys would show in the pattern. Comparisons that only fill a
batch compare row 0 with itself and open to 0. Nothing else is opened under this permutation.
Rounds 2 + batches * ceil(log2(k + b + 1)), for keys of k bits and b = ceil(log2 n); bytes: ``order.costs.sort``.
With probability below 1e-6 a sort needs more batches than are scheduled: these show the pattern too, nothing else.
"""

import numpy as np

from consortia.protocols.context import Context
from consortia.protocols.order.compare import OpenedComparisons
from consortia.protocols.order.kept import KeptOrder, draw_order, gathered
from consortia.protocols.order.rows import RowLayout, layout_of, length_of, pack, unpack
from consortia.protocols.order.schedule import schedule
from consortia.protocols.order.segments import Segments
from consortia.protocols.order.shuffle import draw_permutation, permuted
from consortia.protocols.shares import Rows
from consortia.protocols.sharing.public import constant_boolean
from consortia.protocols.sharing.ring3 import Ring3Boolean


def sort(ctx: Context, keys: Ring3Boolean, rows: Rows) -> Rows:
    """``rows`` in stable ascending order of ``keys``; they come back in order where ``rows`` has this very vector."""
    length_of(rows, keys.length)
    return rows if layout_of(rows).words == 0 else sort_keeping(ctx, keys, rows)[0]


def sort_keeping(ctx: Context, keys: Ring3Boolean, rows: Rows) -> tuple[Rows, KeptOrder]:
    """As ``sort``, with the order of the rows; sorts even if no column is given."""
    length = keys.length
    length_of(rows, length)
    # the keys themselves move once, whether they are wanted back or not
    others = Rows(rows.arithmetic, tuple(column for column in rows.boolean if column is not keys), rows.wide)
    content = layout_of(others)
    if length < 2:
        return rows, draw_order(ctx.narrow("draw"), length)
    number_bits = (length - 1).bit_length()
    numbers = constant_boolean(ctx, np.arange(length, dtype=np.uint64).reshape(-1, 1), number_bits)
    distinct = numbers.below(keys)
    # the keys stand first among the bits, so that they begin a word
    layout = RowLayout(False, content.arithmetic, content.wide, (distinct.bits, *content.boolean))
    packed = pack(layout, Rows(rows.arithmetic, (distinct, *others.boolean), rows.wide), length)
    permutation = draw_permutation(ctx.narrow("draw"), length)
    shuffled = permuted(ctx.narrow("shuffle"), permutation, layout, packed)

    lanes = (distinct.bits + 63) // 64
    at = slice(layout.numbers, layout.numbers + lanes)
    keys_by_row = np.ascontiguousarray(shuffled[0][:, at]), np.ascontiguousarray(shuffled[1][:, at])
    plan = schedule(length)
    comparisons = OpenedComparisons(keys_by_row, distinct.bits)
    segments, batch = Segments(length, plan), 0
    while batch < len(plan.batches) or not segments.sorted:
        batch += 1
        segments.place(comparisons.less_than(ctx.narrow(f"batch-{batch}"), *segments.comparisons()))
        if segments.scattered:
            comparisons.arrange(segments.collect())
    order = segments.order()
    moved = unpack(layout, (gathered(shuffled[0], order), gathered(shuffled[1], order)))
    own, following = moved.boolean[0].planes(number_bits, distinct.bits), iter(moved.boolean[1:])
    boolean = tuple(own if column is keys else next(following) for column in rows.boolean)
    return Rows(moved.arithmetic, boolean, moved.wide), KeptOrder(permutation, order)
