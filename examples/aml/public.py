"""The same specs over public networks, split over three banks: how far the answers are from plain Python.

The data is not in the repository: CONSORTIA_TEST_DATA names its folder (as for the tests). TNO's networks of risk
propagation come as three banks' files; each bank adds the payments that its own accounts send. Their periods are those
of one spec, so scores of one period go into the next and nobody sees them. AMLSim's graphs of 20,000 accounts are dealt
out to the banks by account number. Every plan is that of the spec; TNO's run on shares in one process, AMLSim's on
plain values with the same fixed-point arithmetic: scores on shares differ from these by rounding in the last digits.
"""

import csv
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from consortia.parties.simulation import run_clear, simulate
from consortia.plans.catalogue_file import read_catalogue
from consortia.plans.model import Plan, Scan, Share, Step
from examples.aml import plain
from examples.aml.compiled import plan_of
from examples.aml.consortium import BANKS
from examples.aml.plain import Payment

VARIABLE = "CONSORTIA_TEST_DATA"
MISSING = f"without public networks: `{VARIABLE}` names no folder that holds them"
TNO = ("small", "small_multi_period", "small_multi_period_test", "missing_nodes")
AMLSIM = ("20K_cycle200", "20K_fanin200", "20K_fanin200cycle200")
KEY_BYTES = 12
AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
DIGITS = 6
CATALOGUE = """
consortium: public-networks
purposes: [conformance]
key-domains:
  account: {{id-type: number, bits: 96}}
tables:
  accounts:
    holders: [bank-a, bank-b, bank-c]
    max-rows: {accounts}
    columns:
      id: {{type: key(account), max-distinct: {accounts}}}
      score: {{type: decimal(6), lo: 0, hi: 1}}
"""
PAYMENTS = """  payments_{period}:
    holders: [bank-a, bank-b, bank-c]
    max-rows: {payments}
    columns:
      payer: {{type: key(account), max-distinct: {all_accounts}}}
      payee: {{type: key(account), max-distinct: {all_accounts}}}
      amount: {{type: int, lo: 0, hi: 1000000000}}
"""
"""The table of a period."""
PAID = "SELECT payer AS source, payee AS target, amount FROM payments_{period}"
RISK = """
analysis: risk-propagation
accounts: SELECT id AS account, MAX(score) AS score FROM accounts GROUP BY id
payments: {payments}
iterations: 2
scale: 1
"""
RANK = """
analysis: pagerank
accounts: SELECT id AS account FROM accounts GROUP BY id
payments: {payments}
iterations: 20
"""


@dataclass(frozen=True)
class Network:
    """Accounts with scores and their bank, and payments by period; the bank of a payment's sender adds it."""

    scores: Mapping[str, float]
    bank: Mapping[str, str]
    periods: Sequence[Sequence[Payment]]


def conformance() -> tuple[dict[str, float], str]:
    """The largest difference by data set and analysis, and what is to be said of them; none where no data is."""
    folder = Path(os.environ.get(VARIABLE, ""))
    if not os.environ.get(VARIABLE) or not (folder / "tno-risk-propagation-tests").is_dir():
        return {}, MISSING
    found = {}
    for name in TNO:
        found[f"TNO {name}: risk-propagation, on shares"] = risk_difference(tno(folder, name), shared=True)
    for name in AMLSIM:
        network = amlsim(folder, name)
        found[f"AMLSim {name}: risk-propagation, on plain values"] = risk_difference(network, shared=False)
        found[f"AMLSim {name}: pagerank, on plain values"] = rank_difference(network, shared=False)
    return found, "TNO's networks ran on shares, AMLSim's graphs on plain values with the same arithmetic"


def tno(folder: Path, name: str) -> Network:
    """One of TNO's networks; an account that no bank lists has no score, so its payments count for nothing."""
    within = folder / "tno-risk-propagation-tests" / name
    bank, scores = {}, {}
    for place, member in enumerate(BANKS):
        for row in _rows(within / f"nodes_local{place}.csv"):
            bank[row["id"]], scores[row["id"]] = member, float(row["risk_score"])
    files = sorted(within.glob("transactions_all_period*.csv"))
    periods = [
        [Payment(row["id_source"], row["id_destination"], int(row["amount"])) for row in _rows(file)] for file in files
    ]
    return Network(scores, bank, periods)


