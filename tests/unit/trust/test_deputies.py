"""Deputies: named in the card, for some days; their word counts as the officer's, never as a second one."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consortia.cli.main import app
from consortia.errors import ConsortiaError, PolicyRefusal
from consortia.parties.agreement import session_of
from consortia.parties.holding import verified_word
from consortia.parties.work import Documents, Review
from consortia.policies.language.parse import read_policy
from consortia.policies.signed import POLICY_TYPE, policy_in_force, require_may_sign, signatures_of
from consortia.trust.documents import Document
from consortia.trust.envelope import Envelope, seal_document, seal_envelope
from consortia.trust.exchange import collect_member
from consortia.trust.manifest import Deputy
from consortia.trust.notices import verified_notice
from consortia.trust.sessions import Submission
from consortia.trust.setup import deputise, make_card
from consortia.trust.statements import Lift, ReviewDecision
from consortia.trust.trusted import TrustedSet
from tests.consortium import NOW, PEOPLE, Consortium, make_consortium
from tests.fixtures_catalogue import CATALOGUE
from tests.policies_world import policy_text
from tests.session_world import LEAKAGE, token_plan

UNTIL = NOW + timedelta(days=14)
AFTER = UNTIL + timedelta(seconds=1)


@pytest.fixture
def world(tmp_path: Path) -> Consortium:
    people = {**PEOPLE, "omar": ("operator",), "dora": ("officer",)}
    return make_consortium(tmp_path, ("bank-a", "bank-b", "bank-c"), people=people, suite="ecdsa-p256")


def deputised(
    world: Consortium, name: str = "olga", officer: str = "otto@bank-a", until: datetime = UNTIL
) -> TrustedSet:
    """What bank-b believes after ``name`` of bank-a was made a deputy and the new card accepted."""
    home = world.home("bank-a")
    deputise(home, name, Deputy(officer=officer, until=until, reason="on leave"))
    card = make_card(home, "", NOW)
    collect_member(world.exchange, home.path / "public")
    return world.home("bank-b").trusted().with_card(card, NOW)


def policy(world: Consortium, *people: str, author: str = "dora") -> tuple[bytes, object]:
    edits = (("consortium: testers", "consortium: test-aml"), ("author: dora@bank-a", f"author: {author}@bank-a"))
    data = policy_text("bank-a", *edits).replace("signatures: post-quantum", "signatures: classical").encode()
    return data, seal_envelope(POLICY_TYPE, data, [world.profile(f"{name}@bank-a").signing_key() for name in people])


def refused(trusted: TrustedSet, envelope, at: datetime = NOW) -> str:
    with pytest.raises(ConsortiaError) as caught:
        policy_in_force(envelope, trusted, at)
    return caught.value.code


def test_a_deputy_signs_beside_another_officer_and_only_for_those_days(world: Consortium) -> None:
    trusted = deputised(world)
    data, envelope = policy(world, "olga", "petra")
    assert policy_in_force(envelope, trusted, NOW).policy.identity.owner == "bank-a"
    require_may_sign(read_policy(data), "olga@bank-a", trusted, NOW)
    assert refused(trusted, envelope, AFTER) == "policies/signer"
    assert refused(world.home("bank-b").trusted(), envelope) == "policies/signer"


def test_a_deputy_and_the_officer_are_one_of_four_eyes(world: Consortium) -> None:
    trusted = deputised(world)
    data, envelope = policy(world, "olga", "otto")
    assert refused(trusted, envelope) == "policies/unsigned"
    state = signatures_of(envelope, read_policy(data), trusted, NOW)
    assert (state.missing, state.may_sign) == (1, ("petra@bank-a",))


def test_two_deputies_of_one_officer_are_one(world: Consortium) -> None:
    deputised(world)
    trusted = deputised(world, "omar")
    _, envelope = policy(world, "olga", "omar")
    assert refused(trusted, envelope) == "policies/unsigned"


def test_the_authors_deputy_can_not_approve_the_draft_nor_a_deputy_an_own_one(world: Consortium) -> None:
    trusted = deputised(world, officer="dora@bank-a")
    data, envelope = policy(world, "olga", "petra")
    assert refused(trusted, envelope) == "policies/signer"
    with pytest.raises(PolicyRefusal, match="wrote the policy"):
        require_may_sign(read_policy(data), "olga@bank-a", trusted, NOW)
    trusted = deputised(world)
    own, _ = policy(world, author="olga")
    with pytest.raises(PolicyRefusal, match="wrote the policy"):
        require_may_sign(read_policy(own), "olga@bank-a", trusted, NOW)


def test_a_deputy_reviews_a_run_but_not_one_that_the_officer_submitted(tmp_path: Path) -> None:
    people = {**PEOPLE, "otto": ("analyst", "officer")}
    world = make_consortium(tmp_path, people=people, catalogue=CATALOGUE, suite="ecdsa-p256")
    trusted = deputised(world)
    for submitter, at, passes in (("ana", NOW, True), ("otto", NOW, False), ("ana", AFTER, False)):
        envelope = signed(world, submission(world, f"{submitter}@bank-a"), f"{submitter}@bank-a")
        plan = token_plan(world, ("bank-a", "bank-b"))
        found = Review(Documents(trusted, "0" * 64, ()), plan, LEAKAGE, reviewers=("bank-a",))
        word = ReviewDecision(
            session=session_of(envelope), member="bank-a", person="olga@bank-a", submission=envelope.digest(),
            plan=plan.digest(), leakage=LEAKAGE, decision="approve", at=NOW,
        )  # fmt: skip
        try:
            verified_word(signed(world, word, "olga@bank-a"), envelope, found, at)
            accepted = True
        except ConsortiaError:
            accepted = False
        assert accepted is passes, submitter


def signed(world: Consortium, document: Document, person: str) -> Envelope:
    return seal_document(document, (world.profile(person).signing_key(),))


def submission(world: Consortium, person: str) -> Submission:
    plan = token_plan(world, ("bank-a", "bank-b"))
    return Submission(
        consortium="test-aml", submitter=person, purpose=plan.purpose, sql="SELECT 1", plan=plan.digest(),
        leakage=LEAKAGE, manifest=plan.manifest, catalogue=plan.catalogue, as_of=NOW, nonce="00", result_key="00",
    )  # fmt: skip


def test_a_stop_is_not_lifted_by_an_officer_and_the_own_deputy(world: Consortium) -> None:
    trusted = deputised(world)
    document = Lift(consortium="test-aml", member="bank-a", stop="0" * 64, reason="x", at=NOW)

    def lift(*people: str) -> None:
        keys = tuple(world.profile(f"{name}@bank-a").signing_key() for name in people)
        verified_notice(seal_document(document, keys), trusted, NOW)

    lift("olga", "petra")
    with pytest.raises(ConsortiaError, match="are one"):
        lift("olga", "otto")


@pytest.mark.parametrize(
    ("name", "officer", "says"),
    [
        ("ana", "otto@bank-a", "analyst"),
        ("petra", "otto@bank-a", "needs no deputation"),
        ("olga", "omar@bank-a", "no officer"),
        ("olga", "otto@bank-b", "no officer"),
    ],
)
def test_a_card_with_an_unfit_deputy_is_refused(world: Consortium, name: str, officer: str, says: str) -> None:
    with pytest.raises(ConsortiaError, match=says):
        deputised(world, name, officer)


def test_a_deputation_is_short(world: Consortium) -> None:
    with pytest.raises(ConsortiaError, match="more than 31 days"):
        deputised(world, until=NOW + timedelta(days=32))


def test_the_command_names_the_deputy_and_ends_it(world: Consortium) -> None:
    home = str(world.home("bank-a").path)

    def run(*arguments: str) -> int:
        return CliRunner().invoke(app, ["person", "deputise", "olga", *arguments, "--home", home]).exit_code

    assert run("--for", "otto", "--until", "2026-12-18", "--reason", "on leave") == 0
    deputy = world.profile("olga@bank-a").settings().person.deputy
    assert deputy is not None
    assert (deputy.officer, deputy.until.isoformat()) == ("otto@bank-a", "2026-12-19T00:00:00+00:00")
    assert run("--for", "otto", "--until", "soon") == 2
    assert run("--end") == 0
    assert world.profile("olga@bank-a").settings().person.deputy is None
