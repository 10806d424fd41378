"""The work of a session on this member's own documents and data: everything that the session's order leaves out.

Documents are read from the home folder at every call, so what an operator accepts or an officer revokes while the
node runs counts from the next session, and stops a running one before its release.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

import structlog

from consortia.errors import OperatorError
from consortia.execution.decode import decode
from consortia.execution.encode import encode
from consortia.execution.estimate import estimate
from consortia.execution.executor import run_shared
from consortia.execution.layout import shapes_of
from consortia.execution.liveness import shared_steps
from consortia.execution.noise import Draws, drawn
from consortia.execution.schedule import overlapping
from consortia.parties.basis import gather
from consortia.parties.checks import revocations_of
from consortia.parties.data.identifiers import with_identifiers
from consortia.parties.data.snapshots import SnapshotStore
from consortia.parties.local.database import Limits
from consortia.parties.local.stage import DEFAULT_LIMITS, committed_snapshots, run_local, tables_needed
from consortia.parties.release import release
from consortia.parties.shamir.run import Place, computed_shamir, send_shares
from consortia.parties.work import Computed, Documents, Ends, OwnPart, Review
from consortia.plans.catalogue import Catalogue
from consortia.plans.model import Plan, Share
from consortia.policies.compiling import Compiled, compile_analysis, refusal
from consortia.policies.own import OwnCase
from consortia.policies.own.budget import charges_of
from consortia.policies.retention import retention_of
from consortia.policies.review import reviewers
from consortia.policies.signed import world_of
from consortia.policies.world import PolicyWorld
from consortia.protocols.channel import lane
from consortia.protocols.context import Context
from consortia.protocols.randomness import Randomness
from consortia.protocols.ring3 import Ring3Engine
from consortia.protocols.shares import Words
from consortia.protocols.sharing.external import send_input
from consortia.protocols.transcript import Transcript
from consortia.trust.home import Home
from consortia.trust.notices import Standing, standing
from consortia.trust.sessions import MemberDigest, SnapshotRoot, StepTraffic, Submission
from consortia.trust.trusted import TrustedSet

_LOG = structlog.get_logger("consortia.parties")


class Workshop:
    """``work.Work`` for the member of ``home``."""

    def __init__(
        self,
        home: Home,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        memory_megabytes: int = DEFAULT_LIMITS.memory_megabytes,
        place: Place | None = None,
    ) -> None:
        self._home = home
        self._limits = Limits(memory_megabytes=memory_megabytes)
        self._place = place or Place()
        self._member = home.member
        self._clock = clock

    def documents(self, purpose: str = "", owners: Sequence[str] = ()) -> Documents:
        trusted = self._home.trusted()
        if not owners:
            return Documents(trusted, trusted.require_catalogue().digest, (), self._standing(trusted))
        world = self._world(trusted)
        return self._documents(trusted, world, owners, purpose)

    def review(self, submission: Submission) -> Review:
        trusted = self._home.trusted()
        world = self._world(trusted)
        compiled = compile_analysis(
            submission.sql,
            submission.purpose,
            submission.submitter,
            submission.as_of,
            world,
            estimate,
            self._clock(),
            submission.circuits,
            submission.errors,
        )
        documents = self._documents(trusted, world, compiled.plan.owners(), submission.purpose)
        basis = gather(self._home.trust, world, compiled)
        if compiled.leakage is None:
            denied = refusal(compiled)
            reasons = tuple(
                f"{owner}: {reason.text} (rule {reason.rule})" for owner, reason in compiled.decision.denials()
            )
            without = set(compiled.plan.owners()) - {policy.member for policy in documents.policies}
            revoked = revocations_of(documents.standing, submission.purpose, without)
            told = (*revoked, *reasons) or (denied.message,)
            return Review(documents, compiled.plan, "", denied.code, told, basis=basis)
        plan = compiled.plan
        tables = {owner: tables_needed(plan, owner, world.catalogue) for owner in plan.owners()}
        policies = {owner: world.policies_of(owner, plan.purpose)[0].policy for owner in plan.owners()}
        charges = {owner: charges_of(plan, owner, policy, world.catalogue) for owner, policy in policies.items()}
        own = self._own_part(compiled, world)
        awaited = reviewers(plan, world)
        leakage = compiled.leakage.digest()
        return Review(
            documents,
            plan,
            leakage,
            tables=tables,
            own=own,
            charges=charges,
            retention=retention_of(plan, policies.values()),
            reviewers=awaited,
            basis=basis,
        )

    def _own_part(self, compiled: Compiled, world: PolicyWorld) -> OwnPart | None:
        plan = compiled.plan
        if self._member not in plan.owners():
            return None
        [loaded] = world.policies_of(self._member, plan.purpose)  # a permit rests on exactly one
        store = self._store()
        registered = {stored.document.table: stored.document.root for stored in store.all() if store.is_current(stored)}
        case = OwnCase(self._member, loaded, plan, world.catalogue, registered, self._clock())
        return OwnPart(compiled.decision, case)

    def snapshots(self, plan: Plan) -> tuple[SnapshotRoot, ...]:
        trusted = self._home.trusted()
        return committed_snapshots(self._store(), plan, self._member, self._catalogue(trusted))

    def run(
        self,
        plan: Plan,
        snapshots: tuple[SnapshotRoot, ...],
        connect: Callable[[], Ends],
        begin: Callable[[str], None],
    ) -> Computed:
        own = [step for step in plan.steps if isinstance(step, Share) and step.owner == self._member]
        # Links first: their beats tell the others that a long local stage is at work.
        ends = connect()
        if plan.engine == "shamir" and self._member in plan.computers:
            local = partial(self._inputs, plan, own, snapshots)
            return computed_shamir(plan, self._home, self._place, ends, local, begin, self._clock())
        inputs = self._inputs(plan, own, snapshots)
        if self._member in plan.computers:
            # noise takes a time that depends on its values, so it is drawn before anybody could measure it
            return self._compute(plan, inputs, drawn(plan, (self._member,)), ends, begin)
        for step in own:
            begin(step.id)
            if plan.engine == "shamir":
                send_shares(plan, ends.channels, step, inputs[step.id])
            else:
                shapes = shapes_of(step.columns)
                send_input(ends.channels, plan.ring(), step.id, step.rows, shapes, inputs[step.id])
        return Computed(_traffic(plan, ends, Transcript()))

    def open_result(self, plan: Plan, step: str, parts: Sequence[bytes]) -> bytes:
        catalogue = self._catalogue(self._home.trusted())
        frame = with_identifiers(decode(plan, step, parts), _key_columns(plan), self._store(), catalogue)
        buffer = io.BytesIO()
        frame.write_ipc(buffer)
        return buffer.getvalue()

    def _compute(
        self,
        plan: Plan,
        inputs: Mapping[str, Sequence[Words]],
        draws: Draws,
        ends: Ends,
        begin: Callable[[str], None],
    ) -> Computed:
        rank = plan.computers.index(self._member)
        before, after = plan.computers[(rank + 2) % 3], plan.computers[(rank + 1) % 3]
        # The pair seed of two neighbours is the seed of the component that both hold.
        randomness = Randomness(rank, ends.seeds[before], ends.seeds[after])
        transcript = Transcript()
        engine = Ring3Engine(Context(rank, plan.ring(), ends.channels, randomness, transcript), plan.circuits)
        tables = run_shared(plan, engine, inputs, begin, overlapping, draws)
        return Computed(_traffic(plan, ends, transcript), lambda: release(engine, tables))

    def _inputs(self, plan: Plan, own: Sequence[Share], snapshots: tuple[SnapshotRoot, ...]) -> dict[str, list[Words]]:
        if not own:
            return {}
        catalogue = self._catalogue(self._home.trusted())
        return {
            step.id: encode(step, run_local(plan, step.id, self._store(), snapshots, catalogue, self._limits))
            for step in own
        }

    def _store(self) -> SnapshotStore:
        return SnapshotStore(self._home.path / "snapshots")

    def _catalogue(self, trusted: TrustedSet) -> Catalogue:
        head = trusted.require_catalogue()
        catalogue = Catalogue.parse(self._home.trust.catalogue().payload_bytes())
        if catalogue.digest() != head.digest:
            raise OperatorError(
                "parties/catalogue",
                "the catalogue on disk is not the accepted one",
                remedy="accept it again with `consortia catalogue accept`",
            )
        return catalogue

    def _world(self, trusted: TrustedSet) -> PolicyWorld:
        folder = self._home.trust
        envelopes = [folder.policy(owner, purpose) for owner, purpose in folder.policies()]
        revoked = self._standing(trusted).revoked
        world, _ = world_of(trusted, self._catalogue(trusted), envelopes, self._clock(), revoked)
        return world

    def _standing(self, trusted: TrustedSet) -> Standing:
        return standing(self._home.trust, trusted.manifest)

    def _documents(self, trusted: TrustedSet, world: PolicyWorld, owners: Sequence[str], purpose: str) -> Documents:
        digests = world.digests(tuple(owners), purpose)
        policies = tuple(MemberDigest(member=owner, digest=digest) for owner, digest in digests.items())
        return Documents(trusted, trusted.require_catalogue().digest, policies, self._standing(trusted))


def _key_columns(plan: Plan) -> dict[str, str]:
    """The key columns that a recipient can get, with their domains."""
    columns = [
        column for step in plan.steps if step.at == "recipient" or step.kind == "release" for column in step.columns
    ]
    return {column.name: column.type.domain for column in columns if column.type.kind == "key"}


def _traffic(plan: Plan, ends: Ends, transcript: Transcript) -> tuple[StepTraffic, ...]:
    """Rounds as the context counted them and payload bytes as the channels sealed them, by plan step."""
    traffic = []
    for step in shared_steps(plan):
        sent = sum(
            count for channel in ends.channels.values() for path, count in channel.sent.items() if lane(path) == step.id
        )
        traffic.append(StepTraffic(step=step.id, rounds=transcript.total_rounds(step.id), bytes=sent))
    return tuple(traffic)
