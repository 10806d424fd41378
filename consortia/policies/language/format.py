"""One layout for all policies: two spaces a level, one space after a colon, comments where they were.

Words, order and quotes stay as the author wrote them; what changes is indentation, spacing, blank lines (one at most),
the place of comments behind a line (aligned with their neighbours), and collections in brackets that are too long or
hold comments, which get a line an entry. The result is compared with the file: the same tree, the same comments.
"""

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import yaml

from consortia.errors import InternalError
from consortia.policies.language.comments import Comment, comments_of
from consortia.policies.language.reader import read_yaml

LONGEST_LINE = 120
WRAPPED = 100
STEP = 2
COMMENT_COLUMN = 28
"""Comments behind short lines begin two characters behind this column."""


@dataclass(slots=True)
class _Entry:
    """An entry that gets a line of its own: of a mapping with its key as written, or of a list.

    ``inline`` is what stands behind the key; ``block`` the lines of a text below it; ``entries`` what it holds.
    """

    index: int
    column: int
    key: str | None
    inline: str = ""
    block: list[str] = field(default_factory=list)
    entries: list["_Entry"] = field(default_factory=list)
    blank: bool = False
    before: list[str] = field(default_factory=list)
    behind: str = ""
    below: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    comment: str = ""


def formatted(data: bytes) -> bytes:
    """The file in the one layout; formatting it again changes nothing.

    Raises RequestError ``policies/syntax`` where the file can't be read, and InternalError ``policies/format`` if the
    result would say anything else, or lose a comment.
    """
    before = read_yaml(data)
    text = data.decode()
    comments = comments_of(text)
    root = cast("yaml.MappingNode", yaml.compose(text, Loader=yaml.BaseLoader))  # as read_yaml has made sure
    entries = _Layout(text, comments).entries(root, 0)
    last = _attach(text, entries, comments)
    made = _printed(entries, 0) + [_Line(comment) for comment in last]
    result = ("\n".join(_aligned(made)) + "\n").encode()
    said = sorted(comment.text for comment in comments)
    if read_yaml(result).tree != before.tree or sorted(one.text for one in comments_of(result.decode())) != said:
        raise InternalError(
            "policies/format", "the formatted file would not say the same", remedy="please report this with the file"
        )
    return result


class _Layout:
    """From nodes to entries: what stands on a line of its own, and the text of each value."""

    def __init__(self, text: str, comments: tuple[Comment, ...]) -> None:
        self._text = text
        self._comments = comments

    def entries(self, node: yaml.CollectionNode, indentation: int) -> list[_Entry]:
        """The entries of a mapping or list at ``indentation``."""
        if isinstance(node, yaml.MappingNode):
            return [self._entry(key, value, indentation) for key, value in node.value]
        made = [self._entry(None, value, indentation) for value in node.value]
        if not node.flow_style:
            for entry in made:
                entry.column = node.start_mark.column  # of the dash, which is where the entry begins
        return made

    def _entry(self, key: yaml.Node | None, value: yaml.ScalarNode | yaml.CollectionNode, indentation: int) -> _Entry:
        first = value if key is None else key
        made = _Entry(first.start_mark.index, first.start_mark.column, None if key is None else self._source(key))
        room = LONGEST_LINE - indentation - (STEP if key is None else len(made.key or "") + 2)
        if isinstance(value, yaml.ScalarNode):
            self._scalar(made, value, room)
        else:
            inline = self._flow(value)
            if not value.value or (value.flow_style and not self._holds_comment(value) and len(inline) <= room):
                made.inline = inline
            else:
                made.entries = self.entries(value, indentation + STEP)
        return made

    def _scalar(self, entry: _Entry, node: yaml.ScalarNode, room: int) -> None:
        source = self._source(node)
        if node.style in ("|", ">"):
            header, *lines = source.split("\n")
            sign = header.split("#")[0].strip()
            if sign[1:].strip("-"):  # an indentation of its own, or line ends kept: rare, and safe in quotes alone
                entry.inline = json.dumps(node.value, ensure_ascii=False)
            else:
                entry.inline = sign
                entry.block = textwrap.dedent("\n".join(lines)).rstrip().split("\n")
        elif "\n" not in source:
            entry.inline = source
        elif node.style is None and "\n" not in node.value and len(node.value) > room:
            entry.inline = ">-"
            entry.block = textwrap.wrap(node.value, WRAPPED, break_long_words=False, break_on_hyphens=False)
        else:
            entry.inline = node.value if node.style is None else json.dumps(node.value, ensure_ascii=False)

    def _flow(self, node: yaml.Node) -> str:
        """A value as it stands within brackets."""
        if isinstance(node, yaml.MappingNode):
            return f"{{{', '.join(f'{self._source(key)}: {self._flow(value)}' for key, value in node.value)}}}"
        if isinstance(node, yaml.SequenceNode):
            return f"[{', '.join(map(self._flow, node.value))}]"
        source = self._source(node)
        return source if "\n" not in source else json.dumps(node.value, ensure_ascii=False)

    def _source(self, node: yaml.Node) -> str:
        return self._text[node.start_mark.index : node.end_mark.index].rstrip()

    def _holds_comment(self, node: yaml.Node) -> bool:
        return any(node.start_mark.index < comment.index < node.end_mark.index for comment in self._comments)


