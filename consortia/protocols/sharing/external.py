"""Input by an owner that does not compute.

Functionality: shares of the owner's columns at the three computers.
How: the owner draws two seeds; components 0 and 1 are their streams (for this step), component 2 is x minus both. It
sends both seeds to computer 0, seed 1 and component 2 to computer 1, seed 0 and component 2 to computer 2.
View: computer 0 receives two seeds drawn independently of x. Computers 1 and 2 each miss one stream, so component 2
is uniform to them.
Rounds 1; 64 bytes to computer 0; 32 bytes and 8 a word of the columns to each of the others.
Assumption: one passively corrupted computer; AES-CTR under HKDF keys is pseudorandom.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from consortia.protocols.channel import Channel
from consortia.protocols.context import Context
from consortia.protocols.engine import ColumnShape
from consortia.protocols.randomness import SEED_BYTES, key_stream
from consortia.protocols.shares import Vector, Words
from consortia.protocols.sharing.layout import component_words, hidden, vectors_from_components

SEED_WORDS = SEED_BYTES // 8


def send_input(
    channels: Mapping[str, Channel],
    computers: tuple[str, str, str],
    step: str,
    length: int,
    shapes: Sequence[ColumnShape],
    values: Sequence[Words],
    *,
    draw: Callable[[int], bytes] = secrets.token_bytes,
) -> None:
    """At the owner: share clear columns with ``computers`` (member ids by rank) over ``channels`` (by member id).

    ``step`` is the step path at which the computers call ``engine.input``; ``draw(n)`` gives n fresh random bytes.
    """
    size = component_words(shapes, length)
    if size == 0:
        return
    seeds = [draw(SEED_BYTES), draw(SEED_BYTES)]
    component = hidden(shapes, values, length, [_stream(seed, step, size) for seed in seeds])
    channels[computers[0]].send(step, seeds[0] + seeds[1])
    channels[computers[1]].send(step, seeds[1] + component.tobytes())
    channels[computers[2]].send(step, seeds[0] + component.tobytes())


def receive_input(ctx: Context, owner: str, length: int, shapes: Sequence[ColumnShape]) -> list[Vector]:
    """At a computer: the counterpart of ``send_input``."""
    size = component_words(shapes, length)
    if size == 0:
        return vectors_from_components(shapes, length, None, None)
    if ctx.rank == 0:
        message = ctx.receive_from_owner(owner, 2 * SEED_WORDS)
        streams = [_stream(seed.tobytes(), ctx.step, size) for seed in (message[:SEED_WORDS], message[SEED_WORDS:])]
        return vectors_from_components(shapes, length, streams[0], streams[1])
    message = ctx.receive_from_owner(owner, SEED_WORDS + size)
    stream = _stream(message[:SEED_WORDS].tobytes(), ctx.step, size)
    component = message[SEED_WORDS:]
    if ctx.rank == 1:
        return vectors_from_components(shapes, length, stream, component)
    return vectors_from_components(shapes, length, component, stream)


def _stream(seed: bytes, step: str, size: int) -> Words:
    out = np.empty(size, np.uint64)
    key_stream(seed, step, "external input").fill(out)
    return out
