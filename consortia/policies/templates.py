"""Templates: queries that officers have reviewed once, so that they run without being held again. Pure.

A template is named by the digest of its plan without what changes from run to run: the versions of manifest and
catalogue, the time of asking, and the circuits. Everything else stays in it: every step with its columns, bounds and
arguments, the purpose, the submitter, the computers, the recipients, and what the output control of all owners
demands. So it runs for the person for whom it was reviewed, under the rules that were reviewed. In place of the
catalogue's version stands how it defines the local tables that are read, which no step says: one that is redefined
makes another template. Relative dates are constants of the steps, so a query that has them is another template every
day.
"""

import hashlib
import json
from datetime import UTC, datetime

from consortia.plans.catalogue import Catalogue
from consortia.plans.model import Plan, Scan
from consortia.plans.tables import find_table, local_sources

_NO_DIGEST = "0" * 64
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def template_digest(plan: Plan, catalogue: Catalogue) -> str:
    """The digest that a policy lists under `templates-without-review`, hexadecimal."""
    defined = _definitions(plan, catalogue)
    local = hashlib.sha256(json.dumps(defined, sort_keys=True).encode()).hexdigest() if defined else _NO_DIGEST
    blank = {"manifest": _NO_DIGEST, "catalogue": local, "as_of": _NO_TIME, "circuits": "few-rounds"}
    return plan.model_copy(update=blank).digest()


def _definitions(plan: Plan, catalogue: Catalogue) -> dict[str, str]:
    """The SQL of each local table that ``plan`` reads, and of those that these are made from, by name."""
    found: dict[str, str] = {}
    open_names = [step.table for step in plan.steps if isinstance(step, Scan)]
    while open_names:
        name = open_names.pop()
        definition = "" if name in found else find_table(catalogue, name).definition
        if definition:
            found[name] = definition
            open_names += local_sources(definition)
    return found
