"""The node's memory of approved queries: counted from the approval on, dropped only if the session ends unanswered."""

from pathlib import Path

from sqlalchemy import MetaData

from consortia.control.database import open_database
from consortia.parties.history import Releases
from consortia.plans.build import build_plan
from consortia.plans.sql import bind
from consortia.policies.history import ReleasedQuery
from consortia.trust.sessions import SnapshotRoot
from tests.fixtures_catalogue import AS_OF, CATALOGUE, environment

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
