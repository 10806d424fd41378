"""The coordinator's view of one session, as a pure state machine: ``advance(state, event) -> (state, effects)``.

No I/O, no clock, no randomness: the service turns messages and deadlines into events, stores the new state with its
cause and carries out the effects, all in one transaction. Which event is legal in which phase stands in ``LEGAL``;
every other one is refused naming phase and event, and changes nothing.

Invariants: approvals, hellos and pair keys are handed out only when complete; parts reach recipients only when every
computer has delivered every part, so an abort before that leaves nothing that can be opened; an ended session never
moves again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from consortia.control.messages import Fault, Kind
from consortia.control.phases import ENDS, STAGES, Phase, check_move
from consortia.errors import ProtocolAbort
from consortia.trust.documents import Frozen, Name, Person, Session


class Output(Frozen):
    """One release step and one recipient of it: a member, or a person."""

    step: str
    recipient: Name | Person


class PartKey(Frozen):
    """One computer's part of one output."""

    party: Name
    step: str
    recipient: Name | Person


class PartyStage(Frozen):
    """How far one party is."""

    party: Name
    stage: Phase


class SessionState(Frozen):
    """Everything that decides what may happen next. Tuples of parties are sorted."""

    session: Session
    submitter: Person
    parties: tuple[Name, ...]
    computers: tuple[Name, ...]
    outputs: tuple[Output, ...]
    phase: Phase = Phase.PROPOSED
    stages: tuple[PartyStage, ...] = ()
    holding: tuple[Name, ...] = ()
    greeted: tuple[Name, ...] = ()
    keyed: tuple[Name, ...] = ()
    parts: tuple[PartKey, ...] = ()
    sealed: tuple[Name, ...] = ()
    fault: Fault | None = None

    def stage(self, party: str) -> Phase:
        """How far ``party`` is; ``proposed`` until it has answered."""
        return next((entry.stage for entry in self.stages if entry.party == party), Phase.PROPOSED)

    @property
    def released(self) -> bool:
        """Whether every computer has delivered every part."""
        return bool(self.outputs) and len(self.parts) == len(self.computers) * len(self.outputs)

    @property
    def awaited(self) -> tuple[Name, ...]:
        """The parties whose turn it is, sorted; nobody once the session has ended."""
        if self.phase in ENDS:
            return ()
        if self.released:
            return tuple(party for party in self.parties if party not in self.sealed)
        if self.phase in (Phase.PROPOSED, Phase.REVIEWING, Phase.HELD):
            return tuple(
                party for party in self.parties if party not in self.holding and self.stage(party) != Phase.APPROVED
            )
        if self.phase is Phase.APPROVED:
            if len(self.greeted) < len(self.parties):
                return tuple(party for party in self.parties if party not in self.greeted)
            if len(self.keyed) < len(self.parties):
                return tuple(party for party in self.parties if party not in self.keyed)
        return tuple(party for party in self.parties if not self._is_done(party))

    def _is_done(self, party: str) -> bool:
        delivered = sum(part.party == party for part in self.parts)
        share = len(self.outputs) if party in self.computers else 0
        return self.stage(party) is Phase.RELEASING and delivered == share


@dataclass(frozen=True, slots=True)
class Reviewing:
    """``party`` has the proposal and compiles it."""

    party: str


@dataclass(frozen=True, slots=True)
class Held:
    """``party`` waits for the signatures of officers, its own or others'."""

    party: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """The officers that ``party`` waited for have signed."""

    party: str


@dataclass(frozen=True, slots=True)
class Approved:
    """``party`` has signed its approval."""

    party: str


@dataclass(frozen=True, slots=True)
class Denied:
    """``party`` refuses the plan."""

    party: str
    fault: Fault


@dataclass(frozen=True, slots=True)
class Greeted:
    """``party`` has sent its hello."""

    party: str


@dataclass(frozen=True, slots=True)
class Keyed:
    """``party`` has sent its pair keys."""

    party: str


@dataclass(frozen=True, slots=True)
class Reached:
    """``party`` has reached ``stage``."""

    party: str
    stage: Phase


