"""Typed identifiers, and the one place where their spelling is checked."""

import re
from typing import NewType

from consortia.errors import RequestError

MemberId = NewType("MemberId", str)
PersonId = NewType("PersonId", str)
TableName = NewType("TableName", str)
ColumnName = NewType("ColumnName", str)
SessionId = NewType("SessionId", str)
StepId = NewType("StepId", str)

NAME_PATTERN = r"^[a-z][a-z0-9_-]{0,30}$"
"""Members, tables and columns."""
PERSON_PATTERN = r"^[a-z][a-z0-9_-]{0,30}@[a-z][a-z0-9_-]{0,30}$"
"""``person@member``: a person is always of one member."""
SESSION_PATTERN = r"^[0-9a-f]{32}$"
"""First 16 bytes of the SHA-256 of the signed submission, in hexadecimal."""
DIGEST_PATTERN = r"^[0-9a-f]{64}$"
STEP_PATTERN = r"^s[0-9]+$"


def member_of(person: str) -> MemberId:
    """The member part of ``person@member``."""
    if not re.match(PERSON_PATTERN, person):
        raise RequestError(
            "ids/person", f"`{person}` is not a person's id", remedy="write it as name@member, in lower case"
        )
    return MemberId(person.split("@", 1)[1])


def check_name(text: str, what: str) -> str:
    """``text`` itself when it is a legal name of a member, table or column.

    Raises RequestError ``ids/name`` otherwise.
    """
    if not re.match(NAME_PATTERN, text):
        raise RequestError(
            "ids/name",
            f"`{text}` is not a legal {what} name",
            remedy="use 1 to 31 of a-z, 0-9, _ and -, beginning with a letter",
        )
    return text
