"""What is never permitted, what stops it, and what is off, so that nothing is left to guess."""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from consortia.policies.explain.page import KINDS, Sentence, day, listed
from consortia.policies.language.enforcement import TREATMENTS, Enforced, OffOnly, off_rules
from consortia.policies.language.model import Policy

OFF_WORDS: Mapping[str, str] = {
    "human-review": "no officer looks at a run before its result is opened",
    "retention-days": "recipients may keep results for ever",
    "onward-sharing": "nothing but the contract keeps recipients from passing results on",
    "dominance": "a cell may rest on its largest contributors",
    "p-percent": "one contributor may estimate another closely",
    "zeros-and-full-cells": "empty and full cells are shown",
    "complementary-suppression": "a suppressed cell may follow from totals",
    "rounding": "numbers are not rounded",
    "noise": "no noise, and no privacy budget over all answers",
    "differencing": "queries may differ by a few contributors from earlier ones",
    "queries-per-analyst-and-day": "an analyst's queries on a day are not limited",
    "queries-per-day": "all queries on a day are not limited",
    "queries-per-period": "queries in the whole time are not limited",
}
"""What it means that a rule is off. A test compares the keys with the fields of the language."""
EXACT = frozenset(
    ("dominance", "p-percent", "zeros-and-full-cells", "complementary-suppression", "rounding", "differencing")
)
"""Rules that have no place beside noise."""


PICKING = "Picking out the rows of one member, or, in numbers over groups, one side of a sum by a condition."


def of_never(policy: Policy) -> Iterator[Sentence]:
    """What no query gets."""
    section = "What is never permitted"
    words = {**KINDS, "score": "scores (numbers per customer)", "model": "fitted models"}
    closed = [said for kind, said in words.items() if policy.output(kind) is None]
    closed.append("fitted models without noise" if policy.output("model") else "")
    yield Sentence(section, f"Opening single rows; as outputs: {', '.join(filter(None, closed))}.", "output-kind")
    yield Sentence(section, "Any table or column that is not named above, and any other purpose.", "table")
    yield Sentence(section, PICKING, "operations")


def of_stops(policy: Policy) -> Iterator[Sentence]:
    """Limits and ends."""
    section = "What stops it"
    rates = policy.rates
    limits = [
        f"{limit} {words}"
        for limit, words in (
            (rates.queries_per_analyst_and_day, "of one analyst on a day (UTC)"),
            (rates.queries_per_day, "of all analysts on a day (UTC)"),
            (rates.queries_per_period, f"from {day(policy.validity.not_before)} on"),
        )
        if limit != "off"
    ]
    if limits:
        yield Sentence(section, f"Queries that are answered, at most: {', '.join(limits)}.", "rates")
    yield Sentence(section, f"After {day(policy.validity.not_after)} nothing more is permitted.", "validity")
    yield Sentence(
        section,
        f"One officer of {policy.identity.owner} can revoke it, and any member can stop everything, at any time:"
        " running sessions end before their result is opened.",
        "revocation",
    )
    yield Sentence(
        section,
        "One changed byte of the file voids the signatures, and an unsigned policy permits nothing.",
        "four-eyes",
    )
    yield Sentence(
        section,
        f"The node of {policy.identity.owner} decides every query itself before it shares anything; its no is final.",
        "ownership",
    )


def of_off(policy: Policy) -> Iterator[Sentence]:
    """Every rule that is off, with what that means, once for all kinds of output that share it."""
    where: dict[tuple[str, str, bool], list[str]] = {}
    for kind, section in _sections(policy):
        for key, value in _written(section).items():
            moot = key in EXACT and _written(section).get("noise", "off") != "off"
            if value == "off" and key in OFF_WORDS and not moot:
                rule, enforced = _rule(f"outputs.{kind}.{key}" if kind else f"rates.{key}")
                where.setdefault((OFF_WORDS[key], rule, enforced), []).append(kind)
    heading = "What is OFF: rules that protect nothing here (* not enforced by this version: docs/limits.md)"
    by_topic: dict[str, list[Sentence]] = {}
    for (words, rule, enforced), kinds in where.items():
        topic = listed([KINDS[kind] for kind in kinds if kind]) if any(kinds) else "all queries"
        text = f"{words[0].upper()}{words[1:]}{'' if enforced else '*'}."
        by_topic.setdefault(topic, []).append(Sentence(heading, text, rule, f"For {topic}"))
    for sentences in by_topic.values():
        yield from sentences


def of_unenforced(policy: Policy) -> Iterator[Sentence]:
    """Rules in effect that this version does not enforce, for which the policy is refused."""
    for rule in off_rules(policy):
        if not rule.accepted:
            yield Sentence(
                "NOT ENFORCED: this policy can't be put in force",
                f"`{'.'.join(map(str, rule.path))}` is in effect: {rule.words}.",
                rule.rule,
            )


def _sections(policy: Policy) -> Iterator[tuple[str, BaseModel]]:
    for kind in KINDS:
        section = policy.output(kind)
        if section is not None:
            yield kind, section
    yield "", policy.rates


def _written(section: BaseModel) -> dict[str, object]:
    return {info.alias or name: getattr(section, name) for name, info in type(section).model_fields.items()}


def _rule(path: str) -> tuple[str, bool]:
    """The id of the rule of a field, and whether this version enforces it."""
    treatment = TREATMENTS[path]
    if isinstance(treatment, Enforced | OffOnly):
        return treatment.rule, isinstance(treatment, Enforced)
    return "", True
