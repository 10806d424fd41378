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
    done = subprocess.run(
        [*command, "--out", str(tmp_path)], cwd=ROOT, env={**os.environ}, capture_output=True, text=True, timeout=240
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
    assert numbers["rounds"] == numbers["queries"]["structuring"]["declared_rounds"] > 100
    assert 0 < numbers["secure_seconds"] < numbers["seconds"]
    assert 2**24 < numbers["peak_memory_bytes"] < 2**30
    # coordinator, three nodes, three runs, and five times that an analyst fetched results
    assert numbers["processes"] == len(set(numbers["pids"].values())) == 12
    assert not any(psutil.pid_exists(pid) and _is_ours(pid) for pid in numbers["pids"].values())


def _is_ours(pid: int) -> bool:
    try:
        return "consortia.cli" in psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
