"""What policies say to a question: a query with its purpose, its submitter and the time at which it is asked.

As `compiling` has it, without cost and without a search for what would pass: for examples, for the comparison of two
versions of a policy, wherever many questions are decided and nothing runs. Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from consortia.errors import PolicyRefusal, RequestError
from consortia.ids import member_of
from consortia.plans.build import build_plan
from consortia.plans.catalogue import Catalogue
from consortia.plans.model import Plan
from consortia.plans.obligations import NO_OBLIGATIONS, Obligations
from consortia.plans.specs.bind import bind_analysis
from consortia.policies.compiling import environment_of
from consortia.policies.decide import decide
from consortia.policies.language.model import Policy
from consortia.policies.language.parse import LoadedPolicy
from consortia.policies.verdicts import Decision
from consortia.policies.world import PolicyWorld
from consortia.trust.manifest import (
    FEWEST_COMPUTERS,
    MOST_COMPUTERS,
    Card,
    CoordinatorEntry,
    Manifest,
    Member,
    PersonEntry,
)

NO_DIGEST = "0" * 64


@dataclass(frozen=True, slots=True)
class Question:
    """A query as its submitter asks it at ``at`` (UTC), from where relative dates count."""

    sql: str
    purpose: str
    submitter: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes of a question. ``fault`` says why it can't be planned, whatever policies say ("" if it can).

    ``plan`` is the final plan where every owner permits, else the draft; None where there is a fault.
    """

    plan: Plan | None
    decision: Decision | None
    fault: str = ""

    @property
    def permitted(self) -> bool:
        """Whether every owner permits."""
        return self.decision is not None and self.decision.permitted

    def denied_by(self, owner: str) -> frozenset[str]:
        """Ids of the rules by which ``owner`` denies; none where it permits or is not asked."""
        denials = () if self.decision is None else self.decision.denials()
        return frozenset(reason.rule for who, reason in denials if who == owner)


def answer(question: Question, world: PolicyWorld) -> Answer:
    """Plan and decide ``question`` under the policies of ``world``. Total: what can't be planned is a fault."""
    found = verdict_on(question, world)
    if found.decision is None or not found.permitted:
        return found
    return _planned(question, world, found.decision.obligations)


def verdict_on(question: Question, world: PolicyWorld) -> Answer:
    """The same verdicts and obligations, of the draft alone: half the work where the final plan is not looked at."""
    return _planned(question, world, NO_OBLIGATIONS)


def _planned(question: Question, world: PolicyWorld, obligations: Obligations) -> Answer:
    environment = environment_of(question.purpose, question.submitter, question.at, world)
    try:
        plan = build_plan(bind_analysis(question.sql, world.catalogue, question.at), environment, obligations)
    except (RequestError, PolicyRefusal) as error:
        return Answer(None, None, str(error))
    return Answer(plan, decide(plan, world, question.at))


def mirrored(loaded: LoadedPolicy, world: PolicyWorld) -> PolicyWorld:
    """``world`` in which every member holds this policy as its own, so that nothing but the policy decides."""
    copies = [
        replace(
            loaded,
            policy=loaded.policy.model_copy(
                update={"identity": loaded.policy.identity.model_copy(update={"owner": member.id})}
            ),
        )
        for member in world.manifest.members
    ]
    return replace(world, policies=tuple(copies))


def supposed(policies: Iterable[Policy], catalogue: Catalogue, submitters: Iterable[str]) -> PolicyWorld:
    """A consortium that fits ``policies`` and ``catalogue``, without policies: to try a draft where there is no home.

    Its members are those that the documents name, the computers those that the policies name (filled up with others
    where they are too few), and everybody of ``submitters`` is an analyst. Nothing of it can be signed or run.
    Raises RequestError ``policies/supposed`` if the documents name fewer than three members.
    """
    drafts = tuple(policies)
    submitting = sorted(set(submitters))
    computers = list(dict.fromkeys(name for policy in drafts for name in policy.parties.compute))
    named = {name for table in catalogue.tables for name in table.holders}
    named |= {policy.identity.owner for policy in drafts} | set(computers)
    named |= {str(member_of(who)) if "@" in who else who for policy in drafts for who in policy.parties.submit}
    computers += sorted(named - set(computers))
    if len(computers) < FEWEST_COMPUTERS:
        raise RequestError(
            "policies/supposed",
            f"policy and catalogue name {len(computers)} members, fewer than the {FEWEST_COMPUTERS} that compute",
            remedy="name them as holders of tables or in `parties.compute`, or give the home of a member",
        )
    floor = "ecdsa-p256" if all(policy.parties.signatures == "classical" for policy in drafts) else "ed25519+ml-dsa-65"
    manifest = Manifest(
        consortium=catalogue.consortium,
        version=1,
        previous=NO_DIGEST,
        coordinator=CoordinatorEntry(endpoint="", tls_root=""),
        members=tuple(
            Member(id=name, display_name=name, suite=floor, root_key="", may_compute=True) for name in sorted(named)
        ),
        computers=tuple(computers[: _computing(drafts, len(computers))]),
    )
    cards = {name: _card(name, submitting, catalogue.consortium, floor) for name in sorted(named)}
    return PolicyWorld(manifest, catalogue, cards, ())


def _computing(drafts: tuple[Policy, ...], there: int) -> int:
    """As many computers as the policies name, within what a manifest may have."""
    named = {name for policy in drafts for name in policy.parties.compute}
    return max(FEWEST_COMPUTERS, min(MOST_COMPUTERS, len(named), there))


def _card(member: str, people: list[str], consortium: str, suite: str) -> Card:
    return Card(
        consortium=consortium,
        member=member,
        version=1,
        not_after=datetime.max.replace(microsecond=0, tzinfo=UTC),
        people=tuple(
            PersonEntry(id=who, roles=("analyst",), suite=suite, key="") for who in people if member_of(who) == member
        ),
        node_suite=suite,
        node_key="",
        kem_key="",
        tls_root="",
        endpoint="",
    )
