"""What all signed documents have in common: frozen, strict, canonical.

A document is a pydantic model whose first field is ``type: Literal["consortia/NAME/v1"]``. Its canonical bytes
are JSON after RFC 8785; integers that can reach 2^53 are written as decimal strings (``Integer``), times as
RFC 3339 in UTC with a ``Z`` (``Instant``), binary values as lower-case hexadecimal text. Unknown types and
unknown fields are refused. Nothing here reads a clock, a file or a source of randomness.
"""

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Self

import rfc8785
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError

from consortia.errors import RequestError
from consortia.ids import DIGEST_PATTERN, NAME_PATTERN, PERSON_PATTERN, SESSION_PATTERN

_OTHER_NAME = re.compile(r'[^\x00-\x7f][^"\\]*(?:\\.[^"\\]*)*":')
_SURROGATE = re.compile("[\ud800-\udfff]")
_MEMBER_TO_JUDGE = re.compile(r'":-?(?:[0-9]{16}|[0-9]+[.eE])')
_ITEM_TO_JUDGE = re.compile(r"[\[,]-?(?:[0-9]{16}|[0-9]+[.eE])")


def canonical_bytes(value: Any) -> bytes:
    """A JSON value after RFC 8785; raises as ``rfc8785.dumps`` does, which is the rule and an order slower.

    Python's own encoder writes the same bytes where all names are ASCII (so that they sort alike) and every number is
    an integer of at most 15 digits; what may be anything else is left to ``rfc8785``.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError):
        return rfc8785.dumps(value)
    return text.encode() if _is_plain(text) else rfc8785.dumps(value)


def _is_plain(text: str) -> bool:
    """Whether it is an object or list, its numbers are short integers, its names ASCII, no character half of one.

    Some texts in strings look like other numbers and are not: that costs time alone.
    """
    return (
        text[0] in "{["
        and not _MEMBER_TO_JUDGE.search(text)
        and not _ITEM_TO_JUDGE.search(text)
        and (text.isascii() or not (_OTHER_NAME.search(text) or _SURROGATE.search(text)))
    )


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("an integer is written as a decimal string")
    if isinstance(value, int):
        return value
    number = int(value)
    if str(number) != value:
        raise ValueError(f"`{value}` is not the canonical decimal form")
    return number


def _instant(value: Any) -> datetime:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return value.astimezone(UTC)
    if not isinstance(value, str) or not value.endswith("Z"):
        raise ValueError("an instant is written as RFC 3339 in UTC, ending in Z")
    return datetime.fromisoformat(value).astimezone(UTC)


def instant_text(value: datetime) -> str:
    """RFC 3339 in UTC with ``Z``; microseconds only where they are not zero."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


Integer = Annotated[int, BeforeValidator(_integer), PlainSerializer(str, return_type=str)]
"""An integer of any size, a decimal string in the document."""
Instant = Annotated[datetime, BeforeValidator(_instant), PlainSerializer(instant_text, return_type=str)]
Digest = Annotated[str, Field(pattern=DIGEST_PATTERN)]
"""SHA-256 in lower-case hexadecimal."""
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Person = Annotated[str, Field(pattern=PERSON_PATTERN)]
Session = Annotated[str, Field(pattern=SESSION_PATTERN)]
Hex = Annotated[str, Field(pattern=r"^([0-9a-f]{2})*$")]


class Frozen(BaseModel):
    """A value inside a document: immutable, strict, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Document(Frozen):
    """A document that is hashed and signed. Subclasses declare ``type: Literal[...]`` with a default."""

    type: str

    def canonical(self) -> bytes:
        """RFC 8785 bytes: the only bytes that are ever hashed or signed."""
        return canonical_bytes(self.model_dump(mode="json"))

    def digest(self) -> str:
        """SHA-256 of the canonical bytes, hexadecimal."""
        return hashlib.sha256(self.canonical()).hexdigest()

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """The document in ``payload``; raises RequestError ``trust/document`` unless it is exactly canonical."""
        try:
            document = cls.model_validate_json(payload)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise RequestError(
                "trust/document",
                f"this is not a valid {cls.__name__.lower()}: {first['msg']}",
                place=where,
                remedy="fetch it again from its author; it may be of another version",
            ) from error
        if document.canonical() != payload:
            raise RequestError(
                "trust/document",
                f"this {cls.__name__.lower()} is not in canonical form",
                remedy="fetch it again from its author",
            )
        return document
