"""Revocations and stops as a party believes them: who may say so, where they lie, and what they amount to.

They lie in the trust folder as files (see ``folder``). Revocations and stops count from the moment in which they lie
there, so a person with access to a home stops its node without any message; a lift counts once it was verified here.
What was verified once counts for good: an officer who leaves later does not put a revoked policy back in force. Nobody
can bring a revoked policy back; a stop is taken back by two officers of the member that made it, or ends when that
member leaves.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from consortia.errors import OperatorError, RequestError
from consortia.ids import member_of
from consortia.trust.envelope import Envelope
from consortia.trust.folder import NoticeKind, TrustFolder
from consortia.trust.keys import PublicKey
from consortia.trust.manifest import Manifest
from consortia.trust.statements import Lift, Revocation, Stop
from consortia.trust.trusted import TrustedSet
from consortia.trust.verify import document_type, verify_by_one, verify_document

OFFICERS_TO_LIFT = 2

Notice = Revocation | Stop | Lift
Revoked = Mapping[tuple[str, str], Revocation]
"""Revocations by owner and digest of the policy: nobody revokes another's."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands in the way of every run: revocations by owner and digest of the policy, stops that nobody lifted."""

    revoked: Revoked = field(default_factory=dict)
    stops: tuple[Stop, ...] = ()


def verified_notice(envelope: Envelope, trusted: TrustedSet, at: datetime) -> Notice:
    """The notice in ``envelope``, signed by whoever may say so.

    A revocation: one officer of the policy's owner. A stop: one officer or operator of a member. A lift: two officers
    of the member that it names. Raises RequestError ``trust/notice`` (of another consortium, a person who speaks for
    another member, or no notice at all), ``trust/role``, OperatorError ``trust/too-few-signatures``, and as
    ``verify`` and ``TrustedSet.person_key`` do.
    """
    notice = _verified(envelope, trusted, at)
    if notice.consortium != trusted.manifest.consortium:
        raise _refused(f"it is for `{notice.consortium}`, this consortium is `{trusted.manifest.consortium}`")
    return notice


def keep_notice(folder: TrustFolder, envelope: Envelope, notice: Notice) -> None:
    """Store a verified notice; from now on it counts."""
    kind, name = _place(notice)
    folder.write_notice(kind, name, envelope)
    if isinstance(notice, Lift):
        folder.write_verified_lift(name, notice.digest())


def counting(folder: TrustFolder, kind: NoticeKind) -> list[str]:
    """The names of the notices of ``kind`` in ``folder`` that count: of lifts those that were verified there."""
    names = folder.notices(kind)
    return names if kind != "lifts" else [name for name in names if _was_verified(folder, name)]


def _was_verified(folder: TrustFolder, name: str) -> bool:
    verified = folder.verified_lift(name)
    return verified is not None and verified == Lift.parse(folder.notice("lifts", name).payload_bytes()).digest()


def has_notice(folder: TrustFolder, notice: Notice) -> bool:
    """Whether a notice of this kind on the same policy or stop lies in ``folder`` and counts."""
    kind, name = _place(notice)
    return name in counting(folder, kind)


def _place(notice: Notice) -> tuple[NoticeKind, str]:
    """Whose notice it is stands in the name, so that nobody's takes the place of another's."""
    match notice:
        case Revocation(owner=owner, policy=policy):
            return "revocations", f"{owner}.{policy}"
        case Stop(member=member):
            return "stops", f"{member}.{notice.digest()}"
        case Lift(member=member, stop=stop):
            return "lifts", f"{member}.{stop}"


def standing(folder: TrustFolder, manifest: Manifest) -> Standing:
    """What the notices in ``folder`` amount to under ``manifest``."""
    found = [Revocation.parse(payload) for payload in _payloads(folder, "revocations")]
    lifts = {(lift.member, lift.stop) for lift in (Lift.parse(payload) for payload in _payloads(folder, "lifts"))}
    stops = [Stop.parse(payload) for payload in _payloads(folder, "stops")]
    return Standing(
        {(revocation.owner, revocation.policy): revocation for revocation in found},
        tuple(
            stop
            for stop in sorted(stops, key=lambda stop: (stop.at, stop.digest()))
            if manifest.member(stop.member) is not None and (stop.member, stop.digest()) not in lifts
        ),
    )


def take_notices(believer: TrustFolder, exchange: TrustFolder, trusted: TrustedSet, at: datetime) -> list[Notice]:
    """Verify and store the notices in ``exchange`` that are not held yet; those taken, revocations first."""
    taken = []
    for kind in ("revocations", "stops", "lifts"):
        held = counting(believer, kind)
        for name in exchange.notices(kind):
            if name not in held:
                envelope = exchange.notice(kind, name)
                notice = verified_notice(envelope, trusted, at)
                keep_notice(believer, envelope, notice)
                taken.append(notice)
    return taken


def _verified(envelope: Envelope, trusted: TrustedSet, at: datetime) -> Notice:
    payload = envelope.payload_bytes()
    if envelope.payload_type == document_type(Revocation):
        claimed = Revocation.parse(payload)
        _require_speaks_for(claimed.person, claimed.owner)
        key = trusted.person_key(claimed.person, at, "officer")
        return verify_by_one(envelope, Revocation, claimed.person, key)
    if envelope.payload_type == document_type(Stop):
        stop = Stop.parse(payload)
        _require_speaks_for(stop.person, stop.member)
        return verify_by_one(envelope, Stop, stop.person, _stopping_key(trusted, stop.person, at))
    if envelope.payload_type == document_type(Lift):
        officers = trusted.people("officer", at, (Lift.parse(payload).member,))
        lift, signers = verify_document(envelope, Lift, officers, OFFICERS_TO_LIFT)
        if len({trusted.acts_for(person, at) for person in signers}) < OFFICERS_TO_LIFT:
            raise _refused("a deputy and the officer for whom the deputy acts are one")
        return lift
    raise _refused(f"a `{envelope.payload_type}` is no notice")


def _stopping_key(trusted: TrustedSet, person: str, at: datetime) -> PublicKey:
    if "operator" in trusted.person(person, at).roles:
        return trusted.person_key(person, at, "operator")
    return trusted.person_key(person, at, "officer")


def _payloads(folder: TrustFolder, kind: NoticeKind) -> Iterator[bytes]:
    return (folder.notice(kind, name).payload_bytes() for name in counting(folder, kind))


def _require_speaks_for(person: str, member: str) -> None:
    if member_of(person) != member:
        raise _refused(f"`{person}` can't speak for `{member}`")


def _refused(why: str) -> RequestError:
    return RequestError("trust/notice", f"the notice is refused: {why}", remedy="nothing changed by it")


def stop_named(folder: TrustFolder, manifest: Manifest, prefix: str, member: str) -> Stop:
    """The standing stop of ``member`` whose digest begins with ``prefix``; raises OperatorError ``trust/no-stop``."""
    found = [
        stop for stop in standing(folder, manifest).stops if stop.member == member and stop.digest().startswith(prefix)
    ]
    if len(found) != 1:
        raise OperatorError(
            "trust/no-stop",
            f"{'no stop' if not found else f'{len(found)} stops'} of `{member}` can be lifted",
            remedy="see `consortia policy status`; a stop is lifted by officers of the member that made it",
        )
    return found[0]
