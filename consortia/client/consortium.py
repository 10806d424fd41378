"""The Python interface: ``connect`` to a consortium with a profile, ask in SQL, get polars frames.

import consortia as cs

c = cs.connect("profiles/ana")
query = c.sql("SELECT country, COUNT(*) AS n FROM deposits GROUP BY country", purpose="aml-detection")
print(query.explain())
frame = query.collect()
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import polars as pl

from consortia.client import reviewing
from consortia.client import session as sessions
from consortia.client.compiling import Belief, believe, compile_query, open_profile, require_current
from consortia.client.explain import explanation_text
from consortia.client.reviewing import Held
from consortia.client.saved_plan import SavedPlan
from consortia.client.session import Desk, OnEvent, Outcome, silent
from consortia.control.limits import ControlLimits
from consortia.control.messages import HeldRun, SessionStatus
from consortia.plans.accuracy import wanted_of
from consortia.plans.cost import USUAL_LINK, link_named
from consortia.plans.model import Plan, Release
from consortia.policies.compiling import Compiled, refusal
from consortia.trust.home import Profile


def _clock() -> datetime:
    return datetime.now(UTC)


def connect(
    profile: str | Path | None = None,
    *,
    coordinator: str = "",
    limits: ControlLimits | None = None,
    now: Callable[[], datetime] = _clock,
) -> "Consortium":
    """A consortium as the person of ``profile`` (a folder, or CONSORTIA_PROFILE) sees it.

    Reads files only; the coordinator is dialled when something is run. ``coordinator`` overrides the manifest's
    endpoint (a tunnel, say). Raises OperatorError ``client/no-profile`` and as ``Profile.trusted``.
    """
    return Consortium(open_profile(profile), coordinator, limits or ControlLimits(), now)


class Consortium:
    """What one person can ask."""

    def __init__(self, profile: Profile, coordinator: str, limits: ControlLimits, now: Callable[[], datetime]) -> None:
        self._profile = profile
        self._now = now
        self.belief: Belief = believe(profile, now())
        self.desk = Desk(profile, self.belief.trusted, limits, coordinator)

    def sql(
        self, text: str, *, purpose: str, link: str = USUAL_LINK, errors: Mapping[str, str] | None = None
    ) -> "Query":
        """The query ``text``, compiled now under ``purpose``; raises RequestError if it can't be asked like this.

        ``link`` is the class of the network between the computers (``plans.cost.LINKS``): circuits are chosen for it.
        ``errors`` are the errors accepted of outputs with noise, by name, as decimal text: half the 95 % interval.
        """
        now = self._now()
        as_of = now.replace(microsecond=0)
        wanted = wanted_of(errors or {})
        return Query(
            self, compile_query(self._profile, self.belief, text, purpose, as_of, now, link_named(link), wanted)
        )

    def run(self, saved: SavedPlan, on_event: OnEvent = silent) -> Outcome:
        """Submit exactly the saved plan and wait for its end; raises RequestError ``client/stale``."""
        require_current(self._profile, self.belief, saved, self._now())
        return self.follow(sessions.submit(self.desk, saved), on_event)

    def submit(self, saved: SavedPlan) -> str:
        """Submit exactly the saved plan and return; the session id."""
        require_current(self._profile, self.belief, saved, self._now())
        return sessions.submit(self.desk, saved)

    def follow(self, session: str, on_event: OnEvent = silent) -> Outcome:
        """Wait for the end of a session of this profile (id or its first letters)."""
        return sessions.follow(self.desk, self.desk.archive.find(session), self._now, on_event)

    def results(self, session: str) -> dict[str, pl.DataFrame]:
        """All results of a session that this person may see, by release step: the own ones, and the member's."""
        found = self.desk.archive.find(session)
        outcome = self.follow(found)
        results = dict(outcome.results)
        if any(receives(step, self._profile.person) for step in outcome.plan.steps):
            results |= sessions.member_results(self.desk, found, self._now)
        return results

    def plan(self, session: str) -> Plan:
        """The plan of a session of this profile (id or its first letters)."""
        return self.desk.archive.plan(self.desk.archive.find(session)).plan

    def member_results(self, session: str) -> dict[str, pl.DataFrame]:
        """What the node of this person's member received in ``session``, whoever asked; by release step.

        ``session`` is the whole id: a session that somebody else submitted is not in this profile. Raises
        RequestError ``client/session-id``, and the node's own error if it holds nothing of it.
        """
        return sessions.member_results(self.desk, sessions.whole_id(session), self._now)

    def sessions(self, session: str = "") -> tuple[SessionStatus, ...]:
        """This person's sessions at the coordinator, the latest first."""
        return sessions.status(self.desk, self.desk.archive.find(session) if session else "")

    def held(self) -> Mapping[str, HeldRun]:
        """What the own member's node holds for its officers (this person is one), by session."""
        return reviewing.held_runs(self.desk, self._now)

    def review(self, session: str) -> Held:
        """One held session (id or its first letters), compiled again from this profile's documents."""
        return reviewing.look(self.desk, self.belief, session, self._now)

    def decide(self, held: Held, decision: Literal["approve", "refuse"], reason: str = "") -> None:
        """Sign this officer's word on a held session, and wait until the own node has it."""
        reviewing.say(self.desk, held, decision, reason, self._now)

    def cancel(self, session: str) -> None:
        """End a running session; nothing is opened."""
        sessions.cancel(self.desk, self.desk.archive.find(session))


def receives(step: object, person: str) -> bool:
    """Whether ``step`` releases to the node of the person's member."""
    member = person.split("@", 1)[1]
    return isinstance(step, Release) and any(
        recipient.person is None and recipient.member == member for recipient in step.recipients
    )


@dataclass(frozen=True, slots=True)
class Query:
    """A compiled query: look at it, save it, run it."""

    consortium: Consortium
    compiled: Compiled

    def explain(self) -> str:
        """Plan, verdicts, who learns what, and cost, as text. Shares nothing."""
        belief = self.consortium.belief
        return explanation_text(self.compiled, belief.world, belief.not_in_force)

    def saved(self) -> SavedPlan:
        """The plan as it can be saved and run; raises PolicyRefusal ``policies/denied``."""
        if not self.compiled.permitted:
            raise refusal(self.compiled)
        return SavedPlan.of(self.compiled)

    def collect(self, on_event: OnEvent = silent) -> pl.DataFrame:
        """Run it and return the one result that this person may see.

        For alerts, which go to the members' nodes, that is the own member's part.
        """
        outcome = self.consortium.run(self.saved(), on_event)
        results = self.consortium.results(outcome.session)
        return next(iter(results.values()), pl.DataFrame())
