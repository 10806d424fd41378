"""The harness behind ``make bench``: every workload of ours runs in three processes and gives the right answer."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.engines.ours_programs import PROGRAMS, SETTINGS
from benchmarks.measure import Missing, Row, compare, enough_memory
from benchmarks.page import page
from benchmarks.workloads import BY_NAME, WORKLOADS, selected

ROOT = Path(__file__).parents[3]
TRAINING = [name for name in PROGRAMS if name.startswith("logistic") or name == "boosted-trees"]
PAYMENTS = [name for name in PROGRAMS if name.startswith("payments")]
SMALL = [name for name in PROGRAMS if name not in (*TRAINING, *PAYMENTS)]


def row(engine: str, seconds: float, *, correct: bool = True, setting: str = "") -> Row:
    return Row(
        "multiply", 64, engine, setting, seconds, 512.0, 1, correct, seconds_least=seconds, seconds_most=seconds, runs=2
    )


def measured(names, size, out):
    command = [sys.executable, "-m", "benchmarks", "--workloads", ",".join(names), "--sizes", size, "--peers", "none"]
    run = subprocess.run([*command, "--json", str(out)], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return json.loads(out.read_text())


def test_every_small_workload_of_ours_is_correct_and_counts_bytes_and_rounds(tmp_path):
    rows = measured(SMALL, "64", tmp_path / "bench.json")
    found = {(entry["workload"], entry["setting"]) for entry in rows}
    assert found == {(name, setting) for name in SMALL for setting in SETTINGS.get(name, ("",))}
    assert all(entry["correct"] and entry["bytes_per_party"] > 0 and entry["rounds"] > 0 for entry in rows)
    assert all(entry["ratio"] is None for entry in rows)
    product = next(entry for entry in rows if entry["workload"] == "multiply")
    assert (product["bytes_per_party"], product["rounds"]) == (512, 1)


@pytest.mark.slow
@pytest.mark.parametrize("names", [TRAINING, PAYMENTS], ids=["training", "payments"])
def test_every_longer_workload_of_ours_is_correct(tmp_path, names):
    rows = measured(names, "256", tmp_path / "bench.json")
    assert [entry["workload"] for entry in rows] == [work.name for work in WORKLOADS if work.name in names]
    assert all(entry["correct"] for entry in rows)


def test_a_wrong_answer_is_told_from_a_right_one():
    rng = np.random.default_rng(1)
    for name in ("multiply", "less-than", "equality", "sort-64"):
        given = BY_NAME[name].inputs(64, rng)
        right = {
            "multiply": lambda a: a["x"] * a["y"],
            "less-than": lambda a: a["x"] < a["y"],
            "equality": lambda a: a["x"] == a["y"],
            "sort-64": lambda a: np.sort(a["x"]),
        }[name](given)
        wrong = right.copy()
        wrong[3] = wrong[3] ^ True if wrong.dtype == bool else wrong[3] + 1
        assert BY_NAME[name].correct(given, {"out": right})
        assert not BY_NAME[name].correct(given, {"out": wrong})


def test_groups_and_matches_are_compared_in_any_order():
    rng = np.random.default_rng(2)
    given = BY_NAME["group-by-tenth"].inputs(64, rng)
    names = np.unique(given["keys"])[::-1]
    sums = np.array([given["values"][given["keys"] == name].sum() for name in names])
    assert BY_NAME["group-by-tenth"].correct(given, {"keys": names, "sums": sums})
    assert not BY_NAME["group-by-tenth"].correct(given, {"keys": names, "sums": sums[::-1] + 1})
    assert not BY_NAME["group-by-tenth"].correct(given, {"keys": names[1:], "sums": sums[1:]})
    given = BY_NAME["join"].inputs(64, rng)
    score = dict(zip(given["right"].tolist(), given["score"].tolist(), strict=True))
    hit = np.array([key in score for key in given["left"].tolist()])
    keys = given["left"][hit]
    answer = {"keys": keys, "amount": given["amount"][hit], "score": np.array([score[key] for key in keys.tolist()])}
    assert hit.any()
    assert not hit.all()
    assert BY_NAME["join"].correct(given, {name: column[::-1] for name, column in answer.items()})
    assert not BY_NAME["join"].correct(given, {**answer, "score": answer["score"] + 1})


def test_the_ratio_is_to_the_fastest_correct_setting_and_stands_on_our_rows_only():
    rows = [
        row("ours", 2.0),
        row("spu", 6.0, setting="a"),
        row("spu", 5.0, setting="b"),
        row("spu", 1.0, correct=False),
    ]
    compare([*rows, row("crypten", 3.0)])
    assert (rows[0].ratio, rows[0].ratio_to) == (2.5, "spu")
    assert rows[0].ratios == {"spu": 2.5, "crypten": 1.5}
    assert all(other.ratio is None for other in rows[1:])


def test_a_wrong_result_of_ours_has_no_ratio():
    ours = row("ours", 2.0, correct=False)
    compare([ours, row("spu", 6.0)])
    assert ours.ratio is None


def test_workloads_are_chosen_by_id_or_first_part():
    assert [work.name for work in selected("sort")] == ["sort-64", "sort-16"]
    assert [work.name for work in selected("multiply")] == ["multiply"]
    assert [work.name for work in selected("multiply-truncate,join")] == ["multiply-truncate", "join"]
    assert selected("") == list(WORKLOADS)
    with pytest.raises(SystemExit, match="sorts"):
        selected("sorts")


def test_the_page_shows_wrong_results_and_what_is_missing():
    rows = [row("ours", 0.001), row("spu", 0.003, correct=False), row("crypten", 0.004)]
    compare(rows)
    text = page(rows, [Missing("join", 64, "spu", "it ran out of time")], {"cores": "2"}, [], "2026-11-25")
    assert "| 64 | **ours** |  | 0.001 | 8.0 | 1 | (4.0 to crypten) |" in text
    assert "**wrong**" in text
    assert "- join, n = 64, spu: it ran out of time" in text
    assert "our engine has no operator for it yet" in text


def test_a_figure_that_others_published_stands_on_the_page_and_in_no_ratio():
    name = "payments-risk"
    ours = Row(name, 64, "ours", "", 0.1, 512.0, 1, True, seconds_least=0.1, seconds_most=0.1, runs=2)
    text = page([ours], [], {}, [], "2026-11-25")
    assert BY_NAME[name].published in text
    assert "| 64 | **ours** |  | 0.1 | 8.0 | 1 |  |" in text


def test_the_page_tells_the_load_before_each_command_that_measured_its_rows():
    quiet, busy = row("ours", 0.001), row("spu", 0.003)
    quiet.ended, quiet.load = "2026-11-25 04:00", 0.9
    busy.ended, busy.load, busy.workload = "2026-11-25 14:10", 8.25, "join"
    text = page([quiet, busy, row("crypten", 0.004)], [], {"cores": "2"}, [], "2026-11-25")
    assert "- other work: load average 0.9 before the command that ended at 2026-11-25 04:00 UTC and" in text
    assert "ended at 2026-11-25 14:10 UTC and measured join\n" in text
    assert text.count("- other work") == 2


def test_memory_is_judged_by_its_growth_between_smaller_sizes():
    rows = [row("ours", 1.0), row("ours", 1.0)]
    rows[0].n, rows[0].peak_bytes_of_all_parties = 1_000, 600
    rows[1].n, rows[1].peak_bytes_of_all_parties = 2_000, 700
    work = BY_NAME["multiply"]
    assert enough_memory(work, 10_000, rows, 1_900)  # 700 and eight times 100, of which 0.8 are taken
    assert not enough_memory(work, 10_000, rows, 1_800)
    assert enough_memory(work, 10_000, rows[:1], 7_600)
    assert not enough_memory(work, 10_000, rows[:1], 7_400)
    assert enough_memory(work, 10_000, [], 0)
