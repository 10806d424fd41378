"""What ``explain`` predicts is what is measured, over links of several latencies; and how the machine is calibrated."""

import json

import pytest

from benchmarks.links import LATENCIES_US, TOLERANCE, Point, calibrate, cases, measure, merged, page
from consortia.plans.cost import Link, microseconds

MEGABYTES = 125_000_000


def point(case: str, latency: int, measured: float = 1.0) -> Point:
    return Point(case, latency, MEGABYTES, 10, 1000, 1.1, measured, 3)


def test_points_measured_again_take_the_place_of_those_before() -> None:
    before = [point("sort", 500), point("sort", 5000), point("join", 500)]
    found = merged(before, [point("sort", 500, 2.0), point("sort", 50, 3.0)])
    assert [(p.case, p.latency_us, p.measured) for p in found] == [
        ("sort", 50, 3.0), ("sort", 500, 2.0), ("sort", 5000, 1.0), ("join", 500, 1.0),
    ]  # fmt: skip


def test_the_page_tells_every_point_and_the_worst() -> None:
    every = cases(100)
    points = [point(every[0].name, 500), point(every[1].name, 5000, 1.25)]
    text = page(points, every, {"processor": "P", "cores": "2", "system": "S"}, "2026-01-01")
    assert f"| {every[0].what} | 0.5 ms | 10 | 1,000 | 1.10 s | 1.00 s | +10 % |" in text
    assert "The worst of 2 is -12 %" in text
    assert "1,000 Mbit/s" in text


def test_independent_branches_and_sorts_share_their_rounds() -> None:
    found = {case.name: case.cost for case in cases(100)}
    for name in ("two-sorts", "risk"):
        cost = found[name]
        assert cost.rounds < sum(step.rounds for step in cost.steps)


@pytest.mark.slow
def test_the_prediction_is_within_a_quarter_of_the_measured_time_at_every_latency() -> None:
    """With the numbers of this machine now: a busy neighbour must not decide. About four minutes.

    At the sizes of docs/links.md: runs of a tenth of a second have work that neither rounds nor bytes stand for.
    """
    machine = calibrate(2, print)
    chosen = cases()
    costs = {case.name: case.cost for case in chosen}
    short = [latency for latency in LATENCIES_US if latency <= 5_000]
    points = measure(chosen, short, 3, print, MEGABYTES)
    points += measure(chosen, [latency for latency in LATENCIES_US if latency not in short], 1, print, MEGABYTES)
    assert len(points) == len(chosen) * len(LATENCIES_US)
    off = {}
    for each in points:
        link = Link(name="relay", latency_us=each.latency_us, bytes_per_second=each.bytes_per_second)
        predicted = microseconds(costs[each.case], link, machine) / 1e6
        off[f"{each.case} at {each.latency_us} us"] = predicted / each.measured - 1
    print(json.dumps(off))
    far = {what: round(part, 3) for what, part in off.items() if abs(part) > TOLERANCE}
    assert not far, json.dumps(far)
