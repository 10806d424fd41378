"""The first place where two plans differ, in words: what a party says when it did not arrive at the submitted plan."""

from itertools import zip_longest
from typing import Any

from consortia.plans.model import Plan


def first_difference(own: Plan, other: Plan) -> str:
    """Step and field that differ first, as ``step s3 (filter): predicate``; then fields of the plan itself.

    "" if the plans are equal.
    """
    for mine, theirs in zip_longest(own.steps, other.steps):
        if mine is None or theirs is None:
            present = mine or theirs
            where = "missing in the submitted plan" if theirs is None else "missing in the plan compiled here"
            return f"step {present.id} ({present.kind}): {where}"
        if mine != theirs:
            field = _first_field(mine.model_dump(mode="json"), theirs.model_dump(mode="json"))
            return f"step {mine.id} ({mine.kind}): {field}"
    return _first_field(own.model_dump(mode="json"), other.model_dump(mode="json"))


def _first_field(mine: dict[str, Any], theirs: dict[str, Any]) -> str:
    return next((name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)), "")
