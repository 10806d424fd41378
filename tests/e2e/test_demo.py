"""``make demo`` at a tenth of its size: the processes, the numbers in demo.json, and that nothing stays behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
BANKS = {"bank-a", "bank-b", "bank-c"}
pytestmark = pytest.mark.processes


def test_the_demo_answers_like_the_plain_computation_and_measures_itself(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "examples.aml.demo", "--customers", "800", "--transactions", "5000"]
    command += ["--seed", "2030"]  # so little data rarely has a circle over three banks that no bank sees: this has
    done = subprocess.run(
        [*command, "--out", str(tmp_path)], cwd=ROOT, env={**os.environ}, capture_output=True, text=True, timeout=360
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    numbers = json.loads((tmp_path / "demo.json").read_text())
    assert numbers["equal_to_plaintext"] is True
    assert numbers["differences"] == []
    assert set(numbers["hits"]) == BANKS
    assert all(count > 0 for count in numbers["hits"].values())
    assert numbers["hits_of_single_banks"] == dict.fromkeys(sorted(BANKS), 0)
    assert numbers["suppressed_cells"] == ["LI"]
    assert "never permitted" in numbers["denied_reason"]
    assert numbers["suggestion_permitted"] is True
    assert set(numbers["bytes_per_party"]) == BANKS
    assert numbers["bytes_per_party"] == numbers["declared_bytes_per_party"]
    assert all(sent > 10**6 for sent in numbers["bytes_per_party"].values())
    assert numbers["rounds"] == numbers["queries"]["structuring"]["declared_rounds"] > 50
    assert 0 < numbers["secure_seconds"] < numbers["seconds"]
    assert 2**24 < numbers["peak_memory_bytes"] < 2**30
    # coordinator, three nodes, four runs, and eight times that an analyst fetched results
    assert numbers["processes"] == len(set(numbers["pids"].values())) == 16
    circle = numbers["circle"]
    assert set(circle["accounts"]) == BANKS
    assert all(0 < booked < circle["payments"] for booked in circle["booked"].values())
    assert numbers["circles_that_no_bank_sees"] >= 1
    closing = done.stdout.partition("found together, which none could see alone\n")[2].splitlines()
    for line, (bank, accounts) in zip(closing, circle["accounts"].items(), strict=False):
        assert line.split()[0] == bank
        assert all(account in line for account in accounts)
        assert len(accounts) <= numbers["accounts_on_circles"][bank]
    assert not any(psutil.pid_exists(pid) and _is_ours(pid) for pid in numbers["pids"].values())


def _is_ours(pid: int) -> bool:
    try:
        return "consortia.cli" in psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
