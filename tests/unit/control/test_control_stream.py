"""The control stream over real gRPC on the loopback: who may connect, what is said when not, and reconnection."""

import queue
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from sqlalchemy import Engine, MetaData

from consortia.control import connection as connections
from consortia.control import messages
from consortia.control.connection import ControlConnection, Receiver
from consortia.control.database import open_database
from consortia.control.diagnosis import diagnose, split_endpoint
from consortia.control.identity import TlsIdentity
from consortia.control.limits import ControlLimits
from consortia.control.mailbox import Letter, Mailbox, mail_tables
from consortia.control.messages import Empty, Fault, Kind, decode
from consortia.coordinator.service import CoordinatorService, RunningServer, serve
from consortia.coordinator.store import Store
from consortia.errors import ConsortiaError, OperatorError, PeerError
from consortia.trust.certificates import make_root
from consortia.wire import control_pb2, control_pb2_grpc
from tests.members import CONSORTIUM, EARLIER, LATER, NOW, Consortium, make_consortium

LIMITS = ControlLimits(welcome_seconds=3, backoff_seconds=0.2, message_bytes=65536)
METADATA = MetaData()
TABLES = mail_tables(METADATA)
WORLD = make_consortium("bank-a", "bank-b", "bank-c")


class End:
    """One end of a stream and what arrived there."""

    def __init__(self, port: int, tls: TlsIdentity, instance: str = "aa", engine: Engine | None = None) -> None:
        self.engine = engine or open_database(None, METADATA)
        self.arrived: queue.SimpleQueue[Letter] = queue.SimpleQueue()
        self.failures: list[ConsortiaError | None] = []
        self.connection = ControlConnection(
            f"127.0.0.1:{port}",
            tls,
            (self.engine, Mailbox(TABLES, "coordinator", instance)),
            Receiver(deliver=self.arrived.put, changed=self.failures.append),
            LIMITS,
            "test",
        )
        self.connection.start()

    def ask(self) -> Letter:
        self.connection.send(Kind.STATUS_QUERY, Empty())
        return self.arrived.get(timeout=5)


@contextmanager
def coordinator(
    store: Store | None = None, world: Consortium = WORLD, tls: TlsIdentity | None = None, port: int = 0
) -> Iterator[RunningServer]:
    service = CoordinatorService(store or Store(None), lambda: world.directory, LIMITS, "test")
    server = serve(service, f"127.0.0.1:{port}", tls or world.coordinator_tls(), LIMITS)
    try:
        yield server
    finally:
        server.stop(0.1)


@contextmanager
def end(port: int, tls: TlsIdentity, **options) -> Iterator[End]:
    made = End(port, tls, **options)
    try:
        yield made
    finally:
        made.connection.close()


def refusal(port: int, tls: TlsIdentity) -> ConsortiaError:
    with end(port, tls) as made, pytest.raises(ConsortiaError) as refused:
        made.connection.wait_connected(4)
    return refused.value


def test_members_and_people_connect_and_are_answered() -> None:
    with coordinator() as server, end(server.port, WORLD.tls("ana@bank-b")) as ana:
        ana.connection.wait_connected(3)
        assert ana.ask().kind == Kind.STATUS


def test_the_key_exchange_is_hybrid_post_quantum() -> None:
    seen: list[object] = []

    class Looking(CoordinatorService):
        def Connect(self, request_iterator, context):  # noqa: N802  # the service's name in the protocol
            seen.append(context.auth_context().get("ssl_negotiated_key_exchange_group"))
            yield from super().Connect(request_iterator, context)

    service = Looking(Store(None), lambda: WORLD.directory, LIMITS, "test")
    server = serve(service, "127.0.0.1:0", WORLD.coordinator_tls(), LIMITS)
    with end(server.port, WORLD.tls("bank-a")) as node:
        node.connection.wait_connected(3)
    server.stop(0.1)
    assert [b"".join(group) for group in seen] == [b"X25519MLKEM768"]


def test_a_certificate_issued_by_another_members_root_is_refused_by_name() -> None:
    with coordinator() as server:
        error = refusal(server.port, WORLD.tls("bank-a", issuer="bank-b"))
    assert error.code == "trust/certificate-other-ca"
    assert "bank-a" in error.message


def test_a_person_that_no_card_lists_is_refused() -> None:
    with coordinator() as server:
        error = refusal(server.port, WORLD.tls("eve@bank-a"))
    assert error.code == "coordinator/unknown-person"


