"""Products and numbers of Z_2^64 divided by 2^f: fixed-point multiplication in two rounds.

Functionality: for |z| < 2^62 (z a product, a sum of products, or a shared number) draws r_l uniform in [0, 2^f), tells
it to the computers of roles 0 and 1, and outputs fresh random shares of floor((z + r_l) / 2^f). That is z / 2^f off by
less than one unit, right in the mean, exact where 2^f divides z. With ``exact`` it outputs floor(z / 2^f).
How (protocol-proofs.md, section 2): after the local products z = z0 + z1 + z2 with zi at role i; z' = z + 2^62 lies in
[0, 2^63). Roles 0 and 1 draw r = s + t from their seed, b = r >> 63. Round 1: role 0 sends z0 + s and role 1 sends
z1 + t to role 2, which learns c = z' + r. In the same round they send each other the masks w_b, w'_b of f bits, out of
pairs that each shares with role 2. Role 2 draws y0 and y2 from its seeds. z' + r wraps exactly if b = 1 and c < 2^63;
so with A_0 = (c >> f) - y0 - y2 and A_1 = A_0 + (1 - (c >> 63)) 2^(64-f), the share y1 is A_b - (r >> f) - 2^(62-f).
Round 2: role 2 sends the low 64 - f bits of A_0, which are those of A_1 too, and the top f bits of A_0 and of A_1 under
w_0, w_1 (to role 0) and w'_0, w'_1 (to role 1), which can open entry b only.
The sum of truncations exceeds floor(z'/2^f) by [c_l < r_l], c_l and r_l the low f bits. ``exact`` takes that bit away:
role 2 shares the planes of c_l under a mask it has in common with role 0 (to role 1, in round 2), the planes of r_l
are known to roles 0 and 1, hence a sharing without a message; less-than, bit to number.
A number x has two of its parts at role 0, so there role 0 sends x0 + x1 + r and role 1 nothing.
Assumption: one passively corrupted computer; AES-CTR under HKDF keys is pseudorandom; |z| < 2^62, which the caller
proves: outside of it results are wrong by multiples of 2^(64-f).
View: role 2 receives z0 + s and z1 + t (or x0 + x1 + r): uniform. Role 0 receives w_b, uniform, and entry b of A, which
y2 masks (unknown to it, used nowhere else in its view), the other entry under w_(1-b). Role 1 alike with y0. Given r
and the output share each view is determined or uniform. r_l is part of the functionality: whoever sees many results
of one z, and r_l, narrows z below the unit (Li et al., USENIX Security 2023; docs/limits.md).
Many rows are cut into three chunks whose roles rotate, so that all computers send alike.
Rounds 2; bytes a row over all computers 32 + f/2 (24 + f/2 for a number alone). ``exact``: ceil(log2(f+1)) + 2 rounds
and 24 + f/8 + 3/8 a gate of the less-than more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consortia.errors import InternalError
from consortia.protocols import randomness
from consortia.protocols.arithmetic.matrix import add_own_products
from consortia.protocols.boolean.compare import less_than
from consortia.protocols.context import Context
from consortia.protocols.conversion.bits import bit_to_arithmetic
from consortia.protocols.fixed.costs import chunks, packed_words
from consortia.protocols.kernels import truncate as kernels
from consortia.protocols.kernels.planes import planes_from_words, words_of
from consortia.protocols.randomness import KeyStream
from consortia.protocols.sharing.ring3 import Ring3Arithmetic, Ring3Boolean, check_equal

Words = NDArray[np.uint64]
Masked = Callable[[int, slice, Words, Words], None]
"""(role, rows, mask, out): writes what the role knows of z in these rows, plus the mask."""

MOST_BITS: Final = 62
PIECE: Final = randomness.PIECE // 8
"""Rows at a time: masks and sums of one piece stay in the processor's cache, and a draw of many rows is cut alike."""


def multiply_truncate(
    ctx: Context, x: Ring3Arithmetic, y: Ring3Arithmetic, fraction: int, *, exact: bool = False
) -> Ring3Arithmetic:
    """Row by row x y / 2^fraction, for |x y| < 2^62 and 1 <= fraction <= 62."""
    check_equal("lengths", x.length, y.length)

    def masked(role: int, rows: slice, mask: Words, out: Words) -> None:  # noqa: ARG001 - all roles have one part
        kernels.masked_product(x.first[rows], x.second[rows], y.first[rows], y.second[rows], mask, out)

    return truncated(ctx, x.length, masked, fraction, exact=exact, parts=3)


