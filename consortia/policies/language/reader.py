"""The YAML of a policy, read strictly: what an officer sees is what the machine reads, with a place for every value.

YAML has many ways to say what a reader would not guess (`off` is FALSE, 1e3 is a float, an anchor repeats text from
elsewhere, a tag builds an object). Here a plain scalar is a decimal integer or text, nothing else; every form that
YAML 1.1 would read in another way is refused with its line, as are duplicate keys, anchors, aliases, tags,
directives, empty values, several documents in a file, and characters that do not show or reorder the text.

Reading goes on after a fault wherever it can, so that all faults of a file are found at once.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import yaml

from consortia.errors import RequestError

Tree = dict[str, "Tree"] | list["Tree"] | str | int
Path = tuple[str | int, ...]

LARGEST_FILE = 256 * 1024
DEEPEST = 12

_INTEGER = re.compile(r"^(0|-?[1-9][0-9]*)$")
_NUMBER_LIKE = re.compile(
    r"^[-+]?("
    r"[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]*)?"  # 1.5, 1e3, 1_000, 010
    r"|\.[0-9][0-9_]*([eE][-+]?[0-9]*)?"  # .5
    r"|0[xob][0-9a-fA-F_]+"
    r"|[0-9][0-9_]*(:[0-5]?[0-9])+"  # 1:30 is ninety in YAML 1.1
    r"|[0-9]+(\.[0-9]+)+"  # 01.11.2026
    r"|\.(inf|Inf|INF|nan|NaN|NAN))$"
)
_DIGEST = re.compile(r"^[0-9a-f]{64}$")
_FLOAT_WORDS = frozenset(("nan", "inf", "infinity", "+inf", "-inf", "+infinity", "-infinity"))
_NULL_WORDS = frozenset(("", "~", "null", "Null", "NULL"))


class Mark(NamedTuple):
    """A place in a file: line and column, both from 1."""

    line: int
    column: int


BEGINNING = Mark(1, 1)
NO_ANCHORS = ("anchors and aliases (& and *) are not allowed", "write the value out at each place")


@dataclass(frozen=True, slots=True)
class Source:
    """A read file: its tree, and for each path where its entry begins (the key; of a list the item) and its value.

    ``complete`` is false where a fault ended the reading, so that the tree holds what came before.
    """

    tree: Tree
    entries: Mapping[Path, Mark] = field(default_factory=dict)
    values: Mapping[Path, Mark] = field(default_factory=dict)
    complete: bool = True

    def entry(self, path: Path) -> Mark:
        """Where the entry of ``path`` begins, or of the nearest place above it that the file names."""
        while path and path not in self.entries:
            path = path[:-1]
        return self.entries.get(path, BEGINNING)

    def value(self, path: Path) -> Mark:
        """Where the value of ``path`` begins; where the file does not name it as ``entry``."""
        return self.values[path] if path in self.values else self.entry(path)


@dataclass(frozen=True, slots=True)
class Fault:
    """What can't be read. ``path`` is the value at fault, where there is one; ``remedy`` says what is expected."""

    mark: Mark
    message: str
    remedy: str
    path: Path = ()

    def error(self) -> RequestError:
        """The fault as the refusal ``policies/syntax``."""
        return RequestError("policies/syntax", self.message, place=place_of(self.mark), remedy=self.remedy)


