"""``consortia coordinator``: the process that schedules sessions and carries messages."""

import signal
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from consortia.cli.logs import configure_logs
from consortia.cli.options import PassphraseOption
from consortia.cli.output import JsonOption, emit, examples, note
from consortia.control.health import HealthServer
from consortia.control.identity import TlsIdentity
from consortia.control.limits import ControlLimits
from consortia.coordinator.live import LiveDirectory
from consortia.coordinator.service import CoordinatorService, serve
from consortia.coordinator.store import Store
from consortia.errors import OperatorError
from consortia.trust.certificates import COORDINATOR, Identity, check_certificate, fingerprint
from consortia.trust.home import CoordinatorHome
from consortia.trust.keyfiles import read_passphrase
from consortia.trust.setup import init_coordinator
from consortia.version import __version__

app = typer.Typer(
    help="The coordinator: schedules sessions, carries sealed messages, is trusted with nothing.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _root() -> None:
    pass


@app.command(
    epilog=examples(
        "consortia coordinator init --consortium aml --endpoint coordinator.example:7400 --coordinator-home ./c",
        "consortia coordinator init --consortium aml --endpoint localhost:7400 --coordinator-home ./coordinator --json",
    ),
)
def init(
    consortium: Annotated[str, typer.Option(help="The consortium's id, the same at all members.")],
    endpoint: Annotated[str, typer.Option(help="HOST:PORT under which members dial the coordinator.")],
    coordinator_home: Annotated[Path, typer.Option(help="The coordinator's home folder.", metavar="FOLDER")],
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Make the coordinator's home: its own TLS root and serving certificate. Nothing is ever overwritten."""
    home = CoordinatorHome(coordinator_home, read_passphrase(passphrase_file))
    made = init_coordinator(home, consortium, endpoint, datetime.now(UTC))
    root = fingerprint(home.entry().tls_root)
    emit(
        {"home": str(home.path), "endpoint": endpoint, "made": [str(path) for path in made], "tls_root": root},
        f"coordinator of {consortium} at {endpoint}, TLS root {root}",
        json=json,
    )
    note(f"next: consortia manifest new FOLDER --coordinator {home.path / 'coordinator.json'} --home ...")


@app.command(
    "serve",
    epilog=examples(
        "consortia coordinator serve --coordinator-home ./coordinator",
        "consortia coordinator serve --coordinator-home ./coordinator --listen 127.0.0.1:7400 --silence-seconds 60",
    ),
)
def run(
    coordinator_home: Annotated[Path, typer.Option(help="The coordinator's home folder.", metavar="FOLDER")],
    listen: Annotated[str, typer.Option(help="host:port; default: the endpoint in coordinator.json.")] = "",
    health: Annotated[str, typer.Option(help="host:port of /healthz, /readyz and /metrics; default: none.")] = "",
    unseen_seconds: Annotated[float, typer.Option(help="Wait for a party that never connected.")] = 9.0,
    closed_seconds: Annotated[float, typer.Option(help="Wait for a party whose connection closed.")] = 8.0,
    silence_seconds: Annotated[float, typer.Option(help="Wait for a connected party that says nothing.")] = 60.0,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Serve until SIGINT or SIGTERM; sessions go on where they were after the next start."""
    configure_logs()
    home = CoordinatorHome(coordinator_home, read_passphrase(passphrase_file))
    directory = LiveDirectory(home)
    present, pair, entry = directory(), home.tls(), home.entry()
    identity = Identity(present.manifest.consortium, "coordinator", COORDINATOR)
    check_certificate(pair.certificate, identity, present.manifest.coordinator.tls_root, datetime.now(UTC), own=True)
    limits = _limits(unseen_seconds, closed_seconds, silence_seconds)
    store = Store(home.path / "coordinator.sqlite")
    service = CoordinatorService(store, directory, limits, __version__)
    tls = TlsIdentity(identity, pair.certificate, pair.key_pem(), present.roots().decode())
    server = serve(service, listen or entry.endpoint, tls, limits)
    probes = HealthServer(health, lambda: True, service.numbers()) if health else None
    emit(
        {"listening": listen or entry.endpoint, "port": server.port},
        f"coordinator of {identity.consortium} listens on port {server.port}",
        json=json,
    )
    _until_signalled()
    if probes is not None:
        probes.close()
    server.stop()
    store.close()


def _limits(unseen: float, closed: float, silence: float) -> ControlLimits:
    try:
        return ControlLimits(unseen_seconds=unseen, closed_seconds=closed, silence_seconds=silence)
    except ValueError as error:
        raise OperatorError(
            "cli/limits", "a time limit must lie between 0 and 86400 seconds", remedy="give a positive number"
        ) from error


def _until_signalled() -> None:
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()
