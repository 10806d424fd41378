"""The clear side of the benchmarked analyses: what is planted is found, and wrong answers are told from right ones."""

from itertools import pairwise, permutations

import numpy as np
import pytest

from benchmarks import boosting, payments
from benchmarks.workloads import BY_NAME


def drawn(n, seed=3):
    return payments.draw(n, np.random.default_rng(seed))


def few(rows):
    """Payments of (source, target, time, amount) among five accounts."""
    columns = np.array(rows, np.int64).T
    named = dict(zip(("source", "target", "time", "amount"), columns, strict=True))
    return {"accounts": np.arange(10, 15), "scores": np.array([1000, 0, 500, 0, 250]), **named}


def test_scores_and_ranks_follow_the_matrix_of_parts():
    given = drawn(300)
    count = given["accounts"].size
    paid = np.zeros((count, count))
    np.add.at(paid, (given["source"], given["target"]), given["amount"])
    into = paid / np.maximum(paid.sum(axis=0), 1)
    out = paid / np.maximum(paid.sum(axis=1, keepdims=True), 1)
    scores, found = given["scores"] / 1000, np.full(count, 1 / count)
    for part in (0.5, 0.5 / np.sqrt(2)):
        scores = (1 - part) * scores + part * (scores @ into)
    for _ in range(20):
        found = 0.15 / count + 0.85 * (found @ out)
    assert np.allclose(payments.risk(given), scores)
    assert np.allclose(payments.ranks(given), found)


def brute_cycles(given):
    rows = list(zip(*(given[name].tolist() for name in ("source", "target", "time", "amount")), strict=True))
    found = set()
    for length in range(2, payments.LONGEST + 1):
        for ring in permutations(rows, length):
            ends = all(one[1] == two[0] for one, two in zip(ring, (*ring[1:], ring[0]), strict=True))
            follow = all(
                0 < two[2] - one[2] <= payments.WINDOW and 0.9 <= two[3] / one[3] <= 1 for one, two in pairwise(ring)
            )
            if ends and follow and len({row[0] for row in ring}) == length:
                found |= {row[0] for row in ring}
    return found


def test_cycles_are_those_among_all_sequences_of_payments():
    every = set()
    for seed in range(6):
        rng = np.random.default_rng(seed)
        rows = np.stack(
            [rng.integers(0, 5, 14), rng.integers(0, 5, 14), rng.integers(0, 40, 14), rng.integers(90, 100, 14)]
        )
        given = few(rows.T)
        found = payments.on_cycles(given)
        assert found == brute_cycles(given)
        every |= found
    assert every


def test_scatter_gather_needs_enough_accounts_between():
    ways = [(0, middle, 1, 900) for middle in (1, 2, 3)] + [(middle, 4, 9, 890) for middle in (1, 2, 3)]
    assert payments.on_scatter_gather(few(ways)) == {0, 1, 2, 3, 4}
    assert payments.on_scatter_gather(few(ways[:-1])) == set()
    late = [*ways[:-1], (3, 4, 1 + payments.WINDOW + 1, 890)]
    assert payments.on_scatter_gather(few(late)) == set()


@pytest.mark.parametrize("n", [1, 2, 30, 200, 2000])
def test_graphs_of_any_size_have_listed_accounts_and_rows_within_bounds(n):
    given = drawn(n)
    count = payments.accounts_of(n)
    assert np.unique(given["accounts"]).size == count
    assert all(given[name].shape == (n,) for name in ("source", "target", "time", "amount"))
    assert all(given[name].min() >= 0 and given[name].max() < count for name in ("source", "target"))
    assert given["time"].min() >= 0
    assert given["time"].max() < payments.STEPS
    assert given["amount"].min() >= 1
    assert given["amount"].max() <= payments.LARGEST_AMOUNT


def test_planted_rings_and_pairs_are_found_and_not_every_account_is_one():
    given = drawn(2000)
    for search in (payments.on_cycles, payments.on_scatter_gather):
        assert 10 < len(search(given)) < given["accounts"].size


def test_wrong_numbers_and_wrong_accounts_are_refused():
    given = drawn(600)
    for name, right, error in (
        ("payments-risk", payments.risk(given), payments.RISK_ERROR),
        ("payments-pagerank", payments.ranks(given), payments.RANK_ERROR / given["accounts"].size),
    ):
        wrong = right.copy()
        wrong[7] += 1.01 * error
        assert BY_NAME[name].correct(given, {"out": right})
        assert not BY_NAME[name].correct(given, {"out": wrong})
        assert not BY_NAME[name].correct(given, {"out": right[1:]})
    for name, search in (
        ("payments-cycles", payments.on_cycles),
        ("payments-scatter-gather", payments.on_scatter_gather),
    ):
        found = sorted(search(given))
        right = given["accounts"][found][::-1]
        stranger = given["accounts"][[place for place in range(given["accounts"].size) if place not in found][:1]]
        assert BY_NAME[name].correct(given, {"accounts": right})
        assert not BY_NAME[name].correct(given, {"accounts": right[1:]})
        assert not BY_NAME[name].correct(given, {"accounts": np.concatenate([right, stranger])})


def test_a_model_is_right_where_it_fits_as_the_plain_one_does():
    given = boosting.draw(500, np.random.default_rng(4))
    model = boosting.plain(given)
    assert boosting.model_is_right(given, model)
    assert boosting.loss(given, model) < 0.5 * np.log(2)
    other = {**model, "choices": (model["choices"] + boosting.CUTS_A_FEATURE) % boosting.CUTS}
    assert not boosting.model_is_right(given, other)
    assert not boosting.model_is_right(given, {**model, "leaves": -model["leaves"]})
    assert not boosting.model_is_right(given, {**model, "leaves": model["leaves"][1:]})
