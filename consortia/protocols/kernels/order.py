"""Loops of shuffle and sort: public index work, and comparisons of rows taken by index.

A *segment* of a sort is a stretch of the order whose rows are known to lie between the same two finished rows. It
starts at ``start``, first ``pivots`` rows in ascending order, then ``free`` rows of which nothing is known. What a
batch does with it is its ``mode``, with ``count`` as the number of rows meant:

- WAIT: nothing.
- RANK: compare the first ``count`` free rows with each other; they become pivots.
- SAMPLE: the same, and every other free row with the first one; the segment is cut at that row.
- SPLIT: compare every free row with ``count`` of the pivots, evenly taken; the segment is cut at these.
- FINISH: compare all free rows with each other and with all pivots.
"""

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.kernels.compile import kernel

Words = NDArray[np.uint64]
Index = NDArray[np.int32]
"""Rows by number: below 2^31 of them."""

Long = NDArray[np.int64]

_I, _L = "int32[::1]", "int64[::1]"
_P = "uint64[:, ::1]"

WAIT, RANK, SAMPLE, SPLIT, FINISH = 0, 1, 2, 3, 4


@kernel(f"void({_L}, {_L}, {_L}, int64, int64, int64, int64, {_L}, {_L}, {_L})")
def choose_tasks(
    pivots: Long, free: Long, by_size: Long, ways: int, last: int, sample: int, capacity: int,
    mode: Long, count: Long, used: Long,
) -> None:  # fmt: skip
    """What each segment does in a batch of at most ``capacity`` comparisons, the largest first (``by_size``).

    ``sample`` > 0: the first batch, which ranks that many rows; ``last`` = 1: every segment is to be finished.
    ``used[0]`` becomes the number of comparisons taken.
    """
    taken = 0
    for place in range(by_size.size):
        i = by_size[place]
        p, u = pivots[i], free[i]
        if last == 1 or p + u <= 2:
            task, k, cost = FINISH, u, u * (u - 1) // 2 + u * p
        elif sample > 0:
            task, k, cost = RANK, sample, sample * (sample - 1) // 2
        elif p > 0:
            k = min(p, ways)
            task, cost = SPLIT, u * k
        else:
            # an odd number near 1.5 times the root: sorting it costs about one comparison for each row
            k = np.int64(np.sqrt(2.25 * u)) | 1
            if k >= u:
                task, k, cost = FINISH, u, u * (u - 1) // 2
            else:
                task, cost = SAMPLE, k * (k - 1) // 2 + u - k
        if taken + cost <= capacity:
            taken += cost
            mode[i], count[i] = task, k
        else:
            mode[i], count[i] = WAIT, 0
    used[0] = taken


