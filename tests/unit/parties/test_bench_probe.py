"""A link measures itself: latency and bandwidth of a relay are found again, and who does not answer is told."""

import socket
import threading

import pytest

from benchmarks.relay import Relay
from consortia.errors import OperatorError, PeerError
from consortia.parties.bench import probe

HOST = "127.0.0.1"


@pytest.fixture
def port():
    listening = probe.listen(HOST, 0)
    threading.Thread(target=probe.answer, args=(listening,), daemon=True).start()
    yield listening.getsockname()[1]
    listening.close()


def test_latency_and_bandwidth_of_a_link_are_measured_both_ways(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "BULK", 1 << 22)
    relay = Relay(0.01, 20_000_000)
    found = probe.measure(HOST, relay.front(port))
    relay.close()
    assert found.latency == pytest.approx(0.01, rel=0.2)
    assert found.bytes_out == pytest.approx(20e6, rel=0.25)
    assert found.bytes_in == pytest.approx(20e6, rel=0.25)


def test_a_connection_alone_tells_the_round_trip_and_probers_take_turns(port: int) -> None:
    assert 0 < probe.connect_seconds(HOST, port) < 0.05
    assert probe.measure(HOST, port).bytes_in > 10_000_000


@pytest.mark.parametrize("request_of", [b"x\0\0\0\1", b"g\xff\xff\xff\xff", b"e"])
def test_what_is_no_request_is_not_answered_and_does_not_end_the_service(port: int, request_of: bytes) -> None:
    with socket.create_connection((HOST, port), timeout=5) as stranger:
        stranger.sendall(request_of)
        stranger.shutdown(socket.SHUT_WR)
        assert stranger.recv(16) == b""
    assert probe.measure(HOST, port).latency > 0


def test_nobody_there_and_a_port_in_use_are_told() -> None:
    taken = socket.create_server((HOST, 0))
    number = taken.getsockname()[1]
    with pytest.raises(OperatorError) as in_use:
        probe.listen(HOST, number)
    assert in_use.value.code == "parties/bench-port"
    taken.close()
    for attempt in (probe.measure, probe.connect_seconds):
        with pytest.raises(PeerError) as nobody:
            attempt(HOST, number)
        assert nobody.value.code == "parties/probe"
