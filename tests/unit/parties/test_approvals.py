"""Approvals: every party must have signed exactly the terms that this party computed."""

from datetime import UTC, datetime, timedelta

import pytest

from consortia.errors import ProtocolAbort
from consortia.parties.approval import Terms, build_approval, check_reservations, check_unexpired, verify_approvals
from consortia.plans.model import Plan, Recipient, Release, Scan, Share, Union
from consortia.policies.accounting import Charge
from consortia.trust.envelope import Envelope, seal_document
from consortia.trust.keys import PrivateKey
from consortia.trust.sessions import Approval, MemberDigest, Reservation, SnapshotRoot, UnitCharge

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
OWNERS = ("bank-a", "bank-b", "bank-c", "bank-d")
KEYS = {name: PrivateKey.generate("ecdsa-p256") for name in OWNERS}
PUBLIC = {name: key.public for name, key in KEYS.items()}
PLAN = Plan(
    catalogue="1" * 64,
    manifest="2" * 64,
    purpose="aml-detection",
    as_of=NOW,
    submitter="ana@bank-a",
    computers=OWNERS[:3],
    steps=(
        *(
            Scan(id=f"s{i}", inputs=(), at=f"owner:{o}", rows=8, columns=(), table="deposits")
            for i, o in enumerate(OWNERS)
        ),
        *(
            Share(id=f"s{4 + i}", inputs=(f"s{i}",), at="shared", rows=8 + i, columns=(), owner=o)
            for i, o in enumerate(OWNERS)
        ),
        Union(id="s8", inputs=("s4", "s5", "s6", "s7"), at="shared", rows=38, columns=(), owners=OWNERS),
        Release(
            id="s9",
            inputs=("s8",),
            at="shared",
            rows=38,
            columns=(),
            recipients=(Recipient(member="bank-a", person="ana@bank-a"),),
            rows_of="all",
            output_kind="count",
        ),
    ),
)
TERMS = Terms(
    session="0" * 32,
    submission="3" * 64,
    plan=PLAN,
    leakage="4" * 64,
    manifest="2" * 64,
    catalogue="1" * 64,
    cards=tuple(MemberDigest(member=name, digest="5" * 64) for name in OWNERS),
    policies=tuple(MemberDigest(member=name, digest="6" * 64) for name in OWNERS),
)


TABLES = dict.fromkeys(OWNERS, ("deposits",))


def approval(party: str, terms: Terms = TERMS, until: datetime = NOW + timedelta(minutes=15)) -> Approval:
    root = SnapshotRoot(table="deposits", root="7" * 64)
    return build_approval(
        terms, party=party, not_after=until, snapshots=(root,), result_key="ab" * 8, reservation=Reservation(number=1)
    )


def signed(document: Approval, by: str = "") -> Envelope:
    return seal_document(document, (KEYS[by or document.party],))


def all_signed(**replaced: Envelope) -> list[Envelope]:
    return [replaced.get(name.replace("-", "_"), signed(approval(name))) for name in OWNERS]


def check(envelopes: list[Envelope], now: datetime = NOW) -> dict[str, Approval]:
    return verify_approvals(approval("bank-a"), TABLES, envelopes, PUBLIC, now)


def refusal(envelopes: list[Envelope], now: datetime = NOW) -> ProtocolAbort:
    with pytest.raises(ProtocolAbort) as refused:
        check(envelopes, now)
    return refused.value


def test_an_approval_states_sizes_computers_and_recipients_of_the_plan() -> None:
    made = approval("bank-d")
    assert made.padded_rows == (8, 9, 10, 11)
    assert made.computers == OWNERS[:3]
    assert made.recipients == ("ana@bank-a",)
    assert made.plan == PLAN.digest()


def test_equal_approvals_of_all_parties_are_accepted() -> None:
    assert set(check(all_signed())) == set(OWNERS)


CHANGES = {
    "session": "f" * 32,
    "submission": "f" * 64,
    "plan": "f" * 64,
    "leakage": "f" * 64,
    "manifest": "f" * 64,
    "catalogue": "f" * 64,
    "cards": TERMS.cards[1:],
    "policies": (MemberDigest(member="bank-a", digest="f" * 64), *TERMS.policies[1:]),
    "computers": ("bank-a", "bank-b", "bank-d"),
    "padded_rows": (8, 9, 10, 12),
    "recipients": ("eve@bank-b",),
}


def test_every_field_is_compared_unless_it_is_the_partys_own() -> None:
    own = {"party", "not_after", "snapshots", "result_key", "reservation"}
    single_valued = {"type", "threat_model", "verdict"}
    assert set(Approval.model_fields) == set(CHANGES) | own | single_valued


@pytest.mark.parametrize("field", sorted(CHANGES))
def test_a_field_that_differs_is_named_with_the_party(field: str) -> None:
    other = approval("bank-c").model_copy(update={field: CHANGES[field]})
    error = refusal(all_signed(bank_c=signed(other)))
    assert error.code == "parties/approval-differs"
    assert error.place == f"approval of bank-c, {field}"


def test_a_dropped_a_doubled_and_a_strange_approval_are_refused() -> None:
    stranger = PrivateKey.generate("ecdsa-p256")
    strange = seal_document(approval("bank-a").model_copy(update={"party": "bank-x"}), (stranger,))
    for envelopes, named in (
        (all_signed()[:3], "bank-d"),
        ([*all_signed(), signed(approval("bank-b"))], "bank-b"),
        ([*all_signed(), strange], "bank-x"),
        ([], "bank-a"),
    ):
        error = refusal(envelopes)
        assert error.code == "parties/approval-set"
        assert named in error.message


