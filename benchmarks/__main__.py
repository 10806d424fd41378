"""``python -m benchmarks``, behind ``make bench``: measure, write ``build/bench.json`` and the page."""

import argparse
import contextlib
import datetime as dt
import json
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks import machine
from benchmarks.cluster import ROOT
from benchmarks.engines.ours_programs import PROGRAMS, SETTINGS
from benchmarks.measure import Limits, Measurement, Missing, Row, enough_memory
from benchmarks.page import page
from benchmarks.peers import OURS, PEERS, Engine, NotInstalled, interpreter, version
from benchmarks.peers import selected as selected_peers
from benchmarks.workloads import BY_NAME
from benchmarks.workloads import selected as selected_workloads

VERSIONS = {
    OURS: ("numpy", "numba", "cryptography"),
    "spu": ("spu", "jax", "numpy"),
    "crypten": ("crypten", "torch", "numpy"),
    "mpyc": ("mpyc", "gmpy2", "uvloop", "numpy"),
}

OWN_LIMIT = 600.0
"""Seconds that a run may be expected to take where ours is measured alone."""

OUR_ENGINE = Engine(
    OURS,
    "`consortia.protocols.ring3`: replicated shares, passive security, one of three may be curious; Python with NumPy "
    "and Numba kernels",
    "benchmarks.engines.ours",
    dict.fromkeys(PROGRAMS, 1 << 60),
    SETTINGS,
)


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--workloads", default="", help="ids or their first parts, comma-separated; all by default")
    parser.add_argument(
        "--sizes", default="", help="numbers of rows, comma-separated; those of each workload by default"
    )
    parser.add_argument("--peers", default=None, help="spu, crypten, mpyc, or none; all by default")
    parser.add_argument(
        "--limit", type=float, default=100.0, help="seconds that one run may be expected to take beside peers"
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="after so long nothing new starts")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench.json", help="where the rows go")
    parser.add_argument("--again", action="store_true", help="measure a part anew and put it among the rows of before")
    parser.add_argument("--page", type=Path, default=None, help="write the page here, also if only a part is measured")
    chosen = parser.parse_args()

    works = selected_workloads(chosen.workloads)
    sizes = [int(float(word)) for word in chosen.sizes.replace(",", " ").split()]
    peers = selected_peers(chosen.peers)
    limits = Limits(chosen.limit, time.monotonic() + 60 * chosen.minutes)
    load = machine.load()
    measurement = Measurement(limits, lambda line: print(line, flush=True))
    engines = [OUR_ENGINE, *peers]
    with contextlib.closing(measurement):
        for work in works:
            for n in sizes or work.sizes:
                measurement.workload(work, n, engines)
        limits.run = max(limits.run, OWN_LIMIT)
        for work in works:
            for n in () if sizes else work.own_sizes:
                if work.name not in PROGRAMS:
                    continue
                if enough_memory(work, n, measurement.rows, machine.free_bytes()):
                    measurement.workload(work, n, [OUR_ENGINE])
                else:
                    measurement.missing.append(Missing(work.name, n, OURS, "it would not fit into free memory"))
    rows, missing = measurement.rows, measurement.missing
    now = dt.datetime.now(dt.UTC)
    for row in rows:
        row.ended, row.load = f"{now:%Y-%m-%d %H:%M}", load
    gaps = chosen.json.with_name(f"{chosen.json.stem}-missing.json")
    if chosen.again and chosen.json.exists():
        measured = {(row.workload, row.n) for row in rows}
        before = [Row(**line) for line in json.loads(chosen.json.read_text(encoding="utf-8"))]
        rows = [row for row in before if (row.workload, row.n) not in measured] + rows
        rows.sort(key=lambda row: (list(BY_NAME).index(row.workload), row.n))
        old = [Missing(**line) for line in json.loads(gaps.read_text(encoding="utf-8"))] if gaps.exists() else []
        missing = [gap for gap in old if (gap.workload, gap.n) not in measured] + missing
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    gaps.write_text(json.dumps([asdict(gap) for gap in missing], indent=1) + "\n", encoding="utf-8")
    whole = chosen.again or not (chosen.workloads or sizes or chosen.peers)
    target = chosen.page or (ROOT / "docs" / "benchmarks.md" if whole else None)
    if target is not None:
        shown = [OUR_ENGINE, *(PEERS if chosen.again else peers)]
        about = {
            **machine.described(),
            **versions(shown),
        }
        text = page(rows, missing, about, shown, now.date().isoformat())
        target.write_text(text, encoding="utf-8")
        print(f"page: {target}")
    print(f"rows: {chosen.json}")


def versions(engines: list[Engine]) -> dict[str, str]:
    """What is installed of each engine."""
    found = {}
    for engine in engines:
        with contextlib.suppress(NotInstalled, OSError):
            installed = version(interpreter(engine), VERSIONS[engine.name])
            found[engine.name] = ", ".join(f"{name} {number}" for name, number in installed.items())
    return found


if __name__ == "__main__":
    main()
