"""``consortia policy diff``: what a new version changes, in words and in answers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from consortia.cli.options import HomeOption, ProfileOption, believer, now
from consortia.cli.output import JsonOption, emit, note, table
from consortia.cli.policy.comparing import believed, flips_text, flips_value
from consortia.parties.past import past_questions
from consortia.policies.changes.flips import Asked, Comparison, asked_by, compare, once
from consortia.policies.changes.words import Change, changed, counted, require_versions
from consortia.policies.language.parse import LoadedPolicy, read_policy
from consortia.trust.folder import read_policy_file
from consortia.visible import visible

EXAMPLES = (
    "consortia policy diff v1.yaml v2.yaml --home ./bank-a",
    "consortia policy diff v1.yaml v2.yaml --exit-code --json",
)


def command(
    old: Annotated[Path, typer.Argument(help="The version before.", metavar="OLD", show_default=False)],
    new: Annotated[Path, typer.Argument(help="The new version.", metavar="NEW", show_default=False)],
    home: HomeOption = None,
    profile: ProfileOption = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 2 if anything changes, with 0 if nothing does.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Say what a new version changes: each word, widened, narrowed or neutral; with a home, which answers flip.

    Lines that are only moved or written otherwise show nothing. With a home or profile the examples of both files and
    generated queries over the catalogue are decided under both versions, beside the other owners' policies in force;
    with the home of a node also the queries of its journal.
    """
    before, after = (read_policy(read_policy_file(file).payload_bytes()) for file in (old, new))
    require_versions(before.policy, after.policy)
    changes = changed(before.policy, after.policy)
    found: Comparison | None = None
    if home is not None or profile is not None:
        world = believed(believer(home, profile, None), now())
        asked = once((*_past(home, after), *asked_by((before, after), world, now())))
        found = compare(asked, before, after, world)
    else:
        note("no queries were decided: give --home or --profile for that")
    emit(_value(before, after, changes, found), _text(before, after, changes, found), json=json)
    if exit_code and (changes or (found is not None and found.flips)):
        raise typer.Exit(2)


def _past(home: Path | None, policy: LoadedPolicy) -> Iterator[Asked]:
    """What the node of ``home`` was asked for the policy's purpose; nothing where no node has run."""
    path = None if home is None else home / "node.sqlite"
    if path is not None and path.exists():
        for one in past_questions(path):
            if one.question.purpose == policy.policy.purpose.code:
                yield Asked(one.question, f"session {one.session[:8]}")


def _value(
    old: LoadedPolicy, new: LoadedPolicy, changes: tuple[Change, ...], found: Comparison | None
) -> dict[str, Any]:
    return {
        "policy": new.policy.identity.id,
        "old": {"version": old.policy.identity.version, "fingerprint": old.digest},
        "new": {"version": new.policy.identity.version, "fingerprint": new.digest},
        **counted(changes),
        "changes": [
            {
                "sign": change.sign,
                "field": change.place,
                "place": _place(change, old, new),
                "before": change.before,
                "after": change.after,
                "effect": change.effect,
                "meaning": change.meaning,
            }
            for change in changes
        ],
        **({} if found is None else flips_value(found)),
    }


def _place(change: Change, old: LoadedPolicy, new: LoadedPolicy) -> str:
    """Where the change stands: in the new file, or in the old one where something is gone."""
    return (old if change.sign == "-" else new).place(change.path)


def _text(old: LoadedPolicy, new: LoadedPolicy, changes: tuple[Change, ...], found: Comparison | None) -> Group:
    identity = new.policy.identity
    counts = ", ".join(f"{count} {effect}" for effect, count in counted(changes).items())
    title = f"{identity.id}: version {old.policy.identity.version} -> {identity.version}"
    rows = [
        (
            change.sign,
            change.effect.upper() if change.effect == "widened" else change.effect,
            change.place,
            f"{change.before} -> {change.after}" if change.sign == "~" else change.before or change.after,
            change.meaning,
            _place(change, old, new).split(":")[0],
        )
        for change in changes
    ]
    shown: list[RenderableType] = [Text(visible(title))]
    if rows:
        shown.append(table(("", "effect", "field", "value", "meaning", "where"), rows))
    shown.append(Text(counts))
    return Group(*shown, *(() if found is None else (Text(), *flips_text(found))))
