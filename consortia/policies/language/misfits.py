"""Where a file does not fit the language: every place, what stands there, and what is expected.

Made from the model's own validation, so that nothing is checked twice. Of alternatives (a section or `off`) only those
are told that what stands there could mean.
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from consortia.ids import DIGEST_PATTERN, NAME_PATTERN, PERSON_PATTERN
from consortia.policies.language import values
from consortia.policies.language.model import Policy
from consortia.policies.language.reader import Fault, Path, Source, Tree
from consortia.policies.language.values import Section, sections_in

REFERENCE = "compare docs/reference/policy.md"
PATTERNS = {
    NAME_PATTERN: "a name of 1 to 31 of a-z, 0-9, _ and -, beginning with a letter",
    PERSON_PATTERN: "a person, name@member, in lower case",
    values.WHO_PATTERN: "a member, or a person as name@member, in lower case",
    values.WORD_PATTERN: "a word of a-z, 0-9, `.`, _ and -, beginning with a letter",
    values.FRACTION_PATTERN: "a ratio of whole numbers such as 1/100",
    rf"{DIGEST_PATTERN}|^none$": "the SHA-256 of the version before, 64 hexadecimal digits, or none",
}
"""What the patterns of the model mean, in words."""


def misfits(error: ValidationError, source: Source) -> tuple[Fault, ...]:
    """Every misfit of the file, in its order. ``remedy`` of each says what is expected there."""
    by_place: dict[Path, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False):
        by_place.setdefault(_path(details, source), []).append(details)
    above = {path[:length] for path in by_place for length in range(len(path))}
    found = [fault for path, group in by_place.items() for fault in _at(path, group, source, deeper=path in above)]
    return tuple(sorted(found, key=lambda fault: fault.mark))


def _path(details: ErrorDetails, source: Source) -> Path:
    """Pydantic's location without the names of alternatives, which are no keys of the file.

    A key that is missing, and the key that a rule of a section names, stand at the end though the file has no such.
    """
    path: Path = ()
    for part in details["loc"]:
        if (*path, part) in source.entries:
            path = (*path, part)
    if details["type"] == "missing":
        path = (*path, details["loc"][-1])
    if details["type"] == values.MISFIT:
        path = (*path, *details["ctx"]["at"])
    return path


def _at(path: Path, group: list[ErrorDetails], source: Source, *, deeper: bool) -> Iterator[Fault]:
    """The misfit at one place: what alternatives expect is put into one. Nothing where a ``deeper`` one says it."""
    value = _value(source.tree, path)
    first = group[0]
    if first["type"] == "extra_forbidden":
        yield Fault(source.entry(path), f"the key `{path[-1]}` is unknown here", _like(first, group), path)
    elif first["type"] == "missing":
        yield Fault(
            source.entry(path),
            f"the key `{path[-1]}` is missing",
            f"write it: {_words(path)}what is not written is not permitted",
            path,
        )
    elif first["type"] == values.MISFIT:
        context = first["ctx"]
        yield Fault(source.value(path), context["reason"], context["expected"], path)
    else:
        meant = [details for details in group if not (isinstance(value, dict) and details["type"] in OF_WORDS)]
        if meant or not deeper:
            expected = list(dict.fromkeys(_expected(details) for details in meant or group))
            yield Fault(source.value(path), f"{_shown(value)} does not fit", f"expected {_or(expected)}", path)


def _value(tree: Tree, path: Path) -> Tree | None:
    """What stands at a path that the file names, None at one that it does not."""
    node: Any = tree
    for part in path:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            return None
    return node  # type: ignore[no-any-return] # the tree is walked by its own paths


def _like(details: ErrorDetails, group: Iterable[ErrorDetails]) -> str:
    """A key of the language that is spelled alike, if there is one."""
    known = {key for each in group for key in _keys_beside(each["loc"])}
    near = difflib.get_close_matches(str(details["loc"][-1]), sorted(known), n=1)
    return f"did you mean `{near[0]}`?" if near else REFERENCE


def _keys_beside(location: tuple[int | str, ...]) -> Iterator[str]:
    """The keys that the section of a location may have; names of alternatives stand in the location too."""
    sections: list[type[Section]] = [Policy]
    for part in location[:-1]:
        named = [section for section in sections if section.__name__ == part]
        fields = [
            info for section in sections for key, info in section.model_fields.items() if (info.alias or key) == part
        ]
        if fields:
            sections = [section for info in fields for section in sections_in(info.annotation)]
        else:
            sections = named or sections
    for section in sections:
        yield from (info.alias or key for key, info in section.model_fields.items())


def _words(path: Path) -> str:
    return f"`{path[-1]}: ...`; " if path else ""


def _shown(value: Tree | None) -> str:
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list):
        return "a list"
    return f"`{value}`"


def _or(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"


OF_WORDS = frozenset(("literal_error", "tuple_type", "list_type", "int_type", "int_parsing", "string_type"))
"""Misfits with alternatives that a section can't have been meant for."""


EXPECTED = {
    "model_type": "a section",
    "model_attributes_type": "a section",
    "dict_type": "a section",
    "tuple_type": "a list",
    "list_type": "a list",
    "int_type": "a whole number, without quotes",
    "int_parsing": "a whole number, without quotes",
    "string_type": "a text",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "too_short": "{min_length} or more entries",
    "string_too_short": "a text that is not empty",
    "string_too_long": "at most {max_length} characters",
}
"""What a misfit expects, in words, by the type that pydantic gives it."""


def _expected(details: ErrorDetails) -> str:
    """What one alternative expects."""
    kind, context = details["type"], details.get("ctx", {})
    if kind == "literal_error":
        return re.sub(r"'([^']*)'", r"`\1`", str(context["expected"]))
    if kind == "string_pattern_mismatch":
        return PATTERNS.get(str(context["pattern"]), f"a text of the form {context['pattern']}")
    return EXPECTED[kind].format(**context) if kind in EXPECTED else details["msg"]
