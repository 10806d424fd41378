"""What an author does to the text of a policy between two versions, and somebody else to a pack."""

import re
from pathlib import Path

from consortia.policies.language.parse import read_policy
from examples.officer_day.desk import DayError


def fingerprint_of(file: Path) -> str:
    """The fingerprint that stands on the page which an officer has read (``policy explain``)."""
    return read_policy(file.read_bytes()).digest


def edited(text: str, old: str, new: str) -> str:
    """``text`` with one passage replaced; DayError unless it stands there once."""
    if text.count(old) != 1:
        raise DayError(f"`{old}` stands {text.count(old)} times in the policy")
    return text.replace(old, new)


def without_table(text: str, name: str) -> str:
    """The policy without one of its tables."""
    return re.sub(rf"(?ms)^    {name}:\n.*?(?=^    \w|^\w|^\n\w)", "", text, count=1)


def moved(text: str) -> str:
    """The policy with its outputs in front of everything about data: the same words in another order."""
    begin, end = text.index("\noutputs:"), text.index("\nleaks:")
    data = text.index("\ndata:")
    return text[:data] + text[begin:end] + text[data:begin] + text[end:]


def flipped(data: bytes) -> bytes:
    """``data`` with one bit of its middle byte turned."""
    place = len(data) // 2
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
