"""What joining gains: ``python -m examples.aml.gains``, behind ``make gains``.

Three banks, a coordinator and an analyst run the six analyses as separate processes. Every answer is compared with
plain Python on the pooled files; then each bank's alerts alone, by the same rules over its own rows, are set against
its alerts with the consortium's answers, at the same number of alerts. Numbers go to ``build/gains.json``, pages to
``build/gains.html`` and ``docs/gains.md``, case files to ``build/gains/BANK``.
"""

import argparse
import json
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import described, load
from consortia.trust.home import Home
from examples.aml import attempts_report, cases, joint_model, oracle, plain, public
from examples.aml.asked import ANALYSES, MODELS, STRUCTURING, TRACING, Asked, ask
from examples.aml.consortium import BANKS, PURPOSE, register_data, set_up, sign_policies
from examples.aml.demo import say, title
from examples.aml.findings import CYCLES, PATTERNS, RISK, SCATTER, difference, found_alone, unsuspected
from examples.aml.gains_html import html_page
from examples.aml.gains_page import Report, markdown_page
from examples.aml.generate import generate
from examples.aml.generator.parameters import TYPOLOGIES, Parameters
from examples.aml.generator.planted import Truth
from examples.aml.processes import DemoError, running
from examples.aml.recall import (
    Bank,
    Counted,
    Findings,
    Gain,
    average_precision,
    by_risk,
    counted,
    gains,
    overall,
    together,
)

PAGE = Path(__file__).parents[2] / "docs" / "gains.md"
RANK = plain.Spec.read("pagerank")
SPECS = {"risk-propagation": RISK, "pagerank": RANK, **PATTERNS}
LARGEST_DIFFERENCE = 1e-4
SQL = ANALYSES[STRUCTURING][0].read_text()


@dataclass(frozen=True)
class Plain:
    """What plain Python finds on the pooled files, by analysis: identifiers with their scores, alerts with None."""

    answers: Mapping[str, Mapping[str, float | None]]
    rows: Mapping[str, int]


def plain_answers(data: Path) -> Plain:
    """All but structuring, which ``oracle`` answers."""
    pooled = plain.held(data)
    paid = {name: plain.payments(pooled, spec) for name, spec in SPECS.items()}
    listed = plain.accounts(pooled, CYCLES)
    alerts = {
        "cycles": plain.cycles(paid["cycles"], CYCLES) & set(listed),
        "scatter-gather": plain.scatter_gather(paid["scatter-gather"], SCATTER) & set(listed),
    }
    return Plain(
        {
            "risk-propagation": plain.risk(
                plain.scores(pooled, RISK), paid["risk-propagation"], int(RISK.fields["iterations"])
            ),
            "pagerank": plain.ranks(listed, paid["pagerank"], int(RANK.fields["iterations"])),
            **{name: dict.fromkeys(found) for name, found in alerts.items()},
        },
        {name: plain.rows_within(pooled, spec) for name, spec in SPECS.items()},
    )


def found_together(asked: Mapping[str, Asked], bank: str) -> Findings:
    """What the consortium told the bank about its own accounts."""
    risk = {account: score or 0.0 for account, score in asked["risk-propagation"].rows[bank].items()}
    return Findings({name: frozenset(asked[name].rows[bank]) for name in PATTERNS}, risk)


def banks_of(data: Path, truth: Truth, joint: Mapping[str, Findings], share: float) -> dict[str, Bank]:
    """Every bank with its budget, ``share`` of its accounts, and its targets."""
    made = {}
    for bank in BANKS:
        free = unsuspected(data, bank)
        alone = found_alone(data, bank)
        targets = {
            typology: frozenset(
                account
                for ring in truth.rings
                if ring.typology == typology
                for holder, account, _ in ring.accounts
                if holder == bank and account in free
            )
            for typology in TYPOLOGIES
        }
        made[bank] = Bank(round(share * len(alone.risk)), targets, alone.of(free), joint[bank].of(free))
    return made


