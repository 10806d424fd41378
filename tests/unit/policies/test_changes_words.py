"""Words that changed: each field both ways, what is moved shows nothing, and nothing that permits more is neutral."""

import json
import random
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.policies.changes.orders import ORDERS, UNORDERED, order_of
from consortia.policies.changes.words import Change, changed, counted
from consortia.policies.language.enforcement import model_fields
from consortia.policies.language.model import Dominance, Noise, Policy
from consortia.policies.language.parse import read_policy
from tests.policies_world import GENEROUS, POLICY, loaded, policy_text

ROWS = {"recipients": "owner-of-row", "human-review": "off", "retention-days": 30, "onward-sharing": "off"}
CELLS = {"recipients": ["bank-a"]}
MODEL = {"recipients": ["bank-a"]}
BASE: dict[str, Any] = Policy.model_validate_json(
    json.dumps(
        loaded("bank-a", *GENEROUS).policy.model_dump(mode="json", by_alias=True)
        | {"outputs": {"alert": ROWS, "score": ROWS, "count": CELLS, "aggregate": CELLS, "model": MODEL}}
    )
).model_dump(mode="json", by_alias=True)
"""A policy in which every section of the language is there, as a tree."""

HANDLING = {
    "maximum-rows": (5, "off"),
    "human-review": ("required", "off"),
    "retention-days": (30, 31),
    "onward-sharing": ("forbidden", "off"),
}
CELL_FIELDS = {
    **HANDLING,
    "recipients": (["bank-a"], ["bank-a", "ana@bank-b"]),
    "minimum-entities": (11, 10),
    "minimum-members": (4, 3),
    "dominance": ({"n": 2, "percent": 90}, "off"),
    "dominance.n": (3, 2),
    "dominance.percent": (80, 90),
    "p-percent": (11, 10),
    "zeros-and-full-cells": ("suppressed", "off"),
    "complementary-suppression": ("required", "off"),
    "rounding": (10, 5),
    "noise.rho-per-release": ("1/100", "1/99"),
    "noise.rho-per-period": ("1/10", "1/9"),
    "noise.period-days": (90, 60),
    "noise.delta-per-release": ("1/1000000", "1/100000"),
    "noise.delta-per-period": ("off", "1/1000"),
    "noise.cells-per-unit": (1, 2),
    "noise.rows-per-cell": (5, 6),
    "differencing": ({"new-data-days": 7}, "off"),
    "differencing.new-data-days": (8, 7),
    "differencing.other-rows-days": (91, 90),
}
MODEL_FIELDS = (
    *HANDLING, "recipients", "minimum-members", "noise.rho-per-release", "noise.rho-per-period", "noise.period-days",
)  # fmt: skip
WIDENING: dict[str, tuple[Any, Any]] = {
    "validity.not-before": ("2026-11-02", "2026-11-01"),
    "validity.not-after": ("2027-01-14", "2027-01-15"),
    "parties.compute": (["bank-b"], ["bank-c", "bank-b"]),
    "parties.not-together": ([["bank-a", "bank-b"]], []),
    "parties.threat-model": ("malicious", "semi-honest"),
    "parties.collusion": (2, 1),
    "parties.signatures": ("post-quantum", "classical"),
    "parties.countersign": (["bank-b", "bank-c"], ["bank-c"]),
    "parties.submit": (["ana@bank-a"], ["bank-a", "ana@bank-a"]),
    "data.tables.*.rows": ("currency = 'EUR' AND country = 'DE'", "country = 'DE'"),
    "data.tables.*.operations": (["count"], ["count", "compare"]),
    "data.tables.*.columns.*.class": ("quasi", "free"),
    "data.tables.*.columns.*.operations": (["filter"], ["group", "filter"]),
    "data.tables.*.columns.*.clip": ({"lo": 0, "hi": 5}, "off"),
    "data.tables.*.columns.*.clip.lo": (1, 0),
    "data.tables.*.columns.*.clip.hi": (5, 6),
    **{f"outputs.{kind}": ("never", section) for kind, section in BASE["outputs"].items()},
    **{f"outputs.{kind}.{key}": pair for kind in ("alert", "score") for key, pair in HANDLING.items()},
    **{f"outputs.{kind}.{key}": pair for kind in ("count", "aggregate") for key, pair in CELL_FIELDS.items()},
    **{f"outputs.model.{key}": CELL_FIELDS[key] for key in MODEL_FIELDS},
    **{
        f"leaks.{switch}": ("closed", "open")
        for switch in ("sizes", "group-count", "match-count", "filter-mask", "suppressed-count")
    },
    "rates.queries-per-analyst-and-day": (20, 21),
    "rates.queries-per-day": (50, "off"),
    "rates.queries-per-period": (1000, 1001),
    "rates.templates-without-review": ("off", [{"name": "weekly", "plan": "a" * 64}]),
}
"""A narrow and a wide value of each field that is ordered."""
UNORDERED_PAIRS: dict[str, tuple[Any, Any]] = {
    "identity.owner": ("bank-a", "bank-b"),
    "identity.consortium": ("testers", "others"),
    "purpose.code": ("aml-detection", "statistics"),
    "data.tables.*.rows": ("country = 'DE'", "country = 'FR'"),
    "data.tables.*.privacy-unit": ("customer_key", "other_key"),
    "data.tables.*.columns.*.class": ("sensitive", "label"),
    **{f"outputs.{kind}.noise": ("off", "on") for kind in ("count", "aggregate")},
    **{f"outputs.{kind}.contributors": ("exact", "lower-bound") for kind in ("count", "aggregate")},
    "outputs.aggregate.rounding": (5, 7),
}
"""Values that can't be compared: the change counts as widened both ways."""
STATED_PAIRS: dict[str, tuple[Any, Any]] = {
    "identity.id": ("x", "y"),
    "identity.author": ("dora@bank-a", "otto@bank-a"),
    "purpose.legal-basis": (["one"], ["two"]),
    "purpose.dpia": ("one", "two"),
    "purpose.register-entry": ("one", "two"),
    "validity.review": ("2026-12-01", "2026-12-02"),
    "parties.not-together": ([["bank-a", "bank-b"]], [["bank-b", "bank-a"], ["bank-a", "bank-b"]]),
    "parties.submit": (["bank-a"], ["bank-a", "ana@bank-a"]),
    "data.tables.*.rows": ("country = 'DE' AND currency = 'EUR'", "currency =  'EUR' AND country = 'DE'"),
}
ONE_VALUE = frozenset(
    (
        "format", "outputs.alert.recipients", "outputs.score.recipients", "outputs.count.noise.mechanism",
        "outputs.aggregate.noise.mechanism",
    )
)  # fmt: skip
"""Fields that have only one value in this version."""
STRUCTURE = frozenset(("data.tables", "data.tables.*.columns", "examples", "identity.version", "identity.previous"))
"""Fields that have tests of their own below."""


