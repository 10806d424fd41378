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
from tests.fixtures_catalogue import AS_OF, CATALOGUE, PURPOSE, STATISTICS, STRUCTURING
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
    digest = template_digest(compiled(world).plan, CATALOGUE)
    assert template_digest(compiled(world, days=3).plan, CATALOGUE) == digest
    catalogue = world.catalogue.model_copy(update={"version": world.catalogue.version + 1})
    later = PolicyWorld(world.manifest, catalogue, world.cards, world.policies)
    assert template_digest(compiled(later).plan, catalogue) == digest
    others = [
        compiled(world, person="ana@bank-b"),
        compiled(world, STATISTICS.replace("AS deposits", "AS number")),
        compiled(make_world(loaded("bank-c", ("minimum-entities: 10", "minimum-entities: 11")))),
        compiled(make_world(loaded("bank-c", ("rows: all", "rows: country = 'DE'")))),
    ]
    digests = [template_digest(other.plan, CATALOGUE) for other in others]
    assert len({digest, *digests}) == 5


def redefined(name: str, definition: str) -> PolicyWorld:
    """The world after a catalogue that defines one local table otherwise."""
    world = make_world()
    tables = tuple(
        each.model_copy(update={"definition": definition}) if each.name == name else each for each in CATALOGUE.tables
    )
    catalogue = CATALOGUE.model_copy(update={"version": 2, "tables": tables})
    return PolicyWorld(world.manifest, catalogue, world.cards, world.policies)


def test_a_local_table_that_is_redefined_makes_another_template_of_what_reads_it() -> None:
    deposits = next(each for each in CATALOGUE.tables if each.name == "deposits").definition
    accounts = "SELECT COUNT(*) AS n, COUNT(risk_score) AS m FROM accounts"
    for sql, expected in ((STATISTICS, False), (accounts, True)):
        digests = [
            template_digest(compiled(world, sql).plan, world.catalogue)
            for world in (make_world(), redefined("deposits", deposits.replace("cash", "wire")))
        ]
        assert (digests[0] == digests[1]) == expected
    below = redefined("accounts", "SELECT * FROM transactions WHERE format = 'cash'")
    same = template_digest(compiled(make_world()).plan, CATALOGUE)
    assert template_digest(compiled(below).plan, below.catalogue) != same, "a table under the one that is read"


def test_a_listed_template_runs_without_review_at_the_owner_that_lists_it() -> None:
    digest = template_digest(compiled(make_world()).plan, CATALOGUE)
    listed = ("templates-without-review: off", f"templates-without-review: [{{name: monthly, plan: {digest}}}]")
    world = make_world(loaded("bank-b", *CELLS_REVIEWED, listed), loaded("bank-c", *CELLS_REVIEWED))
    plan = compiled(world).plan
    assert template_digest(plan, CATALOGUE) == digest
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
        assert reviewed_outputs(policy.policy, plan, CATALOGUE) == (("aggregate",) if owner == "bank-b" else ())


def test_explain_says_that_the_run_is_held_and_how_to_list_it_as_a_template() -> None:
    world = make_world(loaded("bank-b", *CELLS_REVIEWED), loaded("bank-c", *CELLS_REVIEWED))
    found = compiled(world)
    text = explanation_text(found, world, ())
    assert "held until an officer of bank-b and one of bank-c has signed" in text
    assert template_digest(found.plan, CATALOGUE) in text
    assert explanation_dict(found, world, ())["reviewers"] == ["bank-b", "bank-c"]
    unheld = make_world()
    assert "held until" not in explanation_text(compiled(unheld), unheld, ())
