"""``consortia policy status``: every policy of a home at a glance, and what officers must do."""

from collections.abc import Iterator
from typing import Any

import typer

from consortia.cli.options import HomeOption, ProfileOption, believer, now
from consortia.cli.output import JsonOption, emit, note, table
from consortia.policies.status import PolicyStatus, status_of
from consortia.trust.documents import instant_text
from consortia.trust.notices import standing
from consortia.trust.statements import Stop

EXAMPLES = (
    "consortia policy status --home ./bank-a",
    "consortia policy status --profile ./bank-a/people/otto --json",
)


def command(home: HomeOption = None, profile: ProfileOption = None, json: JsonOption = False) -> None:
    """List the policies of all owners here: who signed, who is missing, how long they are valid, what stops runs.

    Warns 30, 7 and 1 days before a policy ends. Exit code 1 if one is not in force, or somebody stopped everything.
    """
    reader = believer(home, profile, None)
    trusted = reader.trusted()
    barred = standing(reader.trust, trusted.manifest)
    found = [
        status_of(reader.trust.policy(owner, purpose), trusted, now(), barred.revoked)
        for owner, purpose in reader.trust.policies()
    ]
    rows = [_row(status) for status in found]
    emit(
        {
            "policies": [status_value(status) for status in found],
            "stops": [stop.model_dump(mode="json") for stop in barred.stops],
        },
        table(("owner", "purpose", "version", "signed by", "missing", "last day", "days", "in force"), rows),
        json=json,
    )
    for text in (*_stop_notes(barred.stops), *_policy_notes(found)):
        note(text)
    if barred.stops or any(status.reason for status in found):
        raise typer.Exit(1)


def status_value(status: PolicyStatus) -> dict[str, Any]:
    """The status as JSON."""
    identity, dates, signatures = status.loaded.policy.identity, status.loaded.policy.validity, status.signatures
    return {
        "policy": identity.id,
        "owner": identity.owner,
        "purpose": status.loaded.policy.purpose.code,
        "version": identity.version,
        "fingerprint": status.loaded.digest,
        "signed_by": list(signatures.signed),
        "may_sign": list(signatures.may_sign),
        "missing": signatures.missing,
        "countersigned_by": list(signatures.countersigned),
        "uncountersigned": list(signatures.uncountersigned),
        "not_before": dates.not_before.isoformat(),
        "not_after": dates.not_after.isoformat(),
        "days_left": status.days_left,
        "warning": status.warning,
        "in_force": not status.reason,
        "reason": status.reason,
    }


def missing_words(status: PolicyStatus) -> str:
    """Whose signatures are still needed."""
    signatures = status.signatures
    own = f"{signatures.missing} of {', '.join(signatures.may_sign) or 'nobody'}" if signatures.missing else ""
    others = ", ".join(f"an officer of {member}" for member in signatures.uncountersigned)
    return "; ".join(part for part in (own, others) if part) or "nobody"


def expiry_note(status: PolicyStatus) -> str:
    """The warning before the end, empty if there is none."""
    if status.warning is None or status.reason:
        return ""
    identity, dates = status.loaded.policy.identity, status.loaded.policy.validity
    return (
        f"{identity.id} ends with {dates.not_after} (UTC), in {status.days_left} days, and every run on the data of"
        f" {identity.owner} with it: `consortia policy amend {status.loaded.policy.purpose.code}` begins the next"
    )


def _row(status: PolicyStatus) -> tuple[str, ...]:
    identity, signatures = status.loaded.policy.identity, status.signatures
    return (
        identity.owner,
        status.loaded.policy.purpose.code,
        str(identity.version),
        ", ".join((*signatures.signed, *signatures.countersigned)) or "nobody",
        missing_words(status),
        status.loaded.policy.validity.not_after.isoformat(),
        str(status.days_left),
        "no" if status.reason else "yes",
    )


def _stop_notes(stops: tuple[Stop, ...]) -> Iterator[str]:
    for stop in stops:
        yield f"{stop.person} stopped everything at {instant_text(stop.at)}: {stop.reason} (stop {stop.digest()[:16]})"


def _policy_notes(found: list[PolicyStatus]) -> Iterator[str]:
    for status in found:
        if status.reason:
            yield f"{status.loaded.policy.identity.id} is not in force: {status.reason}"
        elif expiry_note(status):
            yield expiry_note(status)
