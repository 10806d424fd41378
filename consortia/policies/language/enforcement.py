"""What becomes of each field of a policy: enforced by a rule, stated to the reader, or accepted only as off.

Nothing is parsed and then ignored. Every field of the model is registered here (a test walks the model and compares):

- ``Enforced``: a rule of this version acts on it; ``rule`` is the rule's id in ``policies.rules`` or the name of the
  check that reads it
- ``Stated``: it says on what ground the owner acts; the page of ``explain`` prints it, and no machine could decide it
- ``Tested``: an example decision; `policy test` compares it with what the policy says, and nothing else reads it
- ``OffOnly``: the rule is not enforced by this version; a policy in which it is in effect, by its text or by default,
  is refused with the rule named
"""

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from consortia.policies.language.model import Policy
from consortia.policies.language.reader import Path


@dataclass(frozen=True, slots=True)
class Enforced:
    """A rule or check of this version reads the field."""

    rule: str


@dataclass(frozen=True, slots=True)
class Stated:
    """``explain`` prints it; it grants and forbids nothing."""


@dataclass(frozen=True, slots=True)
class Tested:
    """`policy test` decides it; it grants and forbids nothing."""


@dataclass(frozen=True, slots=True)
class OffOnly:
    """Accepted only with one of ``accepted``; ``words`` say in plain English what is not enforced."""

    rule: str
    words: str
    accepted: tuple[str | int, ...] = ("off",)


Treatment = Enforced | Stated | Tested | OffOnly

_HANDLING: dict[str, Treatment] = {
    "maximum-rows": Enforced("maximum-rows"),
    "human-review": Enforced("human-review"),
    "retention-days": OffOnly("retention", "recipients delete results after a number of days"),
    "onward-sharing": OffOnly("onward-sharing", "recipients are technically kept from passing results on"),
}
_ROWS: dict[str, Treatment] = {
    **_HANDLING,
    "recipients": Enforced("recipients"),
    "retention-days": Enforced("retention"),
}
_CELLS: dict[str, Treatment] = {
    **_HANDLING,
    "recipients": Enforced("recipients"),
    "minimum-entities": Enforced("minimum-entities"),
    "minimum-members": Enforced("minimum-members"),
    "contributors": Enforced("minimum-entities"),
    "dominance": Enforced("dominance"),
    "dominance.n": Enforced("dominance"),
    "dominance.percent": Enforced("dominance"),
    "p-percent": Enforced("p-percent"),
    "zeros-and-full-cells": Enforced("zeros-and-full-cells"),
    "complementary-suppression": Enforced("complementary-suppression"),
    "rounding": Enforced("rounding"),
    "noise": Enforced("noise"),
    **{
        f"noise.{key}": Enforced("noise")
        for key in ("mechanism", "rho-per-release", "delta-per-release", "cells-per-unit", "rows-per-cell")
    },
    "noise.rho-per-period": Enforced("budget"),
    "noise.delta-per-period": Enforced("budget"),
    "noise.period-days": Enforced("budget"),
    "differencing": Enforced("differencing"),
    "differencing.new-data-days": Enforced("differencing"),
    "differencing.other-rows-days": Enforced("differencing"),
}
_MODEL: dict[str, Treatment] = {
    **_HANDLING,
    "recipients": Enforced("recipients"),
    "minimum-members": Enforced("minimum-members"),
    "noise.rho-per-release": Enforced("noise"),
    "noise.rho-per-period": Enforced("budget"),
    "noise.period-days": Enforced("budget"),
}