def tree_with(place: str, value: Any) -> dict[str, Any]:
    """``BASE`` with ``value`` at a registered place: deposits and its currency stand for ``*``."""
    tree: dict[str, Any] = json.loads(json.dumps(BASE))
    names = iter(("deposits", "currency"))
    *parents, last = [next(names) if part == "*" else part for part in place.split(".")]
    node = tree
    for parent in parents:
        if isinstance(node[parent], str):  # a section that is off by the base
            node[parent] = {"dominance": Dominance(), "noise": Noise()}[parent].model_dump(mode="json", by_alias=True) \
                if parent != "clip" else {"lo": 0, "hi": 5}  # fmt: skip
        node = node[parent]
    if place.endswith(".privacy-unit"):
        node["columns"]["other_key"] = {"class": "identifier", "operations": []}
    if place.endswith(".class"):
        node["operations"] = ["filter"]
    node[last] = Noise().model_dump(mode="json", by_alias=True) if value == "on" else value
    if place == "identity.owner":
        node["author"] = f"dora@{value}"
    return tree


@cache
def policy(place: str, value: str) -> Policy:
    return Policy.model_validate_json(json.dumps(tree_with(place, json.loads(value))))


def between(place: str, before: Any, after: Any) -> list[Change]:
    found = changed(policy(place, json.dumps(before)), policy(place, json.dumps(after)))
    return [change for change in found if change.place != "identity.author" or place == "identity.author"]


@pytest.mark.parametrize("place", WIDENING)
def test_each_ordered_field_widens_one_way_and_narrows_the_other(place: str) -> None:
    narrow, wide = WIDENING[place]
    forth, back = between(place, narrow, wide), between(place, wide, narrow)
    assert [change.effect for change in forth] == ["widened"]
    assert [change.effect for change in back] == ["narrowed"]
    assert forth[0].meaning != back[0].meaning


@pytest.mark.parametrize("place", UNORDERED_PAIRS)
def test_values_that_cannot_be_compared_count_as_widened_both_ways(place: str) -> None:
    one, other = UNORDERED_PAIRS[place]
    for found in (between(place, one, other), between(place, other, one)):
        assert [change.effect for change in found] == ["widened"]


