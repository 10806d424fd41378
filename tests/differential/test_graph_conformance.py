"""Public networks: risk propagation on TNO's, PageRank, risk and cycles on AMLSim's graphs, against plain numbers.

The data is not in the repository: CONSORTIA_TEST_DATA names its folder. AMLSim's graphs of 20,000 accounts take a
minute (`make test-slow`).
"""

import csv
import math
import os
import zlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from consortia.protocols.clear.engine import ClearEngine, value_words
from consortia.protocols.fixed.numbers import Fixed
from consortia.protocols.graph import network as graph
from consortia.protocols.graph.network import Edges, Network, Nodes, prepared
from consortia.protocols.graph.patterns import Cycles, Following, accounts_on, cycles
from consortia.protocols.graph.propagate import PAGE_DAMPING, ranks, risk
from consortia.protocols.graph.weights import FRACTION, shares_of
from consortia.protocols.relational.table import SharedColumn, SharedTable
from consortia.protocols.shares import Rows
from tests.world import World, reconstruct

UNIT = 1 << FRACTION
MOST = 1_000_000_000
LARGEST_DIFFERENCE = 1e-4
KEY_BITS = 32
Payment = tuple[int, int, int]


def data(*parts: str) -> Path:
    folder = os.environ.get("CONSORTIA_TEST_DATA")
    if not folder or not Path(folder, *parts).exists():
        pytest.skip(f"CONSORTIA_TEST_DATA names no folder with {'/'.join(parts)}")
    return Path(folder, *parts)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


# --- programs -------------------------------------------------------------------------------------------


def keys(engine, values: Sequence[int]):
    return engine.constant_boolean(np.array(values, np.uint64)[:, np.newaxis], KEY_BITS)


def all_valid(engine, length: int):
    return engine.constant_boolean(np.ones((length, 1), np.uint64), 1)


def numbers(engine, values: Sequence[int]):
    return engine.constant_arithmetic(np.array(values, np.int64).view(np.uint64))


def network_of(engine, accounts: Sequence[int], payments: Sequence[Payment]) -> Network:
    sources, targets = ([payment[end] for payment in payments] for end in (0, 1))
    nodes = Nodes(keys(engine, accounts), all_valid(engine, len(accounts)))
    return prepared(
        engine, nodes, Edges(keys(engine, sources), keys(engine, targets), all_valid(engine, len(payments)))
    )


def propagated(engine, scores: dict[int, float], periods: Sequence[Sequence[Payment]], iterations: int):
    """Scores in the order of the accounts given, after all periods one after the other."""
    given = numbers(engine, [round(score * UNIT) for score in scores.values()])
    for place, payments in enumerate(periods):
        at = engine.narrow(f"period-{place}")
        network = network_of(at.narrow("network"), list(scores), payments)
        amounts = numbers(at, [payment[2] for payment in payments])
        weights = shares_of(at.narrow("weights"), network, network.target, amounts, MOST * len(payments))
        start = Fixed(graph.by_key(at.narrow("by-key"), network, given), FRACTION, UNIT)
        found = risk(at.narrow("risk"), network, start, weights, iterations)
        given = graph.as_given(at.narrow("given"), network, found.carried)
    return given


def on_values(program) -> np.ndarray:
    """What a program gives on plain values, as real numbers."""
    return value_words(program(ClearEngine())).view(np.int64) / UNIT


def on_computers(program) -> np.ndarray:
    return np.array(reconstruct(World(3).run(program)), np.int64) / UNIT


# --- plain ----------------------------------------------------------------------------------------------


def plain_risk(scores: dict[int, float], periods: Sequence[Sequence[Payment]], iterations: int) -> np.ndarray:
    score = dict(scores)
    for payments in periods:
        known = [payment for payment in payments if payment[0] in score and payment[1] in score]
        for k in range(1, iterations + 1):
            received, total, d = defaultdict(float), defaultdict(float), 0.5 / math.sqrt(k)
            for source, target, amount in known:
                received[target] += amount * score[source]
                total[target] += amount
            score = {
                key: (1 - d) * r + (d * received[key] / total[key] if total[key] else 0) for key, r in score.items()
            }
    return np.array(list(score.values()))


def plain_ranks(accounts: Sequence[int], payments: Sequence[Payment], iterations: int) -> np.ndarray:
    place = {account: number for number, account in enumerate(accounts)}
    source, target = (np.array([place[payment[end]] for payment in payments]) for end in (0, 1))
    amount = np.array([payment[2] for payment in payments], float)
    weight = amount / np.bincount(source, amount, len(accounts))[source]
    rank = np.full(len(accounts), 1 / len(accounts))
    for _ in range(iterations):
        received = np.bincount(target, weight * rank[source], len(accounts))
        rank = (1 - PAGE_DAMPING) / len(accounts) + PAGE_DAMPING * received
    return rank


# --- TNO ------------------------------------------------------------------------------------------------

NETWORKS = ("small", "small_multi_period", "small_multi_period_test", "missing_nodes")


def tno(name: str) -> tuple[dict[int, float], list[list[Payment]]]:
    """The union of the three banks' files: each lists its own accounts, and payments that touch them."""
    folder = data("tno-risk-propagation-tests", name)
    scores = {int(row["id"]): float(row["risk_score"]) for row in rows(folder / "nodes_all.csv")}
    files = sorted(folder.glob("transactions_all_period*.csv"))
    return scores, [[tno_payment(row) for row in rows(file)] for file in files]


def tno_payment(row: dict[str, str]) -> Payment:
    return int(row["id_source"]), int(row["id_destination"]), int(row["amount"])


