"""A node as a process of its own that kills itself (``kill -9``) at one point: ``python -m tests.killed_party``.

The only argument is JSON: ``home``, ``listen`` (of its data plane), ``plan``, ``edits`` of its policy, and ``point``,
one of ``POINTS``. It prints a line once the coordinator has taken its connection. Its work is the token computation of
``tests.session_world``; session, ledger and store are the product's.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import event

from consortia.control.phases import STAGES, Phase
from consortia.parties import assent, session
from consortia.parties.config import PartyConfig, PartyLimits
from consortia.parties.ledger import Ledger
from consortia.parties.node import PartyNode
from consortia.parties.store import Store
from consortia.plans.model import Plan
from consortia.trust.home import Home
from tests.session_world import LIMITS, Script, TokenWork, own_part

MOVES = tuple(str(phase) for phase in (Phase.PROPOSED, Phase.REVIEWING, *STAGES))
TRANSACTIONS = (*MOVES[:-2], "committed", *MOVES[-2:])
"""The transactions of a session that move it, in order; ``committed`` is that of the ledger before the last word."""
POINTS = tuple(
    point
    for name in TRANSACTIONS
    for point in (f"before {name}", f"after {name}", *(("after the last word",) if name == "committed" else ()))
)
"""``before``: the transaction is written and not yet committed; ``after``: it is, and nothing was done since."""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_later() -> None:
    """Once what was handed to the links has left this host."""
    time.sleep(0.3)
    die()


def arm(store: Store, point: str) -> None:
    """Kill this process at ``point``."""
    when, _, name = point.partition(" ")
    reached = [False]

    def reaching(method: Callable[..., Any], wanted: Callable[..., bool]) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            answer = method(*arguments)
            reached[0] = reached[0] or wanted(*arguments)
            return answer

        return called

    if name == "the last word":
        exchange = assent.exchange_assent

        def exchanging(*arguments: Any) -> None:
            exchange(*arguments)
            die_later()

        session.exchange_assent = exchanging  # type: ignore[attr-defined]  # imported there by name
        hear = assent._hear

        def hearing(link: Any, step: str, peer: str) -> None:
            if step == assent.ASSENT:  # a computer still hears the others' words; its own has left on every link
                die_later()
            hear(link, step, peer)

        assent._hear = hearing
        return
    if name == "committed":
        Ledger.commit = reaching(Ledger.commit, lambda *_: True)  # type: ignore[method-assign]  # dies in it
    elif name == Phase.PROPOSED:
        Store.propose = reaching(Store.propose, lambda *_: True)  # type: ignore[method-assign]  # dies in it
    else:
        Store.move = reaching(  # type: ignore[method-assign]  # dies in it
            Store.move, lambda _self, _transaction, _session, target, *_: target == name
        )

    if when == "before":
        event.listen(store.engine, "commit", lambda _connection: die() if reached[0] else None)
    else:
        event.listen(store.engine.pool, "checkin", lambda _connection, _record: die() if reached[0] else None)


def main() -> None:
    given = json.loads(sys.argv[1])
    home = Home(Path(given["home"]))
    plan = Plan.parse(given["plan"].encode())
    config = PartyConfig(
        home=home.path,
        listen=given["listen"],
        limits=PartyLimits(connect_seconds=3, silence_seconds=3, control=LIMITS),
    )
    own = own_part(plan, home.member, *(tuple(edit) for edit in given["edits"]))
    node = PartyNode(config, home, TokenWork(home, plan, Script(), own))
    arm(node._store, given["point"])
    node.start()
    while not node.connected:
        time.sleep(0.01)
    print("connected", flush=True)
    node.wait()


if __name__ == "__main__":
    main()
