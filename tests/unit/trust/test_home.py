"""Folders: readable files, exact bytes, and what happens when somebody edits them."""

import json
from pathlib import Path

import pytest

from consortia.errors import OperatorError, ProtocolAbort, RequestError
from consortia.plans.catalogue import Catalogue
from consortia.trust.certificates import check_certificate, identity_of
from consortia.trust.envelope import seal_envelope
from consortia.trust.exchange import (
    accept_cards,
    accept_catalogue,
    accept_domain_key,
    accept_manifest,
    collect_member,
    create_domain_key,
    draft_manifest,
    sign_manifest,
)
from consortia.trust.folder import POLICY_TYPE, TrustFolder
from consortia.trust.home import CoordinatorHome, Home, Profile, home_path
from consortia.trust.keys import PrivateKey
from consortia.trust.manifest import Card, Introduction, Member
from consortia.trust.setup import add_person, init_coordinator, init_home, make_card, next_manifest
from consortia.trust.verify import verify
from tests.consortium import NOW, Consortium, make_consortium, with_catalogue
from tests.fixtures_catalogue import CATALOGUE

P256 = "ecdsa-p256"


@pytest.fixture
def world(tmp_path: Path) -> Consortium:
    return make_consortium(tmp_path, owners_only=("bank-d",), suite=P256)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_whole_consortium_believes_the_same(world: Consortium) -> None:
    sets = [believer.trusted() for believer in (*world.homes.values(), world.coordinator, world.profile("ana@bank-a"))]
    assert {one.manifest.digest() for one in sets} == {world.manifest.digest()}
    assert world.manifest.computers == ("bank-a", "bank-b", "bank-c")
    assert [member.may_compute for member in world.manifest.members] == [True, True, True, False]


def test_certificates_stand_under_the_roots_of_cards_and_manifest(world: Consortium) -> None:
    trusted = world.home("bank-a").trusted()
    roots = trusted.tls_roots()
    for pair, root in (
        (world.home("bank-b").tls_node(), roots["bank-b"]),
        (world.profile("ana@bank-b").tls(), roots["bank-b"]),
        (world.coordinator.tls(), trusted.manifest.coordinator.tls_root),
    ):
        check_certificate(pair.certificate, identity_of(pair.certificate), root, NOW)


def test_keys_in_the_folders_are_those_of_the_cards(world: Consortium) -> None:
    trusted = world.home("bank-a").trusted()
    assert world.home("bank-c").node_key().public == trusted.node_key("bank-c", NOW)
    assert world.home("bank-c").kem_key().public == trusted.kem_key("bank-c", NOW)
    assert world.profile("otto@bank-c").signing_key().public == trusted.person_key("otto@bank-c", NOW, "officer")


def test_private_files_are_for_their_owner_alone(world: Consortium) -> None:
    files = [*world.root.rglob("*.pem"), *world.root.rglob("*.key")]
    assert len(files) > 20
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_reformatting_a_document_changes_nothing_and_any_other_edit_is_noticed(world: Consortium) -> None:
    home = world.home("bank-a")
    file = home.path / "trust" / "manifest.json"
    before = home.trusted()
    file.write_text(json.dumps(json.loads(file.read_text())).replace(",", ",\r\n"))
    assert home.trusted() == before
    edit(file, "localhost:7400", "localhost:7401")
    with pytest.raises(OperatorError, match="trust/altered"):
        home.trusted()


