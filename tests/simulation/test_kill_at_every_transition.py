"""``kill -9`` of an owner's node at every transition of a session: nothing is lost, doubled or wrongly given back.

Four members: three compute, ``bank-d`` owns data and does not compute. The node of ``bank-c`` or ``bank-d`` dies at one
point, is started again, and a second query must then be answered. Whatever the point:

- no session is stuck: it ends at every party
- if any computer released a part, the ledgers of all owners have the query committed, the killed owner's too
- an owner's ledger gives a query back only if no computer released a part
- every ledger has one row a session, no number twice, and no result arrives twice
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from consortia.control.messages import Kind
from consortia.control.phases import ENDS, Phase
from consortia.parties.ledger import Entry, LedgerRow
from consortia.parties.session import SessionRunner
from consortia.parties.store import Store
from tests.killed_party import POINTS
from tests.session_world import Client, SessionWorld, session_world, with_control

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/kill-points.md"
VICTIMS = ("bank-c", "bank-d")
QUICK = ("before committed", "after the last word")


@dataclass(frozen=True)
class Outcome:
    """What became of the session in which the node of ``victim`` died."""

    victim: str
    point: str
    phase: str
    ledger: str
    others: str
    opened: bool

    def line(self) -> str:
        released = "yes" if self.opened else "no"
        who = "computes" if self.victim == "bank-c" else "owns data alone"
        return f"| {self.point} | {who} | {self.phase} | {self.ledger} | {self.others} | {released} |"


def peek(world: SessionWorld, member: str, session: str) -> tuple[Phase | None, list[LedgerRow]]:
    """Phase and ledger of a member's node, whether it runs or not."""
    store = Store(world.consortium.home(member).path / "node.sqlite")
    try:
        with store.begin() as transaction:
            return store.phase(transaction, session), list(store.ledger.rows(transaction))
    finally:
        store.close()


@contextmanager
def controlled_world(folder: Path, start: Sequence[str]) -> Iterator[SessionWorld]:
    """Whose plan has an output control, so that a session goes through every phase that needs no officer."""
    with session_world(folder, owners_only=("bank-d",), start=()) as world:
        world.plan = with_control(world.plan)
        for member in start:
            world.start_node(member)
        yield world


def start_victim(world: SessionWorld, victim: str, point: str) -> subprocess.Popen[str]:
    home = world.consortium.home(victim)
    given = {
        "home": str(home.path),
        "listen": home.trusted().cards[victim].endpoint,
        "plan": world.plan.canonical().decode(),
        "edits": world.edits,
        "point": point,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.killed_party", json.dumps(given)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "connected\n"
    return process


def wait_ended(world: SessionWorld, session: str, members: list[str], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while any(peek(world, member, session)[0] not in {*ENDS, None} for member in members):
        assert time.monotonic() < deadline, {member: peek(world, member, session)[0] for member in members}
        time.sleep(0.05)


def parts_of(client: Client, session: str) -> list[tuple[str, int]]:
    """Sender and number of every piece of a result that arrived."""
    return [
        (letter.sender, int(json.loads(letter.body)["index"]))
        for letter in client.letters
        if letter.kind == Kind.PART and letter.session == session
    ]


def kill_at(world: SessionWorld, victim: str, point: str) -> Outcome:
    members = ["bank-a", "bank-b", "bank-c", "bank-d"]
    process = start_victim(world, victim, point)
    client = world.client()
    session = world.submit(client)
    try:
        assert process.wait(20) == -9
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"{point} was not reached: {[letter.body for letter in client.letters]}") from None
    assert process.stdout is not None
    process.stdout.close()
    world.start_node(victim)
    wait_ended(world, session, members)
    client.end(session)
    again = world.submit(client)
    assert client.end(again).phase is Phase.SEALED
    wait_ended(world, again, members)
    # A ledger has no row of a session that ended before this owner approved it.
    states = {}
    for member in members:
        rows = peek(world, member, session)[1]
        assert len({row.session for row in rows}) == len(rows)
        assert [row.number for row in rows] == sorted({row.number for row in rows})
        assert next(row.state for row in rows if row.session == again) is Entry.COMMITTED
        states[member] = next((row.state for row in rows if row.session == session), None)
    arrived = parts_of(client, session)
    assert len(arrived) == len(set(arrived))
    assert len(parts_of(client, again)) == len(set(parts_of(client, again))) > 0
    opened = bool(arrived) or any(Phase.RELEASING in moves(world, member, session) for member in world.plan.computers)
    if opened:
        assert set(states.values()) == {Entry.COMMITTED}
    assert Entry.RESERVED not in states.values()
    world.nodes.pop(victim).stop(2)
    phase = peek(world, victim, session)[0]
    others = ", ".join(sorted({shown(state) for member, state in states.items() if member != victim}))
    return Outcome(victim, point, str(phase), shown(states[victim]), others, opened)


def moves(world: SessionWorld, member: str, session: str) -> list[Phase]:
    store = Store(world.consortium.home(member).path / "node.sqlite")
    try:
        with store.begin() as transaction:
            return [phase for _, phase, _ in store.history(transaction, session)]
    finally:
        store.close()


def shown(state: Entry | None) -> str:
    return "no row" if state is None else str(state)


def table() -> dict[tuple[str, str], str]:
    """The rows of the page by point and victim."""
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith(("| before", "| after"))]
    keyed = {}
    for line in rows:
        point, who = (cell.strip() for cell in line.split("|")[1:3])
        keyed[point, "bank-c" if who == "computes" else "bank-d"] = line
    return keyed


