"""The analyses at the sizes of a market: ``python -m examples.aml.large``, behind ``make gains-large``.

Structuring over five million transactions, of which every owner adds up its own first, and risk propagation over
200,000 and over a million payments between banks. Each has generated data and a consortium of its own, whose
catalogue states the sizes of that data; three banks, a coordinator and an analyst run as separate processes. Every
answer is compared with plain Python's. Timings go to ``build/gains-large.json``, a page to ``docs/gains-large.md``.
"""

import argparse
import json
import math
import shutil
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.machine import described, load
from consortia.parties.data.snapshots import SnapshotStore
from consortia.trust.home import Home
from examples.aml import oracle, plain
from examples.aml.asked import ANALYSES, STRUCTURING, TRACING, Timing, ask
from examples.aml.compiled import register_tables
from examples.aml.consortium import BANKS, CATALOGUE, PURPOSE, set_up, sign_policies
from examples.aml.demo import say, title
from examples.aml.findings import RISK, Rows, difference
from examples.aml.generate import generate
from examples.aml.generator.parameters import CURRENCY_SHARES, Parameters
from examples.aml.interbank import held, interbank_policy, payments, rows_within, spec, with_interbank
from examples.aml.large_page import Measured, page
from examples.aml.processes import DemoError, running
from examples.aml.render import policy_bytes
from examples.aml.sizes import customers_in_proportion, rows_in_proportion, scaled

PAGE = Path(__file__).parents[2] / "docs" / "gains-large.md"
SPARE = 1.02
"""Sizes in the catalogue are so much above what is drawn, as those of real members would be."""
LARGEST_DIFFERENCE = 1e-4
SQL = ANALYSES[STRUCTURING][0].read_text()


@dataclass(frozen=True)
class Workload:
    """An analysis over ``n`` rows in all, at banks of so many customers; ``bound`` is the goal in seconds, if any."""

    analysis: str
    n: int
    customers: int
    bound: float | None

    @property
    def name(self) -> str:
        """For numbers and page."""
        return f"{self.analysis}, {self.n:,}"

    @property
    def whole(self) -> bool:
        """Whether all kinds of transactions are counted, and not those between banks alone."""
        return self.analysis == STRUCTURING

    def times(self, part: float) -> "Workload":
        """A part of it, which has no goal."""
        return self if part == 1 else Workload(self.analysis, int(self.n * part), int(self.customers * part), None)

    def parameters(self) -> Parameters:
        """Of the data: all kinds of transactions for structuring, payments between banks for risk."""
        if self.whole:
            return Parameters.of_size(self.customers, math.ceil(self.n / len(BANKS)))
        pairs = len(BANKS) * (len(BANKS) - 1)
        between = math.ceil(self.n / CURRENCY_SHARES[0] / pairs * 1.005)  # the spec keeps one currency's
        cash = Parameters.deposits_per_bank
        return Parameters(
            customers_per_bank=self.customers,
            transactions_per_bank=2 * (len(BANKS) - 1) * between + cash,
            deposits_per_bank=cash,
            withdrawals_per_bank=0,
            transfers_per_pair=between,
            rings=0,
        )

    def catalogue(self, parameters: Parameters) -> str:
        """The example's, with the sizes of this data."""
        rows, keys = SPARE * rows_in_proportion(parameters), SPARE * customers_in_proportion(parameters)
        text = scaled(CATALOGUE.read_text(), rows, keys)
        if self.whole:
            return text
        sent = (len(BANKS) - 1) * parameters.transfers_per_pair
        return with_interbank(text, math.ceil(SPARE * sent), math.ceil(SPARE * parameters.customers_per_bank))


WORKLOADS = (
    Workload(STRUCTURING, 5_000_000, 30_000, 20.0),
    Workload("risk-propagation", 200_000, 20_000, 10.0),
    Workload("risk-propagation", 1_000_000, 100_000, None),
)