def test_an_expired_certificate_is_refused_as_that() -> None:
    with coordinator() as server:
        error = refusal(server.port, WORLD.tls("bank-a", days=1, after=NOW - timedelta(days=3)))
    assert error.code == "control/own-expired"


def test_a_certificate_under_an_unknown_root_is_refused_with_advice_about_the_card() -> None:
    stranger = make_consortium("bank-a", "bank-b", "bank-c")
    identity = stranger.tls("bank-a")
    mixed = TlsIdentity(identity.identity, identity.certificate, identity.key, WORLD.coordinator_root.certificate)
    with coordinator() as server:
        error = refusal(server.port, mixed)
    assert error.code == "control/own-refused"
    assert "card" in error.remedy


@pytest.mark.parametrize(
    ("tls", "code"),
    [
        (lambda: WORLD.coordinator_tls(until=NOW - timedelta(hours=1)), "trust/certificate-expired"),
        (
            lambda: WORLD.coordinator_tls(root=make_root(CONSORTIUM, "coordinator", EARLIER, LATER)),
            "trust/certificate-old-bundle",
        ),
        (
            lambda: TlsIdentity(
                WORLD.tls("bank-b").identity,
                WORLD.tls("bank-b").certificate,
                b"",
                "",
            ),
            "trust/certificate-swapped",
        ),
    ],
    ids=["expired", "another root", "a member's node"],
)
def test_a_wrong_coordinator_is_named_by_what_is_wrong_with_it(tls, code: str) -> None:
    shown = tls()
    if not shown.key:
        node = WORLD.tls("bank-b")
        shown = TlsIdentity(node.identity, node.certificate, node.key, WORLD.directory.roots().decode())
    with coordinator(tls=shown) as server:
        error = refusal(server.port, WORLD.tls("bank-a"))
    assert error.code == code
    assert isinstance(error, PeerError)


def test_nobody_at_the_address_is_unreachable_and_keeps_trying() -> None:
    with coordinator() as server:
        port = server.port
    with end(port, WORLD.tls("bank-a")) as node:
        with pytest.raises(PeerError) as refused:
            node.connection.wait_connected(1)
        assert refused.value.code == "control/unreachable"
        assert str(port) in refused.value.message
        with coordinator(port=port):
            node.connection.wait_connected(5)


def test_something_else_at_the_address_is_told_apart() -> None:
    import socket
    import threading

    listener = socket.create_server(("127.0.0.1", 0))

    def greet() -> None:
        sock, _ = listener.accept()
        sock.recv(64)
        sock.sendall(b"220 mail.example.com ready\r\n")
        sock.close()

    threading.Thread(target=greet, daemon=True).start()
    endpoint = f"127.0.0.1:{listener.getsockname()[1]}"
    assert diagnose(endpoint, WORLD.tls("bank-a"), 2, datetime.now(UTC)).code == "control/no-tls"
    listener.close()


def test_a_key_that_is_not_the_certificates_is_found_before_anything_is_sent() -> None:
    one, other = WORLD.tls("bank-a"), WORLD.tls("bank-a")
    mixed = TlsIdentity(one.identity, one.certificate, other.key, one.roots)
    with coordinator() as server:
        found = diagnose(f"127.0.0.1:{server.port}", mixed, 2, datetime.now(UTC))
    assert isinstance(found, OperatorError)
    assert found.code == "control/own-certificate"


@pytest.mark.parametrize("endpoint", ["bank", "bank:", ":1", "bank:99999", "bank:x", ""])
def test_an_address_must_be_host_and_port(endpoint: str) -> None:
    with pytest.raises(OperatorError) as refused:
        split_endpoint(endpoint)
    assert refused.value.code == "control/endpoint"


def test_another_wire_version_is_refused_naming_both(monkeypatch: pytest.MonkeyPatch) -> None:
    with coordinator() as server:
        monkeypatch.setattr(connections, "WIRE_VERSION", 7)
        error = refusal(server.port, WORLD.tls("bank-a"))
    assert error.code == "control/wire-version"
    assert "version 7" in error.message
    assert f"speaks {messages.WIRE_VERSION}" in error.message


def test_a_port_in_use_is_a_clear_error() -> None:
    with coordinator() as server, pytest.raises(OperatorError) as refused, coordinator(port=server.port):
        pass
    assert refused.value.code == "coordinator/port"
    assert str(server.port) in refused.value.message


