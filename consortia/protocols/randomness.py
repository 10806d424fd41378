"""Keyed randomness shared by pairs of computers, addressed by step.

Component i of every sharing is known to computers i and i-1; so is seed i. Computer i holds seeds i and i+1. What a
step draws from a seed is an AES-256-CTR stream whose key is HKDF-Expand(seed, "prg" | step path | purpose): both
holders get the same words without a message, the third knows nothing of them (up to AES as a pseudorandom function),
and no draw depends on how much another step consumed. Drawing twice for one (step, purpose) would repeat a mask over
other data and so give the difference away; it raises instead. Seeds live for one attempt of one session.
"""

import hmac
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from consortia.errors import InternalError

Words = NDArray[np.uint64]

SEED_BYTES: Final = 32
_PIECE: Final = 1 << 20  # bytes encrypted at a time: stays in cache


def step_key(seed: bytes, step: str, purpose: str) -> bytes:
    """HKDF-Expand (RFC 5869, SHA-256, 32 bytes) of a seed for one step and purpose."""
    info = b"\x00".join((b"prg", step.encode(), purpose.encode()))
    # an output of one hash length is one block of the expansion: HMAC(key, info | 0x01)
    return hmac.digest(seed, info + b"\x01", "sha256")


def add_keystream(key: bytes, words: NDArray[np.generic]) -> None:
    """Exclusive-or the AES-256-CTR stream of ``key`` (from counter zero) into contiguous ``words``, in place."""
    if words.size == 0:
        return
    encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    view = words.data.cast("B")
    for start in range(0, len(view), _PIECE):
        piece = view[start : start + _PIECE]
        encryptor.update_into(piece, piece)


class KeyStream:
    """The stream of one seed for one step and purpose, drawn piece by piece."""

    __slots__ = ("_encryptor",)

    def __init__(self, key: bytes) -> None:
        self._encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()

    def fill(self, words: NDArray[np.generic]) -> None:
        """The next ``words.nbytes`` bytes of the stream, in contiguous ``words``."""
        words.fill(0)
        view = words.data.cast("B")
        self._encryptor.update_into(view, view)

    def __repr__(self) -> str:
        return "<KeyStream>"


class Randomness:
    """One computer's two seeds, and the record of what has been drawn from them."""

    __slots__ = ("_drawn", "_seeds")

    def __init__(self, rank: int, previous_seed: bytes, next_seed: bytes) -> None:
        """``previous_seed`` is shared with computer rank-1, ``next_seed`` with rank+1; 32 bytes each."""
        if len(previous_seed) != SEED_BYTES or len(next_seed) != SEED_BYTES:
            raise InternalError("protocol/seed", "a pair seed must have 32 bytes")
        self._seeds = {rank: previous_seed, (rank + 1) % 3: next_seed}
        self._drawn: set[tuple[int, str, str]] = set()

    def add(self, component: int, step: str, purpose: str, words: NDArray[np.generic]) -> None:
        """Exclusive-or the stream of seed ``component`` into contiguous ``words``, in place.

        Raises InternalError ``protocol/step-reused`` when this step and purpose were drawn before, and
        ``protocol/foreign-seed`` when this computer does not hold that seed.
        """
        add_keystream(self._drawn_key(component, step, purpose), words)

    def stream(self, component: int, step: str, purpose: str) -> KeyStream:
        """The same stream to be drawn piece by piece, so that a mask of many words needs no memory of its own."""
        return KeyStream(self._drawn_key(component, step, purpose))

    def _drawn_key(self, component: int, step: str, purpose: str) -> bytes:
        seed = self._seeds.get(component)
        if seed is None:
            raise InternalError("protocol/foreign-seed", f"seed {component} is not held by this computer", place=step)
        mark = (component, step, purpose)
        if mark in self._drawn:
            raise InternalError(
                "protocol/step-reused",
                f"the step drew its randomness for {purpose} twice",
                place=step,
                remedy="give every interactive operation a step of its own with narrow()",
            )
        self._drawn.add(mark)
        return step_key(seed, step, purpose)

    def __repr__(self) -> str:
        return "<Randomness>"
