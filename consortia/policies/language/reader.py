"""The YAML of a policy, read strictly: what an officer sees is what the machine reads, with a line for every value.

YAML has many ways to say what a reader would not guess (`off` is FALSE, 1e3 is a float, an anchor repeats text from
elsewhere, a tag builds an object). Here a plain scalar is a decimal integer or text, nothing else; every form that
YAML 1.1 would read in another way is refused with its line, as are duplicate keys, anchors, aliases, tags,
directives, empty values, several documents in a file, and characters that do not show or reorder the text.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True)
class Source:
    """A read file: its tree, and the line (from 1) at which the value of each path stands."""

    tree: Tree
    lines: Mapping[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int:
        """The line of ``path``, or of the nearest place above it that the file names."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def _refuse(message: str, line: int, remedy: str) -> RequestError:
    return RequestError("policies/syntax", message, place=f"line {line}", remedy=remedy)


def read_yaml(data: bytes) -> Source:
    """The tree of a policy file. Raises RequestError ``policies/syntax`` with the line at fault."""
    text = _text(data)
    try:
        return _Builder().build(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "this is not YAML"
        raise _refuse(
            str(problem), mark.line + 1 if mark else 1, "correct the indentation or the quotes there"
        ) from error


def _text(data: bytes) -> str:
    if len(data) > LARGEST_FILE:
        raise _refuse(
            f"the file has {len(data)} bytes, more than {LARGEST_FILE}", 1, "a policy is a page or two of text"
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _refuse("the file is not UTF-8", line, "save it as UTF-8 without a byte order mark") from error
    for number, line_text in enumerate(text.split("\n"), start=1):
        _refuse_hidden(line_text, number)
    return text


def _refuse_hidden(text: str, line: int) -> None:
    for character in text:
        if character not in " \n" and unicodedata.category(character) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs"}:
            raise _refuse(
                f"the character U+{ord(character):04X} does not show, or changes how the line reads",
                line,
                "remove it; indent with spaces and end lines with a line feed alone",
            )


class _Builder:
    """Builds the tree from parser events with a stack of its own, so that deep nesting can't exhaust Python's."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {(): 1}
        self._roots: list[Tree] = []
        # Each open container with its path; and for each, the key that waits for its value (None between entries).
        self._open: list[tuple[dict[str, Tree] | list[Tree], Path]] = []
        self._waiting: list[str | None] = []

    def build(self, text: str) -> Source:
        """The tree of ``text``."""
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = _line_of(event)
            _refuse_tricks(event, line, started=bool(self._roots))
            if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                self._enter({} if isinstance(event, yaml.MappingStartEvent) else [], line)
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                self._open.pop()
                self._waiting.pop()
            elif isinstance(event, yaml.ScalarEvent):
                if self._open and isinstance(self._open[-1][0], dict) and self._waiting[-1] is None:
                    self._waiting[-1] = self._key(event.value, self._open[-1], line)
                else:
                    self._put(_scalar(event, line), line)
        if not self._roots or not isinstance(self._roots[0], dict):
            raise _refuse("the file holds no policy", 1, "begin with `format: consortia/policy/v1`")
        return Source(self._roots[0], self.lines)

    def _enter(self, container: dict[str, Tree] | list[Tree], line: int) -> None:
        if len(self._open) >= DEEPEST:
            raise _refuse("the nesting is too deep", line, "a policy has at most six levels")
        here = self._put(container, line)
        self._open.append((container, here))
        self._waiting.append(None)

    def _put(self, value: Tree, line: int) -> Path:
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
                raise _refuse("a key must be a word", line, "write `key: value`; a list or a mapping can't be a key")
            container[key] = value
            self._waiting[-1] = None
            here = (*path, key)
        self.lines.setdefault(here, line)
        return here

    def _key(self, key: str, container: tuple[dict[str, Tree] | list[Tree], Path], line: int) -> str:
        mapping, path = container
        _refuse_hidden(key, line)
        if key in mapping:
            raise _refuse(f"the key `{key}` stands twice", line, f"it stands at line {self.lines[(*path, key)]} too")
        self.lines[(*path, key)] = line
        return key


def _line_of(event: yaml.Event) -> int:
    return 1 if event.start_mark is None else event.start_mark.line + 1


def _refuse_tricks(event: yaml.Event, line: int, *, started: bool) -> None:
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise _refuse("anchors and aliases (& and *) are not allowed", line, "write the value out at each place")
    if getattr(event, "tag", None):
        raise _refuse("tags (!) are not allowed", line, "write the plain value")
    if isinstance(event, yaml.DocumentStartEvent) and (started or event.version or event.tags):
        raise _refuse("directives and second documents are not allowed", line, "one file holds one policy")


def _scalar(event: yaml.ScalarEvent, line: int) -> str | int:
    text: str = event.value
    _refuse_hidden(text, line)  # a quoted text may hold escapes
    if event.style is not None:
        return text
    if text in _NULL_WORDS:
        raise _refuse("the value is empty", line, "write the value, or `off`, or take the key away")
    if _INTEGER.match(text):
        return int(text)
    if text.lower() in _FLOAT_WORDS or (_NUMBER_LIKE.match(text) and not _DIGEST.match(text)):
        raise _refuse(
            f"`{text}` is not a plain decimal integer",
            line,
            "write an integer such as 10 (shares are in percent), or put quotes around a text",
        )
    return text
