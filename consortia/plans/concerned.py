"""Whom a plan concerns: the members whose nodes take part in it, and who receives what. Pure."""

from consortia.plans.model import Plan, Release


def parties_of(plan: Plan) -> tuple[str, ...]:
    """The members whose nodes take part: owners, computers, and members that receive a result; sorted."""
    receiving = {recipient for _, recipient in outputs_of(plan) if "@" not in recipient}
    return tuple(sorted({*plan.owners(), *plan.computers, *receiving}))


def outputs_of(plan: Plan) -> tuple[tuple[str, str], ...]:
    """Every release step with every recipient of it (a person's id or a member's), in plan order."""
    return tuple(
        (step.id, recipient.person or recipient.member)
        for step in plan.steps
        if isinstance(step, Release)
        for recipient in step.recipients
    )
