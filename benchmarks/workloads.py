"""What is measured: inputs, the answer in clear, and the check of an engine's answer, for every workload.

Imported by all engines' processes, those of peers in their own environments too: numpy and the standard library only.
An answer is a dict of arrays. Inputs are drawn once, by the command, and read by every process from one file.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks import boosting, payments
from benchmarks.arrays import Array, Arrays

BATCH, EPOCHS, RATE = 128, 10, 0.5
"""Of the logistic regression."""
GROUPS = 100


@dataclass(frozen=True, slots=True)
class Workload:
    """One workload. ``sizes`` are measured by default, ``own_sizes`` by our engine alone."""

    name: str
    says: str
    unit: str
    sizes: tuple[int, ...]
    own_sizes: tuple[int, ...]
    inputs: Callable[[int, np.random.Generator], Arrays]
    correct: Callable[[Arrays, Arrays], bool]
    published: str = ""
    """What others have published, which is not measured here."""


def batches(rows: int) -> int:
    """Full batches of one epoch."""
    return rows // BATCH


def cubic_sigmoid(u: Array) -> Array:
    """The polynomial that every engine uses in ``logistic-poly``."""
    return 0.5 + u * (0.197 - 0.004 * u * u)


def sigmoid(u: Array) -> Array:
    """The true one."""
    return 1 / (1 + np.exp(-u))


def trained(x: Array, y: Array, activation: Callable[[Array], Array]) -> Array:
    """Weights after the epochs, in floating point."""
    weights = np.zeros(x.shape[1])
    for _ in range(EPOCHS):
        for i in range(batches(x.shape[0])):
            at = slice(i * BATCH, (i + 1) * BATCH)
            weights = weights - RATE / BATCH * (x[at].T @ (activation(x[at] @ weights) - y[at]))
    return weights


# --- inputs ---------------------------------------------------------------------------------------------


def _pairs(bits: int) -> Callable[[int, np.random.Generator], Arrays]:
    def draw(n: int, rng: np.random.Generator) -> Arrays:
        x, y = rng.integers(-(1 << bits), 1 << bits, (2, n))
        y[: n // 10] = x[: n // 10]  # some are equal
        return {"x": x, "y": y}

    return draw


def _fractions(n: int, rng: np.random.Generator) -> Arrays:
    x, y = rng.normal(size=(2, n)) * 10
    return {"x": x, "y": y}


def _keys(bits: int) -> Callable[[int, np.random.Generator], Arrays]:
    def draw(n: int, rng: np.random.Generator) -> Arrays:
        return {"x": rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), n)}

    return draw


def _grouped(groups: Callable[[int], int], spread: int) -> Callable[[int, np.random.Generator], Arrays]:
    def draw(n: int, rng: np.random.Generator) -> Arrays:
        names = np.unique(rng.integers(0, spread, 2 * groups(n))) if spread else np.arange(groups(n))
        return {"keys": rng.permutation(names)[rng.integers(0, groups(n), n)], "values": rng.integers(0, 1000, n)}

    return draw


def _tenth(n: int) -> int:
    return max(1, n // 10)


def _joined(n: int, rng: np.random.Generator) -> Arrays:
    names = np.unique(rng.integers(0, 1 << 61, 2 * n))
    left, right = n // 2, n - n // 2
    unique = rng.permutation(names)[:right]
    strangers = rng.integers(0, 1 << 61, left)
    known = unique[rng.integers(0, right, left)]
    return {
        "left": np.where(rng.random(left) < 0.5, known, strangers),
        "amount": rng.integers(0, 1000, left),
        "right": unique,
        "score": rng.integers(0, 1000, right),
    }


def side(n: int) -> int:
    """Rows of the square matrices of n elements."""
    return round(n**0.5)


def _matrices(n: int, rng: np.random.Generator) -> Arrays:
    x, y = rng.integers(-(1 << 20), 1 << 20, (2, side(n), side(n)))
    return {"x": x, "y": y}


def _regression(features: int) -> Callable[[int, np.random.Generator], Arrays]:
    def draw(n: int, rng: np.random.Generator) -> Arrays:
        x = rng.normal(size=(n, features))
        probability = sigmoid(x @ (rng.normal(size=features) * 0.3))
        return {"x": x, "y": (rng.random(n) < probability).astype(np.float64)}

    return draw


# --- checks ---------------------------------------------------------------------------------------------


def _equals(expected: Callable[[Arrays], Array]) -> Callable[[Arrays, Arrays], bool]:
    def check(given: Arrays, answer: Arrays) -> bool:
        want = expected(given)
        got = answer["out"]
        return got.shape == want.shape and bool(np.array_equal(got.astype(want.dtype), want))

    return check


def _close(expected: Callable[[Arrays], Array], error: float) -> Callable[[Arrays, Arrays], bool]:
    def check(given: Arrays, answer: Arrays) -> bool:
        want = expected(given)
        got = answer["out"]
        return got.shape == want.shape and bool(np.abs(got.astype(np.float64) - want).max() < error)

    return check


def _bits(given: Arrays) -> Array:
    """Bit j of every value in row j."""
    return ((given["x"].view(np.uint64)[None, :] >> np.arange(64, dtype=np.uint64)[:, None]) & np.uint64(1)).astype(
        bool
    )


def _group_sums(given: Arrays, answer: Arrays) -> bool:
    names, place = np.unique(given["keys"], return_inverse=True)
    sums = np.zeros(names.size, np.int64)
    np.add.at(sums, place, given["values"])
    order = np.argsort(answer["keys"])
    return np.array_equal(answer["keys"][order], names) and np.array_equal(answer["sums"][order], sums)


def _matches(given: Arrays, answer: Arrays) -> bool:
    """Inner join: the pairs of amount and score."""
    order = np.argsort(given["right"])
    keys = given["right"][order]
    at = np.minimum(np.searchsorted(keys, given["left"]), keys.size - 1)
    hit = keys[at] == given["left"]
    want = np.stack([given["left"][hit], given["amount"][hit], given["score"][order][at[hit]]])
    got = np.stack([answer["keys"], answer["amount"], answer["score"]])
    if want.shape != got.shape:
        return False
    return np.array_equal(got[:, np.lexsort(got)], want[:, np.lexsort(want)])


THREE = (10_000, 100_000, 1_000_000)
MORE = (10_000_000,)
WEIGHT_ERROR = 0.05

WORKLOADS = (
    Workload(
        "multiply", "64-bit integers, row by row", "row", THREE, MORE,
        _pairs(30), _equals(lambda a: a["x"] * a["y"]),
    ),
    Workload(
        "multiply-truncate", "fixed-point numbers, row by row, rescaled; normal with deviation 10; error below 0.002",
        "row", THREE, MORE, _fractions, _close(lambda a: a["x"] * a["y"], 0.002),
    ),
    Workload(
        "less-than", "x < y of 64-bit integers (|x|, |y| <= 2^61)", "row", THREE, MORE,
        _pairs(61), _equals(lambda a: a["x"] < a["y"]),
    ),
    Workload(
        "equality", "x = y of 64-bit integers, a tenth of them equal", "row", THREE, MORE,
        _pairs(61), _equals(lambda a: a["x"] == a["y"]),
    ),
    Workload(
        "bits", "all 64 bits of an arithmetically shared integer, as shared bits", "row", THREE, (),
        _keys(62), _equals(_bits),
    ),
    Workload(
        "sort-64", "ascending order of 64-bit keys (62 bits random)", "row", THREE, MORE,
        _keys(62), _equals(lambda a: np.sort(a["x"])),
    ),
    Workload(
        "sort-16", "ascending order of 16-bit keys", "row", THREE, MORE,
        _keys(16), _equals(lambda a: np.sort(a["x"])),
    ),
    Workload(
        "group-by-100", "sums of a column by a key of 100 values (7 bits), the groups compacted", "row", THREE, MORE,
        _grouped(lambda _: GROUPS, 0), _group_sums,
    ),
    Workload(
        "group-by-tenth", "sums of a column by a 64-bit key with n/10 values, the groups compacted", "row", THREE, (),
        _grouped(_tenth, 1 << 61), _group_sums,
    ),
    Workload(
        "join", "inner join of n/2 rows with n/2 rows of unique 64-bit keys, one value column each", "row", THREE, (),
        _joined, _matches,
    ),
    Workload(
        "matmul", "square matrices of n elements each, 64-bit integers", "element", (10_000, 65_536, 1_000_000), (),
        _matrices, _equals(lambda a: a["x"] @ a["y"]),
    ),
    Workload(
        "logistic-poly", "training, 20 features, batch 128, 10 epochs, cubic sigmoid; weights within 0.05", "row",
        (10_000,), (100_000,), _regression(20), _close(lambda a: trained(a["x"], a["y"], cubic_sigmoid), WEIGHT_ERROR),
    ),
    Workload(
        "logistic-sigmoid", "the same with the true sigmoid", "row",
        (10_000,), (), _regression(20), _close(lambda a: trained(a["x"], a["y"], sigmoid), WEIGHT_ERROR),
    ),
    Workload(
        "logistic-30", "the same with the true sigmoid and 30 features", "row",
        (10_000,), (100_000,), _regression(30), _close(lambda a: trained(a["x"], a["y"], sigmoid), WEIGHT_ERROR),
    ),
    Workload(
        "boosted-trees",
        f"training of {boosting.TREES} trees of depth {boosting.DEPTH} on {boosting.FEATURES} features of "
        f"{boosting.CUTS_A_FEATURE} cuts each, every cut tried at every node; mean loss within "
        f"{boosting.LOSS_ERROR} of that of the same trees in floating point",
        "row", (1_000, 10_000), (100_000,), boosting.draw, boosting.model_is_right,
    ),
    Workload(
        "payments-pagerank",
        f"{payments.RANK_STEPS} iterations over n payments among n/6 accounts; ranks within a hundredth of the mean",
        "payment", (1_000, 4_000), (120_000,), payments.draw, payments.ranks_are_right,
    ),
    Workload(
        "payments-risk",
        f"{payments.RISK_STEPS} iterations over n payments among n/6 accounts; scores (0 to 1) within 0.001",
        "payment", (1_000, 4_000), (200_000,), payments.draw, payments.risk_is_right,
        published=payments.PUBLISHED,
    ),
    Workload(
        "payments-cycles",
        f"accounts on rings of 2 to {payments.LONGEST} payments, each within {payments.WINDOW} of {payments.STEPS} "
        "steps of time after the one before and of 0.9 to 1 times its amount; n payments among n/6 accounts",
        "payment", (1_000, 10_000), (120_000,), payments.draw, payments.accounts_are(payments.on_cycles),
    ),
    Workload(
        "payments-scatter-gather",
        f"accounts of pairs with at least {payments.MIDDLES} accounts between them, and those between; payments and "
        "conditions as for cycles",
        "payment", (1_000, 10_000), (120_000,), payments.draw, payments.accounts_are(payments.on_scatter_gather),
    ),
)  # fmt: skip

BY_NAME = {workload.name: workload for workload in WORKLOADS}


def selected(words: str) -> list[Workload]:
    """Workloads of the comma-separated ``words``, each an id or the first part of some; all of them without words."""
    wanted = [word for word in words.replace(",", " ").split() if word]
    names: set[str] = set()
    for word in wanted:
        found = [word] if word in BY_NAME else [name for name in BY_NAME if name.startswith(f"{word}-")]
        if not found:
            raise SystemExit(f"no workload {word}; there are {', '.join(BY_NAME)}")
        names.update(found)
    return [work for work in WORKLOADS if not wanted or work.name in names]
