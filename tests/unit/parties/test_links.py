"""Links: sealed frames over real sockets, and what a party sees when its peer lies, stalls or dies."""

import hashlib
import socket
import threading
import time
from collections.abc import Callable

import pytest

from consortia.errors import ConsortiaError, NoProgress, OperatorError, PeerError, ProtocolAbort
from consortia.parties.transport.frames import Direction
from consortia.parties.transport.key_schedule import DirectionKeys, LinkKeys
from consortia.parties.transport.links import Limits, TcpChannel
from consortia.parties.transport.mesh import Listener, Run, open_links

LIMITS = Limits(connect=5, silence=5)
RUN = Run("ab" * 16, 1, ("bank-a", "bank-b", "bank-c", "bank-d"), ("bank-a", "bank-b", "bank-c"))


def connected(limits: Limits = LIMITS, right_limits: Limits | None = None) -> tuple[TcpChannel, TcpChannel]:
    left, right = socket.socketpair()
    session = bytes(16)

    def direction(sender: int) -> Direction:
        return Direction(bytes([sender]) * 32, b"i" * 12, session, 1, sender, 1 - sender)

    return (
        TcpChannel("right", left, direction(0), direction(1), limits),
        TcpChannel("left", right, direction(1), direction(0), right_limits or limits),
    )


def keys_between(me: str, peer: str, secret: str = "") -> LinkKeys:
    def direction(sender: str, receiver: str) -> DirectionKeys:
        digest = hashlib.sha256(f"{sender}>{receiver}{secret}".encode()).digest()
        return DirectionKeys(digest, digest[:12], digest)

    return LinkKeys(direction(me, peer), direction(peer, me), b"s" * 32)


