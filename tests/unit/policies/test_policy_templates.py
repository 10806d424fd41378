"""Every template lints, is explained on one page and passes its own examples, for any owner and any members."""

from dataclasses import replace
from datetime import UTC, datetime, time

import pytest

from consortia.cli.policy.new import TEMPLATES, template_text
from consortia.errors import ConsortiaError
from consortia.plans.catalogue import Catalogue
from consortia.plans.catalogue_file import read_catalogue
from consortia.policies.coverage import coverage, percent
from consortia.policies.drafting import REMARK, Facts, draft, filled
from consortia.policies.examples import decide_examples
from consortia.policies.explain import PAGE, WIDTH, explain
from consortia.policies.language.enforcement import off_rules
from consortia.policies.language.parse import LoadedPolicy, parse_policy, read_policy
from consortia.policies.lint import lint
from consortia.policies.questions import mirrored, supposed
from consortia.policies.world import PolicyWorld
from tests.policies_world import DRAFT_FACTS

COVERED = 90
"""Percent of the rules and grants of a template that its examples exercise."""


def made(name: str, facts: Facts = DRAFT_FACTS) -> tuple[LoadedPolicy, Catalogue]:
    catalogue = read_catalogue(filled(template_text(f"{name}.catalogue"), facts), keyless=True)
    return parse_policy(draft(template_text(name), facts).encode()), catalogue


def world_of(loaded: LoadedPolicy, catalogue: Catalogue) -> PolicyWorld:
    return supposed([loaded.policy], catalogue, [example.submitter for example in loaded.policy.examples])


@pytest.mark.parametrize("name", TEMPLATES)
def test_lint_finds_nothing_in_a_template_but_what_is_to_be_written(name: str) -> None:
    loaded, catalogue = made(name)
    at = datetime.combine(DRAFT_FACTS.begin, time(12), tzinfo=UTC)
    world = mirrored(loaded, world_of(loaded, catalogue))
    problems = lint(draft(template_text(name), DRAFT_FACTS).encode(), at, world)
    assert [(found.check, found.path) for found in problems] == [
        ("blank", "purpose.dpia"),
        ("blank", "purpose.register-entry"),
    ]


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_explained_on_one_page(name: str) -> None:
    lines = explain(made(name)[0]).splitlines()
    assert len(lines) <= PAGE
    assert max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize("members", [("east", "north", "south"), DRAFT_FACTS.members], ids=["three", "four"])
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_passes_its_own_examples_which_cover_most_of_it(name: str, members: tuple[str, ...]) -> None:
    loaded, catalogue = made(name, replace(DRAFT_FACTS, members=members))
    world = world_of(loaded, catalogue)
    decided = decide_examples(loaded, world)
    assert [(one.example.name, one.said) for one in decided if not one.passed] == []
    missing = [item.name for item in coverage(loaded, decided, world) if not item.example]
    assert percent(coverage(loaded, decided, world)) >= COVERED, missing


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_is_not_enforced_is_off_with_a_remark_and_everything_else_as_in_the_template(name: str) -> None:
    text = draft(template_text(name), DRAFT_FACTS)
    as_written = read_policy(filled(template_text(name), DRAFT_FACTS).encode())
    remarked = text.count(REMARK)
    kept = [line for line in text.splitlines() if REMARK not in line]
    assert set(kept) <= set(filled(template_text(name), DRAFT_FACTS).splitlines())
    assert remarked == sum(not rule.accepted for rule in off_rules(as_written.policy))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"members": ("north", "south")}, "three or more"),
        ({"members": ("south", "east", "west")}, "`north` among them"),
        ({"members": ("north", "north", "east")}, "different members"),
        ({"author": "dora@south"}, "not of `north`"),
        ({"owner": "North"}, "not a legal"),
        ({"purpose": "x: y"}, "not a legal"),
    ],
)
def test_facts_that_make_no_consortium_are_refused(change: dict[str, object], says: str) -> None:
    facts = Facts(**{**{name: getattr(DRAFT_FACTS, name) for name in DRAFT_FACTS.__slots__}, **change})  # type: ignore[arg-type] # the test breaks them
    with pytest.raises(ConsortiaError, match=says):
        filled(template_text("us-314b"), facts)
