"""Who computes, under which assumptions, and who asks."""

from collections.abc import Iterator

from consortia.ids import member_of
from consortia.plans.engines import needed_computers
from consortia.policies.rules.base import Case, Finding, Rule, forbid, listed, permit

STRENGTH = {"semi-honest": 1, "malicious": 2}
POST_QUANTUM = frozenset(("ed25519+ml-dsa-65",))
"""Suites that hold against a quantum computer."""
KNOWN_SUITES = POST_QUANTUM | {"ecdsa-p256"}


def computers(case: Case) -> Iterator[Finding]:
    """Every computer may compute by the policy, and by the manifest."""
    path = ("parties", "compute")
    allowed = set(case.policy.parties.compute)
    by_manifest = {member.id for member in case.world.manifest.members if member.may_compute}
    for computer in sorted(set(case.plan.computers)):
        if computer not in allowed or computer not in by_manifest:
            whose = "the policy" if computer not in allowed else "the manifest"
            yield forbid(
                "computers", path, f"`{computer}` may not compute by {whose}",
                f"computers may be {listed(allowed & by_manifest)}",
            )  # fmt: skip
    if len(set(case.plan.computers)) != len(case.plan.computers):
        yield forbid("computers", path, "one member stands twice among the computers", "others compute")
    yield permit("computers", path, f"computing: {listed(case.plan.computers)}")


def not_together(case: Case) -> Iterator[Finding]:
    """No group of members that must not compute together does."""
    path = ("parties", "not-together")
    for number, group in enumerate(case.policy.parties.not_together):
        together = set(group) & set(case.plan.computers)
        if len(together) > 1:
            yield forbid(
                "not-together", (*path, number), f"{listed(together)} must not compute together",
                "the members agree on other computers in the manifest",
            )  # fmt: skip
    yield permit("not-together", path, "no two that must not compute together do")


def threat_model(case: Case) -> Iterator[Finding]:
    """The plan runs in the least mode that the owner accepts, or a stronger one."""
    path = ("parties", "threat-model")
    least = case.policy.parties.threat_model
    if STRENGTH[case.plan.threat_model] < STRENGTH[least]:
        yield forbid(
            "threat-model", path, f"the plan runs with {case.plan.threat_model} security, weaker than {least}",
            "this version has no stronger mode",
        )  # fmt: skip
    else:
        yield permit("threat-model", path, f"the mode is {case.plan.threat_model}")


def collusion(case: Case) -> Iterator[Finding]:
    """At least as many computers may pool what they see as the owner asks for."""
    path = ("parties", "collusion")
    wanted = case.policy.parties.collusion
    if case.plan.collusion >= wanted:
        yield permit("collusion", path, f"{case.plan.collusion} of {len(case.plan.computers)} computers may collude")
        return
    needed, there = needed_computers(wanted), len(case.world.manifest.computers)
    yield forbid(
        "collusion", path, f"{wanted} computers may collude by the policy, {case.plan.collusion} by the plan",
        f"the members agree on {needed} computers in the manifest, which names {there}" if there < needed
        else "please report this",
    )  # fmt: skip


def cryptography(case: Case) -> Iterator[Finding]:
    """All who take part sign with keys of the least strength that the owner accepts."""
    path = ("parties", "signatures")
    floor = case.policy.parties.signatures
    accepted = POST_QUANTUM if floor == "post-quantum" else KNOWN_SUITES
    taking_part = set(case.plan.computers) | set(case.plan.owners()) | {str(member_of(case.plan.submitter))}
    for member_id in sorted(taking_part):
        member, card = case.world.manifest.member(member_id), case.world.cards.get(member_id)
        if member is None or card is None:
            yield forbid("cryptography", path, f"the card of `{member_id}` is not known", "its operator publishes it")
            continue
        suites = {member.suite, card.node_suite}
        person = card.person(case.plan.submitter)
        if person is not None:
            suites.add(person.suite)
        for suite in sorted(suites - accepted):
            yield forbid(
                "cryptography", path, f"`{member_id}` signs with {suite}, which is not {floor}",
                f"accepted are {listed(accepted)}",
            )  # fmt: skip
    yield permit("cryptography", path, f"all who take part sign {floor}")


def submitter(case: Case) -> Iterator[Finding]:
    """The submitter may submit by the policy, and is an analyst of its member."""
    path = ("parties", "submit")
    person = case.plan.submitter
    member = str(member_of(person))
    if not {person, member} & set(case.policy.parties.submit):
        yield forbid(
            "submitter", path, f"`{person}` may not submit", f"may submit: {listed(case.policy.parties.submit)}"
        )
    card = case.world.cards.get(member)
    entry = card.person(person) if card else None
    if entry is None or "analyst" not in entry.roles:
        yield forbid(
            "submitter", path, f"`{person}` is no analyst in the card of `{member}`",
            f"an operator of `{member}` adds the person with that role",
        )  # fmt: skip
    yield permit("submitter", path, f"`{person}` may submit")


RULES = (
    Rule(("computers",), computers),
    Rule(("not-together",), not_together),
    Rule(("threat-model",), threat_model),
    Rule(("collusion",), collusion),
    Rule(("cryptography",), cryptography),
    Rule(("submitter",), submitter),
)