def matrix_product_truncate(
    ctx: Context,
    x: Ring3Arithmetic,
    y: Ring3Arithmetic,
    shape: tuple[int, int, int],
    fraction: int,
    *,
    exact: bool = False,
) -> Ring3Arithmetic:
    """X (rows, inner) times Y (inner, columns) / 2^fraction, for sums below 2^62; ``shape`` is rows, inner, columns."""
    rows, inner, columns = shape
    check_equal("lengths", x.length, rows * inner)
    check_equal("lengths", y.length, inner * columns)
    if inner == 0:
        return Ring3Arithmetic(np.zeros(rows * columns, np.uint64), np.zeros(rows * columns, np.uint64))
    own = np.zeros(rows * columns, np.uint64)
    if own.size:
        add_own_products(x, y, own.reshape(rows, columns))

    def masked(role: int, part: slice, mask: Words, out: Words) -> None:  # noqa: ARG001 - all roles have one part
        np.add(own[part], mask, out=out)

    return truncated(ctx, own.size, masked, fraction, exact=exact, parts=3)


def truncate(ctx: Context, x: Ring3Arithmetic, fraction: int, *, exact: bool = False) -> Ring3Arithmetic:
    """Row by row x / 2^fraction, for |x| < 2^62 and 1 <= fraction <= 62."""

    def masked(role: int, rows: slice, mask: Words, out: Words) -> None:
        np.add(x.first[rows], mask, out=out)
        if role == 0:
            out += x.second[rows]

    return truncated(ctx, x.length, masked, fraction, exact=exact, parts=2)


