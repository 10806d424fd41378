"""The owner's own part of a verdict: what only the owner knows, and what can only narrow.

History, quota, budget and holds are rules of later versions; a policy in which one of them is in effect is refused
(``language.enforcement``), so here stands the one thing that is left: the owner must hold the data.
"""

from collections.abc import Collection
from typing import Literal

from consortia.plans.catalogue import Catalogue
from consortia.plans.model import Plan, Scan
from consortia.plans.tables import find_table, local_sources
from consortia.policies.verdicts import Decision
from consortia.trust.documents import Frozen, Name


class OwnVerdict(Frozen):
    """The owner's answer after its own part. Others learn ``code``; ``text`` and ``remedy`` stay with the owner."""

    owner: Name
    verdict: Literal["permit", "deny"]
    code: str = ""
    text: str = ""
    remedy: str = ""


def tables_needed(plan: Plan, owner: str, catalogue: Catalogue) -> frozenset[str]:
    """The tables of data that ``owner`` must have registered for ``plan``: those under local tables included."""
    needed: set[str] = set()
    open_names = [step.table for step in plan.steps if isinstance(step, Scan) and step.at == f"owner:{owner}"]
    while open_names:
        name = open_names.pop()
        definition = find_table(catalogue, name).definition
        if not definition:
            needed.add(name)
        else:
            open_names += [source for source in local_sources(definition) if source not in needed]
    return frozenset(needed)


def decide_own(
    decision: Decision, plan: Plan, owner: str, catalogue: Catalogue, registered: Collection[str]
) -> OwnVerdict:
    """The verdict of ``owner``, which has ``registered`` those tables: the static one, or a denial."""
    static = next((verdict for verdict in decision.verdicts if verdict.owner == owner), None)
    if not decision.permitted or static is None or static.verdict != "permit":
        return OwnVerdict(
            owner=owner, verdict="deny", code="policies/denied", text="the static verdict is a denial, and stays one"
        )
    missing = sorted(tables_needed(plan, owner, catalogue) - set(registered))
    if missing:
        return OwnVerdict(
            owner=owner,
            verdict="deny",
            code="policies/data-missing",
            text=f"no snapshot is registered of {', '.join(missing)}",
            remedy="run `consortia data register` for each",
        )
    return OwnVerdict(owner=owner, verdict="permit")
