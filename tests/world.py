"""Three computers in one process, for every test that runs a protocol: ``World(seed=7).run(program)``.

``program`` is called with each computer's engine, in three threads joined by in-memory channels, and the three
answers come back. All randomness follows from the seed, so two runs of equal programs send equal bytes. An
interceptor may lie (see ``protocols/memory.py``); outside owners run their own function beside the computers.
``share_*`` and ``reconstruct`` see clear values: they exist here and nowhere in the package.
"""

import hashlib
import random
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from consortia.errors import PeerError
from consortia.protocols.context import Context
from consortia.protocols.kernels.planes import planes_from_words, words_from_planes
from consortia.protocols.memory import Interceptor, MemoryChannel, MemoryNetwork
from consortia.protocols.randomness import Randomness
from consortia.protocols.sharing.ring3 import Ring3Arithmetic, Ring3Boolean, Ring3Wide
from consortia.protocols.transcript import Transcript

T = TypeVar("T")
Share = Ring3Arithmetic | Ring3Boolean | Ring3Wide
Owner = Callable[[Mapping[str, MemoryChannel]], Any]
"""What an owner that does not compute does, given its channels to the computers by member id."""

MASK64 = (1 << 64) - 1


class World:
    """A fresh consortium of three computers; ``run`` may be called once a world.

    After the run: ``transcripts`` by rank, ``sent_bytes()`` counted at the channels, ``rounds()`` the longest chain
    of dependent messages.
    """

    computers = ("alpha", "beta", "gamma")

    def __init__(
        self,
        seed: int = 1,
        *,
        owners: Sequence[str] = (),
        interceptor: Interceptor | None = None,
        silence: float = 20.0,
    ) -> None:
        self.seed = seed
        self.owners = tuple(owners)
        self.network = MemoryNetwork((*self.computers, *self.owners), silence=silence, interceptor=interceptor)
        self.transcripts = tuple(Transcript() for _ in self.computers)
        pair_seeds = [hashlib.sha256(f"pair seed {seed} {i}".encode()).digest() for i in range(3)]
        self.contexts = tuple(
            Context(
                rank=rank,
                computers=self.computers,
                channels=self.network.channels[name],
                randomness=Randomness(rank, pair_seeds[rank], pair_seeds[(rank + 1) % 3]),
                transcript=self.transcripts[rank],
            )
            for rank, name in enumerate(self.computers)
        )

    def run(self, program: Callable[[Any], T], owners: Mapping[str, Owner] | None = None) -> tuple[T, T, T]:
        """Run ``program`` on the three engines (and each owner's function on its channels)."""
        from consortia.protocols.ring3 import Ring3Engine

        return self.run_contexts(lambda ctx: program(Ring3Engine(ctx)), owners)

    def run_contexts(
        self, program: Callable[[Context], T], owners: Mapping[str, Owner] | None = None
    ) -> tuple[T, T, T]:
        """As ``run``, for a program that takes the bare context."""
        tasks: dict[str, Callable[[], Any]] = {
            ctx.member: (lambda ctx=ctx: program(ctx)) for ctx in self.contexts
        }  # fmt: skip
        for name, owner in (owners or {}).items():
            tasks[name] = lambda name=name, owner=owner: owner(self.network.channels[name])
        results: dict[str, Any] = {}
        failures: list[BaseException] = []

        def work(name: str) -> None:
            try:
                results[name] = tasks[name]()
            except BaseException as error:
                failures.append(error)
                self.network.close(name)

        threads = [threading.Thread(target=work, args=(name,), name=name, daemon=True) for name in tasks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            # the others fail because the first one closed its channels: show the cause
            raise next((error for error in failures if not isinstance(error, PeerError)), failures[0])
        return tuple(results[name] for name in self.computers)  # type: ignore[return-value]  # three computers

    def sent_bytes(self, name: str) -> int:
        """Payload bytes that a party sent, counted at its channels."""
        return sum(sum(channel.sent.values()) for channel in self.network.channels[name].values())

    def rounds(self) -> int:
        """The longest chain of dependent messages of the run."""
        return self.network.rounds()

    # --- clear values to shares and back ----------------------------------------------------------------

    def generator(self, what: str) -> np.random.Generator:
        """A generator of test data and of the shares of clear values, determined by the seed and ``what``."""
        return np.random.default_rng(random.Random(f"{self.seed} {what}").getrandbits(64))

    def share_arithmetic(self, values: Iterable[int], bits: int = 64) -> tuple[Ring3Arithmetic, ...]:
        """Signed integers as shares in Z_2^64 (or Z_2^32), one by rank."""
        dtype = {64: np.uint64, 32: np.uint32}[bits]
        clear = np.array([value % (1 << bits) for value in values], dtype)
        a, b = self.generator("arithmetic").integers(0, 1 << bits, (2, clear.size), dtype)
        return by_rank(Ring3Arithmetic, (a, b, clear - a - b))

    def share_boolean(self, values: Iterable[int], bits: int) -> tuple[Ring3Boolean, ...]:
        """Unsigned integers below 2^bits as planes, one vector by rank."""
        clear = list(values)
        planes = planes_from_words(words_from_integers(clear, bits), bits)
        a, b = self.generator("boolean").integers(0, 1 << 64, (2, *planes.shape), np.uint64)
        return by_rank(lambda x, y: Ring3Boolean(x, y, len(clear)), (a, b, planes ^ a ^ b))

    def share_wide(self, values: Iterable[int]) -> tuple[Ring3Wide, ...]:
        """Signed integers as shares in Z_2^128, one by rank."""
        draw = random.Random(f"{self.seed} wide")
        clear = [int(value) for value in values]
        a, b = ([draw.getrandbits(128) for _ in clear] for _ in range(2))
        c = [value - x - y for value, x, y in zip(clear, a, b, strict=True)]
        return by_rank(Ring3Wide, tuple(words_from_integers(part, 128) for part in (a, b, c)))


def by_rank(make: Callable[[Any, Any], T], components: Sequence[Any]) -> tuple[T, ...]:
    """The three computers' vectors over three components."""
    return tuple(make(components[rank], components[(rank + 1) % 3]) for rank in range(3))


def words_from_integers(values: Iterable[int], bits: int) -> np.ndarray:
    """Integers modulo 2^(64 * lanes) as words (n, ceil(bits/64)), low word first."""
    lanes = (bits + 63) // 64
    rows = [[(value >> (64 * lane)) & MASK64 for lane in range(lanes)] for value in values]
    return np.array(rows, np.uint64).reshape(len(rows), lanes)


def integers_from_words(words: np.ndarray) -> list[int]:
    """The unsigned integers that ``words`` (n,) or (n, lanes) hold."""
    rows = words if words.ndim == 2 else words[:, np.newaxis]
    return [sum(int(word) << (64 * lane) for lane, word in enumerate(row)) for row in rows]


def signed(value: int, bits: int) -> int:
    """An unsigned value of ``bits`` bits read as two's complement."""
    return value - (1 << bits) if value >> (bits - 1) else value


def reconstruct(shares: Sequence[Share]) -> list[int]:
    """The clear values of one vector's three shares: signed, or unsigned for boolean. Checks that replicas agree."""
    for rank in range(3):
        assert np.array_equal(shares[rank].second, shares[(rank + 1) % 3].first), "replicated components differ"
    first, second, third = (share.first for share in shares)
    match shares[0]:
        case Ring3Boolean() as x:
            return integers_from_words(words_from_planes(first ^ second ^ third, x.length))
        case Ring3Wide():
            parts = [integers_from_words(part) for part in (first, second, third)]
            return [signed(sum(row) % (1 << 128), 128) for row in zip(*parts, strict=True)]
        case Ring3Arithmetic() as y:
            return [signed(int(value), 8 * y.dtype.itemsize) for value in first + second + third]


def recombined(parts: Sequence[np.ndarray], kind: str) -> list[int]:
    """What a recipient gets from three parts of ``engine.part``; ``kind`` is arithmetic, boolean or wide."""
    columns = [integers_from_words(part) for part in parts]
    if kind == "boolean":
        return [x ^ y ^ z for x, y, z in zip(*columns, strict=True)]
    bits = 64 if kind == "arithmetic" else 128
    return [signed(sum(row) % (1 << bits), bits) for row in zip(*columns, strict=True)]