def test_an_approval_signed_by_anybody_else_is_refused() -> None:
    for forged in (
        signed(approval("bank-b"), by="bank-c"),
        seal_document(approval("bank-b"), (PrivateKey.generate("ecdsa-p256"),)),
        signed(approval("bank-b")).model_copy(update={"signatures": ()}),
        signed(approval("bank-b")).model_copy(update={"signatures": signed(approval("bank-c")).signatures}),
    ):
        error = refusal(all_signed(bank_b=forged))
        assert error.code == "parties/approval-signature"
        assert "bank-b" in error.message


def test_a_payload_changed_after_signing_is_refused() -> None:
    honest = signed(approval("bank-b"))
    other = approval("bank-b", until=NOW + timedelta(minutes=16))
    error = refusal(all_signed(bank_b=honest.model_copy(update={"payload": other.canonical().hex()})))
    assert error.code == "parties/approval-signature"


def test_another_document_in_the_place_of_an_approval_is_refused() -> None:
    error = refusal(all_signed(bank_b=seal_document(PLAN, (KEYS["bank-b"],))))
    assert error.code == "parties/approval-signature"


def test_the_own_approval_must_be_the_very_one_that_was_signed_here() -> None:
    error = refusal(all_signed(bank_a=signed(approval("bank-a", until=NOW + timedelta(minutes=20)))))
    assert error.code == "parties/approval-own"


@pytest.mark.parametrize(
    ("until", "accepted"),
    [
        (NOW - timedelta(seconds=299), True),
        (NOW - timedelta(seconds=301), False),
        (NOW + timedelta(hours=23), True),
        (NOW + timedelta(days=2), False),
    ],
)
def test_validity_is_judged_by_the_own_clock_with_300_seconds_tolerance(until: datetime, accepted: bool) -> None:
    envelopes = all_signed(bank_c=signed(approval("bank-c", until=until)))
    if accepted:
        assert check(envelopes)["bank-c"].not_after == until
    else:
        assert refusal(envelopes).code == "parties/approval-expired"


def test_an_approval_that_expires_before_the_release_is_found_then() -> None:
    approvals = check(all_signed())
    check_unexpired(approvals, NOW + timedelta(minutes=19))
    with pytest.raises(ProtocolAbort, match="bank-a"):
        check_unexpired(approvals, NOW + timedelta(minutes=21))


def test_an_owner_must_commit_to_exactly_the_tables_that_the_plan_needs_from_it_once_each() -> None:
    root = SnapshotRoot(table="deposits", root="7" * 64)
    other = SnapshotRoot(table="accounts", root="8" * 64)
    for snapshots in ((), (root, root), (other,), (other, root)):
        wrong = approval("bank-d").model_copy(update={"snapshots": snapshots})
        error = refusal(all_signed(bank_d=signed(wrong)))
        assert error.code == "parties/approval-snapshots"
        assert error.place == "approval of bank-d, snapshots"


def test_a_party_that_owns_nothing_in_the_plan_commits_to_nothing() -> None:
    needed = {owner: tables for owner, tables in TABLES.items() if owner != "bank-c"}
    none = signed(approval("bank-c").model_copy(update={"snapshots": ()}))
    own = approval("bank-a")
    assert set(verify_approvals(own, needed, all_signed(bank_c=none), PUBLIC, NOW)) == set(OWNERS)
    with pytest.raises(ProtocolAbort, match="the plan needs no table"):
        verify_approvals(own, needed, all_signed(), PUBLIC, NOW)


COST = UnitCharge(unit="person", rho=5, delta=0, rho_before=7, delta_before=0)
COSTS = {name: {"person": Charge(5)} for name in OWNERS}


def reserving(party: str, reservation: Reservation | None) -> Approval:
    return approval(party).model_copy(update={"reservation": reservation})


def test_owners_that_reserve_what_the_plan_costs_are_accepted_whatever_they_spent_before() -> None:
    check_reservations({name: reserving(name, Reservation(number=3, charges=(COST,))) for name in OWNERS}, COSTS)


@pytest.mark.parametrize(
    "reservation",
    [
        None,
        Reservation(number=3),
        Reservation(number=3, charges=(COST.model_copy(update={"rho": 4}),)),
        Reservation(number=3, charges=(COST.model_copy(update={"delta": 1}),)),
        Reservation(number=3, charges=(COST.model_copy(update={"unit": "account"}),)),
        Reservation(number=3, charges=(COST, COST.model_copy(update={"unit": "account"}))),
    ],
)
def test_an_owner_that_reserves_anything_else_is_refused_by_all(reservation: Reservation | None) -> None:
    approvals = {name: reserving(name, Reservation(number=3, charges=(COST,))) for name in OWNERS}
    approvals["bank-b"] = reserving("bank-b", reservation)
    with pytest.raises(ProtocolAbort) as refused:
        check_reservations(approvals, COSTS)
    assert refused.value.code == "parties/approval-reservation"
    assert refused.value.place == "approval of bank-b, reservation"


def test_a_computer_without_data_of_the_plan_reserves_nothing() -> None:
    costs = {name: cost for name, cost in COSTS.items() if name != "bank-c"}
    approvals = {name: reserving(name, Reservation(number=3, charges=(COST,))) for name in OWNERS}
    with pytest.raises(ProtocolAbort):
        check_reservations(approvals, costs)
    check_reservations({**approvals, "bank-c": reserving("bank-c", None)}, costs)
