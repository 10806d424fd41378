"""One session at one node, from proposal to seal: the order of the steps, and what happens when one fails.

    proposed   the coordinator shows a signed submission
    reviewing  compile it here, decide, compare plan and leakage with what was submitted; deny or approve
    held       a policy wants an officer's word first (``holding``)
    approved   verify all approvals, agree on keys bound to them
    sharing    links, local stage, input on shares
    computing, controlling   the shared steps
    releasing  after the last word of every party (``assent``): seal parts to recipients, take the own result, wait
    sealed     closing statement over journal head, transcript and commitments

Every move is one transaction with its cause and with the message that tells the coordinator. A failure before the
approval is a signed denial, after it an abort; after an abort nothing is opened, and the keys of the run are gone. A
node never acts on a plan hash that it did not compute.
"""

import secrets
import threading
import time
from collections.abc import Callable, Mapping

import structlog

from consortia.control.mailbox import Letter
from consortia.control.messages import Collected, Empty, Kind, Progress, Proposal, Stage, decode
from consortia.control.messages import End as EndBody
from consortia.control.parts import RunOf
from consortia.control.phases import Phase
from consortia.errors import ConsortiaError, InternalError, PeerError, ProtocolAbort, unexpected
from consortia.evidence.basis import Kept
from consortia.parties.agreement import agree, greet, offer, verified_submission
from consortia.parties.approval import check_reservations, check_unexpired, verify_approvals
from consortia.parties.approving import approve
from consortia.parties.assent import exchange_assent
from consortia.parties.budget import check_remembered, commit, reserved_by
from consortia.parties.checks import (
    Agreed,
    Refused,
    check_documents,
    check_plan,
    check_unchanged,
    objection,
)
from consortia.parties.ending import NO_DIGEST, close_with_statement, ended, fail, is_closed
from consortia.parties.holding import reviewed
from consortia.parties.inbox import SessionEnded, SessionInbox
from consortia.parties.own_result import take_result
from consortia.parties.sending import send_parts
from consortia.parties.store import SessionMemory
from consortia.parties.tools import Tools
from consortia.parties.transport.key_schedule import LinkKeys
from consortia.parties.transport.links import Limits, TcpChannel
from consortia.parties.transport.mesh import Run, open_links
from consortia.parties.witness import heads_of, witness_hellos
from consortia.parties.work import Computed, Ends, Review
from consortia.plans.concerned import parties_of
from consortia.plans.model import Plan
from consortia.trust.certificates import COORDINATOR
from consortia.trust.documents import Frozen
from consortia.trust.envelope import Envelope
from consortia.trust.keys import PublicKey
from consortia.trust.notices import Standing
from consortia.trust.sessions import Approval, MemberDigest, Submission

_LOG = structlog.get_logger("consortia.parties")
_CAUSE_SECONDS = 2.0
ATTEMPT = 1
"""A session has one attempt in this version: after a crash it ends, and the analyst submits again."""


