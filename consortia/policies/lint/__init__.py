"""What an officer should know of a policy before signing it: every problem of a file, with its place.

Pure and total: bytes, documents and time are arguments, and any bytes give a list.
"""

from datetime import datetime

from consortia.plans.catalogue import Catalogue
from consortia.policies.language.parse import read_leniently
from consortia.policies.lint.dates import of_dates
from consortia.policies.lint.enforced import of_enforcement
from consortia.policies.lint.fit import of_fit
from consortia.policies.lint.problems import Problem, errors
from consortia.policies.lint.sense import of_sense
from consortia.trust.manifest import Manifest

__all__ = ["Problem", "errors", "lint"]


def lint(data: bytes, at: datetime, documents: tuple[Manifest, Catalogue] | None = None) -> tuple[Problem, ...]:
    """Every problem of the file ``data`` at the time ``at``, in the order of the file.

    Syntax and shape, rules that this version does not enforce, dates, what makes no sense together; with the
    ``documents`` in force also names, row scopes and bounds that do not fit them. A file that is no policy gets the
    problems of its text alone.
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
        if documents is not None:
            found += of_fit(loaded, *documents, at)
    return tuple(sorted(found))
