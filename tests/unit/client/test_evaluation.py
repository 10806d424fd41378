"""What the bands of an evaluation tell of a model: equal to what scikit-learn says of scores and labels."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score

from consortia.client.evaluation import ends_of, evaluated
from consortia.errors import RequestError
from tests.policies_world import draft_of, make_world

ENDS = (2, 5, 9, None)


def banded(scores: list[float], labels: list[int], ends: tuple[int | None, ...], groups: list[str]) -> pl.DataFrame:
    order = np.argsort(-np.array(scores), kind="stable")
    rows = [
        {
            "up_to": next((end for end in ends if end is not None and place <= end), None),
            "group": groups[index],
            "rows": 1,
            "positives": labels[index],
            "expected": scores[index],
        }
        for place, index in enumerate(order, start=1)
    ]
    return pl.DataFrame(rows).group_by("up_to", "group", maintain_order=True).sum()


def drawn(seed: int) -> tuple[list[float], list[int], list[str]]:
    draw = np.random.default_rng(seed)
    scores = draw.random(12).tolist()
    return scores, [int(score + draw.normal(0, 0.4) > 0.6) for score in scores], draw.choice(["x", "y"], 12).tolist()


def test_recall_and_precision_are_those_of_an_alert_on_every_row_up_to_the_band() -> None:
    scores, labels, _ = drawn(1)
    found = evaluated(banded(scores, labels, ENDS, ["all"] * 12), ENDS)
    order = sorted(zip(scores, labels, strict=True), reverse=True)
    for band in found.bands:
        hits = sum(label for _, label in order[: band.up_to])
        assert band.recall == pytest.approx(hits / sum(labels))
        assert band.precision == pytest.approx(hits / len(order[: band.up_to]))
    assert found.missing == ()


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_is_that_of_scikit_learn_for_scores_that_are_alike_within_a_band(seed: int) -> None:
    scores, labels, _ = drawn(seed)
    order = np.argsort(-np.array(scores))
    coarse = np.empty(12)
    coarse[order] = [-next((n for n, end in enumerate(ENDS) if end and place < end), 3) for place in range(12)]
    found = evaluated(banded(scores, labels, ENDS, ["all"] * 12), ENDS)
    assert found.average_precision == pytest.approx(average_precision_score(labels, coarse))


def test_alert_rates_are_shares_of_each_group() -> None:
    scores, labels, groups = drawn(3)
    found = evaluated(banded(scores, labels, ENDS, groups), ENDS)
    assert found.alert_rates or len(set(groups)) == 1
    order = [groups[index] for index in np.argsort(-np.array(scores))]
    for group, rates in found.alert_rates.items():
        assert rates == pytest.approx([order[:end].count(group) / order.count(group) for end in ENDS[:-1]])


def test_a_missing_band_leaves_recall_and_average_precision_unknown_and_earlier_precision_known() -> None:
    frame = pl.DataFrame(
        {"up_to": [2, 9, None], "rows": [2, 4, 3], "positives": [2, 1, 0], "expected": [1.5, 1.0, 0.1]}
    )
    found = evaluated(frame, ENDS)
    assert found.missing == (5,)
    assert found.average_precision is None
    assert [band.recall for band in found.bands] == [None] * 3
    assert [band.precision for band in found.bands] == [1.0, None, None]


def test_a_band_of_which_one_group_is_not_shown_is_missing_and_no_rate_is_told_of_that_group() -> None:
    columns = {"up_to": [50, 50, None, None, 20, 20], "group": ["p", "c", "p", "c", "p", "c"]}
    frame = pl.DataFrame(columns | {"rows": [20, 10, 40, 60, 12, 8], "positives": [9, 1, 1, 0, 7, 5],
                                    "expected": [8.0, 1, 1, 1, 7, 5]})  # fmt: skip
    ends = (20, 50, None)
    assert evaluated(frame, ends).missing == ()
    assert set(evaluated(frame, ends).alert_rates) == {"p", "c"}
    hidden = frame.filter((pl.col("group") == "p") | (pl.col("up_to") != 50).fill_null(value=True))
    found = evaluated(hidden, ends)
    assert found.missing == (50,)
    assert found.average_precision is None
    assert [band.recall for band in found.bands] == [None] * 3
    assert [band.precision for band in found.bands] == [12 / 20, None, None]
    assert set(found.alert_rates) == {"p"}


def test_a_band_of_all_its_places_is_whole_though_a_group_has_none_there() -> None:
    frame = pl.DataFrame({"up_to": [5, None, None], "group": ["p", "p", "c"], "rows": [5, 4, 6],
                          "positives": [3, 1, 0], "expected": [3.0, 1, 0.5]})  # fmt: skip
    found = evaluated(frame, (5, None))
    assert found.missing == ()
    assert found.bands[0].recall == 3 / 4


def test_suppressed_cells_and_models_that_find_nothing_are_no_errors() -> None:
    frame = pl.DataFrame(
        {"up_to": [2, 5, None], "rows": [2, None, 3], "positives": [0, None, 0], "expected": [0.5, None, 0.1],
         "suppressed": [False, True, False]}
    )  # fmt: skip
    assert evaluated(frame, (2, 5, None)).missing == (5,)
    nothing = evaluated(frame.filter(~pl.col("suppressed")).drop("suppressed"), (2, None))
    assert nothing.average_precision is None
    assert [band.recall for band in nothing.bands] == [None, None]


def test_a_session_that_judged_no_model_has_no_evaluation() -> None:
    plan = draft_of("SELECT country, COUNT(*) AS n FROM deposits GROUP BY country", make_world())
    with pytest.raises(RequestError) as refused:
        ends_of(plan)
    assert refused.value.code == "client/no-evaluation"
