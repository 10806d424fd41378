"""What a joint model learns from needs `train`, what it is judged by `evaluate`; the model itself is never opened."""

import pytest

from consortia.policies.decide import decide
from consortia.policies.language.parse import parse_policy
from consortia.policies.verdicts import Decision
from tests.policies_world import GENEROUS, NOW, draft_of, loaded, make_world, policy_text

OWNERS = ("bank-a", "bank-b", "bank-c")
NUMBER = "operations: [filter, count, sum, compare, score, rank, quantile, variance, trace, train, evaluate]}"
LAND = "country: {class: quasi, operations: [filter, group, count, compare, alert, join, rank, trace, train, evaluate]}"
"""As the generous policy grants them: the first of each in `deposits`, the second in `accounts`."""
EXAMPLES = """
analysis: logistic-regression
examples: |
  SELECT a.customer_key AS subject, a.label, a.held, d.total
  FROM (SELECT customer_key, MAX(CASE WHEN risk_score > 50 THEN 1 ELSE 0 END) AS label,
          MAX(CASE WHEN country = 'DE' THEN 1 ELSE 0 END) AS held FROM accounts GROUP BY customer_key) AS a
  JOIN (SELECT customer_key, SUM(amount_minor) AS total FROM deposits WHERE currency = 'EUR' GROUP BY customer_key) AS d
    ON a.customer_key = d.customer_key
epochs: 1
"""
SCORES = f"{EXAMPLES}give: scores\n"
ALERTS = f"{EXAMPLES}give: alerts\nat-least: 0.5\n"
JUDGED = f"{EXAMPLES}give: evaluation\nbands: [100, 200]\n"
COUNTED = SCORES.replace("SUM(amount_minor) AS total", "COUNT(*) AS total")


def less(grant: str, line: str, place: int = 0) -> tuple[tuple[str, str], ...]:
    """Edits that take ``grant`` from a line, or from the second one that reads the same."""
    edit = (line, line.replace(f", {grant}", ""))
    return (edit,) if place == 0 else ((line, "~second~"), edit, ("~second~", line))


def decided(text: str, *edits: tuple[str, str]) -> Decision:
    world = make_world(*(loaded(owner, *GENEROUS, *edits) for owner in OWNERS))
    return decide(draft_of(text, world), world, NOW)


@pytest.mark.parametrize("text", [SCORES, ALERTS, JUDGED], ids=["scores", "alerts", "evaluation"])
def test_a_model_is_permitted_where_everything_that_it_learns_from_permits_it(text: str) -> None:
    decision = decided(text)
    assert decision.permitted, decision.denials()


@pytest.mark.parametrize("text", [SCORES, ALERTS, JUDGED], ids=["scores", "alerts", "evaluation"])
@pytest.mark.parametrize(
    "edits",
    [less("train", NUMBER), less("train", NUMBER, 1), less("train", LAND, 1)],
    ids=["feature", "label", "held"],
)
def test_each_column_that_is_learnt_from_must_permit_it(text: str, edits: tuple[tuple[str, str], ...]) -> None:
    decision = decided(text, *edits)
    assert not decision.permitted
    assert {reason.rule for _, reason in decision.denials()} == {"operations"}
    assert all("a joint model learn from" in reason.text for _, reason in decision.denials())


@pytest.mark.parametrize(
    "edits",
    [less("evaluate", NUMBER), less("evaluate", NUMBER, 1), less("evaluate", LAND, 1)],
    ids=["feature", "label", "held"],
)
def test_numbers_by_bands_of_scores_need_that_the_model_may_be_judged(edits: tuple[tuple[str, str], ...]) -> None:
    assert decided(SCORES, *edits).permitted
    decision = decided(JUDGED, *edits)
    assert not decision.permitted
    assert all("by bands of the scores" in reason.text for _, reason in decision.denials())


def test_what_only_counts_rows_is_learnt_from_as_a_number_of_rows() -> None:
    rows = "operations: [count, compare, compare-members, count-members, score]"
    assert decided(COUNTED).permitted
    for grant in ("score", "compare"):
        decision = decided(COUNTED, (rows, rows.replace(f" {grant},", "").replace(f", {grant}]", "]")))
        assert not decision.permitted
        assert {reason.rule for _, reason in decision.denials()} == {"operations"}


@pytest.mark.parametrize("operation", ["train", "evaluate"])
def test_no_identifier_is_learnt_from(operation: str) -> None:
    text = policy_text("bank-a", *GENEROUS).replace("[alert, count, compare, join, trace]", f"[alert, {operation}]", 1)
    with pytest.raises(Exception, match=operation):
        parse_policy(text.encode())
