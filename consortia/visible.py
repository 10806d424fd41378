"""Text that others wrote, made safe to show: what is not seen is written out, no line passes for another. Pure."""

import unicodedata


def visible(text: str) -> str:
    r"""``text`` in which what does not show is written out: terminals obey such characters, and some come from peers.

    Control and format characters (escape sequences, backspace, reordering of a line) become ``\x1b`` and the like;
    line feeds stay.
    """
    return "".join(character if shows(character) else _written_out(character) for character in text)


def indented(text: str) -> str:
    """``text`` with its further lines deeper than those of a report or page, so that none passes for another field."""
    return text.replace("\n", "\n    ")


def shows(character: str) -> bool:
    """Whether a character is seen, or is a line feed."""
    category = unicodedata.category(character)
    return character == "\n" or not (category.startswith("C") or category in ("Zl", "Zp"))


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode()
