"""Queries whose verdict flips between two versions, and the queries that are tried."""

from datetime import timedelta
from functools import cache

import pytest

from consortia.plans.build import build_plan
from consortia.plans.specs.bind import bind_analysis
from consortia.policies.changes.flips import Asked, asked_by, compare, once, valid_time, with_policy
from consortia.policies.changes.generated import generated
from consortia.policies.compiling import environment_of
from consortia.policies.language.parse import LoadedPolicy, parse_policy
from consortia.policies.lineage import flow_of
from consortia.policies.questions import Question, answer
from consortia.policies.templates import template_digest
from consortia.policies.world import PolicyWorld
from tests.fixtures_catalogue import PURPOSE, STATISTICS, STRUCTURING
from tests.policies_world import GENEROUS, NOW, SCORE_QUERY, generous_world, loaded, make_world, policy_text

BY_COUNTRY = "SELECT country, COUNT(*) AS n FROM deposits GROUP BY country"


def asked(*texts: str, submitter: str = "ana@bank-a") -> tuple[Asked, ...]:
    return tuple(Asked(Question(sql, PURPOSE, submitter, NOW), "test") for sql in texts)


def flips(new: LoadedPolicy, *texts: str, old: LoadedPolicy | None = None) -> list[tuple[str, str, str]]:
    found = compare(asked(*texts), old or loaded(), new, make_world())
    return [(flip.asked.question.sql, flip.before.verdict, flip.after.verdict) for flip in found.flips]


def test_a_word_taken_away_denies_what_needs_it_and_nothing_else() -> None:
    new = loaded("bank-a", ("country: {class: quasi, operations: [filter, group]}",
                            "country: {class: quasi, operations: [filter]}"))  # fmt: skip
    assert flips(new, STATISTICS, STRUCTURING, SCORE_QUERY) == [(STATISTICS, "permit", "deny")]
    assert flips(loaded(), STATISTICS, STRUCTURING, SCORE_QUERY, old=new) == [(STATISTICS, "deny", "permit")]
    [flip] = compare(asked(STATISTICS), new, loaded(), make_world()).flips
    assert (flip.before.rule, flip.after.all_permit) == ("operations", True)
    assert "deposits.country" in flip.before.text


def test_only_the_owners_own_verdict_flips() -> None:
    strict = loaded("bank-c", ("country: {class: quasi, operations: [filter, group]}",
                               "country: {class: quasi, operations: [filter]}"))  # fmt: skip
    narrow = loaded("bank-a", ("country: {class: quasi, operations: [filter, group]}",
                               "country: {class: quasi, operations: [filter]}"))  # fmt: skip
    [flip] = compare(asked(STATISTICS), narrow, loaded(), make_world(strict)).flips
    assert (flip.before.verdict, flip.after.verdict, flip.after.all_permit) == ("deny", "permit", False)


def test_a_permit_under_other_conditions_is_counted() -> None:
    stricter = loaded("bank-a", ("minimum-entities: 10", "minimum-entities: 12"))
    found = compare(asked(STATISTICS, STRUCTURING), loaded(), stricter, make_world())
    assert (found.compared, found.flips, found.other_plan) == (2, (), 1)


def test_a_review_that_is_demanded_turns_permits_into_holds_but_for_templates() -> None:
    cells = ("differencing: off\n    human-review: off", "differencing: off\n    human-review: required")
    review = loaded("bank-a", cells)
    [flip] = compare(asked(STATISTICS, STRUCTURING), loaded(), review, make_world()).flips
    assert (flip.asked.question.sql, flip.before.verdict, flip.after.verdict) == (STATISTICS, "permit", "hold")
    assert (flip.stricter, flip.after.rule) == (flip.after, "human-review")
    plan = answer(flip.asked.question, with_policy(make_world(), review)).plan
    assert plan is not None
    digest = template_digest(plan, make_world().catalogue)
    listed = f"templates-without-review: [{{name: monthly, plan: {digest}}}]"
    template = loaded("bank-a", cells, ("templates-without-review: off", listed))
    assert compare(asked(STATISTICS), loaded(), template, make_world()).flips == ()
    denying = loaded("bank-a", ("country: {class: quasi, operations: [filter, group]}",
                                "country: {class: quasi, operations: [filter]}"))  # fmt: skip
    [worse] = compare(asked(STATISTICS), review, denying, make_world()).flips
    assert (worse.before.verdict, worse.after.verdict, worse.stricter.rule) == ("hold", "deny", "operations")