def test_a_second_node_of_a_member_replaces_the_first_which_stays_away() -> None:
    with coordinator() as server, end(server.port, WORLD.tls("bank-a")) as first:
        first.connection.wait_connected(3)
        with end(server.port, WORLD.tls("bank-a"), instance="bb") as second:
            second.connection.wait_connected(3)
            deadline = time.monotonic() + 5
            while not first.failures[-1] and time.monotonic() < deadline:
                time.sleep(0.02)
            failure = first.failures[-1]
            assert failure is not None
            assert failure.code == "coordinator/replaced"
            time.sleep(0.5)
            assert second.connection.connected
            assert not first.connection.connected


def test_what_was_sent_while_the_coordinator_was_away_arrives_once_after_its_restart(tmp_path: Path) -> None:
    store = Store(tmp_path / "coordinator.sqlite")
    with coordinator(store) as server:
        port = server.port
        ana = End(port, WORLD.tls("ana@bank-a"))
        ana.connection.wait_connected(3)
        assert ana.ask().sequence == 1
    store.close()
    ana.connection.send(Kind.CANCEL, Empty(), "0" * 32)
    ana.connection.send(Kind.STATUS_QUERY, Empty())
    store = Store(tmp_path / "coordinator.sqlite")
    with coordinator(store, port=port):
        letters = [ana.arrived.get(timeout=5), ana.arrived.get(timeout=5)]
        ana.connection.close()
    assert [letter.kind for letter in letters] == [Kind.REFUSED, Kind.STATUS]
    assert [letter.sequence for letter in letters] == [2, 3]
    assert ana.arrived.empty()


def test_an_end_that_restarts_with_its_database_goes_on_where_it_was(tmp_path: Path) -> None:
    with coordinator() as server:
        first = End(server.port, WORLD.tls("bank-a"), engine=open_database(tmp_path / "mail.sqlite", METADATA))
        first.connection.wait_connected(3)
        first.ask()
        first.connection.close()
        first.engine.dispose()
        again = End(server.port, WORLD.tls("bank-a"), engine=open_database(tmp_path / "mail.sqlite", METADATA))
        assert again.ask().sequence == 2
        again.connection.close()


def test_a_coordinator_that_lost_its_database_says_so() -> None:
    with coordinator() as server:
        port = server.port
        ana = End(port, WORLD.tls("ana@bank-a"))
        ana.connection.wait_connected(3)
        ana.ask()
    with coordinator(port=port):
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            failure = ana.connection.failure
            if failure is not None and failure.code == "coordinator/lost-mail":
                break
            time.sleep(0.02)
        ana.connection.close()
    assert failure is not None
    assert failure.code == "coordinator/lost-mail"


def test_a_message_that_is_too_large_is_refused_before_it_is_stored() -> None:
    with coordinator() as server, end(server.port, WORLD.tls("ana@bank-a")) as ana:
        ana.connection.wait_connected(3)
        with pytest.raises(ConsortiaError) as refused:
            ana.connection.send(Kind.ABORT, Fault(kind="x", code="x", party="x", message="y" * 70000))
        assert refused.value.code == "control/too-large"
        assert ana.ask().kind == Kind.STATUS


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("submission", b"{}", "control/malformed"),
        ("submission", b"\xff", "control/malformed"),
        ("approval", b"{}", "coordinator/unknown-session"),
        ("nonsense", b"{}", "coordinator/unknown-session"),
    ],
)
def test_a_message_that_makes_no_sense_is_refused_and_the_stream_goes_on(kind: str, body: bytes, code: str) -> None:
    with coordinator() as server, end(server.port, WORLD.tls("ana@bank-a")) as ana:
        ana.connection.wait_connected(3)
        with ana.engine.begin() as transaction:
            Mailbox(TABLES, "coordinator", "aa").post(transaction, Letter(kind, "0" * 32, body))
        ana.connection.flush()
        letter = ana.arrived.get(timeout=5)
        assert letter.kind == Kind.REFUSED
        assert decode(Fault, letter.body, letter.kind, "x").code == code
        assert ana.ask().kind == Kind.STATUS


def test_a_stream_that_begins_otherwise_than_with_connect_is_refused() -> None:
    tls = WORLD.tls("bank-a")
    with coordinator() as server:
        options = [("grpc.ssl_target_name_override", "coordinator")]
        with grpc.secure_channel(f"127.0.0.1:{server.port}", tls.channel_credentials(), options) as channel:
            stub = control_pb2_grpc.CoordinatorStub(channel)
            call = stub.Connect(iter([control_pb2.Message(wire_version=1, kind="approval")]))
            with pytest.raises(grpc.RpcError) as refused:
                next(call)
    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "control/malformed" in refused.value.details()