def test_an_edited_or_unsigned_card_is_noticed(world: Consortium) -> None:
    home = world.home("bank-a")
    card = home.path / "trust" / "cards" / "bank-b.json"
    original = card.read_text()
    edit(card, '"endpoint": ""', '"endpoint": "elsewhere:1"')
    with pytest.raises(OperatorError, match="trust/altered"):
        home.trusted()
    card.write_text(original)
    (home.path / "trust" / "cards" / "bank-b.signatures.json").unlink()
    with pytest.raises(OperatorError, match="trust/too-few-signatures"):
        home.trusted()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"a": 1, "a": 2}', "stands twice"),
        ('{"a": 1.5}', "not a whole number"),
        ('{"a": NaN}', "not a whole number"),
        ('{"a": 9007199254740993}', ""),
        ("{", ""),
        ('{"a": "\\ud800"}', ""),
        ("[" * 100_000, ""),
    ],
)
def test_a_file_that_is_not_strict_json_is_refused_with_its_path(content: str, reason: str, world: Consortium) -> None:
    home = world.home("bank-a")
    file = home.path / "trust" / "manifest.json"
    file.write_text(content)
    with pytest.raises(OperatorError, match=f"trust/file.*{reason}") as caught:
        home.trusted()
    assert caught.value.place == str(file)


def test_a_folder_without_a_manifest_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"trust/no-manifest.*manifest accept"):
        Home(tmp_path).trusted()
    with pytest.raises(OperatorError, match="trust/missing"):
        Home(tmp_path).introduction()


