"""Payments between accounts: the inputs of the analyses that follow money, their answers in clear, and the checks.

Imported by all engines' processes: numpy and the standard library only. A graph of n payments has n/6 accounts, as
AMLSim's graphs of 20,000 accounts have; who is paid is skewed, so that a few accounts receive much. A tenth of the rows
are planted rings of two to four accounts, another tenth are pairs of accounts with three to five others between them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.arrays import Array, Arrays

PAYMENTS_AN_ACCOUNT = 6
LARGEST_AMOUNT = 999
STEPS = 150
"""Of time: payments have one of them each."""
WINDOW = 20
KEPT = (9, 10)
"""What the next payment moves at least of the one before."""
LONGEST, MIDDLES = 4, 3
RISK_STEPS, RANK_STEPS = 2, 20
RANK_DAMPING = 0.85
SCORE_UNIT = 1000
RISK_ERROR = 1e-3
RANK_ERROR = 1e-2
"""Of the mean rank."""
PUBLISHED = (
    "Published, not measured here: for 200,000 transactions two iterations between three virtual parties run within "
    "three hours on a consumer-grade server, with distributed Paillier encryption (van Egmond and others, Financial "
    "Cryptography 2024, [2024/065](https://eprint.iacr.org/2024/065)). That is another machine and homomorphic "
    "encryption, so no ratio is made of it."
)


def accounts_of(payments: int) -> int:
    """Accounts of a graph of so many payments."""
    return max(8, payments // PAYMENTS_AN_ACCOUNT)


def damping(step: int) -> float:
    """How much of a risk score comes from the senders in a step, counted from 1."""
    return 0.5 / step**0.5


def draw(n: int, rng: np.random.Generator) -> Arrays:
    """``accounts`` of 62 bits with ``scores`` in thousandths; n rows of places in them, ``time`` and ``amount``."""
    count = accounts_of(n)
    accounts = rng.permutation(np.unique(rng.integers(0, 1 << 62, 2 * count)))[:count]
    rows = np.stack(
        [
            rng.integers(0, count, n),
            (count * rng.random(n) ** 2).astype(np.int64),
            rng.integers(0, STEPS, n),
            rng.integers(1, LARGEST_AMOUNT + 1, n),
        ],
        axis=1,
    )
    planted = [row for kind in (_rings, _gathered) for row in kind(n // 10, count, rng)]
    rows[: len(planted)] = np.array(planted, np.int64).reshape(-1, 4)
    rows = rng.permutation(rows)
    columns = {name: rows[:, place].copy() for place, name in enumerate(("source", "target", "time", "amount"))}
    return {"accounts": accounts, "scores": rng.integers(0, SCORE_UNIT + 1, count), **columns}


def _rings(rows: int, count: int, rng: np.random.Generator) -> Iterator[tuple[int, ...]]:
    while rows >= LONGEST:
        length = int(rng.integers(2, LONGEST + 1))
        members = rng.choice(count, length, replace=False)
        time, amount = int(rng.integers(0, STEPS // 2)), int(rng.integers(500, LARGEST_AMOUNT + 1))
        for place in range(length):
            yield members[place], members[(place + 1) % length], time, amount
            time, amount = time + int(rng.integers(1, WINDOW // 2)), _less(amount, rng)
        rows -= length


def _gathered(rows: int, count: int, rng: np.random.Generator) -> Iterator[tuple[int, ...]]:
    while rows >= 2 * (MIDDLES + 2):
        first, last, *middles = rng.choice(count, 2 + int(rng.integers(MIDDLES, MIDDLES + 3)), replace=False)
        for middle in middles:
            time, amount = int(rng.integers(0, STEPS // 2)), int(rng.integers(500, LARGEST_AMOUNT + 1))
            yield first, middle, time, amount
            yield middle, last, time + int(rng.integers(1, WINDOW)), _less(amount, rng)
        rows -= 2 * len(middles)


def _less(amount: int, rng: np.random.Generator) -> int:
    """Most of the amount: a fee is kept."""
    return amount - int(rng.integers(0, amount // 20 + 1))


def one_hot(given: Arrays) -> tuple[Array, Array]:
    """For engines without secret permutations: who pays and who is paid, one row a payment, one column an account."""
    every = np.arange(given["accounts"].size)
    return given["source"][:, None] == every, given["target"][:, None] == every


# --- answers in clear -----------------------------------------------------------------------------------


def risk(given: Arrays) -> Array:
    """Scores from 0 to 1 after the steps."""
    scores = given["scores"] / SCORE_UNIT
    weights = _parts(given, "target")
    for step in range(1, RISK_STEPS + 1):
        received = _along(given, scores, weights)
        scores = (1 - damping(step)) * scores + damping(step) * received
    return scores


def ranks(given: Arrays) -> Array:
    """PageRank after the steps."""
    count = given["accounts"].size
    found, weights = np.full(count, 1 / count), _parts(given, "source")
    for _ in range(RANK_STEPS):
        found = (1 - RANK_DAMPING) / count + RANK_DAMPING * _along(given, found, weights)
    return found


def _parts(given: Arrays, end: str) -> Array:
    total = np.bincount(given[end], given["amount"], given["accounts"].size)
    return given["amount"] / total[given[end]]


def _along(given: Arrays, values: Array, weights: Array) -> Array:
    return np.bincount(given["target"], weights * values[given["source"]], values.size)


def on_cycles(given: Arrays) -> set[int]:
    """Places of the accounts on closed paths of 2 to ``LONGEST`` payments, by depth-first search."""
    leaving = _leaving(given)
    found: set[int] = set()

    def grow(path: tuple[int, ...], time: int, amount: int) -> None:
        for target, later, passed in _following(leaving[path[-1]], time, amount):
            if target == path[0]:
                found.update(path)
            elif target not in path and len(path) < LONGEST:
                grow((*path, target), later, passed)

    for source, edges in list(leaving.items()):
        for target, time, amount in edges:
            grow((source, target), time, amount)
    return found


def on_scatter_gather(given: Arrays) -> set[int]:
    """Places of the accounts of pairs with ``MIDDLES`` accounts between them, and of those between."""
    leaving = _leaving(given)
    between: dict[tuple[int, int], set[int]] = defaultdict(set)
    for source, edges in list(leaving.items()):
        for middle, time, amount in edges:
            for target, _, _ in _following(leaving[middle], time, amount):
                if target != source:
                    between[source, target].add(middle)
    many = [(pair, middles) for pair, middles in between.items() if len(middles) >= MIDDLES]
    return {account for pair, middles in many for account in (*pair, *middles)}


def _leaving(given: Arrays) -> defaultdict[int, list[tuple[int, int, int]]]:
    """By payer: whom, when, and how much; what somebody pays to the same account is left out."""
    found: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
    columns = (given[name].tolist() for name in ("source", "target", "time", "amount"))
    for source, target, time, amount in zip(*columns, strict=True):
        if source != target:
            found[source].append((target, time, amount))
    return found


def _following(edges: list[tuple[int, int, int]], time: int, amount: int) -> Iterator[tuple[int, int, int]]:
    part, whole = KEPT
    for target, later, passed in edges:
        if 0 < later - time <= WINDOW and passed <= amount and passed * whole >= amount * part:
            yield target, later, passed


# --- checks ---------------------------------------------------------------------------------------------


def risk_is_right(given: Arrays, answer: Arrays) -> bool:
    """Whether every score is within ``RISK_ERROR``."""
    return _within(answer["out"], risk(given), RISK_ERROR)


def ranks_are_right(given: Arrays, answer: Arrays) -> bool:
    """Whether every rank is within ``RANK_ERROR`` of the mean rank."""
    return _within(answer["out"], ranks(given), RANK_ERROR / given["accounts"].size)


def _within(got: Array, want: Array, error: float) -> bool:
    return got.shape == want.shape and bool(np.abs(got - want).max() <= error)


def accounts_are(search: Callable[[Arrays], set[int]]) -> Callable[[Arrays, Arrays], bool]:
    """Whether the answer's ``accounts`` are those that a search in clear finds, each once."""

    def check(given: Arrays, answer: Arrays) -> bool:
        want = np.sort(given["accounts"][sorted(search(given))])
        return np.array_equal(np.sort(answer["accounts"]), want)

    return check
