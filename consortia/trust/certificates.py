"""TLS certificates of the control plane: one root a member, leaves for its node and its people.

A root (P-256, self-signed) stands in the member's card, the coordinator's in the manifest; there is no public CA and
no intermediate. TLS only says who is connected; authority comes from signed envelopes. A leaf names one identity as
the URI ``consortia://CONSORTIUM/KIND/ID`` and, so that gRPC can check it as a host name, as a DNS name: ``bank-a``
for a node, ``alice.bank-a`` for a person (ids hold no dot), ``coordinator`` for the coordinator. Any root can issue
any name, so a leaf counts only under the root of the member that it names: ``authenticate`` picks that root itself.
Time is an argument; validity is judged with 300 s tolerance.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, cast, get_args

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from consortia.errors import ConsortiaError, OperatorError, PeerError, RequestError
from consortia.ids import NAME_PATTERN, PERSON_PATTERN, member_of
from consortia.trust.documents import instant_text

TOLERANCE = timedelta(seconds=300)
"""How far two clocks may be apart before a validity period is judged."""
COORDINATOR = "coordinator"
"""The identity of the coordinator, which is no member."""
Kind = Literal["node", "person", "coordinator"]
_URI = re.compile(r"^consortia://([^/]+)/([^/]+)/([^/]+)$")


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a certificate is for: a member's node, a person, or the coordinator of ``consortium``."""

    consortium: str
    kind: Kind
    id: str

    def __post_init__(self) -> None:
        pattern = PERSON_PATTERN if self.kind == "person" else NAME_PATTERN
        if not re.match(NAME_PATTERN, self.consortium) or not re.match(pattern, self.id):
            raise RequestError("trust/identity", f"`{self.id}` can't be named in a certificate as a {self.kind}")
        if self.kind == "coordinator" and self.id != COORDINATOR:
            raise RequestError("trust/identity", f"the coordinator's id is `{COORDINATOR}`, not `{self.id}`")

    @property
    def member(self) -> str:
        """The member whose root must have issued it (``coordinator`` for the coordinator)."""
        return member_of(self.id) if self.kind == "person" else self.id

    @property
    def dns_name(self) -> str:
        """The name that TLS checks (gRPC: ``grpc.ssl_target_name_override``)."""
        return self.id.replace("@", ".")

    @property
    def uri(self) -> str:
        """The name that says also what it is."""
        return f"consortia://{self.consortium}/{self.kind}/{self.id}"


@dataclass(frozen=True, slots=True)
class TlsPair:
    """A private key and its certificate (PEM). The key does not print."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: str

    def key_pem(self) -> bytes:
        """The key unencrypted, for gRPC; keep it in memory."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def make_root(consortium: str, owner: str, not_before: datetime, not_after: datetime) -> TlsPair:
    """A new self-signed root of ``owner`` (a member, or ``coordinator``), valid in the given period."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        (
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, consortium),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{owner} TLS root"),
        )
    )
    builder = (
        _builder(name, name, key.public_key(), not_before, not_after)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return TlsPair(key, _pem(builder.sign(key, hashes.SHA256())))


def issue(
    root: TlsPair, identity: Identity, not_before: datetime, not_after: datetime, hosts: Sequence[str] = ()
) -> TlsPair:
    """A new key and a leaf for ``identity`` under ``root``; ``hosts`` are further DNS names or IP addresses of it.

    People are clients and the coordinator serves; a node does both, as nodes can compute over TLS with each other.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    authority = x509.load_pem_x509_certificate(root.certificate.encode())
    name = x509.Name(
        (
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, identity.consortium),
            x509.NameAttribute(NameOID.COMMON_NAME, identity.id),
        )
    )
    names: list[x509.GeneralName] = [x509.DNSName(identity.dns_name), x509.UniformResourceIdentifier(identity.uri)]
    names.extend(_host(host) for host in hosts)
    usages = {
        "coordinator": (ExtendedKeyUsageOID.SERVER_AUTH,),
        "node": (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH),
        "person": (ExtendedKeyUsageOID.CLIENT_AUTH,),
    }
    issuer_id = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _builder(name, authority.subject, key.public_key(), not_before, not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages[identity.kind]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id), critical=False)
    )
    return TlsPair(key, _pem(builder.sign(root.key, hashes.SHA256())))


def check_root(pem: str, owner: str) -> None:
    """Raise RequestError ``trust/tls-root`` unless ``pem`` is one root certificate as ``make_root`` makes it."""
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode())
        (root,) = certificates
        root.verify_directly_issued_by(root)
        basic = root.extensions.get_extension_for_class(x509.BasicConstraints).value
        key = root.public_key()
        if not basic.ca or not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ValueError("not a CA with a P-256 key")
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound) as error:
        raise RequestError(
            "trust/tls-root",
            "this is not a TLS root of a member: one self-signed CA certificate with a P-256 key, in PEM",
            place=owner,
            remedy="use the file that `consortia init` made",
        ) from error


