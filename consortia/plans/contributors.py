"""Columns that only control and ownership read, and the control rules that are made of them.

A rule sees the rows of members other than the recipient's own. A recipient's member counts as contributing always: so
one member less must be found among the others, and of the n largest members one is taken to be the recipient's, which
knows its own part. For the same reason p% by member asks what the recipient could learn of the largest other member;
p% by entity what the second largest entity could, with all that the recipient's member holds.
"""

from consortia.errors import RequestError
from consortia.ids import member_of
from consortia.plans.columns import Column
from consortia.plans.draft import Draft
from consortia.plans.expressions import columns_of
from consortia.plans.local import has_rules, own_entities
from consortia.plans.model import Aggregate, AggregateStep
from consortia.plans.rules import PAIR, By, Dominance, FullCell, MinimumContributors, PPercent, Rule, ZeroCell
from consortia.plans.types import WIDE_FROM, Bounds

ENTITIES, MEMBERS, PRESENCE = "other_entities", "other_members", "has"
"""Base names of the columns; a query's own names come first."""
BYS: tuple[By, ...] = ("entity", "member")
SUMMED = ("sum", "count", "count-rows")
"""Aggregates that are sums of contributions: what rules on magnitudes are about."""
OF_MAGNITUDES = ("largest", "magnitude", "count-beside")
"""Aggregates that are made of other aggregates of the same step."""


def contributor_columns(draft: Draft) -> tuple[Aggregate, ...]:
    """The aggregates that control and ownership read of the last aggregation."""
    names = draft.names()
    if draft.output_kind in ("alert", "score"):
        return tuple(
            Aggregate(name=names.fresh(f"{PRESENCE}_{owner}"), function="has-member", member=owner)
            for owner in draft.receivers
        )
    if not has_rules(draft):
        return ()
    obligations = draft.obligations
    recipient = (str(member_of(draft.environment.submitter)),)
    found: list[Aggregate] = []

    def add(name: str, **more: object) -> None:
        made = {"name": names.fresh(name), "excluding": recipient, **more}
        found.append(Aggregate.model_validate(made))

    own = own_entities(draft)
    if own:
        add(ENTITIES, function="largest", by="member", of=own, count=1)
    elif obligations.minimum_entities or obligations.zeros_and_full_cells:
        add(ENTITIES, function="count-entities")
    if obligations.minimum_members:
        add(MEMBERS, function="count-members")
    for of, by, count in _held(draft):
        add(f"{by}_top{count}_{of}" if count else f"{by}_all_{of}", **_of(of, by, count))
    for key in draft.query.keys if obligations.zeros_and_full_cells else ():
        add(f"beside_{key.name}", function="count-beside", of=key.name)
    return tuple(found)


def _held(draft: Draft) -> list[tuple[str, By, int]]:
    """What contributors hold, as rules need it: of which aggregate, who counts as one, how many largest (0: all)."""
    found: list[tuple[str, By, int]] = []
    for of in opened_sums(draft):
        for by in by_whom(len(draft.owners), draft.obligations.minimum_members):
            counts = _counts(draft, by)
            if counts or (by == "entity" and draft.obligations.zeros_and_full_cells):
                found += [(of, by, count) for count in (0, *counts)]
    return found


def _of(of: str, by: By, count: int) -> dict[str, object]:
    return {"function": "largest" if count else "magnitude", "of": of, "by": by, "count": count}


def by_whom(owners: int, minimum_members: int) -> tuple[By, ...]:
    """By whom rules on magnitudes tell contributors apart, where so many members hold the rows.

    Two owners of whom all accept that either subtracts its own part have no rule by member: the other holds all else.
    """
    return ("entity",) if owners == PAIR == minimum_members else BYS


def opened_sums(draft: Draft) -> tuple[str, ...]:
    """The query's sums and counts that its outputs read."""
    read = set().union(*(columns_of(output.expression) for output in draft.query.outputs))
    return tuple(made.name for made in draft.query.aggregates if made.name in read and made.function in SUMMED)