def structuring_gain(
    data: Path, truth: Truth, told: Mapping[str, Mapping[str, object]], budgets: Mapping[str, int]
) -> tuple[Gain, Counted]:
    """Customers who structure over several banks, each bank to find those that it serves.

    With it, what the banks find alone if they have no threshold and look into the largest sums until the budget is
    used up.
    """
    pooled = oracle.pooled(data)
    planted, by_rule = set(truth.structuring), oracle.found_alone(pooled, SQL)
    alone, joint, lowered = {}, {}, {}
    for bank, budget in budgets.items():
        targets = planted & oracle.customers(pooled, bank)
        alone[bank] = counted(by_rule[bank][:budget], targets)
        joint[bank] = counted(sorted(told[bank])[:budget], targets)
        lowered[bank] = counted(oracle.largest_alone(pooled, SQL, bank, budget), targets)
    return Gain(alone, joint), together(list(lowered.values()))


def conformance(data: Path, found: Plain, asked: Mapping[str, Asked]) -> dict[str, float]:
    """The largest difference of every analysis to plain Python on the pooled files."""
    own = {bank: set(plain.scores(plain.held(data, bank), RISK)) for bank in BANKS}
    alerts = oracle.alerts(oracle.pooled(data), SQL)
    expected: dict[str, dict[str, Mapping[str, float | None]]] = {
        name: {bank: {key: score for key, score in rows.items() if key in own[bank]} for bank in BANKS}
        for name, rows in found.answers.items()
    }
    expected[STRUCTURING] = {bank: dict.fromkeys(alerts.get(bank, [])) for bank in BANKS}
    return {f"generated: {name}": difference(asked[name].rows, expected[name]) for name in expected}


def case_files(
    root: Path, data: Path, out: Path, asked: Mapping[str, Asked], banks: Mapping[str, Bank]
) -> dict[str, int]:
    """Write every bank's cases: its alerts within the budget, and its customers who structure; their numbers."""
    written = {}
    for bank, own in banks.items():
        book = cases.Book(data, bank)
        pseudonym = cases.pseudonyms(Home(root / bank))
        made = []
        for account in own.alerts(own.joint):
            typology = own.joint.why(account)
            name = next((name for name in PATTERNS if name in typology), "risk-propagation")
            source = _source(asked, name, bank)
            risk = own.joint.risk[account]
            made.append(cases.account_case(book, account, typology, risk, SPECS[name], source, pseudonym))
        source = _source(asked, STRUCTURING, bank)
        customers = sorted(asked[STRUCTURING].rows[bank])[: own.budget]
        made += [cases.customer_case(book, customer, SQL, source, pseudonym) for customer in customers]
        cases.write(out / bank, made)
        written[bank] = len(made)
    return written


def _source(asked: Mapping[str, Asked], name: str, bank: str) -> cases.Source:
    answer = asked[name]
    run = asked["risk-propagation"].session  # every account of every bank takes part in this one
    return cases.Source(answer.analysis, run, answer.session, answer.plan, answer.policies[bank])


def seen_whole(data: Path, truth: Truth) -> dict[str, tuple[int, int]]:
    """By typology, how many rings one bank's book shows whole, of how many."""
    numbers = {
        bank: {row[0] for row in plain.held(data, bank).execute("SELECT tx_id FROM transactions").fetchall()}
        for bank in BANKS
    }
    found = {}
    for typology in TYPOLOGIES:
        own = [set(ring.transactions) for ring in truth.rings if ring.typology == typology]
        found[typology] = (sum(any(ring <= book for book in numbers.values()) for ring in own), len(own))
    return found


def precision(banks: Mapping[str, Bank]) -> dict[str, dict[str, float | None]]:
    """Average precision over all typologies, by bank: alone, and with the consortium's answers."""
    found = {}
    for name, bank in banks.items():
        targets = frozenset().union(*bank.targets.values())
        found[name] = {
            "alone": average_precision(bank.alone.order(), targets),
            "consortium": average_precision(bank.joint.order(), targets),
        }
    return found


