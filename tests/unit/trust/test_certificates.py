"""Certificates: whom they name, and the five ways in which one does not fit, each with its own code (O1)."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from consortia.errors import ConsortiaError, OperatorError, PeerError, RequestError
from consortia.trust.certificates import (
    Identity,
    TlsPair,
    authenticate,
    check_certificate,
    check_root,
    fingerprint,
    identity_of,
    issue,
    make_root,
    not_after,
)

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
NODE_A, NODE_B = Identity("aml", "node", "bank-a"), Identity("aml", "node", "bank-b")
ANA = Identity("aml", "person", "ana@bank-a")


def root_of(member: str, start: datetime = NOW - DAY, days: int = 100) -> TlsPair:
    return make_root("aml", member, start, start + days * DAY)


ROOT_A, ROOT_B = root_of("bank-a"), root_of("bank-b")
ROOTS = {"bank-a": ROOT_A.certificate, "bank-b": ROOT_B.certificate}


def leaf(root: TlsPair, identity: Identity, start: datetime = NOW - DAY, days: int = 10) -> str:
    return issue(root, identity, start, start + days * DAY).certificate


@pytest.mark.parametrize(
    "identity", [NODE_A, ANA, Identity("aml", "node", "bank_a-"), Identity("aml", "coordinator", "coordinator")]
)
def test_a_leaf_names_exactly_one_identity(identity: Identity) -> None:
    assert identity_of(leaf(ROOT_A, identity)) == identity


@pytest.mark.parametrize("identity", [NODE_A, ANA])
def test_a_leaf_under_its_members_root_is_accepted(identity: Identity) -> None:
    certificate = leaf(ROOT_A, identity)
    check_certificate(certificate, identity, ROOT_A.certificate, NOW)
    assert authenticate(certificate, "aml", ROOTS, NOW) == identity


FIVE = [
    ("trust/certificate-expired", leaf(ROOT_A, NODE_A, NOW - 11 * DAY)),
    ("trust/certificate-not-yet-valid", leaf(ROOT_A, NODE_A, NOW + DAY)),
    ("trust/certificate-other-ca", leaf(ROOT_B, NODE_A)),
    ("trust/certificate-swapped", leaf(ROOT_B, NODE_B)),
    ("trust/certificate-old-bundle", leaf(root_of("bank-a"), NODE_A)),
]


@pytest.mark.parametrize(("code", "certificate"), FIVE, ids=[code for code, _ in FIVE])
def test_five_certificates_that_do_not_fit_give_five_codes(code: str, certificate: str) -> None:
    for own, kind in ((False, PeerError), (True, OperatorError)):
        with pytest.raises(ConsortiaError) as caught:
            check_certificate(certificate, NODE_A, ROOT_A.certificate, NOW, own=own)
        assert caught.value.code == code
        assert isinstance(caught.value, kind)
        assert caught.value.place
        assert caught.value.remedy


def test_a_name_issued_by_another_members_root_is_refused() -> None:
    forged = leaf(ROOT_B, Identity("aml", "person", "ana@bank-a"))
    with pytest.raises(PeerError, match="trust/certificate-other-ca"):
        authenticate(forged, "aml", ROOTS, NOW)


def test_a_stranger_and_another_consortium_are_refused() -> None:
    stranger = leaf(root_of("bank-x"), Identity("aml", "node", "bank-x"))
    with pytest.raises(PeerError, match="trust/certificate-other-ca"):
        authenticate(stranger, "aml", ROOTS, NOW)
    with pytest.raises(PeerError, match="trust/certificate-swapped"):
        authenticate(leaf(ROOT_A, Identity("other", "node", "bank-a")), "aml", ROOTS, NOW)


@pytest.mark.parametrize(
    ("identity", "purposes"),
    [
        (NODE_A, {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}),
        (ANA, {ExtendedKeyUsageOID.CLIENT_AUTH}),
        (Identity("aml", "coordinator", "coordinator"), {ExtendedKeyUsageOID.SERVER_AUTH}),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_nodes_dial_and_serve_people_dial_and_the_coordinator_serves(identity: Identity, purposes: set) -> None:
    extensions = x509.load_pem_x509_certificate(leaf(ROOT_A, identity).encode()).extensions
    assert set(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == purposes


def test_a_leaf_can_not_issue() -> None:
    middle = issue(ROOT_A, NODE_A, NOW - DAY, NOW + DAY)
    with pytest.raises(PeerError, match="trust/certificate-other-ca"):
        check_certificate(leaf(middle, NODE_A), NODE_A, ROOT_A.certificate, NOW)


def test_the_root_itself_is_no_leaf() -> None:
    with pytest.raises(PeerError, match="trust/certificate"):
        check_certificate(ROOT_A.certificate, NODE_A, ROOT_A.certificate, NOW)


@pytest.mark.parametrize(
    ("offset", "accepted"),
    [(-301 * SECOND, False), (-300 * SECOND, True), (299 * SECOND + 10 * DAY, True), (300 * SECOND + 10 * DAY, False)],
)
def test_clocks_may_differ_by_300_seconds(offset: timedelta, accepted: bool) -> None:
    certificate = leaf(ROOT_A, NODE_A, NOW)
    if accepted:
        check_certificate(certificate, NODE_A, ROOT_A.certificate, NOW + offset)
        return
    with pytest.raises(PeerError, match=r"trust/certificate-(expired|not-yet-valid)"):
        check_certificate(certificate, NODE_A, ROOT_A.certificate, NOW + offset)


def test_an_expired_root_is_named_as_such() -> None:
    root = root_of("bank-a", NOW - 20 * DAY, days=10)
    with pytest.raises(PeerError, match=r"TLS root of `bank-a` expired.*new card"):
        check_certificate(leaf(root, NODE_A), NODE_A, root.certificate, NOW)


def test_a_root_is_checked_for_being_one() -> None:
    check_root(ROOT_A.certificate, "bank-a")
    for pem in ("", "text", leaf(ROOT_A, NODE_A), ROOT_A.certificate + ROOT_B.certificate):
        with pytest.raises(RequestError, match="trust/tls-root"):
            check_root(pem, "bank-a")


@pytest.mark.parametrize(
    ("consortium", "kind", "name"),
    [
        ("aml", "node", "ana@bank-a"),
        ("aml", "person", "bank-a"),
        ("aml", "coordinator", "bank-a"),
        ("A/b", "node", "x"),
    ],
)
def test_an_identity_of_the_wrong_form_is_refused(consortium: str, kind: str, name: str) -> None:
    with pytest.raises(RequestError, match="trust/identity"):
        Identity(consortium, kind, name)


def test_hosts_become_names_and_expiry_and_fingerprint_are_readable() -> None:
    pair = issue(ROOT_A, Identity("aml", "coordinator", "coordinator"), NOW, NOW + DAY, ("localhost", "127.0.0.1"))
    assert not_after(pair.certificate) == NOW + DAY
    assert len(fingerprint(pair.certificate)) == 64
    assert "PRIVATE" not in repr(pair)
    with pytest.raises(PeerError, match="trust/certificate"):
        identity_of("text")
