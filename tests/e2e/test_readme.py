"""The README's way to a first joint query is run word by word, as a newcomer would."""

import csv
import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.processes


def free_prefix() -> str:
    """Digits to which 0, 1, 2 and 3 can be added so that four free ports come out."""
    for prefix in range(2100, 3200):
        try:
            for digit in range(4):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", 10 * prefix + digit))
        except OSError:
            continue
        return str(prefix)
    raise AssertionError("no free ports")


def test_the_commands_of_the_readme_lead_to_a_joint_answer(tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 6
    prefix = free_prefix()
    (tmp_path / "build").mkdir()
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    program = tmp_path / ".venv" / "bin" / "consortia"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m consortia.cli "$@"\n')
    program.chmod(0o755)
    script = "set -e\ntrap 'kill $(jobs -p)' EXIT\n" + "\n".join(blocks).replace(":740", f":{prefix}")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "NO_COLOR": "1"}
    process = subprocess.Popen(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=240)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, err[-3000:]
    answers = out[out.index("COST OF THE SECURE PART") :]
    loans, over = expected()
    for country in ("AT", "DE"):
        assert re.search(rf"^{country} +{loans[country][0]} +{loans[country][1]} ", answers, re.MULTILINE), answers
    assert re.search(r"^FR +true", answers, re.MULTILINE), answers
    assert sorted(re.findall(r"^[0-9a-f]{24} +([0-9]{6})", answers, re.MULTILINE)) == sorted(over)


def expected() -> tuple[dict[str, tuple[int, int]], set[str]]:
    """Loans and total by country; customers of bank-1 over the threshold at two banks or more."""
    count: Counter[str] = Counter()
    total: Counter[str] = Counter()
    by_customer: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for number in (1, 2, 3):
        with (ROOT / "examples" / "first" / f"bank-{number}.csv").open() as file:
            for row in csv.DictReader(file):
                amount = int(row["amount"])
                count[row["country"]] += 1
                total[row["country"]] += amount
                by_customer[row["customer"]][number] = by_customer[row["customer"]].get(number, 0) + amount
    over = {who for who, held in by_customer.items() if 1 in held and len(held) > 1 and sum(held.values()) >= 50_000}
    assert len(over) >= 2
    return {country: (count[country], total[country]) for country in count}, over
