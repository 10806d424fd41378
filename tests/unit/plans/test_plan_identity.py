"""The hash of a plan is the same everywhere; where plans differ, the first difference is named; costs add up."""

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.plans.build import build_plan
from consortia.plans.cost import LINKS, Estimate, Machine, Opening, StepCost, microseconds, party_bytes, seconds
from consortia.plans.differ import first_difference
from consortia.plans.leakage import LeakageReport, leakage_report
from consortia.plans.model import Plan, Share
from consortia.plans.obligations import Obligations
from consortia.plans.sql import bind
from tests.fixtures_catalogue import AS_OF, CATALOGUE, STATISTICS, STRUCTURING, environment

ROOT = Path(__file__).parents[3]
PROGRAM = """
from tests.fixtures_catalogue import AS_OF, CATALOGUE, STATISTICS, STRUCTURING, environment
from consortia.plans.build import build_plan
from consortia.plans.cost import Estimate
from consortia.plans.leakage import leakage_report
from consortia.plans.obligations import Obligations
from consortia.plans.sql import bind

rules = Obligations(entity="customer_key", minimum_entities=10, minimum_members=3)
for sql in (STRUCTURING, STATISTICS):
    plan = build_plan(bind(sql, CATALOGUE, AS_OF), environment(), rules)
    print(plan.digest(), leakage_report(plan, Estimate()).digest())
"""


def plan_of(sql: str, obligations: Obligations | None = None, **changes: object) -> Plan:
    return build_plan(bind(sql, CATALOGUE, AS_OF), environment(**changes), obligations or Obligations())


def test_hashes_do_not_depend_on_hash_seed_locale_or_time_zone() -> None:
    outputs = set()
    for seed, zone, locale in (("0", "UTC", "C"), ("1", "Asia/Tehran", "C.UTF-8"), ("4242", "America/Lima", "C")):
        surroundings = os.environ | {"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], cwd=ROOT, env=surroundings, capture_output=True, text=True, check=True
        )
        outputs.add(done.stdout)
    (output,) = outputs
    rules = Obligations(entity="customer_key", minimum_entities=10, minimum_members=3)
    assert output.split()[0] == plan_of(STRUCTURING, rules).digest()


def test_hashes_do_not_depend_on_the_order_of_entities() -> None:
    forward = {"deposits": "customer_key", "accounts": "customer_key"}
    backward = dict(reversed(forward.items()))
    assert plan_of(STATISTICS, entities=forward) == plan_of(STATISTICS, entities=backward)


def test_a_relative_date_follows_the_submissions_time_and_its_hash() -> None:
    sql = "SELECT COUNT(*) AS n FROM numbers WHERE day >= CURRENT_DATE - 90"
    later = AS_OF.replace(day=26)
    moved = build_plan(bind(sql, CATALOGUE, later), environment(as_of=later))
    assert first_difference(plan_of(sql), moved).startswith(
        "as_of differs; step s1 (filter at owner:bank-a): predicate"
    )


def test_the_first_differing_step_is_named_with_field_and_both_values() -> None:
    plan = plan_of(STRUCTURING)
    assert first_difference(plan, plan) == ""
    other = plan_of(STRUCTURING.replace(">= 1000000", ">= 2000000"))
    assert first_difference(plan, other) == (
        "step s18 (filter at shared): predicate.args[0].args[1].integer is 1000000 here and 2000000 there"
    )
    fewer = CATALOGUE.model_copy(
        update={"tables": tuple(table.model_copy(update={"max_rows": 77}) for table in CATALOGUE.tables)}
    )
    found = first_difference(plan, build_plan(bind(STRUCTURING, fewer, AS_OF), environment(fewer)))
    assert found == "catalogue differs; step s0 (scan at owner:bank-a): rows is 20000 here and 77 there"
    cut = plan.model_copy(update={"steps": plan.steps[:-1]})
    assert first_difference(plan, cut) == "step s22 (sort at recipient) stands only here"
    assert first_difference(cut, plan) == "step s22 (sort at recipient) stands only there"


def test_the_leakage_report_holds_sizes_traffic_openings_and_every_recipient() -> None:
    plan = plan_of(STRUCTURING)
    estimate = Estimate(
        steps=(StepCost(step="s16", rounds=7, bytes_by_party=party_bytes({"bank-a": 5, "bank-b": 6})),),
        openings=(Opening(step="s16", what="order bits", elements=9, to=("bank-b", "bank-a")),),
    )
    report = leakage_report(plan, estimate)
    by_kind = {kind: [e for e in report.entries if e.kind == kind] for kind in {e.kind for e in report.entries}}
    assert [entry.amount for entry in by_kind["size"]] == [s.rows for s in plan.steps if isinstance(s, Share)]
    assert [(entry.step, entry.rounds, entry.amount) for entry in by_kind["traffic"]] == [("s16", 7, 11)]
    assert [(e.step, e.amount, e.who) for e in by_kind["opening"]] == [("s16", 9, ("bank-a", "bank-b"))]
    assert [entry.who for entry in by_kind["result"]] == [("bank-a",), ("bank-b",), ("bank-c",)]
    assert {"timing", "outcome", "coordinator"} <= by_kind.keys()
    assert report.plan == plan.digest()
    assert LeakageReport.parse(report.canonical()) == report


def test_the_leakage_report_says_that_an_average_opens_its_sum_and_count() -> None:
    report = leakage_report(plan_of(STATISTICS), Estimate())
    (entry,) = [entry for entry in report.entries if entry.kind == "result"]
    assert "`mean` is computed by the recipient: `rows` and `sum_amount_minor` are opened" in entry.detail


numbers = st.integers(0, 10**12)
costs = st.builds(
    lambda rounds, a, b: StepCost(step="s1", rounds=rounds, bytes_by_party=party_bytes({"bank-b": b, "bank-a": a})),
    st.integers(0, 1000), numbers, numbers,
)  # fmt: skip


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.lists(costs, max_size=4))
def test_costs_add_up_and_slower_links_take_longer(steps: list[StepCost]) -> None:
    names = [f"s{number}" for number in range(len(steps))]
    chained = [
        step.model_copy(update={"step": name, "after": tuple(names[:number][-1:])})
        for number, (name, step) in enumerate(zip(names, steps, strict=True))
    ]
    estimate = Estimate(steps=tuple(chained))
    assert estimate.rounds == sum(step.rounds for step in steps)
    apart = [step.model_copy(update={"after": ()}) for step in chained]
    assert Estimate(steps=tuple(apart)).rounds == max((step.rounds for step in steps), default=0)
    assert Estimate(steps=tuple(apart)).bytes == estimate.bytes
    assert estimate.bytes == sum(entry.sent for entry in estimate.bytes_by_party)
    times = [microseconds(estimate, link) for link in LINKS]
    assert times == sorted(times)
    assert Estimate.model_validate_json(estimate.model_dump_json()) == estimate


def test_seconds_are_text_with_three_places() -> None:
    link = LINKS[-1].model_copy(update={"latency_us": 40_000, "bytes_per_second": 1000})
    free = Machine(round_us=0, byte_ps=0)
    step = StepCost(step="s1", rounds=10, bytes_by_party=party_bytes({"bank-a": 500, "bank-b": 250}))
    assert seconds(Estimate(steps=(step,)), link, free) == "0.900"
    assert seconds(Estimate(steps=(step,)), link, Machine(round_us=50, byte_ps=3_000_000)) == "0.902"
    assert seconds(Estimate(), link) == "0.000"