@kernel(f"void({_I}, " + ", ".join([_L] * 5) + f", {_I}, {_I})")
def list_comparisons(  # noqa: C901 - one loop nest for each mode
    order: Index, start: Long, pivots: Long, free: Long, mode: Long, count: Long, left: Index, right: Index
) -> None:
    """Rows to compare, ``left < right``, in the order in which ``place_rows`` reads the answers."""
    m = 0
    for i in range(start.size):
        task, k, p = mode[i], count[i], pivots[i]
        first = start[i] + p
        if task == WAIT:
            continue
        if task == SPLIT and k == 1:
            left[m : m + free[i]] = order[start[i] + (p + 1) // 2 - 1]
            right[m : m + free[i]] = order[first : first + free[i]]
            m += free[i]
            continue
        if task == SPLIT:
            for j in range(first, first + free[i]):
                for a in range(1, k + 1):
                    left[m] = order[start[i] + a * (p + 1) // (k + 1) - 1]
                    right[m] = order[j]
                    m += 1
            continue
        for a in range(1, k):
            for b in range(a):
                left[m] = order[first + b]
                right[m] = order[first + a]
                m += 1
        if task == SAMPLE:
            for j in range(first + k, first + free[i]):
                left[m] = order[first]
                right[m] = order[j]
                m += 1
        elif task == FINISH:
            for j in range(first, first + free[i]):
                for a in range(start[i], start[i] + p):
                    left[m] = order[a]
                    right[m] = order[j]
                    m += 1


@kernel(f"void({_I}, " + ", ".join([_L] * 5) + f", uint64[::1], {_I}, " + ", ".join([_L] * 4) + ")")
def place_rows(  # noqa: C901, PLR0912, PLR0915, PLR0917 - one loop nest for each mode
    order: Index, start: Long, pivots: Long, free: Long, mode: Long, count: Long, bits: Words,
    scratch: Index, next_start: Long, next_pivots: Long, next_free: Long, made: Long,
) -> None:  # fmt: skip
    """Move the rows of every segment by the opened ``bits``, and list the segments that remain.

    ``scratch`` has twice the length of ``order``; ``made[0]`` becomes the number of remaining segments. Answers that
    contradict each other can repeat rows in ``order`` but never lead outside it.
    """
    n = order.size
    m = 0
    made[0] = 0
    for i in range(start.size):
        task, k, p, u, s = mode[i], count[i], pivots[i], free[i], start[i]
        if task == WAIT:
            q = made[0]
            next_start[q], next_pivots[q], next_free[q] = s, p, u
            made[0] = q + 1
            continue
        if task == SPLIT and k == 1:
            # cut in two: lower rows move up in place, the higher ones wait in scratch
            cut = (p + 1) // 2 - 1
            behind, below, above = p - cut, s + cut, p - cut
            scratch[:behind] = order[s + cut : s + p]
            for j in range(s + p, s + p + u):
                row = order[j]
                less = np.int64((bits[m >> 6] >> np.uint64(m & 63)) & np.uint64(1))
                m += 1
                order[below] = row
                scratch[above] = row
                below += 1 - less
                above += less
            order[below : s + p + u] = scratch[:above]
            for part in range(2):
                place = s if part == 0 else below + 1
                own_pivots, own_free = (cut, below - s - cut) if part == 0 else (behind - 1, above - behind)
                if own_free > 0 and own_pivots + own_free > 1:
                    q = made[0]
                    next_start[q], next_pivots[q], next_free[q] = place, own_pivots, own_free
                    made[0] = q + 1
            continue
        for j in range(p + u):
            scratch[j] = order[s + j]
        cuts = k
        pivot_rank = -1
        if task != SPLIT:
            # ranks of the first k free rows among themselves
            for a in range(k):
                scratch[n + a] = 0
            for a in range(1, k):
                for b in range(a):
                    less = np.int64((bits[m >> 6] >> np.uint64(m & 63)) & np.uint64(1))
                    scratch[n + a] += less
                    scratch[n + b] += 1 - less
                    m += 1
            if task == FINISH:
                # a pivot moves up by the free rows below it, a free row by the pivots below it
                for a in range(p):
                    order[s + a] = 0
                for j in range(u):
                    below = np.int64(0)
                    for a in range(p):
                        less = np.int64((bits[m >> 6] >> np.uint64(m & 63)) & np.uint64(1))
                        below += less
                        order[s + a] += 1 - less
                        m += 1
                    scratch[n + j] += below
                for a in range(p):
                    scratch[n + u + a] = a + order[s + a]
                for a in range(p):
                    order[s + scratch[n + u + a]] = scratch[a]
                for j in range(u):
                    order[s + scratch[n + j]] = scratch[p + j]
                continue
            for a in range(k):
                order[s + scratch[n + a]] = scratch[a]
            pivot_rank = scratch[n]
            for a in range(k):
                scratch[a] = order[s + a]
            p, u = k, u - k
            if task == RANK:
                q = made[0]
                next_start[q], next_pivots[q], next_free[q] = s, p, u
                made[0] = q + 1
                continue
            cuts = 1
        # the segment is cut at `cuts` of its p pivots; a free row belongs above as many as are less than it
        for c in range(cuts + 1):
            scratch[n + c] = 0
        ways = n + cuts + 1
        for j in range(u):
            child = np.int64(0)
            for _ in range(cuts):
                child += np.int64((bits[m >> 6] >> np.uint64(m & 63)) & np.uint64(1))
                m += 1
            scratch[ways + j] = child
            scratch[n + child] += 1
        place, before = s, 0
        for c in range(cuts + 1):
            if c == cuts:
                cut = p
            elif pivot_rank >= 0:
                cut = pivot_rank
            else:
                cut = (c + 1) * (p + 1) // (cuts + 1) - 1
            own_pivots, own_free = cut - before, scratch[n + c]
            for a in range(own_pivots):
                order[place + a] = scratch[before + a]
            if own_free > 0 and own_pivots + own_free > 1:
                q = made[0]
                next_start[q], next_pivots[q], next_free[q] = place, own_pivots, own_free
                made[0] = q + 1
            scratch[n + c] = place + own_pivots
            place += own_pivots + own_free
            if c < cuts:
                order[place] = scratch[cut]
                place += 1
            before = cut + 1
        for j in range(u):
            child = scratch[ways + j]
            order[scratch[n + child]] = scratch[p + j]
            scratch[n + child] += 1


@kernel(f"void(uint64[::1], {_I})")
def shuffle_index(draws: Words, index: Index) -> None:
    """A uniform permutation of 0..n-1 by Fisher and Yates from uniform ``draws`` (more than n of them).

    Places are bounded without bias (Lemire, ACM TOMACS 2019): a draw that would favour some place is skipped. One in
    2^64/n is; should the draws run out (never: 16 spare ones make that rarer than 2^-400) the last is used again.
    """
    half = np.uint64(32)
    low_half = np.uint64(0xFFFFFFFF)
    n = index.size
    for i in range(n):
        index[i] = i
    at = 0
    for i in range(n - 1, 0, -1):
        bound = np.uint64(i + 1)
        excess = (np.uint64(0) - bound) % bound
        draw = draws[at]
        while draw * bound < excess and at + 1 < draws.size:
            at += 1
            draw = draws[at]
        if at + 1 < draws.size:
            at += 1
        # the high word of draw * bound, for a bound below 2^32
        j = np.int64(((draw >> half) * bound + (((draw & low_half) * bound) >> half)) >> half)
        index[i], index[j] = index[j], index[i]


@kernel("void(uint64[:, ::1], uint64[:, ::1], int64, int64, int64, uint64[:, ::1])")
def combine_rows(x: Words, y: Words, adding: int, wide: int, sign: int, out: Words) -> None:
    """Row-major columns combined: the first ``adding`` words modulo 2^64, then ``wide`` pairs modulo 2^128 (x + y, or
    x - y for ``sign`` = -1), the rest by exclusive or. ``out`` may be ``x``.
    """  # noqa: D205 - one sentence, two lines
    pairs_end = adding + 2 * wide
    for i in range(x.shape[0]):
        for c in range(adding):
            if sign > 0:
                out[i, c] = x[i, c] + y[i, c]
            else:
                out[i, c] = x[i, c] - y[i, c]
        for c in range(adding, pairs_end, 2):
            if sign > 0:
                low = x[i, c] + y[i, c]
                out[i, c + 1] = x[i, c + 1] + y[i, c + 1] + np.uint64(low < y[i, c])
            else:
                low = x[i, c] - y[i, c]
                out[i, c + 1] = x[i, c + 1] - y[i, c + 1] - np.uint64(x[i, c] < y[i, c])
            out[i, c] = low
        for c in range(pairs_end, x.shape[1]):
            out[i, c] = x[i, c] ^ y[i, c]


@kernel(f"void(uint64[:, ::1], {_I}, {_I}, int64, uint64, uint64, {_P}, {_P}, {_P}, {_P})")
def compare_planes(  # noqa: C901, PLR0912, PLR0915 - one pass over memory
    rows: Words, left: Index, right: Index, bits: int, flip0: int, flip1: int,
    value0: Words, value1: Words, propagate0: Words, propagate1: Words,
) -> None:  # fmt: skip
    """Leaves of comparisons ``left < right``: bit j of the right rows in plane j of ``value``, its exclusive or with
    the left rows and ``flip`` in ``propagate``.

    A row has the words of its first component and then those of the second one. Where indices end, row 0 stands for
    both sides. Transposes squares of 64x64 bits, eight side by side so that every exchange is a vector operation, in
    two rounds of three steps on eight rows that stay in registers. Where 512 comparisons have one left row, as with
    the pivot of a long segment, its bits are taken whole.
    """  # noqa: D205 - one sentence, two lines
    square = np.zeros((64, 8), np.uint64)
    # unsigned: an index that can't be negative needs no check
    lefts, rights = np.zeros(512, np.uint64), np.zeros(512, np.uint64)
    width = value0.shape[1]
    lanes = (bits + 63) // 64
    for at in range(0, width, 8):
        wide = min(8, width - at)
        here = min(512, left.size - 64 * at)
        others = np.uint64(0)
        now, then = left[64 * at : 64 * at + here], right[64 * at : 64 * at + here]
        for i in range(here):
            lefts[i], rights[i] = now[i], then[i]
            others |= lefts[i] ^ lefts[0]
        for i in range(here, 512):
            lefts[i], rights[i] = 0, 0
        if here < 64 * wide:
            others |= lefts[0]
        for part in range(2):
            value, propagate, flip = (value0, propagate0, flip0) if part == 0 else (value1, propagate1, flip1)
            for lane in range(lanes):
                used = min(64, bits - 64 * lane)
                column = part * lanes + lane
                for side in range(2):
                    if side == 0:
                        for c in range(8):
                            for r in range(64):
                                square[r, c] = rows[rights[64 * c + r], column]
                    elif others != 0:
                        for c in range(8):
                            for r in range(64):
                                square[r, c] = rows[lefts[64 * c + r], column] ^ rows[rights[64 * c + r], column]
                    else:
                        for r in range(used):
                            word = (np.uint64(0) - ((rows[lefts[0], column] >> np.uint64(r)) & np.uint64(1))) ^ flip
                            target = propagate[64 * lane + r, at : at + wide]
                            if wide == 8:
                                for c in range(8):
                                    target[c] = square[r, c] ^ word
                            else:
                                for c in range(wide):
                                    target[c] = square[r, c] ^ word
                        continue
                    for half in range(2):
                        if half == 0:
                            step = 8
                            far, mid, near = np.uint64(32), np.uint64(16), np.uint64(8)
                            far_mask = np.uint64(0x00000000FFFFFFFF)
                            mid_mask = np.uint64(0x0000FFFF0000FFFF)
                            near_mask = np.uint64(0x00FF00FF00FF00FF)
                            groups = 8
                        else:
                            step = 1
                            far, mid, near = np.uint64(4), np.uint64(2), np.uint64(1)
                            far_mask = np.uint64(0x0F0F0F0F0F0F0F0F)
                            mid_mask = np.uint64(0x3333333333333333)
                            near_mask = np.uint64(0x5555555555555555)
                            groups = (used + 7) // 8
                        for group in range(groups):
                            row = group if half == 0 else 8 * group
                            for c in range(8):
                                r0 = square[row, c]
                                r1 = square[row + 1 * step, c]
                                r2 = square[row + 2 * step, c]
                                r3 = square[row + 3 * step, c]
                                r4 = square[row + 4 * step, c]
                                r5 = square[row + 5 * step, c]
                                r6 = square[row + 6 * step, c]
                                r7 = square[row + 7 * step, c]
                                v = ((r0 >> far) ^ r4) & far_mask
                                r0, r4 = r0 ^ (v << far), r4 ^ v
                                v = ((r1 >> far) ^ r5) & far_mask
                                r1, r5 = r1 ^ (v << far), r5 ^ v
                                v = ((r2 >> far) ^ r6) & far_mask
                                r2, r6 = r2 ^ (v << far), r6 ^ v
                                v = ((r3 >> far) ^ r7) & far_mask
                                r3, r7 = r3 ^ (v << far), r7 ^ v
                                v = ((r0 >> mid) ^ r2) & mid_mask
                                r0, r2 = r0 ^ (v << mid), r2 ^ v
                                v = ((r1 >> mid) ^ r3) & mid_mask
                                r1, r3 = r1 ^ (v << mid), r3 ^ v
                                v = ((r4 >> mid) ^ r6) & mid_mask
                                r4, r6 = r4 ^ (v << mid), r6 ^ v
                                v = ((r5 >> mid) ^ r7) & mid_mask
                                r5, r7 = r5 ^ (v << mid), r7 ^ v
                                v = ((r0 >> near) ^ r1) & near_mask
                                r0, r1 = r0 ^ (v << near), r1 ^ v
                                v = ((r2 >> near) ^ r3) & near_mask
                                r2, r3 = r2 ^ (v << near), r3 ^ v
                                v = ((r4 >> near) ^ r5) & near_mask
                                r4, r5 = r4 ^ (v << near), r5 ^ v
                                v = ((r6 >> near) ^ r7) & near_mask
                                r6, r7 = r6 ^ (v << near), r7 ^ v
                                square[row, c] = r0
                                square[row + 1 * step, c] = r1
                                square[row + 2 * step, c] = r2
                                square[row + 3 * step, c] = r3
                                square[row + 4 * step, c] = r4
                                square[row + 5 * step, c] = r5
                                square[row + 6 * step, c] = r6
                                square[row + 7 * step, c] = r7
                    result, change = (value, np.uint64(0)) if side == 0 else (propagate, flip)
                    for r in range(used):
                        target = result[64 * lane + r, at : at + wide]
                        if wide == 8:
                            for c in range(8):
                                target[c] = square[r, c] ^ change
                        else:
                            for c in range(wide):
                                target[c] = square[r, c] ^ change
