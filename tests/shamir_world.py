"""Computers of the shamir engine as threads over channels in memory: ``ShamirWorld(5, 2).run(program)``.

The counterpart of ``tests.world`` for n computers of which t may collude. ``program`` is called with each computer's
engine and the answers come back by rank. The keys of the subsets follow from the seed; what computers draw for
themselves does not.
"""

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from consortia.errors import PeerError
from consortia.protocols.memory import Interceptor, MemoryNetwork
from consortia.protocols.shamir import binary, field
from consortia.protocols.shamir.context import Context
from consortia.protocols.shamir.costs import Group
from consortia.protocols.shamir.engine import ShamirEngine
from consortia.protocols.shamir.sharing import Batch, combined
from consortia.protocols.shamir.vectors import ShamirBoolean
from consortia.protocols.transcript import Transcript
from tests.world import integers_from_words

T = TypeVar("T")
NAMES = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota")


class ShamirWorld:
    """A fresh group; ``run`` may be called once a world."""

    def __init__(
        self,
        size: int = 3,
        threshold: int = 1,
        seed: int = 1,
        *,
        owners: Sequence[str] = (),
        interceptor: Interceptor | None = None,
    ) -> None:
        self.group = Group(NAMES[:size], threshold)
        self.computers = self.group.computers
        self.network = MemoryNetwork((*self.computers, *owners), silence=20.0, interceptor=interceptor)
        self.transcripts = tuple(Transcript() for _ in self.computers)
        keys = {subset: hashlib.sha256(f"{seed} {subset}".encode()).digest()[:16] for subset in self.group.subsets}
        self.contexts = tuple(
            Context(
                rank=rank,
                group=self.group,
                channels=self.network.channels[name],
                keys={subset: key for subset, key in keys.items() if rank in subset},
                transcript=self.transcripts[rank],
            )
            for rank, name in enumerate(self.computers)
        )

    def run(
        self, program: Callable[[Any], T], owners: Mapping[str, Callable[[Any], Any]] | None = None
    ) -> tuple[T, ...]:
        tasks: dict[str, Callable[[], Any]] = {
            ctx.member: (lambda ctx=ctx: program(ShamirEngine(ctx))) for ctx in self.contexts
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
            raise next((error for error in failures if not isinstance(error, PeerError)), failures[0])
        return tuple(results[name] for name in self.computers)

    def sent_bytes(self, name: str) -> int:
        return sum(sum(channel.sent.values()) for channel in self.network.channels[name].values())

    def rounds(self) -> int:
        return self.network.rounds()


def reconstruct(shares: Sequence[Any], threshold: int = 1) -> list[int]:
    """The clear values of one vector's shares by rank. Checks that all lie on one polynomial."""
    if isinstance(shares[0], ShamirBoolean):
        batches = {rank: Batch(bits=x.share) for rank, x in enumerate(shares)}
    else:
        batches = {rank: Batch(numbers=x.share) for rank, x in enumerate(shares)}
    some = dict(list(batches.items())[: threshold + 1])
    others = dict(list(batches.items())[-threshold - 1 :])
    value, again = combined(some), combined(others)
    assert (value.numbers == again.numbers).all(), "the shares of a number lie on no polynomial of degree t"
    assert (value.bits == again.bits).all(), "the shares of a bit lie on no polynomial of degree t"
    if isinstance(shares[0], ShamirBoolean):
        assert value.bits.max(initial=0) <= 1, "a shared bit is neither 0 nor 1"
        return integers_from_words(binary.to_words(value.bits))
    return field.to_signed(value.numbers)


def recombined(parts: Sequence[np.ndarray], kind: str) -> list[int]:
    """What a recipient gets from the parts of all computers."""
    columns = [integers_from_words(part) for part in parts]
    if kind == "boolean":
        return [int(np.bitwise_xor.reduce(row)) for row in zip(*columns, strict=True)]
    return field.to_signed(field.from_signed([sum(row) for row in zip(*columns, strict=True)]))