@pytest.mark.parametrize("place", STATED_PAIRS)
def test_what_grants_nothing_is_neutral(place: str) -> None:
    found = between(place, *STATED_PAIRS[place])
    assert found
    assert {change.effect for change in found} == {"neutral"}


def test_every_field_of_the_language_has_an_order_and_a_test() -> None:
    fields = set(model_fields())
    assert fields == set(ORDERS)
    assert fields == WIDENING.keys() | UNORDERED_PAIRS.keys() | STATED_PAIRS.keys() | ONE_VALUE | STRUCTURE
    assert order_of(("data", "nobody", "registered")) is UNORDERED


# --- tables and columns ----------------------------------------------------------------------------------------------


def words(*edits: tuple[str, str]) -> list[tuple[str, str, str]]:
    found = changed(loaded().policy, read_policy(policy_text("bank-a", *edits).encode()).policy)
    return [(change.sign, change.place, change.effect) for change in found]


def test_tables_and_columns_that_come_and_go() -> None:
    renamed = words(("    accounts:\n", "    people:\n"))
    assert renamed == [("-", "data.tables.accounts", "narrowed"), ("+", "data.tables.people", "widened")]
    column = "        ts: {class: quasi, operations: [filter]}\n"
    never_used = (column, f"{column}        note: {{class: free, operations: []}}\n")
    assert words(never_used) == [("+", "data.tables.deposits.columns.note", "neutral")]
    used = (never_used[0], never_used[1].replace("operations: []", "operations: [group]"))
    assert words(used) == [("+", "data.tables.deposits.columns.note", "widened")]
    assert words((column, "")) == [("-", "data.tables.deposits.columns.ts", "narrowed")]


def test_the_next_version_of_the_same_words_is_neutral() -> None:
    found = words(("version: 1\n  previous: none", f"version: 2\n  previous: {'a' * 64}"))
    assert found == [("~", "identity.version", "neutral"), ("~", "identity.previous", "neutral")]


def test_an_example_is_listed_and_grants_nothing() -> None:
    example = (
        "examples:\n  - name: totals\n    query: SELECT COUNT(*) AS n FROM deposits\n    submitter: ana@bank-a\n"
        "    expect: permit\n"
    )
    assert words(("rates:\n", example + "rates:\n")) == [("+", "examples", "neutral")]


def test_changes_are_counted_by_effect() -> None:
    edits = (("minimum-entities: 10", "minimum-entities: 8"), ("maximum-rows: 1000", "maximum-rows: 10"))
    new = read_policy(policy_text("bank-a", *edits, ("DPIA-14", "DPIA-15")).encode())
    found = changed(loaded().policy, new.policy)
    assert counted(found) == {"widened": 1, "narrowed": 1, "neutral": 1}
    [smaller] = [change for change in found if change.effect == "widened"]
    assert (smaller.before, smaller.after, smaller.meaning) == ("10", "8", "smaller groups are opened")


# --- what is moved or written otherwise ------------------------------------------------------------------------------


def shuffled(draw: random.Random, tree: Any) -> Any:
    """``tree`` with the keys of every section and the elements of every list in another order."""
    if isinstance(tree, dict):
        keys = list(tree)
        draw.shuffle(keys)
        return {key: shuffled(draw, tree[key]) for key in keys}
    if isinstance(tree, list):
        return draw.sample([shuffled(draw, entry) for entry in tree], len(tree))
    return tree


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.integers(0, 10**6))
def test_reordering_shows_nothing(seed: int) -> None:
    tree = loaded("bank-a", *GENEROUS).policy.model_dump(mode="json", by_alias=True)
    moved = shuffled(random.Random(seed), tree)
    # JSON is YAML in another style, and the dump writes every default out.
    again = read_policy(json.dumps(moved).encode())
    assert changed(loaded("bank-a", *GENEROUS).policy, again.policy) == ()


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.sampled_from(sorted(WIDENING)), st.integers(0, 10**6))
def test_no_widened_change_hides_in_reordering(place: str, seed: int) -> None:
    narrow, wide = WIDENING[place]
    before = policy(place, json.dumps(narrow))
    moved = read_policy(json.dumps(shuffled(random.Random(seed), tree_with(place, wide))).encode())
    assert changed(before, moved.policy) == changed(before, policy(place, json.dumps(wide)))
    assert counted(changed(before, moved.policy))["widened"] == 1


def test_a_policy_does_not_differ_from_itself() -> None:
    assert changed(read_policy(POLICY.encode()).policy, read_policy(POLICY.encode()).policy) == ()
