"""The computing process: ``python -m consortia.parties.shamir.process``, started by a node for one run.

It hears ``start`` (whom to be), says on which port it listens, hears ``run`` (the plan, this member's inputs, shares
that outside owners sent to the node, and where the others are), connects, runs the shared steps, tells each step as it
starts, says ``computed`` with its traffic, and gives its parts only after ``release``. The end of the input ends it.
"""

import os
import socket
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, Any

import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from consortia.errors import ConsortiaError, InternalError, OperatorError, PeerError, unexpected
from consortia.execution.executor import run_shared
from consortia.execution.layout import shapes_of, words_shape
from consortia.execution.liveness import shared_steps
from consortia.parties.release import release
from consortia.parties.shamir.pipe import Message, failure, read, write
from consortia.plans.model import Plan, Share
from consortia.protocols.channel import lane
from consortia.protocols.shamir.context import Context
from consortia.protocols.shamir.costs import Group
from consortia.protocols.shamir.engine import ShamirEngine
from consortia.protocols.shamir.runtime import Joined, Limits, joined, listening
from consortia.protocols.shamir.tls import Credentials
from consortia.protocols.shares import Words
from consortia.protocols.transcript import Transcript
from consortia.trust.certificates import Identity, check_certificate


class Delivered:
    """``protocols.channel.Channel`` from an outside owner: what it sent to the node, by step."""

    def __init__(self, owner: str, payloads: Mapping[str, bytes]) -> None:
        self._owner = owner
        self._payloads = payloads

    @property
    def sent(self) -> Mapping[str, int]:
        return {}

    def send(self, step: str, payload: bytes | bytearray | memoryview) -> None:
        raise InternalError("protocol/owner", f"{len(payload)} bytes of `{step}` for the owner `{self._owner}`")

    def receive(self, step: str, size: int) -> memoryview:
        payload = self._payloads.get(step, b"")
        if len(payload) != size:
            raise PeerError("transport/out-of-step", f"`{self._owner}` sent no {size} bytes of `{step}`", place=step)
        return memoryview(payload)


def main() -> None:
    """Speak with the node over the first two files; whatever prints goes to the error stream."""
    inbound = os.fdopen(os.dup(0), "rb")
    outbound = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    try:
        _serve(inbound, outbound)
    except ConsortiaError as error:
        write(outbound, failure(error))
    except BrokenPipeError:
        return  # the node is gone
    except Exception as error:  # noqa: BLE001  whatever it is, the node must be told, in kinds and places alone
        kinds = unexpected(error)
        text = f"an unexpected {', '.join(kinds['types'])} at {', '.join(kinds['places'])}"
        write(outbound, failure(InternalError("parties/internal", text)))


def _serve(inbound: IO[bytes], outbound: IO[bytes]) -> None:
    start = _heard(inbound, "start")
    sock = _listening(start.fields["host"], start.fields["ports"])
    write(outbound, Message("listening", {"port": sock.getsockname()[1]}))
    order = _heard(inbound, "run")
    told = order.fields
    plan = Plan.parse(order.blobs[0])
    group = Group(plan.computers, plan.collusion)
    rank = told["rank"]
    addresses = {member: (host, port) for member, (host, port) in told["addresses"].items()}
    limits = Limits(told["connect"], told["silence"])
    with joined(group, rank, order.blobs[1], sock, addresses, _credentials(told), limits) as links:
        _compute(plan, Computer(group, rank, links), order, (inbound, outbound))


class Computer:
    """This computer's place in the run."""

    def __init__(self, group: Group, rank: int, links: Joined) -> None:
        self.group, self.rank, self.links = group, rank, links
        self.member = group.computers[rank]
        self.transcript = Transcript()

    def engine(self, delivered: Mapping[str, Delivered]) -> ShamirEngine:
        """The engine, with channels to the other computers and what outside owners have sent."""
        channels = {**self.links.channels, **delivered}
        return ShamirEngine(Context(self.rank, self.group, channels, self.links.keys, self.transcript))

    def traffic(self, plan: Plan) -> list[tuple[str, int, int]]:
        """Step, rounds and payload bytes sent."""
        sent = [item for channel in self.links.channels.values() for item in channel.sent.items()]
        return [
            (step.id, self.transcript.total_rounds(step.id), sum(size for path, size in sent if lane(path) == step.id))
            for step in shared_steps(plan)
        ]


def _compute(plan: Plan, computer: Computer, order: Message, pipes: tuple[IO[bytes], IO[bytes]]) -> None:
    inbound, outbound = pipes
    blobs = iter(order.blobs[2:])
    inputs = {step: _words(plan, step, blobs) for step in order.fields["inputs"]}
    received: dict[str, dict[str, bytes]] = {}
    for owner, step in order.fields["outside"]:
        received.setdefault(owner, {})[step] = next(blobs)
    engine = computer.engine({owner: Delivered(owner, payloads) for owner, payloads in received.items()})
    tables = run_shared(plan, engine, inputs, lambda step: write(outbound, Message("begin", {"step": step})))
    write(outbound, Message("computed", {"traffic": computer.traffic(plan)}))
    _heard(inbound, "release")
    parts = release(engine, tables)
    names = [(part.step, part.recipient) for part in parts]
    write(outbound, Message("parts", {"parts": names}, [part.payload for part in parts]))
    read(inbound)  # until the node closes: others may still need what was sent


def _words(plan: Plan, step_id: str, blobs: Any) -> list[Words]:
    step = plan.step(step_id)
    if not isinstance(step, Share):
        raise InternalError("parties/internal", f"`{step_id}` shares nothing")
    return [
        np.frombuffer(next(blobs), np.uint64).reshape(words_shape(shape, step.rows))
        for shape in shapes_of(step.columns)
    ]


def _heard(inbound: IO[bytes], kind: str) -> Message:
    message = read(inbound)
    if message is None or message.kind != kind:
        raise SystemExit(1)  # the node has ended the run
    return message


def _listening(host: str, ports: tuple[int, int]) -> socket.socket:
    """A socket on a free port of the range; both ends 0 for any port."""
    first, last = ports
    for port in range(first, last + 1):
        try:
            return listening(host, port)
        except OSError:
            continue
    raise OperatorError(
        "shamir/ports",
        f"no port from {first} to {last} is free on {host} for the computing process",
        remedy="widen `computing_ports` in party.yaml; each running session with colluding computers takes one",
    )


def _credentials(told: Mapping[str, Any]) -> Credentials:
    roots, consortium = told["roots"], told["consortium"]

    def check(member: str, certificate: bytes) -> None:
        pem = x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM).decode()
        check_certificate(pem, Identity(consortium, "node", member), roots[member], datetime.now(UTC))

    passphrase = told["passphrase"]
    secret = None if passphrase is None else passphrase.encode()
    return Credentials(told["certificate"], told["key"], secret, roots, check)


if __name__ == "__main__":
    main()
