"""Whether the dates of a policy have come or passed."""

from collections.abc import Iterator
from datetime import datetime

from consortia.policies.language.parse import LoadedPolicy
from consortia.policies.lint.problems import Problem, error, warning
from consortia.policies.rules.standing import interval


def of_dates(loaded: LoadedPolicy, at: datetime) -> Iterator[Problem]:
    """Expired (an error); not begun, or its review is due (warnings)."""
    dates = loaded.policy.validity
    begin, end = interval(dates)
    if at >= end:
        yield error(
            loaded, ("validity", "not-after"), "dates", f"the policy expired at the end of {dates.not_after}",
            f"{at.date()} or a later day",
        )  # fmt: skip
    elif at < begin:
        yield warning(loaded, ("validity", "not-before"), "dates", f"the policy is not valid before {dates.not_before}")
    elif at.date() > dates.review:
        yield warning(loaded, ("validity", "review"), "dates", "the review is due", "a new version")
