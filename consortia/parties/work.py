"""What a session needs done, as a seam: the runner decides order and failure, the workshop does the work.

``workshop.Workshop`` is the real one; tests of order, failure and lies use one that computes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from consortia.evidence.basis import Kept
from consortia.parties.release import ResultPart
from consortia.plans.model import Plan
from consortia.policies.accounting import Charge
from consortia.policies.own import OwnCase
from consortia.policies.verdicts import Decision
from consortia.protocols.channel import Channel
from consortia.trust.notices import Standing
from consortia.trust.sessions import MemberDigest, SnapshotRoot, StepTraffic, Submission
from consortia.trust.trusted import TrustedSet


@dataclass(frozen=True, slots=True)
class Documents:
    """The documents in force at this party now: what a session rests on, and what is compared before the release.

    ``standing`` is what stands in the way of runs: revoked policies, and stops.
    """

    trusted: TrustedSet
    catalogue: str
    policies: tuple[MemberDigest, ...]
    standing: Standing = field(default_factory=Standing)


@dataclass(frozen=True, slots=True)
class OwnPart:
    """What this owner's own part of the verdict is decided from, without what its ledger says."""

    decision: Decision
    case: OwnCase


@dataclass(frozen=True, slots=True)
class Review:
    """What a submission compiles to here. ``denials`` are public reasons; empty if every owner permits.

    ``tables`` are the tables of data that the plan needs from each owner, to which its approval must commit, and
    ``charges`` what the plan costs each owner's privacy units, which its reservation must state. ``own`` is None if
    this member owns no data of the plan, or if the plan is denied. ``reviewers`` are the owners whose officers must
    sign before anybody approves. ``basis`` is every document that all this follows from.
    """

    documents: Documents
    plan: Plan
    leakage: str
    denial_code: str = ""
    denials: tuple[str, ...] = ()
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    own: OwnPart | None = None
    charges: Mapping[str, Mapping[str, Charge]] = field(default_factory=dict)
    retention: Mapping[str, int] = field(default_factory=dict)
    """Days for which recipients' nodes may keep their results, by release step; none where no owner sets a limit."""
    reviewers: tuple[str, ...] = ()
    basis: tuple[Kept, ...] = ()


@dataclass(frozen=True, slots=True)
class Ends:
    """A party's links of one run: channels by member, and the pair seeds.

    ``closing`` takes what must end with the links, also when the session ends in the middle of the work.
    """

    channels: Mapping[str, Channel]
    seeds: Mapping[str, bytes]
    closing: Callable[[Callable[[], None]], None] = lambda _: None


def nothing() -> tuple[ResultPart, ...]:
    """What an owner that does not compute releases."""
    return ()


@dataclass(frozen=True, slots=True)
class Computed:
    """What the secure stage leaves at this party: its traffic, and the act that makes its parts of the results.

    ``release`` is called once, after the last checks: before it nothing can be opened by anybody.
    """

    traffic: tuple[StepTraffic, ...] = ()
    release: Callable[[], tuple[ResultPart, ...]] = nothing


class Work(Protocol):
    """All that touches documents, data and shares. Methods raise ConsortiaError; only ``review`` may deny."""

    def documents(self, purpose: str = "", owners: Sequence[str] = ()) -> Documents:
        """What is in force now, read afresh; policies are those of ``owners`` for ``purpose``."""
        ...

    def review(self, submission: Submission) -> Review:
        """Compile and decide the submission from this member's own copies of all documents."""
        ...

    def snapshots(self, plan: Plan) -> tuple[SnapshotRoot, ...]:
        """The committed snapshots that this member will use for ``plan``."""
        ...

    def run(
        self,
        plan: Plan,
        snapshots: tuple[SnapshotRoot, ...],
        connect: Callable[[], Ends],
        begin: Callable[[str], None],
    ) -> Computed:
        """``connect``, local stage on ``snapshots``, input and shared steps; ``begin`` is told of each step.

        Links come first, so that their beats tell the others of a long local stage; data leaves after it.
        """
        ...

    def open_result(self, plan: Plan, step: str, parts: Sequence[bytes]) -> bytes:
        """The result of one release step from the computers' parts, as it is kept at rest (Arrow IPC)."""
        ...