def truncated(ctx: Context, length: int, masked: Masked, fraction: int, *, exact: bool, parts: int) -> Ring3Arithmetic:
    """A sum of parts divided by 2^fraction: of three parts, one at each role, or of two, at roles 0 and 2."""
    if not 1 <= fraction <= MOST_BITS:
        raise InternalError("protocol/range", f"a division by 2^{fraction} is not defined", place=ctx.step)
    if length == 0:
        return Ring3Arithmetic(np.zeros(0, np.uint64), np.zeros(0, np.uint64))
    run = _Run(ctx, length, fraction, masked, parts, exact=exact)
    run.first_round()
    run.second_round()
    value = Ring3Arithmetic(run.first, run.second)
    if not exact:
        return value
    above = less_than(ctx.narrow("less-than"), *run.low_parts(length))
    return value - bit_to_arithmetic(ctx.narrow("bit"), above)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some rows of a chunk: as rows of the whole vector, as rows of the chunk, as words of its packed fields."""

    rows: slice
    own: slice
    packed: slice

    @property
    def size(self) -> int:
        return int(self.own.stop - self.own.start)

    @property
    def packed_size(self) -> int:
        return int(self.packed.stop - self.packed.start)


class _Run:
    """One computer's side of the two rounds. In chunk i this computer has the role rank - i (modulo 3)."""

    def __init__(self, ctx: Context, length: int, fraction: int, masked: Masked, parts: int, *, exact: bool) -> None:
        self.ctx, self.fraction, self.masked, self.parts, self.exact = ctx, fraction, masked, parts, exact
        self.chunks = [slice(start, stop) for start, stop in chunks(length)]
        self.first, self.second = np.empty(length, np.uint64), np.empty(length, np.uint64)
        self.r: dict[int, Words] = {}
        self.got: dict[int, tuple[Words, Words]] = {}
        """What came from roles 0 and 1 by chunk, where this computer has role 2."""
        self.choices: dict[int, Words] = {}
        """The packed masks of the chosen entry by chunk, where this computer has role 0 or 1."""
        self.low: dict[int, tuple[Words | None, ...]] = {}
        """By chunk this computer's two components of the planes of c_l, then of r_l; None is zero."""

    def _role(self, chunk: int) -> int:
        return (self.ctx.rank - chunk) % 3

    def _stream(self, chunk: int, component: int, purpose: str) -> KeyStream:
        """From the seed of roles ``component`` and ``component - 1``."""
        return self.ctx.key_stream((component + chunk) % 3, f"{purpose}-{chunk}")

    def _masks(self, chunk: int, role: int) -> tuple[KeyStream, KeyStream]:
        """The packed masks of both entries under which role 2 sends to ``role``."""
        # the other of roles 0 and 1 has them in common with role 2
        seed = 2 if role == 0 else 0
        return self._stream(chunk, seed, f"zero-{role}"), self._stream(chunk, seed, f"one-{role}")

    def _pieces(self, chunk: int) -> list[_Piece]:
        """The rows of a chunk, in pieces whose packed fields fill whole words."""
        rows = self.chunks[chunk]
        count, f = rows.stop - rows.start, self.fraction
        return [
            _Piece(
                slice(rows.start + start, rows.start + min(start + PIECE, count)),
                slice(start, min(start + PIECE, count)),
                slice(packed_words(start, f), packed_words(min(start + PIECE, count), f)),
            )
            for start in range(0, count, PIECE)
        ]

    def first_round(self) -> None:
        """Towards role 2 the masked parts, between roles 0 and 1 the masks of the chosen entry."""

        def size(rows: int, sender: int, receiver: int) -> int:
            if sender == 2:
                return 0
            if receiver == 2:
                return rows if sender == 0 or self.parts == 3 else 0
            return packed_words(rows, self.fraction)

        mail = _Mail(self.ctx.narrow("round-1"), self.chunks, size)
        for chunk in range(len(self.chunks)):
            if self._role(chunk) != 2:
                self._send_part(mail, chunk)
        mail.exchange()
        for chunk in range(len(self.chunks)):
            role = self._role(chunk)
            if role == 2:
                self.got[chunk] = (mail.of(chunk, 0), mail.of(chunk, 1))
            else:
                self.choices[chunk] = mail.of(chunk, 1 - role)

    def _send_part(self, mail: "_Mail", chunk: int) -> None:
        role, rows = self._role(chunk), self.chunks[chunk]
        r = self.r[chunk] = np.empty(rows.stop - rows.start, np.uint64)
        draws = [self._stream(chunk, 1, purpose) for purpose in ("s", "t")[: self.parts - 1]]
        entries = self._masks(chunk, 1 - role)
        message, chosen = mail.to(chunk, 2), mail.to(chunk, 1 - role)
        for piece in self._pieces(chunk):
            masks = [stream.draw(piece.size) for stream in draws]
            if role < self.parts - 1:
                self.masked(role, piece.rows, masks[role], message[piece.own])
            if self.parts == 2:
                r[piece.own] = masks[0]
            else:
                np.add(masks[0], masks[1], out=r[piece.own])
            fields = (stream.draw(piece.packed_size) for stream in entries)
            kernels.chosen_fields(r[piece.own], *fields, self.fraction, chosen[piece.packed])

    def second_round(self) -> None:
        """From role 2 both entries, and for the exact result the planes of c_l to role 1."""

        def size(rows: int, sender: int, receiver: int) -> int:
            if sender != 2:
                return 0
            planes = self.fraction * words_of(rows) if self.exact and receiver == 1 else 0
            return rows + packed_words(rows, self.fraction) + planes

        mail = _Mail(self.ctx.narrow("round-2"), self.chunks, size)
        for chunk in range(len(self.chunks)):
            role = self._role(chunk)
            if role == 2:
                self._send_choices(mail, chunk)
            else:
                # role i holds component i first and component i + 1 second
                share, seed, purpose = (self.first, 0, "y0") if role == 0 else (self.second, 2, "y2")
                self._stream(chunk, seed, purpose).fill(share[self.chunks[chunk]])
        mail.exchange()
        for chunk in range(len(self.chunks)):
            if self._role(chunk) != 2:
                self._open_choice(mail, chunk)

    def _send_choices(self, mail: "_Mail", chunk: int) -> None:
        rows, f = self.chunks[chunk], self.fraction
        count = rows.stop - rows.start
        to_0, to_1 = mail.to(chunk, 0), mail.to(chunk, 1)
        cut = slice(count, count + packed_words(count, f))
        y0, y2 = self._stream(chunk, 0, "y0"), self._stream(chunk, 2, "y2")
        entries = *self._masks(chunk, 0), *self._masks(chunk, 1)
        c = np.empty(count if self.exact else min(count, PIECE), np.uint64)
        for piece in self._pieces(chunk):
            at = c[piece.own] if self.exact else c[: piece.size]
            self._add_parts(chunk, piece, at)
            y0.fill(self.second[piece.rows])
            y2.fill(self.first[piece.rows])
            fields = (stream.draw(piece.packed_size) for stream in entries)
            kernels.both_choices(
                at, self.second[piece.rows], self.first[piece.rows], *fields, f,
                to_0[piece.own], to_0[cut][piece.packed], to_1[piece.own], to_1[cut][piece.packed],
            )  # fmt: skip
        if self.exact:
            mask = np.empty((f, words_of(count)), np.uint64)
            self._stream(chunk, 0, "low").fill(mask)
            masked = planes_from_words(c, f) ^ mask
            to_1[cut.stop :] = masked.reshape(-1)
            self.low[chunk] = (masked, mask, None, None)

    def _add_parts(self, chunk: int, piece: _Piece, c: Words) -> None:
        """At role 2: c = z + 2^62 + r."""
        of_0, of_1 = self.got[chunk]
        self.masked(2, piece.rows, of_0[piece.own], c)
        if self.parts == 3:
            c += of_1[piece.own]
        c += np.uint64(1 << 62)

    def _open_choice(self, mail: "_Mail", chunk: int) -> None:
        role, rows, f = self._role(chunk), self.chunks[chunk], self.fraction
        count = rows.stop - rows.start
        got, r = mail.of(chunk, 2), self.r[chunk]
        cut = slice(count, count + packed_words(count, f))
        y1 = self.second if role == 0 else self.first
        kernels.chosen_value(r, got[:count], got[cut], self.choices[chunk], f, y1[rows])
        if self.exact:
            low = planes_from_words(r, f)
            if role == 0:
                mask = np.empty_like(low)
                self._stream(chunk, 0, "low").fill(mask)
                self.low[chunk] = (mask, None, None, low)
            else:
                self.low[chunk] = (None, got[cut.stop :].reshape(low.shape), low, None)

    def low_parts(self, length: int) -> tuple[Ring3Boolean, Ring3Boolean]:
        """The planes of c_l and of r_l, all chunks."""
        shapes = [(self.fraction, words_of(rows.stop - rows.start)) for rows in self.chunks]
        c0, c1, r0, r1 = (
            np.concatenate(
                [
                    np.zeros(shape, np.uint64) if (planes := self.low[chunk][place]) is None else planes
                    for chunk, shape in enumerate(shapes)
                ],
                axis=1,
            )
            for place in range(4)
        )
        return Ring3Boolean(c0, c1, length), Ring3Boolean(r0, r1, length)


