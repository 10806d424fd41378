"""What an officer should know of a policy before signing it: every problem of a file, with its place.

Pure and total: bytes, documents and time are arguments, and any bytes give a list.
"""

from datetime import datetime

from consortia.policies.language.parse import read_leniently
from consortia.policies.lint.dates import of_dates
from consortia.policies.lint.enforced import of_enforcement
from consortia.policies.lint.fit import of_fit
from consortia.policies.lint.others import of_others
from consortia.policies.lint.problems import Problem, errors
from consortia.policies.lint.sense import of_sense
from consortia.policies.world import PolicyWorld

__all__ = ["Problem", "errors", "lint"]


def lint(data: bytes, at: datetime, world: PolicyWorld | None = None) -> tuple[Problem, ...]:
    """Every problem of the file ``data`` at the time ``at``, in the order of the file.

    Syntax and shape, rules that this version does not enforce, dates, what makes no sense together; in the ``world`` of
    the documents in force also names, row scopes and bounds that do not fit them, and what other owners' policies leave
    of it. A file that is no policy gets the problems of its text alone.
    """
    loaded, faults = read_leniently(data)
    found = [
        Problem(
            fault.mark.line,
            fault.mark.column,
            "error",
            "file",
            ".".join(map(str, fault.path)),
            fault.message,
            fault.remedy,
        )
        for fault in faults
    ]
    if loaded is not None:
        found += [*of_enforcement(loaded), *of_dates(loaded, at), *of_sense(loaded)]
        if world is not None:
            found += [*of_fit(loaded, world.manifest, world.catalogue, at), *of_others(loaded, world)]
    return tuple(sorted(found))
