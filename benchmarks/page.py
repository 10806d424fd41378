"""The page ``docs/benchmarks.md``, from what was measured."""

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.measure import Missing, Row, growth, spread
from benchmarks.peers import OURS, Engine
from benchmarks.workloads import BY_NAME

REPRODUCE = """\
```sh
make bench                                          # everything; writes build/bench.json and this page
make bench WORKLOADS=sort SIZES=100000 PEERS=spu    # a part of it: a table on the screen, this page stays
```

Workloads are chosen by id or its first part, sizes by number, peers by name (`PEERS=none` for ours alone).
`build/bench.json` is a list of rows `{workload, n, engine, setting, seconds_median, bytes_per_party, rounds,
correct, ratio}` and more; `ratio` stands on our rows only."""

METHOD = """\
Every engine runs as three processes on this one machine, inputs already shared, result left shared. The engines
take turns run by run. A run counts from the first party's start, after a barrier, to the last party's end; the
table shows the median. Short operations are run 15 times, those above 0.5 s three times, above 8 s once. The last
result of every engine is opened and compared with NumPy's: `wrong` says that it differs, and such a row is left out
of every ratio. All parties share the cores, so three processes always wait for each other's time slices.

Ours goes over the sealed TCP links of a real session (AES-256-GCM, loopback), opened with keys made by hand. Peers
talk plainly. `B/row` is the mean number of bytes that a party sends for each row (for matrices: element): payload
before framing, by the engine's own count; for CrypTen, which does not count, bytes on the loopback device with
their headers, a third of the least of all runs. Rounds: ours as declared and counted; SPU's are send actions of its
first party; CrypTen's are by its own counter.

`ratio` is SPU's fastest correct setting over ours: SPU's ABY3 protects as ours does, so it is the one to be
compared with. CrypTen's triples come from a dealer inside each process: no traffic for them and no protection
either; its numbers and MPyC's stand beside."""

PEER_NOTES = """\
SPU is asked in the way that we found fastest: `QUICK` for every sort; group-by by sort, running sums and marks of
the groups' ends, which needs no oblivious scan and stays exact, where the function that SPU ships
(`spu.ops.groupby`) uses floating-point masks and gave wrong sums; a join by one sort and a scan. SPU's groups and
matches stay scattered among n rows, ours are brought together or put back into input order: work that SPU's time
does not hold.

PageRank and risk propagation: ours is the step of a plan, keys of 96 bits in, payments with unlisted accounts counted
for nothing, the number of accounts secret. SPU and MPyC have no secret permutations, so they get who pays and who is
paid as one-hot matrices of n rows and n/6 columns, ready made: no keys to match, the accounts public and numbered. An
iteration is then two products of a matrix and a vector, whose traffic is linear; their work grows with n squared, which
ends the sizes they are asked for. Cycles and scatter-gather have no peer: none joins many rows with many. Boosted trees
run on SPU as a JAX program of the same algorithm; no part of that is in its package."""

COSTS = """\
Microseconds a row of ours, and the highest memory of all three processes together at the largest size shown,
interpreter, kernels, inputs and result included."""

NO_DELAY = """\
- no wide-area delay: all parties stand on one machine, so a round costs what a switch of processes costs. On slow
  links rounds decide."""


def page(
    rows: Sequence[Row],
    missing: Sequence[Missing],
    about: Mapping[str, str],
    engines: Iterable[Engine],
    date: str,
) -> str:
    """The whole page."""
    parts = [
        "# Benchmarks",
        f"Made by `make bench` on {date}: don't edit, the command writes it.",
        "What bounds the slowest workloads: [benchmarks-notes.md](benchmarks-notes.md).",
        "## Machine and versions",
        "\n".join([*(f"- {name}: {value}" for name, value in about.items()), *other_work(rows)]),
        f"- how quiet it was: over all rows the slowest run took {spread(rows):.2f} times the fastest (median)",
        "## How to reproduce",
        REPRODUCE,
        "## How it is measured",
        METHOD,
        "\n".join(f"- `{engine.name}`: {engine.says}" for engine in engines),
        PEER_NOTES,
        "## Results",
        *(section(name, rows) for name in BY_NAME if any(row.workload == name for row in rows)),
        "## Cost per row",
        costs_per_row(rows),
        "## Not measured",
        not_measured(missing, rows),
    ]
    return "\n\n".join(parts) + "\n"


