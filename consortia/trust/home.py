"""The folders of a member, a person and the coordinator: where each file lies, and reading them.

A member's home (``--home`` or CONSORTIA_HOME):

    keys/root.pem  keys/node.pem  keys/kem.pem       signing keys of member and node, KEM key           mode 0600
    keys/tls-root.pem  keys/tls-node.pem             keys of the TLS root and of the node's leaf         mode 0600
    keys/domains/DOMAIN.KEYID.key                    hashing keys of key domains                         mode 0600
    tls/root.crt  tls/node.crt                       their certificates
    people/NAME/                                     one profile a person, as below
    public/member.json  public/cards/MEMBER.json     what the member hands to others (the card with its signature)
    trust/                                           what is believed of the consortium (see ``folder``)
    snapshots/  node.sqlite                          registered data and the node's state, kept by ``parties``

A profile is all that one person needs, and can be moved to that person's machine: person.json, keys/signing.pem,
keys/tls.pem, tls.crt, and trust/ (absent while the profile lies in its member's home, whose trust/ then serves).
The coordinator's home: keys/tls-root.pem, keys/tls.pem, tls/root.crt, tls/coordinator.crt, coordinator.json, trust/.
"""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from consortia.errors import OperatorError
from consortia.trust.certificates import TlsPair
from consortia.trust.documents import Frozen, Name
from consortia.trust.domain_keys import check_commitment
from consortia.trust.envelope import Envelope
from consortia.trust.folder import TrustFolder, read_plain
from consortia.trust.hpke import KemPrivateKey
from consortia.trust.keyfiles import load_private_keys, read_secret
from consortia.trust.keys import PrivateKey
from consortia.trust.manifest import Card, CoordinatorEntry, Introduction, PersonEntry
from consortia.trust.trusted import TrustedSet

HOME_VARIABLE = "CONSORTIA_HOME"
PROFILE_VARIABLE = "CONSORTIA_PROFILE"


class _Believing:
    """A folder that holds keys, with the passphrase of these keys if they have one, and a trust folder."""

    def __init__(self, path: Path, passphrase: bytes | None = None) -> None:
        self.path = path
        self.passphrase = passphrase

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path})"

    @property
    def trust(self) -> TrustFolder:
        """The trust folder."""
        return TrustFolder(self.path / "trust")

    def trusted(self) -> TrustedSet:
        """What was accepted here.

        Raises OperatorError ``trust/no-manifest`` before the first manifest, ``trust/altered`` and ``trust/missing``
        if files were changed or lost since.
        """
        folder = self.trust
        accepted = folder.accepted()
        if accepted is None:
            raise OperatorError(
                "trust/no-manifest",
                "no manifest has been accepted here yet",
                place=str(folder.path),
                remedy="run `consortia manifest accept` with the fingerprint that its author read to you",
            )
        catalogue = folder.catalogue() if accepted.catalogue is not None else None
        return TrustedSet.restore(accepted, folder.manifest(), folder.cards(), catalogue)

    def keep(
        self, trusted: TrustedSet, manifest: Envelope | None, cards: list[Envelope], catalogue: Envelope | None
    ) -> None:
        """Store accepted documents, then their digests: after a crash in between, ``trusted`` refuses loudly."""
        folder = self.trust
        if manifest is not None:
            folder.write_manifest(manifest)
        for card in cards:
            folder.write_card(Card.parse(card.payload_bytes()).member, card)
        if catalogue is not None:
            folder.write_catalogue(catalogue)
        folder.write_accepted(trusted.accepted())


