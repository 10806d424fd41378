"""A policy is in force with the signatures of two officers of its owner over its exact bytes, and with nothing less."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consortia.errors import ConsortiaError, PolicyRefusal
from consortia.policies.language.parse import LoadedPolicy, read_policy
from consortia.policies.signed import (
    POLICY_TYPE,
    accept,
    check_succession,
    policy_in_force,
    require_fingerprint,
    require_may_sign,
    signatures_of,
    world_of,
)
from consortia.trust.envelope import Envelope, seal_envelope
from consortia.trust.trusted import TrustedSet
from tests.consortium import NOW, Consortium, make_consortium
from tests.fixtures_catalogue import CATALOGUE
from tests.policies_world import policy_text

PEOPLE = {"olga": ("operator",), "petra": ("officer",), "otto": ("officer",), "dora": ("officer",), "ana": ("analyst",)}
IN_CONSORTIUM = ("consortium: testers", "consortium: test-aml")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    return make_consortium(tmp_path_factory.mktemp("signed"), people=PEOPLE)


@pytest.fixture(scope="module")
def trusted(world: Consortium) -> TrustedSet:
    return world.home("bank-a").trusted()


COUNTERSIGNED = (("submit: [bank-a, bank-b]", "submit: [bank-a, bank-b]\n  countersign: [bank-b]"),)
Signing = Callable[..., Envelope]


@pytest.fixture(scope="module")
def signed(world: Consortium) -> Signing:
    keys = {person: world.profile(person).signing_key() for person in
            ("petra@bank-a", "otto@bank-a", "dora@bank-a", "olga@bank-a", "petra@bank-b")}  # fmt: skip

    def sign(*people: str, edits: tuple[tuple[str, str], ...] = (), payload_type: str = POLICY_TYPE) -> Envelope:
        data = policy_text("bank-a", IN_CONSORTIUM, *edits).encode()
        return seal_envelope(payload_type, data, [keys[person] for person in people])

    return sign


def refusal(envelope: Envelope, trusted: TrustedSet, at: datetime = NOW) -> ConsortiaError:
    with pytest.raises(ConsortiaError) as caught:
        policy_in_force(envelope, trusted, at)
    assert caught.value.place or caught.value.code.startswith("trust/")
    return caught.value


def test_members_that_the_policy_names_countersign_it(signed: Signing, trusted: TrustedSet) -> None:
    error = refusal(signed("petra@bank-a", "otto@bank-a", edits=COUNTERSIGNED), trusted)
    assert error.code == "policies/uncountersigned"
    assert "bank-b" in error.message
    whole = signed("petra@bank-a", "otto@bank-a", "petra@bank-b", edits=COUNTERSIGNED)
    loaded = policy_in_force(whole, trusted, NOW)
    state = signatures_of(whole, loaded, trusted, NOW)
    assert (state.signed, state.countersigned) == (("otto@bank-a", "petra@bank-a"), ("petra@bank-b",))
    require_may_sign(loaded, "otto@bank-b", trusted, NOW)


def test_a_countersignature_is_none_of_the_two_of_the_owner(signed: Signing, trusted: TrustedSet) -> None:
    error = refusal(signed("petra@bank-a", "petra@bank-b", edits=COUNTERSIGNED), trusted)
    assert error.code == "policies/unsigned"
    assert error.remedy.endswith("otto@bank-a")
    with pytest.raises(PolicyRefusal, match="bank-b"):
        require_may_sign(read_policy(policy_text("bank-a", IN_CONSORTIUM, *COUNTERSIGNED).encode()), "ana@bank-b",
                         trusted, NOW)  # fmt: skip


def test_two_officers_put_a_policy_in_force(signed: Signing, trusted: TrustedSet) -> None:
    loaded = policy_in_force(signed("petra@bank-a", "otto@bank-a"), trusted, NOW)
    assert loaded.policy.identity.owner == "bank-a"


@pytest.mark.parametrize("people", [(), ("petra@bank-a",)])
def test_fewer_than_two_signatures_are_no_approval(
    people: tuple[str, ...], signed: Signing, trusted: TrustedSet
) -> None:
    error = refusal(signed(*people), trusted)
    assert error.code == "policies/unsigned"
    assert "otto@bank-a" in error.remedy


@pytest.mark.parametrize("other", ["olga@bank-a", "petra@bank-b"])
def test_only_officers_of_the_owner_sign(other: str, signed: Signing, trusted: TrustedSet) -> None:
    assert refusal(signed("petra@bank-a", other), trusted).code == "policies/signer"
    assert refusal(signed("petra@bank-a", "otto@bank-a", other), trusted).code == "policies/signer"


def test_the_author_can_not_sign_even_as_an_officer(signed: Signing, trusted: TrustedSet) -> None:
    assert refusal(signed("petra@bank-a", "dora@bank-a"), trusted).code == "policies/four-eyes"
    assert refusal(signed("petra@bank-a", "otto@bank-a", "dora@bank-a"), trusted).code == "policies/four-eyes"


def test_one_person_signing_twice_is_one(signed: Signing, trusted: TrustedSet) -> None:
    assert refusal(signed("petra@bank-a", "petra@bank-a"), trusted).code == "trust/envelope"


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data + b"\n",
        lambda data: b"# a remark\n" + data,
        lambda data: data.replace(b"minimum-entities: 10", b"minimum-entities: 20"),
        lambda data: data.replace(b"AMLR Article 75", b"AMLR Article 76"),
    ],
)
def test_one_changed_byte_voids_the_signatures(
    change: Callable[[bytes], bytes], signed: Signing, trusted: TrustedSet
) -> None:
    envelope = signed("petra@bank-a", "otto@bank-a")
    altered = envelope.model_copy(update={"payload": change(envelope.payload_bytes()).hex()})
    assert refusal(altered, trusted).code == "policies/altered"


def test_a_signature_over_another_kind_of_document_does_not_count(signed: Signing, trusted: TrustedSet) -> None:
    envelope = signed("petra@bank-a", "otto@bank-a", payload_type="consortia/card/v1")
    assert refusal(envelope, trusted).code == "trust/wrong-type"
    relabelled = envelope.model_copy(update={"payload_type": POLICY_TYPE})
    assert refusal(relabelled, trusted).code == "policies/altered"


def test_two_people_with_one_key_are_not_two(signed: Signing, trusted: TrustedSet) -> None:
    card = trusted.cards["bank-a"]
    petra = card.person("petra@bank-a")
    assert petra is not None
    people = tuple(
        person.model_copy(update={"key": petra.key}) if person.id == "otto@bank-a" else person for person in card.people
    )
    cards = {**trusted.cards, "bank-a": card.model_copy(update={"people": people})}
    shared = TrustedSet(trusted.manifest, cards)
    assert refusal(signed("petra@bank-a"), shared).code == "policies/signer"


@pytest.mark.parametrize(
    ("at", "code"),
    [(datetime(2026, 10, 1, tzinfo=UTC), "policies/not-yet-valid"), (datetime(2027, 1, 17, tzinfo=UTC), "expired")],
)
def test_dates_are_judged_at_the_time_given(at: datetime, code: str, signed: Signing, trusted: TrustedSet) -> None:
    assert code in refusal(signed("petra@bank-a", "otto@bank-a"), trusted, at).code


def test_another_consortium_and_an_unenforced_rule_are_refused(signed: Signing, trusted: TrustedSet) -> None:
    elsewhere = signed("petra@bank-a", "otto@bank-a", edits=(("test-aml", "other-aml"),))
    assert refusal(elsewhere, trusted).code == "policies/consortium"
    edits = (("onward-sharing: off", "onward-sharing: forbidden"),)
    unenforced = signed("petra@bank-a", "otto@bank-a", edits=edits)
    assert refusal(unenforced, trusted).code == "policies/not-enforced"


def test_who_may_sign_is_said_before_signing(signed: Signing, trusted: TrustedSet) -> None:
    envelope = signed("petra@bank-a")
    loaded = read_policy(envelope.payload_bytes())
    state = signatures_of(envelope, loaded, trusted, NOW)
    assert (state.signed, state.may_sign, state.missing) == (("petra@bank-a",), ("otto@bank-a",), 1)
    require_may_sign(loaded, "otto@bank-a", trusted, NOW)
    for person, code in (("dora@bank-a", "four-eyes"), ("ana@bank-a", "signer"), ("petra@bank-b", "signer")):
        with pytest.raises(PolicyRefusal) as caught:
            require_may_sign(loaded, person, trusted, NOW)
        assert caught.value.code == f"policies/{code}"


def successor(before: LoadedPolicy, version: int = 2, previous: str = "") -> tuple[tuple[str, str], ...]:
    return (("version: 1", f"version: {version}"), ("previous: none", f"previous: '{previous or before.digest}'"))


def test_versions_follow_one_another_and_an_old_one_does_not_come_back(signed: Signing, trusted: TrustedSet) -> None:
    first = signed("petra@bank-a", "otto@bank-a")
    before = read_policy(first.payload_bytes())
    second = signed("petra@bank-a", "otto@bank-a", edits=successor(before))
    assert accept(first, None, trusted, NOW).digest == before.digest
    assert accept(first, first, trusted, NOW).digest == before.digest
    assert accept(second, first, trusted, NOW).policy.identity.version == 2
    for wrong in (
        signed("petra@bank-a", "otto@bank-a", edits=successor(before, 3)),
        signed("petra@bank-a", "otto@bank-a", edits=successor(before, 2, "f" * 64)),
    ):
        with pytest.raises(PolicyRefusal) as caught:
            accept(wrong, first, trusted, NOW)
        assert caught.value.code == "policies/succession"
    with pytest.raises(PolicyRefusal):
        accept(first, second, trusted, NOW)
    with pytest.raises(PolicyRefusal):
        check_succession(read_policy(second.payload_bytes()), None)


def test_a_fingerprint_is_approved_not_a_name(signed: Signing) -> None:
    loaded = read_policy(signed().payload_bytes())
    require_fingerprint(loaded.digest.upper()[:16], loaded)
    require_fingerprint(" ".join(loaded.digest[start : start + 4] for start in range(0, 64, 4)), loaded)
    for wrong in ("", loaded.digest[:15], "0" * 64, loaded.digest + "0"):
        with pytest.raises(PolicyRefusal) as caught:
            require_fingerprint(wrong, loaded)
        assert caught.value.code == "policies/fingerprint"


def test_the_world_holds_what_is_in_force_and_says_why_the_rest_is_not(signed: Signing, trusted: TrustedSet) -> None:
    good, bad = signed("petra@bank-a", "otto@bank-a"), signed("petra@bank-a")
    held, refused = world_of(trusted, CATALOGUE, [bad, good], NOW)
    assert [policy.policy.identity.id for policy in held.policies] == ["bank-a.aml-detection"]
    assert [error.code for error in refused] == ["policies/unsigned"]
    assert list(held.digests(("bank-a", "bank-b"), "aml-detection")) == ["bank-a"]


def test_files_keep_their_bytes_and_signatures(signed: Signing, trusted: TrustedSet, tmp_path: Path) -> None:
    from consortia.trust.folder import TrustFolder, read_policy_file, write_policy_signatures

    file = tmp_path / "bank-a.aml-detection.yaml"
    envelope = signed("petra@bank-a", "otto@bank-a")
    file.write_bytes(envelope.payload_bytes())
    assert write_policy_signatures(file, envelope).name == "bank-a.aml-detection.signatures.json"
    assert read_policy_file(file) == envelope
    TrustFolder(tmp_path / "trust").write_policy("bank-a", "aml-detection", envelope)
    assert TrustFolder(tmp_path / "trust").policy("bank-a", "aml-detection") == envelope