def _attach(text: str, entries: list[_Entry], comments: tuple[Comment, ...]) -> list[str]:
    """Put every comment to the entry that it is about; returns those behind the last entry."""
    order = list(_all(entries))
    last: list[str] = []
    for comment in comments:
        earlier = [entry for entry in order if entry.index < comment.index]
        following = next((entry for entry in order if entry.index > comment.index), None)
        if not comment.alone and earlier and not earlier[-1].behind:
            earlier[-1].behind = comment.text
            continue
        owner = next((entry for entry in reversed(earlier) if entry.column <= comment.column), None)
        if comment.alone and owner is not None and owner.column > (following.column if following is not None else 0):
            owner.below.append(comment.text)
        elif following is not None:
            if not following.before:
                following.blank = _is_below_blank(text, comment.index)
            following.before.append(comment.text)
        else:
            last.append(comment.text)
    for entry in order:
        entry.blank = entry.blank or (not entry.before and _is_below_blank(text, entry.index))
    for entry in reversed(order):
        if entry.key is None and entry.entries:  # the dash and the first entry share a line
            first = entry.entries[0]
            entry.before += first.before
            entry.blank = entry.blank or first.blank
            entry.behind, first.behind = "", first.behind or entry.behind
            first.before, first.blank = [], False
    if order:
        order[0].blank = False
    return last


def _all(entries: list[_Entry]) -> Iterator[_Entry]:
    for entry in entries:
        yield entry
        yield from _all(entry.entries)


def _is_below_blank(text: str, index: int) -> bool:
    """Whether the line above that of ``index`` is blank."""
    begin = text.rfind("\n", 0, index)
    return begin > 0 and not text[text.rfind("\n", 0, begin) + 1 : begin].strip()


def _printed(entries: list[_Entry], indentation: int) -> list[_Line]:
    lines: list[_Line] = []
    space = " " * indentation
    for entry in entries:
        inner = _printed(entry.entries, indentation + STEP)
        lines += [_Line("")] * entry.blank
        lines += [_Line(f"{space}{comment}") for comment in entry.before]
        if entry.key is None and inner:
            lines += [_Line(f"{space}- {inner[0].text.lstrip()}", inner[0].comment), *inner[1:]]
        else:
            head = "-" if entry.key is None else f"{entry.key}:"
            lines.append(_Line(f"{space}{head} {entry.inline}".rstrip(), entry.behind))
            lines += [_Line(f"{space}{' ' * STEP}{line}".rstrip()) for line in entry.block]
            lines += inner
        lines += [_Line(f"{space}{comment}") for comment in entry.below]
    return lines


def _aligned(lines: list[_Line]) -> Iterator[str]:
    """The lines, comments of neighbouring lines in one column."""
    for place, line in enumerate(lines):
        if not line.comment:
            yield line.text
            continue
        begin = end = place
        while begin and lines[begin - 1].comment:
            begin -= 1
        while end + 1 < len(lines) and lines[end + 1].comment:
            end += 1
        column = max(COMMENT_COLUMN, *(len(one.text) for one in lines[begin : end + 1]))
        yield f"{line.text:{column}}  {line.comment}"
