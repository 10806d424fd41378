"""Queries to which the new version of a policy answers otherwise: permit where it denied, or deny where it permitted.

Each query is planned and decided twice, in two worlds that differ in one owner's policy alone, and only that owner's
verdict counts; whether all owners permit stands beside it. Dates make no flip: each version is asked at a time at which
it is valid (that it is valid at another time is a change of words).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from consortia.policies.changes.generated import generated
from consortia.policies.examples import questions as example_questions
from consortia.policies.language.parse import LoadedPolicy
from consortia.policies.questions import Answer, Question, answer, verdict_on
from consortia.policies.review import may_review, reviewed_outputs
from consortia.policies.rules.standing import interval
from consortia.policies.world import PolicyWorld

Verdict = Literal["permit", "hold", "deny", "refused", "not-asked"]
STRICTNESS: Mapping[Verdict, int] = {"permit": 0, "hold": 1, "not-asked": 2, "deny": 3, "refused": 4}
PASSING: frozenset[Verdict] = frozenset(("permit", "hold"))


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and where it was taken from, in words."""

    question: Question
    source: str


@dataclass(frozen=True, slots=True)
class Said:
    """What one version says. ``text`` is the first reason of a denial, or why the query can't be planned.

    ``verdict`` is the owner's: ``hold`` is a permit that waits for an officer's review, ``refused`` is said of a query
    that can't be planned, ``not-asked`` of one that reads no table of the owner. ``all_permit``: it would run.
    """

    verdict: Verdict
    rule: str = ""
    text: str = ""
    all_permit: bool = False


@dataclass(frozen=True, slots=True)
class Flip:
    """A question that the two versions answer differently."""

    asked: Asked
    before: Said
    after: Said

    @property
    def stricter(self) -> Said:
        """The side that permits less: its text says why."""
        return max(self.before, self.after, key=lambda side: STRICTNESS[side.verdict])


@dataclass(frozen=True, slots=True)
class Comparison:
    """``compared`` questions read the owner's tables; ``flips`` are those answered differently.

    ``other_plan`` counts those that both permit with other obligations, so that other answers would come out.
    """

    compared: int
    flips: tuple[Flip, ...]
    other_plan: int


def compare(asked: Iterable[Asked], old: LoadedPolicy, new: LoadedPolicy, world: PolicyWorld) -> Comparison:
    """What ``old`` and ``new`` say to ``asked``, beside the other owners' policies of ``world``; in the order asked."""
    before, after = with_policy(world, old), with_policy(world, new)
    flips: list[Flip] = []
    count = other_plan = 0
    for one in asked:
        given = _answer(one.question, old, before), _answer(one.question, new, after)
        first, second = _reviewed(one, given[0], old, before), _reviewed(one, given[1], new, after)
        if first.verdict == second.verdict == "not-asked":
            continue
        count += 1
        if first.verdict != second.verdict:
            flips.append(Flip(one, first, second))
        elif first.all_permit and second.all_permit and _obliged(given[0]) != _obliged(given[1]):
            other_plan += 1
    return Comparison(count, tuple(flips), other_plan)


def asked_by(policies: tuple[LoadedPolicy, ...], world: PolicyWorld, now: datetime) -> tuple[Asked, ...]:
    """The questions that need no history: the policies' examples, then generated ones; each text and submitter once."""
    examples = [
        Asked(question, f"example `{example.name}`")
        for loaded in policies
        for example, question in zip(loaded.policy.examples, example_questions(loaded), strict=True)
    ]
    purpose = policies[0].policy.purpose.code
    made = [
        Asked(Question(one.sql, purpose, one.submitter, now), "generated")
        for one in generated(tuple(loaded.policy for loaded in policies), world)
    ]
    return once((*examples, *made))


def once(asked: Iterable[Asked]) -> tuple[Asked, ...]:
    """Each query of each submitter for each purpose once, as it stands first."""
    found: dict[tuple[str, str, str], Asked] = {}
    for one in asked:
        found.setdefault((one.question.sql, one.question.purpose, one.question.submitter), one)
    return tuple(found.values())


def with_policy(world: PolicyWorld, loaded: LoadedPolicy) -> PolicyWorld:
    """``world`` with ``loaded`` in the place of what its owner has in force for its purpose."""
    owner, purpose = loaded.policy.identity.owner, loaded.policy.purpose.code
    others = tuple(
        held for held in world.policies if (held.policy.identity.owner, held.policy.purpose.code) != (owner, purpose)
    )
    return replace(world, policies=(*others, loaded))


def said(given: Answer, loaded: LoadedPolicy) -> Said:
    """What the owner of ``loaded`` says in ``given``."""
    if given.decision is None:
        return Said("refused", text=given.fault)
    owner = loaded.policy.identity.owner
    verdict = next((each for each in given.decision.verdicts if each.owner == owner), None)
    if verdict is None:
        return Said("not-asked")
    if verdict.verdict == "permit":
        return Said("permit", all_permit=given.permitted)
    first = verdict.reasons[0]
    return Said("deny", first.rule, first.text)


def valid_time(loaded: LoadedPolicy, at: datetime) -> datetime:
    """``at``, or the nearest time at which the policy is valid."""
    begin, end = interval(loaded.policy.validity)
    return max(begin, min(at, end - timedelta(seconds=1)))


def _reviewed(one: Asked, given: Answer, loaded: LoadedPolicy, world: PolicyWorld) -> Said:
    """What the owner says: a permit that an officer must review first is a hold."""
    found = said(given, loaded)
    if found.verdict != "permit" or given.plan is None or not may_review(loaded.policy):
        return found
    # Templates are named by their final plans, which there are only if all owners permit.
    at = valid_time(loaded, one.question.at)
    plan = answer(replace(one.question, at=at), world).plan if found.all_permit else given.plan
    kinds = () if plan is None else reviewed_outputs(loaded.policy, plan, world.catalogue)
    if not kinds:
        return found
    return replace(found, verdict="hold", rule="human-review", text=f"an officer reviews it first ({', '.join(kinds)})")


def _answer(question: Question, loaded: LoadedPolicy, world: PolicyWorld) -> Answer:
    return verdict_on(replace(question, at=valid_time(loaded, question.at)), world)


def _obliged(given: Answer) -> object:
    return None if given.decision is None else given.decision.obligations
