"""What is followed from account to account needs `trace`, and goes to the members that keep the accounts alone."""

import pytest

from consortia.plans.build import build_plan
from consortia.plans.query import Query
from consortia.plans.specs.bind import bind_analysis
from consortia.policies.decide import decide
from consortia.policies.verdicts import Decision
from tests import fixtures_catalogue as fixtures
from tests.policies_world import CYCLES, GENEROUS, NOW, RISK, draft_of, loaded, make_world

OWNERS = ("bank-a", "bank-b", "bank-c")
KEY = "customer_key: {class: identifier, operations: [alert, count, compare, join, trace]}"
TIME = "ts: {class: quasi, operations: [filter, group, count, compare, alert, join, rank, trace, train, evaluate]}"
NUMBER = "operations: [filter, count, sum, compare, score, rank, quantile, variance, trace, train, evaluate]}"
"""As the generous policy grants them: the first of each in `deposits`, the second in `accounts`."""

TAINT = """
analysis: taint
accounts: SELECT customer_key AS account FROM deposits GROUP BY customer_key
seeds: SELECT customer_key AS account FROM accounts WHERE risk_score >= 90
payments: |
  SELECT customer_key AS source, customer_key AS target, ts AS time, amount_minor AS amount FROM deposits
  WHERE currency = 'EUR'
hops: 2
window: 2 days
part: 0.5
"""


def without(grant: str, line: str, place: int = 0) -> tuple[tuple[str, str], ...]:
    """Edits that take ``grant`` from a line, or from the second one that reads the same."""
    less = (line, line.replace(f", {grant}", ""))
    return (less,) if place == 0 else ((line, "~second~"), less, ("~second~", line))


def decided(text: str, *edits: tuple[str, str], query: Query | None = None) -> Decision:
    world = make_world(*(loaded(owner, *GENEROUS, *edits) for owner in OWNERS))
    plan = draft_of(text, world)
    if query is not None:
        surroundings = fixtures.environment(
            manifest=world.manifest.digest(), entities=world.privacy_units("aml-detection"), members=OWNERS
        )
        plan = build_plan(query, surroundings)
    return decide(plan, world, NOW)


@pytest.mark.parametrize("text", [RISK, CYCLES, TAINT], ids=["risk", "cycles", "taint"])
def test_a_spec_is_permitted_where_everything_that_it_follows_may_be_traced(text: str) -> None:
    decision = decided(text)
    assert decision.permitted, decision.denials()


@pytest.mark.parametrize(
    ("text", "edits"),
    [
        (RISK, without("trace", KEY)),
        (RISK, without("trace", KEY, 1)),
        (RISK, without("trace", NUMBER)),
        (RISK, without("trace", NUMBER, 1)),
        (CYCLES, without("trace", KEY)),
        (CYCLES, without("trace", KEY, 1)),
        (CYCLES, without("trace", TIME)),
        (CYCLES, without("trace", NUMBER)),
        (TAINT, without("trace", KEY)),
        (TAINT, without("trace", KEY, 1)),
        (TAINT, without("trace", TIME)),
        (TAINT, without("trace", NUMBER)),
    ],
)
def test_each_column_that_is_followed_must_permit_it(text: str, edits: tuple[tuple[str, str], ...]) -> None:
    decision = decided(text, *edits)
    assert not decision.permitted
    assert {reason.rule for _, reason in decision.denials()} == {"operations"}
    assert all("follow from account to account" in reason.text for _, reason in decision.denials())


def test_patterns_need_the_switch_for_the_bit_that_their_bounds_open() -> None:
    closed = ("match-count: open", "match-count: closed")
    decision = decided(CYCLES, closed)
    assert {reason.rule for _, reason in decision.denials()} == {"leaks"}
    assert decided(RISK, closed).permitted
    assert decided(TAINT, closed).permitted


def test_seeds_are_picked_only_by_columns_that_may_filter() -> None:
    decision = decided(TAINT, (NUMBER, "~first~"), (NUMBER, NUMBER.replace("filter, ", "")), ("~first~", NUMBER))
    assert {reason.rule for _, reason in decision.denials()} == {"operations"}
    assert all("risk_score" in reason.column for _, reason in decision.denials())


@pytest.mark.parametrize("place", [0, 1], ids=["amounts", "scores"])
def test_the_score_is_opened_only_where_amounts_and_scores_permit_it(place: int) -> None:
    decision = decided(RISK, *without("score", NUMBER, place))
    assert not decision.permitted
    assert all("beside an alert" in reason.text for _, reason in decision.denials())


@pytest.mark.parametrize("place", [0, 1], ids=["amounts", "scores"])
def test_an_alert_by_a_score_needs_that_it_may_be_compared(place: int) -> None:
    alert = f"{RISK}at-least: 60\n"
    assert decided(alert, *without("score", NUMBER, place)).permitted
    decision = decided(alert, *without("compare", NUMBER, place))
    assert not decision.permitted
    assert all("compare an aggregate" in reason.text for _, reason in decision.denials())


RANK = """
analysis: pagerank
accounts: SELECT customer_key AS account FROM accounts GROUP BY customer_key
payments: |
  SELECT customer_key AS source, customer_key AS target, {} AS amount FROM deposits WHERE currency = 'EUR'
iterations: 1
"""
COUNTED = RANK.replace("= 'EUR'", "= 'EUR' GROUP BY customer_key")
ROWS = "operations: [count, compare, compare-members, count-members, score, train, evaluate]"


@pytest.mark.parametrize(
    "text",
    [RANK.format("0"), RANK.format("1"), COUNTED.format("COUNT(*)"), COUNTED.format("COUNT(*) + 1")],
    ids=["0", "1", "n", "n + 1"],
)
def test_amounts_that_only_count_payments_are_opened_and_compared_as_numbers_of_rows(text: str) -> None:
    decision = decided(text)
    assert decision.permitted, decision.denials()
    alert = f"{text}at-least: 60\n"
    assert decided(alert).permitted
    for asked, grant in ((text, "score"), (alert, "compare")):
        denied = decided(asked, (ROWS, ROWS.replace(f" {grant},", "").replace(f", {grant}]", "]")))
        assert not denied.permitted
        assert {reason.rule for _, reason in denied.denials()} == {"operations"}


AGAIN = RISK.replace("payments: |\n", "payments:\n- SELECT {} FROM deposits\n- |\n", 1)
ONES = "customer_key AS source, customer_key AS target, 1 AS amount"


def test_what_is_followed_in_any_period_must_permit_it() -> None:
    text = AGAIN.format(ONES)
    assert decided(text).permitted
    first_only = "\n".join(text.split("\n- |\n")[:1]) + "\niterations: 1\nscale: 100\n"
    assert decided(first_only, *without("trace", NUMBER)).permitted
    assert not decided(text, *without("trace", NUMBER)).permitted
    for asked in (text, first_only):
        denied = decided(asked, (ROWS, ROWS.replace(" score,", "")))
        assert {reason.rule for _, reason in denied.denials()} == {"operations"}


def test_a_number_that_payments_brought_about_is_never_opened_for_a_group() -> None:
    query = bind_analysis(RISK, fixtures.CATALOGUE, NOW)
    grouped = query.model_copy(update={"keys": (), "outputs": query.outputs[1:], "order_by": ()})
    decision = decided(RISK, query=grouped)
    assert not decision.permitted
    assert any("keeps the account" in reason.text for _, reason in decision.denials())
