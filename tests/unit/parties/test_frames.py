"""Frames: what is sealed opens once, in order, at the right place, and nowhere else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.errors import ProtocolAbort
from consortia.parties.transport import frames
from consortia.parties.transport.frames import HEADER_SIZE, TAG_SIZE, Direction, Header

SESSION = bytes(range(16))


def pair(attempt: int = 1, receiver: int = 2) -> tuple[Direction, Direction]:
    return (
        Direction(b"k" * 32, b"i" * 12, SESSION, 1, 0, 2),
        Direction(b"k" * 32, b"i" * 12, SESSION, attempt, 0, receiver),
    )


def opened(incoming: Direction, frame: bytes) -> bytes:
    target = bytearray(len(frame) - HEADER_SIZE - TAG_SIZE)
    header = frame[:HEADER_SIZE]
    incoming.open_into(Header.decode(header), header, frame[HEADER_SIZE:], memoryview(target))
    return bytes(target)


def test_header_has_the_42_bytes_of_the_wire_format() -> None:
    header = Header(SESSION, 3, 1, 2, 9, b"s" * 8, 77, 1)
    assert len(header.encode()) == 42
    assert Header.decode(header.encode()) == header


@settings(derandomize=True, deadline=None, max_examples=50)
@given(payload=st.binary(max_size=300), step=st.text(max_size=40))
def test_what_is_sealed_opens_to_the_same_bytes(payload: bytes, step: str) -> None:
    outgoing, incoming = pair()
    assert opened(incoming, outgoing.seal(step, payload)) == payload


def test_every_changed_byte_of_a_frame_is_refused() -> None:
    frame = pair()[0].seal("s1/multiply", b"payload")
    for place in range(len(frame)):
        changed = bytearray(frame)
        changed[place] ^= 1
        with pytest.raises(ProtocolAbort):
            opened(pair()[1], bytes(changed))


def test_replayed_and_reordered_frames_are_refused() -> None:
    outgoing, incoming = pair()
    first, second = outgoing.seal("a", b"1"), outgoing.seal("a", b"2")
    with pytest.raises(ProtocolAbort, match="replayed, lost or reordered"):
        opened(incoming, second)
    assert opened(incoming, first) == b"1"
    with pytest.raises(ProtocolAbort, match="replayed, lost or reordered"):
        opened(incoming, first)


@pytest.mark.parametrize("other", [pair(attempt=2)[1], pair(receiver=1)[1]])
def test_a_frame_of_another_attempt_or_receiver_is_refused(other: Direction) -> None:
    with pytest.raises(ProtocolAbort, match="another session"):
        opened(other, pair()[0].seal("a", b"1"))


def test_another_frame_version_is_refused_with_both_versions_named() -> None:
    frame = bytearray(pair()[0].seal("a", b"1"))
    frame[0] = 9
    with pytest.raises(ProtocolAbort, match="version 9, this node speaks 2"):
        opened(pair()[1], bytes(frame))


def test_both_ends_move_to_a_new_key_epoch_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "EPOCH_BYTES", 8)
    outgoing, incoming = pair()
    before = outgoing._key
    for number in range(6):
        assert opened(incoming, outgoing.seal("a", b"%05d" % number)) == b"%05d" % number
    assert outgoing._key != before
    assert outgoing._key == incoming._key
