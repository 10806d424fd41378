"""Two versions of a policy, drawn at random, and what they say: no answer widens unless a word is marked widened.

The marks of ``policies.changes`` are held against the decisions themselves. A pair of versions of which no change is
marked widened may turn permits into denials and never the other way, and may never oblige less; a pair that differs in
neutral words alone says the same. So neither can a widened change pass for another, nor a restriction permit more.
"""

import json
import random
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from consortia.errors import PolicyRefusal
from consortia.plans.obligations import Obligations
from consortia.policies.changes.words import changed, counted
from consortia.policies.decide import decide
from consortia.policies.language.parse import LoadedPolicy, read_policy, require_enforced
from consortia.policies.language.values import CLASS_OPERATIONS
from consortia.policies.verdicts import Decision
from tests.policies_world import GENEROUS, NOW, generous_world, loaded, make_world
from tests.properties.test_policy_properties import PLANS, QUERIES, restricted
from tests.unit.policies.test_changes_words import STATED_PAIRS, UNORDERED_PAIRS, WIDENING

PLACES = {**UNORDERED_PAIRS, **WIDENING}
BASE: dict[str, Any] = loaded("bank-a", *GENEROUS).policy.model_dump(mode="json", by_alias=True)
SCOPES = ("all", "country = 'DE'", "country = 'DE' AND customer_key IS NOT NULL", "country = 'FR'")


def edited(draw: random.Random, tree: dict[str, Any], edits: int) -> dict[str, Any]:
    """``tree`` with some random changes; one that fits nowhere in it changes nothing."""
    made: dict[str, Any] = json.loads(json.dumps(tree))
    for _ in range(edits):
        name = draw.choice(["deposits", "accounts"])
        table = made["data"]["tables"].get(name)
        match draw.randrange(10):
            case 0 | 1:
                place = draw.choice(sorted(PLACES))
                put(made, place, draw.choice(PLACES[place]))
            case 2:
                place = draw.choice(sorted(STATED_PAIRS))
                put(made, place, draw.choice(STATED_PAIRS[place]))
            case 3 if table:
                table["rows"] = draw.choice(SCOPES)
            case 4 if table:
                table["operations"] = subset(draw, ("count", "compare", "count-members", "compare-members", "score"))
            case 5 if table and len(table["columns"]) > 2:
                column = draw.choice(sorted(table["columns"].keys() - {table["privacy-unit"]}))
                del table["columns"][column]
            case 6:
                made["data"]["tables"].pop(name, None)
            case _ if table:
                column = table["columns"][draw.choice(sorted(table["columns"]))]
                column["operations"] = subset(draw, sorted(CLASS_OPERATIONS[column["class"]]))
    return made


def put(tree: dict[str, Any], place: str, value: Any) -> None:
    names = iter(("deposits", "currency"))
    *parents, last = [next(names) if part == "*" else part for part in place.split(".")]
    node: Any = tree
    for parent in parents:
        node = node.get(parent, "")
        if not isinstance(node, dict):
            return
    if last in node:
        node[last] = value


def subset(draw: random.Random, words: Any) -> list[str]:
    return [word for word in words if draw.random() < 0.8]


@cache
def read(text: str) -> LoadedPolicy | None:
    """The policy, None if it is no policy or one that is not enforced in full."""
    try:
        found = read_policy(text.encode())
        require_enforced(found)
    except (PolicyRefusal, ValidationError, ValueError):
        return None
    except Exception as error:
        if getattr(error, "code", "") == "policies/schema":
            return None
        raise
    return found


def versions(seed: int) -> tuple[LoadedPolicy, LoadedPolicy] | None:
    """Two versions that differ in a few places; None if one of them is not in order."""
    draw = random.Random(seed)
    first = edited(draw, BASE, draw.randint(0, 4))
    second = edited(draw, first, draw.randint(1, 3))
    pair = [read(json.dumps(tree)) for tree in (first, second)]
    draw.shuffle(pair)
    return None if pair[0] is None or pair[1] is None else (pair[0], pair[1])


def says(loaded_policy: LoadedPolicy, sql: str) -> Decision:
    others = (restricted(owner, frozenset()) for owner in ("bank-b", "bank-c"))
    world = make_world(loaded_policy, *others)
    return decide(PLANS[sql], world, NOW)


def permits(decision: Decision) -> bool:
    return all(verdict.verdict == "permit" for verdict in decision.verdicts if verdict.owner == "bank-a")


def at_least_as_strict(strict: Obligations, loose: Obligations) -> bool:
    return (
        strict.minimum_entities >= loose.minimum_entities
        and strict.minimum_members >= loose.minimum_members
        and all(any(mine.implies(theirs) for mine in strict.dominance) for theirs in loose.dominance)
        and (strict.p_percent or 0) >= (loose.p_percent or 0)
        and (strict.zeros_and_full_cells or not loose.zeros_and_full_cells)
        and (strict.complementary or not loose.complementary)
        and (strict.rounding or 1) % (loose.rounding or 1) == 0
        and (strict.noise is None) == (loose.noise is None)
        and (strict.noise is None or loose.noise is None or strict.noise.rho <= loose.noise.rho)
        and len(strict.row_scopes) >= len(loose.row_scopes)
    )


@settings(max_examples=80, derandomize=True, deadline=None)
@given(st.integers(0, 10**9), st.lists(st.sampled_from(QUERIES), min_size=3, max_size=3, unique=True))
def test_an_answer_never_widens_without_a_change_that_is_marked_widened(seed: int, queries: list[str]) -> None:
    pair = versions(seed)
    if pair is None:
        return
    old, new = pair
    counts = counted(changed(old.policy, new.policy))
    for sql in queries if not counts["widened"] else ():
        before, after = says(old, sql), says(new, sql)
        assert permits(before) or not permits(after), sql
        if before.permitted and after.permitted:
            assert at_least_as_strict(after.obligations, before.obligations)
        if not counts["narrowed"]:
            assert permits(before) == permits(after)
            assert before.obligations == after.obligations


def test_the_pairs_that_are_drawn_widen_narrow_and_change_answers() -> None:
    """Guards the test above: it must meet pairs of all sorts, or it shows nothing."""
    wanted = {"widened": 15, "narrowed": 15, "neutral": 5, "denied by narrowing": 3, "permitted by widening": 3}
    found = dict.fromkeys(wanted, 0)
    for seed in range(300):
        pair = versions(seed)
        if pair is None:
            continue
        counts = counted(changed(pair[0].policy, pair[1].policy))
        kind = next((effect for effect in ("widened", "narrowed") if counts[effect]), "neutral")
        found[kind] += 1
        if kind != "neutral":
            before, after = (permits(says(policy, QUERIES[seed % len(QUERIES)])) for policy in pair)
            found["denied by narrowing"] += kind == "narrowed" and before and not after
            found["permitted by widening"] += kind == "widened" and after and not before
        if all(found[name] >= least for name, least in wanted.items()):
            return
    raise AssertionError(found)


def test_every_query_is_permitted_by_the_policy_that_the_versions_start_from() -> None:
    policy = read(json.dumps(BASE))
    assert policy is not None
    assert all(says(policy, sql).permitted for sql in QUERIES)
    assert generous_world().policies