def test_payloads_larger_than_a_frame_and_than_any_socket_buffer_cross_both_ways_at_once() -> None:
    left, right = connected()
    big = bytes(range(256)) * 40_000  # 10 MB, sent by both before either receives
    results = {}

    def talk(name: str, channel: TcpChannel) -> None:
        channel.send("s0/exchange", big)
        results[name] = bytes(channel.receive("s0/exchange", len(big)))

    threads = [threading.Thread(target=talk, args=pair) for pair in (("left", left), ("right", right))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert results == {"left": big, "right": big}
    assert left.sent == {"s0/exchange": len(big)}
    left.close(cleanly=True)
    right.close(cleanly=True)


@pytest.mark.parametrize("late", [False, True])
def test_a_message_of_another_step_of_the_same_lane_is_out_of_step(late: bool) -> None:
    left, right = connected()
    left.send("s1/multiply", b"12345678")
    if late:  # the message was held when another lane read
        left.send("s2/multiply", b"12345678")
        right.receive("s2/multiply", 8)
    with pytest.raises(ProtocolAbort, match="another step or size") as caught:
        right.receive("s1/open", 8)
    assert caught.value.code == "transport/out-of-step"
    left.close(cleanly=False)
    right.close(cleanly=False)


def test_a_peer_that_lives_but_waits_for_another_step_is_out_of_step() -> None:
    left, right = connected(Limits(silence=0.3))
    left.send("s2/multiply", b"12345678")
    with pytest.raises(ProtocolAbort, match="another step or size"):
        right.receive("s1/multiply", 8)
    left.close(cleanly=False)
    right.close(cleanly=False)


def test_lanes_are_received_in_any_order_and_by_a_thread_each() -> None:
    left, right = connected()
    messages = {f"s{number}": bytes([number]) * 3_000_000 for number in range(4)}
    found: dict[str, list[bytes]] = {}

    def receive(name: str) -> None:
        found[name] = [bytes(right.receive(f"{name}/round-{turn}", 3_000_000)) for turn in range(2)]

    threads = [threading.Thread(target=receive, args=(name,)) for name in messages]
    for thread in threads[:2]:
        thread.start()
    for turn in range(2):
        for name, message in reversed(messages.items()):
            left.send(f"{name}/round-{turn}", message)
    for thread in threads[2:]:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert found == {name: [message] * 2 for name, message in messages.items()}
    left.close(cleanly=True)
    right.close(cleanly=True)


def test_a_peer_that_dies_is_reported_to_every_lane() -> None:
    left, right = connected()
    codes: list[str] = []

    def receive(name: str) -> None:
        with pytest.raises(PeerError) as caught:
            right.receive(f"{name}/multiply", 8)
        codes.append(caught.value.code)

    threads = [threading.Thread(target=receive, args=(name,)) for name in ("s1", "s2", "s3")]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    left._socket.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(timeout=5)
    assert codes == ["transport/closed"] * 3
    right.close(cleanly=False)
    left.close(cleanly=False)


def test_what_no_lane_waits_for_is_held_up_to_a_limit() -> None:
    left, right = connected(Limits(connect=5, silence=5, held_bytes=1_000_000))
    left.send("s2/multiply", bytes(1_000_000))
    left.send("s1/multiply", b"12345678")
    assert bytes(right.receive("s1/multiply", 8)) == b"12345678"
    left.send("s3/multiply", b"1")
    with pytest.raises(ProtocolAbort, match="sent 1000001 bytes of steps that this node has not begun") as caught:
        right.receive("s1/open", 8)
    assert caught.value.code == "transport/held"
    left.close(cleanly=False)
    right.close(cleanly=False)


def test_a_message_longer_than_expected_is_out_of_step() -> None:
    left, right = connected()
    left.send("s1/multiply", b"123456789")
    with pytest.raises(ProtocolAbort, match="another step or size"):
        right.receive("s1/multiply", 8)
    left.close(cleanly=False)
    right.close(cleanly=False)


def test_a_peer_that_dies_is_reported_at_once() -> None:
    left, right = connected()
    left._socket.shutdown(socket.SHUT_RDWR)
    started = time.monotonic()
    with pytest.raises(PeerError) as caught:
        right.receive("s1/multiply", 8)
    assert caught.value.code == "transport/closed"
    assert time.monotonic() - started < 2
    right.close(cleanly=False)
    left.close(cleanly=False)


def test_a_clean_end_is_told_from_a_cut_connection() -> None:
    left, right = connected()
    left.close(cleanly=True)
    with pytest.raises(PeerError) as caught:
        right.receive("s1/multiply", 8)
    assert caught.value.code == "transport/ended"
    right.close(cleanly=False)


def test_a_silent_peer_is_named_after_the_limit() -> None:
    left, right = connected(LIMITS, Limits(silence=0.3))
    with pytest.raises(NoProgress, match="nothing came from `left`"):
        right.receive("s1/multiply", 8)
    left.close(cleanly=False)
    right.close(cleanly=False)


def test_a_peer_that_computes_longer_than_the_limit_is_kept_alive_by_its_beats() -> None:
    left, right = connected(Limits(silence=0.6))

    def late() -> None:
        time.sleep(1.5)
        left.send("s1/multiply", b"12345678")

    threading.Thread(target=late).start()
    assert bytes(right.receive("s1/multiply", 8)) == b"12345678"
    left.close(cleanly=True)
    right.close(cleanly=True)


def mesh(keys_of: Callable[[str, str], LinkKeys], limits: Limits = LIMITS) -> dict[str, object]:
    listeners = {party: Listener("127.0.0.1", 0) for party in RUN.parties}
    endpoints = {party: f"127.0.0.1:{listener.port}" for party, listener in listeners.items()}
    outcome: dict[str, object] = {}

    def join(me: str) -> None:
        keys = {peer: keys_of(me, peer) for peer in RUN.parties if peer != me}
        try:
            outcome[me] = open_links(me, RUN, keys, endpoints, listeners[me], limits)
        except ConsortiaError as error:
            outcome[me] = error

    threads = [threading.Thread(target=join, args=(party,)) for party in RUN.parties]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    for listener in listeners.values():
        listener.close()
    return outcome


def test_computers_and_an_owner_that_does_not_compute_find_each_other() -> None:
    outcome = mesh(keys_between)
    for me in RUN.parties:
        links = outcome[me]
        assert isinstance(links, dict), links
        assert sorted(links) == sorted(RUN.peers(me))
    for me in RUN.parties:
        for peer, link in outcome[me].items():  # type: ignore[attr-defined]  # a dict, asserted above
            link.send("s0/hello", f"{me}>{peer}".encode())
    for me in RUN.parties:
        for peer, link in outcome[me].items():  # type: ignore[attr-defined]  # a dict, asserted above
            text = f"{peer}>{me}".encode()
            assert bytes(link.receive("s0/hello", len(text))) == text
            link.close(cleanly=False)


def test_whoever_lacks_the_keys_of_this_run_gets_no_link() -> None:
    def keys_of(me: str, peer: str) -> LinkKeys:
        return keys_between(me, peer, "other plan" if "bank-c" in (me, peer) and me == "bank-c" else "")

    outcome = mesh(keys_of, Limits(connect=1.5, silence=5))
    assert isinstance(outcome["bank-c"], PeerError)
    assert isinstance(outcome["bank-a"], PeerError)
    assert outcome["bank-a"].code in {"transport/unreachable", "transport/wrong-peer"}


def test_a_peer_that_is_not_there_is_named_with_its_address() -> None:
    closed = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{closed.getsockname()[1]}"
    closed.close()
    listener = Listener("127.0.0.1", 0)
    keys = {peer: keys_between("bank-d", peer) for peer in RUN.computers}
    with pytest.raises(PeerError, match=r"`bank-a` does not answer at 127\.0\.0\.1"):
        open_links("bank-d", RUN, keys, dict.fromkeys(RUN.parties, address), listener, Limits(connect=0.5))
    listener.close()


def test_a_port_in_use_is_named_with_the_remedy() -> None:
    listener = Listener("127.0.0.1", 0)
    with pytest.raises(OperatorError, match="another program uses the port"):
        Listener("127.0.0.1", listener.port)
    listener.close()
