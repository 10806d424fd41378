"""The analyses of money laundering as programs of our engine: the plan's own steps over shared payments, and trees."""

from collections.abc import Callable

import numpy as np

from benchmarks import boosting, payments
from benchmarks.arrays import Arrays
from benchmarks.engines.dealer import Dealer, Maker, Program, Shares
from benchmarks.party import Job
from consortia.execution.networks import matched, propagated
from consortia.plans.networks import (
    Carrying,
    CycleMethod,
    Following,
    Pattern,
    RankMethod,
    RiskMethod,
    ScatterGatherMethod,
    made_bounds,
)
from consortia.plans.steps_of_networks import Match, Propagate
from consortia.protocols.engine import Engine
from consortia.protocols.learning.trees import FRACTION, Boosting, Features, train
from consortia.protocols.relational.table import SharedColumn, SharedTable

KEY_BITS = 96
"""As keys of domains have."""
SPARE = 64
"""What bounds leave to graphs that are too small for their expectation."""

RISK = RiskMethod(iterations=payments.RISK_STEPS, scale=1, places=3)
RANK = RankMethod(iterations=payments.RANK_STEPS)


def _network(method: Carrying) -> Maker:
    def make(deal: Dealer, given: Arrays, job: Job) -> Program:
        accounts, paid = _tables(deal, given)
        step = Propagate(
            **_placed(accounts), key="account", score="score", source="source", target="target", amount="amount",
            made="made", total=job.n * payments.LARGEST_AMOUNT, method=method,
        )  # fmt: skip
        return lambda engine: {"out": propagated(engine, step, accounts, paid).column("made").value}

    return make


def _patterns(method: Callable[[int], Pattern]) -> Maker:
    def make(deal: Dealer, given: Arrays, job: Job) -> Program:
        accounts, paid = _tables(deal, given)
        step = Match(
            **_placed(accounts), key="account", source="source", target="target", amount="amount", time="time",
            method=method(job.n),
        )  # fmt: skip

        def run(engine: Engine) -> Shares:
            found = matched(engine, step, accounts, paid)
            return {"accounts": found.column("account").value, "valid": found.valid}

        return run

    return make


def _cycles(n: int) -> CycleMethod:
    return CycleMethod(longest=payments.LONGEST, follows=_follows(), paths=_paths(n), closed=n // 10 + SPARE)


def _scatter_gather(n: int) -> ScatterGatherMethod:
    return ScatterGatherMethod(middles=payments.MIDDLES, follows=_follows(), paths=_paths(n)[0])


def _follows() -> Following:
    part, whole = payments.KEPT
    return Following(window=payments.WINDOW, part=part, whole=whole)


def _paths(n: int) -> tuple[int, int]:
    """Bounds in proportion to those that AMLSim's graphs need: twice the payments, then half of them."""
    return 2 * n + SPARE, n // 2 + SPARE


def _placed(accounts: SharedTable) -> dict[str, object]:
    return {"id": "step", "inputs": ("accounts", "payments"), "at": "shared", "rows": accounts.length, "columns": ()}


def _tables(deal: Dealer, given: Arrays) -> tuple[SharedTable, SharedTable]:
    def table(columns: dict[str, SharedColumn], rows: int, name: str) -> SharedTable:
        return SharedTable(rows, columns, deal.boolean(f"{name} valid", np.ones(rows, np.uint64), 1))

    def key(name: str, numbers: np.ndarray) -> SharedColumn:
        words = np.stack([numbers, numbers & 0xFFFFFFFF], axis=1)
        return SharedColumn(deal.boolean(name, words, KEY_BITS), 0, (1 << KEY_BITS) - 1)

    def number(name: str, hi: int) -> SharedColumn:
        return SharedColumn(deal.arithmetic(name, given[name]), 0, hi)

    listed = {"account": key("account", given["accounts"]), "score": number("scores", payments.SCORE_UNIT)}
    ends = {name: key(name, given["accounts"][given[name]]) for name in ("source", "target")}
    paid = {**ends, "time": number("time", payments.STEPS), "amount": number("amount", payments.LARGEST_AMOUNT)}
    return table(listed, given["accounts"].size, "accounts"), table(paid, given["amount"].size, "payments")


# --- trees ----------------------------------------------------------------------------------------------


BOOSTING = Boosting(boosting.TREES, boosting.DEPTH, boosting.RATE, l2=boosting.L2, minimum_weight=0)


def _trees(deal: Dealer, given: Arrays, job: Job) -> Program:
    below = deal.arithmetic("below", given["below"].astype(np.int64))
    labels, valid = deal.arithmetic("labels", given["labels"]), deal.arithmetic("valid", np.ones(job.n, np.int64))
    features = Features((below,), boosting.CUTS)

    def run(engine: Engine) -> Shares:
        trees = train(engine, features, labels, valid, BOOSTING)
        first, *choices = (choice for tree in trees for choice in tree.choices)
        leaf, *leaves = (tree.leaves.carried for tree in trees)
        return {"choices": first.concatenated(choices), "leaves": leaf.concatenated(leaves)}

    return run


ANALYSES: dict[str, Maker] = {
    "payments-pagerank": _network(RANK),
    "payments-risk": _network(RISK),
    "payments-cycles": _patterns(_cycles),
    "payments-scatter-gather": _patterns(_scatter_gather),
    "boosted-trees": _trees,
}


# --- answers --------------------------------------------------------------------------------------------


def _scaled(method: Carrying) -> Callable[[Arrays, Job], Arrays]:
    whole = made_bounds(method).hi // 2
    return lambda clear, _: {"out": clear["out"] / whole}


def _model(clear: Arrays, _: Job) -> Arrays:
    choices = clear["choices"].reshape(-1, boosting.CUTS)
    if not np.array_equal(choices.sum(axis=1), np.ones(len(choices))):
        raise ValueError("some node takes no cut, or several")
    return {"choices": choices.argmax(axis=1), "leaves": clear["leaves"] / (1 << FRACTION)}


ANSWERS: dict[str, Callable[[Arrays, Job], Arrays]] = {
    "payments-pagerank": _scaled(RANK),
    "payments-risk": _scaled(RISK),
    "boosted-trees": _model,
}
"""How opened results become answers, where they are not yet."""
