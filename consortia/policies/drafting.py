"""A draft of a policy from a template: the names and dates of one owner put in, and what can't be had yet written off.

A template is a policy in which `$owner`, `$members` and the like stand for the facts, so that every line of the draft
is one that an officer can read in the template. Pure: text in, text out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from string import Template

from consortia.errors import RequestError
from consortia.ids import check_name, member_of
from consortia.policies.language.enforcement import off_rules
from consortia.policies.language.model import LONGEST_VALIDITY_DAYS
from consortia.policies.language.parse import read_policy, what_is_accepted
from consortia.policies.language.reader import Mark, Path

REVIEW_BEFORE_END = timedelta(days=14)
REMARK = "    # wanted by the template, and not enforced by this version"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a template leaves open. ``analyst`` asks the example queries; the policy begins on the day ``begin``."""

    owner: str
    consortium: str
    members: tuple[str, ...]
    purpose: str
    author: str
    analyst: str
    begin: date


def filled(template: str, facts: Facts) -> str:
    """``template`` (of a policy or of a catalogue) with the facts in their places.

    Raises RequestError ``policies/draft`` if the facts make no consortium.
    """
    _check(facts)
    end = facts.begin + timedelta(days=LONGEST_VALIDITY_DAYS - 1)
    return Template(template).substitute(
        owner=facts.owner,
        consortium=facts.consortium,
        members=f"[{', '.join(facts.members)}]",
        other=min(name for name in facts.members if name != facts.owner),
        purpose=facts.purpose,
        author=facts.author,
        analyst=facts.analyst,
        begin=facts.begin,
        end=end,
        review=end - REVIEW_BEFORE_END,
        after=end + timedelta(days=7),
    )


def _check(facts: Facts) -> None:
    for name in (facts.owner, facts.consortium, facts.purpose, *facts.members):
        check_name(name, "member, consortium or purpose")
    if len(set(facts.members)) < len(facts.members) or facts.owner not in facts.members or len(facts.members) < 3:
        raise RequestError(
            "policies/draft",
            f"{', '.join(facts.members)} are no three or more different members with `{facts.owner}` among them",
            remedy="name all members of the consortium, the owner too",
        )
    for what, person in (("author", facts.author), ("analyst", facts.analyst)):
        if member_of(person) != facts.owner:
            raise RequestError(
                "policies/draft", f"the {what} `{person}` is not of `{facts.owner}`",
                remedy=f"name a person of the owner, name@{facts.owner}",
            )  # fmt: skip


def draft(template: str, facts: Facts) -> str:
    """A policy from ``template`` that this version accepts: a rule that it does not enforce is off, with a remark."""
    text = filled(template, facts)
    loaded = read_policy(text.encode())
    lines = text.split("\n")
    inserted: list[tuple[int, str]] = []
    for rule in off_rules(loaded.policy):
        if rule.accepted:
            continue
        word = f"{rule.path[-1]}: {what_is_accepted(rule.path)}"
        mark = loaded.marks.get(rule.path)
        if mark is None:
            inserted.append((_first_line_within(loaded.marks, rule.path), f"{word}{REMARK}"))
        else:
            indentation = lines[mark.line - 1][: mark.column - 1]
            lines[mark.line - 1] = f"{indentation}{word}{REMARK}"
    for place, line in sorted(inserted, reverse=True):
        beside = lines[place - 1]
        lines.insert(place - 1, f"{' ' * (len(beside) - len(beside.lstrip()))}{line}")
    return "\n".join(lines)


def _first_line_within(marks: Mapping[Path, Mark], path: Path) -> int:
    """The line of the first entry of the section in which ``path`` is missing."""
    return min(mark.line for other, mark in marks.items() if other[:-1] == path[:-1] and len(other) == len(path))
