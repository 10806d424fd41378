"""A policy in force: exact bytes, signed by two officers of the owner, neither of them its author, and valid now.

Where it demands so, an officer of each of some other members has countersigned it, over the same bytes.

The signatures stand over the file's bytes (DSSE, type ``consortia/policy/v1``), so one changed byte voids them.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from consortia.errors import ConsortiaError, PolicyRefusal, ProtocolAbort
from consortia.ids import member_of
from consortia.plans.catalogue import Catalogue
from consortia.policies.language.parse import LoadedPolicy, read_policy, require_enforced
from consortia.policies.rules.base import TOLERANCE
from consortia.policies.rules.standing import interval
from consortia.policies.world import PolicyWorld
from consortia.trust.envelope import Envelope
from consortia.trust.keys import PublicKey, short
from consortia.trust.notices import Revoked
from consortia.trust.trusted import TrustedSet
from consortia.trust.verify import verify

POLICY_TYPE = "consortia/policy/v1"
OFFICERS_NEEDED = 2
FEWEST_DIGITS = 16
NOT_REVOKED: Revoked = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SignatureState:
    """Who has signed a policy so far (sorted), and who may still sign.

    ``countersigned`` are officers of other members, ``uncountersigned`` the members whose officers it still needs. A
    deputy and the officer for whom the deputy acts are one of the ``eyes``.
    """

    signed: tuple[str, ...]
    may_sign: tuple[str, ...]
    countersigned: tuple[str, ...] = ()
    uncountersigned: tuple[str, ...] = ()
    eyes: int = 0

    @property
    def missing(self) -> int:
        """How many signatures are still needed."""
        return max(0, OFFICERS_NEEDED - self.eyes)


def policy_in_force(
    envelope: Envelope, trusted: TrustedSet, at: datetime, revoked: Revoked = NOT_REVOKED
) -> LoadedPolicy:
    """The policy in ``envelope``, if all that makes it one in force holds at ``at``; ``revoked`` as notices say.

    Raises PolicyRefusal ``policies/revoked``, ``policies/unsigned`` (fewer than two officers),
    ``policies/uncountersigned`` (a member that it names has not signed), ``policies/altered`` (a signature does not fit
    the bytes), ``policies/four-eyes`` (the author signed), ``policies/signer`` (somebody signed who must not),
    ``policies/consortium``, ``policies/not-yet-valid``, ``policies/expired``; and as ``parse_policy`` does.
    """
    loaded = read_policy(envelope.payload_bytes())
    require_not_revoked(loaded.policy.identity.owner, loaded.digest, revoked)
    state = signatures_of(envelope, loaded, trusted, at)
    if state.missing:
        raise PolicyRefusal(
            "policies/unsigned",
            f"{OFFICERS_NEEDED} officers of `{loaded.policy.identity.owner}` must sign the policy and {state.eyes} did",
            place=loaded.policy.identity.id,
            remedy="an officer who may still sign runs `consortia policy approve`: "
            + (", ".join(state.may_sign) or "nobody may; the owner's card lists no other officer"),
        )
    if state.uncountersigned:
        raise PolicyRefusal(
            "policies/uncountersigned",
            f"an officer each of {', '.join(state.uncountersigned)} must countersign the policy",
            place=loaded.place(("parties", "countersign")),
            remedy="an officer of each runs `consortia policy approve`",
        )
    require_enforced(loaded)
    _require_valid(loaded, at)
    return loaded


def require_not_revoked(owner: str, digest: str, revoked: Revoked) -> None:
    """Raise PolicyRefusal ``policies/revoked`` if ``owner`` has revoked its policy of this ``digest``."""
    found = revoked.get((owner, digest))
    if found is not None:
        raise PolicyRefusal(
            "policies/revoked",
            f"`{found.person}` revoked version {found.version} of the policy of `{found.owner}`: {found.reason}",
            place=short(digest),
            remedy=f"two officers of `{found.owner}` sign the next version",
        )


def signatures_of(envelope: Envelope, loaded: LoadedPolicy, trusted: TrustedSet, at: datetime) -> SignatureState:
    """Who signed ``envelope``, whose payload was read as ``loaded``; every signature must be right."""
    identity = loaded.policy.identity
    if identity.consortium != trusted.manifest.consortium:
        raise PolicyRefusal(
            "policies/consortium",
            f"the policy is for `{identity.consortium}`, this consortium is `{trusted.manifest.consortium}`",
            place=loaded.place(("identity", "consortium")),
            remedy="use a policy that names this consortium",
        )
    needed = set(loaded.policy.parties.countersign) - {identity.owner}
    officers = trusted.people("officer", at, (identity.owner, *needed))
    allowed = _distinct(
        {
            person: key
            for person, key in officers.items()
            if identity.author not in (person, trusted.acts_for(person, at))
        }
    )
    _refuse_author(envelope, loaded, trusted, at)
    try:
        signers = verify(envelope, POLICY_TYPE, allowed).signers if envelope.signatures else ()
    except ProtocolAbort as error:
        raise _explained(error, loaded) from error
    own = tuple(person for person in signers if member_of(person) == identity.owner)
    others = tuple(person for person in signers if member_of(person) != identity.owner)
    seen = {trusted.acts_for(person, at) for person in own}
    left = (person for person in allowed if member_of(person) == identity.owner)
    return SignatureState(
        own,
        tuple(sorted(person for person in left if trusted.acts_for(person, at) not in seen)),
        others,
        tuple(sorted(needed - {member_of(person) for person in others})),
        len(seen),
    )


def require_may_sign(loaded: LoadedPolicy, person: str, trusted: TrustedSet, at: datetime) -> None:
    """Raise PolicyRefusal ``policies/four-eyes`` or ``policies/signer`` unless ``person`` may sign ``loaded``."""
    identity = loaded.policy.identity
    if person == identity.author:
        raise _author_signed(loaded)
    signing = sorted({identity.owner, *loaded.policy.parties.countersign})
    if person not in trusted.people("officer", at, signing):
        raise PolicyRefusal(
            "policies/signer",
            f"`{person}` is not an officer of {' or '.join(f'`{member}`' for member in signing)}",
            place=identity.id,
            remedy="roles stand in the member's card; an officer of the owner signs, or of a member that countersigns",
        )
    if trusted.acts_for(person, at) == identity.author:
        raise _author_signed(loaded)


def require_fingerprint(typed: str, loaded: LoadedPolicy) -> None:
    """Raise PolicyRefusal ``policies/fingerprint`` unless ``typed`` begins the SHA-256 of the policy's bytes.

    At least 16 digits; spaces and capitals do not matter. An officer approves what was read, not what a name says.
    """
    digits = typed.replace(" ", "").lower()
    if len(digits) < FEWEST_DIGITS or not hmac.compare_digest(digits, loaded.digest[: len(digits)]):
        raise PolicyRefusal(
            "policies/fingerprint",
            f"the file has the fingerprint {loaded.digest}, not `{typed}`",
            place=loaded.policy.identity.id,
            remedy="read this file with `consortia policy explain`, then approve the fingerprint it shows",
        )


def check_succession(new: LoadedPolicy, before: LoadedPolicy | None) -> None:
    """Raise PolicyRefusal ``policies/succession`` unless ``new`` is the first version, or the next after ``before``."""
    identity = new.policy.identity
    if before is None:
        if identity.version == 1:
            return
        problem = f"the policy is version {identity.version} and the version before is not known here"
    elif before.digest == new.digest:
        return
    else:
        old = before.policy.identity
        if (identity.owner, new.policy.purpose.code) != (old.owner, before.policy.purpose.code):
            problem = "the policy replaces one of another owner or purpose"
        elif identity.version != old.version + 1:
            problem = f"version {identity.version} does not follow version {old.version}"
        elif identity.previous != before.digest:
            problem = "`previous` is not the hash of the version before"
        else:
            return
    raise PolicyRefusal(
        "policies/succession",
        problem,
        place=new.place(("identity", "version")),
        remedy="raise `version` by one and write the hash of the version before into `previous`",
    )


def owner_and_purpose(envelope: Envelope) -> tuple[str, str]:
    """Whose policy it is and for what, as its own text says (unverified)."""
    policy = read_policy(envelope.payload_bytes()).policy
    return policy.identity.owner, policy.purpose.code


def accept(
    envelope: Envelope,
    held: Envelope | None,
    trusted: TrustedSet,
    at: datetime,
    revoked: Revoked = NOT_REVOKED,
) -> LoadedPolicy:
    """The policy in ``envelope`` if it is in force and follows the one ``held`` here for the same owner and purpose.

    The caller stores it. Raises as ``policy_in_force`` and ``check_succession`` do.
    """
    loaded = policy_in_force(envelope, trusted, at, revoked)
    before = None if held is None else read_policy(held.payload_bytes())
    if before is None and loaded.policy.identity.version > 1:
        # A member that joins later sees no earlier version; the officers saw it when they signed.
        return loaded
    check_succession(loaded, before)
    return loaded


def world_of(
    trusted: TrustedSet,
    catalogue: Catalogue,
    envelopes: Iterable[Envelope],
    at: datetime,
    revoked: Revoked = NOT_REVOKED,
) -> tuple[PolicyWorld, tuple[ConsortiaError, ...]]:
    """The world of decisions: policies that are in force at ``at``, and why the others are not.

    A policy that is not in force counts as absent, so that its owner denies.
    """
    held: list[LoadedPolicy] = []
    refused: list[ConsortiaError] = []
    for envelope in envelopes:
        try:
            held.append(policy_in_force(envelope, trusted, at, revoked))
        except ConsortiaError as error:
            refused.append(error)
    held.sort(key=lambda loaded: (loaded.policy.identity.owner, loaded.policy.purpose.code, loaded.digest))
    return PolicyWorld(trusted.manifest, catalogue, trusted.cards, tuple(held)), tuple(refused)


def _require_valid(loaded: LoadedPolicy, at: datetime) -> None:
    dates = loaded.policy.validity
    begin, end = interval(dates)
    if at < begin - TOLERANCE:
        raise PolicyRefusal(
            "policies/not-yet-valid",
            f"the policy is valid from {dates.not_before} on",
            place=loaded.place(("validity", "not-before")),
            remedy="wait until then, or sign a version that is valid now",
        )
    if at >= end + TOLERANCE:
        raise PolicyRefusal(
            "policies/expired",
            f"the policy expired at the end of {dates.not_after} (UTC)",
            place=loaded.place(("validity", "not-after")),
            remedy="two officers of the owner sign its next version",
        )


def _distinct(officers: dict[str, PublicKey]) -> dict[str, PublicKey]:
    """Officers with keys of their own: a key that two share can't show who signed."""
    counted = [key.key_id for key in officers.values()]
    return {person: key for person, key in officers.items() if counted.count(key.key_id) == 1}


