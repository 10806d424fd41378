"""Where two plans differ first: what a party is told when its own plan is not the submitted one."""

from typing import Any

from consortia.plans.model import Plan


def first_difference(own: Plan, other: Plan) -> str:
    """The plan's own fields that differ, then the first differing step and field with both values; "" if equal.

    For instance ``catalogue differs; step s0 (scan at owner:bank-a): rows is 20000 here and 10000 there``.
    """
    mine, theirs = own.model_dump(mode="json"), other.model_dump(mode="json")
    head = [f"{name} differs" for name in mine if name != "steps" and mine[name] != theirs[name]]
    step = _first_step(mine["steps"], theirs["steps"])
    return "; ".join([*head, *([step] if step else [])])


def _first_step(mine: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> str:
    for one, other in zip(mine, theirs, strict=False):
        if one != other:
            where, here, there = _field("", _causes_first(one), _causes_first(other))
            return f"step {one['id']} ({one['kind']} at {one['at']}): {where} is {here} here and {there} there"
    if len(mine) != len(theirs):
        longer, place = (mine, "here") if len(mine) > len(theirs) else (theirs, "there")
        extra = longer[min(len(mine), len(theirs))]
        return f"step {extra['id']} ({extra['kind']} at {extra['at']}) stands only {place}"
    return ""


def _causes_first(step: dict[str, Any]) -> dict[str, Any]:
    """The step with what was asked before what follows from it: sizes and columns last."""
    derived = ("rows", "columns")
    return {name: step[name] for name in (*(name for name in step if name not in derived), *derived)}


def _field(path: str, one: Any, other: Any) -> tuple[str, str, str]:
    """The path of the first differing leaf, with both values as text."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in (*one, *(name for name in other if name not in one)):
            if one.get(name) != other.get(name):
                return _field(f"{path}.{name}" if path else name, one.get(name), other.get(name))
    if isinstance(one, list) and isinstance(other, list):
        for place, (left, right) in enumerate(zip(one, other, strict=False)):
            if left != right:
                return _field(f"{path}[{place}]", left, right)
        return path, f"{len(one)} entries", f"{len(other)} entries"
    return path, _short(one), _short(other)


def _short(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
