"""Rights by role, one table: who may do what, with real keys, whatever the person's program says."""

from collections.abc import Callable

import pytest

from consortia.errors import ConsortiaError
from consortia.parties.agreement import session_of, verified_submission
from consortia.parties.holding import verified_word
from consortia.parties.results import check_request
from consortia.parties.work import Documents, Review
from consortia.policies.language.parse import read_policy
from consortia.policies.signed import POLICY_TYPE, require_may_sign, signatures_of
from consortia.trust.documents import Document
from consortia.trust.envelope import Envelope, seal_document, seal_envelope
from consortia.trust.notices import verified_notice
from consortia.trust.sessions import ResultsRequest, Submission
from consortia.trust.statements import HeldRequest, Lift, ReviewDecision, Revocation, Stop
from tests.consortium import NOW, Consortium, make_consortium
from tests.fixtures_catalogue import CATALOGUE
from tests.policies_world import policy_text
from tests.session_world import LEAKAGE, token_plan

PEOPLE = {
    "ana": ("analyst",),
    "olga": ("operator",),
    "otto": ("officer",),
    "petra": ("officer",),
    "dora": ("officer",),  # the author of the policy
}
DIGEST, NONCE = "0" * 64, "00"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    return make_consortium(
        tmp_path_factory.mktemp("roles"), people=PEOPLE, catalogue=CATALOGUE, suite="ecdsa-p256", now=NOW
    )


def signed(world: Consortium, document: Document, *people: str) -> Envelope:
    return seal_document(document, tuple(world.profile(person).signing_key() for person in people))


def sign_policy(world: Consortium, person: str) -> None:
    """By the command's check, and by a program that leaves the check out."""
    trusted = world.home("bank-a").trusted()
    data = policy_text("bank-a", ("consortium: testers", "consortium: test-aml")).encode()
    loaded = read_policy(data)
    envelope = seal_envelope(POLICY_TYPE, data, [world.profile(person).signing_key()])
    accepted = []
    for check in (
        lambda: require_may_sign(loaded, person, trusted, NOW),
        lambda: signatures_of(envelope, loaded, trusted, NOW),
    ):
        try:
            check()
            accepted.append(True)
        except ConsortiaError:
            accepted.append(False)
    if accepted != [True, True]:
        assert accepted == [False, False], "the command's check and the verification must not differ"
        raise ConsortiaError("test/refused", "refused")


def submission(world: Consortium, person: str) -> Submission:
    plan = token_plan(world, ("bank-a", "bank-b"))
    return Submission(
        consortium="test-aml", submitter=person, purpose=plan.purpose, sql="SELECT 1", plan=plan.digest(),
        leakage=LEAKAGE, manifest=plan.manifest, catalogue=plan.catalogue, as_of=NOW, nonce=NONCE, result_key=NONCE,
    )  # fmt: skip


def submit(world: Consortium, person: str) -> None:
    envelope = signed(world, submission(world, person), person)
    verified_submission(envelope, session_of(envelope), world.home("bank-b").trusted(), NOW)


def review(world: Consortium, person: str) -> None:
    envelope = signed(world, submission(world, "ana@bank-b"), "ana@bank-b")
    trusted = world.home("bank-b").trusted()
    plan = token_plan(world, ("bank-a", "bank-b"))
    found = Review(Documents(trusted, DIGEST, ()), plan, LEAKAGE, reviewers=("bank-a",))
    word = ReviewDecision(
        session=session_of(envelope), member="bank-a", person=person, submission=envelope.digest(),
        plan=plan.digest(), leakage=LEAKAGE, decision="approve", at=NOW,
    )  # fmt: skip
    verified_word(signed(world, word, person), envelope, found, NOW)


def revoke(world: Consortium, person: str) -> None:
    document = Revocation(
        consortium="test-aml", owner="bank-a", purpose="aml-detection", policy=DIGEST, version=1, person=person,
        reason="x", at=NOW,
    )  # fmt: skip
    verified_notice(signed(world, document, person), world.home("bank-b").trusted(), NOW)


def stop(world: Consortium, person: str) -> None:
    document = Stop(consortium="test-aml", member="bank-a", person=person, reason="x", at=NOW, nonce=NONCE)
    verified_notice(signed(world, document, person), world.home("bank-b").trusted(), NOW)


def lift(world: Consortium, person: str) -> None:
    document = Lift(consortium="test-aml", member="bank-a", stop=DIGEST, reason="x", at=NOW)
    second = "petra@bank-a" if person != "petra@bank-a" else "otto@bank-a"
    verified_notice(signed(world, document, person, second), world.home("bank-b").trusted(), NOW)


def read_results(world: Consortium, person: str) -> None:
    document = ResultsRequest(session="0" * 32, person=person, at=NOW, nonce=NONCE, result_key=NONCE)
    envelope = signed(world, document, person)
    check_request(envelope, ResultsRequest, "analyst", "bank-a", world.home("bank-a").trusted(), NOW)


def read_held(world: Consortium, person: str) -> None:
    document = HeldRequest(session="0" * 32, person=person, at=NOW, nonce=NONCE, result_key=NONCE)
    envelope = signed(world, document, person)
    check_request(envelope, HeldRequest, "officer", "bank-a", world.home("bank-a").trusted(), NOW)


RIGHTS: dict[Callable[[Consortium, str], None], set[str]] = {
    sign_policy: {"otto@bank-a", "petra@bank-a"},  # an officer who is the author can't
    submit: {"ana@bank-a", "ana@bank-b"},
    review: {"otto@bank-a", "petra@bank-a", "dora@bank-a"},
    revoke: {"otto@bank-a", "petra@bank-a", "dora@bank-a"},  # stopping needs one, also the author
    stop: {"olga@bank-a", "otto@bank-a", "petra@bank-a", "dora@bank-a"},
    lift: {"otto@bank-a", "petra@bank-a", "dora@bank-a"},
    read_results: {"ana@bank-a"},
    read_held: {"otto@bank-a", "petra@bank-a", "dora@bank-a"},
}
"""For each act on behalf of bank-a, exactly the persons who may do it."""


@pytest.mark.parametrize("act", RIGHTS, ids=lambda act: act.__name__)
def test_an_act_is_open_to_exactly_these_persons(world: Consortium, act: Callable[[Consortium, str], None]) -> None:
    allowed = set()
    for person in sorted(f"{name}@{member}" for name in PEOPLE for member in ("bank-a", "bank-b")):
        try:
            act(world, person)
            allowed.add(person)
        except ConsortiaError:
            pass
    assert allowed == RIGHTS[act]


def test_one_officer_is_not_two(world: Consortium) -> None:
    document = Lift(consortium="test-aml", member="bank-a", stop=DIGEST, reason="x", at=NOW)
    envelope = signed(world, document, "otto@bank-a")
    with pytest.raises(ConsortiaError):
        verified_notice(envelope, world.home("bank-b").trusted(), NOW)
    with pytest.raises(ConsortiaError, match="twice"):
        envelope.with_signature(world.profile("otto@bank-a").signing_key())
