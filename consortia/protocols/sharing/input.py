"""Columns of one member become shares.

Functionality: shares of the owner's columns at the three computers.
How, when the owner is computer i: component i+1 is F, drawn from the seed of computers i and i+1; component i+2 is
zero; component i is x - F (boolean: x ^ F), which the owner sends to computer i-1. No other message.
View: computer i-1 receives x - F, where F is unknown to it: uniform. Computer i+1 receives nothing. That components
are known to be zero does no harm: every interactive operation masks what it sends.
Rounds 1; 8 bytes a word of the columns, from the owner to one computer.

How, when the owner does not compute: see ``sharing.external``; rounds 1, two computers receive a component each.
Assumption: one passively corrupted computer; AES-CTR under HKDF keys is pseudorandom.
Source: protocol-proofs.md, section 1, Input.
"""

from collections.abc import Sequence

from consortia.errors import InternalError
from consortia.protocols.context import Context
from consortia.protocols.engine import ColumnShape
from consortia.protocols.shares import Vector, Words
from consortia.protocols.sharing.external import receive_input
from consortia.protocols.sharing.layout import component_words, hidden, vectors_from_components


def share_input(
    ctx: Context, owner: str, length: int, shapes: Sequence[ColumnShape], values: Sequence[Words] | None
) -> list[Vector]:
    """Columns of the member ``owner``; ``values`` (clear, in the shapes of ``shares``) at the owner, None elsewhere.

    An owner that does not compute calls ``external.send_input`` for the same step, length and shapes.
    """
    if (values is not None) != (owner == ctx.member):
        raise InternalError("protocol/input", "values must be given at the owner and nowhere else", place=ctx.step)
    if owner not in ctx.computers:
        return receive_input(ctx, owner, length, shapes)
    size = component_words(shapes, length)
    if size == 0:
        return vectors_from_components(shapes, length, None, None)
    rank = ctx.computers.index(owner)
    if values is not None:
        mask = ctx.words(ctx.next, "input", size)
        component = hidden(shapes, values, length, [mask])
        ctx.exchange({ctx.previous: component}, {})
        return vectors_from_components(shapes, length, component, mask)
    if ctx.rank == (rank + 1) % 3:
        ctx.exchange({}, {})
        return vectors_from_components(shapes, length, ctx.words(ctx.rank, "input", size), None)
    received = ctx.exchange({}, {rank: ((size,), "uint64")})[rank]
    return vectors_from_components(shapes, length, None, received)
