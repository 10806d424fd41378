"""What other owners' policies in force leave of this one: the strictest wins, and some differences permit nothing.

All are warnings. The file may be right and another owner about to change; but an officer who signs it should know that
it will permit less than it says.
"""

from collections.abc import Iterator

from consortia.policies.language.model import CellOutput, ModelOutput, Policy
from consortia.policies.language.parse import LoadedPolicy
from consortia.policies.language.reader import Path
from consortia.policies.lint.problems import Problem, warning
from consortia.policies.world import PolicyWorld

KINDS = ("alert", "score", "count", "aggregate", "model")
PERSONAL = (CellOutput, ModelOutput)
"""Sections of outputs that go to the person who asks."""


def of_others(loaded: LoadedPolicy, world: PolicyWorld) -> Iterator[Problem]:
    """Of each table that is shared: holders without a policy, another privacy unit; of each output: who denies it."""
    policy = loaded.policy
    for name in policy.data.tables:
        known = next((table for table in world.catalogue.tables if table.name == name), None)
        for holder in sorted(set(known.holders if known else ()) - {policy.identity.owner}):
            others = world.policies_of(holder, policy.purpose.code)
            if len(others) != 1:
                text = (
                    f"`{holder}` holds a part of `{name}` and has no policy in force: queries on all parts are denied"
                )
                yield _warning(loaded, ("data", "tables", name), text, f"that `{holder}` has one signed")
            else:
                yield from _table(loaded, name, holder, others[0].policy)
    for other in world.policies:
        shared = policy.data.tables.keys() & other.policy.data.tables.keys()
        same_purpose = other.policy.purpose.code == policy.purpose.code
        if shared and same_purpose and other.policy.identity.owner != policy.identity.owner:
            yield from _outputs(loaded, other.policy)


def _warning(loaded: LoadedPolicy, path: Path, text: str, expected: str) -> Problem:
    return warning(loaded, path, "others", text, expected)


def _table(loaded: LoadedPolicy, name: str, holder: str, other: Policy) -> Iterator[Problem]:
    path: Path = ("data", "tables", name)
    theirs = other.data.tables.get(name)
    ours = loaded.policy.data.tables[name]
    if theirs is None:
        yield _warning(loaded, path, f"the policy of `{holder}` does not permit `{name}`", "that both do")
    elif theirs.privacy_unit != ours.privacy_unit:
        yield _warning(
            loaded, (*path, "privacy-unit"),
            f"`{holder}` counts contributors by `{theirs.privacy_unit}`: numbers over all parts are denied",
            f"`{theirs.privacy_unit}`, or that `{holder}` changes",
        )  # fmt: skip


def _outputs(loaded: LoadedPolicy, other: Policy) -> Iterator[Problem]:
    owner = other.identity.owner
    for kind in KINDS:
        path: Path = ("outputs", kind)
        ours, theirs = loaded.policy.output(kind), other.output(kind)
        if ours is None:
            continue
        if theirs is None:
            yield _warning(loaded, path, f"the policy of `{owner}` never permits `{kind}`", "that both do, or `never`")
        elif isinstance(ours, PERSONAL) and isinstance(theirs, PERSONAL):
            if (ours.noise == "off") != (theirs.noise == "off"):
                yield _warning(
                    loaded, (*path, "noise"),
                    f"noise is {'off' if ours.noise == 'off' else 'on'} here and not so in the policy of `{owner}`:"
                    " every query is denied", "that the owners agree",
                )  # fmt: skip
            if not _meet(ours.recipients, theirs.recipients):
                yield _warning(
                    loaded, (*path, "recipients"), f"the policy of `{owner}` lets none of them receive it",
                    f"some of {', '.join(theirs.recipients) or 'nobody'}",
                )  # fmt: skip


def _meet(ours: tuple[str, ...], theirs: tuple[str, ...]) -> bool:
    """Whether anybody may receive by both: a member stands for all persons of it."""
    return any(
        one == other or one.partition("@")[2] == other or one == other.partition("@")[2]
        for one in ours
        for other in theirs
    )
