"""The context: one computer's place in the joint run. A protocol is a function of it: ``multiply(ctx, x, y)``.

It carries rank, step path, keyed randomness, channels and transcript. ``ctx.narrow("level-3")`` names the messages,
selects the randomness and labels the traffic. A protocol of several rounds narrows once a round. All computers call
the same protocols in the same order, so a round is one call of ``exchange`` at each of them, also where a computer
has nothing to send or to receive.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from consortia.errors import InternalError
from consortia.protocols.channel import Channel
from consortia.protocols.randomness import KeyStream, Randomness
from consortia.protocols.transcript import Opened, Transcript

Words = NDArray[np.uint64]
Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True, slots=True, repr=False)
class Context:
    """One computer's view of the run at one step path; ``channels`` lead to other computers and to outside owners."""

    rank: int
    computers: tuple[str, str, str]
    """Member ids by rank."""
    channels: Mapping[str, Channel]
    randomness: Randomness
    transcript: Transcript
    step: str = ""

    @property
    def member(self) -> str:
        """This computer's own member id."""
        return self.computers[self.rank]

    @property
    def previous(self) -> int:
        """Rank of the computer that shares component ``rank`` with this one."""
        return (self.rank + 2) % 3

    @property
    def next(self) -> int:
        """Rank of the computer that shares component ``rank + 1`` with this one."""
        return (self.rank + 1) % 3

    def narrow(self, name: str) -> "Context":
        """The same context one step deeper: ``step/name``."""
        step = f"{self.step}/{name}" if self.step else name
        return Context(self.rank, self.computers, self.channels, self.randomness, self.transcript, step)

    def __repr__(self) -> str:
        return f"<Context of {self.member}, rank {self.rank}, at `{self.step}`>"

    # --- randomness -------------------------------------------------------------------------------------

    def words(self, component: int, purpose: str, count: int) -> Words:
        """``count`` words that the two holders of ``component`` draw alike and the third does not know."""
        return self.stream(component, purpose, (count,), np.uint64)

    def stream(self, component: int, purpose: str, shape: tuple[int, ...], dtype: type[Number]) -> NDArray[Number]:
        """As ``words``, in any shape and unsigned type. Component c is held by computers c and c-1."""
        out = np.empty(shape, dtype)
        self.key_stream(component, purpose).fill(out)
        return out

    def key_stream(self, component: int, purpose: str) -> KeyStream:
        """As ``stream``, drawn piece by piece: masks of many words that need no memory of their own.

        Both holders draw the same pieces in the same order.
        """
        return self.randomness.stream(component, self.step, purpose)

    def zero_sum(self, shape: tuple[int, ...], dtype: type[Number]) -> tuple[NDArray[Number], NDArray[Number]]:
        """Two arrays whose difference is this computer's zero share: the three differences add up to zero."""
        return self.stream(self.rank, "zero", shape, dtype), self.stream(self.next, "zero", shape, dtype)

    def zero_streams(self) -> tuple[KeyStream, KeyStream]:
        """The two arrays of ``zero_sum`` as streams, drawn piece by piece: either method, once a step."""
        return self.key_stream(self.rank, "zero"), self.key_stream(self.next, "zero")

    def zero_xor(self, shape: tuple[int, ...]) -> Words:
        """This computer's zero share under exclusive or, in one array: the three of them cancel."""
        out = self.stream(self.rank, "zero", shape, np.uint64)
        self.key_stream(self.next, "zero").add(out)
        return out

    # --- messages ---------------------------------------------------------------------------------------

    def exchange(
        self, send: Mapping[int, NDArray[Any]], receive: Mapping[int, tuple[tuple[int, ...], Any]]
    ) -> dict[int, NDArray[Any]]:
        """One round: arrays to other computers by rank, arrays of the given shape and type from them.

        All computers must call it for the same round. A party with nothing to send or receive gives empty mappings.
        """
        self.transcript.rounds[self.step] += 1
        for rank, array in send.items():
            if array.nbytes == 0:
                continue
            name = self.computers[rank]
            self.channels[name].send(self.step, np.ascontiguousarray(array).data.cast("B"))
            self.transcript.sent[self.step, name] += array.nbytes
        received = {}
        for rank, (shape, dtype) in receive.items():
            received[rank] = self._received(self.computers[rank], shape, np.dtype(dtype))
        return received

    def reshare(self, own: NDArray[Number]) -> NDArray[Number]:
        """One round: this computer's new first component to the previous computer; returns the next one's."""
        answer: NDArray[Number] = self.exchange({self.previous: own}, {self.next: (own.shape, own.dtype)})[self.next]
        return answer

    def receive_from_owner(self, owner: str, words: int) -> Words:
        """One round: words sent to this computer by an owner that does not compute."""
        if owner not in self.channels:
            raise InternalError("protocol/owner", f"no channel leads to the owner `{owner}`", place=self.step)
        self.transcript.rounds[self.step] += 1
        return self._received(owner, (words,), np.dtype(np.uint64))

    def _received(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        size = math.prod(shape) * dtype.itemsize
        if size == 0:
            return np.zeros(shape, dtype)
        array = np.frombuffer(self.channels[name].receive(self.step, size), dtype).reshape(shape)
        # kernels are compiled for writable arrays; a carrier that hands out read-only memory costs a copy
        return array if array.flags.writeable else array.copy()

    # --- openings ---------------------------------------------------------------------------------------

    def record_opening(self, what: str, elements: int, to: tuple[str, ...]) -> None:
        """Note that a value is opened here, and to whom; called by whatever opens."""
        self.transcript.opened.append(Opened(self.step, what, elements, to))
