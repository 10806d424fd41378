"""Whose officers review a run, and templates that run without: by plan and policies, the same at every party."""

from datetime import timedelta

from consortia.client.explain import explanation_dict, explanation_text
from consortia.execution.estimate import estimate
from consortia.policies.compiling import Compiled, compile_analysis
from consortia.policies.own.case import OwnCase
from consortia.policies.own.review import officer_reviews
from consortia.policies.review import reviewed_outputs, reviewers
from consortia.policies.templates import template_digest
from consortia.policies.world import PolicyWorld
from tests.fixtures_catalogue import AS_OF, PURPOSE, STATISTICS, STRUCTURING
from tests.policies_world import loaded, make_world

ALL_REVIEWED = (("human-review: off", "human-review: required"), ("human-review: off", "human-review: required"))
CELLS_REVIEWED = (("differencing: off\n    human-review: off", "differencing: off\n    human-review: required"),)


def compiled(world: PolicyWorld, sql: str = STATISTICS, person: str = "ana@bank-a", days: int = 0) -> Compiled:
    at = AS_OF + timedelta(days=days)
    return compile_analysis(sql, PURPOSE, person, at, world, estimate, at)


def test_the_owners_whose_policies_demand_it_review_and_no_others() -> None:
    world = make_world(loaded("bank-b", *ALL_REVIEWED), loaded("bank-c", *CELLS_REVIEWED))
    assert reviewers(compiled(world).plan, world) == ("bank-b", "bank-c")
    assert reviewers(compiled(world, STRUCTURING).plan, world) == ("bank-b",)
    assert reviewers(compiled(make_world()).plan, make_world()) == ()


def test_a_template_is_the_same_whenever_it_is_asked_and_another_for_everything_else() -> None:
    world = make_world()
    digest = template_digest(compiled(world).plan)
    assert template_digest(compiled(world, days=3).plan) == digest
    catalogue = world.catalogue.model_copy(update={"version": world.catalogue.version + 1})
    later = PolicyWorld(world.manifest, catalogue, world.cards, world.policies)
    assert template_digest(compiled(later).plan) == digest
    others = [
        compiled(world, person="ana@bank-b"),
        compiled(world, STATISTICS.replace("AS deposits", "AS number")),
        compiled(make_world(loaded("bank-c", ("minimum-entities: 10", "minimum-entities: 11")))),
        compiled(make_world(loaded("bank-c", ("rows: all", "rows: country = 'DE'")))),
    ]
    digests = [template_digest(other.plan) for other in others]
    assert len({digest, *digests}) == 5


def test_a_listed_template_runs_without_review_at_the_owner_that_lists_it() -> None:
    digest = template_digest(compiled(make_world()).plan)
    listed = ("templates-without-review: off", f"templates-without-review: [{{name: monthly, plan: {digest}}}]")
    world = make_world(loaded("bank-b", *CELLS_REVIEWED, listed), loaded("bank-c", *CELLS_REVIEWED))
    plan = compiled(world).plan
    assert template_digest(plan) == digest
    assert reviewers(plan, world) == ("bank-c",)
    other = compiled(world, person="ana@bank-b").plan
    assert reviewers(other, world) == ("bank-b", "bank-c")


def test_the_own_part_holds_exactly_what_every_party_expects_to_be_held() -> None:
    world = make_world(loaded("bank-b", *CELLS_REVIEWED))
    plan = compiled(world).plan
    for owner in ("bank-a", "bank-b", "bank-c"):
        [policy] = world.policies_of(owner, PURPOSE)
        finding = officer_reviews(OwnCase(owner, policy, plan, world.catalogue, {}, AS_OF))
        assert (finding is not None) == (owner in reviewers(plan, world))
        assert reviewed_outputs(policy.policy, plan) == (("aggregate",) if owner == "bank-b" else ())


def test_explain_says_that_the_run_is_held_and_how_to_list_it_as_a_template() -> None:
    world = make_world(loaded("bank-b", *CELLS_REVIEWED), loaded("bank-c", *CELLS_REVIEWED))
    found = compiled(world)
    text = explanation_text(found, world, ())
    assert "held until an officer of bank-b and one of bank-c has signed" in text
    assert template_digest(found.plan) in text
    assert explanation_dict(found, world, ())["reviewers"] == ["bank-b", "bank-c"]
    unheld = make_world()
    assert "held until" not in explanation_text(compiled(unheld), unheld, ())
