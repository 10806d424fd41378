"""One run of the shamir engine at a node: the others' ports, the inputs, the process, and its parts.

The nodes' own links (sealed, agreed on for this attempt) carry what comes before: each computer tells the others the
port of its process and 32 random bytes, and the digest of all of these names the session that the processes compare.
Owners that do not compute send their shares over them too. Numbers and bits of the run itself go from process to
process over TLS.
"""

import secrets
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from consortia.control.diagnosis import split_endpoint
from consortia.execution.layout import shapes_of
from consortia.parties.release import ResultPart
from consortia.parties.shamir.child import ComputingProcess
from consortia.parties.shamir.pipe import Message
from consortia.parties.work import Computed, Ends
from consortia.plans.model import Plan, Share
from consortia.protocols.channel import Channel
from consortia.protocols.engine import ColumnShape
from consortia.protocols.shamir.costs import Group, message_bytes, row_content
from consortia.protocols.shares import Words
from consortia.trust.home import Home
from consortia.trust.sessions import StepTraffic

MEETING = "shamir/meeting"
"""The step under which the nodes tell each other where their processes listen."""
_MEETING = struct.Struct(">32sH")
_FINISH_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where this node's computing processes listen: host, first and last port; and the time limits of a run."""

    host: str = "127.0.0.1"
    ports: tuple[int, int] = (0, 0)
    connect_seconds: float = 30.0
    silence_seconds: float = 60.0


def computed_shamir(
    plan: Plan,
    home: Home,
    place: Place,
    ends: Ends,
    inputs: Callable[[], Mapping[str, Sequence[Words]]],
    begin: Callable[[str], None],
    now: datetime,
) -> Computed:
    """Run the shared steps of ``plan`` in a process of its own; ``inputs``, the local stage, is called once.

    Raises what the process failed with; OperatorError ``shamir/process`` if it ends by itself or is killed.
    """
    process = ComputingProcess()
    ends.closing(process.close)
    process.tell(Message("start", {"host": place.host, "ports": place.ports}))
    port = int(process.hear("listening").fields["port"])
    own = inputs()
    outside, delivered = _delivered(plan, ends.channels, begin)
    # the links' beats tell of a long local stage, so the processes meet when all inputs are there
    session, ports = _meet(plan, home.member, ends.channels, port)
    order = _order(plan, home, place, ports, now)
    blobs = [plan.canonical(), session, *(words.tobytes() for columns in own.values() for words in columns), *delivered]
    process.tell(Message("run", {**order, "inputs": list(own), "outside": outside}, blobs))
    while (told := process.hear_any()).kind == "begin":
        step = told.fields["step"]
        if step not in {step for _, step in outside}:
            begin(step)
    traffic = tuple(StepTraffic(step=step, rounds=rounds, bytes=sent) for step, rounds, sent in told.fields["traffic"])
    return Computed(traffic, lambda: _release(process))


def send_shares(plan: Plan, channels: Mapping[str, Channel], step: Share, values: Sequence[Words]) -> None:
    """At an owner that does not compute: a share of its columns to each computer."""
    # MPyC is optional: only plans that need it load it
    from consortia.protocols.shamir.sharing import send_input  # noqa: PLC0415

    group = Group(plan.computers, plan.collusion)
    send_input(channels, group, step.id, step.rows, shapes_of(step.columns), values)


def _meet(plan: Plan, member: str, channels: Mapping[str, Channel], port: int) -> tuple[bytes, dict[str, int]]:
    """The session's name, and the port of each other computer's process."""
    own = _MEETING.pack(secrets.token_bytes(32), port)
    others = [computer for computer in plan.computers if computer != member]
    for peer in others:
        channels[peer].send(MEETING, own)
    heard = {peer: bytes(channels[peer].receive(MEETING, _MEETING.size)) for peer in others} | {member: own}
    names = b"".join(heard[computer] for computer in plan.computers)
    return sha256(b"consortia/shamir session" + names).digest(), {
        peer: _MEETING.unpack(heard[peer])[1] for peer in others
    }


def _order(plan: Plan, home: Home, place: Place, ports: Mapping[str, int], now: datetime) -> dict[str, object]:
    """Who the process is, and how it finds and knows the others."""
    trusted = home.trusted()
    cards = {peer: trusted.card(peer, now) for peer in ports}
    passphrase = home.passphrase
    return {
        "rank": plan.computers.index(home.member),
        "consortium": trusted.manifest.consortium,
        "certificate": str(home.path / "tls" / "node.crt"),
        "key": str(home.path / "keys" / "tls-node.pem"),
        "passphrase": None if passphrase is None else passphrase.decode(),
        "roots": {peer: card.tls_root for peer, card in cards.items()},
        "addresses": {peer: (split_endpoint(card.endpoint)[0], ports[peer]) for peer, card in cards.items()},
        "connect": place.connect_seconds,
        "silence": place.silence_seconds,
    }


def _delivered(
    plan: Plan, channels: Mapping[str, Channel], begin: Callable[[str], None]
) -> tuple[list[tuple[str, str]], list[bytes]]:
    """The shares that outside owners send to this node: (owner, step) and the bytes of each."""
    names, payloads = [], []
    for step in plan.steps:
        if isinstance(step, Share) and step.owner not in plan.computers:
            begin(step.id)
            size = _share_bytes(step.rows, shapes_of(step.columns))
            names.append((step.owner, step.id))
            payloads.append(bytes(channels[step.owner].receive(step.id, size)))
    return names, payloads


def _share_bytes(rows: int, shapes: Sequence[ColumnShape]) -> int:
    numbers, bits = row_content(shapes)
    return message_bytes(rows * numbers, rows * bits)


def _release(process: ComputingProcess) -> tuple[ResultPart, ...]:
    process.tell(Message("release"))
    told = process.hear("parts")
    parts = tuple(
        ResultPart(step, recipient, blob)
        for (step, recipient), blob in zip(told.fields["parts"], told.blobs, strict=True)
    )
    process.finish(_FINISH_SECONDS)
    return parts