def measure(workload: Workload, root: Path) -> Measured:
    """Generate, set up, run, compare; ``root`` is an empty folder."""
    parameters, data = workload.parameters(), root / "data"
    title(f"{workload.name}: {workload.customers:,} customers and {parameters.transactions_per_bank:,} rows a bank")
    generate(parameters, data)
    consortium = set_up(root, _quiet, workload.catalogue(parameters))
    # One bank after the other: a registration of millions of rows takes gigabytes.
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        list(pool.map(_register, [consortium.homes[bank].path for bank in BANKS], [data / bank for bank in BANKS]))
    for purpose, render in ((PURPOSE, policy_bytes), (TRACING, policy_bytes if workload.whole else interbank_policy)):
        sign_policies(consortium, _quiet, purpose, render)
    kept = oracle.rows_within(oracle.pooled(data), SQL) if workload.whole else rows_within(held(data))
    file = root / "risk.yaml"
    file.write_text(spec())
    begun, before = datetime.now(UTC), load()
    with running(consortium) as servers:
        asked = ask(servers, workload.analysis, kept, say, None if workload.whole else file)
        memory = servers.peak_memory()
    after = load()
    apart = difference(asked.rows, _structuring(data) if workload.whole else _risk(data))
    timing = asked.timing
    say(f"{timing.seconds:.1f} s on shares, {timing.wall_seconds:.1f} s in all; off by {apart:.2g}")
    return Measured(
        name=workload.name,
        n=len(BANKS) * parameters.transactions_per_bank if workload.whole else kept,
        kept=kept,
        customers=workload.customers,
        bound=workload.bound,
        timing=timing,
        memory=memory,
        difference=apart,
        begun=begun,
        load=(before, after),
    )


def _quiet(_: str) -> None:
    """The demo tells what a set-up does."""


def _register(home: Path, folder: Path) -> None:
    register_tables(SnapshotStore(home / "snapshots"), Home(home), folder)


def _structuring(data: Path) -> Rows:
    alerts = oracle.alerts(oracle.pooled(data), SQL)
    return {bank: dict.fromkeys(alerts.get(bank, [])) for bank in BANKS}


def _risk(data: Path) -> Rows:
    rows = held(data)
    found = plain.risk(plain.scores(rows, RISK), payments(rows), int(RISK.fields["iterations"]))
    own = {bank: plain.scores(plain.held(data, bank), RISK) for bank in BANKS}
    return {bank: {account: found[account] for account in listed} for bank, listed in own.items()}


def numbers(measured: Sequence[Measured]) -> dict[str, Any]:
    """For ``gains-large.json``: the timings as ``make gains`` writes its own, and all of each run."""
    return {
        "timings": {each.name: {**asdict(each.timing), "n": each.n} for each in measured},
        "runs": {each.name: {**asdict(each), "begun": each.begun.isoformat(timespec="seconds")} for each in measured},
        "machine": described(),
    }


def kept_from(file: Path) -> dict[str, Measured]:
    """What an earlier run wrote, by name; nothing if there is no such file."""
    if not file.exists():
        return {}
    return {
        name: Measured(
            **{
                **run,
                "timing": Timing(**run["timing"]),
                "begun": datetime.fromisoformat(run["begun"]),
                "load": tuple(run["load"]),
            }
        )
        for name, run in json.loads(file.read_text())["runs"].items()
    }


def main() -> None:
    """Run the workloads, write numbers and page; exits with 1 if an answer differs from the plain one."""
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    root, file = given.out / "gains-large", given.out / "gains-large.json"
    wanted = [workload.times(given.part) for workload in WORKLOADS]
    found = kept_from(file)
    for place, workload in enumerate(wanted):
        if not workload.name.startswith(given.only):
            continue
        shutil.rmtree(root, ignore_errors=True)
        try:
            found[workload.name] = measure(workload, root / str(place))
        except DemoError as error:
            print(f"\nthe run failed: {error}", file=sys.stderr)
            sys.exit(1)
    shutil.rmtree(root, ignore_errors=True)  # gigabytes
    measured = [found[workload.name] for workload in wanted if workload.name in found]
    if not measured:
        print(f"no analysis begins with {given.only!r}: {'; '.join(each.name for each in wanted)}", file=sys.stderr)
        sys.exit(2)
    file.write_text(json.dumps(numbers(measured), indent=1) + "\n")
    given.page.write_text(page(measured), encoding="utf-8")
    print(f"\nnumbers in {file}, page {given.page}")
    if any(each.difference > LARGEST_DIFFERENCE for each in measured):
        print("THE ANSWERS DIFFER", file=sys.stderr)
        sys.exit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="the analyses at the sizes of a market")
    parser.add_argument("--out", type=Path, default=Path("build"))
    parser.add_argument("--page", type=Path, default=PAGE, help="where the page in Markdown goes")
    parser.add_argument("--only", default="", help="the analyses whose names begin so; others keep their numbers")
    parser.add_argument("--part", type=float, default=1.0, help="of the rows and customers, to try it out")
    return parser.parse_args()


if __name__ == "__main__":
    main()
