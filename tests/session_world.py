"""Real nodes and a real coordinator in one process, over real sockets, whose work is a token computation.

For tests of order, failure and lies: documents, approvals, key agreement, links and delivery are those of the
product; what is computed is one message over each link. ``edits`` change the policy by which each owner's own part is
decided (``policies_world``). ``service`` makes the coordinator, so one of its own kind may change every message that
passes its hands; ``Script`` changes what one member's work does.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import structlog
from sqlalchemy import MetaData

from consortia.control.connection import ControlConnection, Receiver
from consortia.control.database import open_database
from consortia.control.identity import TlsIdentity
from consortia.control.limits import ControlLimits
from consortia.control.mailbox import Letter, Mailbox, mail_tables
from consortia.control.messages import End, Kind, Part, Submit, decode
from consortia.control.parts import PartCollector
from consortia.control.phases import Phase
from consortia.coordinator.live import LiveDirectory
from consortia.coordinator.service import CoordinatorService, RunningServer, serve
from consortia.coordinator.store import Store
from consortia.errors import ConsortiaError
from consortia.evidence.basis import Kept
from consortia.parties.agreement import session_of
from consortia.parties.config import PartyConfig, PartyLimits
from consortia.parties.node import PartyNode
from consortia.parties.release import ResultPart
from consortia.parties.work import Computed, Documents, Ends, OwnPart, Review
from consortia.plans.concerned import outputs_of
from consortia.plans.model import Control, Plan, Recipient, Release, Scan, Share, Union
from consortia.policies.accounting import Charge
from consortia.policies.own import OwnCase
from consortia.policies.verdicts import Decision, Verdict
from consortia.trust.certificates import Identity
from consortia.trust.envelope import Envelope, seal_document
from consortia.trust.home import Home
from consortia.trust.hpke import KemPrivateKey
from consortia.trust.manifest import Role
from consortia.trust.notices import standing
from consortia.trust.sessions import MemberDigest, SnapshotRoot, StepTraffic, Submission
from tests.consortium import PEOPLE, Consortium, free_port, make_consortium
from tests.fixtures_catalogue import CATALOGUE
from tests.policies_world import loaded

# Logs of nodes and coordinator would stand between the dots of a test run; what matters of them is asserted.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))

ANALYST = "ana@bank-a"
LEAKAGE = "1" * 64
LIMITS = ControlLimits(
    unseen_seconds=1.5, closed_seconds=1.5, silence_seconds=5, welcome_seconds=5, backoff_seconds=0.3, piece_bytes=1024
)


def own_part(plan: Plan, owner: str, *edits: tuple[str, str]) -> OwnPart:
    """The own part of ``owner`` on ``plan``, which everybody permits, under the standard policy with ``edits``."""
    verdicts = tuple(Verdict(owner=name, policy="2" * 64, verdict="permit", reasons=()) for name in plan.owners())
    policy = loaded(owner, *edits)
    case = OwnCase(owner, policy, plan, CATALOGUE, dict.fromkeys(("accounts", "transactions"), "3" * 64), plan.as_of)
    return OwnPart(Decision(plan=plan.digest(), verdicts=verdicts), case)


def token_plan(world: Consortium, owners: Sequence[str], *, rows: int = 8, to_members: bool = False) -> Plan:
    """A plan that needs the given owners and the manifest's computers; the analyst (or each owner) receives."""
    scans = [
        Scan(id=f"s{i}", inputs=(), at=f"owner:{o}", rows=rows, columns=(), table="deposits")
        for i, o in enumerate(owners)
    ]
    count = len(owners)
    shares = [
        Share(id=f"s{count + i}", inputs=(f"s{i}",), at="shared", rows=rows, columns=(), owner=o)
        for i, o in enumerate(owners)
    ]
    union = Union(
        id=f"s{2 * count}",
        inputs=tuple(step.id for step in shares),
        at="shared",
        rows=rows * count,
        columns=(),
        owners=tuple(owners),
    )
    release = Release(
        id=f"s{2 * count + 1}",
        inputs=(union.id,),
        at="shared",
        rows=rows * count,
        columns=(),
        recipients=tuple(Recipient(member=owner) for owner in owners)
        if to_members
        else (Recipient(member="bank-a", person=ANALYST),),
        rows_of="all",
        output_kind="count",
    )
    return Plan(
        catalogue=world.home("bank-a").trusted().require_catalogue().digest,
        manifest=world.manifest.digest(),
        purpose="aml-detection",
        as_of=world.now,
        submitter=ANALYST,
        computers=world.manifest.computers,
        steps=(*scans, *shares, union, release),
    )


