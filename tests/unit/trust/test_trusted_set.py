"""The trusted set: what comes in, what is refused, and why."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest

from consortia.errors import ConsortiaError, OperatorError, PeerError, ProtocolAbort, RequestError
from consortia.trust.certificates import make_root
from consortia.trust.envelope import Envelope, seal_document, seal_envelope
from consortia.trust.hpke import KemPrivateKey
from consortia.trust.keys import PrivateKey
from consortia.trust.manifest import Card, CoordinatorEntry, Manifest, Member, PersonEntry, Role
from consortia.trust.trusted import CATALOGUE_TYPE, NO_DIGEST, TrustedSet

NOW = datetime.fromisoformat("2026-11-25T12:00:00Z")
DAY = timedelta(days=1)
BANKS = ("bank-a", "bank-b", "bank-c")


@cache
def key(name: str) -> PrivateKey:
    return PrivateKey.generate("ecdsa-p256")


@cache
def tls(name: str) -> str:
    return make_root("aml", name, NOW - DAY, NOW + 1000 * DAY).certificate


@cache
def kem(name: str) -> str:
    return KemPrivateKey.generate().public


def person(name: str, *roles: Role, signing: str = "") -> PersonEntry:
    public = key(signing or name).public
    return PersonEntry(id=name, roles=roles, suite=public.suite, key=public.hex)


def card(member: str, version: int = 1, **changes: Any) -> Card:
    public = key(f"node {member}").public
    made = Card(
        consortium="aml",
        member=member,
        version=version,
        not_after=NOW + 10 * DAY,
        people=(person(f"ana@{member}", "analyst"), person(f"olga@{member}", "operator")),
        node_suite=public.suite,
        node_key=public.hex,
        kem_key=kem(member),
        tls_root=tls(member),
        endpoint="",
    )
    return made.model_copy(update=changes)


def signed_card(member: str, version: int = 1, *, root: str = "", **changes: Any) -> Envelope:
    return seal_document(card(member, version, **changes), (key(root or f"root {member}"),))


def member(name: str, *, root: str = "", may_compute: bool = True) -> Member:
    public = key(root or f"root {name}").public
    return Member(id=name, display_name=name, suite=public.suite, root_key=public.hex, may_compute=may_compute)


def manifest(*names: str, version: int = 1, previous: str = NO_DIGEST, **changes: Any) -> Manifest:
    made = Manifest(
        consortium="aml",
        version=version,
        previous=previous,
        coordinator=CoordinatorEntry(endpoint="localhost:7400", tls_root=tls("coordinator")),
        members=tuple(member(name) for name in names or BANKS),
        computers=BANKS,
    )
    return made.model_copy(update=changes)


def signed(document: Manifest, *names: str) -> Envelope:
    return seal_document(document, [key(f"olga@{name}") for name in names])


def cards(*names: str) -> list[Envelope]:
    return [signed_card(name) for name in names or BANKS]


@cache
def believed() -> TrustedSet:
    return TrustedSet.first(signed(manifest(), *BANKS), cards(), manifest().digest(), NOW)


def catalogue(
    version: int = 1, previous: str = NO_DIGEST, names: tuple[str, ...] = BANKS, consortium: str = "aml"
) -> Envelope:
    payload = f'{{"consortium":"{consortium}","previous":"{previous}","version":{version}}}'.encode()
    return seal_envelope(CATALOGUE_TYPE, payload, [key(f"olga@{name}") for name in names])


def refusal(code: str, kind: type[ConsortiaError] = ProtocolAbort) -> Any:
    return pytest.raises(kind, match=f"^{code}:")


# --- the first manifest -----------------------------------------------------------------------------------------------


def test_a_first_manifest_comes_in_by_its_fingerprint_and_the_signatures_of_all() -> None:
    trusted = believed()
    assert trusted.manifest == manifest()
    assert trusted.node_key("bank-b", NOW) == key("node bank-b").public
    assert trusted.person("ana@bank-a", NOW).roles == ("analyst",)
    assert sorted(trusted.people("operator", NOW)) == ["olga@bank-a", "olga@bank-b", "olga@bank-c"]
    assert trusted.tls_roots() == {name: tls(name) for name in BANKS}
    assert trusted.kem_key("bank-a", NOW) == kem("bank-a")


@pytest.mark.parametrize("form", [lambda text: text[:32], str.upper, " ".join])
def test_a_fingerprint_may_be_typed_as_people_read_it(form: Any) -> None:
    TrustedSet.first(signed(manifest(), *BANKS), cards(), form(manifest().digest()), NOW)


@pytest.mark.parametrize(
    ("fingerprint", "code", "kind"),
    [
        ("0" * 64, "trust/fingerprint", ProtocolAbort),
        ("", "trust/fingerprint-form", RequestError),
        ("0" * 31, "trust/fingerprint-form", RequestError),
        ("x" * 64, "trust/fingerprint-form", RequestError),
        ("0" * 65, "trust/fingerprint-form", RequestError),
    ],
)
def test_another_or_a_short_fingerprint_is_refused(fingerprint: str, code: str, kind: type[ConsortiaError]) -> None:
    with refusal(code, kind):
        TrustedSet.first(signed(manifest(), *BANKS), cards(), fingerprint, NOW)


def test_a_manifest_without_one_members_signature_card_or_operator_is_refused() -> None:
    fingerprint = manifest().digest()
    with refusal("trust/quorum", OperatorError):
        TrustedSet.first(signed(manifest(), "bank-a", "bank-b"), cards(), fingerprint, NOW)
    with refusal("trust/too-few-signatures", OperatorError):
        TrustedSet.first(signed(manifest()), cards(), fingerprint, NOW)
    with refusal("trust/no-card", OperatorError):
        TrustedSet.first(signed(manifest(), *BANKS), cards("bank-a", "bank-b"), fingerprint, NOW)
    with refusal("trust/unknown-key"):
        envelope = seal_document(manifest(), [key(f"ana@{name}") for name in BANKS])
        TrustedSet.first(envelope, cards(), fingerprint, NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"members": tuple(member(name) for name in reversed(BANKS))},
        {"members": (*(member(name) for name in BANKS), member("bank-c"))},
        {"members": tuple(member(name, may_compute=name != "bank-b") for name in BANKS)},
        {"members": tuple(member(name, root="root bank-a") for name in BANKS)},
        {"members": tuple(sorted((*(member(name) for name in BANKS), member("coordinator")), key=lambda m: m.id))},
        {"computers": ("bank-a", "bank-a", "bank-b")},
        {"computers": ("bank-a", "bank-b", "bank-x")},
        {"version": 0},
        {"version": 2},
        {"previous": "1" * 64},
    ],
    ids=[
        "unsorted",
        "twice",
        "may-not",
        "one-root",
        "coordinator",
        "two",
        "stranger",
        "zero",
        "no-previous",
        "previous",
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(changes: Mapping[str, Any]) -> None:
    wrong = manifest(**changes)
    with refusal("trust/manifest", RequestError):
        TrustedSet.first(signed(wrong, *BANKS), cards(), wrong.digest(), NOW)


# --- the next manifest ------------------------------------------------------------------------------------------------


def follower(*names: str, **changes: Any) -> Manifest:
    return manifest(*names, version=2, previous=manifest().digest(), **changes)


def test_a_member_joins_with_its_card_and_its_own_signature() -> None:
    four = (*BANKS, "bank-d")
    trusted = believed().with_manifest(signed(follower(*four), *four), cards("bank-d"), NOW)
    assert sorted(trusted.cards) == sorted(four)
    with refusal("trust/quorum", OperatorError):
        believed().with_manifest(signed(follower(*four), *BANKS), cards("bank-d"), NOW)
    with refusal("trust/no-card", OperatorError):
        believed().with_manifest(signed(follower(*four), *four), [], NOW)


def test_a_member_leaves_without_its_own_signature_or_with_it() -> None:
    four = (*BANKS, "bank-d")
    before = believed().with_manifest(signed(follower(*four), *four), cards("bank-d"), NOW)
    after = manifest(version=3, previous=follower(*four).digest())
    for names in (BANKS, four):
        trusted = before.with_manifest(signed(after, *names), [], NOW)
        assert sorted(trusted.cards) == list(BANKS)


def test_an_old_a_skipped_and_a_forked_version_are_refused() -> None:
    with refusal("trust/version"):
        believed().with_manifest(signed(manifest(), *BANKS), [], NOW)
    with refusal("trust/version"):
        skipped = manifest(version=3, previous=manifest().digest())
        believed().with_manifest(signed(skipped, *BANKS), [], NOW)
    with refusal("trust/previous"):
        forked = manifest(version=2, previous="1" * 64)
        believed().with_manifest(signed(forked, *BANKS), [], NOW)
    with refusal("trust/other-consortium"):
        believed().with_manifest(signed(follower(consortium="other"), *BANKS), [], NOW)


def test_a_new_root_key_can_not_approve_itself() -> None:
    replaced = follower(members=(member("bank-a"), member("bank-b"), member("bank-c", root="usurper")))
    people = (person("olga@bank-c", "operator", signing="usurper's olga"),)
    usurped = signed_card("bank-c", root="usurper", people=people)
    by_usurper = seal_document(replaced, [key("olga@bank-a"), key("olga@bank-b"), key("usurper's olga")])
    with refusal("trust/unknown-key"):
        believed().with_manifest(by_usurper, [usurped], NOW)
    trusted = believed().with_manifest(signed(replaced, *BANKS), [usurped], NOW)
    assert trusted.person_key("olga@bank-c", NOW) == key("usurper's olga").public
    with refusal("trust/no-card", OperatorError):
        believed().with_manifest(signed(replaced, *BANKS), [], NOW)


# --- cards ------------------------------------------------------------------------------------------------------------


def test_a_newer_card_replaces_people_and_the_same_card_changes_nothing() -> None:
    trusted = believed().with_card(signed_card("bank-a", 2, people=(person("olga@bank-a", "operator"),)), NOW)
    assert trusted.card("bank-a", NOW).version == 2
    with refusal("trust/unknown-person", RequestError):
        trusted.person("ana@bank-a", NOW)
    assert trusted.with_card(signed_card("bank-b"), NOW) == trusted


def test_an_older_card_and_a_second_content_of_one_version_are_refused() -> None:
    trusted = believed().with_card(signed_card("bank-a", 3), NOW)
    for older in (signed_card("bank-a", 2), signed_card("bank-a", 3, endpoint="elsewhere:1")):
        with refusal("trust/version"):
            trusted.with_card(older, NOW)


def test_a_card_counts_under_its_own_members_root_alone() -> None:
    for envelope in (signed_card("bank-a", 2, root="root bank-b"), signed_card("bank-a", 2, root="node bank-a")):
        with refusal("trust/unknown-key"):
            believed().with_card(envelope, NOW)
    with refusal("trust/unknown-member", RequestError):
        believed().with_card(signed_card("bank-x"), NOW)


def test_an_expired_card_is_refused_at_the_door_and_at_every_look_up() -> None:
    expired = signed_card("bank-a", 2, not_after=NOW - timedelta(seconds=300))
    with refusal("trust/card-expired", PeerError):
        believed().with_card(expired, NOW)
    late = NOW + 10 * DAY + timedelta(seconds=300)
    for look_up in (
        lambda: believed().node_key("bank-a", late),
        lambda: believed().kem_key("bank-a", late),
        lambda: believed().person_key("ana@bank-a", late),
        lambda: believed().people("officer", late),
        lambda: believed().with_catalogue(catalogue(), late),
    ):
        with refusal("trust/card-expired", PeerError):
            look_up()
    believed().node_key("bank-a", late - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"consortium": "other"}, "trust/card"),
        ({"people": (person("olga@bank-b", "operator", signing="x"),)}, "trust/card"),
        ({"people": (person("olga@bank-a", "operator"), person("ana@bank-a", "analyst"))}, "trust/card"),
        ({"people": (person("olga@bank-a"),)}, "trust/card"),
        ({"people": (person("olga@bank-a", "operator", "analyst"),)}, "trust/card"),
        (
            {"people": (person("olga@bank-a", "operator"), person("otto@bank-a", "officer", signing="olga@bank-a"))},
            "trust/card",
        ),
        ({"people": (person("olga@bank-a", "operator", signing="root bank-a"),)}, "trust/card"),
        ({"node_key": key("olga@bank-a").public.hex}, "trust/card"),
        ({"node_key": "00" * 65}, "trust/public-key"),
        ({"kem_key": "00"}, "trust/kem-key"),
        ({"tls_root": "none"}, "trust/tls-root"),
        ({"people": (person("olga@bank-a", "operator", signing="olga@bank-b"),)}, "trust/shared-key"),
        ({"node_key": key("node bank-b").public.hex}, "trust/shared-key"),
    ],
)
def test_a_card_that_contradicts_itself_or_another_is_refused(changes: Mapping[str, Any], code: str) -> None:
    with refusal(code, RequestError):
        believed().with_card(signed_card("bank-a", 2, **changes), NOW)


def test_a_person_acts_in_its_roles_only() -> None:
    assert believed().person_key("olga@bank-a", NOW, "operator") == key("olga@bank-a").public
    with refusal("trust/role", RequestError):
        believed().person_key("olga@bank-a", NOW, "officer")
    with refusal("trust/unknown-person", RequestError):
        believed().person_key("nobody@bank-a", NOW)
    with refusal("trust/unknown-member", RequestError):
        believed().person_key("ana@bank-x", NOW)


# --- catalogue --------------------------------------------------------------------------------------------------------


def test_catalogues_follow_one_another() -> None:
    first = believed().with_catalogue(catalogue(), NOW)
    head = first.require_catalogue()
    second = first.with_catalogue(catalogue(2, head.digest), NOW)
    assert second.require_catalogue().version == 2
    assert second.with_catalogue(catalogue(2, head.digest), NOW) == second
    with refusal("trust/version"):
        second.with_catalogue(catalogue(), NOW)
    with refusal("trust/previous"):
        first.with_catalogue(catalogue(2, "1" * 64), NOW)
    with refusal("trust/no-catalogue", OperatorError):
        believed().require_catalogue()


def test_a_catalogue_is_signed_by_all_members_and_of_this_consortium() -> None:
    with refusal("trust/quorum", OperatorError):
        believed().with_catalogue(catalogue(names=("bank-a",)), NOW)
    with refusal("trust/other-consortium"):
        believed().with_catalogue(catalogue(consortium="other"), NOW)
    with refusal("trust/wrong-type"):
        believed().with_catalogue(signed(manifest(), *BANKS), NOW)


# --- restoring --------------------------------------------------------------------------------------------------------


def test_what_was_accepted_can_be_restored_long_after_expiry_and_nothing_else() -> None:
    trusted = believed().with_catalogue(catalogue(), NOW)
    accepted = trusted.accepted()
    envelope = signed(manifest(), *BANKS)
    assert TrustedSet.restore(accepted, envelope, cards(), catalogue()) == trusted
    waiting = [*cards(), signed_card("bank-x")]
    assert TrustedSet.restore(accepted, envelope, waiting, catalogue()) == trusted
    altered = signed(
        manifest(coordinator=CoordinatorEntry(endpoint="elsewhere:1", tls_root=tls("coordinator"))), *BANKS
    )
    for arguments in (
        (altered, cards(), catalogue()),
        (envelope, cards("bank-a", "bank-b"), catalogue()),
        (envelope, [*cards("bank-a", "bank-b"), signed_card("bank-c", 2)], catalogue()),
        (envelope, cards(), None),
        (envelope, cards(), catalogue(2, "1" * 64)),
    ):
        with refusal("trust/altered", OperatorError):
            TrustedSet.restore(accepted, *arguments)


def test_accepting_returns_a_new_set_and_leaves_the_old_one() -> None:
    before = believed()
    before.with_card(signed_card("bank-a", 2), NOW)
    assert before.card("bank-a", NOW).version == 1
    assert replace(before) == before
