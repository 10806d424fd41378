"""Human review: a run that opens an output which the policy wants reviewed is held until an officer has signed."""

from consortia.policies.own.case import OwnCase, OwnFinding
from consortia.policies.review import reviewed_outputs


def officer_reviews(case: OwnCase) -> OwnFinding | None:
    """Hold a plan with an output for which the policy demands human review, unless it is a listed template."""
    kinds = reviewed_outputs(case.policy, case.plan, case.catalogue)
    if not kinds:
        return None
    return OwnFinding(
        "hold",
        "policies/human-review",
        f"the policy demands human review of {' and '.join(kinds)} outputs",
        "an officer runs `consortia session review`, then `consortia session approve` or `refuse`",
    )