class _Mail:
    """One round in which each chunk has its own messages: one array to each computer, written and read by chunk."""

    def __init__(self, ctx: Context, rows: list[slice], size: Callable[[int, int, int], int]) -> None:
        """``size(rows, sender, receiver)``: words of the message between two roles of a chunk."""
        self._ctx = ctx
        self._rows = rows
        self._size = size
        self._out = {rank: np.empty(self._places(ctx.rank, rank)[-1].stop, np.uint64) for rank in self._others()}
        self._in: dict[int, Words] = {}

    def _others(self) -> tuple[int, int]:
        return self._ctx.previous, self._ctx.next

    def _places(self, sender: int, receiver: int) -> list[slice]:
        places, start = [], 0
        for chunk, rows in enumerate(self._rows):
            stop = start + self._size(rows.stop - rows.start, (sender - chunk) % 3, (receiver - chunk) % 3)
            places.append(slice(start, stop))
            start = stop
        return places

    def to(self, chunk: int, role: int) -> Words:
        """Where to write what goes to ``role`` of a chunk."""
        rank = (role + chunk) % 3
        return self._out[rank][self._places(self._ctx.rank, rank)[chunk]]

    def of(self, chunk: int, role: int) -> Words:
        """What came from ``role`` of a chunk."""
        rank = (role + chunk) % 3
        return self._in[rank][self._places(rank, self._ctx.rank)[chunk]]

    def exchange(self) -> None:
        """Send all, receive all."""
        due = {rank: self._places(rank, self._ctx.rank)[-1].stop for rank in self._others()}
        self._in = self._ctx.exchange(self._out, {rank: ((words,), np.uint64) for rank, words in due.items()})