class Home(_Believing):
    """A member's home folder. Key-reading methods raise as ``keyfiles.load_private_keys`` does."""

    def introduction(self) -> Introduction:
        """Who this member is; raises OperatorError ``trust/missing`` in a folder that was never initialised."""
        return read_plain(self.path / "public" / "member.json", Introduction)

    @property
    def member(self) -> str:
        """This member's id."""
        return self.introduction().member.id

    def root_key(self) -> PrivateKey:
        """The member's root key, which signs cards and nothing else."""
        return PrivateKey.load(self.path / "keys" / "root.pem", self.passphrase)

    def node_key(self) -> PrivateKey:
        """The key under which the node signs."""
        return PrivateKey.load(self.path / "keys" / "node.pem", self.passphrase)

    def kem_key(self) -> KemPrivateKey:
        """The private half of the card's KEM key."""
        return KemPrivateKey.load(self.path / "keys" / "kem.pem", self.passphrase)

    def tls_root(self) -> TlsPair:
        """The member's TLS root, which issues leaves."""
        return load_tls(self.path / "keys" / "tls-root.pem", self.path / "tls" / "root.crt", self.passphrase)

    def tls_node(self) -> TlsPair:
        """The node's leaf and its key."""
        return load_tls(self.path / "keys" / "tls-node.pem", self.path / "tls" / "node.crt", self.passphrase)

    def domain_key_path(self, domain: str, key_id: str) -> Path:
        """Where the hashing key of a domain lies."""
        return self.path / "keys" / "domains" / f"{domain}.{key_id[:16]}.key"

    def domain_key(self, domain: str, key_id: str) -> bytes:
        """The 32 bytes of the hashing key ``key_id``; raises ``trust/key-missing``, ``trust/domain-key``."""
        path = self.domain_key_path(domain, key_id)
        try:
            secret = bytes.fromhex(read_secret(path).decode("ascii"))
        except ValueError as error:
            raise OperatorError(
                "trust/key-file",
                "the file holds no hashing key",
                place=str(path),
                remedy="open the sealed key again with `consortia domain-key accept`",
            ) from error
        check_commitment(secret, self.introduction().consortium, domain, key_id)
        return secret

    def people(self) -> list["Profile"]:
        """The profiles kept in this home, sorted by name."""
        return [Profile(file.parent, self.passphrase) for file in sorted(self.path.glob("people/*/person.json"))]

    def profile(self, name: str) -> "Profile":
        """The profile of the person ``name`` (the part before the @)."""
        return Profile(self.path / "people" / name, self.passphrase)


class PersonSettings(Frozen):
    """person.json: who this is, and where the profile belongs."""

    consortium: Name
    person: PersonEntry


class Profile(_Believing):
    """What one person signs and connects with."""

    @property
    def trust(self) -> TrustFolder:
        own = self.path / "trust"
        return TrustFolder(own if own.exists() else self.path.parent.parent / "trust")

    def settings(self) -> PersonSettings:
        """Consortium, person and roles as they were when the profile was made (the card decides)."""
        return read_plain(self.path / "person.json", PersonSettings)

    @property
    def person(self) -> str:
        """The person's id, ``name@member``."""
        return self.settings().person.id

    def signing_key(self) -> PrivateKey:
        """The person's signing key."""
        return PrivateKey.load(self.path / "keys" / "signing.pem", self.passphrase)

    def tls(self) -> TlsPair:
        """The person's client certificate and its key."""
        return load_tls(self.path / "keys" / "tls.pem", self.path / "tls.crt", self.passphrase)


class CoordinatorHome(_Believing):
    """The coordinator's home folder."""

    def entry(self) -> CoordinatorEntry:
        """What the manifest is to say of this coordinator."""
        return read_plain(self.path / "coordinator.json", CoordinatorEntry)

    def tls(self) -> TlsPair:
        """The serving certificate and its key."""
        return load_tls(self.path / "keys" / "tls.pem", self.path / "tls" / "coordinator.crt", self.passphrase)


def load_tls(key: Path, certificate: Path, passphrase: bytes | None) -> TlsPair:
    """A TLS key and its certificate; raises as ``load_private_keys`` does, ``trust/missing`` and ``trust/key-file``."""
    match load_private_keys(key, passphrase):
        case (ec.EllipticCurvePrivateKey() as private,):
            pass
        case _:
            raise OperatorError("trust/key-file", "the file holds no P-256 key for TLS", place=str(key))
    try:
        return TlsPair(private, certificate.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise OperatorError(
            "trust/missing", "the certificate can't be read", place=str(certificate), remedy="restore it"
        ) from error


def home_path(given: Path | None) -> Path:
    """``given``, or the folder in CONSORTIA_HOME; raises OperatorError ``trust/no-home`` if there is neither."""
    if given is not None:
        return given
    if os.environ.get(HOME_VARIABLE):
        return Path(os.environ[HOME_VARIABLE])
    raise OperatorError(
        "trust/no-home", "no home folder was given", remedy=f"use --home FOLDER, or set {HOME_VARIABLE}"
    )