def identity_of(pem: str) -> Identity:
    """The identity that a leaf claims, unverified. Raises PeerError ``trust/certificate`` if it claims none."""
    certificate = _load(pem)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        (uri,) = names.get_values_for_type(x509.UniformResourceIdentifier)
    except (ValueError, x509.ExtensionNotFound) as error:
        raise _not_ours() from error
    match = _URI.match(uri)
    if match is None or match.group(2) not in get_args(Kind):
        raise _not_ours()
    try:
        return Identity(match.group(1), cast("Kind", match.group(2)), match.group(3))
    except RequestError as error:
        raise _not_ours() from error


def authenticate(pem: str, consortium: str, roots: Mapping[str, str], at: datetime) -> Identity:
    """Who presents the leaf ``pem``: its identity, checked under the root (PEM) of the member that it names.

    Raises PeerError ``trust/certificate-swapped`` (another consortium's), ``trust/certificate-other-ca`` (no such
    member) and as ``check_certificate`` does.
    """
    identity = identity_of(pem)
    if identity.consortium != consortium:
        raise PeerError(
            "trust/certificate-swapped",
            f"the certificate is for `{identity.uri}`, of another consortium than `{consortium}`",
            remedy="the peer must use the certificate that belongs to this consortium",
        )
    if identity.member not in roots:
        raise PeerError(
            "trust/certificate-other-ca",
            f"`{identity.member}` is no member, so none of the roots known here can have issued its certificate",
            place=identity.id,
            remedy="it must be in the manifest, and its card accepted here",
        )
    check_certificate(pem, identity, roots[identity.member], at)
    return identity


def check_certificate(pem: str, expected: Identity, root: str, at: datetime, *, own: bool = False) -> None:
    """Raise unless the leaf ``pem`` is for ``expected``, issued by ``root`` (PEM) and valid at ``at``.

    PeerError, or OperatorError if it is this member's ``own``: ``trust/certificate-swapped`` (another identity),
    ``-other-ca``, ``-old-bundle`` (issued by another root of the same member), ``-expired``, ``-not-yet-valid``.
    """
    raises = OperatorError if own else PeerError
    identity = identity_of(pem)
    if identity != expected:
        raise raises(
            "trust/certificate-swapped",
            f"the certificate is for `{identity.uri}` and `{expected.uri}` was expected",
            place=expected.id,
            remedy="two certificates may have been exchanged; install the one that was issued for this identity",
        )
    certificate, authority = _load(pem), _load(root)
    _check_issuer(certificate, authority, expected, raises)
    for what, one in (("certificate", certificate), ("TLS root", authority)):
        if at >= one.not_valid_after_utc + TOLERANCE:
            raise raises(
                "trust/certificate-expired",
                f"the {what} of `{expected.id}` expired on {instant_text(one.not_valid_after_utc)}",
                place=expected.id,
                remedy="its member must issue a new one"
                + ("" if one is certificate else " and publish a new card with it"),
            )
        if at < one.not_valid_before_utc - TOLERANCE:
            raise raises(
                "trust/certificate-not-yet-valid",
                f"the {what} of `{expected.id}` is valid from {instant_text(one.not_valid_before_utc)} on, "
                f"and the clock here says {instant_text(at)}",
                place=expected.id,
                remedy="compare the clocks of both hosts; else wait, or issue a new one",
            )


def not_after(pem: str) -> datetime:
    """When a certificate expires, for warnings beforehand."""
    return _load(pem).not_valid_after_utc


def fingerprint(pem: str) -> str:
    """SHA-256 of the certificate's DER bytes, hexadecimal, as `openssl x509 -fingerprint -sha256` shows it."""
    return _load(pem).fingerprint(hashes.SHA256()).hex()


def _check_issuer(
    certificate: x509.Certificate, authority: x509.Certificate, expected: Identity, raises: type[ConsortiaError]
) -> None:
    try:
        certificate.verify_directly_issued_by(authority)
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        if basic.ca:
            raise ValueError("a CA's certificate is no leaf")
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound) as error:
        if certificate.issuer == authority.subject and _issuer_key(certificate) != _own_key(authority):
            raise raises(
                "trust/certificate-old-bundle",
                f"the certificate of `{expected.id}` was issued by another root of `{expected.member}` than the one "
                "known here: one of both hosts is out of date",
                place=expected.id,
                remedy=f"accept the newest card of `{expected.member}` here, or let it install its newest "
                f"certificate; the root known here has the fingerprint {authority.fingerprint(hashes.SHA256()).hex()}",
            ) from error
        raise raises(
            "trust/certificate-other-ca",
            f"the certificate of `{expected.id}` was not issued by the TLS root of `{expected.member}`",
            place=expected.id,
            remedy="install the certificate that `consortia init` or `consortia person add` made; "
            "if it is that one, somebody else answers at this address",
        ) from error


def _issuer_key(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return None


def _own_key(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return None


def _load(pem: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise _not_ours() from error


def _not_ours() -> PeerError:
    return PeerError(
        "trust/certificate",
        "this is not a certificate of a member's node, a person or the coordinator",
        remedy="use the certificates that `consortia init` and `consortia person add` make",
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, not_before: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
