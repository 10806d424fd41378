"""The one pipeline from a query to an approved plan, called by client and parties alike.

bind -> draft plan -> every owner's verdict -> final plan with the merged obligations -> decide it again and check
that it keeps what was promised -> estimate, leakage report. Pure: equal arguments give equal bytes at every party.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from consortia.errors import InternalError, PolicyRefusal, RequestError
from consortia.plans.build import build_plan
from consortia.plans.cost import Estimate, Estimator, Link, microseconds
from consortia.plans.draft import Environment
from consortia.plans.leakage import LeakageReport, leakage_report
from consortia.plans.model import Circuits, Plan
from consortia.plans.specs.bind import bind_analysis
from consortia.policies.decide import decide
from consortia.policies.obligations import require_kept
from consortia.policies.rules.base import TOLERANCE
from consortia.policies.suggest import suggest
from consortia.policies.verdicts import Decision, Reason
from consortia.policies.world import PolicyWorld
from consortia.trust.sessions import WantedError

OLDEST = timedelta(days=7)
"""An ``as_of`` older than this is refused: relative dates of row scopes would reach back."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a query compiles to.

    With a permit, ``plan`` is the final plan, and ``estimate`` and ``leakage`` are of it. With a denial, ``plan`` is
    the draft that was denied, both are None, and ``suggestion`` is the nearest query that every owner permits, if
    one was found.
    """

    sql: str
    plan: Plan
    decision: Decision
    estimate: Estimate | None = None
    leakage: LeakageReport | None = None
    suggestion: str | None = None

    @property
    def permitted(self) -> bool:
        """Whether every owner permits."""
        return self.decision.permitted


def compile_analysis(
    sql: str,
    purpose: str,
    submitter: str,
    as_of: datetime,
    world: PolicyWorld,
    estimate: Estimator,
    now: datetime,
    circuits: Circuits = "few-rounds",
    errors: tuple[WantedError, ...] = (),
) -> Compiled:
    """Compile ``sql`` of ``submitter`` for ``purpose``, relative dates counting from ``as_of``, with these circuits.

    ``errors`` are those that the submitter accepts where noise is obliged: the release costs no more than they take.

    A denial is a result, not an error. Raises RequestError ``policies/as-of``, ``plans/wanted-error`` and as
    ``specs.bind.bind_analysis`` and ``plans.build.build_plan`` do.
    """
    _check_as_of(as_of, now)
    environment = replace(environment_of(purpose, submitter, as_of, world), errors=errors)
    query = bind_analysis(sql, world.catalogue, as_of)
    draft = build_plan(query, environment)
    decision = decide(draft, world, now)
    if not decision.permitted:
        return Compiled(sql, draft, decision, suggestion=suggest(sql, decision, environment, world, now))
    if errors and decision.obligations.noise is None:
        raise RequestError(
            "plans/wanted-error", "an error is wanted of a result whose numbers are exact", place=errors[0].output,
            remedy="leave the wanted error out",
        )  # fmt: skip
    plan = build_plan(query, environment, decision.obligations).model_copy(update={"circuits": circuits})
    final = decide(plan, world, now)
    require_kept(plan, decision.obligations)
    if not final.permitted or final.obligations != decision.obligations:
        raise InternalError(
            "policies/obligation-lost",
            "the final plan is decided otherwise than its draft",
            remedy="nothing was run; please report this with the query",
        )
    cost = estimate(plan)
    return Compiled(sql, plan, final, cost, leakage_report(plan, cost))


def fastest(link: Link, compiled: Callable[[Circuits], Compiled]) -> Compiled:
    """What a query compiles to with the circuits that take the least predicted time over ``link``.

    A function of public facts: the declared costs and the link that the submitter names. What was chosen stands in the
    plan and in the submission, so that every party compiles it alike.
    """
    first = compiled("few-rounds")
    if first.estimate is None:
        return first
    second = compiled("few-bytes")
    if second.estimate is None or microseconds(second.estimate, link) >= microseconds(first.estimate, link):
        return first
    return second


def environment_of(purpose: str, submitter: str, as_of: datetime, world: PolicyWorld) -> Environment:
    """The surroundings of a plan as the documents in force give them."""
    manifest = world.manifest
    return Environment(
        manifest=world.manifest_digest,
        catalogue=world.catalogue,
        catalogue_digest=world.catalogue_digest,
        computers=manifest.computers,
        members=tuple(member.id for member in manifest.members),
        purpose=purpose,
        as_of=as_of,
        submitter=submitter,
        entities=world.privacy_units(purpose),
        collusion=world.collusion(purpose),
    )


def refusal(compiled: Compiled) -> PolicyRefusal:
    """A denial as the error that the analyst meets: the first reason, who denies, and what would pass."""
    denials = compiled.decision.denials()
    if not denials:
        return PolicyRefusal("policies/denied", "no owner permits the query", remedy="ask for a table with owners")
    _, first = denials[0]
    owners = sorted({owner for owner, _ in denials})
    passing = f"; this would pass: {compiled.suggestion}" if compiled.suggestion else ""
    return PolicyRefusal(
        "policies/denied",
        f"{', '.join(owners)} {'denies' if len(owners) == 1 else 'deny'}: {first.text} (rule {first.rule})",
        place=", ".join(part for part in (first.column, _path(first), first.place) if part),
        remedy=f"{first.remedy}{passing}",
    )


def _path(reason: Reason) -> str:
    """The steps on which a column comes to the one at fault, as `s0 -> s1 -> s5`."""
    return " -> ".join(dict.fromkeys(step for step in (*reason.trail, reason.step) if step))


def _check_as_of(as_of: datetime, now: datetime) -> None:
    if as_of > now + TOLERANCE or as_of < now - OLDEST:
        raise RequestError(
            "policies/as-of",
            f"the query counts from {as_of.isoformat()}, which is in the future or more than {OLDEST.days} days ago",
            remedy="submit it again with the present time",
        )
