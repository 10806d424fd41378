"""Shares become values. Results for people and members leave through ``parties/release.py``, which calls ``part``.

``part``: one computer's part of a value for a recipient that is no computer. Functionality: three parts, uniform but
for their sum (exclusive or). How: own first component plus a zero share; without it the recipient would see which
components were zero or fixed, that is, how the value came about. Sends nothing itself. View of the recipient: three
parts that are uniform under the one condition that they add up to the value, hence simulated by the value.

``open_to_computer``: computer r learns the value. How: computer r-1 sends component r-1, the one that r lacks.
View: the message is the value minus r's own components, hence simulated by the value. 1 round, 8 bytes a row.

``open_to_computers``: all three learn the value; computer i sends component i to computer i+1. 1 round, 8 bytes a row
and computer. Only for values that are uniform by construction, such as comparison bits of shuffled distinct keys.

Padding of planes is cleared before anything is sent: it could hold bits of rows that were cut off.
Assumption: one passively corrupted computer. Source: protocol-proofs.md, section 1, Openings.
"""

import numpy as np

from consortia.errors import InternalError
from consortia.protocols.context import Context
from consortia.protocols.kernels.planes import without_padding, words_from_planes
from consortia.protocols.kernels.wide import add_wide, subtract_wide
from consortia.protocols.shares import Vector, Words
from consortia.protocols.sharing.ring3 import Ring3Arithmetic, Ring3Boolean, Ring3Wide

RECIPIENT = "recipient"
"""In the transcript: whoever the release step names."""

Ring3 = Ring3Arithmetic | Ring3Boolean | Ring3Wide


def part(ctx: Context, x: Vector) -> Words:
    """This computer's freshly masked part: (n,), (n, ceil(bits/64)) or (n, 2) by kind. Draws the step's randomness."""
    own = as_ring3(x)
    ctx.record_opening(kind_of(own), own.length, (RECIPIENT,))
    match own:
        case Ring3Boolean():
            return words_from_planes(own.first ^ ctx.zero_xor(own.first.shape), own.length)
        case Ring3Wide():
            plus, minus = ctx.zero_sum(own.first.shape, np.uint64)
            out = np.empty_like(own.first)
            add_wide(own.first, plus, out)
            subtract_wide(out, minus, out)
            return out
        case Ring3Arithmetic():
            plus, minus = ctx.zero_sum(own.first.shape, own.dtype.type)
            return np.asarray(own.first + plus - minus)


def open_to_computer(ctx: Context, rank: int, x: Vector) -> Words | None:
    """The value at computer ``rank``, in the clear shapes of ``shares``; None at the others."""
    own = as_ring3(x)
    ctx.record_opening(kind_of(own), own.length, (ctx.computers[rank],))
    if own.first.size == 0:
        return _clear(own, own.first) if ctx.rank == rank else None
    before = (rank + 2) % 3
    if ctx.rank == rank:
        missing = ctx.exchange({}, {before: (own.first.shape, own.first.dtype)})[before]
        return _clear(own, missing)
    ctx.exchange({rank: _without_padding(own)} if ctx.rank == before else {}, {})
    return None


def open_to_computers(ctx: Context, x: Vector) -> Words:
    """The value at all three computers, in the clear shapes of ``shares``."""
    own = as_ring3(x)
    ctx.record_opening(kind_of(own), own.length, ctx.computers)
    if own.first.size == 0:
        return _clear(own, own.first)
    missing = ctx.exchange({ctx.next: _without_padding(own)}, {ctx.previous: (own.first.shape, own.first.dtype)})[
        ctx.previous
    ]
    return _clear(own, missing)


def open_flag(ctx: Context, flag: Ring3Boolean, what: str) -> bool:
    """One bit at all three computers, recorded as ``what``. Unlike other openings it may depend on data: say where."""
    if (flag.length, flag.bits) != (1, 1):
        raise InternalError("protocol/shape", f"one bit was expected, not {flag.length} of {flag.bits} planes")
    ctx.record_opening(what, 1, ctx.computers)
    missing = ctx.exchange({ctx.next: _without_padding(flag)}, {ctx.previous: (flag.first.shape, flag.first.dtype)})[
        ctx.previous
    ]
    return bool(_clear(flag, missing)[0, 0])


def kind_of(x: Ring3) -> str:
    """How the transcript names the kind of a value."""
    match x:
        case Ring3Boolean():
            return f"boolean of {x.bits} bits"
        case Ring3Wide():
            return "wide"
        case Ring3Arithmetic():
            return "arithmetic" if x.dtype.itemsize == 8 else "position"


def as_ring3(x: Vector) -> Ring3:
    """``x`` as a vector of this engine. Raises InternalError ``protocol/foreign-share`` for another engine's."""
    if isinstance(x, Ring3Arithmetic | Ring3Boolean | Ring3Wide):
        return x
    raise InternalError("protocol/foreign-share", f"a {type(x).__name__} is not a share of the ring3 engine")


def _without_padding(x: Ring3) -> Words:
    return without_padding(x.first, x.length) if isinstance(x, Ring3Boolean) else x.first


def _clear(x: Ring3, missing: Words) -> Words:
    match x:
        case Ring3Boolean():
            return words_from_planes(x.first ^ x.second ^ missing, x.length)
        case Ring3Wide():
            out = np.empty_like(x.first)
            add_wide(x.first, x.second, out)
            add_wide(out, missing, out)
            return out
        case Ring3Arithmetic():
            return np.asarray(x.first + x.second + missing)
