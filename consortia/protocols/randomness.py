"""Keyed randomness shared by pairs of computers, addressed by step.

Component i of every sharing is known to computers i and i-1; so is seed i. Computer i holds seeds i and i+1. A seed
keys one generator (key: HKDF-Expand(seed, "prg")), and what a step draws for a purpose are numbered pieces of it: piece
p is the AES-256-CTR stream from counter block SHA-256("prg" | step path | purpose)[:10] | p | 2 on (p of two bytes, the
block count of four). Both holders get the same words without a message, the third knows nothing of them, and no draw
depends on how much another step consumed. A piece is made as AES-256-GCM makes it when it seals zeros under the first
twelve bytes as nonce, tag dropped: one call, without state, and the fastest counter mode of the library (15 GB/s, a
piece of 1 KB in half a microsecond; a key of its own for each draw cost eight).

Security: AES-256 under one key is a pseudorandom function up to the birthday term of its 128-bit blocks: 2^-49 for
2^40 blocks (16 TiB of masks a session). Blocks are used once, because addresses and piece numbers are, and an address
that was used before raises, whether the step is used again (which would repeat a mask over other data and so give the
difference away) or two of them have one hash. The hash needs no key and no strength but that: addresses are public.
Seeds live for one attempt of one session.
"""

import hashlib
import hmac
from typing import Any, Final

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from consortia.errors import InternalError

Words = NDArray[np.uint64]

SEED_BYTES: Final = 32
ADDRESS_BYTES: Final = 10
PIECE: Final = 1 << 18
"""Most bytes of one piece: stays in cache."""
PIECES: Final = 1 << 16
"""Pieces of one draw: 16 GiB."""
_TAG: Final = 16
_ZEROS: Final = memoryview(bytes(PIECE))


def generator_key(seed: bytes) -> bytes:
    """HKDF-Expand (RFC 5869, SHA-256, 32 bytes) of a seed for its generator."""
    # an output of one hash length is one block of the expansion: HMAC(key, info | 0x01)
    return hmac.digest(seed, b"prg\x01", "sha256")


def address(step: str, purpose: str) -> bytes:
    """Where in a generator the words of a step and purpose stand: the first 10 bytes of their nonces."""
    return hashlib.sha256(b"\x00".join((b"prg", step.encode(), purpose.encode()))).digest()[:ADDRESS_BYTES]


class KeyStream:
    """What a step draws for one purpose, from the first piece on.

    Each call draws new pieces, so both holders of the seed must draw the same sizes in the same order.
    """

    __slots__ = ("_address", "_cipher", "_number", "_scratch")

    def __init__(self, cipher: AESGCM, start: bytes) -> None:
        self._cipher = cipher
        self._address = start
        self._number = 0
        self._scratch: NDArray[np.uint8] | None = None

    def fill(self, words: NDArray[np.generic]) -> None:
        """Write ``words.nbytes`` bytes into contiguous ``words``."""
        size = words.nbytes
        if size == 0:
            return
        view, at = words.data.cast("B"), 0
        while size - at >= PIECE + _TAG:
            # the tag is overwritten by what comes next
            self._cipher.encrypt_into(self._nonce(), _ZEROS, None, view[at : at + PIECE + _TAG])
            at += PIECE
        while at < size:
            part = min(PIECE, size - at)
            view[at : at + part] = memoryview(self._cipher.encrypt(self._nonce(), _ZEROS[:part], None))[:part]
            at += part

    def draw(self, count: int, dtype: Any = np.uint64) -> NDArray[Any]:
        """``count`` numbers of at most ``PIECE`` bytes, good until the next call."""
        size = count * np.dtype(dtype).itemsize
        scratch = self._scratch
        if scratch is None or scratch.size < size + _TAG:
            scratch = self._scratch = np.empty(size + _TAG, np.uint8)
        self._cipher.encrypt_into(self._nonce(), _ZEROS[:size], None, scratch.data[: size + _TAG])
        return scratch[:size].view(dtype)

    def add(self, words: NDArray[np.generic]) -> None:
        """Exclusive-or ``words.nbytes`` bytes into contiguous ``words``, in place; the bytes that ``fill`` writes."""
        size = words.nbytes
        view = words.data.cast("B") if size else memoryview(b"")
        for at in range(0, size, PIECE):
            piece = view[at : at + PIECE]
            piece[:] = memoryview(self._cipher.encrypt(self._nonce(), piece, None))[: len(piece)]

    def _nonce(self) -> bytes:
        number = self._number
        if number == PIECES:
            raise InternalError("protocol/draw-size", "a step draws more than 16 GiB for one purpose")
        self._number = number + 1
        return self._address + number.to_bytes(2, "big")

    def __repr__(self) -> str:
        return "<KeyStream>"


def key_stream(seed: bytes, step: str, purpose: str) -> KeyStream:
    """The stream of a seed that is used here alone, where nothing records what was drawn."""
    return KeyStream(AESGCM(generator_key(seed)), address(step, purpose))


class Randomness:
    """One computer's two seeds, and the record of what has been drawn from them."""

    __slots__ = ("_ciphers", "_drawn")

    def __init__(self, rank: int, previous_seed: bytes, next_seed: bytes) -> None:
        """``previous_seed`` is shared with computer rank-1, ``next_seed`` with rank+1; 32 bytes each."""
        if len(previous_seed) != SEED_BYTES or len(next_seed) != SEED_BYTES:
            raise InternalError("protocol/seed", "a pair seed must have 32 bytes")
        seeds = {rank: previous_seed, (rank + 1) % 3: next_seed}
        self._ciphers = {component: AESGCM(generator_key(seed)) for component, seed in seeds.items()}
        self._drawn: dict[int, set[bytes]] = {component: set() for component in seeds}

    def stream(self, component: int, step: str, purpose: str) -> KeyStream:
        """The stream of seed ``component`` for this step and purpose.

        Raises InternalError ``protocol/step-reused`` when it was asked for before, and ``protocol/foreign-seed`` when
        this computer does not hold that seed.
        """
        cipher = self._ciphers.get(component)
        if cipher is None:
            raise InternalError("protocol/foreign-seed", f"seed {component} is not held by this computer", place=step)
        found = address(step, purpose)
        drawn = self._drawn[component]
        if found in drawn:
            raise InternalError(
                "protocol/step-reused",
                f"the step drew its randomness for {purpose} twice",
                place=step,
                remedy="give every interactive operation a step of its own with narrow()",
            )
        drawn.add(found)
        return KeyStream(cipher, found)

    def __repr__(self) -> str:
        return "<Randomness>"
