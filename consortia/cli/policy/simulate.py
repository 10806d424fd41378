"""``consortia policy simulate``: what a draft would have said to the past."""

from typing import Annotated, Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from consortia.cli.options import HomeOption, now, open_home
from consortia.cli.output import JsonOption, emit, table
from consortia.cli.policy.arguments import FileArgument
from consortia.cli.policy.comparing import believed, flips_text, flips_value
from consortia.errors import RequestError
from consortia.parties.past import past_questions
from consortia.policies.accounting import NOTHING
from consortia.policies.changes.flips import Comparison, asked_by, compare
from consortia.policies.changes.replay import Outcome, compare_past
from consortia.policies.changes.words import require_versions
from consortia.policies.language.parse import LoadedPolicy, read_policy
from consortia.policies.own.budget import shown
from consortia.trust.folder import read_policy_file
from consortia.trust.home import Home

EXAMPLES = (
    "consortia policy simulate v2.yaml --history --home ./bank-a",
    "consortia policy simulate v2.yaml --home ./bank-a --json",
)


def command(
    file: FileArgument,
    history: Annotated[
        bool, typer.Option("--history", help="Decide what this node was asked, from its journal, instead of examples.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Decide queries under a draft and under the version in force, and list the verdicts that flip. Touches no data.

    With --history the queries are those that this node was asked, approved and denied ones, in their order, with
    quotas, remembered answers and privacy loss as they would have been; else the files' examples and generated ones.
    """
    opened = open_home(home)
    draft = read_policy(read_policy_file(file).payload_bytes())
    held = _held(opened, draft)
    world = believed(opened, now())
    if not history:
        found = compare(asked_by((held, draft), world, now()), held, draft, world)
        emit(_value(held, draft, found), Group(*flips_text(found)), json=json)
        return
    past = [
        one for one in past_questions(opened.path / "node.sqlite") if one.question.purpose == draft.policy.purpose.code
    ]
    found, before, after = compare_past(past, held, draft, world)
    emit(
        {**_value(held, draft, found), "in_force": _outcome(before), "draft": _outcome(after)},
        Group(*flips_text(found), Text(), _effect(before, after)),
        json=json,
    )


def _held(home: Home, draft: LoadedPolicy) -> LoadedPolicy:
    """The version that this home holds, in force or expired.

    Raises RequestError ``policies/not-own`` for a draft of another owner, ``policies/versions`` if none is held.
    """
    owner, purpose = draft.policy.identity.owner, draft.policy.purpose.code
    if owner != home.member:
        raise RequestError(
            "policies/not-own",
            f"the draft is of `{owner}`, this home is of `{home.member}`",
            remedy="simulate at the owner's home; `consortia policy diff` compares files of any owner",
        )
    if (owner, purpose) not in home.trust.policies():
        raise RequestError(
            "policies/versions",
            f"this home holds no policy of `{owner}` for `{purpose}` to compare with",
            remedy="`consortia policy diff` compares two files",
        )
    held = read_policy(home.trust.policy(owner, purpose).payload_bytes())
    require_versions(held.policy, draft.policy)
    return held


def _value(held: LoadedPolicy, draft: LoadedPolicy, found: Comparison) -> dict[str, Any]:
    return {
        "policy": draft.policy.identity.id,
        "old": {"version": held.policy.identity.version, "fingerprint": held.digest},
        "new": {"version": draft.policy.identity.version, "fingerprint": draft.digest},
        **flips_value(found),
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    spent = {unit: {"rho": charge.rho, "delta": charge.delta} for unit, charge in outcome.spent.items()}
    return {"permitted": outcome.permitted, "held": outcome.held, "spent": spent}


def _effect(before: Outcome, after: Outcome) -> Table:
    rows = [
        ("queries that pass", str(before.permitted), str(after.permitted)),
        ("of these, after a review", str(before.held), str(after.held)),
    ]
    for unit in sorted(before.spent.keys() | after.spent.keys()):
        old, new = (shown(outcome.spent.get(unit, NOTHING)) for outcome in (before, after))
        rows.append((f"privacy loss of {unit}", old, new))
    return table(("", "in force", "draft"), rows)
