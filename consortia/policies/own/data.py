"""The owner must hold the data: a snapshot of every table that its part of the plan reads is registered."""

from consortia.plans.catalogue import Catalogue
from consortia.plans.model import Plan, Scan
from consortia.plans.tables import find_table, local_sources
from consortia.policies.own.case import OwnCase, OwnFinding


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


def data_registered(case: OwnCase) -> OwnFinding | None:
    """Deny unless every table of data that the plan needs of the owner is registered."""
    missing = sorted(tables_needed(case.plan, case.owner, case.catalogue) - set(case.registered))
    if not missing:
        return None
    return OwnFinding(
        "deny",
        "policies/data-missing",
        f"no snapshot is registered of {', '.join(missing)}",
        "run `consortia data register` for each",
    )