def with_control(plan: Plan) -> Plan:
    """A token plan with an output control before its release."""
    *before, release = plan.steps
    control = Control(
        id=release.id, inputs=release.inputs, at="shared", rows=release.rows, columns=release.columns, rules=()
    )
    last = release.model_copy(update={"id": f"s{len(plan.steps)}", "inputs": (control.id,)})
    return plan.model_copy(update={"steps": (*before, control, last)})


@dataclass
class Script:
    """What one member's work does: each entry is called at that point and may block, raise or change its argument."""

    review: Callable[[Review], Review] = lambda review: review
    local_stage: Callable[[], None] = lambda: None
    computing: Callable[[], None] = lambda: None
    documents: Callable[[Documents], Documents] = lambda documents: documents


@dataclass
class TokenWork:
    home: Home
    plan: Plan
    script: Script
    own: OwnPart | None = None

    def documents(self, purpose: str = "", owners: Sequence[str] = ()) -> Documents:
        trusted = self.home.trusted()
        policies = tuple(MemberDigest(member=owner, digest="2" * 64) for owner in owners)
        present = Documents(
            trusted, trusted.require_catalogue().digest, policies, standing(self.home.trust, trusted.manifest)
        )
        return self.script.documents(present)

    def review(self, submission: Submission) -> Review:
        documents = self.documents(submission.purpose, self.plan.owners())
        basis = (Kept("plan", "", self.plan.canonical()),)
        free = dict[str, dict[str, Charge]]((owner, {}) for owner in self.plan.owners())
        review = Review(documents, self.plan, LEAKAGE, tables=self._tables(), own=self.own, charges=free, basis=basis)
        return self.script.review(review)

    def _tables(self) -> dict[str, tuple[str, ...]]:
        return dict.fromkeys(self.plan.owners(), ("deposits",))

    def snapshots(self, plan: Plan) -> tuple[SnapshotRoot, ...]:
        return (SnapshotRoot(table="deposits", root="3" * 64),)

    def run(self, plan: Plan, snapshots, connect: Callable[[], Ends], begin: Callable[[str], None]) -> Computed:
        me = self.home.member
        ends = connect()
        self.script.local_stage()
        for peer, channel in ends.channels.items():
            if peer in plan.computers:
                channel.send("s0/token", me.encode())
        if me not in plan.computers:
            return Computed((StepTraffic(step="s0", rounds=1, bytes=len(me)),))
        union = next(step.id for step in plan.steps if isinstance(step, Union))
        begin(union)
        self.script.computing()
        for peer, channel in ends.channels.items():
            assert bytes(channel.receive("s0/token", len(peer))) == peer.encode()
        for step in plan.steps:
            if isinstance(step, Control):
                begin(step.id)
        return Computed(
            (StepTraffic(step="s0", rounds=1, bytes=len(me)),),
            lambda: tuple(ResultPart(step, to, f"{me} to {to} ".encode() * 200) for step, to in outputs_of(plan)),
        )

    def open_result(self, plan: Plan, step: str, parts: Sequence[bytes]) -> bytes:
        return b"|".join(parts)


