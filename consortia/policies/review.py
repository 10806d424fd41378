"""Which runs an owner's officers review before they are approved: by plan and policies, alike at every party. Pure.

So no party approves, and nothing is computed, before the officers of all these owners have signed.
"""

from consortia.plans.catalogue import Catalogue
from consortia.plans.model import Plan
from consortia.policies.language.model import Handling, Policy
from consortia.policies.lineage import flow_of
from consortia.policies.templates import template_digest
from consortia.policies.world import PolicyWorld


def reviewed_outputs(policy: Policy, plan: Plan, catalogue: Catalogue) -> tuple[str, ...]:
    """The kinds of output of ``plan`` that ``policy`` lets nobody receive unreviewed, sorted; none for a template."""
    templates = policy.rates.templates_without_review
    if templates != "off" and template_digest(plan, catalogue) in {template.plan for template in templates}:
        return ()
    return tuple(sorted({output.kind for output in flow_of(plan).outputs if _is_reviewed(policy, output.kind)}))


def may_review(policy: Policy) -> bool:
    """Whether there is a kind of output that ``policy`` lets nobody receive unreviewed."""
    return any(_is_reviewed(policy, kind) for kind in type(policy.outputs).model_fields)


def reviewers(plan: Plan, world: PolicyWorld) -> tuple[str, ...]:
    """The owners of ``plan`` whose officers review it, sorted."""
    return tuple(
        owner
        for owner in sorted(set(plan.owners()))
        if any(
            reviewed_outputs(loaded.policy, plan, world.catalogue) for loaded in world.policies_of(owner, plan.purpose)
        )
    )


def _is_reviewed(policy: Policy, kind: str) -> bool:
    section = getattr(policy.outputs, kind, "never")
    return isinstance(section, Handling) and section.human_review == "required"
