"""From text to a carried value, strictly: one small parser for each type of column.

A parser takes one text and returns the carried integer (or the word of an enum, or the normal form of a key or
text), or raises ``Reject``. No parser sees a float, a locale or the process's time zone.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime

from consortia.parties.data.faults import Reject
from consortia.plans.types import ColumnType

Parse = Callable[[str], int | str]

EPOCH = date(1970, 1, 1)
INSTANT_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAIVE_EPOCH = datetime(1970, 1, 1)
MAX_DIGITS = 60
"""Longer numbers are refused; no bound of a catalogue reaches that far."""
_INTEGER = re.compile(rf"-?(0|[1-9][0-9]{{0,{MAX_DIGITS - 1}}})")
_LEADING_ZERO = re.compile(r"-?0[0-9]+")
_TIME = r"[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6})0*)?)?"
_OFFSET = re.compile(r"(Z|[+-][0-9]{2}:[0-9]{2})$")


def integer(text: str) -> int:
    """``-12``; no plus sign, no leading zeros, no decimals."""
    if _INTEGER.fullmatch(text):
        return int(text)
    if _LEADING_ZERO.fullmatch(text):
        raise Reject(
            "data/value",
            "a number begins with a zero",
            "an identifier is a key or text in the catalogue, so that 007 and 7 stay apart; write numbers without it",
        )
    raise Reject("data/value", "this is not an integer", "write digits only, with `-` before negative numbers")


def scaled(scale: int, mark: str) -> Callable[[str], int]:
    """Decimals as integers times 10^scale. Digits beyond the scale must be zeros: nothing is rounded."""
    pattern = re.compile(rf"(-?)(0|[1-9][0-9]{{0,{MAX_DIGITS - 1}}})(?:{re.escape(mark)}([0-9]{{1,{MAX_DIGITS}}}))?")

    def parse(text: str) -> int:
        match = pattern.fullmatch(text)
        if match is None:
            raise Reject(
                "data/value",
                "this is not a decimal number",
                f"write digits and `{mark}` before decimals, without thousands marks, exponent or leading zeros; "
                "`dialect.decimal` in the schema names the mark",
            )
        sign, whole, fraction = match.group(1), match.group(2), match.group(3) or ""
        if fraction[scale:].strip("0"):
            raise Reject(
                "data/value",
                f"the number has more than {scale} decimals",
                "correct the export, or have the members sign a finer scale; nothing is rounded here",
            )
        value = int(whole + fraction[:scale].ljust(scale, "0"))
        return -value if sign else value

    return parse


def truth(codes: Mapping[str, str]) -> Callable[[str], int]:
    """``true`` and ``false``, or the codes of the schema."""
    words = {code: int(word == "true") for code, word in codes.items()} or {"true": 1, "false": 0}

    def parse(text: str) -> int:
        if text not in words:
            raise Reject("data/unknown-word", "this is no word of the bool", _codes_remedy(list(words)))
        return words[text]

    return parse


def enum_word(codes: Mapping[str, str], kind: ColumnType) -> Callable[[str], str]:
    """A word of the catalogue's enum, through the codes of the schema if it has any."""
    words = codes or {word: word for word in kind.values}

    def parse(text: str) -> str:
        if text not in words:
            raise Reject(
                "data/unknown-word", f"this is no word of the enum `{kind.domain}`", _codes_remedy(list(words))
            )
        return words[text]

    return parse


def _codes_remedy(words: Sequence[str]) -> str:
    shown = ", ".join(f"`{word}`" for word in words[:8]) + (" and others" if len(words) > 8 else "")
    return f"the schema knows {shown}; map others under `codes`"


def _date_pattern(layout: str) -> re.Pattern[str]:
    pattern = re.escape(layout)
    for part, group in (("YYYY", "(?P<y>[0-9]{4})"), ("MM", "(?P<m>[0-9]{2})"), ("DD", "(?P<d>[0-9]{2})")):
        pattern = pattern.replace(part, group)
    return re.compile(pattern)


def day(layout: str) -> Callable[[str], int]:
    """A date as days since 1970-01-01."""
    pattern = _date_pattern(layout)

    def parse(text: str) -> int:
        match = pattern.fullmatch(text)
        try:
            if match:
                return (date(int(match["y"]), int(match["m"]), int(match["d"])) - EPOCH).days
        except ValueError:
            pass
        raise Reject(
            "data/value", f"this is not a date of the form {layout}", "`dialect.date` in the schema names the form"
        )

    return parse


def moment(layout: str, *, local: bool) -> Callable[[str], int]:
    """A timestamp as microseconds: since 1970 in UTC for instants, since 1970 on the local clock for ``local`` ones."""
    pattern = re.compile(_date_pattern(layout).pattern + _TIME)
    form = f"{layout}THH:MM:SS" + ("" if local else "Z or +HH:MM")

    def parse(text: str) -> int:
        offset = _OFFSET.search(text)
        match = pattern.fullmatch(text[: offset.start()] if offset else text)
        if match is None:
            raise Reject(
                "data/value", f"this is not a timestamp of the form {form}", "correct the export or `dialect.date`"
            )
        if offset is None and not local:
            raise Reject(
                "data/naive-time",
                "the timestamp has no time zone",
                "declare `time_zone` of the column in the schema file (UTC, Europe/Vienna, ...), or export Z or +HH:MM",
            )
        if offset is not None and local:
            raise Reject(
                "data/zoned-time",
                "the timestamp has a time zone of its own beside the declared one",
                "take `time_zone` out of the schema file, or export local times without a zone",
            )
        hour, minute, second, fraction = match.groups()[3:]
        iso = (
            f"{match['y']}-{match['m']}-{match['d']}T{hour}:{minute}:{second or '00'}.{(fraction or '').ljust(6, '0')}"
        )
        try:
            gap = (
                datetime.fromisoformat(iso) - NAIVE_EPOCH
                if offset is None
                else datetime.fromisoformat(iso + offset.group()) - INSTANT_EPOCH
            )
        except ValueError as error:
            raise Reject("data/value", "there is no such date or time", "correct the export") from error
        return (gap.days * 86_400 + gap.seconds) * 1_000_000 + gap.microseconds

    return parse


def identifier(normal_form: str, *, trim: bool) -> Callable[[str], str]:
    """The normal form of an identifier, which is what gets hashed: leading zeros and letter case stay."""

    def parse(text: str) -> str:
        text = text.strip() if trim else text
        if not text:
            raise Reject(
                "data/key", "the key is empty", "leave the field without quotes, or add the word to `null_words`"
            )
        if text != text.strip() or not text.isprintable():
            raise Reject(
                "data/key",
                "the key begins or ends with white space, or holds control characters",
                "correct the export, or write `trim: yes` for white space around it",
            )
        return unicodedata.normalize("NFC", text) if normal_form == "nfc" else text

    return parse


def plain_text(*, trim: bool) -> Callable[[str], str]:
    """Text in NFC, so that texts that look alike compare alike at all members."""

    def parse(text: str) -> str:
        return unicodedata.normalize("NFC", text.strip() if trim else text)

    return parse
