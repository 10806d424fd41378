"""Templates: queries that officers have reviewed once, so that they run without being held again. Pure.

A template is named by the digest of its plan without what changes from run to run: the versions of manifest and
catalogue, the instant from which relative dates count, and the circuits. Everything else stays in it: every step with
its columns, bounds and arguments, the purpose, the submitter, the computers, the recipients, and what the output
control of all owners demands. So it runs for the person for whom it was reviewed, under the rules that were reviewed.
"""

from datetime import UTC, datetime

from consortia.plans.model import Plan

_NO_DIGEST = "0" * 64
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def template_digest(plan: Plan) -> str:
    """The digest that a policy lists under `templates-without-review`, hexadecimal."""
    blank = {"manifest": _NO_DIGEST, "catalogue": _NO_DIGEST, "as_of": _NO_TIME, "circuits": "few-rounds"}
    return plan.model_copy(update=blank).digest()
