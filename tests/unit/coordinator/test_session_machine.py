"""The coordinator's state machine: legal runs, every illegal event, and what holds after any sequence of events."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.control.messages import Fault, Kind
from consortia.control.phases import ENDS, MOVES, Phase
from consortia.coordinator import sessions
from consortia.coordinator.sessions import (
    LEGAL,
    Approved,
    Ask,
    Deliver,
    Delivered,
    Denied,
    Distribute,
    Event,
    Expired,
    Failed,
    Finish,
    Greeted,
    Held,
    Keyed,
    Output,
    Reached,
    Report,
    Resumed,
    Reviewing,
    Sealed,
    SessionState,
    advance,
    begin,
)
from consortia.errors import ProtocolAbort

SESSION = "0" * 32
PARTIES = ("bank-a", "bank-b", "bank-c", "bank-d")
COMPUTERS = PARTIES[:3]
PERSON = "ana@bank-a"
OUTPUT = Output(step="s9", recipient=PERSON)
FAULT = Fault(kind="PeerError", code="transport/closed", party="bank-c", message="gone")


def start() -> SessionState:
    state, effects = begin(SESSION, PERSON, PARTIES, COMPUTERS, (OUTPUT,))
    assert effects == (Ask(),)
    return state


def run(state: SessionState, *events: Event) -> tuple[SessionState, list[sessions.Effect]]:
    collected: list[sessions.Effect] = []
    for event in events:
        state, effects = advance(state, event)
        collected += effects
    return state, collected


def each(kind, parties=PARTIES) -> list[Event]:
    return [kind(party) for party in parties]


UNTIL_APPROVED = [*each(Reviewing), *each(Approved)]
UNTIL_KEYED = [*UNTIL_APPROVED, *each(Greeted), *each(Keyed)]
UNTIL_SHARING = [*UNTIL_KEYED, *(Reached(party, Phase.SHARING) for party in PARTIES)]
UNTIL_RELEASING = [
    *UNTIL_SHARING,
    Reached("bank-d", Phase.RELEASING),
    *(Reached(party, Phase.COMPUTING) for party in COMPUTERS),
    *(Reached(party, Phase.CONTROLLING) for party in COMPUTERS),
    *(Reached(party, Phase.RELEASING) for party in COMPUTERS),
]
UNTIL_RELEASED = [*UNTIL_RELEASING, *(Delivered(party, "s9", PERSON) for party in COMPUTERS)]


def test_a_whole_run_hands_out_documents_only_when_complete_and_ends_sealed() -> None:
    state, effects = run(start(), *UNTIL_RELEASED, *each(Sealed))
    assert state.phase is Phase.SEALED
    others = [effect for effect in effects if not isinstance(effect, Report)]
    assert others == [
        Distribute(Kind.APPROVALS),
        Distribute(Kind.HELLOS),
        Distribute(Kind.PAIR_KEYS_SET),
        Deliver(),
        Finish(Phase.SEALED, None),
    ]


@pytest.mark.parametrize("missing", range(4))
def test_approvals_go_out_only_when_every_party_has_approved(missing: int) -> None:
    approving = [party for place, party in enumerate(PARTIES) if place != missing]
    state, effects = run(start(), *each(Reviewing), *each(Approved, approving))
    assert state.phase is Phase.REVIEWING
    assert not [effect for effect in effects if isinstance(effect, Distribute)]
    assert state.awaited == (PARTIES[missing],)


def test_parts_are_delivered_only_when_every_computer_has_delivered() -> None:
    state, _ = run(start(), *UNTIL_RELEASING)
    for party in COMPUTERS[:2]:
        state, effects = advance(state, Delivered(party, "s9", PERSON))
        assert effects == ()
    assert not state.released
    aborted, effects = advance(state, Failed("bank-c", FAULT))
    assert aborted.phase is Phase.ABORTED
    assert effects == (Finish(Phase.ABORTED, FAULT),)


def test_the_session_is_as_far_as_its_slowest_computer() -> None:
    state, _ = run(start(), *UNTIL_SHARING, Reached("bank-a", Phase.COMPUTING), Reached("bank-b", Phase.COMPUTING))
    assert state.phase is Phase.SHARING
    state, _ = advance(state, Reached("bank-c", Phase.COMPUTING))
    assert state.phase is Phase.COMPUTING


def test_a_failure_after_the_release_does_not_claim_that_nothing_was_opened() -> None:
    state, _ = run(start(), *UNTIL_RELEASED)
    ended, _ = advance(state, Failed("bank-c", FAULT))
    assert ended.phase is Phase.SEALED
    assert ended.fault == FAULT
    with pytest.raises(ProtocolAbort, match="released already"):
        advance(state, Failed(PERSON, FAULT))


def test_a_held_session_waits_for_the_officer_alone_and_goes_on() -> None:
    state, _ = run(
        start(), *each(Reviewing), Held("bank-b"), Approved("bank-a"), Approved("bank-c"), Approved("bank-d")
    )
    assert state.phase is Phase.HELD
    assert state.awaited == ()
    with pytest.raises(ProtocolAbort, match="held"):
        advance(state, Approved("bank-b"))
    state, _ = run(state, Resumed("bank-b"), Approved("bank-b"))
    assert state.phase is Phase.APPROVED


def test_one_denial_ends_the_session_before_anybody_shares() -> None:
    state, effects = run(start(), *each(Reviewing), Approved("bank-a"), Denied("bank-b", FAULT))
    assert state.phase is Phase.DENIED
    assert effects[-1] == Finish(Phase.DENIED, FAULT)


STATES = {
    Phase.PROPOSED: [],
    Phase.REVIEWING: each(Reviewing),
    Phase.HELD: [*each(Reviewing), Held("bank-a")],
    Phase.APPROVED: UNTIL_APPROVED,
    Phase.SHARING: UNTIL_SHARING,
    Phase.COMPUTING: UNTIL_RELEASING[:-6],
    Phase.CONTROLLING: UNTIL_RELEASING[:-3],
    Phase.RELEASING: UNTIL_RELEASING,
    Phase.SEALED: [*UNTIL_RELEASED, *each(Sealed)],
    Phase.DENIED: [Reviewing("bank-a"), Denied("bank-a", FAULT)],
    Phase.ABORTED: [Failed("bank-a", FAULT)],
    Phase.EXPIRED: [*UNTIL_APPROVED, Expired("bank-a", FAULT)],
}
EVENTS: list[Event] = [
    Reviewing("bank-a"),
    Held("bank-a"),
    Resumed("bank-a"),
    Approved("bank-a"),
    Denied("bank-a", FAULT),
    Greeted("bank-a"),
    Keyed("bank-a"),
    Reached("bank-a", Phase.SHARING),
    Delivered("bank-a", "s9", PERSON),
    Sealed("bank-a"),
    Failed("bank-a", FAULT),
    Expired("bank-a", FAULT),
]


@pytest.mark.parametrize(("phase", "event"), list(itertools.product(Phase, EVENTS)), ids=str)
def test_every_event_that_the_table_does_not_list_is_refused_naming_phase_and_event(phase: Phase, event: Event) -> None:
    state, _ = run(start(), *STATES[phase])
    assert state.phase is phase
    if type(event) in LEGAL[phase]:
        return
    with pytest.raises(ProtocolAbort) as refused:
        advance(state, event)
    assert refused.value.code == "coordinator/illegal-event"
    assert f"`{type(event).__name__.lower()}" in refused.value.message
    assert str(phase) in refused.value.message
    assert event.party in refused.value.message


@pytest.mark.parametrize(
    ("before", "event"),
    [
        (each(Reviewing), Reviewing("bank-a")),
        ([*each(Reviewing), Approved("bank-a")], Approved("bank-a")),
        (UNTIL_APPROVED, Keyed("bank-a")),
        ([*UNTIL_APPROVED, Greeted("bank-a")], Greeted("bank-a")),
        (UNTIL_APPROVED, Reached("bank-a", Phase.SHARING)),
        (UNTIL_SHARING, Reached("bank-a", Phase.SHARING)),
        (UNTIL_SHARING, Reached("bank-a", Phase.RELEASING)),
        (UNTIL_SHARING, Delivered("bank-a", "s9", PERSON)),
        (UNTIL_RELEASING, Delivered("bank-d", "s9", PERSON)),
        (UNTIL_RELEASING, Delivered("bank-a", "s9", "eve@bank-a")),
        (UNTIL_RELEASED, Delivered("bank-a", "s9", PERSON)),
        (UNTIL_RELEASING, Sealed("bank-a")),
        ([*UNTIL_RELEASED, Sealed("bank-a")], Sealed("bank-a")),
        (each(Reviewing), Approved("bank-x")),
    ],
    ids=lambda value: str(value) if not isinstance(value, list) else f"{len(value)} events",
)
def test_events_out_of_turn_twice_or_from_strangers_change_nothing(before: list[Event], event: Event) -> None:
    state, _ = run(start(), *before)
    with pytest.raises(ProtocolAbort):
        advance(state, event)


PARTY = st.sampled_from((*PARTIES, "bank-x"))
ANY_EVENT = st.one_of(
    *(st.builds(kind, PARTY) for kind in (Reviewing, Held, Resumed, Approved, Greeted, Keyed, Sealed)),
    st.builds(Reached, PARTY, st.sampled_from(list(Phase))),
    st.builds(Delivered, PARTY, st.just("s9"), st.sampled_from((PERSON, "eve@bank-a"))),
    st.builds(Failed, PARTY, st.just(FAULT)),
    st.builds(Denied, PARTY, st.just(FAULT)),
)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.sampled_from(list(STATES.values())), st.lists(ANY_EVENT, max_size=25))
def test_whatever_is_sent_the_phase_moves_by_the_table_and_an_end_is_final(
    before: list[Event], events: list[Event]
) -> None:
    state, _ = run(start(), *before)
    for event in events:
        was = state
        try:
            state, effects = advance(state, event)
        except ProtocolAbort:
            assert state is was
            continue
        assert was.phase not in ENDS
        assert state.phase is was.phase or state.phase in MOVES[was.phase]
        if Distribute(Kind.APPROVALS) in effects:
            assert all(state.stage(party) is Phase.APPROVED for party in PARTIES)
        if Deliver() in effects:
            assert {part.party for part in state.parts} == set(COMPUTERS)
        assert SessionState.model_validate_json(state.model_dump_json()) == state
