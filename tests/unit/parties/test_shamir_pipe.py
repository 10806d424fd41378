"""What a node and its computing process say to each other, and what is made of an end in the middle."""

import io
import socket
from pathlib import Path

import pytest

from consortia.errors import ConsortiaError, InternalError, NoProgress, OperatorError, PeerError
from consortia.parties.config import read_config
from consortia.parties.shamir.child import ComputingProcess
from consortia.parties.shamir.pipe import Message, failure, raised, read, write
from consortia.parties.shamir.process import Delivered


def sent(*messages: Message) -> bytes:
    stream = io.BytesIO()
    for message in messages:
        write(stream, message)
    return stream.getvalue()


def test_messages_arrive_as_they_were_sent_and_then_comes_the_end() -> None:
    messages = [Message("run", {"rank": 2, "inputs": ["s1"]}, [b"", b"\x00\xff" * 9]), Message("release")]
    stream = io.BytesIO(sent(*messages))
    found = [read(stream), read(stream)]
    assert [(m.kind, dict(m.fields), list(m.blobs)) for m in found] == [
        (m.kind, dict(m.fields), list(m.blobs)) for m in messages
    ]
    assert read(stream) is None


def test_a_message_that_is_cut_off_anywhere_is_the_end() -> None:
    whole = sent(Message("parts", {"parts": []}, [b"12345"]))
    assert all(read(io.BytesIO(whole[:size])) is None for size in range(len(whole)))


def test_a_message_shows_no_content() -> None:
    assert repr(Message("run", {"passphrase": "secret"}, [b"secret"])) == "<Message run, 6 bytes>"


@pytest.mark.parametrize(
    "error",
    [
        PeerError("transport/closed", "gone", place="s3", remedy="ask"),
        NoProgress("transport/silent", "quiet"),
        OperatorError("shamir/not-installed", "no MPyC", remedy="install"),
    ],
    ids=lambda error: error.code,
)
def test_an_error_keeps_its_kind_code_and_words(error: ConsortiaError) -> None:
    message = read(io.BytesIO(sent(failure(error))))
    again = raised(message)
    assert type(again) is type(error)
    assert again.as_dict() == error.as_dict()


def test_an_error_of_a_kind_that_is_none_is_ours() -> None:
    told = {"kind": "unexpected", "code": "a/b", "message": "", "place": "", "remedy": ""}
    assert raised(Message("failed", told)).code == "parties/internal"


def test_a_process_says_where_it_listens_and_ends_with_its_input() -> None:
    process = ComputingProcess()
    process.tell(Message("start", {"host": "127.0.0.1", "ports": (0, 0)}))
    assert process.hear("listening").fields["port"] > 0
    process.finish(10.0)
    with pytest.raises(OperatorError) as gone:
        process.hear("parts")
    assert gone.value.code == "shamir/process"


def test_a_range_of_ports_without_a_free_one_is_an_error_of_the_operator() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = ComputingProcess()
        process.tell(Message("start", {"host": "127.0.0.1", "ports": (port, port)}))
        with pytest.raises(OperatorError) as refused:
            process.hear("listening")
    process.finish(10.0)
    assert refused.value.code == "shamir/ports"
    assert str(port) in refused.value.message


def test_a_killed_process_is_an_error_of_the_operator() -> None:
    process = ComputingProcess()
    process.close()
    with pytest.raises(OperatorError) as gone:
        process.hear("listening")
    assert gone.value.code == "shamir/process"
    assert "-9" in gone.value.message


def test_what_an_owner_delivered_has_the_size_that_the_plan_says() -> None:
    channel = Delivered("bank-d", {"s3": b"1234"})
    assert bytes(channel.receive("s3", 4)) == b"1234"
    for step, size in (("s3", 5), ("s4", 4)):
        with pytest.raises(PeerError) as wrong:
            channel.receive(step, size)
        assert wrong.value.code == "transport/out-of-step"
    with pytest.raises(InternalError):
        channel.send("s3", b"1")


@pytest.mark.parametrize(("text", "ports"), [("", (0, 0)), ("computing_ports: 7410-7417", (7410, 7417))])
def test_the_settings_say_where_processes_listen(tmp_path: Path, text: str, ports: tuple[int, int]) -> None:
    file = tmp_path / "party.yaml"
    file.write_text(f"home: .\nlisten: 127.0.0.1:1\n{text}\n")
    assert read_config(file).ports() == ports
    file.write_text("home: .\nlisten: 127.0.0.1:1\ncomputing_ports: 7410\n")
    with pytest.raises(OperatorError) as wrong:
        read_config(file)
    assert wrong.value.code == "parties/config"