@dataclass(frozen=True, slots=True)
class Delivered:
    """The whole part of computer ``party`` for one output is here."""

    party: str
    step: str
    recipient: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """``party`` has signed its closing statement."""

    party: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The run failed at ``party``, it was waited for in vain, or (the submitter) it was cancelled.

    After the release it only says that a seal is missing: what was opened stays opened.
    """

    party: str
    fault: Fault


@dataclass(frozen=True, slots=True)
class Expired:
    """An approval is no longer valid and the run has not begun."""

    party: str
    fault: Fault


Event = (
    Reviewing | Held | Resumed | Approved | Denied | Greeted | Keyed | Reached | Delivered | Sealed | Failed | Expired
)


@dataclass(frozen=True, slots=True)
class Ask:
    """Show the proposal to all parties."""


@dataclass(frozen=True, slots=True)
class Distribute:
    """Hand all collected documents of ``kind`` to all parties."""

    kind: Kind


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the submitter how far a party is."""

    party: str
    stage: Phase


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand all parts to their recipients and tell the parties that the result is released."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Tell everybody concerned that the session has ended, and why."""

    phase: Phase
    fault: Fault | None


Effect = Ask | Distribute | Report | Deliver | Finish

_ANYTIME: frozenset[type[Event]] = frozenset({Failed})
_BEFORE = frozenset({Reviewing, Held, Resumed, Approved, Denied, Expired}) | _ANYTIME
_RUNNING = frozenset({Reached, Delivered, Sealed}) | _ANYTIME

LEGAL: Mapping[Phase, frozenset[type[Event]]] = MappingProxyType(
    {
        Phase.PROPOSED: frozenset({Reviewing, Denied, Expired}) | _ANYTIME,
        Phase.REVIEWING: _BEFORE,
        Phase.HELD: _BEFORE,
        Phase.APPROVED: frozenset({Greeted, Keyed, Reached, Expired}) | _ANYTIME,
        Phase.SHARING: _RUNNING,
        Phase.COMPUTING: _RUNNING,
        Phase.CONTROLLING: _RUNNING,
        Phase.RELEASING: _RUNNING,
        Phase.SEALED: frozenset(),
        Phase.DENIED: frozenset(),
        Phase.ABORTED: frozenset(),
        Phase.EXPIRED: frozenset(),
    }
)


def begin(
    session: str, submitter: str, parties: tuple[str, ...], computers: tuple[str, ...], outputs: tuple[Output, ...]
) -> tuple[SessionState, tuple[Effect, ...]]:
    """A proposed session of ``parties``, and the proposal to show them."""
    state = SessionState(
        session=session, submitter=submitter, parties=tuple(sorted(parties)), computers=computers, outputs=outputs
    )
    return state, (Ask(),)


def advance(state: SessionState, event: Event) -> tuple[SessionState, tuple[Effect, ...]]:  # noqa: C901  # one case an event
    """The state after ``event``, and what has to be done.

    Raises ProtocolAbort ``coordinator/illegal-event`` naming event, party and phase when the event is not legal:
    in this phase, from this party, or for the second time.
    """
    if type(event) not in LEGAL[state.phase]:
        raise _illegal(state, event)
    if event.party not in state.parties and not isinstance(event, Failed):
        raise _illegal(state, event, "it is not a party of the session")
    match event:
        case Failed(party=party, fault=fault):
            _require(state, event, not state.released or party in state.parties, "the result is released already")
            return _ended(state, Phase.SEALED if state.released else Phase.ABORTED, fault)
        case Expired(fault=fault):
            return _ended(state, Phase.EXPIRED, fault)
        case Denied(fault=fault):
            return _ended(state, Phase.DENIED, fault)
        case Reviewing(party=party):
            return _review(state, event, party)
        case Held(party=party):
            _require(state, event, state.stage(party) is Phase.REVIEWING and party not in state.holding)
            held = _updated(state, holding=_with(state.holding, party))
            return _moved(held, Phase.HELD), (Report(party, Phase.HELD),)
        case Resumed(party=party):
            _require(state, event, party in state.holding)
            resumed = _updated(state, holding=tuple(name for name in state.holding if name != party))
            phase = Phase.HELD if resumed.holding else Phase.REVIEWING
            return _moved(resumed, phase), (Report(party, Phase.REVIEWING),)
        case Approved(party=party):
            return _approve(state, event, party)
        case Greeted(party=party):
            _require(state, event, party not in state.greeted)
            greeted = _updated(state, greeted=_with(state.greeted, party))
            complete = len(greeted.greeted) == len(state.parties)
            return greeted, (Distribute(Kind.HELLOS),) if complete else ()
        case Keyed(party=party):
            _require(state, event, len(state.greeted) == len(state.parties) and party not in state.keyed)
            keyed = _updated(state, keyed=_with(state.keyed, party))
            complete = len(keyed.keyed) == len(state.parties)
            return keyed, (Distribute(Kind.PAIR_KEYS_SET),) if complete else ()
        case Reached(party=party, stage=stage):
            return _reach(state, event, party, stage)
        case Delivered():
            return _deliver(state, event)
        case Sealed(party=party):
            _require(state, event, state.released and party not in state.sealed)
            sealed = _updated(state, sealed=_with(state.sealed, party))
            if len(sealed.sealed) < len(state.parties):
                return sealed, ()
            return _ended(sealed, Phase.SEALED, None)


