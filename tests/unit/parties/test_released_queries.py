"""The node's memory of approved queries: counted from the approval on, dropped only if the session ends unanswered."""

from pathlib import Path

import pytest
from sqlalchemy import MetaData

from consortia.control.database import open_database
from consortia.parties import budget
from consortia.parties.checks import Refused
from consortia.parties.history import Releases
from consortia.parties.store import Store
from consortia.parties.work import Documents, Review
from consortia.plans.build import build_plan
from consortia.plans.sql import bind
from consortia.policies.history import ReleasedQuery
from consortia.trust.sessions import SnapshotRoot
from consortia.trust.trusted import TrustedSet
from tests.fixtures_catalogue import AS_OF, CATALOGUE, STATISTICS, environment
from tests.policies_world import NOW, draft_of, make_world
from tests.session_world import own_part

PLAN = build_plan(bind("SELECT country, SUM(c) AS s FROM numbers GROUP BY country", CATALOGUE, AS_OF), environment())


def query(number: int, *tables: str) -> ReleasedQuery:
    roots = tuple(SnapshotRoot(table=table, root="a" * 64) for table in tables)
    return ReleasedQuery(session=f"{number:032x}", plan=PLAN, snapshots=roots, recipients=("ana@bank-a",), at=AS_OF)


def test_an_approved_query_counts_until_its_session_ends_unanswered(tmp_path: Path) -> None:
    metadata = MetaData()
    releases = Releases(metadata)
    engine = open_database(tmp_path / "node.sqlite", metadata)
    one, two = query(1, "numbers", "accounts"), query(2, "transactions")
    with engine.begin() as transaction:
        releases.approve(transaction, one)
        releases.approve(transaction, two)
        assert releases.over(transaction, ["accounts"]) == (one,)
        assert releases.over(transaction, ["accounts", "transactions"]) == (one, two)
        assert releases.over(transaction, ["account", "deposits"]) == ()
        releases.commit(transaction, one.session)
    with engine.begin() as transaction:
        for session in (one.session, two.session):
            releases.close(transaction, session)
    engine.dispose()
    again = open_database(tmp_path / "node.sqlite", metadata)
    with again.begin() as transaction:
        assert releases.over(transaction, ["numbers", "transactions"]) == (one,)
    again.dispose()


def reviewed(sql: str) -> Review:
    trusted: TrustedSet = None  # type: ignore[assignment]  # the own part reads no other document
    plan = draft_of(sql, make_world())
    guarded = ("differencing: off", "differencing: {new-data-days: 7}")
    return Review(Documents(trusted, "", ()), plan, "1" * 64, own=own_part(plan, "bank-a", guarded))


def test_a_query_is_denied_by_one_that_still_runs_and_no_more_once_that_has_ended_unanswered(tmp_path: Path) -> None:
    store = Store(tmp_path / "node.sqlite")
    narrower = STATISTICS.replace("'EUR'", "'EUR' AND country = 'DE'")
    roots = tuple(SnapshotRoot(table=table, root="a" * 64) for table in ("accounts", "transactions"))

    def reserve(sql: str, session: str) -> None:
        with store.begin() as transaction:
            budget.reserve(store, transaction, session, reviewed(sql), roots, NOW)

    running, later = "1" * 32, "2" * 32
    reserve(STATISTICS, running)
    with pytest.raises(Refused) as refused:
        reserve(narrower, later)
    assert refused.value.code == "policies/differencing"
    with store.begin() as transaction:
        store.ledger.close(transaction, running)
        store.releases.close(transaction, running)
    reserve(narrower, later)
    with pytest.raises(Refused):
        reserve(STATISTICS, "3" * 32)
    store.close()
