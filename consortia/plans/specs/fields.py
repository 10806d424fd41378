"""The text of a spec as fields: YAML whose values are all text, each read strictly, refused with its line."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from fractions import Fraction

import yaml

from consortia.errors import RequestError

MAX_TEXT = 65_536
MAX_DEPTH = 2
"""A spec is a mapping, and a value may be a list."""
_RATIO = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400}


@dataclass(frozen=True)
class Field:
    """One value and where it stands. ``line`` counts from 1."""

    name: str
    text: str
    line: int

    def refused(self, what: str, remedy: str) -> RequestError:
        """The refusal of this value."""
        return RequestError("plans/spec", f"`{self.name}` {what}", place=f"line {self.line}", remedy=remedy)

    def whole(self, least: int, most: int) -> int:
        """A whole number within the limits; underscores may part its digits."""
        digits = self.text.replace("_", "")
        if not digits.isascii() or not digits.isdigit() or len(digits) > 18 or not least <= int(digits) <= most:
            raise self.refused(f"is `{self.text[:40]}`", f"write a whole number from {least} to {most}")
        return int(digits)

    def ratio(self) -> tuple[int, int]:
        """A decimal from 0 to 1, of at most nine places, as numerator and denominator."""
        found = Fraction(self.text) if _RATIO.fullmatch(self.text) else Fraction(-1)
        if not 0 <= found <= 1:
            raise self.refused(
                f"is `{self.text[:40]}`", "write a number from 0 to 1 with at most nine decimal places, such as 0.9"
            )
        return found.numerator, found.denominator

    def duration(self, kind: str) -> int:
        """A length of time in units of a time column: ``3 days``; of a plain number the number itself."""
        words = self.text.split()
        if kind == "int" and len(words) == 1:
            return self.whole(0, 1 << 50)
        a_second = {"timestamp": Fraction(1_000_000), "date": Fraction(1, 86_400)}
        units = a_second.get(kind)
        if units is None or len(words) != 2 or words[1] not in _SECONDS:
            raise self.refused(f"is `{self.text[:40]}`", "write a number of seconds, minutes, hours or days: `3 days`")
        length = replace(self, text=words[0]).whole(0, 999_999) * _SECONDS[words[1]] * units
        if length != int(length):
            raise self.refused(f"is `{self.text[:40]}`", "dates are days apart: write a number of days")
        return int(length)


@dataclass(frozen=True)
class Fields:
    """All fields of a spec by name; ``lists`` are those that hold several values."""

    values: dict[str, Field]
    lists: dict[str, tuple[Field, ...]]

    def has(self, name: str) -> bool:
        """Whether the spec has a field of that name, of one value or of several."""
        return name in self.values or name in self.lists

    def required(self, name: str) -> Field:
        """The one value of that name."""
        if name in self.lists:
            raise self.lists[name][0].refused("is a list here", "write one value")
        if name not in self.values:
            raise RequestError("plans/spec", f"`{name}` is missing", remedy=f"add a line `{name}: ...`")
        return self.values[name]

    def default(self, name: str, text: str) -> Field:
        """The one value of that name, or else ``text``."""
        return self.required(name) if self.has(name) else Field(name, text, 0)

    def several(self, name: str) -> tuple[Field, ...]:
        """The values of that name, which may be one."""
        if name in self.values:
            return (self.values[name],)
        if name not in self.lists:
            raise RequestError("plans/spec", f"`{name}` is missing", remedy=f"add a line `{name}: [...]`")
        return self.lists[name]

    def check_known(self, known: Collection[str]) -> None:
        """Refuse every other name."""
        for name in (*self.values, *self.lists):
            if name not in known:
                field = self.values.get(name) or self.lists[name][0]
                raise field.refused("is no field of this analysis", f"fields are {', '.join(sorted(known))}")


def read_fields(text: str) -> Fields:
    """The fields of ``text``; RequestError ``plans/spec`` with the line if it is no plain mapping of text."""
    if len(text) > MAX_TEXT:
        raise RequestError("plans/spec", f"the analysis is longer than {MAX_TEXT} characters", remedy="shorten it")
    try:
        _check_events(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise RequestError(
            "plans/spec",
            f"this is not YAML: {getattr(error, 'problem', None) or 'it can not be read'}",
            place=f"line {mark.line + 1}" if mark else "",
            remedy="look at indentation and quotes there",
        ) from error
    if not isinstance(node, yaml.MappingNode):
        raise RequestError("plans/spec", "an analysis is a list of `name: value` lines", remedy="see the examples")
    values: dict[str, Field] = {}
    lists: dict[str, tuple[Field, ...]] = {}
    for key, value in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in values or name in lists:
            raise Field(name, "", line).refused("stands twice", "leave one of them out")
        if isinstance(value, yaml.ScalarNode):
            values[name] = Field(name, str(value.value), line)
        elif isinstance(value, yaml.SequenceNode) and value.value:
            lists[name] = tuple(Field(name, str(item.value), item.start_mark.line + 1) for item in value.value)
        else:
            raise Field(name, "", line).refused("holds no value", "write one value, or a list of values")
    return Fields(values, lists)


def _check_events(text: str) -> None:
    """Refuse aliases and lists in lists, before anything is composed: that takes a call for each level."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise RequestError("plans/spec", "an analysis has no aliases", remedy="write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 0
            raise RequestError(
                "plans/spec", "a list holds a list or a mapping", place=f"line {line}", remedy="write plain values"
            )
