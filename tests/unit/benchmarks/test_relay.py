"""The delaying link: what passes it arrives the latency later, at the given pace, in order and unchanged, both ways."""

import socket
import threading
import time

import pytest

from benchmarks.relay import Relay


def joined(relay: Relay) -> tuple[socket.socket, socket.socket]:
    server = socket.create_server(("127.0.0.1", 0))
    near = socket.create_connection(("127.0.0.1", relay.front(server.getsockname()[1])))
    far, _ = server.accept()
    server.close()
    return near, far


def read(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            break
        data += piece
    return data


@pytest.mark.parametrize("latency", [0.0, 0.005, 0.05])
def test_a_round_trip_takes_twice_the_latency(latency: float) -> None:
    relay = Relay(latency)
    near, far = joined(relay)
    times = []
    for _ in range(3):
        started = time.perf_counter()
        near.sendall(b"there")
        assert read(far, 5) == b"there"
        far.sendall(b"back")
        assert read(near, 4) == b"back"
        times.append(time.perf_counter() - started)
    assert 2 * latency <= min(times) < 2 * latency + 0.02
    relay.close()


def test_bytes_pass_at_the_given_pace_in_both_directions_at_once_and_in_order() -> None:
    relay = Relay(0.0, 10_000_000)
    ends = joined(relay)
    data = [bytes(range(256)) * 8_000, bytes(reversed(range(256))) * 8_000]
    found: dict[int, tuple[bytes, float]] = {}
    started = time.perf_counter()

    def talk(number: int) -> None:
        sender = threading.Thread(target=ends[number].sendall, args=(data[number],))
        sender.start()
        found[number] = (read(ends[number], len(data[number])), time.perf_counter() - started)
        sender.join()

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[0][0], found[1][0]] == [data[1], data[0]]
    for _, seconds in found.values():
        assert 0.2 < seconds < 0.35
    relay.close()


def test_the_end_of_a_connection_passes_after_its_last_byte() -> None:
    relay = Relay(0.01)
    near, far = joined(relay)
    near.sendall(b"last")
    near.shutdown(socket.SHUT_WR)
    assert read(far, 10) == b"last"
    relay.close()
