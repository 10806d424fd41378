"""What a joint model learns from needs `train`, its scores `score`, judging it `evaluate`; no label is told of one row.

The policies are the example's: what they say to the spec of each kind, and to those that ask for more.
"""

from datetime import UTC, datetime

import pytest

from consortia.errors import RequestError
from consortia.plans.build import build_plan
from consortia.plans.catalogue_file import read_catalogue
from consortia.plans.expressions import Ref
from consortia.plans.meaning import INT
from consortia.plans.specs.bind import bind_analysis
from consortia.policies.compiling import environment_of
from consortia.policies.decide import decide
from consortia.policies.language.parse import parse_policy
from consortia.policies.questions import Question, answer, mirrored, supposed
from examples.aml.consortium import HERE

CATALOGUE = read_catalogue((HERE / "catalogue.yaml").read_text(), key_ids={"customer": "aa", "account": "bb"})
POLICY = (HERE / "policies" / "bank-a.joint-models.yaml").read_text()
POLICY = POLICY[: POLICY.index("examples:")]
SCORES = (HERE / "specs" / "model.yaml").read_text()
ALERTS = SCORES.replace("give: scores", "give: alerts\nat-least: 0.5")
JUDGED = (HERE / "specs" / "judged.yaml").read_text()
OF_ROWS = JUDGED.replace("MAX(payments_in) AS payments_in", "COUNT(*) AS payments_in")
DAY = datetime(2026, 11, 25, tzinfo=UTC)
Edit = tuple[str, str]


def less(column: str, operation: str) -> Edit:
    """Takes an operation from a column."""
    line = next(line for line in POLICY.splitlines() if line.strip().startswith(f"{column}: "))
    taken = line.replace(f"{operation}, ", "").replace(f", {operation}]", "]")
    assert taken != line
    return line, taken


def more(edit: str) -> Edit:
    """Grants operations to the rows of `flows`."""
    return (
        "privacy-unit: account_id\n      columns",
        f"privacy-unit: account_id\n      operations: {edit}\n      columns",
    )


def denied(text: str, *edits: Edit) -> dict[str, str]:
    """Texts of the findings that deny, by rule; fails if the question can't be planned."""
    policy = POLICY
    for before, after in edits:
        assert before in policy, before
        policy = policy.replace(before, after, 1)
    loaded = parse_policy(policy.encode())
    world = mirrored(loaded, supposed([loaded.policy], CATALOGUE, ["ana@bank-a"]))
    given = answer(Question(text, "joint-models", "ana@bank-a", DAY), world)
    assert given.decision is not None, given.fault
    return {reason.rule: reason.text for _, reason in given.decision.denials()}


@pytest.mark.parametrize("text", [SCORES, ALERTS, JUDGED], ids=["scores", "alerts", "evaluation"])
def test_what_the_example_asks_is_permitted(text: str) -> None:
    assert denied(text) == {}


@pytest.mark.parametrize("text", [SCORES, ALERTS, JUDGED], ids=["scores", "alerts", "evaluation"])
@pytest.mark.parametrize("column", ["payments_in", "reported"])
def test_each_column_that_is_learnt_from_must_permit_it(text: str, column: str) -> None:
    found = denied(text, less(column, "train"))
    assert set(found) == {"operations"}
    assert f"let a joint model learn from `flows.{column}`" in found["operations"]


@pytest.mark.parametrize(("text", "operation"), [(SCORES, "score"), (ALERTS, "compare")], ids=["scores", "alerts"])
def test_a_score_of_a_row_is_a_number_made_of_each_of_its_features(text: str, operation: str) -> None:
    found = denied(text, less("payments_in", operation))
    assert set(found) == {"operations"}
    assert "`flows.payments_in`" in found["operations"]
    assert denied(JUDGED, less("payments_in", operation)) == {}


@pytest.mark.parametrize("column", ["payments_in", "reported"])
def test_numbers_by_bands_of_scores_need_that_the_model_may_be_judged(column: str) -> None:
    assert denied(SCORES, less(column, "evaluate")) == {}
    found = denied(JUDGED, less(column, "evaluate"))
    assert "by bands of the scores" in found["operations"]


def test_who_is_kept_back_is_a_condition_as_any_other() -> None:
    assert "select rows by `flows.opened`" in denied(JUDGED, less("opened", "filter"))["operations"]


@pytest.mark.parametrize(
    "label",
    [
        "MAX(CASE WHEN payments_in = 17 THEN 1 ELSE 0 END)",
        "MAX(CASE WHEN reported = 1 THEN 1 ELSE 0 END)",
        "CASE WHEN MAX(reported) = 1 THEN 1 ELSE 0 END",
        "MAX(reported * cash_intensive)",
        "MAX(COALESCE(reported, 0))",
    ],
)
def test_a_label_that_the_query_makes_by_a_condition_is_not_counted_in_bands(label: str) -> None:
    text = JUDGED.replace("MAX(reported) AS label", f"{label} AS label")
    found = denied(text)
    assert "picks out rows after contributors are counted" in found["operations"]


def test_no_plan_tells_the_label_of_one_row() -> None:
    """No spec makes such a plan; a policy denies it whoever made it."""
    loaded = parse_policy(POLICY.encode())
    world = mirrored(loaded, supposed([loaded.policy], CATALOGUE, ["ana@bank-a"]))
    query = bind_analysis(SCORES, CATALOGUE, DAY)
    label = query.aggregates[0].model_copy(update={"argument": Ref(column="label"), "type": INT})
    surroundings = environment_of("joint-models", "ana@bank-a", DAY, world)
    plan = build_plan(query.model_copy(update={"aggregates": (label,)}), surroundings)
    texts = [reason.text for _, reason in decide(plan, world, DAY).denials()]
    assert any("label of one row is never told" in text for text in texts)


def test_what_only_counts_rows_is_learnt_from_with_a_grant_on_rows() -> None:
    assert denied(OF_ROWS, more("[train, evaluate]")) == {}
    for granted in ("[train]", "[evaluate]", "[count, compare, score]"):
        assert set(denied(OF_ROWS, more(granted))) == {"operations"}


@pytest.mark.parametrize("by", ["subject", "label", "held", "other"])
def test_no_key_and_no_label_parts_the_bands(by: str) -> None:
    text = (
        JUDGED.replace(" segment,", " account_id AS other,")
        .replace(", segment", "")
        .replace("by: segment", f"by: {by}")
    )
    with pytest.raises(RequestError) as refused:
        bind_analysis(text, CATALOGUE, DAY)
    assert (refused.value.code, refused.value.message) == ("plans/spec", f"`by` is `{by}`")


@pytest.mark.parametrize("operation", ["train", "evaluate"])
def test_no_identifier_is_learnt_from(operation: str) -> None:
    text = POLICY.replace("[alert, count, join, trace]", f"[alert, {operation}]", 1)
    assert text != POLICY
    with pytest.raises(RequestError, match=operation):
        parse_policy(text.encode())


def test_the_specs_of_the_example_are_those_of_its_policies() -> None:
    for bank in ("bank-a", "bank-b", "bank-c"):
        written = (HERE / "policies" / f"{bank}.joint-models.yaml").read_text()
        for spec in (SCORES, JUDGED):
            lines = [f"      {line}" for line in spec.splitlines()[1:]]
            assert "\n".join(lines) in written
