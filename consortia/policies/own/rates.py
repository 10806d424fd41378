"""How often may be asked: queries of one analyst on a day, of all on a day, of all in the policy's period.

A query counts from its approval on, and no longer if its session ended before anything could be opened. Days are days
in UTC; the period begins with the first day of the policy's validity, so that a new version begins it anew only if
two officers sign a later first day.
"""

from consortia.policies.language.values import Off
from consortia.policies.own.case import OwnCase, OwnFinding


def within_rates(case: OwnCase) -> OwnFinding | None:
    """Deny a query that is one too many."""
    rates, standing = case.policy.rates, case.standing
    analyst = case.plan.submitter
    limits: tuple[tuple[int | Off, int, str, str], ...] = (
        (
            rates.queries_per_analyst_and_day,
            standing.analyst_today,
            f"of `{analyst}` today",
            "ask again tomorrow (UTC), or raise `rates.queries-per-analyst-and-day` in the next version",
        ),
        (
            rates.queries_per_day,
            standing.today,
            "of all analysts today",
            "ask again tomorrow (UTC), or raise `rates.queries-per-day` in the next version",
        ),
        (
            rates.queries_per_period,
            standing.period,
            f"since {case.policy.validity.not_before}",
            "two officers sign the next version, with a higher `rates.queries-per-period` or a later first day",
        ),
    )
    for limit, counted, what, remedy in limits:
        if limit != "off" and counted >= limit:
            text = f"{counted} queries {what} for `{case.plan.purpose}` are counted, and {limit} are permitted"
            return OwnFinding("deny", "policies/rates", text, remedy)
    return None
