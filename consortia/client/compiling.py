"""Compiling at the analyst's: the same pipeline that every party runs, from the profile's copies of the documents.

Nothing is sent: ``explain`` works with all nodes switched off.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from consortia.client.saved_plan import SavedPlan
from consortia.errors import ConsortiaError, OperatorError, RequestError
from consortia.execution.estimate import estimate
from consortia.plans.accuracy import wanted_errors
from consortia.plans.catalogue import Catalogue
from consortia.plans.cost import Link
from consortia.plans.differ import first_difference
from consortia.policies.compiling import Compiled, compile_analysis, fastest
from consortia.policies.signed import world_of
from consortia.policies.world import PolicyWorld
from consortia.trust.home import PROFILE_VARIABLE, Profile
from consortia.trust.notices import standing
from consortia.trust.sessions import WantedError
from consortia.trust.trusted import TrustedSet


@dataclass(frozen=True, slots=True)
class Belief:
    """What a profile believes of the consortium now: trusted documents, policies in force, and why others are not."""

    trusted: TrustedSet
    world: PolicyWorld
    not_in_force: tuple[ConsortiaError, ...]


def open_profile(given: Path | str | None) -> Profile:
    """The profile in the folder ``given``, or in CONSORTIA_PROFILE.

    Raises OperatorError ``client/no-profile`` if there is none.
    """
    folder = given or os.environ.get(PROFILE_VARIABLE)
    if not folder or not (Path(folder) / "person.json").exists():
        raise OperatorError(
            "client/no-profile",
            f"there is no profile in `{folder}`" if folder else "no profile was given",
            remedy=f"use --profile FOLDER or set {PROFILE_VARIABLE}; an operator makes one with `consortia person add`",
        )
    return Profile(Path(folder))


def believe(profile: Profile, now: datetime) -> Belief:
    """Read the profile's trust folder; raises as ``Profile.trusted`` does, and OperatorError ``trust/no-catalogue``."""
    trusted = profile.trusted()
    folder = profile.trust
    trusted.require_catalogue()
    catalogue = Catalogue.parse(folder.catalogue().payload_bytes())
    envelopes = [folder.policy(owner, purpose) for owner, purpose in folder.policies()]
    revoked = standing(folder, trusted.manifest).revoked
    world, refused = world_of(trusted, catalogue, envelopes, now, revoked)
    return Belief(trusted, world, refused)


def compile_query(
    profile: Profile,
    belief: Belief,
    sql: str,
    purpose: str,
    as_of: datetime,
    now: datetime,
    link: Link,
    errors: tuple[WantedError, ...] = (),
) -> Compiled:
    """``sql`` for ``purpose`` as every party will compile it, with the circuits that are fastest over ``link``.

    ``errors`` are those that the person accepts where noise is obliged.
    """
    return fastest(
        link,
        lambda circuits: compile_analysis(
            sql, purpose, profile.person, as_of, belief.world, estimate, now, circuits, errors
        ),
    )


def require_current(profile: Profile, belief: Belief, saved: SavedPlan, now: datetime) -> None:
    """Compile ``saved`` again under today's documents; raises RequestError ``client/stale`` unless it is the same."""
    plan = saved.plan
    if plan.submitter != profile.person:
        raise RequestError(
            "client/stale",
            f"the plan was made for `{plan.submitter}`, this profile is `{profile.person}`",
            remedy="explain the query again with this profile",
        )
    compiled = compile_analysis(
        saved.sql,
        plan.purpose,
        profile.person,
        plan.as_of,
        belief.world,
        estimate,
        now,
        plan.circuits,
        wanted_errors(plan),
    )
    if compiled.permitted and compiled.plan == plan and compiled.leakage == saved.leakage:
        return
    why = first_difference(compiled.plan, plan) if compiled.permitted else "an owner denies it now"
    raise RequestError(
        "client/stale",
        f"the saved plan is stale: {why or 'its leakage report differs'}",
        remedy="explain the query again and review what changed",
    )
