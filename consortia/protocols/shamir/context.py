"""One computer's place in a run of the shamir engine: rank, threshold, channels, keys, transcript and step path.

The same idea as ``protocols.context`` for n computers. A protocol is a function of it; a round is one call of
``exchange`` at every computer. Keys: every subset of n - t computers shares one, so that any t colluding computers
miss the key of at least one subset, the one of all others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from consortia.errors import InternalError
from consortia.protocols.channel import Channel
from consortia.protocols.shamir.costs import Group
from consortia.protocols.transcript import Opened, Transcript

Subset = tuple[int, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Context:
    """One computer's view at one step path; ``keys`` are those of the subsets that contain it."""

    rank: int
    group: Group
    channels: Mapping[str, Channel]
    """To the other computers and to outside owners, by member id."""
    keys: Mapping[Subset, bytes]
    transcript: Transcript
    step: str = ""
    used: set[str] = field(default_factory=set)
    """Step paths whose operation has begun: each may be used once, as it selects randomness and names messages."""

    @property
    def member(self) -> str:
        """This computer's own member id."""
        return self.group.computers[self.rank]

    @property
    def place(self) -> tuple[int, int]:
        """Rank, and the number of computers."""
        return self.rank, self.group.size

    def narrow(self, name: str) -> "Context":
        """The same context one step deeper: ``step/name``."""
        return replace(self, step=f"{self.step}/{name}" if self.step else name)

    def begin(self) -> None:
        """Take the step path for one operation; InternalError ``protocol/step-reused`` the second time."""
        if self.step in self.used:
            raise InternalError("protocol/step-reused", f"the step path `{self.step}` is used twice")
        self.used.add(self.step)

    def label(self, purpose: str) -> bytes:
        """What selects the randomness of this step and purpose."""
        return f"{self.step}|{purpose}".encode()

    def exchange(self, send: Mapping[int, bytes], receive: Mapping[int, int]) -> dict[int, memoryview]:
        """One round: payloads to other computers by rank, payloads of the given sizes from them."""
        self.transcript.rounds[self.step] += 1
        names = self.group.computers
        for rank, payload in send.items():
            self.channels[names[rank]].send(self.step, payload)
            self.transcript.sent[self.step, names[rank]] += len(payload)
        return {rank: self.channels[names[rank]].receive(self.step, size) for rank, size in receive.items()}

    def receive_from_owner(self, owner: str, size: int) -> memoryview:
        """One round: the shares that an owner outside sends to this computer."""
        if owner not in self.channels:
            raise InternalError("protocol/owner", f"no channel leads to the owner `{owner}`", place=self.step)
        self.transcript.rounds[self.step] += 1
        return self.channels[owner].receive(self.step, size)

    def record_opening(self, what: str, elements: int, to: tuple[str, ...]) -> None:
        """Note that a value is opened here, and to whom."""
        self.transcript.opened.append(Opened(self.step, what, elements, to))

    def __repr__(self) -> str:
        return f"<Context of {self.member}, rank {self.rank}, at `{self.step}`>"
