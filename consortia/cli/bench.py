"""``consortia bench``: how fast one's own machine and links are, and what ``explain`` would predict with them."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.text import Text

from consortia.cli.options import HomeOption, now, open_home
from consortia.cli.output import JsonOption, emit, note, table
from consortia.control.diagnosis import split_endpoint
from consortia.errors import PeerError, RequestError
from consortia.parties.bench import probe
from consortia.parties.bench.primitives import Timed, machine_of, measured
from consortia.plans.cost import LINKS, MACHINE, Link, Machine
from consortia.visible import visible

EXAMPLES = (
    "consortia bench --local",
    "consortia bench --home ./bank-a",
    "consortia bench --listen 0.0.0.0:7499        # at the other member, for as long as it takes",
    "consortia bench --to bank-b.example:7499",
)


@dataclass(frozen=True, slots=True)
class LinkFound:
    """What was measured towards one other computer. Seconds and bytes a second; None: not measured, ``why`` not."""

    peer: str
    endpoint: str
    latency: float | None = None
    bytes_out: float | None = None
    bytes_in: float | None = None
    resembles: str = ""
    why: str = ""


def command(
    local: Annotated[bool, typer.Option("--local", help="This machine alone, as if all computers ran on it.")] = False,
    to: Annotated[
        list[str] | None, typer.Option("--to", help="A link to HOST:PORT, where `consortia bench --listen` runs.")
    ] = None,
    listen: Annotated[str, typer.Option("--listen", help="Answer others at HOST:PORT until interrupted.")] = "",
    sizes: Annotated[str, typer.Option("--sizes", help="Numbers of rows, separated by commas.")] = "10000,100000",
    runs: Annotated[int, typer.Option("--runs", min=1, help="Runs of each operation; the median counts.")] = 3,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Measure this machine and its links: latency, bandwidth, a round, a few operations; no data is touched.

    Three computers run as processes of this machine, joined by sealed links. With a member's home, the time to reach
    the other computers is measured as well, at the addresses in their cards; their bandwidth only with --to, where
    their operator runs --listen. Says which class of links of `explain --link` each resembles.
    """
    if listen:
        _answer(listen)
        return
    rows = _sizes(sizes)
    links = [_towards("", host, port, probe.measure) for host, port in map(split_endpoint, to or ())]
    if not local and not to:
        links = _computers(home)
    note("three computers on this machine")
    seconds, operations = measured(rows, runs, lambda each: note(_line(each)))
    machine = machine_of(operations)
    emit(_value(links, seconds, operations, machine), _table(links, seconds, operations, machine), json=json)


def _answer(listen: str) -> None:
    host, port = split_endpoint(listen)
    with probe.listen(host, port) as listening:
        note(f"answering; next, at the other side: consortia bench --to {host}:{listening.getsockname()[1]}")
        try:
            probe.answer(listening)
        except KeyboardInterrupt:
            note("ended")


def _computers(home: Path | None) -> list[LinkFound]:
    """The links to the other computers of the manifest, as far as a connection tells."""
    member = open_home(home)
    trusted = member.trusted()
    found = []
    for peer in trusted.manifest.computers:
        if peer != member.member:
            endpoint = trusted.card(peer, now()).endpoint
            known = _towards(peer, *split_endpoint(endpoint), _reached) if endpoint else None
            found.append(known or LinkFound(peer, endpoint, why="its card names no address"))
    return found


def _reached(host: str, port: int) -> probe.Measured:
    return probe.Measured(probe.connect_seconds(host, port) / 2, math.nan, math.nan)


def _towards(peer: str, host: str, port: int, measure: Callable[[str, int], probe.Measured]) -> LinkFound:
    endpoint = f"{host}:{port}"
    try:
        found = measure(host, port)
    except PeerError as error:
        return LinkFound(peer, endpoint, why=error.message)
    out, into = (None if math.isnan(value) else value for value in (found.bytes_out, found.bytes_in))
    return LinkFound(peer, endpoint, found.latency, out, into, nearest(found.latency, out).name)


def nearest(latency: float, bytes_per_second: float | None) -> Link:
    """The class of links nearest by orders of magnitude."""

    def distance(link: Link) -> float:
        away = abs(math.log(max(latency, 1e-6) * 1e6 / link.latency_us))
        return away + (abs(math.log(bytes_per_second / link.bytes_per_second)) if bytes_per_second else 0.0)

    return min(LINKS, key=distance)


def _sizes(text: str) -> list[int]:
    words = text.replace(",", " ").split()
    if not words or not all(word.isdecimal() and 0 < int(word) <= 10**8 for word in words):
        raise RequestError("cli/sizes", f"`{text}` are no numbers of rows", remedy="write them as 10000,100000")
    return [int(word) for word in words]


def _line(each: Timed) -> str:
    return f"{each.name:10s} {each.rows:>11,} rows  {each.seconds:9.4f} s"


def _value(links: list[LinkFound], seconds: float, operations: list[Timed], machine: Machine) -> dict[str, Any]:
    return {
        "links": [asdict(link) for link in links],
        "round_seconds": seconds,
        "machine": machine.model_dump(),
        "explain_uses": MACHINE.model_dump(),
        "operations": [asdict(each) for each in operations],
        "resembles": _resembles(links),
    }


def _resembles(links: list[LinkFound]) -> str:
    """The slowest class among the links; that of one machine where none was measured."""
    names = [link.name for link in LINKS]
    return max((link.resembles for link in links if link.resembles), key=names.index, default=names[0])


def _table(links: list[LinkFound], seconds: float, operations: list[Timed], machine: Machine) -> Group:
    said = f"(explain predicts with {MACHINE.round_us} and {MACHINE.byte_ps})"
    lines = [
        *(f"{link.peer or 'link'} at {link.endpoint}: {_link_text(link)}" for link in links),
        f"a round on this machine: {1e6 * seconds:.0f} us",
        f"this machine: {machine.round_us} us a round, {machine.byte_ps} ps for a byte sent {said}",
        f"resembles: --link {_resembles(links)}",
    ]
    columns = ("operation", "rows", "seconds", "rounds", "bytes a row")
    rows = [
        (each.name, f"{each.rows:,}", f"{each.seconds:.4f}", f"{each.rounds}", f"{each.bytes_a_row:.1f}")
        for each in operations
    ]
    return Group(Text(visible("\n".join(lines))), table(columns, rows))


def _link_text(link: LinkFound) -> str:
    if link.latency is None:
        return f"not measured: {link.why}"
    speed = (
        "bandwidth not measured"
        if link.bytes_out is None or link.bytes_in is None
        else f"{link.bytes_out / 1e6:,.0f} MB/s there, {link.bytes_in / 1e6:,.0f} MB/s back"
    )
    return f"{1000 * link.latency:.3f} ms one way, {speed}: like --link {link.resembles}"