def _review(state: SessionState, event: Event, party: str) -> tuple[SessionState, tuple[Effect, ...]]:
    _require(state, event, state.stage(party) is Phase.PROPOSED)
    reviewing = _at_stage(state, party, Phase.REVIEWING)
    if state.phase is Phase.PROPOSED:
        reviewing = _moved(reviewing, Phase.REVIEWING)
    return reviewing, (Report(party, Phase.REVIEWING),)


def _approve(state: SessionState, event: Event, party: str) -> tuple[SessionState, tuple[Effect, ...]]:
    _require(state, event, state.stage(party) is Phase.REVIEWING and party not in state.holding)
    approved = _at_stage(state, party, Phase.APPROVED)
    report = Report(party, Phase.APPROVED)
    if any(approved.stage(other) is not Phase.APPROVED for other in state.parties):
        return approved, (report,)
    return _moved(approved, Phase.APPROVED), (report, Distribute(Kind.APPROVALS))


def _reach(state: SessionState, event: Event, party: str, stage: Phase) -> tuple[SessionState, tuple[Effect, ...]]:
    current = state.stage(party)
    _require(state, event, len(state.keyed) == len(state.parties), "keys are not agreed yet")
    _require(state, event, stage in STAGES and stage is not Phase.SEALED)
    skips = party in state.computers and current is Phase.SHARING and stage is not Phase.COMPUTING
    _require(state, event, not skips, f"it is still {current}")
    check_move(state.session, current, stage)
    reached = _at_stage(state, party, stage)
    slowest = min((reached.stage(computer) for computer in state.computers), key=STAGES.index)
    if slowest is not state.phase:
        reached = _moved(reached, slowest)
    return reached, (Report(party, stage),)


def _deliver(state: SessionState, event: Delivered) -> tuple[SessionState, tuple[Effect, ...]]:
    key = PartKey(party=event.party, step=event.step, recipient=event.recipient)
    _require(state, event, event.party in state.computers, "it does not compute")
    _require(state, event, state.stage(event.party) is Phase.RELEASING, f"it is {state.stage(event.party)}")
    _require(state, event, Output(step=event.step, recipient=event.recipient) in state.outputs, "no such output")
    _require(state, event, key not in state.parts, "it was delivered before")
    parts = tuple(sorted((*state.parts, key), key=lambda part: (part.party, part.step, part.recipient)))
    delivered = _updated(state, parts=parts)
    return delivered, (Deliver(),) if delivered.released else ()


def _ended(state: SessionState, phase: Phase, fault: Fault | None) -> tuple[SessionState, tuple[Effect, ...]]:
    return _updated(_moved(state, phase), fault=fault), (Finish(phase, fault),)


def _moved(state: SessionState, phase: Phase) -> SessionState:
    if phase is state.phase:
        return state
    return _updated(state, phase=check_move(state.session, state.phase, phase))


def _at_stage(state: SessionState, party: str, stage: Phase) -> SessionState:
    others = [entry for entry in state.stages if entry.party != party]
    entries = sorted([*others, PartyStage(party=party, stage=stage)], key=lambda entry: entry.party)
    return _updated(state, stages=tuple(entries))


def _updated(state: SessionState, **changes: object) -> SessionState:
    return state.model_copy(update=changes)


def _with(parties: tuple[str, ...], party: str) -> tuple[str, ...]:
    return tuple(sorted((*parties, party)))


def _require(state: SessionState, event: Event, condition: bool, why: str = "it is out of turn") -> None:
    if not condition:
        raise _illegal(state, event, why)


def _illegal(state: SessionState, event: Event, why: str = "") -> ProtocolAbort:
    name = type(event).__name__.lower()
    stage = f" {event.stage}" if isinstance(event, Reached) else ""
    reason = f": {why}" if why else ""
    return ProtocolAbort(
        "coordinator/illegal-event",
        f"`{name}{stage}` of `{event.party}` is not allowed while the session is {state.phase}{reason}",
        place=f"session {state.session}",
        remedy="nothing changed by it; a late message of a session that has ended can be ignored",
    )