@pytest.mark.parametrize("name", NETWORKS)
def test_risk_propagation_on_tno_s_networks_is_the_formula_on_their_union(name: str) -> None:
    scores, periods = tno(name)
    for payments in (periods[:1], periods):
        expected = plain_risk(scores, payments, 2)
        found = on_values(lambda engine, given=payments: propagated(engine, scores, given, 2))
        assert np.abs(found - expected).max() < LARGEST_DIFFERENCE
    assert np.abs(expected - np.array(list(scores.values()))).max() > 0.1


@pytest.mark.parametrize("name", NETWORKS[:1])
def test_three_computers_find_the_same_risk_as_the_formula(name: str) -> None:
    scores, periods = tno(name)
    found = on_computers(lambda engine: propagated(engine, scores, periods, 2))
    assert np.abs(found - plain_risk(scores, periods, 2)).max() < LARGEST_DIFFERENCE


def test_the_union_holds_every_account_of_a_bank_and_every_payment_that_one_of_them_knows() -> None:
    for name in NETWORKS[:2]:
        folder = data("tno-risk-propagation-tests", name)
        scores, periods = tno(name)
        held = {int(row["id"]) for bank in range(3) for row in rows(folder / f"nodes_local{bank}.csv")}
        assert held == set(scores)
        known = {
            tno_payment(row) for bank in range(3) for row in rows(folder / f"transactions_local{bank}_period0.csv")
        }
        assert known == set(periods[0])


# --- AMLSim ---------------------------------------------------------------------------------------------

GRAPHS = ("20K_cycle200", "20K_fanin200", "20K_fanin200cycle200")
FOLLOWS = Following(window=20, part=(9, 10))


def amlsim(name: str) -> tuple[list[int], list[Payment], list[int]]:
    folder = data("amlsim-20k", name)
    accounts = [int(row["nodeid"]) for row in rows(folder / "nodes.csv")]
    paid = rows(folder / "transactions.csv")
    payments = [(int(r["sourceNodeId"]), int(r["targetNodeId"]), round(float(r["value"]) * 100)) for r in paid]
    return accounts, payments, [int(r["time"]) for r in paid]


@pytest.mark.slow
@pytest.mark.parametrize("name", GRAPHS)
def test_ranks_and_risk_on_graphs_of_20_000_accounts_are_those_of_plain_numbers(name: str) -> None:
    accounts, payments, _ = amlsim(name)

    def ranked(engine):
        network = network_of(engine.narrow("network"), accounts, payments)
        amounts = numbers(engine, [payment[2] for payment in payments])
        weights = shares_of(engine.narrow("weights"), network, network.source, amounts, MOST * len(payments))
        listed = all_valid(engine, len(accounts))
        valid = engine.narrow("valid").permuted(network.node_order, Rows((), (listed,))).boolean[0]
        found = ranks(engine.narrow("ranks"), network, valid, weights, 20)
        return graph.as_given(engine.narrow("given"), network, found.carried)

    assert np.abs(on_values(ranked) - plain_ranks(accounts, payments, 20)).max() < 1e-6
    scores = {account: zlib.crc32(f"{account}".encode()) % 1000 / 1000 for account in accounts}
    found = on_values(lambda engine: propagated(engine, scores, [payments], 2))
    assert np.abs(found - plain_risk(scores, [payments], 2)).max() < LARGEST_DIFFERENCE


def plain_cycle_accounts(payments: Sequence[Payment], times: Sequence[int], longest: int) -> set[int]:
    """Accounts on closed paths of 2 to ``longest`` payments, by depth-first search over payments by sender."""
    least, whole = FOLLOWS.part
    leaving = defaultdict(list)
    for (source, target, amount), time in zip(payments, times, strict=True):
        leaving[source].append((time, amount, target))
    found: set[int] = set()

    def grow(path: list[int], time: int, amount: int) -> None:
        for later, passed, target in leaving[path[-1]]:
            enough = passed * whole >= amount * least
            if not 0 < later - time <= FOLLOWS.window or passed > amount or not enough:
                continue
            if target == path[0]:
                found.update(path)
            elif target not in path and len(path) < longest:
                grow([*path, target], later, passed)

    for (source, target, amount), time in zip(payments, times, strict=True):
        if source != target:
            grow([source, target], time, amount)
    return found


@pytest.mark.slow
def test_cycles_on_a_graph_of_20_000_accounts_are_those_of_plain_search() -> None:
    accounts, payments, times = amlsim("20K_cycle200")
    engine = ClearEngine()
    key = [keys(engine, [payment[end] for payment in payments]) for end in (0, 1)]
    amounts = numbers(engine, [payment[2] for payment in payments])
    edges = SharedTable(
        len(payments),
        {
            "source": SharedColumn(key[0], 0, 2**KEY_BITS - 1),
            "target": SharedColumn(key[1], 0, 2**KEY_BITS - 1),
            "time": SharedColumn(numbers(engine, times), 0, 200),
            "amount": SharedColumn(amounts, 0, MOST),
        },
        all_valid(engine, len(payments)),
    )
    named = SharedTable(
        len(accounts),
        {"id": SharedColumn(keys(engine, accounts), 0, 2**KEY_BITS - 1)},
        all_valid(engine, len(accounts)),
    )
    spec = Cycles(4, FOLLOWS, (250_000, 50_000), 10_000)
    found = accounts_on(engine.narrow("on"), named, "id", cycles(engine.narrow("find"), edges, spec))
    listed = value_words(found.valid)[:, 0].astype(bool)
    expected = plain_cycle_accounts(payments, times, 4)
    assert {account for account, bit in zip(accounts, listed, strict=True) if bit} == expected
    assert expected
