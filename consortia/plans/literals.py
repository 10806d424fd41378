"""Literals of SQL as typed constants: exact integers, decimals of a scale, dates, instants, words."""

import re
from datetime import UTC, date, datetime

from consortia.plans.expressions import Const
from consortia.plans.meaning import BOOL, DATE, INT, TEXT, TIMESTAMP, Misfit, decimal

EPOCH = date(1970, 1, 1)
INSTANT_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_DIGITS = 60
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?")


def number(text: str) -> Const:
    """``12`` is an int, ``0.10`` a decimal of two places; exponents are refused as no money is written so."""
    if re.fullmatch(r"\d+", text) and len(text) <= MAX_DIGITS:
        return Const(type=INT, integer=int(text))
    if re.fullmatch(r"\d*\.\d*", text) and 1 < len(text) <= MAX_DIGITS:
        whole, fraction = text.split(".")
        return Const(type=decimal(len(fraction)), integer=int(whole + fraction))
    raise Misfit(f"the number `{text[:80]}`", "write digits, and a point before decimals, without exponent")


def word(text: str) -> Const:
    """A text literal; beside an enum it becomes the enum's word."""
    return Const(type=TEXT, text=text)


def truth(value: bool) -> Const:
    """TRUE or FALSE."""
    return Const(type=BOOL, integer=int(value))


def day_constant(day: date) -> Const:
    """A date as the number of days since 1970-01-01."""
    return Const(type=DATE, integer=(day - EPOCH).days)


def instant_constant(instant: datetime) -> Const:
    """An instant as microseconds since 1970-01-01T00:00:00Z, exactly."""
    gap = instant.astimezone(UTC) - INSTANT_EPOCH
    return Const(type=TIMESTAMP, integer=(gap.days * 86_400 + gap.seconds) * 1_000_000 + gap.microseconds)


def day(text: str) -> Const:
    """``DATE 'YYYY-MM-DD'``."""
    if _DATE.fullmatch(text):
        try:
            return day_constant(date.fromisoformat(text))
        except ValueError:
            pass
    raise Misfit(f"`{text[:40]}` is no date", "write DATE 'YYYY-MM-DD'")


def instant(text: str) -> Const:
    """``TIMESTAMP 'YYYY-MM-DD HH:MM:SS[.ffffff]'``, read as UTC."""
    if _DATE.fullmatch(text):
        text = f"{text} 00:00:00"
    if _TIMESTAMP.fullmatch(text):
        try:
            return instant_constant(datetime.fromisoformat(text).replace(tzinfo=UTC))
        except ValueError:
            pass
    raise Misfit(f"`{text[:40]}` is no timestamp", "write TIMESTAMP 'YYYY-MM-DD HH:MM:SS', in UTC and without zone")