def _refuse_author(envelope: Envelope, loaded: LoadedPolicy, trusted: TrustedSet, at: datetime) -> None:
    author = trusted.card(loaded.policy.identity.owner, at).person(loaded.policy.identity.author)
    if author is None:
        return
    key_id = PublicKey.from_hex(author.suite, author.key).key_id
    if any(signature.key_id == key_id for signature in envelope.signatures):
        raise _author_signed(loaded)


def _author_signed(loaded: LoadedPolicy) -> PolicyRefusal:
    return PolicyRefusal(
        "policies/four-eyes",
        f"`{loaded.policy.identity.author}` wrote the policy and can't sign it too",
        place=loaded.place(("identity", "author")),
        remedy="two other officers of the owner sign",
    )


def _explained(error: ProtocolAbort, loaded: LoadedPolicy) -> ConsortiaError:
    place = f"{loaded.policy.identity.id} ({short(loaded.digest)})"
    if error.code == "trust/signature":
        return PolicyRefusal(
            "policies/altered",
            "a signature does not fit the policy's bytes: it was changed after it was signed",
            place=place,
            remedy="restore the file that was signed, or have this one signed anew",
        )
    if error.code in ("trust/unknown-key", "trust/wrong-suite"):
        return PolicyRefusal(
            "policies/signer",
            f"somebody signed who is not an officer of `{loaded.policy.identity.owner}` or of a member that"
            f" countersigns: {error.message}",
            place=place,
            remedy=error.remedy,
        )
    return error


__all__ = [
    "OFFICERS_NEEDED",
    "POLICY_TYPE",
    "SignatureState",
    "accept",
    "check_succession",
    "owner_and_purpose",
    "policy_in_force",
    "require_fingerprint",
    "require_may_sign",
    "require_not_revoked",
    "signatures_of",
    "world_of",
]
