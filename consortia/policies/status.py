"""Where a policy stands: who signed, who is missing, until when it is valid, and when its officers must act. Pure."""

from dataclasses import dataclass
from datetime import datetime

from consortia.errors import ConsortiaError
from consortia.policies.language.parse import LoadedPolicy, read_policy
from consortia.policies.rules.standing import interval
from consortia.policies.signed import NOT_REVOKED, SignatureState, policy_in_force, signatures_of
from consortia.trust.envelope import Envelope
from consortia.trust.notices import Revoked
from consortia.trust.trusted import TrustedSet

WARNING_DAYS = (30, 7, 1)
"""Days before its end at which officers are warned: an expired policy stops every run on its owner's data."""


@dataclass(frozen=True, slots=True)
class PolicyStatus:
    """One policy as it lies in a home. ``reason`` says why it is not in force, empty if it is."""

    loaded: LoadedPolicy
    signatures: SignatureState
    days_left: int
    reason: str

    @property
    def warning(self) -> int | None:
        """The least of ``WARNING_DAYS`` that has been reached; None while there is time, and once it is over."""
        return warning_at(self.days_left)


def warning_at(days_left: int) -> int | None:
    """The least of ``WARNING_DAYS`` that ``days_left`` has reached; None above all, and below zero."""
    reached = [days for days in WARNING_DAYS if 0 <= days_left <= days]
    return min(reached, default=None)


def days_left(loaded: LoadedPolicy, at: datetime) -> int:
    """Whole days until the policy ends; 0 on its last day, negative once it is over."""
    _, end = interval(loaded.policy.validity)
    return (end - at).days


def status_of(envelope: Envelope, trusted: TrustedSet, at: datetime, revoked: Revoked = NOT_REVOKED) -> PolicyStatus:
    """The status of the policy in ``envelope``; raises as ``read_policy`` and ``signatures_of`` do."""
    loaded = read_policy(envelope.payload_bytes())
    signatures = signatures_of(envelope, loaded, trusted, at)
    try:
        policy_in_force(envelope, trusted, at, revoked)
        reason = ""
    except ConsortiaError as error:
        reason = str(error)
    return PolicyStatus(loaded, signatures, days_left(loaded, at), reason)
