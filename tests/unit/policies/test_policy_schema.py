"""The published JSON schema and the parser agree: on whole files, and on what is wrong with one place of a file."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from consortia.cli.policy.new import TEMPLATES, template_text
from consortia.policies.drafting import draft
from consortia.policies.language.model import Policy
from consortia.policies.language.parse import read_leniently
from consortia.policies.language.reader import read_yaml
from consortia.policies.language.schema import schema_text
from consortia.policies.language.values import MISFIT
from tests.policies_world import DRAFT_FACTS, GENEROUS, policy_text

ROOT = Path(__file__).parents[3]
VALIDATOR = Draft202012Validator(json.loads(schema_text()))


def schema_accepts(tree: Any) -> bool:
    return bool(VALIDATOR.is_valid(tree))


def parser_accepts(tree: Any) -> bool:
    loaded, _ = read_leniently(json.dumps(tree).encode())
    return loaded is not None


def test_the_schema_is_one_and_is_as_published() -> None:
    Draft202012Validator.check_schema(json.loads(schema_text()))
    assert (ROOT / "docs/reference/policy.schema.json").read_text() == schema_text(), "run python docs/generate.py"


FILES = {
    **{path.name: path.read_text() for path in sorted((ROOT / "examples/aml/policies").glob("*.yaml"))},
    **{name: draft(template_text(name), DRAFT_FACTS) for name in TEMPLATES},
    "standard": policy_text(),
    "generous": policy_text("bank-a", *GENEROUS),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_the_parser_reads_are_accepted_by_the_schema(name: str) -> None:
    tree = read_yaml(FILES[name].encode()).tree
    assert parser_accepts(tree)
    assert [error.message for error in VALIDATOR.iter_errors(tree)] == []


def refused() -> dict[str, tuple[str, str]]:
    return {
        "unknown key": ("dpia: DPIA-14", "dpia: DPIA-14\n  dipa: x"),
        "missing key": ("  dpia: DPIA-14\n", ""),
        "wrong word": ("score: never", "score: nevr"),
        "text for a number": ("minimum-entities: 10", "minimum-entities: ten"),
        "below the least": ("minimum-entities: 10", "minimum-entities: 1"),
        "above the most": ("dominance: off", "dominance: {n: 20, percent: 90}"),
        "no name": ("owner: bank-a", "owner: Bank A"),
        "no person": ("author: dora@bank-a", "author: dora"),
        "no date": ("review: 2027-01-04", "review: soon"),
        "no operation": ("operations: [alert, count]}", "operations: [alert, cuont]}"),
        "a list for a section": ("leaks: {sizes: closed", "leaks: [x]\nleeks: {sizes: closed"),
        "an empty list": ("legal-basis: [AMLR Article 75]", "legal-basis: []"),
        "no ratio": ("noise: off", "noise: {rho-per-release: a/b}"),
    }


@pytest.mark.parametrize("name", refused())
def test_files_at_fault_are_refused_by_the_schema_and_by_the_parser(name: str) -> None:
    tree = read_yaml(policy_text("bank-a", refused()[name]).encode()).tree
    assert not schema_accepts(tree)
    assert not parser_accepts(tree)


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


VALUES = st.sampled_from(
    ["off", "never", "x", "bank-a", "ana@bank-a", "2026-12-01", "1/10", "", 0, 1, 10, 10**7, -1, [], ["bank-a"],
     ["x y"], {}, {"n": 2, "percent": 90}, {"recipients": "owner-of-row"}, {"lo": 0, "hi": 5}]
)  # fmt: skip
TREE: Any = read_yaml(policy_text("bank-a", *GENEROUS).encode()).tree


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.sampled_from(places(TREE)[1:]), VALUES)
def test_schema_and_parser_agree_on_any_value_at_any_place_but_for_what_fields_mean_together(
    path: tuple[Any, ...], value: Any
) -> None:
    tree = json.loads(json.dumps(TREE))
    node = tree
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value
    try:
        Policy.model_validate_json(json.dumps(tree))
        shape = True
    except ValidationError as error:
        shape = all(is_of_meaning(details) for details in error.errors())
    assert schema_accepts(tree) == shape


def is_of_meaning(details: Any) -> bool:
    """Whether no schema could say it: fields that do not fit together, days that no calendar has."""
    return details["type"] == MISFIT and "is no date" not in details["msg"]