TREATMENTS: Mapping[str, Treatment] = {
    "format": Enforced("schema"),
    "identity.id": Stated(),
    "identity.owner": Enforced("ownership"),
    "identity.consortium": Enforced("ownership"),
    "identity.version": Enforced("succession"),
    "identity.previous": Enforced("succession"),
    "identity.author": Enforced("four-eyes"),
    "purpose.code": Enforced("purpose"),
    "purpose.legal-basis": Stated(),
    "purpose.dpia": Stated(),
    "purpose.register-entry": Stated(),
    "validity.not-before": Enforced("validity"),
    "validity.not-after": Enforced("validity"),
    "validity.review": Stated(),
    "parties.compute": Enforced("computers"),
    "parties.not-together": Enforced("not-together"),
    "parties.threat-model": Enforced("threat-model"),
    "parties.collusion": Enforced("collusion"),
    "parties.signatures": Enforced("cryptography"),
    "parties.submit": Enforced("submitter"),
    "parties.countersign": Enforced("countersign"),
    "data.tables": Enforced("table"),
    "data.tables.*.rows": Enforced("row-scope"),
    "data.tables.*.privacy-unit": Enforced("privacy-unit"),
    "data.tables.*.operations": Enforced("operations"),
    "data.tables.*.columns": Enforced("operations"),
    "data.tables.*.columns.*.class": Enforced("column-class"),
    "data.tables.*.columns.*.operations": Enforced("operations"),
    "data.tables.*.columns.*.clip": Enforced("noise"),
    "data.tables.*.columns.*.clip.lo": Enforced("noise"),
    "data.tables.*.columns.*.clip.hi": Enforced("noise"),
    "outputs.alert": Enforced("output-kind"),
    "outputs.score": Enforced("output-kind"),
    "outputs.count": Enforced("output-kind"),
    "outputs.aggregate": Enforced("output-kind"),
    **{f"outputs.alert.{key}": treatment for key, treatment in _ROWS.items()},
    **{f"outputs.score.{key}": treatment for key, treatment in _ROWS.items()},
    **{f"outputs.count.{key}": treatment for key, treatment in _CELLS.items()},
    **{f"outputs.aggregate.{key}": treatment for key, treatment in _CELLS.items()},
    "outputs.model": Enforced("output-kind"),
    **{f"outputs.model.{key}": treatment for key, treatment in _MODEL.items()},
    "leaks.sizes": OffOnly("leaks", "real sizes may become known", ("closed",)),
    "leaks.group-count": OffOnly("leaks", "the number of groups may become known", ("closed",)),
    "leaks.match-count": Enforced("leaks"),
    "leaks.filter-mask": OffOnly("leaks", "which rows a filter kept may become known", ("closed",)),
    "leaks.suppressed-count": OffOnly("leaks", "the number of suppressed cells may become known", ("closed",)),
    "rates.queries-per-analyst-and-day": Enforced("rates"),
    "rates.queries-per-day": Enforced("rates"),
    "rates.queries-per-period": Enforced("rates"),
    "rates.templates-without-review": Enforced("human-review"),
    "examples": Tested(),
}
"""Every field by its path in the file; ``*`` stands for a table's or column's name."""


def pattern(path: Path) -> str:
    """``path`` as it is registered: names of tables and columns replaced by ``*``."""
    parts = [str(part) for part in path]
    if parts[:2] == ["data", "tables"]:
        parts[2:3] = ["*"] * len(parts[2:3])
        if parts[3:4] == ["columns"]:
            parts[4:5] = ["*"] * len(parts[4:5])
    return ".".join(parts)


def model_fields(model: type[BaseModel] = Policy, prefix: str = "") -> Iterator[str]:
    """The path of every field of the language: containers of sections and leaves alike, sections themselves not."""
    for name, info in model.model_fields.items():
        path = f"{prefix}{info.alias or name}"
        sections, optional, keyed = _sections(info.annotation)
        if not sections or optional or keyed:
            yield path
        for section in sections:
            yield from model_fields(section, f"{path}.*." if keyed else f"{path}.")


def _sections(annotation: Any) -> tuple[list[type[BaseModel]], bool, bool]:
    """Sections inside a field's annotation; whether it may be something else; whether they are keyed by name."""
    origin = get_origin(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation], False, False
    if origin is dict:
        return _sections(get_args(annotation)[1])[0], False, True
    if origin is types.UnionType or str(origin) == "typing.Union":
        sections = [section for part in get_args(annotation) for section in _sections(part)[0]]
        return sections, True, False
    return [], False, False


@dataclass(frozen=True, slots=True)
class OffRule:
    """A rule of the language that this version does not enforce, at one place of a policy."""

    path: Path
    rule: str
    words: str
    value: object
    accepted: bool


def off_rules(policy: Policy) -> tuple[OffRule, ...]:
    """Every unenforced rule that the policy's text or a default touches, accepted (off) or not, in file order."""
    return tuple(_walk(policy, ()))


def _walk(section: BaseModel, prefix: Path) -> Iterator[OffRule]:
    for name, info in type(section).model_fields.items():
        path: Path = (*prefix, info.alias or name)
        value = getattr(section, name)
        treatment = TREATMENTS.get(pattern(path))
        if isinstance(treatment, OffOnly):
            yield OffRule(path, treatment.rule, treatment.words, value, _accepted(value, treatment))
        elif isinstance(value, BaseModel):
            yield from _walk(value, path)
        elif isinstance(value, dict):
            for key, entry in value.items():
                yield from _walk(entry, (*path, key))
        elif treatment is None:
            # A field that somebody added to the model and not here: refuse every policy rather than ignore it.
            yield OffRule(path, "unregistered", "this field is not known to any rule", value, accepted=False)


def _accepted(value: object, treatment: OffOnly) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value in treatment.accepted
