"""What node and computing process say to each other: messages of a kind, fields and blobs, over a pipe.

A message is the length of its head (u32, big-endian), the head as JSON (kind, fields, sizes of the blobs), then the
blobs. Both ends are ours and of one version; shares and inputs cross here in clear, inside one host and one user.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from consortia.errors import (
    ConsortiaError,
    InternalError,
    NoProgress,
    OperatorError,
    PeerError,
    ProtocolAbort,
    RequestError,
)

_LENGTH = struct.Struct(">I")
_KINDS = {
    kind.__name__: kind for kind in (InternalError, NoProgress, OperatorError, PeerError, ProtocolAbort, RequestError)
}


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """``fields`` are plain JSON values; ``blobs`` are bytes."""

    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    blobs: Sequence[bytes] = ()

    def __repr__(self) -> str:
        return f"<Message {self.kind}, {sum(map(len, self.blobs))} bytes>"


def write(stream: IO[bytes], message: Message) -> None:
    """Send a message whole."""
    head = json.dumps([message.kind, dict(message.fields), [len(blob) for blob in message.blobs]]).encode()
    stream.write(_LENGTH.pack(len(head)) + head)
    for blob in message.blobs:
        stream.write(blob)
    stream.flush()


def read(stream: IO[bytes]) -> Message | None:
    """The next message; None where the other end is gone."""
    length = stream.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        return None
    head = stream.read(_LENGTH.unpack(length)[0])
    try:
        kind, fields, sizes = json.loads(head)
    except ValueError:
        return None  # cut off: the other end died while it wrote
    blobs = [stream.read(size) for size in sizes]
    if any(len(blob) < size for blob, size in zip(blobs, sizes, strict=True)):
        return None
    return Message(kind, fields, blobs)


def failure(error: ConsortiaError) -> Message:
    """An error as a message."""
    return Message("failed", error.as_dict())


def raised(message: Message) -> ConsortiaError:
    """The error that a message tells of."""
    told = message.fields
    kind = _KINDS.get(told["kind"])
    if kind is None:
        return InternalError("parties/internal", "the computing process failed with an error of no known kind")
    return kind(told["code"], told["message"], place=told["place"], remedy=told["remedy"])
