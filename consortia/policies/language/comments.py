"""The comments of a policy's file: where each stands. YAML's parser drops them, and an officer's remarks must stay."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

_HEADER = re.compile(r"[|>][-+0-9]*[ ]+(#[^\n]*)")


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment from its `#` to the end of its line. ``index`` and ``column`` count from 0.

    ``alone`` if nothing stands before it in its line, or only the dash of the entry that follows.
    """

    index: int
    column: int
    text: str
    alone: bool


def comments_of(text: str) -> tuple[Comment, ...]:
    """All comments of a file that is YAML, in order: they stand where no token does, or behind the sign of a block."""
    found: list[Comment] = []
    end = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        start = token.start_mark.index
        found += _within(text, end, start)
        if isinstance(token, yaml.ScalarToken) and token.style in ("|", ">"):
            header = _HEADER.match(text, start)
            if header:
                found.append(_comment(text, header.start(1), header.end(1)))
        end = max(end, token.end_mark.index)
    return (*found, *_within(text, end, len(text)))


def _within(text: str, start: int, end: int) -> Iterator[Comment]:
    """Comments between two tokens, where there are nothing but comments, white space and line ends."""
    for match in re.compile(r"#[^\n]*").finditer(text, start, end):
        yield _comment(text, match.start(), match.end())


def _comment(text: str, start: int, end: int) -> Comment:
    begin = text.rfind("\n", 0, start) + 1
    return Comment(start, start - begin, text[start:end].rstrip(), not text[begin:start].strip(" -"))