def amlsim(folder: Path, name: str) -> Network:
    """One of AMLSim's graphs; scores are ours, a fixed number for each account."""
    within = folder / "amlsim-20k" / name
    ids = [row["nodeid"] for row in _rows(within / "nodes.csv")]
    paid = [
        Payment(row["sourceNodeId"], row["targetNodeId"], round(float(row["value"]) * 100))
        for row in _rows(within / "transactions.csv")
    ]
    scores = {account: zlib.crc32(account.encode()) % 1000 / 1000 for account in ids}
    return Network(scores, {account: list(BANKS)[int(account) % len(BANKS)] for account in ids}, [paid])


def risk_difference(network: Network, *, shared: bool) -> float:
    """Between the spec's answer and plain Python, all periods one after the other; the scale is 1."""
    expected = dict(network.scores)
    for payments in network.periods:
        expected = plain.risk(expected, payments, 2)
    return _largest(answers(network, RISK, shared=shared), expected)


def rank_difference(network: Network, *, shared: bool) -> float:
    """Between the spec's answer and plain Python, over the first period."""
    first = replace(network, periods=network.periods[:1])
    return _largest(answers(first, RANK, shared=shared), plain.ranks(list(first.scores), first.periods[0], 20))


def answers(network: Network, spec: str, *, shared: bool) -> dict[str, float]:
    """What all banks are told together: a score by account."""
    plan = _plan(network, spec)
    frames = {step.id: _frame(network, plan, step) for step in plan.steps if isinstance(step, Share)}
    results = simulate(plan, frames).results if shared else run_clear(plan, frames)
    return {
        str(int.from_bytes(account, "big")): float(score)
        for frame in results.values()
        for account, score in frame.rows()
    }


def _sender(network: Network, payment: Payment) -> str:
    """The bank that adds a payment; the first one adds those of senders whom nobody lists."""
    return network.bank.get(payment.source, next(iter(BANKS)))


def _held(network: Network, period: int, bank: str) -> list[Payment]:
    return [payment for payment in network.periods[period] if _sender(network, payment) == bank]


def _plan(network: Network, spec: str) -> Plan:
    accounts = max(sum(bank == one for bank in network.bank.values()) for one in BANKS)
    text = CATALOGUE.format(accounts=accounts)
    for period, payments in enumerate(network.periods):
        most = max(1, *(len(_held(network, period, bank)) for bank in BANKS))
        named = len(network.scores) + 2 * len(payments)
        text += PAYMENTS.format(period=period, payments=most, all_accounts=named)
    queries = [PAID.format(period=period) for period in range(len(network.periods))]
    spec = spec.format(payments=queries[0] if len(queries) == 1 else f"[{', '.join(map(repr, queries))}]")
    catalogue = read_catalogue(text, key_ids={"account": "aa"})
    return plan_of(spec, catalogue, "conformance", AS_OF)


def _frame(network: Network, plan: Plan, step: Share) -> pl.DataFrame:
    """The local stage's rows of one bank, as the plan's step wants them."""
    table = _table(plan, step)
    if table != "accounts":
        own = _held(network, int(table.rpartition("_")[2]), step.owner)
        columns: dict[str, list[bytes] | list[int]] = {
            "source": [_key(payment.source) for payment in own],
            "target": [_key(payment.target) for payment in own],
            "amount": [payment.amount for payment in own],
        }
    else:
        listed = [account for account, bank in network.bank.items() if bank == step.owner]
        columns = {
            "id": [_key(account) for account in listed],
            "max_score": [round(network.scores[account] * 10**DIGITS) for account in listed],
        }
    kinds = {column.name: pl.Binary() if column.type.kind == "key" else pl.Int64() for column in step.columns}
    return pl.DataFrame({name: pl.Series(columns[name], dtype=kind) for name, kind in kinds.items()})


def _table(plan: Plan, step: Step) -> str:
    """The table that a share step's rows are of."""
    while not isinstance(step, Scan):
        step = plan.step(step.inputs[0])
    return step.table


def _key(account: str) -> bytes:
    return int(account).to_bytes(KEY_BYTES, "big")


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def _largest(found: Mapping[str, float], expected: Mapping[str, float]) -> float:
    if found.keys() != expected.keys():
        return float("inf")
    return max(abs(score - expected[account]) for account, score in found.items())
