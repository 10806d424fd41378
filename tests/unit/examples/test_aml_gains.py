"""From answers to numbers and pages, with plain Python's answers in place of the consortium's."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from examples.aml import gains, oracle, plain, public
from examples.aml.asked import ANALYSES, STRUCTURING, Asked, Timing
from examples.aml.attempts_report import MISSING, Attempts
from examples.aml.consortium import BANKS
from examples.aml.gains_html import html_page
from examples.aml.gains_page import Report, markdown_page
from examples.aml.generate import generate
from examples.aml.generator.parameters import TYPOLOGIES, Parameters
from examples.aml.generator.planted import Truth
from examples.aml.joint_model import compared
from examples.aml.recall import by_risk, overall, together

PARAMETERS = Parameters.of_size(300, 2_000)
TIMING = Timing(1_000, 2.5, {"bank-a": 4_000_000, "bank-b": 5_000_000, "bank-c": 4_000_000}, 321, 6.0, 0.0)
World = tuple[Path, Truth, gains.Plain, dict[str, Asked]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    data = tmp_path_factory.mktemp("data")
    truth = generate(PARAMETERS, data)
    found = gains.plain_answers(data)
    own = {bank: set(plain.scores(plain.held(data, bank), gains.RISK)) for bank in BANKS}
    told = {
        name: {bank: {key: score for key, score in rows.items() if key in own[bank]} for bank in BANKS}
        for name, rows in found.answers.items()
    }
    alerts = oracle.alerts(oracle.pooled(data), gains.SQL)
    told["joint-model"] = {bank: dict.fromkeys(own[bank], 0.5) for bank in BANKS}
    told[STRUCTURING] = {bank: dict.fromkeys(alerts[bank]) for bank in BANKS}
    asked = {name: Asked(name, "5e", "ab", dict.fromkeys(BANKS, "policy"), told[name], TIMING) for name in ANALYSES}
    return data, truth, found, asked


@pytest.fixture(scope="module")
def report(world: World) -> Report:
    data, truth, found, asked = world
    joint = {bank: gains.found_together(asked, bank) for bank in BANKS}
    banks = gains.banks_of(data, truth, joint, 0.15)
    budgets = {name: bank.budget for name, bank in banks.items()}
    structuring, largest = gains.structuring_gain(data, truth, asked[STRUCTURING].rows, budgets)
    return Report(
        begun=datetime(2026, 11, 1, 12, tzinfo=UTC),
        machine={"processor": "P", "cores": "2", "memory": "4 GiB", "system": "S"},
        load=(3.0, 2.0),
        parameters=PARAMETERS,
        share=0.15,
        budgets=budgets,
        gains={**gains.gains(banks, TYPOLOGIES), STRUCTURING: structuring},
        overall=overall(banks),
        risk_alone=overall(by_risk(banks)),
        precision=gains.precision(banks),
        seen_whole=gains.seen_whole(data, truth),
        largest_sums=largest,
        timings={name: each.timing for name, each in asked.items()},
        conformance=gains.conformance(data, found, asked),
        public=public.MISSING,
        attempts=Attempts(),
        models=compared(data, truth, asked["joint-model"].rows, budgets),
        cases=dict.fromkeys(BANKS, 3),
        memory=2**28,
    )


def test_right_answers_differ_by_nothing_and_wrong_ones_by_as_much_as_they_are_wrong(world: World) -> None:
    data, _, found, asked = world
    assert set(gains.conformance(data, found, asked).values()) == {0.0}
    risk = asked["risk-propagation"].rows
    account = next(iter(risk["bank-a"]))
    off = {**risk, "bank-a": {**risk["bank-a"], account: (risk["bank-a"][account] or 0) + 0.5}}
    assert gains.difference(off, risk) == pytest.approx(0.5)
    less = {**risk, "bank-a": {name: score for name, score in risk["bank-a"].items() if name != account}}
    assert gains.difference(less, risk) == float("inf")
    cash = asked[STRUCTURING].rows
    too_many = {**cash, "bank-b": {**cash["bank-b"], "x": None, "y": None}}
    assert gains.difference(too_many, cash) == 2


def test_targets_are_ring_accounts_that_no_bank_suspects_and_so_are_alerts(world: World) -> None:
    data, truth, _, asked = world
    banks = gains.banks_of(data, truth, {bank: gains.found_together(asked, bank) for bank in BANKS}, 0.15)
    suspects = {account for _, account in truth.suspects}
    on_rings = {account for ring in truth.rings for _, account, _ in ring.accounts}
    targets = {account for bank in banks.values() for accounts in bank.targets.values() for account in accounts}
    assert targets <= on_rings - suspects
    for name, bank in banks.items():
        assert len(bank.alerts(bank.joint)) == bank.budget == round(0.15 * len(asked["risk-propagation"].rows[name]))
        assert not suspects & {*bank.alerts(bank.joint), *bank.alerts(bank.alone)}


def test_a_bank_alone_finds_no_structuring_and_all_together_find_every_customer(report: Report) -> None:
    row = report.gains[STRUCTURING].row()
    assert (row["best_single_bank_recall"], row["consortium_recall"]) == (0, 1)


def test_rings_that_one_bank_sees_whole_are_those_around_a_hub(report: Report) -> None:
    for hub in ("fan-in", "fan-out", "gather-scatter"):
        assert report.seen_whole[hub] == (PARAMETERS.rings, PARAMETERS.rings)


def test_the_numbers_and_the_page_say_the_same(report: Report) -> None:
    numbers, page = report.numbers(), markdown_page(report)
    assert set(numbers["typologies"]) == {*TYPOLOGIES, STRUCTURING}
    for name, gain in report.gains.items():
        found = re.search(rf"\| {name} \| (\d+) \| (\S+) \| (\S+) \| (\S+) \|", page)
        assert found
        joint = together(list(gain.joint.values()))
        assert found.group(1) == str(joint.targets)
        assert found.group(4) == ("-" if joint.recall is None else f"{joint.recall:.2f}")
    assert "shared with other work (load 3.0 before" in page
    assert "One bank's book shows every ring of fan-in, fan-out" in page
    assert public.MISSING in page
    assert MISSING in page
    assert numbers["amlworld"] == {"said": MISSING, "data_sets": {}}
    assert "Nothing else ran (load 0.1" in markdown_page(replace(report, load=(0.1, 2.0)))


def test_rings_seen_whole_add_up_for_all_rings_and_structuring_has_a_dash(report: Report) -> None:
    page = markdown_page(report)
    whole = sum(seen for seen, _ in report.seen_whole.values())
    assert re.search(rf"\| all rings \|.* \| {whole} of {PARAMETERS.rings * len(TYPOLOGIES)} \|\n", page)
    assert re.search(rf"\| {STRUCTURING} \|( \S+ \|){{4}} - \|\n", page)


def test_an_answer_without_noise_is_not_shown_as_a_privacy_loss_of_nothing(report: Report) -> None:
    page = markdown_page(report)
    assert "| budget charged |" in page
    assert page.count("| 321 | without noise |") == len(report.timings)
    charged = replace(report, timings={"pagerank": replace(TIMING, epsilon=0.5)})
    assert "| 321 | epsilon 0.5 |" in markdown_page(charged)


class Tags(HTMLParser):
    """Counts tags and checks that each is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in {"meta", "rect"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag


def test_the_html_page_is_whole_and_loads_nothing(report: Report) -> None:
    page = html_page(report)
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert tags.seen.count("svg") == 2
    assert not {"script", "img", "link", "a"} & set(tags.seen)
    assert len(re.findall(r'fill="#0b6e4f"', page)) == len(report.gains) + 1 + len(report.timings)


def test_public_networks_are_left_out_where_no_folder_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(public.VARIABLE, raising=False)
    assert public.conformance() == ({}, public.MISSING)
    monkeypatch.setenv(public.VARIABLE, str(tmp_path))
    assert public.conformance() == ({}, public.MISSING)


def test_a_network_s_risk_and_ranks_on_shares_are_those_of_plain_python() -> None:
    accounts = {"1": "bank-a", "2": "bank-b", "3": "bank-c"}
    paid = [plain.Payment("1", "2", 70), plain.Payment("2", "3", 60), plain.Payment("9", "1", 5)]
    network = public.Network({"1": 1.0, "2": 0.25, "3": 0.0}, accounts, [paid, paid[:1]])
    assert public.risk_difference(network, shared=True) < 1e-5
    assert public.rank_difference(network, shared=False) < 1e-6
    expected = plain.risk({"1": 1.0, "2": 0.25, "3": 0.0}, paid, 2)
    found = public.answers(replace(network, periods=[paid]), public.RISK, shared=False)
    assert found == pytest.approx(expected, abs=1e-5)