def other_work(rows: Sequence[Row]) -> list[str]:
    """A line for each command that measured some of the rows: how busy the machine was before it."""
    commands: dict[tuple[str, float], list[str]] = {}
    for row in rows:
        if row.ended:
            commands.setdefault((row.ended, row.load), []).append(row.workload)
    return [
        f"- other work: load average {load:.1f} before the command that ended at {ended} UTC and measured "
        f"{', '.join(dict.fromkeys(names))}"
        for (ended, load), names in sorted(commands.items())
    ]


def section(workload: str, rows: Sequence[Row]) -> str:
    """One workload's table."""
    work = BY_NAME[workload]
    lines = [
        f"### {workload}",
        "",
        f"{work.says[:1].upper()}{work.says[1:]}.",
        "",
        *([work.published, ""] if work.published else []),
        "| n | engine | setting | seconds | B/row | rounds | ratio to SPU |",
        "|---:|---|---|---:|---:|---:|---:|",
    ]
    for row in sorted((row for row in rows if row.workload == workload), key=_by_size):
        sent = "" if row.bytes_per_party is None else f"{row.bytes_per_party / row.n:,.1f}"
        ratio = "" if row.ratio is None else f"**{row.ratio:.1f}**"
        if row.ratio is not None and row.ratio_to != "spu":
            ratio = f"({row.ratio:.1f} to {row.ratio_to})"
        name = f"**{row.engine}**" if row.engine == OURS else row.engine
        setting = row.setting if row.correct else f"{row.setting} **wrong**".strip()
        lines.append(
            f"| {row.n:,} | {name} | {setting} | {seconds(row.seconds_median)} | {sent} | {row.rounds or ''} |"
            f" {ratio} |"
        )
    return "\n".join(lines)


def _by_size(row: Row) -> tuple[int, bool, str, str]:
    return row.n, row.engine != OURS, row.engine, row.setting


def seconds(value: float) -> str:
    """Three significant digits, and no exponent above."""
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def costs_per_row(rows: Sequence[Row]) -> str:
    """Our microseconds a row and the memory of the largest size."""
    found = growth(rows)
    sizes = sorted({size for costs in found.values() for size in costs})
    peaks = {(row.workload, row.setting): (row.n, row.peak_bytes_of_all_parties) for row in rows if row.engine == OURS}
    lines = [
        COSTS,
        "",
        "| workload | " + " | ".join(f"n = {size:,}" for size in sizes) + " | peak memory |",
        "|---|" + "---:|" * (len(sizes) + 1),
    ]
    for (workload, setting), costs in found.items():
        cells = [seconds(costs[size]) if size in costs else "" for size in sizes]
        n, peak = peaks[workload, setting]
        lines.append(f"| {f'{workload} {setting}'.strip()} | {' | '.join(cells)} | {peak / 2**30:.1f} GiB at {n:,} |")
    return "\n".join(lines)


def not_measured(missing: Sequence[Missing], rows: Sequence[Row]) -> str:
    """What is not in the tables, and why."""
    lines = [f"- {gap.workload}, n = {gap.n:,}, {gap.engine}: {gap.reason}" for gap in missing if gap.n]
    lines += [f"- {gap.workload}, {gap.engine}: {gap.reason}" for gap in missing if not gap.n]
    absent = [name for name in BY_NAME if not any(row.workload == name and row.engine == OURS for row in rows)]
    if absent:
        lines.append(f"- {', '.join(absent)}: our engine has no operator for it yet")
    lines.append(NO_DELAY)
    return "\n".join(lines)
