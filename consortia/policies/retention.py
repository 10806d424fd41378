"""How long recipients' nodes may keep the rows of alerts and scores: the shortest time that an owner's policy says."""

from collections.abc import Iterable

from consortia.plans.model import Plan, Release
from consortia.policies.language.model import Policy


def retention_of(plan: Plan, policies: Iterable[Policy]) -> dict[str, int]:
    """Days by release step, counted from when a node has its result; steps without a limit are left out. Pure.

    ``policies`` are those of all owners of the plan.
    """
    held = tuple(policies)
    found = {}
    for step in plan.steps:
        if isinstance(step, Release):
            sections = [section for policy in held if (section := policy.row_output(step.output_kind)) is not None]
            days = [section.retention_days for section in sections if section.retention_days != "off"]
            if days:
                found[step.id] = min(days)
    return found
