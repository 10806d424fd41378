"""Whether the policy speaks of this plan at all: consortium, documents, purpose, dates."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

from consortia.policies.language.model import Validity
from consortia.policies.rules.base import TOLERANCE, Case, Finding, Rule, forbid, listed, permit


def ownership(case: Case) -> Iterator[Finding]:
    """The policy is of a member of this consortium, and the plan was made under the documents in force."""
    path = ("identity", "consortium")
    identity, manifest = case.policy.identity, case.world.manifest
    if identity.owner != case.owner or identity.consortium != manifest.consortium:
        yield forbid(
            "ownership",
            path,
            f"the policy is of `{identity.owner}` in `{identity.consortium}`,"
            f" the plan of `{case.owner}` in `{manifest.consortium}`",
            "an officer signs a policy that names this consortium",
        )
    if manifest.member(case.owner) is None:
        yield forbid(
            "ownership",
            ("identity", "owner"),
            f"`{case.owner}` is no member in manifest version {manifest.version}",
            "ask only for members' tables",
        )
    stale = [
        name
        for name, planned, held in (
            ("manifest", case.plan.manifest, case.world.manifest_digest),
            ("catalogue", case.plan.catalogue, case.world.catalogue_digest),
        )
        if planned != held
    ]
    for name in stale:
        yield forbid(
            "ownership", path, f"the plan was made under another {name} than the one in force", "plan the query again"
        )
    yield permit("ownership", path, f"`{case.owner}` is a member of `{manifest.consortium}`")


def purpose(case: Case) -> Iterator[Finding]:
    """The plan's purpose is the policy's, and a purpose of the catalogue."""
    path = ("purpose", "code")
    allowed = case.policy.purpose.code
    if case.plan.purpose != allowed:
        yield forbid(
            "purpose", path, f"the purpose `{case.plan.purpose}` is not permitted", f"the policy permits `{allowed}`"
        )
    elif allowed not in case.world.catalogue.purposes:
        yield forbid(
            "purpose", path, f"`{allowed}` is no purpose of the catalogue",
            f"the catalogue has {listed(case.world.catalogue.purposes)}",
        )  # fmt: skip
    else:
        yield permit("purpose", path, f"the purpose is `{allowed}`")


def validity(case: Case) -> Iterator[Finding]:
    """Now lies in the days for which the policy is valid."""
    dates = case.policy.validity
    begin, end = interval(dates)
    if case.now < begin - TOLERANCE:
        yield forbid(
            "validity", ("validity", "not-before"), f"the policy is valid from {dates.not_before} on",
            "ask then, or an officer signs a policy that is valid now",
        )  # fmt: skip
    elif case.now >= end + TOLERANCE:
        yield forbid(
            "validity", ("validity", "not-after"), f"the policy expired at the end of {dates.not_after}",
            f"two officers of `{case.owner}` sign its next version",
        )  # fmt: skip
    else:
        yield permit("validity", ("validity", "not-after"), f"valid until the end of {dates.not_after} (UTC)")


def interval(dates: Validity) -> tuple[datetime, datetime]:
    """The half-open interval of instants in which a policy is valid: its last day counts in full."""
    begin = datetime.combine(dates.not_before, time(), tzinfo=UTC)
    return begin, datetime.combine(dates.not_after + timedelta(days=1), time(), tzinfo=UTC)


RULES = (Rule(("ownership",), ownership), Rule(("purpose",), purpose), Rule(("validity",), validity))
