"""What the page is made of: sentences, each with the rule that enforces it, and how they are laid out."""

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import groupby

WIDTH = 104
PAGE = 78
"""Columns and lines of a page: A4 with margins of a centimetre, type of 8.5 points. A test holds examples to it."""
KINDS = {
    "alert": "alerts",
    "score": "scores",
    "count": "counts over all rows",
    "aggregate": "numbers over groups",
    "model": "models",
}


@dataclass(frozen=True, slots=True)
class Sentence:
    """One statement of the page, and the rule that enforces it ("" where it states the owner's ground).

    Sentences of one section and topic stand together as a paragraph; a topic is a table, or a kind of output.
    """

    section: str
    text: str
    rule: str = ""
    topic: str = ""


def laid_out(title: Iterable[str], sentences: Iterable[Sentence]) -> str:
    """The page as text, lines of at most WIDTH characters, ending in a line feed."""
    lines = list(title)
    for section, stated in groupby(sentences, lambda sentence: sentence.section):
        lines += ["", section]
        for topic, together in groupby(stated, lambda sentence: sentence.topic):
            said = " ".join(f"{one.text} [{one.rule}]" if one.rule else one.text for one in together)
            lines += textwrap.wrap(
                f"{topic}: {said}" if topic else said, WIDTH, initial_indent="- ", subsequent_indent="  ",
                break_long_words=False, break_on_hyphens=False,
            )  # fmt: skip
    return "\n".join(lines) + "\n"


def listed(names: Iterable[str], last: str = "and") -> str:
    """Names for a sentence, in the order given; `nobody` for none."""
    given = list(names)
    if not given:
        return "nobody"
    return given[0] if len(given) == 1 else f"{', '.join(given[:-1])} {last} {given[-1]}"


def people(names: Iterable[str]) -> str:
    """Members as their analysts, and persons, for a sentence."""
    members = sorted(name for name in names if "@" not in name)
    persons = sorted(name for name in names if "@" in name)
    return listed([*([f"analysts of {listed(members)}"] if members else []), *persons])


def day(date_: date) -> str:
    """A day as people write it."""
    return f"{date_.day} {date_.strftime('%B')} {date_.year}"
