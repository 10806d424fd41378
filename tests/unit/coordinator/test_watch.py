"""Deadlines: who is waited for, how long, and that nobody is missed before the coordinator's own start."""

import pytest

from consortia.control.limits import ControlLimits
from consortia.control.phases import Phase
from consortia.coordinator.roster import Roster
from consortia.coordinator.sessions import Approved, Held, Resumed, Reviewing, advance, begin
from consortia.coordinator.watch import Presence, overdue, waiting_for

LIMITS = ControlLimits()
PARTIES = ("bank-a", "bank-b", "bank-c")
HERE = Presence(connected=True, seen=True, since=0.0, heard=0.0)


def reviewing():
    state, _ = begin("0" * 32, "ana@bank-a", PARTIES, PARTIES, ())
    for party in PARTIES:
        state, _ = advance(state, Reviewing(party))
    return state


def presences(**changed: Presence) -> dict[str, Presence]:
    return {party: changed.get(party.replace("-", "_"), HERE) for party in PARTIES}


def test_a_party_that_never_connected_is_named_within_ten_seconds() -> None:
    absent = Presence(connected=False, seen=False, since=0.0, heard=0.0)
    assert overdue(reviewing(), presences(bank_c=absent), 0.0, 8.9, LIMITS) is None
    fault = overdue(reviewing(), presences(bank_c=absent), 0.0, 9.5, LIMITS)
    assert fault is not None
    assert (fault.code, fault.party) == ("coordinator/never-seen", "bank-c")
    assert "waiting for bank-c, never seen" in fault.message


def test_a_closed_connection_ends_the_session_within_ten_seconds() -> None:
    gone = Presence(connected=False, seen=True, since=40.0, heard=39.0)
    assert overdue(reviewing(), presences(bank_b=gone), 0.0, 47.9, LIMITS) is None
    fault = overdue(reviewing(), presences(bank_b=gone), 0.0, 48.5, LIMITS)
    assert fault is not None
    assert (fault.code, fault.party) == ("coordinator/disconnected", "bank-b")


def test_silence_counts_from_the_last_word_and_not_from_the_start() -> None:
    talking = Presence(connected=True, seen=True, since=0.0, heard=950.0)
    assert overdue(reviewing(), presences(bank_a=talking, bank_b=talking, bank_c=talking), 0.0, 1000.0, LIMITS) is None
    fault = overdue(reviewing(), presences(bank_b=talking, bank_c=talking), 0.0, 1000.0, LIMITS)
    assert fault is not None
    assert (fault.kind, fault.code, fault.party) == ("NoProgress", "coordinator/silent", "bank-a")


def test_a_party_that_has_done_its_turn_may_be_silent() -> None:
    state, _ = advance(reviewing(), Approved("bank-a"))
    talking = Presence(connected=True, seen=True, since=0.0, heard=950.0)
    assert overdue(reviewing(), presences(bank_b=talking, bank_c=talking), 0.0, 1000.0, LIMITS) is not None
    assert overdue(state, presences(bank_b=talking, bank_c=talking), 0.0, 1000.0, LIMITS) is None


def test_nobody_is_missed_before_the_coordinator_itself_has_started() -> None:
    gone = Presence(connected=False, seen=True, since=0.0, heard=0.0)
    assert overdue(reviewing(), presences(bank_a=gone), 1000.0, 1007.0, LIMITS) is None
    assert overdue(reviewing(), presences(bank_a=gone), 1000.0, 1009.0, LIMITS) is not None


def test_an_ended_session_waits_for_nobody() -> None:
    ended = reviewing().model_copy(update={"phase": Phase.ABORTED})
    gone = Presence(connected=False, seen=False, since=0.0, heard=0.0)
    assert waiting_for(ended, presences(bank_a=gone), 0.0, 1000.0) == ()
    assert overdue(ended, presences(bank_a=gone), 0.0, 1000.0, LIMITS) is None


class FakeStream:
    def __init__(self, instance: str) -> None:
        self.instance = instance
        self.was_replaced = False

    def replaced(self) -> None:
        self.was_replaced = True


def test_a_member_has_one_stream_and_a_person_one_for_each_client() -> None:
    roster = Roster(0.0)
    first, second, third = FakeStream("a"), FakeStream("b"), FakeStream("c")
    roster.opened("bank-a", first, 1.0, single=True)
    roster.opened("bank-a", second, 2.0, single=True)
    roster.opened("ana@bank-a", third, 3.0, single=False)
    roster.opened("ana@bank-a", FakeStream("d"), 3.0, single=False)
    assert (first.was_replaced, second.was_replaced, third.was_replaced) == (True, False, False)
    roster.closed("bank-a", first, 4.0)
    assert roster.presence("bank-a", "").connected
    roster.closed("bank-a", second, 5.0)
    presence = roster.presence("bank-a", "")
    assert (presence.connected, presence.seen, presence.since) == (False, True, 5.0)


@pytest.mark.parametrize("moment", [5.0, 6.0])
def test_those_who_went_long_ago_are_found(moment: float) -> None:
    roster = Roster(0.0)
    stream = FakeStream("a")
    roster.opened("ana@bank-a", stream, 1.0, single=False)
    assert roster.absent_since(moment) == ()
    roster.closed("ana@bank-a", stream, 5.0)
    assert roster.absent_since(moment) == ("ana@bank-a",)
    assert roster.absent_since(4.0) == ()


def test_what_was_heard_of_ended_sessions_and_of_invented_ids_is_forgotten() -> None:
    roster = Roster(0.0)
    for number in range(100):
        roster.heard("bank-a", f"{number:032x}", 5.0)
    running = f"{7:032x}"
    roster.keep_only({running})
    assert roster.presence("bank-a", running).heard == 5.0
    assert roster._entry("bank-a").heard == {running: 5.0}


def test_a_party_that_waits_for_officers_may_be_away_and_silent_and_no_other() -> None:
    gone = Presence(connected=False, seen=True, since=0.0, heard=0.0)
    state, _ = advance(reviewing(), Held("bank-b"))
    talking = Presence(connected=True, seen=True, since=0.0, heard=950.0)
    others = presences(bank_a=talking, bank_b=gone, bank_c=talking)
    assert overdue(state, others, 0.0, 1000.0, LIMITS) is None
    resumed, _ = advance(state, Resumed("bank-b"))
    fault = overdue(resumed, others, 0.0, 1000.0, LIMITS)
    assert fault is not None
    assert (fault.code, fault.party) == ("coordinator/disconnected", "bank-b")
