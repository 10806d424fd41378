"""The words that differ between two versions of a policy, each marked widened, narrowed or neutral.

Made from the two models, not from their texts: what is only moved, rewritten in another style, or written out where it
held by default before is no change and shows nothing. So a change that permits more can't hide among moved lines.
"""

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

from pydantic import BaseModel

from consortia.errors import RequestError
from consortia.policies.changes.orders import Effect, Order, order_of
from consortia.policies.language.model import Policy, PolicyColumn, PolicyTable
from consortia.policies.language.reader import Path


@dataclass(frozen=True, slots=True)
class Change:
    """One change: ``sign`` + for what is new, - for what is gone, ~ for a value that became another.

    ``before`` and ``after`` are the values as the file writes them, empty where there was or is none; ``meaning`` says
    in plain English what more or less is permitted.
    """

    path: Path
    sign: Literal["+", "-", "~"]
    before: str
    after: str
    effect: Effect
    meaning: str

    @property
    def place(self) -> str:
        """The field, as ``data.tables.deposits.rows``."""
        return ".".join(str(part) for part in self.path)


def require_versions(old: Policy, new: Policy) -> None:
    """Raise RequestError ``policies/versions`` unless both are of one owner and purpose: versions of one policy."""
    for what, before, after in (
        ("owner", old.identity.owner, new.identity.owner),
        ("consortium", old.identity.consortium, new.identity.consortium),
        ("purpose", old.purpose.code, new.purpose.code),
    ):
        if before != after:
            raise RequestError(
                "policies/versions",
                f"the files are no versions of one policy: the {what} is `{before}` in one and `{after}` in the other",
                remedy="compare the policies of one owner for one purpose",
            )


def changed(old: Policy, new: Policy) -> tuple[Change, ...]:
    """Everything that differs from ``old`` to ``new``, in the order of the language."""
    return tuple(_section(old, new, ()))


def counted(changes: tuple[Change, ...]) -> dict[str, int]:
    """How many changes there are of each effect, all three named."""
    found = Counter(change.effect for change in changes)
    return {effect: found[effect] for effect in get_args(Effect)}


def _section(old: BaseModel, new: BaseModel, prefix: Path) -> Iterator[Change]:
    for name, info in type(new).model_fields.items():
        yield from _value(getattr(old, name), getattr(new, name), (*prefix, info.alias or name))


def _value(before: object, after: object, path: Path) -> Iterator[Change]:
    if before == after:
        return
    order = order_of(path)
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _entries(before, after, path)
    elif isinstance(before, BaseModel) and type(before) is type(after):
        yield from _section(before, after, path)
    elif order.elements:
        yield from _elements(before, after, path, order)
    else:
        effect = order.effect(before, after)
        sign: Literal["+", "-", "~"] = "~"
        if isinstance(before, BaseModel) != isinstance(after, BaseModel):
            sign = "+" if isinstance(after, BaseModel) else "-"
        yield Change(path, sign, said(before), said(after), effect, order.words(effect))


def _elements(before: object, after: object, path: Path, order: Order) -> Iterator[Change]:
    """A set's elements that came, and that went, each judged beside the whole sets: order and repeats say nothing."""
    old, new = _as_elements(before), _as_elements(after)
    for element in sorted(new - old, key=said):
        effect = order.effect(old, old | {element})
        yield Change(path, "+", "", said(element), effect, order.words(effect))
    for element in sorted(old - new, key=said):
        effect = order.effect(new | {element}, new)
        yield Change(path, "-", said(element), "", effect, order.words(effect))


def _as_elements(value: object) -> frozenset[Hashable]:
    """The elements of a list; ``off`` and the like have none."""
    return frozenset(value) if isinstance(value, tuple) else frozenset()


def _entries(before: dict[str, BaseModel], after: dict[str, BaseModel], path: Path) -> Iterator[Change]:
    """Tables or columns by name."""
    order = order_of(path)
    for name in sorted(before.keys() | after.keys()):
        here = (*path, name)
        if name not in before:
            effect: Effect = "widened" if _grants(after[name]) else "neutral"
            yield Change(here, "+", "", said(after[name]), effect, order.words(effect))
        elif name not in after:
            effect = "narrowed" if _grants(before[name]) else "neutral"
            yield Change(here, "-", said(before[name]), "", effect, order.words(effect))
        else:
            yield from _value(before[name], after[name], here)


def _grants(entry: BaseModel) -> bool:
    """Whether an entry permits more than its absence does: a column without operations is never used either way."""
    return bool(entry.operations) if isinstance(entry, PolicyColumn) else True


def said(value: object) -> str:
    """A value as the file writes it; a section on one line."""
    if isinstance(value, PolicyTable):
        used = ", ".join(f"{name} ({said(column.operations)})" for name, column in value.columns.items())
        return f"rows {value.rows.strip()}; {used}"
    if isinstance(value, BaseModel):
        fields = type(value).model_fields.items()
        return ", ".join(f"{info.alias or name} {said(getattr(value, name))}" for name, info in fields)
    if isinstance(value, tuple):
        return "[" + ", ".join(said(element) for element in value) + "]"
    if isinstance(value, date):
        return value.isoformat()
    return " ".join(str(value).split())
