"""What becomes known beside the outputs: nothing but what every plan makes public, as long as all switches are closed.

Each step kind is listed with the switches that it needs open. A kind that is not listed needs an unknown switch, which
no policy can open: so an operator that reveals more than the padded sizes can't be added without a word here.
"""

from collections.abc import Iterator
from typing import Literal

from consortia.plans.model import Filter, Join, Plan, Project, Scan, Share, Sort, Step, Union
from consortia.plans.networks import TaintMethod
from consortia.plans.steps_of_networks import Match
from consortia.policies.flow.entities import every_column, identifying
from consortia.policies.rules.base import Case, Finding, Rule, forbid, permit

Switch = Literal["sizes", "group_count", "match_count", "filter_mask", "suppressed_count"]

NEEDED: dict[str, tuple[Switch, ...]] = {
    "scan": (),
    "filter": (),
    "project": (),
    "aggregate": (),
    "share": (),
    "union": (),
    "join": (),
    "sort": (),
    "window": (),
    "limit": (),
    "propagate": (),
    # whether more paths are met than its bounds say: with rows of its own a member could ask about one account by it
    "match": ("match_count",),
    "fit": (),
    "score": (),
    "weights": (),
    "control": (),
    "bound": (),
    "noise": (),
    "quantiles": (),
    "release": (),
}


def leaks(case: Case) -> Iterator[Finding]:
    """Every step needs only switches that are open, and no join tells of rows that the query picked out."""
    path = ("leaks",)
    for step in case.plan.steps:
        if step.kind not in NEEDED:
            yield forbid("leaks", path, f"what a {step.kind} step reveals is not known", "leave it out", step=step.id)
        for switch in needed(step):
            if getattr(case.policy.leaks, switch) != "open":
                yield forbid(
                    "leaks", (*path, switch.replace("_", "-")), f"a {step.kind} step would reveal {switch}",
                    "leave it out", step=step.id,
                )  # fmt: skip
    yield from _told_by_joins(case)
    yield permit("leaks", path, "nothing becomes known beside the outputs and padded sizes")


def needed(step: Step) -> tuple[Switch, ...]:
    """The switches that ``step`` needs open."""
    if isinstance(step, Match) and isinstance(step.method, TaintMethod):
        return ()  # it makes no list of paths, so there is no bound that could be met
    return NEEDED.get(step.kind, ())


def _told_by_joins(case: Case) -> Iterator[Finding]:
    """A join can fail for one row (a key that stands twice), or find nothing for one (a NULL in NOT IN).

    Of whole tables that is a fact about the tables. Of rows that the query picked out it would answer a question about
    one customer, however few contributors there are: a member puts in a row of its own and asks whether it has a twin.
    """
    plain = identifying(case.plan, every_column)
    for step in case.plan.steps:
        if not isinstance(step, Join) or not _is_told(case.plan, step):
            continue
        keys = {key.right for key in step.on}
        if _is_chosen(case.plan, step.inputs[1]) or not keys <= plain[step.inputs[1]]:
            what = (
                "whether one of the rows that it picks out has no key"
                if step.how == "not-in"
                else "whether one key stands twice among the rows that it picks out"
            )
            yield forbid(
                "leaks", ("leaks", "match-count"), f"the query would tell {what}",
                "write NOT EXISTS" if step.how == "not-in" else
                "join a nested query that groups by the key, or the whole table",
                step=step.id,
            )  # fmt: skip


def _is_told(plan: Plan, step: Join) -> bool:
    """Whether the outcome of the join as a whole rests on single rows of its right side."""
    if step.how == "not-in":
        columns = {column.name: column for column in plan.step(step.inputs[1]).columns}
        return any(columns[key.right].nullable for key in step.on)
    return step.uniqueness != "grouped"


def _is_chosen(plan: Plan, step_id: str) -> bool:
    """Whether the query has a say in which rows stand there, beside the owners' scopes."""
    waiting, seen = [step_id], set[str]()
    while waiting:
        step = plan.step(waiting.pop())
        if step.id in seen:
            continue
        seen.add(step.id)
        if not _leaves_rows(step):
            return True
        waiting += step.inputs
    return False


def _leaves_rows(step: Step) -> bool:
    if isinstance(step, Filter):
        return step.at.startswith("owner:") and step.origin in ("canonical", "row-scope")
    return isinstance(step, Scan | Project | Share | Sort) or (isinstance(step, Union) and bool(step.owners))


RULES = (Rule(("leaks",), leaks),)
