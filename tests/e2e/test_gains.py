"""``make gains`` on little data: the numbers, the pages, and case files whose ids two banks share.

Sizes are padded to what catalogue and specs state, so little data takes as long on shares as much: some minutes.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from examples.aml.asked import ANALYSES
from examples.aml.attempts_report import MISSING
from examples.aml.generator.parameters import TYPOLOGIES

ROOT = Path(__file__).parents[2]
BANKS = ("bank-a", "bank-b", "bank-c")
pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(1200)]


def test_the_gains_are_computed_compared_and_written(tmp_path: Path) -> None:
    page = tmp_path / "gains.md"
    command = [sys.executable, "-m", "examples.aml.gains", "--customers", "400", "--transactions", "3000"]
    environment = {name: value for name, value in os.environ.items() if name != "CONSORTIA_TEST_DATA"}
    done = subprocess.run(
        [*command, "--alerts", "0.15", "--out", str(tmp_path), "--page", str(page)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1100,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    numbers = json.loads((tmp_path / "gains.json").read_text())
    assert set(numbers["typologies"]) == {*TYPOLOGIES, "structuring"}
    assert numbers["typologies"]["structuring"]["best_single_bank_recall"] == 0
    assert numbers["typologies"]["structuring"]["consortium_recall"] == 1
    assert set(numbers["timings"]) == set(ANALYSES)
    for timing in numbers["timings"].values():
        assert timing["n"] > 0
        assert timing["seconds"] > 0
        assert timing["rounds"] > 100
        assert all(timing["bytes_per_party"][bank] > 10**6 for bank in BANKS)
    assert set(numbers["conformance"]) == {f"generated: {name}" for name in ANALYSES if name != "joint-model"}
    model = numbers["joint_model"]
    assert set(model["average_precision"]) == set(BANKS)
    assert all(0 < row["consortium"] < 1 for row in model["average_precision"].values())
    assert max(numbers["conformance"].values()) < 1e-4
    assert "without public networks" in numbers["conformance_of_public_networks"]
    assert numbers["conformance_of_public_networks"] in page.read_text()
    assert numbers["amlworld"]["said"] == MISSING
    assert MISSING in page.read_text()
    html = (tmp_path / "gains.html").read_text()
    assert html.count("<svg") == 2
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
    found = {bank: json.loads((tmp_path / "gains" / bank / "cases.json").read_text()) for bank in BANKS}
    assert {bank: len(cases) for bank, cases in found.items()} == numbers["cases"]
    cash = [{case["case_id"] for case in cases if case["typology"] == "structuring"} for cases in found.values()]
    assert cash[0] & cash[1]
    assert cash[1] & cash[2]
