"""A model that is opened is charged to the owner's budget like any release with noise, and refused when it is spent."""

from decimal import Decimal
from pathlib import Path

import pytest

from consortia.execution.estimate import estimate
from consortia.parties import budget
from consortia.parties.checks import Refused
from consortia.parties.ledger import Entry
from consortia.parties.store import Store
from consortia.parties.work import Documents, OwnPart, Review
from consortia.plans.zcdp import RHO_PARTS
from consortia.policies.accounting import charge_of
from consortia.policies.compiling import Compiled, compile_analysis
from consortia.policies.language.parse import LoadedPolicy, parse_policy
from consortia.policies.own import OwnCase
from tests.fixtures_catalogue import AS_OF, CATALOGUE, PURPOSE
from tests.policies_world import NOW
from tests.policy_variants import MODEL, data_of, full, permissive, put


def compiled() -> tuple[LoadedPolicy, Compiled]:
    """A model that costs a third of what a period grants, by the policy of every owner."""
    tree = full()
    put(tree, "outputs.model.noise", {"rho-per-release": "1/100", "rho-per-period": "3/100", "period-days": 30})
    policy = parse_policy(data_of(tree))
    found = compile_analysis(MODEL, PURPOSE, "ana@bank-a", AS_OF, permissive(policy), estimate, NOW)
    return policy, found


def test_models_are_charged_until_a_period_is_used_up(tmp_path: Path) -> None:
    policy, found = compiled()
    roots = dict.fromkeys(("accounts", "transactions"), "3" * 64)
    own = OwnPart(found.decision, OwnCase("bank-a", policy, found.plan, CATALOGUE, roots, AS_OF))
    review = Review(Documents(None, "", ()), found.plan, "1" * 64, own=own)  # type: ignore[arg-type] # not read here
    store = Store(tmp_path / "node.sqlite")
    sessions = [digit * 32 for digit in "1234"]

    def reserve(session: str) -> None:
        with store.begin() as transaction:
            budget.reserve(store, transaction, session, review, (), NOW)

    for session in sessions[:3]:
        reserve(session)
    with pytest.raises(Refused) as refused:
        reserve(sessions[3])
    assert refused.value.code == "policies/budget"
    with store.begin() as transaction:
        rows = store.ledger.rows(transaction)
        charged = [row.charges for row in rows]
        store.ledger.close(transaction, sessions[0])
    assert charged == [{"customer": charge_of(found.plan)}] * 3
    assert Decimal(charge_of(found.plan).rho) / RHO_PARTS <= Decimal("0.01")
    reserve(sessions[3])
    with store.begin() as transaction:
        states = {row.session: row.state for row in store.ledger.rows(transaction)}
    assert states[sessions[0]] is Entry.REFUNDED
    assert states[sessions[3]] is Entry.RESERVED