def test_a_node_that_is_killed_where_money_would_be_lost_ends_as_the_page_says(tmp_path: Path) -> None:
    with controlled_world(tmp_path, ("bank-a", "bank-b", "bank-c")) as world:
        for point in QUICK:
            assert kill_at(world, "bank-d", point).line() == table()[point, "bank-d"]


def test_a_result_that_comes_together_with_the_end_of_the_session_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = SessionRunner._finish

    def once_all_is_here(runner: SessionRunner) -> None:
        deadline = time.monotonic() + 10
        while runner._inbox._end is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        finish(runner)

    monkeypatch.setattr(SessionRunner, "_finish", once_all_is_here)
    others = ("bank-a", "bank-b", "bank-c")
    with session_world(tmp_path, owners_only=("bank-d",), start=others, to_members=True) as world:
        process = start_victim(world, "bank-d", "after releasing")
        client = world.client()
        session = world.submit(client)
        assert process.wait(20) == -9
        assert process.stdout is not None
        process.stdout.close()
        client.end(session)  # it was away for longer than the others wait
        node = world.start_node("bank-d")
        world.wait_phases(session, Phase.SEALED, ("bank-d",))
        with node._store.begin() as transaction:
            assert set(node._store.results(transaction, session)) == {world.plan.steps[-1].id}


@pytest.mark.slow
@pytest.mark.parametrize("victim", VICTIMS)
def test_a_node_that_is_killed_at_any_transition_ends_as_the_page_says(tmp_path: Path, victim: str) -> None:
    rest = [name for name in ("bank-a", "bank-b", "bank-c", "bank-d") if name != victim]
    with controlled_world(tmp_path, rest) as world:
        found = {(point, victim): kill_at(world, victim, point).line() for point in POINTS if reachable(victim, point)}
    if os.environ.get("CONSORTIA_GOLDEN") == "write":
        write({**table(), **found})
    assert found == {key: line for key, line in table().items() if key[1] == victim}


def reachable(victim: str, point: str) -> bool:
    """An owner that does not compute goes from sharing to releasing."""
    return victim == "bank-c" or not point.endswith(("computing", "controlling"))


def write(rows: dict[tuple[str, str], str]) -> None:
    head = PAGE.read_text().split("| before", 1)[0]
    ordered = [rows[point, victim] for victim in VICTIMS for point in POINTS if (point, victim) in rows]
    PAGE.write_text(head + "\n".join(ordered) + "\n")
