"""Notices as they lie in a trust folder: nobody's takes the place of another's."""

from datetime import timedelta
from pathlib import Path

import pytest

from consortia.errors import ConsortiaError, PolicyRefusal
from consortia.policies.signed import require_not_revoked
from consortia.trust.envelope import Envelope, seal_document
from consortia.trust.folder import TrustFolder
from consortia.trust.notices import has_notice, keep_notice, standing, stop_named, take_notices, verified_notice
from consortia.trust.statements import Lift, Revocation, Stop
from tests.consortium import NOW, Consortium, make_consortium

DIGEST = "2" * 64


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    return make_consortium(tmp_path_factory.mktemp("notices"), suite="ecdsa-p256")


def signed(world: Consortium, document: Revocation | Stop | Lift, *people: str) -> Envelope:
    return seal_document(document, tuple(world.profile(person).signing_key() for person in people))


def revocation(owner: str) -> Revocation:
    return Revocation(
        consortium="test-aml", owner=owner, purpose="aml", policy=DIGEST, version=1, person=f"otto@{owner}",
        reason="x", at=NOW,
    )  # fmt: skip


def stop(member: str, nonce: str = "00") -> Stop:
    return Stop(consortium="test-aml", member=member, person=f"olga@{member}", reason="x", at=NOW, nonce=nonce)


def lift(member: str, of: Stop) -> Lift:
    return Lift(consortium="test-aml", member=member, stop=of.digest(), reason="x", at=NOW)


def keep(folder: TrustFolder, world: Consortium, document: Revocation | Stop | Lift, *people: str) -> None:
    envelope = signed(world, document, *people)
    keep_notice(folder, envelope, verified_notice(envelope, world.home("bank-a").trusted(), NOW))


def test_nobody_revokes_the_policy_of_another_by_its_digest(world: Consortium, tmp_path: Path) -> None:
    folder = TrustFolder(tmp_path)
    keep(folder, world, revocation("bank-c"), "otto@bank-c")
    found = standing(folder, world.manifest).revoked
    require_not_revoked("bank-a", DIGEST, found)
    keep(folder, world, revocation("bank-a"), "otto@bank-a")
    assert len(standing(folder, world.manifest).revoked) == 2
    with pytest.raises(PolicyRefusal, match="otto@bank-a"):
        require_not_revoked("bank-a", DIGEST, standing(folder, world.manifest).revoked)


def test_the_lift_of_another_member_neither_lifts_nor_takes_the_place_of_the_right_one(
    world: Consortium, tmp_path: Path
) -> None:
    folder, halt = TrustFolder(tmp_path), stop("bank-a")
    keep(folder, world, halt, "olga@bank-a")
    keep(folder, world, lift("bank-c", halt), "otto@bank-c", "petra@bank-c")
    assert standing(folder, world.manifest).stops == (halt,)
    right = lift("bank-a", halt)
    assert not has_notice(folder, right)
    keep(folder, world, right, "otto@bank-a", "petra@bank-a")
    keep(folder, world, lift("bank-c", halt), "otto@bank-c", "petra@bank-c")
    assert standing(folder, world.manifest).stops == ()


def test_a_lift_counts_once_it_was_verified_and_a_file_alone_lifts_nothing(world: Consortium, tmp_path: Path) -> None:
    folder, halt = TrustFolder(tmp_path), stop("bank-c")
    keep(folder, world, halt, "olga@bank-c")
    wanted = lift("bank-c", halt)
    name = f"bank-c.{halt.digest()}"
    for people in ((), ("otto@bank-c",), ("otto@bank-a", "petra@bank-a"), ("otto@bank-c", "petra@bank-c")):
        folder.write_notice("lifts", name, signed(world, wanted, *people))
        assert standing(folder, world.manifest).stops == (halt,)
        assert not has_notice(folder, wanted)
    keep(folder, world, wanted, "otto@bank-c", "petra@bank-c")
    assert standing(folder, world.manifest).stops == ()
    folder.write_notice("lifts", name, signed(world, wanted.model_copy(update={"reason": "another"})))
    assert standing(folder, world.manifest).stops == (halt,)


def test_a_stop_ends_with_the_membership_of_its_member(world: Consortium, tmp_path: Path) -> None:
    folder = TrustFolder(tmp_path)
    keep(folder, world, stop("bank-c"), "olga@bank-c")
    left = world.manifest.model_copy(update={"members": world.manifest.members[:2]})
    assert len(standing(folder, world.manifest).stops) == 1
    assert standing(folder, left).stops == ()


def test_a_stop_is_named_by_its_first_digits(world: Consortium, tmp_path: Path) -> None:
    folder, first, second = TrustFolder(tmp_path), stop("bank-a"), stop("bank-a", "01")
    for each in (first, second):
        keep(folder, world, each, "olga@bank-a")
    assert stop_named(folder, world.manifest, first.digest()[:8], "bank-a") == first
    for prefix, member in (("", "bank-a"), (first.digest(), "bank-b")):
        with pytest.raises(ConsortiaError, match="can be lifted"):
            stop_named(folder, world.manifest, prefix, member)


def test_the_exchange_folder_is_believed_in_nothing(world: Consortium, tmp_path: Path) -> None:
    exchange, folder = TrustFolder(tmp_path / "exchange"), TrustFolder(tmp_path / "own")
    trusted = world.home("bank-a").trusted()
    forged = signed(world, revocation("bank-a"), "ana@bank-a")
    keep_notice(exchange, forged, revocation("bank-a"))
    with pytest.raises(ConsortiaError):
        take_notices(folder, exchange, trusted, NOW)
    assert folder.notices("revocations") == []
    keep(exchange, world, revocation("bank-a"), "otto@bank-a")
    assert len(take_notices(folder, exchange, trusted, NOW)) == 1
    assert take_notices(folder, exchange, trusted, NOW + timedelta(days=900)) == []
