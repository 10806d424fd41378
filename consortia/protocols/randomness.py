"""Keyed randomness shared by pairs of computers, addressed by step.

Component i of every sharing is known to computers i and i-1; so is seed i. Computer i holds seeds i and i+1. A seed
keys one AES-256-CTR generator (key: HKDF-Expand(seed, "prg")), and what a step draws for a purpose is the part of it
that starts at counter block SHA-256("prg" | step path | purpose)[:12] | 0^4: both holders get the same words without a
message, the third knows nothing of them, and no draw depends on how much another step consumed. Setting the counter
costs half a microsecond, where a key of its own for each draw cost eight.

Security: AES-256 under one key is a pseudorandom function up to the birthday term of its 128-bit blocks: 2^-49 for
2^40 blocks (16 TiB of masks a session). Blocks are used once, because addresses are: a draw stays below 2^32 blocks, so
it can't run into another address, and an address that was used before raises, whether the step is used again (which
would repeat a mask over other data and so give the difference away) or two of them have one hash. The hash needs no key
and no strength but that: addresses are public. Seeds live for one attempt of one session.
"""

import hashlib
import hmac
import threading
from typing import Any, Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from consortia.errors import InternalError

Words = NDArray[np.uint64]

SEED_BYTES: Final = 32
BLOCK: Final = 16
ADDRESS_BYTES: Final = 12
DRAW_LIMIT: Final = BLOCK << 32
"""Bytes of one draw: the last four bytes of the counter block count its blocks."""
_PIECE: Final = 1 << 16
"""Bytes encrypted at a time: stays in cache."""
_ZEROS: Final = memoryview(bytes(_PIECE))


def generator_key(seed: bytes) -> bytes:
    """HKDF-Expand (RFC 5869, SHA-256, 32 bytes) of a seed for its generator."""
    # an output of one hash length is one block of the expansion: HMAC(key, info | 0x01)
    return hmac.digest(seed, b"prg\x01", "sha256")


def address(step: str, purpose: str) -> bytes:
    """Where in a generator the words of a step and purpose start: the first 12 bytes of the counter block."""
    return hashlib.sha256(b"\x00".join((b"prg", step.encode(), purpose.encode()))).digest()[:ADDRESS_BYTES]


class Generator:
    """The AES-256-CTR generator of one seed, read at any place. Threads may share it."""

    __slots__ = ("_encryptor", "_lock")

    def __init__(self, seed: bytes) -> None:
        self._encryptor: Any = Cipher(algorithms.AES(generator_key(seed)), modes.CTR(bytes(BLOCK))).encryptor()
        self._lock = threading.Lock()

    def fill(self, start: bytes, block: int, words: NDArray[np.generic]) -> None:
        """The blocks from number ``block`` of the address ``start`` on, into contiguous ``words``."""
        self._run(start, block, words, over=False)

    def add(self, start: bytes, words: NDArray[np.generic]) -> None:
        """Exclusive-or the blocks of the address ``start`` into contiguous ``words``, in place."""
        self._run(start, 0, words, over=True)

    def _run(self, start: bytes, block: int, words: NDArray[np.generic], *, over: bool) -> None:
        size = words.nbytes
        if size == 0:
            return
        if BLOCK * block + size > DRAW_LIMIT:
            raise InternalError("protocol/draw-size", f"a step draws {BLOCK * block + size} bytes, too many")
        view = words.data.cast("B")
        encryptor = self._encryptor
        with self._lock:
            encryptor.reset_nonce(start + block.to_bytes(4, "big"))
            if size <= _PIECE:
                encryptor.update_into(view if over else _ZEROS[:size], view)
                return
            for at in range(0, size, _PIECE):
                piece = view[at : at + _PIECE]
                encryptor.update_into(piece if over else _ZEROS[: len(piece)], piece)

    def __repr__(self) -> str:
        return "<Generator>"


class KeyStream:
    """What a step draws for one purpose, piece by piece; all pieces but the last are whole blocks."""

    __slots__ = ("_block", "_generator", "_start")

    def __init__(self, generator: Generator, start: bytes) -> None:
        self._generator = generator
        self._start = start
        self._block = 0

    def fill(self, words: NDArray[np.generic]) -> None:
        """The next ``words.nbytes`` bytes, into contiguous ``words``."""
        self._generator.fill(self._start, self._block, words)
        self._block += -(-words.nbytes // BLOCK)

    def __repr__(self) -> str:
        return "<KeyStream>"


class Randomness:
    """One computer's two seeds, and the record of what has been drawn from them."""

    __slots__ = ("_drawn", "_generators")

    def __init__(self, rank: int, previous_seed: bytes, next_seed: bytes) -> None:
        """``previous_seed`` is shared with computer rank-1, ``next_seed`` with rank+1; 32 bytes each."""
        if len(previous_seed) != SEED_BYTES or len(next_seed) != SEED_BYTES:
            raise InternalError("protocol/seed", "a pair seed must have 32 bytes")
        self._generators = {rank: Generator(previous_seed), (rank + 1) % 3: Generator(next_seed)}
        self._drawn: dict[int, set[bytes]] = {component: set() for component in self._generators}

    def fill(self, component: int, step: str, purpose: str, words: NDArray[np.generic]) -> None:
        """The words of seed ``component`` for this step and purpose, into contiguous ``words``.

        Raises InternalError ``protocol/step-reused`` when this step and purpose were drawn before,
        ``protocol/foreign-seed`` when this computer does not hold that seed, ``protocol/draw-size`` above 64 GiB.
        """
        self._generator(component, step).fill(self._new_address(component, step, purpose), 0, words)

    def add(self, component: int, step: str, purpose: str, words: NDArray[np.generic]) -> None:
        """The same words, exclusive-or-ed into contiguous ``words`` in place."""
        self._generator(component, step).add(self._new_address(component, step, purpose), words)

    def stream(self, component: int, step: str, purpose: str) -> KeyStream:
        """The same words drawn piece by piece, so that a mask of many words needs no memory of its own."""
        return KeyStream(self._generator(component, step), self._new_address(component, step, purpose))

    def _generator(self, component: int, step: str) -> Generator:
        found = self._generators.get(component)
        if found is None:
            raise InternalError("protocol/foreign-seed", f"seed {component} is not held by this computer", place=step)
        return found

    def _new_address(self, component: int, step: str, purpose: str) -> bytes:
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
        return found

    def __repr__(self) -> str:
        return "<Randomness>"
