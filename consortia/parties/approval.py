"""Approvals: what a party signs before a run, and the check that all parties signed the same.

Every party computes the terms of a session by itself, from its own copies of manifest, cards, catalogue and policies
and the plan that it compiled; it signs them, and accepts a set of approvals only if each one states exactly its own
terms. So a coordinator can drop, forge, replay or exchange approvals, or show parties different submissions, and
gets a refusal that names party and field. Pure: keys and time are arguments; single use is the journal's business.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from consortia.errors import ConsortiaError, ProtocolAbort
from consortia.plans.concerned import outputs_of
from consortia.plans.model import Plan, Share
from consortia.policies.accounting import Charge
from consortia.trust.documents import instant_text
from consortia.trust.envelope import Envelope
from consortia.trust.keys import PublicKey
from consortia.trust.sessions import Approval, MemberDigest, Reservation, SnapshotRoot
from consortia.trust.verify import verify_by_one

TOLERANCE = timedelta(seconds=300)
"""How far two parties' clocks may be apart when validity is judged."""
LONGEST_VALIDITY = timedelta(hours=24)
"""An approval that runs longer is refused: nobody means to consent for that long."""

_OWN = frozenset({"party", "not_after", "snapshots", "result_key", "reservation"})
"""Fields of an approval that are each party's own; all others must be equal."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What all parties must agree on, as one party computed it."""

    session: str
    submission: str
    plan: Plan
    leakage: str
    manifest: str
    catalogue: str
    cards: tuple[MemberDigest, ...]
    policies: tuple[MemberDigest, ...]


def build_approval(
    terms: Terms,
    *,
    party: str,
    not_after: datetime,
    snapshots: Sequence[SnapshotRoot],
    result_key: str,
    reservation: Reservation | None,
) -> Approval:
    """The approval of ``party`` for ``terms``."""
    plan = terms.plan
    return Approval(
        session=terms.session,
        party=party,
        not_after=not_after,
        submission=terms.submission,
        plan=plan.digest(),
        leakage=terms.leakage,
        manifest=terms.manifest,
        catalogue=terms.catalogue,
        cards=terms.cards,
        policies=terms.policies,
        snapshots=tuple(sorted(snapshots, key=lambda root: root.table)),
        computers=plan.computers,
        threat_model=plan.threat_model,
        padded_rows=tuple(step.rows for step in plan.steps if isinstance(step, Share)),
        recipients=tuple(recipient for _, recipient in outputs_of(plan)),
        result_key=result_key,
        reservation=reservation,
    )


def verify_approvals(
    own: Approval,
    tables: Mapping[str, Collection[str]],
    envelopes: Sequence[Envelope],
    keys: Mapping[str, PublicKey],
    now: datetime,
) -> dict[str, Approval]:
    """All approvals of the session, by party, each found to state what ``own`` states.

    ``tables`` are the tables of data that the plan needs from each owner, by owner; ``keys`` the node keys of exactly
    the parties of the plan, from their cards. Raises ProtocolAbort
    ``parties/approval-set`` (a party is missing, double or a stranger), ``parties/approval-signature``,
    ``parties/approval-differs`` (naming party and first differing field), ``parties/approval-own`` (the own one is
    not the one that was signed here), ``parties/approval-expired`` or ``parties/approval-snapshots``.
    """
    approvals: dict[str, Approval] = {}
    for envelope in envelopes:
        approval = _verified(envelope, keys)
        if approval.party in approvals:
            raise _refused("parties/approval-set", f"the approval of `{approval.party}` is there twice", approval.party)
        approvals[approval.party] = approval
    missing = sorted(set(keys) - set(approvals))
    if missing:
        raise _refused("parties/approval-set", f"the approval of {', '.join(missing)} is missing", missing[0])
    for party in sorted(approvals):
        approval = approvals[party]
        _check_equal(own, approval)
        _check_own_fields(approval, tables.get(party, ()), now)
    if approvals[own.party] != own:
        raise _refused(
            "parties/approval-own", "the approval shown as this node's own is not the one that it signed", own.party
        )
    return approvals


def check_reservations(approvals: Mapping[str, Approval], charges: Mapping[str, Mapping[str, Charge]]) -> None:
    """Raise ProtocolAbort ``parties/approval-reservation`` unless exactly the owners reserve, and what the plan costs.

    ``charges`` are by owner and privacy unit, as this party computed them from plan, policies and catalogue.
    """
    for party, approval in sorted(approvals.items()):
        stated = approval.reservation
        reserved = None if stated is None else {each.unit: Charge(each.rho, each.delta) for each in stated.charges}
        if reserved != charges.get(party):
            raise _refused(
                "parties/approval-reservation",
                f"`{party}` reserves something else in its ledger than the plan costs it",
                party,
                "reservation",
            )


def check_unexpired(approvals: Mapping[str, Approval], now: datetime) -> None:
    """Raise ProtocolAbort ``parties/approval-expired`` if one of them is no longer valid."""
    for party, approval in sorted(approvals.items()):
        if now > approval.not_after + TOLERANCE:
            raise _refused(
                "parties/approval-expired",
                f"the approval of `{party}` was valid until {instant_text(approval.not_after)}, "
                f"by this node's clock it is {instant_text(now)}",
                party,
            )


def _verified(envelope: Envelope, keys: Mapping[str, PublicKey]) -> Approval:
    try:
        claimed = Approval.parse(envelope.payload_bytes())
    except ConsortiaError as error:
        raise _refused(
            "parties/approval-signature", f"a document among the approvals is none: {error.message}", ""
        ) from error
    key = keys.get(claimed.party)
    if key is None:
        raise _refused(
            "parties/approval-set", f"`{claimed.party}` approves, but is not a party of the plan", claimed.party
        )
    try:
        return verify_by_one(envelope, Approval, claimed.party, key)
    except ConsortiaError as error:
        raise _refused(
            "parties/approval-signature",
            f"the approval of `{claimed.party}` is not signed by its node: {error.message}",
            claimed.party,
        ) from error


def _check_equal(own: Approval, other: Approval) -> None:
    mine, theirs = own.model_dump(mode="json"), other.model_dump(mode="json")
    for name, value in mine.items():
        if name not in _OWN and theirs[name] != value:
            raise _refused(
                "parties/approval-differs",
                f"`{other.party}` approved something else than this node: its {name} differs",
                other.party,
                name,
            )


def _check_own_fields(approval: Approval, tables: Collection[str], now: datetime) -> None:
    check_unexpired({approval.party: approval}, now)
    if approval.not_after > now + LONGEST_VALIDITY + TOLERANCE:
        raise _refused(
            "parties/approval-expired",
            f"the approval of `{approval.party}` would be valid until {instant_text(approval.not_after)}, "
            f"more than {LONGEST_VALIDITY} from now",
            approval.party,
            "not_after",
        )
    committed = sorted(root.table for root in approval.snapshots)
    if committed != sorted(tables):
        raise _refused(
            "parties/approval-snapshots",
            f"`{approval.party}` commits to snapshots of {_listed(committed)}, "
            f"the plan needs {_listed(sorted(tables))}",
            approval.party,
            "snapshots",
        )


def _listed(tables: Sequence[str]) -> str:
    return ", ".join(tables) or "no table"


def _refused(code: str, message: str, party: str, field: str = "") -> ProtocolAbort:
    place = ", ".join(part for part in (f"approval of {party}" if party else "", field) if part)
    return ProtocolAbort(
        code,
        message,
        place=place,
        remedy="nothing was shared; compare the documents of both members (`consortia member show`), then run it again",
    )