class _EndOfReading(Exception):
    """A fault after which nothing more can be read; never leaves this module."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def place_of(mark: Mark, path: Path = ()) -> str:
    """``line 12, column 7: data.tables.deposits.rows``."""
    where = f"line {mark.line}, column {mark.column}"
    return f"{where}: {'.'.join(map(str, path))}" if path else where


def read_yaml(data: bytes) -> Source:
    """The tree of a policy file. Raises RequestError ``policies/syntax`` with the first place at fault."""
    source, faults = read_with_faults(data)
    if faults:
        raise faults[0].error()
    return source


def read_with_faults(data: bytes) -> tuple[Source, tuple[Fault, ...]]:
    """What could be read of a file, and every fault found in the order of the file. Total on any bytes.

    A value at fault stands in the tree as its text, or empty where the text does not show.
    """
    try:
        text = _text(data)
    except _EndOfReading as end:
        return Source({}, complete=False), (end.fault,)
    hidden = [fault for number, line in enumerate(text.split("\n"), start=1) for fault in _hidden(line, number)]
    if hidden:
        return Source({}, complete=False), tuple(hidden)
    builder = _Builder()
    try:
        source = builder.build(text)
    except _EndOfReading as end:
        builder.faults.append(end.fault)
        source = builder.so_far(complete=False)
    except yaml.YAMLError as error:
        builder.faults.append(_not_yaml(error))
        source = builder.so_far(complete=False)
    return source, tuple(sorted(builder.faults, key=lambda fault: fault.mark))


def _not_yaml(error: yaml.YAMLError) -> Fault:
    found = getattr(error, "problem_mark", None)
    mark = BEGINNING if found is None else Mark(found.line + 1, found.column + 1)
    problem = getattr(error, "problem", None) or "this is not YAML"
    return Fault(mark, str(problem), "correct the indentation or the quotes there")


def _text(data: bytes) -> str:
    if len(data) > LARGEST_FILE:
        message = f"the file has {len(data)} bytes, more than {LARGEST_FILE}"
        raise _EndOfReading(Fault(BEGINNING, message, "a policy is a page or two of text"))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        mark = Mark(data[: error.start].count(b"\n") + 1, error.start - data.rfind(b"\n", 0, error.start))
        raise _EndOfReading(
            Fault(mark, "the file is not UTF-8", "save it as UTF-8 without a byte order mark")
        ) from error


def _hidden(text: str, line: int, column: int = 0) -> Iterator[Fault]:
    """The characters of ``text`` that do not show; all are at ``column`` where that is given."""
    for place, character in enumerate(text, start=1):
        if character not in " \n" and unicodedata.category(character) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs"}:
            yield Fault(
                Mark(line, column or place),
                f"the character U+{ord(character):04X} does not show, or changes how the line reads",
                "remove it; indent with spaces and end lines with a line feed alone",
            )


class _Builder:
    """Builds the tree from parser events with a stack of its own, so that deep nesting can't exhaust Python's."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._entries: dict[Path, Mark] = {(): BEGINNING}
        self._values: dict[Path, Mark] = {(): BEGINNING}
        self._roots: list[Tree] = []
        # Each open container with its path; and for each, the key that waits for its value (None between entries).
        self._open: list[tuple[dict[str, Tree] | list[Tree], Path]] = []
        self._waiting: list[str | None] = []

    def build(self, text: str) -> Source:
        """The tree of ``text``."""
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            mark = _mark_of(event)
            self._refuse_tricks(event, mark)
            if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                self._enter({} if isinstance(event, yaml.MappingStartEvent) else [], mark)
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                self._open.pop()
                self._waiting.pop()
            elif isinstance(event, yaml.ScalarEvent):
                if self._open and isinstance(self._open[-1][0], dict) and self._waiting[-1] is None:
                    self._waiting[-1] = self._key(event.value, self._open[-1], mark)
                else:
                    self._scalar(event, mark)
            elif isinstance(event, yaml.AliasEvent):
                self.faults.append(Fault(mark, *NO_ANCHORS, self._put("", mark)))
        if not self._roots or not isinstance(self._roots[0], dict):
            raise _EndOfReading(
                Fault(BEGINNING, "the file holds no policy", "begin with `format: consortia/policy/v1`")
            )
        return self.so_far(complete=True)

    def so_far(self, *, complete: bool) -> Source:
        """What has been read."""
        root = self._roots[0] if self._roots and isinstance(self._roots[0], dict) else {}
        return Source(root, self._entries, self._values, complete)

    def _enter(self, container: dict[str, Tree] | list[Tree], mark: Mark) -> None:
        if len(self._open) >= DEEPEST:
            raise _EndOfReading(Fault(mark, "the nesting is too deep", "a policy has at most six levels"))
        here = self._put(container, mark)
        self._open.append((container, here))
        self._waiting.append(None)

    def _put(self, value: Tree, mark: Mark) -> Path:
        """Add a value to the innermost container; returns its path."""
        if not self._open:
            self._roots.append(value)
            return ()
        container, path = self._open[-1]
        here: Path
        if isinstance(container, list):
            container.append(value)
            here = (*path, len(container) - 1)
        else:
            key = self._waiting[-1]
            if key is None:
                raise _EndOfReading(
                    Fault(mark, "a key must be a word", "write `key: value`; a list or a mapping can't be a key")
                )
            container[key] = value
            self._waiting[-1] = None
            here = (*path, key)
        self._entries.setdefault(here, mark)
        self._values[here] = mark
        return here

    def _key(self, key: str, container: tuple[dict[str, Tree] | list[Tree], Path], mark: Mark) -> str:
        mapping, path = container
        hidden = list(_hidden(key, *mark))
        if hidden:
            self.faults += hidden
            key = ascii(key)
        if key in mapping:
            first = self._entries[(*path, key)]
            self.faults.append(
                Fault(mark, f"the key `{key}` stands twice", f"it stands at line {first.line} too", (*path, key))
            )
        self._entries[(*path, key)] = mark
        return key

    def _scalar(self, event: yaml.ScalarEvent, mark: Mark) -> None:
        hidden = list(_hidden(event.value, *mark))  # a quoted text may hold escapes
        if hidden:
            here = self._put("", mark)
            self.faults += [replace(fault, path=here) for fault in hidden]
            return
        try:
            self._put(_value(event), mark)
        except _Misread as misread:
            here = self._put(str(event.value), mark)
            self.faults.append(Fault(mark, misread.message, misread.remedy, here))

    def _refuse_tricks(self, event: yaml.Event, mark: Mark) -> None:
        if getattr(event, "anchor", None) and not isinstance(event, yaml.AliasEvent):
            self.faults.append(Fault(mark, *NO_ANCHORS))
        if getattr(event, "tag", None):
            self.faults.append(Fault(mark, "tags (!) are not allowed", "write the plain value"))
        if isinstance(event, yaml.DocumentStartEvent) and (self._roots or event.version or event.tags):
            raise _EndOfReading(
                Fault(mark, "directives and second documents are not allowed", "one file holds one policy")
            )


def _mark_of(event: yaml.Event) -> Mark:
    found = event.start_mark
    return BEGINNING if found is None else Mark(found.line + 1, found.column + 1)


class _Misread(Exception):
    """A plain scalar that YAML reads otherwise than an officer; never leaves this module."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def _value(event: yaml.ScalarEvent) -> str | int:
    text: str = event.value
    if event.style is not None:
        return text
    if text in _NULL_WORDS:
        raise _Misread("the value is empty", "write the value, or `off`, or take the key away")
    if _INTEGER.match(text):
        return int(text)
    if text.lower() in _FLOAT_WORDS or (_NUMBER_LIKE.match(text) and not _DIGEST.match(text)):
        raise _Misread(
            f"`{text}` is not a plain decimal integer",
            "write an integer such as 10 (shares are in percent), or put quotes around a text",
        )
    return text
