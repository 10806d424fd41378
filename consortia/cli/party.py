"""``consortia party``: the node of a member."""

import signal
import threading
from pathlib import Path
from typing import Annotated

import structlog
import typer

from consortia.cli.audit.home_store import node_store
from consortia.cli.logs import configure_logs
from consortia.cli.options import HomeOption, PassphraseOption
from consortia.cli.output import JsonOption, emit, examples, table
from consortia.control.diagnosis import split_endpoint
from consortia.control.health import HealthServer
from consortia.parties.config import read_config
from consortia.parties.node import PartyNode
from consortia.parties.shamir.run import Place
from consortia.parties.workshop import Workshop
from consortia.protocols.kernels.__main__ import compile_all
from consortia.trust.documents import instant_text
from consortia.trust.home import Home
from consortia.trust.keyfiles import read_passphrase

app = typer.Typer(
    help="The node of a member: reviews, approves and runs sessions on its own data.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(
    epilog=examples("consortia party results --home ./bank-a", "consortia party results --home ./bank-a --json")
)
def results(home: HomeOption = None, json: JsonOption = False) -> None:
    """List the stored results whose time is limited by owners' policies, and when the node deletes them."""
    with node_store(home) as store, store.begin() as transaction:
        clocks = store.retention.clocks(transaction)
    emit(
        {
            "results": [
                {
                    "session": clock.session,
                    "output": clock.step,
                    "days": clock.days,
                    "until": instant_text(clock.until),
                    "deleted": clock.deleted,
                }
                for clock in clocks
            ]
        },
        table(
            ("session", "output", "days", "kept until", ""),
            [
                (clock.session, clock.step, str(clock.days), instant_text(clock.until), "deleted" * clock.deleted)
                for clock in clocks
            ],
        ),
        json=json,
    )


@app.command(
    "serve",
    epilog=examples(
        "consortia party serve --config ./bank-a/party.yaml",
        "consortia party serve --config ./bank-a/party.yaml --json",
    ),
)
def run(
    config: Annotated[Path, typer.Option(help="The node's settings, see docs/operators.md.", metavar="FILE")],
    passphrase_file: PassphraseOption = None,
    new_mailbox: Annotated[
        bool, typer.Option("--new-mailbox", help="Once, after the coordinator lost its database.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Serve until SIGINT or SIGTERM. A session that runs then is ended at all parties; nothing of it is opened."""
    configure_logs()
    settings = read_config(config)
    home = Home(settings.home, read_passphrase(passphrase_file))
    if home.member in home.trusted().manifest.computers:
        count, seconds = compile_all()  # before it listens, so that no run waits for the compiler
        structlog.get_logger("consortia.parties").info("kernels-ready", kernels=count, seconds=round(seconds, 1))
    place = Place(split_endpoint(settings.listen)[0], settings.ports(), silence_seconds=settings.limits.silence_seconds)
    workshop = Workshop(home, memory_megabytes=settings.memory_megabytes, place=place)
    node = PartyNode(settings, home, workshop, new_mailbox=new_mailbox)
    probes = HealthServer(settings.health, lambda: node.connected, node.numbers()) if settings.health else None
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: threading.Thread(target=node.stop).start())
    node.start()
    emit({"member": node.member, "port": node.port}, f"node of {node.member} listens on port {node.port}", json=json)
    try:
        node.wait()
    finally:
        node.stop()
        if probes is not None:
            probes.close()