@dataclass
class Client:
    """An analyst's end: submits, and waits for the end of the session."""

    connection: ControlConnection
    letters: list[Letter] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)
    private: KemPrivateKey = field(default_factory=KemPrivateKey.generate)

    def take(self, letter: Letter) -> None:
        with self.arrived:
            self.letters.append(letter)
            self.arrived.notify_all()

    def wait_for(self, kind: Kind, seconds: float = 15.0, session: str = "") -> Letter:
        deadline = time.monotonic() + seconds
        with self.arrived:
            while True:
                for letter in self.letters:
                    if letter.kind == kind and session in ("", letter.session):
                        return letter
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise TimeoutError(f"no {kind} in {seconds} s; got {[letter.kind for letter in self.letters]}")
                self.arrived.wait(remaining)

    def end(self, session: str = "", seconds: float = 15.0) -> End:
        letter = self.wait_for(Kind.END, seconds, session)
        return decode(End, letter.body, letter.kind, letter.sender)


@dataclass
class Forward:
    """Where letters go before there is a client to take them: nowhere, the connection has not started."""

    target: Client | None = None

    def put(self, letter: Letter) -> None:
        assert self.target is not None
        self.target.take(letter)


@dataclass
class SessionWorld:
    consortium: Consortium
    plan: Plan
    port: int
    server: RunningServer
    edits: tuple[tuple[str, str], ...]
    nodes: dict[str, PartyNode]
    scripts: dict[str, Script]
    clients: list[Client] = field(default_factory=list)
    limits: ControlLimits = LIMITS

    def client(self, person: str = ANALYST, port: int = 0) -> Client:
        profile = self.consortium.profile(person)
        pair = profile.tls()
        tls = TlsIdentity(
            Identity(self.consortium.manifest.consortium, "person", person),
            pair.certificate,
            pair.key_pem(),
            self.consortium.manifest.coordinator.tls_root,
        )
        metadata = MetaData()
        mailbox = Mailbox(mail_tables(metadata), "coordinator", f"{len(self.clients):02x}")
        engine = open_database(None, metadata)
        inbox = Forward()
        client = Client(
            ControlConnection(
                f"127.0.0.1:{port or self.port}",
                tls,
                (engine, mailbox),
                Receiver(deliver=inbox.put),
                LIMITS,
                "test",
            )
        )
        inbox.target = client
        client.connection.start()
        self.clients.append(client)
        return client

    def submission(self, client: Client, person: str = ANALYST, **changes) -> Envelope:
        fields = {
            "consortium": self.consortium.manifest.consortium,
            "submitter": person,
            "purpose": self.plan.purpose,
            "sql": "SELECT COUNT(*) FROM deposits",
            "plan": self.plan.digest(),
            "leakage": LEAKAGE,
            "manifest": self.plan.manifest,
            "catalogue": self.plan.catalogue,
            "as_of": self.plan.as_of,
            "nonce": f"{time.monotonic_ns():064x}",
            "result_key": client.private.public,
        }
        document = Submission(**{**fields, **changes})
        return seal_document(document, (self.consortium.profile(person).signing_key(),))

    def submit(self, client: Client, envelope: Envelope | None = None) -> str:
        client.connection.wait_connected(5)
        envelope = envelope or self.submission(client)
        session = session_of(envelope)
        body = Submit(submission=envelope, plan=self.plan.canonical().decode())
        client.connection.send(Kind.SUBMISSION, body, session)
        return session

    def parts(self, client: Client, session: str) -> dict[str, list[bytes]]:
        """The submitter's result parts, checked and opened."""
        steps = tuple(step for step, recipient in outputs_of(self.plan) if recipient == ANALYST)
        collector = PartCollector(ANALYST, steps, self.plan.computers)
        for letter in client.letters:
            if letter.kind == Kind.PART and letter.session == session:
                collector.add(letter.sender, decode(Part, letter.body, letter.kind, letter.sender))
        trusted = self.consortium.home("bank-a").trusted()
        keys = {computer: trusted.node_key(computer, datetime.now(UTC)) for computer in self.plan.computers}
        return collector.open(session, self.plan.digest(), keys, client.private)

    def phases(self, session: str) -> dict[str, Phase | None]:
        return {member: node.phases().get(session) for member, node in self.nodes.items()}

    def wait_phases(self, session: str, wanted: Phase, members: Sequence[str] = (), seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        names = members or tuple(self.nodes)
        while any(self.phases(session)[name] is not wanted for name in names):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not all {wanted}: {self.phases(session)}")
            time.sleep(0.02)

    def start_node(self, member: str, *, mailbox: bool = False, **settings) -> PartyNode:
        home = self.consortium.home(member)
        endpoint = home.trusted().cards[member].endpoint
        config = PartyConfig(
            home=home.path,
            listen=endpoint,
            limits=PartyLimits(connect_seconds=3, silence_seconds=3, control=LIMITS),
            **settings,
        )
        own = own_part(self.plan, member, *self.edits) if member in self.plan.owners() else None
        work = TokenWork(home, self.plan, self.scripts[member], own)
        node = PartyNode(config, home, work, new_mailbox=mailbox)
        node.start()
        self.nodes[member] = node
        return node

    def restart_coordinator(self, pause: float = 0.0) -> None:
        self.server.stop(0.2)
        time.sleep(pause)
        self.server = start_coordinator(self.consortium, self.port, self.limits)

    def coordinator_bytes(self) -> bytes:
        """Everything that the coordinator has ever written."""
        folder = self.consortium.coordinator.path
        return b"".join(file.read_bytes() for file in sorted(folder.glob("coordinator.sqlite*")))


def start_coordinator(
    consortium: Consortium,
    port: int,
    limits: ControlLimits = LIMITS,
    service: type[CoordinatorService] = CoordinatorService,
) -> RunningServer:
    home = consortium.coordinator
    directory = LiveDirectory(home)
    pair = home.tls()
    identity = Identity(consortium.manifest.consortium, "coordinator", "coordinator")
    tls = TlsIdentity(identity, pair.certificate, pair.key_pem(), directory().roots().decode())
    store = Store(home.path / "coordinator.sqlite")
    return serve(service(store, directory, limits, "test"), f"127.0.0.1:{port}", tls, limits)


@contextmanager
def session_world(
    root: Path,
    members: Sequence[str] = ("bank-a", "bank-b", "bank-c"),
    owners_only: Sequence[str] = (),
    *,
    start: Sequence[str] | None = None,
    to_members: bool = False,
    limits: ControlLimits = LIMITS,
    service: type[CoordinatorService] = CoordinatorService,
    edits: tuple[tuple[str, str], ...] = (),
    people: Mapping[str, tuple[Role, ...]] = PEOPLE,
) -> Iterator[SessionWorld]:
    names = (*members, *owners_only)
    port = free_port()
    consortium = make_consortium(
        root,
        members,
        owners_only,
        people,
        catalogue=CATALOGUE,
        endpoints={name: f"127.0.0.1:{free_port()}" for name in names},
        coordinator=f"127.0.0.1:{port}",
        suite="ecdsa-p256",
        now=datetime.now(UTC).replace(microsecond=0),
    )
    plan = token_plan(consortium, sorted(names), to_members=to_members)
    server = start_coordinator(consortium, port, limits, service)
    scripts = {name: Script() for name in names}
    world = SessionWorld(consortium, plan, port, server, edits, {}, scripts, limits=limits)
    try:
        for name in names if start is None else start:
            world.start_node(name)
        yield world
    finally:
        for client in world.clients:
            client.connection.close()
        for node in list(world.nodes.values()):
            node.stop(2)
        world.server.stop(0.2)


def refusal_of(action: Callable[[], object]) -> ConsortiaError:
    """The error that ``action`` raises."""
    try:
        action()
    except ConsortiaError as error:
        return error
    raise AssertionError("nothing was refused")
