"""Making the folders of ``home``: keys, certificates, profiles, cards and the manifest's next version.

What exists is kept: every function can run again and makes only what is missing, and no key is ever overwritten.
Time is an argument.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from consortia.errors import OperatorError, RequestError
from consortia.ids import PersonId, check_name
from consortia.trust.certificates import COORDINATOR, Identity, TlsPair, issue, make_root
from consortia.trust.envelope import Envelope, seal_document
from consortia.trust.folder import TrustFolder, read_plain, write_plain
from consortia.trust.home import CoordinatorHome, Home, PersonSettings, Profile, load_tls
from consortia.trust.hpke import KemPrivateKey
from consortia.trust.keyfiles import save_private_keys, write_new
from consortia.trust.keys import PrivateKey
from consortia.trust.manifest import (
    FEWEST_COMPUTERS,
    MOST_COMPUTERS,
    Card,
    CoordinatorEntry,
    Deputy,
    Introduction,
    Manifest,
    Member,
    PersonEntry,
    Role,
)
from consortia.trust.suites import DEFAULT_SUITE
from consortia.trust.trusted import NO_DIGEST

ROOT_DAYS = 3650
LEAF_DAYS = 397
CARD_DAYS = 397
_BACKDATED = timedelta(minutes=5)


def init_home(
    home: Home,
    consortium: str,
    member: str,
    display_name: str,
    now: datetime,
    *,
    may_compute: bool = True,
    suite: str = DEFAULT_SUITE,
) -> list[Path]:
    """Make what is missing of a member's home; returns the files made now.

    Raises OperatorError ``trust/home-differs`` if the folder is of another member, consortium or entry.
    """
    check_name(consortium, "consortium")
    check_name(member, "member")
    path = home.path
    _make_folders(path, secret=("keys", "keys/domains", "people"), open_to_all=("tls", "public", "trust"))
    made: list[Path] = []
    root_file, node_file, kem_file = (path / "keys" / name for name in ("root.pem", "node.pem", "kem.pem"))
    for file in (root_file, node_file):
        if not file.exists():
            PrivateKey.generate(suite).save(file, home.passphrase)
            made.append(file)
    if not kem_file.exists():
        KemPrivateKey.generate().save(kem_file, home.passphrase)
        made.append(kem_file)
    key, certificate = path / "keys" / "tls-root.pem", path / "tls" / "root.crt"
    if not key.exists():
        _save_tls(
            make_root(consortium, member, now - _BACKDATED, _end(now, ROOT_DAYS)), key, certificate, home.passphrase
        )
        made += [key, certificate]
    key, certificate = path / "keys" / "tls-node.pem", path / "tls" / "node.crt"
    if not key.exists():
        leaf = issue(home.tls_root(), Identity(consortium, "node", member), now - _BACKDATED, _end(now, LEAF_DAYS))
        _save_tls(leaf, key, certificate, home.passphrase)
        made += [key, certificate]
    root = home.root_key().public
    introduction = Introduction(
        consortium=consortium,
        member=Member(
            id=member, display_name=display_name, suite=root.suite, root_key=root.hex, may_compute=may_compute
        ),
    )
    _write_or_compare(path / "public" / "member.json", introduction, made)
    return made


def init_coordinator(home: CoordinatorHome, consortium: str, endpoint: str, now: datetime) -> list[Path]:
    """Make what is missing of the coordinator's home; returns the files made now.

    ``endpoint`` is ``host:port`` as members dial it; its host and localhost become names of the certificate.
    Raises OperatorError ``trust/home-differs`` and RequestError ``trust/endpoint``.
    """
    check_name(consortium, "consortium")
    host = check_endpoint(endpoint)
    path = home.path
    _make_folders(path, secret=("keys",), open_to_all=("tls", "trust"))
    made: list[Path] = []
    root_key, root_certificate = path / "keys" / "tls-root.pem", path / "tls" / "root.crt"
    if not root_key.exists():
        root = make_root(consortium, COORDINATOR, now - _BACKDATED, _end(now, ROOT_DAYS))
        _save_tls(root, root_key, root_certificate, home.passphrase)
        made += [root_key, root_certificate]
    root = load_tls(root_key, root_certificate, home.passphrase)
    key, certificate = path / "keys" / "tls.pem", path / "tls" / "coordinator.crt"
    if not key.exists():
        identity = Identity(consortium, "coordinator", COORDINATOR)
        hosts = sorted({host, "localhost", "127.0.0.1"})
        leaf = issue(root, identity, now - _BACKDATED, _end(now, LEAF_DAYS), hosts)
        _save_tls(leaf, key, certificate, home.passphrase)
        made += [key, certificate]
    entry = CoordinatorEntry(endpoint=endpoint, tls_root=root.certificate)
    _write_or_compare(path / "coordinator.json", entry, made)
    return made


def add_person(home: Home, name: str, roles: Sequence[Role], now: datetime, *, suite: str = DEFAULT_SUITE) -> Profile:
    """Make the profile of the person ``name`` with ``roles``, or what is missing of it, in ``home``.

    Once its keys were handed over and removed from the home, the profile is left as it is: no second key is made.

    The person stands in the next card that is signed. Raises OperatorError ``trust/home-differs`` if the profile is
    of other roles, RequestError ``trust/roles`` for none.
    """
    check_name(name, "person")
    if not roles:
        raise RequestError(
            "trust/roles", f"`{name}` has no role", remedy="give one or more of operator, officer, analyst"
        )
    introduction = home.introduction()
    person = PersonId(f"{name}@{introduction.member.id}")
    profile = home.profile(name)
    wanted = tuple(sorted(set(roles)))
    if (profile.path / "person.json").exists() and not (profile.path / "keys" / "signing.pem").exists():
        handed_over = profile.settings()
        entry = handed_over.person.model_copy(update={"id": person, "roles": wanted})
        _write_or_compare(
            profile.path / "person.json", PersonSettings(consortium=introduction.consortium, person=entry), []
        )
        return profile
    _make_folders(profile.path, secret=("keys",), open_to_all=())
    key_file = profile.path / "keys" / "signing.pem"
    if not key_file.exists():
        PrivateKey.generate(suite).save(key_file, home.passphrase)
    tls_file, certificate = profile.path / "keys" / "tls.pem", profile.path / "tls.crt"
    if not tls_file.exists():
        identity = Identity(introduction.consortium, "person", person)
        leaf = issue(home.tls_root(), identity, now - _BACKDATED, _end(now, LEAF_DAYS))
        _save_tls(leaf, tls_file, certificate, home.passphrase)
    public = profile.signing_key().public
    known = (profile.path / "person.json").exists()
    deputy = profile.settings().person.deputy if known else None
    entry = PersonEntry(id=person, roles=wanted, suite=public.suite, key=public.hex, deputy=deputy)
    _write_or_compare(
        profile.path / "person.json", PersonSettings(consortium=introduction.consortium, person=entry), []
    )
    return profile


def deputise(home: Home, name: str, deputy: Deputy | None) -> Profile:
    """Note that the person ``name`` acts for an officer, or no more (None); it counts with the next card.

    What must not be is refused when the card is made. Raises OperatorError ``trust/missing`` for an unknown person.
    """
    profile = home.profile(name)
    settings = profile.settings()
    entry = settings.person.model_copy(update={"deputy": deputy})
    write_plain(profile.path / "person.json", settings.model_copy(update={"person": entry}))
    return profile


def make_card(home: Home, endpoint: str, now: datetime, days: int = CARD_DAYS) -> Envelope:
    """The member's next card, built from its home and signed with the root key; also stored in ``public/``.

    ``endpoint`` is the node's data-plane address as peers dial it, or empty if it accepts no connection. The version
    is one above the last card in ``public/``. Raises RequestError ``trust/endpoint``.
    """
    if endpoint:
        check_endpoint(endpoint)
    introduction = home.introduction()
    node = home.node_key().public
    last = public_card(home)
    card = Card(
        consortium=introduction.consortium,
        member=introduction.member.id,
        version=1 if last is None else Card.parse(last.payload_bytes()).version + 1,
        not_after=_end(now, days),
        people=tuple(sorted((profile.settings().person for profile in home.people()), key=lambda person: person.id)),
        node_suite=node.suite,
        node_key=node.hex,
        kem_key=home.kem_key().public,
        tls_root=home.tls_root().certificate,
        endpoint=endpoint,
    )
    envelope = seal_document(card, (home.root_key(),))
    TrustFolder(home.path / "public").write_card(card.member, envelope)
    return envelope


def public_card(home: Home) -> Envelope | None:
    """The card that this member published last."""
    folder = TrustFolder(home.path / "public")
    member = home.member
    return folder.card(member) if (folder.path / "cards" / f"{member}.json").exists() else None


def next_manifest(
    before: Manifest | None,
    coordinator: CoordinatorEntry,
    introductions: Sequence[Introduction],
    computers: Sequence[str] = (),
) -> Manifest:
    """The manifest of the members introduced, following ``before``.

    Without ``computers`` the first three members by id that may compute do. Raises RequestError ``trust/members``.
    """
    consortia = sorted({introduction.consortium for introduction in introductions})
    if before is not None:
        consortia = sorted({before.consortium, *consortia})
    if len(consortia) != 1:
        raise RequestError(
            "trust/members",
            "the members do not mean the same consortium: " + (", ".join(consortia) or "there is none"),
            remedy="add members with `consortia member add`; each names the consortium in `consortia init`",
        )
    members = tuple(sorted((introduction.member for introduction in introductions), key=lambda member: member.id))
    chosen = tuple(computers) or tuple(member.id for member in members if member.may_compute)[:3]
    if not FEWEST_COMPUTERS <= len(chosen) <= MOST_COMPUTERS:
        raise RequestError(
            "trust/members",
            f"three to nine members must compute and there are {len(chosen)}",
            remedy="add members that may compute (two owners need a helper), or name three to nine with --computer",
        )
    return Manifest(
        consortium=consortia[0],
        version=1 if before is None else before.version + 1,
        previous=NO_DIGEST if before is None else before.digest(),
        coordinator=coordinator,
        members=members,
        computers=chosen,
    )


def check_endpoint(endpoint: str) -> str:
    """The host of ``host:port``; raises RequestError ``trust/endpoint``."""
    host, colon, port = endpoint.rpartition(":")
    if not colon or not host.strip("[]") or not port.isdecimal() or not 0 < int(port) < 65536:
        raise RequestError(
            "trust/endpoint", f"`{endpoint}` is not an address", remedy="write HOST:PORT, as others reach it"
        )
    return host.strip("[]")


def fingerprints(home: Home) -> dict[str, str]:
    """The fingerprints of a home's public keys, by name, for people to compare."""
    return {"root": home.root_key().key_id, "node": home.node_key().key_id}


def _end(now: datetime, days: int) -> datetime:
    return now.replace(microsecond=0) + timedelta(days=days)


def _make_folders(path: Path, *, secret: Sequence[str], open_to_all: Sequence[str]) -> None:
    for folder in secret:
        (path / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    for folder in open_to_all:
        (path / folder).mkdir(parents=True, exist_ok=True)


def _save_tls(pair: TlsPair, key: Path, certificate: Path, passphrase: bytes | None) -> None:
    # The certificate goes first: a crash in between leaves a certificate without a key, which the next run replaces.
    certificate.unlink(missing_ok=True)
    write_new(certificate, pair.certificate.encode(), 0o644)
    save_private_keys(key, (pair.key,), passphrase)


def _write_or_compare(path: Path, value: Introduction | CoordinatorEntry | PersonSettings, made: list[Path]) -> None:
    if not path.exists():
        write_plain(path, value)
        made.append(path)
        return
    held = read_plain(path, type(value))
    if held != value:
        raise OperatorError(
            "trust/home-differs",
            "the folder was made with other settings or holds another key than these",
            place=str(path),
            remedy="use another folder, or the settings that stand in this file",
        )
