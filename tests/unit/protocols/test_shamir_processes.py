"""Three computers as three processes with MPyC's runtime and mutual TLS: the same programs, shares and traffic."""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from consortia.protocols.clear.engine import ClearEngine
from consortia.protocols.shamir.costs import Group
from consortia.protocols.shamir.counting import ShamirCountingEngine
from consortia.protocols.shamir.vectors import ShamirArithmetic, ShamirBoolean
from consortia.trust.certificates import Identity, TlsPair, issue, make_root
from tests.relations_world import clear_values
from tests.shamir_programs import PROGRAMS, given
from tests.shamir_world import reconstruct

NAMES = ("alpha", "beta", "gamma")
NOW = datetime.now(UTC)
PERIOD = (NOW - timedelta(days=1), NOW + timedelta(days=1))


class Party:
    """One process, spoken to in lines of JSON."""

    def __init__(self, **who: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.shamir_party"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.tell(who)
        self.port = None

    def tell(self, what: Any) -> None:
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        return json.loads(self.process.stdout.readline())

    def end(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=10)


def certificates(folder: Path, names: tuple[str, ...] = NAMES) -> dict[str, Any]:
    """Roots by member, and for each member the files of its node's certificate and key."""
    roots = {name: make_root("test", name, *PERIOD) for name in names}
    leaves = {name: issue(root, Identity("test", "node", name), *PERIOD) for name, root in roots.items()}
    for name, leaf in leaves.items():
        write(folder, name, leaf)
    return {name: root.certificate for name, root in roots.items()}


def write(folder: Path, name: str, leaf: TlsPair) -> None:
    (folder / f"{name}.crt").write_text(leaf.certificate)
    (folder / f"{name}.pem").write_bytes(leaf.key_pem())


def start(folder: Path, roots: dict[str, str], *, connect: float = 20.0, **changed: Any) -> list[Party]:
    session = secrets.token_hex(32)
    parties = [
        Party(
            **{
                "rank": rank,
                "computers": NAMES,
                "threshold": 1,
                "session": session,
                "roots": roots,
                "certificate": str(folder / f"{name}.crt"),
                "key": str(folder / f"{name}.pem"),
                "connect": connect,
                **changed.get(name, {}),
            }
        )
        for rank, name in enumerate(NAMES)
    ]
    ports = {name: party.hear() for name, party in zip(NAMES, parties, strict=True)}
    for party in parties:
        party.tell(ports)
    return parties


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Party]]:
    folder = tmp_path_factory.mktemp("keys")
    started = start(folder, certificates(folder))
    assert [party.hear() for party in started] == ["joined"] * 3
    yield started
    for party in started:
        party.end()


def as_share(values: list[Any]) -> Any:
    if values and isinstance(values[0], str):
        return ShamirArithmetic(np.array([int(value) for value in values], dtype=np.object_))
    return ShamirBoolean(np.array(values, np.uint8))


@pytest.mark.parametrize("name", PROGRAMS)
def test_processes_compute_what_the_clear_engine_does_and_send_what_is_declared(
    parties: list[Party], name: str
) -> None:
    for party in parties:
        party.tell([name, 7])
    answers = [party.hear() for party in parties]
    clear = ClearEngine()
    expected = [clear_values(vector) for vector in PROGRAMS[name](clear, *given(clear, 7, 3))]
    shares = zip(*(answer[0] for answer in answers), strict=True)
    assert [reconstruct([as_share(values) for values in each]) for each in shares] == expected
    counting = ShamirCountingEngine(Group(NAMES, 1))
    PROGRAMS[name](counting, *given(counting, 7, 3))
    declared = {member: sum(size for (_, by), size in counting.counts.sent.items() if by == member) for member in NAMES}
    assert {member: answer[1] for member, answer in zip(NAMES, answers, strict=True)} == declared
    assert {answer[2] for answer in answers} == {sum(counting.counts.rounds.values())}


def refused(folder: Path, roots: dict[str, str], **changed: Any) -> list[Any]:
    started = start(folder, roots, connect=1.5, **changed)
    heard = [party.hear() for party in started]
    for party in started:
        party.end()
    return heard


def strangers(folder: Path, kind: str) -> SimpleNamespace:
    """A party whose certificate is not that of its member, or whose session is another one."""
    roots = certificates(folder)
    other = folder / "other"
    other.mkdir()
    match kind:
        case "another root":
            write(
                other, "gamma", issue(make_root("test", "gamma", *PERIOD), Identity("test", "node", "gamma"), *PERIOD)
            )
        case "another member":
            root = make_root("test", "gamma", *PERIOD)
            write(other, "gamma", issue(root, Identity("test", "node", "beta"), *PERIOD))
            roots["gamma"] = root.certificate
    return SimpleNamespace(roots=roots, certificate=str(other / "gamma.crt"), key=str(other / "gamma.pem"))


@pytest.mark.parametrize("kind", ["another root", "another member"])
def test_a_peer_with_another_certificate_is_refused(tmp_path: Path, kind: str) -> None:
    stranger = strangers(tmp_path, kind)
    heard = refused(tmp_path, stranger.roots, gamma={"certificate": stranger.certificate, "key": stranger.key})
    assert heard[1]["code"] == "transport/wrong-peer"
    assert "`gamma`" in heard[1]["message"]
    # whoever comes later may find that beta has gone already
    assert {heard[0]["code"], heard[2]["code"]} <= {"transport/wrong-peer", "transport/unreachable"}


def test_a_process_that_dials_with_anothers_certificate_is_not_answered(tmp_path: Path) -> None:
    roots = certificates(tmp_path)
    write(tmp_path, "alpha", issue(make_root("test", "alpha", *PERIOD), Identity("test", "node", "alpha"), *PERIOD))
    heard = refused(tmp_path, roots)
    assert {answer["code"] for answer in heard[1:]} == {"transport/unreachable"}


def test_a_peer_of_another_session_is_not_joined(tmp_path: Path) -> None:
    heard = refused(tmp_path, certificates(tmp_path), alpha={"session": "00" * 32})
    assert {answer["code"] for answer in heard[1:]} == {"transport/unreachable"}


def test_a_killed_process_ends_the_others_with_a_code(tmp_path: Path) -> None:
    started = start(tmp_path, certificates(tmp_path))
    assert [party.hear() for party in started] == ["joined"] * 3
    started[2].process.kill()
    for party in started[:2]:
        party.tell(["products", 3])
    assert [party.hear()["code"] for party in started[:2]] == ["transport/closed"] * 2
    for party in started:
        party.process.stdout.close()
        party.process.wait(timeout=10)
