"""The privacy budget as a filter: whatever is asked, when, and however sessions end, no window of days overspends."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.parties.ledger import LONGEST_PERIOD
from consortia.parties.store import Store
from consortia.policies.accounting import Charge, admits, total
from consortia.policies.language.model import Noise
from consortia.policies.own.budget import spent
from consortia.policies.own.case import OwnCase
from tests.fixtures_catalogue import CATALOGUE, PURPOSE, STATISTICS
from tests.policies_world import NOW, draft_of, loaded, make_world

DAYS = 3
LIMIT = Charge(10, 4)
PLAN = draft_of(STATISTICS, make_world())
ASKED = st.tuples(
    st.floats(0, 40).map(lambda hours: timedelta(hours=hours)),  # since the query before
    st.integers(0, 6),
    st.integers(0, 2),
    st.sampled_from(("committed", "given back", "running")),
)


@settings(max_examples=60)
@given(st.lists(ASKED, max_size=25))
def test_no_window_of_days_ever_holds_more_than_the_budget(queries: list[tuple[timedelta, int, int, str]]) -> None:
    store = Store(None)
    now, opened = NOW, []
    for number, (pause, rho, delta, end) in enumerate(queries):
        now += pause
        session, charge = f"{number:032x}", Charge(rho, delta)
        with store.begin() as transaction:
            standing = store.ledger.standing(transaction, PURPOSE, "ana@bank-a", NOW, now)
            case = OwnCase("bank-a", loaded("bank-a"), PLAN, CATALOGUE, {}, now, standing)
            if not admits(LIMIT, spent(case, "customer", DAYS), charge):
                continue
            store.ledger.reserve(transaction, session, PURPOSE, "ana@bank-a", {"customer": charge}, now)
        if end != "given back":
            opened.append((now, charge))
        with store.begin() as transaction:
            if end == "committed":
                store.ledger.commit(transaction, session)
            if end != "running":
                store.ledger.close(transaction, session)
    store.close()
    for start, _ in opened:
        window = total(charge for at, charge in opened if start <= at < start + timedelta(days=DAYS))
        assert window.within(LIMIT)


def test_the_ledger_reads_far_enough_back_for_any_policy() -> None:
    longest = next(each.le for each in Noise.model_fields["period_days"].metadata if hasattr(each, "le"))
    assert timedelta(days=longest) < LONGEST_PERIOD
