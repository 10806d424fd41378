"""Past queries decided anew under a version of a policy, one after the other, as its owner's node would have.

Statically, by all owners' policies, and by the owner's own part: a query counts for those after it (quotas, remembered
answers, privacy loss) only if this version lets it pass. So the replay shows what a draft would have done to the same
questions, and touches no data. A policy that is valid at another time is asked as if it had been valid then.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from consortia.plans.concerned import outputs_of
from consortia.plans.model import Plan
from consortia.policies.accounting import Charge, total
from consortia.policies.changes.flips import Asked, Comparison, Flip, Said, said, valid_time, with_policy
from consortia.policies.history import ReleasedQuery
from consortia.policies.language.parse import LoadedPolicy
from consortia.policies.own import OwnCase, Standing, decide_own, tables_needed
from consortia.policies.own.budget import charges_of
from consortia.policies.own.case import PastCharge
from consortia.policies.questions import Question, answer
from consortia.policies.world import PolicyWorld
from consortia.trust.sessions import SnapshotRoot


@dataclass(frozen=True, slots=True)
class Past:
    """A query that was asked at ``at``; ``snapshots`` are the roots that the owner's approval committed to, by table.

    They are empty where it denied: then the query is taken to be over data that no other one was over.
    """

    session: str
    question: Question
    at: datetime
    snapshots: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a version says to all past queries, in their order, and how many it lets pass, with or without a review.

    ``spent`` is what those that pass cost in all, by privacy unit: empty if none costs anything.
    """

    said: tuple[Said, ...]
    permitted: int
    held: int
    spent: Mapping[str, Charge]


def replayed(past: Sequence[Past], loaded: LoadedPolicy, world: PolicyWorld) -> Outcome:
    """``past``, in the order of time, under ``loaded`` beside the other owners' policies of ``world``."""
    beside = with_policy(world, loaded)
    remembered: list[ReleasedQuery] = []
    charges: list[PastCharge] = []
    answers = []
    for one in past:
        given = answer(replace(one.question, at=valid_time(loaded, one.question.at)), beside)
        found = said(given, loaded)
        if found.all_permit and given.plan is not None and given.decision is not None:
            case = _case(one, given.plan, loaded, world, remembered, charges)
            own = decide_own(given.decision, case)
            if own.verdict != "permit":
                found = Said(own.verdict, own.code, own.text, all_permit=own.verdict == "hold")
            if own.verdict != "deny":
                remembered.append(_remembered(one, given.plan, case))
                costs = charges_of(given.plan, case.owner, loaded.policy, world.catalogue)
                charges += [PastCharge(one.at, unit, charge) for unit, charge in costs.items()]
        answers.append(found)
    held = sum(found.verdict == "hold" for found in answers)
    units = sorted({each.unit for each in charges})
    spent = {unit: total(each.charge for each in charges if each.unit == unit) for unit in units}
    return Outcome(tuple(answers), len(remembered), held, spent)


def compare_past(
    past: Sequence[Past], old: LoadedPolicy, new: LoadedPolicy, world: PolicyWorld
) -> tuple[Comparison, Outcome, Outcome]:
    """The flips from ``old`` to ``new`` among past queries, and what each says to them all."""
    before, after = replayed(past, old, world), replayed(past, new, world)
    pairs = list(zip(past, before.said, after.said, strict=True))
    flips = tuple(
        Flip(Asked(one.question, f"session {one.session[:8]}"), first, second)
        for one, first, second in pairs
        if first.verdict != second.verdict
    )
    asked = sum(not first.verdict == second.verdict == "not-asked" for _, first, second in pairs)
    return Comparison(asked, flips, 0), before, after


def _case(
    one: Past,
    plan: Plan,
    loaded: LoadedPolicy,
    world: PolicyWorld,
    remembered: Iterable[ReleasedQuery],
    charges: Iterable[PastCharge],
) -> OwnCase:
    owner = loaded.policy.identity.owner
    tables = tables_needed(plan, owner, world.catalogue)
    registered = {table: one.snapshots.get(table, f"{one.session:0>64.64}") for table in tables}
    history = tuple(remembered)
    return OwnCase(
        owner=owner,
        loaded=loaded,
        plan=plan,
        catalogue=world.catalogue,
        registered=registered,
        now=one.at,
        standing=replace(_quotas(history, plan.submitter, loaded, one.at), charges=tuple(charges)),
        history=history,
    )


def _remembered(one: Past, plan: Plan, case: OwnCase) -> ReleasedQuery:
    snapshots = tuple(SnapshotRoot(table=table, root=root) for table, root in sorted(case.registered.items()))
    recipients = tuple(dict.fromkeys(recipient for _, recipient in outputs_of(plan)))
    return ReleasedQuery(session=one.session, plan=plan, snapshots=snapshots, recipients=recipients, at=one.at)


def _quotas(history: Sequence[ReleasedQuery], submitter: str, loaded: LoadedPolicy, at: datetime) -> Standing:
    """What earlier queries leave of the quotas; the period is as long as the policy is valid, and ends at ``at``."""
    dates = loaded.policy.validity
    begin = at - timedelta(days=(dates.not_after - dates.not_before).days + 1)
    today = [each for each in history if each.at.astimezone(UTC).date() == at.astimezone(UTC).date()]
    return Standing(
        analyst_today=sum(each.plan.submitter == submitter for each in today),
        today=len(today),
        period=sum(each.at > begin for each in history),
    )