def largest_of(by: By, limit: int) -> int:
    """How many of the other contributors a limit on the ``limit`` largest is about."""
    return limit if by == "entity" else max(limit - 1, 1)


def known_of(by: By) -> int:
    """How many contributions who estimates the largest one of them is taken to know, that one included."""
    return 2 if by == "entity" else 1


def _counts(draft: Draft, by: By) -> tuple[int, ...]:
    """For how many of the largest contributors a rule needs what they hold."""
    obligations = draft.obligations
    counts = {largest_of(by, limit.largest) for limit in obligations.dominance}
    if obligations.p_percent is not None:
        counts |= {1, known_of(by)}
    return tuple(sorted(counts))


def control_rules(draft: Draft, aggregation: AggregateStep) -> tuple[Rule, ...]:
    """The rules on the groups of ``aggregation``, whose columns ``contributor_columns`` has made."""
    obligations = draft.obligations
    member = member_of(draft.environment.submitter)
    made = {
        (each.function, each.by, each.of, each.count): each.name
        for each in aggregation.aggregates
        if member in each.excluding
    }
    rules: list[Rule] = []
    if obligations.minimum_entities:
        own = own_entities(draft)
        entities = made["largest", "member", own, 1] if own else made["count-entities", "", "", 0]
        rules.append(MinimumContributors(by="entity", column=entities, minimum=obligations.minimum_entities))
    if obligations.minimum_members:
        members = made["count-members", "", "", 0]
        rules.append(MinimumContributors(by="member", column=members, minimum=obligations.minimum_members - 1))
    for of in opened_sums(draft):
        for by in by_whom(len(draft.owners), obligations.minimum_members):
            rules += [
                Dominance(
                    by=by, of=of, largest=made["largest", by, of, largest_of(by, limit.largest)],
                    total=made["magnitude", by, of, 0], percent=limit.percent,
                )
                for limit in obligations.dominance
            ]  # fmt: skip
            if obligations.p_percent is not None:
                rules.append(
                    PPercent(
                        by=by, of=of, largest=made["largest", by, of, 1], known=made["largest", by, of, known_of(by)],
                        total=made["magnitude", by, of, 0], percent=obligations.p_percent,
                    )
                )  # fmt: skip
        if obligations.zeros_and_full_cells:
            rules.append(ZeroCell(of=of, total=made["magnitude", "entity", of, 0]))
    if obligations.zeros_and_full_cells:
        rules += [
            FullCell(key=each.of, beside=each.name)
            for each in aggregation.aggregates
            if each.function == "count-beside"
        ]
    return tuple(rules)


def reach_of(bounds: Bounds) -> int:
    """What the positive and the negative parts of a sum within ``bounds`` can add up to, signs left out."""
    return max(bounds.hi, 0) + max(-bounds.lo, 0)


def magnitude_bounds(made: Aggregate, of: Column) -> Bounds:
    """Bounds of a ``magnitude`` or ``largest`` of the aggregate ``of``; RequestError ``plans/wide-comparison``.

    Whatever rows add up to lies within the bounds of ``of``, so what is positive and what is negative of them does.
    A row that holds data of several members counts for each of them.
    """
    if of.bounds is None:
        raise RequestError("plans/no-bounds", f"`{of.name}` has no bounds, so no rule can compare what is in it")
    reach = reach_of(of.bounds)
    bound = reach * max(made.count, 1) if made.by == "member" else reach
    if bound >= WIDE_FROM:
        raise RequestError(
            "plans/wide-comparison",
            f"contributions to `{of.name}` can reach {bound}, and shares compare below 2^62 only",
            place=of.name,
            remedy="narrow the bounds or max_rows in the catalogue, or ask for a number that no such rule is about",
        )
    return Bounds(lo=0, hi=bound)