def run(root: Path, out: Path, parameters: Parameters, share: float) -> Report:
    """All of it; the report of the run."""
    begun, before = datetime.now(UTC), load()
    data = root / "data"
    title(f"1. Three banks with {parameters.transactions_per_bank:,} transactions each agree on a consortium")
    truth = generate(parameters, data)
    consortium = set_up(root, say)
    rows = register_data(consortium, data, say)
    say(f"registered: {', '.join(f'{table} {count:,}' for table, count in rows.items())}; nothing has left a bank")
    for purpose in (PURPOSE, TRACING, MODELS):
        sign_policies(consortium, say, purpose)
    title("2. The six analyses, as separate processes")
    found = plain_answers(data)
    listed = len(found.answers["pagerank"])
    counts = {STRUCTURING: oracle.rows_within(oracle.pooled(data), SQL), "joint-model": listed, **found.rows}
    asked = {}
    with running(consortium) as servers:
        for name in ANALYSES:
            asked[name] = ask(servers, name, counts[name], say)
            timing = asked[name].timing
            say(f"{name}: {timing.seconds:.1f} s on shares, {timing.rounds} rounds, {timing.wall_seconds:.1f} s in all")
        memory = servers.peak_memory()
    title("3. Compared with plain Python on the pooled files, and each bank alone with the consortium")
    differences = conformance(data, found, asked)
    named, why = public.conformance()
    attempts = attempts_report.run(consortium, root, share)
    joint = {bank: found_together(asked, bank) for bank in BANKS}
    banks = banks_of(data, truth, joint, share)
    budgets = {name: bank.budget for name, bank in banks.items()}
    gained = gains(banks, TYPOLOGIES)
    gained[STRUCTURING], largest_sums = structuring_gain(data, truth, asked[STRUCTURING].rows, budgets)
    models = joint_model.compared(data, truth, asked["joint-model"].rows, budgets)
    return Report(
        begun=begun,
        machine=described(),
        load=(before, load()),
        parameters=parameters,
        share=share,
        budgets=budgets,
        gains=gained,
        overall=overall(banks),
        risk_alone=overall(by_risk(banks)),
        precision=precision(banks),
        seen_whole=seen_whole(data, truth),
        largest_sums=largest_sums,
        timings={name: each.timing for name, each in asked.items()},
        conformance={**differences, **named, **attempts.conformance},
        models=models,
        public=why,
        attempts=attempts,
        cases=case_files(root, data, out / "gains", asked, banks),
        memory=memory,
    )


def main() -> None:
    """Run it, write numbers and pages; exits with 1 if an answer differs from the plain one."""
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    root = given.out / "gains-homes"
    for folder in (root, given.out / "gains"):
        shutil.rmtree(folder, ignore_errors=True)
    parameters = Parameters.of_size(given.customers, given.transactions)
    try:
        report = run(root, given.out, parameters, given.alerts)
    except DemoError as error:
        print(f"\nthe run failed: {error}", file=sys.stderr)
        sys.exit(1)
    numbers: dict[str, Any] = report.numbers()
    (given.out / "gains.json").write_text(json.dumps(numbers, indent=1) + "\n")
    page = markdown_page(report)
    given.page.write_text(page, encoding="utf-8")
    (given.out / "gains.html").write_text(html_page(report), encoding="utf-8")
    for typology, row in numbers["typologies"].items():
        say(f"{typology}: best bank alone {row['best_single_bank_recall']}, consortium {row['consortium_recall']}")
    print(f"\nnumbers in {given.out / 'gains.json'}, pages {given.out / 'gains.html'} and {given.page}")
    if report.models.misfits() or any(found > LARGEST_DIFFERENCE for found in report.conformance.values()):
        print(f"THE ANSWERS DIFFER:\n{json.dumps(numbers['conformance'], indent=1)}", file=sys.stderr)
        sys.exit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="what three banks find alone and together")
    parser.add_argument("--out", type=Path, default=Path("build"))
    parser.add_argument("--page", type=Path, default=PAGE, help="where the page in Markdown goes")
    parser.add_argument("--customers", type=int, default=Parameters.customers_per_bank, help="a bank")
    parser.add_argument("--transactions", type=int, default=Parameters.transactions_per_bank, help="a bank")
    parser.add_argument("--alerts", type=float, default=0.01, help="share of its accounts that a bank can look into")
    return parser.parse_args()


if __name__ == "__main__":
    main()
