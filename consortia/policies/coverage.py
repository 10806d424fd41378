"""How much of a policy its examples exercise: which rules deny (or hold) one of them, and which grants one uses.

A rule counts if a question could be denied by it under this policy and catalogue; rules on the consortium itself
(computers, cryptography, dates of documents) are no matter of a query and do not. A grant is an output that is
permitted, or an operation of a column or of rows. Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from consortia.policies.examples import Decided
from consortia.policies.language.parse import LoadedPolicy
from consortia.policies.lineage import flow_of
from consortia.policies.review import may_review
from consortia.policies.world import PolicyWorld

PERSONAL = ("count", "aggregate", "model")
"""Kinds of output that go to the person who asks."""
HOLDING = "human-review"
"""The rule that holds a query instead of denying it."""


@dataclass(frozen=True, slots=True)
class Item:
    """A rule (by its id) or a grant (by its place in the file), and the name of an example that exercises it, or ""."""

    kind: str
    name: str
    example: str


def coverage(loaded: LoadedPolicy, decided: tuple[Decided, ...], world: PolicyWorld) -> tuple[Item, ...]:
    """All rules and grants that examples could exercise, rules first. An example that fails exercises nothing."""
    passed = [one for one in decided if one.passed]
    denying = {rule: one.example.name for one in reversed(passed) for rule in one.denied_by}
    held = [one.example.name for one in passed if one.held]
    denying |= {HOLDING: held[0]} if held else {}
    used = {grant: one.example.name for one in reversed(passed) for grant in _used(loaded, one)}
    return (
        *(Item("rule", rule, denying.get(rule, "")) for rule in _rules(loaded, world)),
        *(Item("grant", grant, used.get(grant, "")) for grant in _grants(loaded)),
    )


def percent(items: tuple[Item, ...]) -> int:
    """The share of ``items`` that is exercised, rounded down."""
    return 100 * sum(bool(item.example) for item in items) // len(items)


def _rules(loaded: LoadedPolicy, world: PolicyWorld) -> Iterator[str]:
    """The rules by which a question can be denied, given what the policy says."""
    policy, catalogue = loaded.policy, world.catalogue
    people = [each for kind in PERSONAL if (each := policy.personal_output(kind)) is not None]
    rows = [found for kind in ("alert", "score") if (found := policy.row_output(kind)) is not None]
    yield from ("validity", "operations", "output-kind")
    if {member.id for member in world.manifest.members} - set(policy.parties.submit):
        yield "submitter"
    if set(catalogue.purposes) - {policy.purpose.code}:
        yield "policy"
    held = {table.name for table in catalogue.tables if policy.identity.owner in table.holders}
    if held - policy.data.tables.keys():
        yield "table"
    if any(set(policy.parties.submit) - set(section.recipients) for section in people):
        yield "recipients"
    if any(section.maximum_rows != "off" for section in (*people, *rows)):
        yield "maximum-rows"
    if people:
        yield "minimum-members"
    if any(policy.noise(kind) is not None for kind in PERSONAL):
        yield "noise"
    if may_review(policy):
        yield HOLDING


def _grants(loaded: LoadedPolicy) -> Iterator[str]:
    policy = loaded.policy
    for kind in ("alert", "score", *PERSONAL):
        if policy.output(kind) is not None:
            yield f"outputs.{kind}"
    for name, entry in policy.data.tables.items():
        yield from (f"data.tables.{name}.operations: {operation}" for operation in dict.fromkeys(entry.operations))
        for column, granted in entry.columns.items():
            path = f"data.tables.{name}.columns.{column}.operations"
            yield from (f"{path}: {operation}" for operation in dict.fromkeys(granted.operations))


def _used(loaded: LoadedPolicy, one: Decided) -> Iterator[str]:
    """The grants without which a permitted example would be denied."""
    if one.answer.plan is None or not one.answer.permitted:
        return
    flow = flow_of(one.answer.plan)
    yield from (f"outputs.{output.kind}" for output in flow.outputs)
    for need in flow.requirements:
        if need.owner == loaded.policy.identity.owner:
            column = f".columns.{need.column}" if need.column else ""
            yield f"data.tables.{need.table}{column}.operations: {need.operation}"