class SessionRunner:
    """Runs one session in the thread that calls ``run``; others call ``deliver``, ``interrupt`` and ``progress``."""

    def __init__(self, tools: Tools, session: str, phase: Phase = Phase.PROPOSED) -> None:
        self._tools = tools
        self._session = session
        self._inbox = SessionInbox(tools.control, tools.limits.silence_seconds)
        self._phase = phase
        self._lock = threading.Lock()
        self._links: dict[str, TcpChannel] = {}
        self._closers: list[Callable[[], None]] = []
        self._step = ""
        self._shared_since: float | None = None
        self._claimed_plan = NO_DIGEST
        self._asked = False
        self._basis: tuple[Kept, ...] = ()
        self._policies: tuple[MemberDigest, ...] = ()
        self._log = _LOG.bind(session=session, member=tools.member)

    def deliver(self, letter: Letter) -> None:
        """Hand over a message of the session; an end takes effect at once, also in the middle of a computation."""
        self._inbox.deliver(letter)
        if letter.kind == Kind.END:
            self._drop_links()

    def interrupt(self, error: ConsortiaError) -> None:
        """End the session with ``error``, from another thread."""
        self._inbox.interrupt(error)
        self._drop_links()

    def reconsider(self, standing: Standing) -> None:
        """End the session, from any thread, if what stands now forbids it; what has been released stays released."""
        error = objection(standing, self._policies)
        if error is not None and self._phase is not Phase.RELEASING:
            self.interrupt(error)

    def progress(self) -> Progress:
        """What can be told of the work so far: step and bytes, which follow from the plan and not from data."""
        with self._lock:
            sent = sum(sum(link.sent.values()) for link in self._links.values())
        return Progress(party=self._tools.member, step=self._step, sent=sent)

    def run(self) -> None:
        """The session from where it stands to its end, or until it is held; never raises."""
        # After a restart of the node parts may be on their way: then it takes the own result and seals.
        self._guarded(self._finish if self._phase is Phase.RELEASING else self._run)

    @property
    def unread(self) -> bool:
        """Whether the session is held and something has arrived since ``run`` looked."""
        return self._phase is Phase.HELD and not self._inbox.empty

    def _guarded(self, body: Callable[[], None]) -> None:
        try:
            self._ended_by(body)
        except Exception as error:  # noqa: BLE001  # the end can't be written: the next start of the node brings it
            self._log.error("end-not-written", code=getattr(error, "code", "parties/internal"), **unexpected(error))
        finally:
            self._drop_links()
            self._tools.result_key_path(self._session).unlink(missing_ok=True)

    def _ended_by(self, body: Callable[[], None]) -> None:
        try:
            body()
        except SessionEnded as ended:
            self._close(ended.end)
        except ConsortiaError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001  # whatever it is, the others must be told and nothing be opened
            self._log.error("internal-error", **unexpected(error))
            self._fail(InternalError("parties/internal", f"an unexpected {type(error).__name__}"))

    # --- the order of things ----------------------------------------------------------------------------

    def _run(self) -> None:
        proposal = decode(Proposal, self._inbox.take(Kind.PROPOSAL, self._phase).body, Kind.PROPOSAL, COORDINATOR)
        if self._phase is Phase.PROPOSED:
            self._move(Phase.REVIEWING, "proposal", (Kind.REVIEWING, Empty()))
        submission, review = self._review(proposal)
        words = self._inbox.present(Kind.REVIEW)
        self._phase = reviewed(self._tools, self._session, self._phase, proposal.submission, review, words)
        if self._phase is Phase.HELD:
            return  # its next message wakes it
        own = self._approve(submission, review, proposal.submission)
        agreed = self._collect_approvals(submission, review, own)
        transcript, keys = self._agree_on_keys(agreed)
        self._move(Phase.SHARING, "keys agreed")
        computed = self._compute(agreed, keys)
        memory = self._release(agreed, transcript, computed)
        if memory.outputs:
            self._take_result(memory, plan=agreed.plan, keys=agreed.keys)
        self._seal(memory)

    def _finish(self) -> None:
        tools = self._tools
        with tools.store.begin() as transaction:
            memory = tools.store.memory(transaction, self._session)
            kept = tools.store.results(transaction, self._session)
            sealed = is_closed(tools, transaction, self._session)
        if memory.outputs and not kept:
            proposal = decode(Proposal, self._inbox.take(Kind.PROPOSAL, self._phase).body, Kind.PROPOSAL, COORDINATOR)
            trusted = tools.work.documents().trusted
            keys = {computer: trusted.node_key(computer, tools.clock()) for computer in memory.computers}
            self._take_result(memory, plan=Plan.parse(proposal.plan.encode()), keys=keys)
        if not sealed:
            self._seal(memory)
        self._inbox.take(Kind.END, self._phase)

    def _review(self, proposal: Proposal) -> tuple[Submission, Review]:
        tools = self._tools
        documents = tools.work.documents()
        submission = verified_submission(proposal.submission, self._session, documents.trusted, tools.clock())
        self._asked = True
        self.reconsider(documents.standing)
        self._inbox.check()
        self._claimed_plan = submission.plan
        shown = Plan.parse(proposal.plan.encode())
        review = tools.work.review(submission)
        self._basis = review.basis
        check_documents(submission, review, shown)
        if review.denials:
            raise Refused(review.denial_code, review.denials)
        self._claimed_plan = review.plan.digest()
        self._policies = review.documents.policies
        self.reconsider(review.documents.standing)
        self._inbox.check()
        check_plan(submission, review, shown)
        parties = parties_of(review.plan)
        if tools.member not in parties or proposal.parties != parties:
            raise ProtocolAbort(
                "parties/party-set",
                f"the plan concerns {', '.join(parties)}, the coordinator asks {', '.join(proposal.parties)}",
                remedy="compare the manifest versions of the coordinator and this member",
            )
        return submission, review

    def _approve(self, submission: Submission, review: Review, envelope: Envelope) -> Approval:
        own = approve(self._tools, self._session, submission, review, envelope)
        self._phase = Phase.APPROVED
        self._log.info("session", phase=self._phase, plan=own.plan)
        return own

    def _collect_approvals(self, submission: Submission, review: Review, own: Approval) -> Agreed:
        tools = self._tools
        collected = decode(Collected, self._inbox.take(Kind.APPROVALS, self._phase).body, Kind.APPROVALS, COORDINATOR)
        now = tools.clock()
        keys = {party: review.documents.trusted.node_key(party, now) for party in parties_of(review.plan)}
        approvals = verify_approvals(own, review.tables, collected.documents, keys, now)
        check_reservations(approvals, review.charges)
        envelopes = {Approval.parse(item.payload_bytes()).party: item for item in collected.documents}
        with tools.store.begin() as transaction:
            for party in sorted(envelopes):
                tools.store.journal.append(
                    transaction,
                    session=self._session,
                    kind="verified-approval",
                    payload=envelopes[party].to_bytes(),
                    now=now,
                )
        return Agreed(submission, review.plan, review.documents, own, approvals, envelopes, keys)

    def _agree_on_keys(self, agreed: Agreed) -> tuple[str, dict[str, LinkKeys]]:
        tools = self._tools
        greeting = greet(
            agreed.own,
            agreed.envelopes,
            attempt=ATTEMPT,
            software=tools.software,
            heads=heads_of(tools, agreed.keys),
            reserved=reserved_by(tools.store, agreed.keys, tools.member),
            signer=tools.signer,
            random_bytes=secrets.token_bytes,
        )
        tools.control.send(Kind.HELLO, greeting.envelope, self._session)
        hellos = decode(Collected, self._inbox.take(Kind.HELLOS, self._phase).body, Kind.HELLOS, COORDINATOR)
        own = offer(greeting, hellos.documents, agreed.keys, tools.signer, secrets.token_bytes)
        check_remembered(tools.store, tools.member, self._session, hellos.documents, tools.clock())
        witness_hellos(tools, self._session, hellos.documents)
        tools.control.send(Kind.PAIR_KEYS, own.envelope, self._session)
        pair_keys = decode(
            Collected, self._inbox.take(Kind.PAIR_KEYS_SET, self._phase).body, Kind.PAIR_KEYS_SET, COORDINATOR
        )
        transcript, keys = agree(greeting, own, pair_keys.documents, agreed.keys)
        with tools.store.begin() as transaction:
            tools.store.behind.see(transaction, self._session, agreed.approvals.values())
        return transcript, keys

    def _compute(self, agreed: Agreed, keys: dict[str, LinkKeys]) -> Computed:
        plan = agreed.plan
        try:
            return self._tools.work.run(
                plan, agreed.own.snapshots, lambda: self._connect(agreed, keys), lambda step: self._begin(plan, step)
            )
        except ConsortiaError as error:
            self._inbox.check()  # links that were closed because the session ended are not the cause
            if isinstance(error, PeerError):
                self._inbox.check_within(_CAUSE_SECONDS)  # a peer that failed has told the coordinator why
            raise error from None

    def _connect(self, agreed: Agreed, keys: dict[str, LinkKeys]) -> Ends:
        tools, plan = self._tools, agreed.plan
        run = Run(self._session, ATTEMPT, parties_of(plan), plan.computers)
        now = tools.clock()
        endpoints = {party: agreed.documents.trusted.card(party, now).endpoint for party in run.parties}
        limits = Limits(connect=tools.limits.connect_seconds, silence=tools.limits.silence_seconds)
        links = open_links(tools.member, run, keys, endpoints, tools.listener, limits)
        with self._lock:
            self._links = links
        self._inbox.check()
        return Ends(links, {peer: link.seed for peer, link in keys.items()}, self._closing)

    def _begin(self, plan: Plan, step: str) -> None:
        self._step = step
        self._inbox.check()
        if self._shared_since is None:
            self._shared_since = time.monotonic()  # the first frame of shared input leaves now
        kind = plan.step(step).kind
        if kind == "share":
            return
        if self._phase is Phase.SHARING:
            self._move(Phase.COMPUTING, f"step {step}")
        if kind == "control" and self._phase is Phase.COMPUTING:
            self._move(Phase.CONTROLLING, f"step {step}")

    def _release(self, agreed: Agreed, transcript: str, computed: Computed) -> SessionMemory:
        """Once every party agrees that everything is still valid, the parts leave, all in one transaction."""
        tools, plan = self._tools, agreed.plan
        self._wait_for_assent(agreed)
        if self._phase is Phase.SHARING and tools.member in plan.computers:
            self._move(Phase.COMPUTING, "shared steps done")
        parts = computed.release()
        run = RunOf(self._session, ATTEMPT, plan.digest(), transcript)
        memory = send_parts(tools, run, agreed, parts, computed.traffic)
        self._phase = Phase.RELEASING
        self._log.info("session", phase=self._phase, parts=len(parts))
        if self._shared_since is not None:
            self._log.info("secure-part", seconds=round(time.monotonic() - self._shared_since, 3))
        return memory

    def _wait_for_assent(self, agreed: Agreed) -> None:
        """Check once more that all this party approved still stands, and hear the same of every other party.

        The reservation is committed between the check and the word: after it others may release without this party.
        """
        tools, plan = self._tools, agreed.plan

        def check() -> None:
            self._inbox.check()
            check_unexpired(agreed.approvals, tools.clock())
            check_unchanged(agreed, tools.work.documents(plan.purpose, plan.owners()), tools.clock())
            commit(tools.store, self._session)

        peers = Run(self._session, ATTEMPT, parties_of(plan), plan.computers).peers(tools.member)
        with self._lock:
            links = dict(self._links)
        self._inbox.check()
        try:
            exchange_assent(links, tools.member, plan.computers, peers, check)
        except PeerError:
            self._inbox.check_within(_CAUSE_SECONDS)  # a peer that failed has told the coordinator why
            raise
        self._inbox.check()

    def _take_result(self, memory: SessionMemory, plan: Plan, keys: Mapping[str, PublicKey]) -> None:
        take_result(self._tools, memory, plan, keys, lambda: self._inbox.take(Kind.PART, self._phase))

    def _seal(self, memory: SessionMemory) -> None:
        """Wait until all parts are delivered, sign the closing statement, and wait for everybody's."""
        tools = self._tools
        self._inbox.take(Kind.RELEASED, self._phase)
        now = tools.clock()
        with tools.store.begin() as transaction:
            signed = close_with_statement(tools, transaction, memory, now)
            tools.control.post(transaction, Kind.SEAL, signed, self._session)
        tools.control.flush()
        self._drop_links(cleanly=True)
        self._inbox.take(Kind.END, self._phase)

    # --- messages and moves -----------------------------------------------------------------------------

    def _move(self, target: Phase, cause: str, message: tuple[Kind, Frozen] | None = None) -> None:
        tools = self._tools
        kind, body = message or (Kind.STAGE, Stage(party=tools.member, stage=target))
        with tools.store.begin() as transaction:
            tools.store.move(transaction, self._session, target, cause, tools.clock())
            tools.control.post(transaction, kind, body, self._session)
        tools.control.flush()
        self._phase = target
        self._log.info("session", phase=target, cause=cause)

    def _fail(self, error: ConsortiaError) -> None:
        """Deny before the approval, abort after it, and tell the others; the own log gets the details."""
        self._log.warning("session-failed", phase=self._phase, **error.as_dict())
        self._phase = fail(self._tools, self._session, error, self._claimed_plan, self._basis, asked=self._asked)

    def _close(self, end: EndBody) -> None:
        self._phase = ended(self._tools, self._session, end)
        fault = {f"fault_{key}": value for key, value in end.fault.model_dump().items()} if end.fault else {}
        self._log.info("session-ended", phase=self._phase, told=end.phase, **fault)

    def _closing(self, close: Callable[[], None]) -> None:
        with self._lock:
            self._closers.append(close)
        self._inbox.check()

    def _drop_links(self, *, cleanly: bool = False) -> None:
        with self._lock:
            links, self._links = self._links, {}
            closers, self._closers = self._closers, []
        for close in closers:
            close()
        for link in links.values():
            link.close(cleanly=cleanly)
