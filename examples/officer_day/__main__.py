"""``python -m examples.officer_day``: the whole day; what it saw goes to ``build/officer-day.json``.

Fails if anything turns out otherwise than it should.
"""

import argparse
import json
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from examples.aml.consortium import register_data, set_up
from examples.aml.generate import generate
from examples.aml.generator.parameters import Parameters
from examples.aml.processes import running
from examples.officer_day.acts import Day
from examples.officer_day.desk import DayError, Desk, title
from examples.officer_day.drafts import fingerprint_of


def day(out: Path, customers: int, transactions: int) -> Mapping[str, Any]:
    """The whole day; what was seen."""
    started = time.monotonic()
    root = out / "officer-day"
    shutil.rmtree(root, ignore_errors=True)
    title("0. Three banks agree on a consortium and register their data")
    generate(Parameters.of_size(customers, transactions), root / "data")
    consortium = set_up(root, lambda _: None)
    register_data(consortium, root / "data", lambda _: None)
    desk = Desk(consortium)
    with running(consortium) as servers:
        acts = Day(desk, servers)
        for act in (acts.first_version, acts.denial, acts.second_version, acts.hold, acts.evidence, acts.revocation,
                    acts.third_version):  # fmt: skip
            act()
    return {
        "officers": ["petra@bank-a", "otto@bank-a"],
        "versions": [fingerprint_of(file) for file in acts.versions],
        **acts.seen,
        "commands": desk.commands,
        "seconds": round(time.monotonic() - started, 1),
    }


def main() -> None:
    """Run the day; exits with 1 if something is otherwise than it should be."""
    parser = argparse.ArgumentParser(description="a compliance officer's day, with real processes")
    parser.add_argument("--out", type=Path, default=Path("build"))
    parser.add_argument("--customers", type=int, default=800, help="a bank")
    parser.add_argument("--transactions", type=int, default=5000, help="a bank")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    file = given.out / "officer-day.json"
    file.unlink(missing_ok=True)
    try:
        seen = day(given.out, given.customers, given.transactions)
    except DayError as error:
        print(f"\nthe day went otherwise: {error}", file=sys.stderr)
        sys.exit(1)
    file.write_text(json.dumps(seen, indent=1) + "\n")
    print(f"\n{len(seen['commands'])} commands in {seen['seconds']} s; what was seen stands in {file}")


if __name__ == "__main__":
    main()