def test_dates_make_no_flip() -> None:
    later = loaded("bank-a", ("not-before: 2026-11-01\n  not-after: 2027-01-15\n  review: 2027-01-04",
                              "not-before: 2027-01-16\n  not-after: 2027-03-15\n  review: 2027-03-04"))  # fmt: skip
    assert flips(later, STATISTICS, STRUCTURING) == []
    assert valid_time(later, NOW).date() == later.policy.validity.not_before
    assert valid_time(loaded(), NOW + timedelta(days=100)).date() == loaded().policy.validity.not_after
    assert valid_time(loaded(), NOW) == NOW


def test_what_does_not_read_the_owners_tables_or_is_no_query_is_told_apart() -> None:
    found = compare(asked("SELECT nothing FROM deposits", 'SELECT COUNT(*) AS n FROM "bank-b".deposits'),
                    loaded(), loaded(), make_world())  # fmt: skip
    assert (found.compared, found.flips) == (1, ())


def test_a_query_of_the_examples_comes_first_and_once() -> None:
    example = (
        f"examples:\n  - name: by country\n    query: {BY_COUNTRY}\n    submitter: ana@bank-a\n    expect: permit\n"
    )
    with_example = parse_policy((policy_text("bank-a") + example).encode())
    tried = asked_by((loaded(), with_example), make_world(), NOW)
    assert (tried[0].source, tried[0].question.sql) == ("example `by country`", BY_COUNTRY)
    assert [one.question.sql for one in tried].count(BY_COUNTRY) == 2  # of ana@bank-b too
    assert once(tried + tried) == tried


# --- what is generated -----------------------------------------------------------------------------------------------


WITHOUT_A_USE = {
    ("accounts", "country", "trace"), ("deposits", "country", "trace"), ("deposits", "currency", "extreme"),
    ("deposits", "currency", "trace"),
}  # fmt: skip
"""Words of enums: they have no order, and no money follows them."""


@cache
def needs(world_of: str) -> dict[str, set[tuple[str, str, str]]]:
    """What each generated query that can be planned requires of deposits and accounts, by text."""
    world = generous_world() if world_of == "generous" else make_world()
    found = {}
    for one in generated((loaded("bank-a", *GENEROUS).policy,), world):
        plan = planned(one.sql, one.submitter, world)
        found[one.sql] = {(each.table, each.column, each.operation) for each in flow_of(plan).requirements}
    return found


def planned(sql: str, submitter: str, world: PolicyWorld):
    return build_plan(bind_analysis(sql, world.catalogue, NOW), environment_of(PURPOSE, submitter, NOW, world))


def test_every_generated_query_is_well_formed_and_the_list_is_always_the_same() -> None:
    assert len(needs("generous")) > 180
    policy = loaded("bank-a", *GENEROUS).policy
    assert generated((policy, policy), generous_world()) == generated((policy,), generous_world())


def test_every_word_that_a_policy_can_grant_is_needed_by_a_generated_query() -> None:
    needed = set().union(*needs("generous").values())
    granted = {
        (table, column, operation)
        for table, entry in loaded("bank-a", *GENEROUS).policy.data.tables.items()
        for column, words in (*((name, each.operations) for name, each in entry.columns.items()),
                              ("", entry.operations))
        for operation in words
    }  # fmt: skip
    assert granted - needed == WITHOUT_A_USE


@pytest.mark.parametrize(("old", "new"), [("submit: [bank-a, bank-b]", "submit: [bank-a]"),
                                          ("submit: [bank-a, bank-b]", "submit: [ana@bank-a, bank-c]")])  # fmt: skip
def test_an_analyst_who_may_no_longer_ask_shows(old: str, new: str) -> None:
    narrowed = loaded("bank-a", (old, new))
    tried = [one for one in asked_by((loaded(), narrowed), make_world(), NOW) if one.question.submitter != "ana@bank-a"]
    found = compare(tried, loaded(), narrowed, make_world())
    assert ("ana@bank-b", "deny") in {(flip.asked.question.submitter, flip.after.verdict) for flip in found.flips}
