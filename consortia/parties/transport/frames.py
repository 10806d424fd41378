"""Frames of the data plane: a 42-byte header in clear, authenticated, and a sealed payload of at most 256 KiB.

Header, big-endian: version u8, session 16 bytes, attempt u16, sender u8, receiver u8, sequence u64, step 8 bytes
(the first 4 of the SHA-256 of its lane and the first 4 of that of its path), payload length u32, flags u8. Sender and
receiver are places in the session's sorted list of parties. The payload is sealed with AES-256-GCM under the key of
its direction; the nonce is the direction's IV xor the sequence number and the header is the associated data, so
replay, reordering, truncation and a frame of another session, step or direction are all errors. A relay sees headers,
sizes and times only.

Pure: bytes in, bytes out; sockets are in ``links``.
"""

import hashlib
import struct
from functools import lru_cache
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from consortia.errors import ProtocolAbort
from consortia.protocols.channel import lane

VERSION = 2
PAYLOAD_LIMIT = 256 * 1024
TAG_SIZE = 16
EPOCH_BYTES = 1 << 36
"""After so many payload bytes a direction moves to a new key: AES-GCM is used far below its limits."""

FLAG_END = 1
FLAG_CONFIRM = 2
FLAG_BEAT = 4

_HEADER = struct.Struct(">B16sHBBQ8sIB")
_PLACE = struct.Struct(">B16sHBB")
_REST = struct.Struct(">Q8sIB")
HEADER_SIZE = _HEADER.size


class Header(NamedTuple):
    """The clear part of a frame."""

    session: bytes
    attempt: int
    sender: int
    receiver: int
    sequence: int
    step: bytes
    length: int
    flags: int

    def encode(self) -> bytes:
        """The 42 bytes."""
        return _HEADER.pack(VERSION, *self)

    @classmethod
    def decode(cls, data: bytes | bytearray | memoryview) -> "Header":
        """The header in 42 bytes; raises ProtocolAbort for another version or an impossible length."""
        version, *fields = _HEADER.unpack(data)
        if version != VERSION:
            raise ProtocolAbort(
                "transport/version",
                f"the peer speaks frame version {version}, this node speaks {VERSION}",
                remedy="run the same version of consortia at both members",
            )
        header = cls._make(fields)
        if header.length > PAYLOAD_LIMIT:
            raise ProtocolAbort(
                "transport/frame-size", f"a frame announces {header.length} bytes; {PAYLOAD_LIMIT} is the limit"
            )
        return header


LANE_SIZE = 4
"""Bytes of a step's label that name its lane."""


@lru_cache(maxsize=256)
def step_label(step: str) -> bytes:
    """What a frame's header says of its step: 4 bytes of the SHA-256 of its lane, 4 of that of its whole path."""
    return _lane_label(lane(step)) + hashlib.sha256(step.encode()).digest()[: 8 - LANE_SIZE]


@lru_cache(maxsize=256)
def _lane_label(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:LANE_SIZE]


class Direction:
    """One direction of one link: its key, IV, sequence number and epoch. Seals or opens, never both."""

    def __init__(self, key: bytes, iv: bytes, session: bytes, attempt: int, sender: int, receiver: int) -> None:
        self._key = key
        self._iv = int.from_bytes(iv, "big")
        self._cipher = AESGCM(key)
        self._place = (session, attempt, sender, receiver)
        self._place_bytes = _PLACE.pack(VERSION, *self._place)
        self._sequence = 0
        self._bytes = 0

    def seal(self, step: str, payload: bytes | memoryview, flags: int = 0) -> bytes:
        """Header and sealed payload as one byte string, ready to be written."""
        frame = bytearray(HEADER_SIZE + len(payload) + TAG_SIZE)
        self.seal_into(step, payload, flags, memoryview(frame))
        return bytes(frame)

    def seal_into(self, step: str, payload: bytes | memoryview, flags: int, frame: memoryview) -> None:
        """As ``seal``, into ``frame`` of ``HEADER_SIZE + len(payload) + TAG_SIZE`` bytes."""
        size = len(payload)
        header = self._place_bytes + _REST.pack(self._sequence, step_label(step), size, flags)
        frame[:HEADER_SIZE] = header
        self._cipher.encrypt_into(self._nonce(), payload, header, frame[HEADER_SIZE:])
        self._advance(size)

    def open_into(self, fields: Header, header: bytes, sealed: bytes | memoryview, target: memoryview) -> None:
        """Check ``header`` (``fields`` decoded) and ``sealed`` (payload and tag), write the payload into ``target``.

        Raises ProtocolAbort ``transport/forged`` when the frame is not exactly the next one of this direction.
        """
        if fields[:4] != self._place:
            raise ProtocolAbort("transport/forged", "a frame belongs to another session, attempt or pair of parties")
        if fields.sequence != self._sequence:
            raise ProtocolAbort(
                "transport/forged",
                f"frame {fields.sequence} arrived where frame {self._sequence} is due: replayed, lost or reordered",
            )
        try:
            self._cipher.decrypt_into(self._nonce(), sealed, header, target)
        except InvalidTag:
            raise ProtocolAbort(
                "transport/forged", "a frame was altered on its way, or sealed under another key"
            ) from None
        self._advance(fields.length)

    def _nonce(self) -> bytes:
        return (self._iv ^ self._sequence).to_bytes(12, "big")

    def _advance(self, size: int) -> None:
        self._sequence += 1
        self._bytes += size
        if self._bytes >= EPOCH_BYTES:
            self._key = HKDFExpand(hashes.SHA256(), 32, b"consortia/epoch/v1").derive(self._key)
            self._cipher = AESGCM(self._key)
            self._bytes = 0
