"""Past queries decided anew: verdicts that flip, quotas and remembered answers as they would have been."""

from datetime import timedelta

from consortia.policies.changes.replay import Past, compare_past, replayed
from consortia.policies.language.parse import LoadedPolicy
from consortia.policies.questions import Question
from tests.fixtures_catalogue import PURPOSE, STATISTICS, STRUCTURING
from tests.noisy_policies import QUERY as NOISY
from tests.noisy_policies import clip, noise, world_of
from tests.policies_world import NOW, SCORE_QUERY, loaded, make_world

ROOTS = {"accounts": "a" * 64, "transactions": "b" * 64}
QUOTA = ("queries-per-analyst-and-day: off", "queries-per-analyst-and-day: 2")
GROUP = ("country: {class: quasi, operations: [filter, group]}", "country: {class: quasi, operations: [filter]}")


def past(*texts: str, apart: timedelta = timedelta(minutes=1), submitter: str = "ana@bank-a") -> tuple[Past, ...]:
    """Queries that were asked one after the other over the same snapshots."""
    return tuple(
        Past(f"{place:032x}", Question(sql, PURPOSE, submitter, at), at, ROOTS)
        for place, sql in enumerate(texts)
        for at in [NOW + place * apart]
    )


def verdicts(asked: tuple[Past, ...], policy: LoadedPolicy) -> list[str]:
    return [f"{said.verdict} {said.rule}".strip() for said in replayed(asked, policy, make_world()).said]


def test_what_a_draft_denies_is_listed_with_its_session() -> None:
    found, before, after = compare_past(past(STATISTICS, STRUCTURING, SCORE_QUERY), loaded(), loaded("bank-a", GROUP),
                                        make_world())  # fmt: skip
    assert (found.compared, before.permitted, after.permitted) == (3, 2, 1)
    [flip] = found.flips
    assert (flip.asked.source, flip.before.verdict, flip.after.verdict) == (f"session {0:08x}", "permit", "deny")
    assert flip.after.rule == "operations"


def test_quotas_count_what_the_version_lets_pass() -> None:
    quota = loaded("bank-a", QUOTA)
    assert verdicts(past(*[STRUCTURING] * 3), quota) == ["permit", "permit", "deny policies/rates"]
    assert verdicts(past(*[STRUCTURING] * 3, apart=timedelta(days=1)), quota) == ["permit"] * 3
    # A query that this version denies takes no room from those after it.
    assert verdicts(past(STRUCTURING, SCORE_QUERY, STRUCTURING), quota) == ["permit", "deny output-kind", "permit"]
    found, before, after = compare_past(past(*[STRUCTURING] * 4), loaded(), quota, make_world())
    assert (len(found.flips), before.permitted, after.permitted) == (2, 4, 2)


def test_the_period_is_as_long_as_the_policy_is_valid() -> None:
    dates = loaded().policy.validity
    days = (dates.not_after - dates.not_before).days + 1
    quota = loaded("bank-a", ("queries-per-period: off", "queries-per-period: 1"))
    assert verdicts(past(STRUCTURING, STRUCTURING, apart=timedelta(days=days)), quota) == ["permit", "permit"]
    early = past(STRUCTURING, STRUCTURING, apart=timedelta(days=days - 1))
    assert verdicts(early, quota) == ["permit", "deny policies/rates"]


def test_a_draft_that_asks_for_review_holds() -> None:
    review = loaded("bank-a", ("human-review: off", "human-review: required"))
    found, before, after = compare_past(past(STRUCTURING, STATISTICS), loaded(), review, make_world())
    assert [(flip.before.verdict, flip.after.verdict) for flip in found.flips] == [("permit", "hold")]
    assert (before.held, after.held, after.permitted) == (0, 1, 2)


def test_the_budget_is_spent_query_by_query() -> None:
    world = world_of()
    usual = next(each for each in world.policies if each.policy.identity.owner == "bank-a")
    tight = loaded("bank-a", noise(rho_per_period="3/20"), clip(-100, 50_000))
    found, before, after = compare_past(past(*[NOISY] * 3), usual, tight, world)
    assert (before.permitted, after.permitted) == (3, 1)
    assert [(flip.after.verdict, flip.after.rule) for flip in found.flips] == [("deny", "policies/budget")] * 2
    assert before.spent["customer"].rho == 3 * after.spent["customer"].rho > 0
    assert replayed(past(*[NOISY] * 3, apart=timedelta(days=91)), tight, world).permitted == 3


def test_a_draft_that_is_valid_later_is_asked_as_if_it_were_valid_then() -> None:
    later = loaded("bank-a", ("not-before: 2026-11-01\n  not-after: 2027-01-15\n  review: 2027-01-04",
                              "not-before: 2027-01-16\n  not-after: 2027-03-15\n  review: 2027-03-04"))  # fmt: skip
    assert verdicts(past(STATISTICS, STRUCTURING), later) == ["permit", "permit"]


def test_queries_of_others_tables_are_not_asked_and_nonsense_is_refused() -> None:
    asked = past('SELECT COUNT(*) AS n FROM "bank-b".deposits', "SELECT nothing FROM deposits")
    assert verdicts(asked, loaded()) == ["not-asked", "refused"]
    found, _, _ = compare_past(asked, loaded(), loaded("bank-a", GROUP), make_world())
    assert (found.compared, found.flips) == (1, ())


def test_no_history_gives_no_flips() -> None:
    found, before, after = compare_past((), loaded(), loaded("bank-a", GROUP), make_world())
    assert (found.compared, found.flips, before.said, after.permitted) == (0, (), (), 0)