def test_a_profile_moved_away_brings_its_own_trust_folder(world: Consortium, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "ana"
    moved.parent.mkdir()
    (world.root / "bank-a" / "people" / "ana").rename(moved)
    profile = Profile(moved)
    with pytest.raises(OperatorError, match="trust/no-manifest"):
        profile.trusted()
    (moved / "trust").mkdir()
    accept_manifest(profile, world.exchange, world.manifest.digest(), NOW)
    assert profile.trusted().manifest == world.manifest


def test_a_policy_is_kept_as_its_exact_bytes(tmp_path: Path) -> None:
    text = b"# a comment\r\nowner:   bank-a\n"
    key = PrivateKey.generate(P256)
    folder = TrustFolder(tmp_path)
    folder.write_policy("bank-a", "aml-detection", seal_envelope(POLICY_TYPE, text, (key,)))
    assert (tmp_path / "policies" / "bank-a" / "aml-detection.yaml").read_bytes() == text
    assert folder.policies() == [("bank-a", "aml-detection")]
    assert verify(folder.policy("bank-a", "aml-detection"), POLICY_TYPE, {"petra@bank-a": key.public}).payload == text
    (tmp_path / "policies" / "bank-a" / "aml-detection.yaml").write_bytes(text + b" ")
    with pytest.raises(ProtocolAbort, match="trust/signature"):
        verify(folder.policy("bank-a", "aml-detection"), POLICY_TYPE, {"petra@bank-a": key.public})


def test_a_name_from_outside_can_not_leave_the_folder(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="ids/name"):
        TrustFolder(tmp_path).card("../../etc/passwd")


def test_setting_up_again_keeps_every_key_and_repairs_what_is_missing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    init_home(home, "aml", "bank-a", "Bank A", NOW, suite=P256)
    add_person(home, "ana", ["analyst"], NOW, suite=P256)
    root = home.root_key().public
    (tmp_path / "keys" / "tls-node.pem").unlink()
    (tmp_path / "people" / "ana" / "keys" / "tls.pem").unlink()
    made = init_home(home, "aml", "bank-a", "Bank A", NOW, suite=P256)
    add_person(home, "ana", ["analyst"], NOW, suite=P256)
    assert {path.name for path in made} == {"tls-node.pem", "node.crt"}
    assert home.root_key().public == root
    check_certificate(
        home.tls_node().certificate, identity_of(home.tls_node().certificate), home.tls_root().certificate, NOW
    )
    with pytest.raises(OperatorError, match="trust/home-differs"):
        add_person(home, "ana", ["officer"], NOW, suite=P256)
    with pytest.raises(OperatorError, match="trust/home-differs"):
        init_home(home, "aml", "bank-b", "Bank A", NOW)


def test_a_person_whose_keys_were_handed_over_stays_in_the_card_and_gets_no_second_key(tmp_path: Path) -> None:
    home = Home(tmp_path)
    init_home(home, "aml", "bank-a", "Bank A", NOW, suite=P256)
    profile = add_person(home, "petra", ["officer"], NOW, suite=P256)
    entry = profile.settings().person
    (profile.path / "keys" / "signing.pem").unlink()
    add_person(home, "petra", ["officer"], NOW, suite=P256)
    assert not (profile.path / "keys" / "signing.pem").exists()
    assert Card.parse(make_card(home, "", NOW).payload_bytes()).people == (entry,)
    with pytest.raises(OperatorError, match="trust/home-differs"):
        add_person(home, "petra", ["operator"], NOW)


def test_keys_may_have_a_passphrase(tmp_path: Path) -> None:
    home = Home(tmp_path, b"correct horse battery staple")
    init_home(home, "aml", "bank-a", "Bank A", NOW, suite=P256)
    add_person(home, "olga", ["operator"], NOW, suite=P256)
    make_card(home, "localhost:7401", NOW)
    assert b"ENCRYPTED" in (tmp_path / "keys" / "root.pem").read_bytes()
    assert b"ENCRYPTED" in (tmp_path / "keys" / "tls-node.pem").read_bytes()
    with pytest.raises(OperatorError, match="trust/passphrase"):
        Home(tmp_path).node_key()


@pytest.mark.parametrize("endpoint", ["localhost", "localhost:0", "localhost:65536", ":7400", "host:x"])
def test_an_endpoint_is_host_and_port(endpoint: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="trust/endpoint"):
        init_coordinator(CoordinatorHome(tmp_path), "aml", endpoint, NOW)


def test_a_person_has_a_role(tmp_path: Path) -> None:
    home = Home(tmp_path)
    init_home(home, "aml", "bank-a", "Bank A", NOW, suite=P256)
    with pytest.raises(RequestError, match="trust/roles"):
        add_person(home, "ana", [], NOW)


def test_members_of_two_consortia_or_too_few_computers_make_no_manifest(world: Consortium) -> None:
    entry = world.coordinator.entry()
    introductions = world.exchange.introductions()
    other = Introduction(consortium="other", member=introductions[0].member)
    for chosen in ([other, *introductions[1:]], [], introductions[:2]):
        with pytest.raises(RequestError, match="trust/members"):
            next_manifest(None, entry, chosen)
    helper = Introduction(
        consortium=introductions[0].consortium,
        member=Member(**{**introductions[0].member.model_dump(), "id": "helper"}),
    )
    chosen_by_name = next_manifest(None, entry, [*introductions, helper], ("helper", "bank-b", "bank-a"))
    assert chosen_by_name.computers == ("helper", "bank-b", "bank-a")
    four = ("bank-a", "bank-b", "bank-c", "helper")
    assert next_manifest(None, entry, [*introductions, helper], four).computers == four
    with pytest.raises(RequestError, match="three to nine"):
        next_manifest(None, entry, [*introductions, helper], four * 3)


def test_an_introduction_whose_card_is_not_under_its_root_is_not_collected(world: Consortium, tmp_path: Path) -> None:
    public = world.home("bank-b").path / "public"
    other = PrivateKey.generate(P256).public
    edit(public / "member.json", world.home("bank-b").root_key().public.hex, other.hex)
    with pytest.raises(ProtocolAbort, match="trust/unknown-key"):
        collect_member(TrustFolder(tmp_path / "other"), public)


def test_a_member_joins_by_the_same_steps(world: Consortium) -> None:
    home = Home(world.root / "bank-e")
    init_home(home, world.manifest.consortium, "bank-e", "Bank E", NOW, suite=P256)
    add_person(home, "olga", ["operator"], NOW, suite=P256)
    make_card(home, "", NOW)
    collect_member(world.exchange, home.path / "public")
    # The new card waits in the folder and disturbs nobody.
    accept_cards(world.home("bank-a"), world.exchange, NOW)
    manifest = draft_manifest(world.exchange, world.home("bank-a"))
    for one in (*world.homes.values(), home):
        sign_manifest(world.exchange, one.profile("olga"))
    accept_manifest(home, world.exchange, manifest.digest(), NOW)
    for one in world.homes.values():
        assert accept_manifest(one, world.exchange, "", NOW).manifest.version == 2
    assert world.home("bank-a").trusted().accepted() == home.trusted().accepted()


def test_the_first_manifest_needs_a_fingerprint(world: Consortium, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="trust/fingerprint-missing"):
        accept_manifest(Home(tmp_path / "new"), world.exchange, "", NOW)


def test_a_domain_key_reaches_every_owner_and_nobody_else(world: Consortium) -> None:
    key_id = create_domain_key(world.home("bank-a"), world.exchange, "customer", ("bank-a", "bank-b"), NOW)
    assert accept_domain_key(world.home("bank-b"), world.exchange, "customer", NOW) == key_id
    assert accept_domain_key(world.home("bank-b"), world.exchange, "customer", NOW) == key_id
    keys = {world.home(name).domain_key("customer", key_id) for name in ("bank-a", "bank-b")}
    assert len(keys) == 1
    with pytest.raises(ProtocolAbort, match="trust/domain-key-receiver"):
        accept_domain_key(world.home("bank-c"), world.exchange, "customer", NOW)
    with pytest.raises(OperatorError, match="trust/key-missing"):
        world.home("bank-c").domain_key("customer", key_id)
    with pytest.raises(OperatorError, match="trust/exists"):
        create_domain_key(world.home("bank-b"), world.exchange, "customer", ("bank-b",), NOW)


def test_a_domain_key_under_another_name_is_refused(world: Consortium) -> None:
    create_domain_key(world.home("bank-a"), world.exchange, "customer", ("bank-b",), NOW)
    world.exchange.write_domain_key("account", world.exchange.domain_key("customer"))
    with pytest.raises(OperatorError, match="trust/domain-key"):
        accept_domain_key(world.home("bank-b"), world.exchange, "account", NOW)


def test_a_damaged_hashing_key_is_noticed(world: Consortium) -> None:
    home = world.home("bank-a")
    key_id = create_domain_key(home, world.exchange, "customer", ("bank-a",), NOW)
    path = home.domain_key_path("customer", key_id)
    text = path.read_text()
    path.write_text(("0" if text[0] != "0" else "1") + text[1:])
    with pytest.raises(OperatorError, match="trust/domain-key"):
        home.domain_key("customer", key_id)
    path.write_text("text")
    with pytest.raises(OperatorError, match="trust/key-file"):
        home.domain_key("customer", key_id)


def test_a_catalogue_is_accepted_by_all_and_its_alteration_noticed(world: Consortium) -> None:
    complete = with_catalogue(world, CATALOGUE)
    home = complete.home("bank-b")
    held = home.trusted().require_catalogue()
    stored = Catalogue.parse(home.trust.catalogue().payload_bytes())
    assert stored == complete.catalogue
    assert held.digest == stored.digest()
    edit(home.path / "trust" / "catalogue.json", '"max_rows": "', '"max_rows": "1')
    with pytest.raises(OperatorError, match="trust/altered"):
        home.trusted()
    edit(complete.exchange.path / "catalogue.json", '"max_rows": "', '"max_rows": "1')
    with pytest.raises(ProtocolAbort, match="trust/signature"):
        accept_catalogue(complete.home("bank-a"), complete.exchange, NOW)


def test_the_home_comes_from_the_option_or_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CONSORTIA_HOME", raising=False)
    with pytest.raises(OperatorError, match="trust/no-home"):
        home_path(None)
    monkeypatch.setenv("CONSORTIA_HOME", str(tmp_path))
    assert home_path(None) == tmp_path
    assert home_path(tmp_path / "given") == tmp_path / "given"
