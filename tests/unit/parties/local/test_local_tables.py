"""Local tables: SQL of the catalogue over a member's own tables, which can reach nothing else."""

from pathlib import Path

import pytest

from consortia.errors import ConsortiaError, OperatorError
from consortia.parties.data.snapshots import SnapshotStore
from consortia.parties.local.database import Limits, open_database
from consortia.parties.local.definitions import check_definitions, parse_definition, sources_of
from consortia.parties.local.stage import committed_snapshots, run_local, tables_needed
from consortia.parties.local.statement import local_statement
from consortia.plans.build import build_plan
from consortia.plans.catalogue import Catalogue
from consortia.plans.model import Plan, Share
from consortia.plans.sql import bind
from consortia.plans.types import Bounds
from tests.fixtures_catalogue import ACCOUNTS, AS_OF, CATALOGUE, DEPOSITS, STATISTICS, TRANSACTIONS, environment
from tests.world_data import registered

ACCOUNT = {"bank": "bank-a", "opened": 0, "risk_score": None, "sar_flag": None}
ACCOUNT_ROWS = [
    ACCOUNT | {"account_id": "01", "customer_key": "c1", "country": "DE"},
    ACCOUNT | {"account_id": "02", "customer_key": "c2", "country": "FR"},
]
TRANSACTION = {"ts": 0, "from_bank": None, "from_account": None, "to_bank": "bank-a", "currency": "EUR"}
TRANSACTION_ROWS = [
    TRANSACTION | {"tx_id": "1", "to_account": "01", "amount_minor": 500, "format": "cash"},
    TRANSACTION | {"tx_id": "2", "to_account": "01", "amount_minor": 700, "format": "cash"},
    TRANSACTION | {"tx_id": "3", "to_account": "02", "amount_minor": 900, "format": "cash"},
    TRANSACTION | {"tx_id": "4", "to_account": "1", "amount_minor": 111, "format": "cash"},
    TRANSACTION | {"tx_id": "5", "to_account": "01", "amount_minor": 222, "format": "wire"},
]


def with_deposits(**changes: object) -> Catalogue:
    """The catalogue with another definition of ``deposits``."""
    deposits = DEPOSITS.model_copy(update=changes)
    return CATALOGUE.model_copy(update={"tables": (ACCOUNTS, deposits, TRANSACTIONS)})


def planned(catalogue: Catalogue, sql: str = STATISTICS) -> tuple[Plan, Share]:
    plan = build_plan(bind(sql, catalogue, AS_OF), environment(catalogue))
    return plan, next(step for step in plan.steps if isinstance(step, Share) and step.owner == "bank-a")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SnapshotStore:
    folder = tmp_path_factory.mktemp("bank-a")
    made = SnapshotStore(folder / "snapshots")
    registered(made, CATALOGUE, "accounts", ACCOUNT_ROWS, folder)
    registered(made, CATALOGUE, "transactions", TRANSACTION_ROWS, folder)
    return made


def run(store: SnapshotStore, catalogue: Catalogue, sql: str = STATISTICS) -> list[tuple[object, ...]]:
    plan, share = planned(catalogue, sql)
    roots = committed_snapshots(store, plan, "bank-a", catalogue)
    return run_local(plan, share.id, store, roots, catalogue).rows()


def refused(store: SnapshotStore, catalogue: Catalogue, sql: str = STATISTICS) -> OperatorError:
    with pytest.raises(OperatorError) as caught:
        run(store, catalogue, sql)
    return caught.value


def test_a_local_table_is_computed_from_the_members_own_tables(store: SnapshotStore) -> None:
    assert run(store, CATALOGUE) == [("DE", 2, 1200), ("FR", 1, 900)]


def test_the_whole_part_of_an_owner_is_one_statement(store: SnapshotStore) -> None:
    plan, share = planned(CATALOGUE)
    statement = local_statement(plan, share.id, CATALOGUE)
    assert statement.startswith('WITH "deposits" AS (')
    assert ";" not in statement
    assert statement == local_statement(plan, share.id, CATALOGUE)


def test_an_approval_commits_to_the_tables_behind_a_local_table(store: SnapshotStore) -> None:
    plan, _ = planned(CATALOGUE)
    assert tables_needed(plan, "bank-a", CATALOGUE) == ("accounts", "transactions")
    roots = committed_snapshots(store, plan, "bank-a", CATALOGUE)
    assert {root.table: root.root for root in roots} == {
        name: store.current(name).document.root for name in ("accounts", "transactions")
    }
    assert tables_needed(plan, "bank-z", CATALOGUE) == ()


def test_a_snapshot_registered_later_does_not_replace_the_committed_one(tmp_path: Path) -> None:
    made = SnapshotStore(tmp_path / "snapshots")
    registered(made, CATALOGUE, "accounts", ACCOUNT_ROWS, tmp_path)
    registered(made, CATALOGUE, "transactions", TRANSACTION_ROWS, tmp_path)
    plan, share = planned(CATALOGUE)
    roots = committed_snapshots(made, plan, "bank-a", CATALOGUE)
    registered(made, CATALOGUE, "transactions", [], tmp_path)
    assert run_local(plan, share.id, made, roots, CATALOGUE).height == 2
    assert run(made, CATALOGUE) == []
    with pytest.raises(OperatorError) as caught:
        run_local(plan, share.id, made, roots[:1], CATALOGUE)
    assert caught.value.code == "data/no-snapshot"


@pytest.mark.parametrize("name", ["accounts", "transactions"])
def test_a_missing_or_altered_table_stops_the_run(tmp_path: Path, name: str) -> None:
    made = SnapshotStore(tmp_path / "snapshots")
    rows = {"accounts": ACCOUNT_ROWS, "transactions": TRANSACTION_ROWS}
    other = "accounts" if name == "transactions" else "transactions"
    registered(made, CATALOGUE, other, rows[other], tmp_path)
    assert refused(made, CATALOGUE).code == "data/no-snapshot"
    stored = registered(made, CATALOGUE, name, rows[name], tmp_path)
    stored.data.write_bytes(stored.data.read_bytes()[:-1] + b"x")
    assert refused(made, CATALOGUE).code == "data/snapshot-altered"


def test_a_snapshot_of_another_catalogue_is_stale(store: SnapshotStore) -> None:
    changed = [
        column.model_copy(update={"bounds": Bounds(lo=0, hi=10**11)}) if column.name == "amount_minor" else column
        for column in TRANSACTIONS.columns
    ]
    transactions = TRANSACTIONS.model_copy(update={"columns": tuple(changed)})
    catalogue = CATALOGUE.model_copy(update={"tables": (ACCOUNTS, DEPOSITS, transactions)})
    assert refused(store, catalogue).code == "local/stale-snapshot"
    rekeyed = tuple(domain.model_copy(update={"key_id": "bb"}) for domain in CATALOGUE.key_domains)
    assert refused(store, CATALOGUE.model_copy(update={"key_domains": rekeyed})).code == "local/stale-snapshot"


# --- what a definition may not do --------------------------------------------------------------------------------

COLUMNS = "customer_key, ts, amount_minor, currency, country"
HARMFUL = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM glob('/*')",
    'SELECT * FROM "snapshots/transactions/data.parquet"',
    "COPY transactions TO '/tmp/stolen.csv'",
    "ATTACH '/tmp/other.db'",
    "PRAGMA version",
    "SET threads = 1",
    "INSTALL httpfs",
    "LOAD httpfs",
    "CALL pragma_version()",
    "EXPORT DATABASE '/tmp/stolen'",
    "CREATE TABLE x AS SELECT 1",
    "DROP TABLE accounts",
    "DELETE FROM accounts",
    f"SELECT {COLUMNS} FROM transactions; DROP TABLE accounts",
    "SELECT 1 FROM duckdb_settings()",
    "SELECT 1 FROM information_schema.tables",
    "SELECT 1 FROM pg_tables",
    "SELECT 1 FROM main.transactions",
    "SELECT 1 FROM deposits",
    "SELECT getenv('HOME') FROM accounts",
    "SELECT current_setting('threads') FROM accounts",
    "SELECT query('SELECT 1') FROM accounts",
    "SELECT random() FROM accounts",
    "SELECT now() FROM accounts",
    "SELECT CURRENT_DATE FROM accounts",
    "SELECT nextval('x') FROM accounts",
    "SELECT AVG(risk_score) FROM accounts",
    "SELECT risk_score / 2 FROM accounts",
    "SELECT risk_score * 0.5 FROM accounts",
    "SELECT 1e3 FROM accounts",
    "SELECT CAST(risk_score AS DOUBLE) FROM accounts",
    "SELECT TRY_CAST(country AS INT) FROM accounts",
    "SELECT CAST(risk_score AS DECIMAL(10, 2)) FROM accounts",
    "SELECT first(country) FROM accounts",
    "SELECT country FROM accounts ORDER BY country",
    "SELECT country FROM accounts LIMIT 1",
    "SELECT country FROM accounts OFFSET 1",
    "SELECT country FROM accounts USING SAMPLE 1",
    "SELECT country FROM accounts TABLESAMPLE 10%",
    "SELECT DISTINCT ON (country) country FROM accounts",
    "SELECT ROW_NUMBER() OVER () FROM accounts",
    "SELECT country FROM accounts QUALIFY ROW_NUMBER() OVER () = 1",
    "SELECT country FROM accounts POSITIONAL JOIN transactions",
    "SELECT country FROM accounts ASOF JOIN transactions ON accounts.opened >= transactions.ts",
    "SELECT country FROM accounts WHERE country SIMILAR TO '(a+)+'",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT n FROM r",
    "WITH pg_tables AS (SELECT 1) SELECT 1 FROM accounts WHERE EXISTS (WITH x AS (SELECT 1) SELECT 1 FROM x)",
    "WITH a AS (SELECT 1 FROM pg_tables), pg_tables AS (SELECT 1) SELECT 1 FROM a",
    "WITH accounts AS (SELECT 1) SELECT 1 FROM accounts",
    "WITH ACCOUNTS AS (SELECT 1) SELECT 1 FROM ACCOUNTS",
    "SELECT member('x') FROM accounts",
    "SELECT [1, 2] FROM accounts",
    "SELECT {'a': 1} FROM accounts",
    "SELECT ? FROM accounts",
    "SELECT $1 FROM accounts",
    "PIVOT accounts ON country",
    "VALUES (1)",
    "not sql at all",
    "SELECT (",
    "SELECT " + "(" * 3000 + "1" + ")" * 3000,
]


@pytest.mark.parametrize("definition", HARMFUL, ids=lambda text: text[:60])
def test_a_definition_that_is_more_than_a_select_over_own_tables_is_refused(
    store: SnapshotStore, definition: str
) -> None:
    deposits = DEPOSITS.model_copy(update={"definition": definition})
    catalogue = CATALOGUE.model_copy(update={"tables": (ACCOUNTS, deposits, TRANSACTIONS)})
    with pytest.raises(OperatorError) as caught:
        parse_definition(deposits, catalogue, "bank-a")
    assert caught.value.code == "local/definition"
    assert "deposits" in caught.value.place


def test_a_definition_reads_only_tables_that_the_member_holds() -> None:
    accounts = ACCOUNTS.model_copy(update={"holders": ("bank-b",)})
    catalogue = CATALOGUE.model_copy(update={"tables": (accounts, DEPOSITS, TRANSACTIONS)})
    assert sources_of(DEPOSITS, catalogue, "bank-b")
    with pytest.raises(OperatorError) as caught:
        sources_of(DEPOSITS, catalogue, "bank-a")
    assert "`accounts`" in caught.value.message


CASH = "transactions JOIN accounts ON account_id = to_account WHERE format = 'cash'"
ALLOWED = {
    "plain": DEPOSITS.definition,
    "with": """
        WITH cash AS (SELECT * FROM transactions WHERE format = 'cash'),
            mine AS (SELECT * FROM cash WHERE to_bank = member())
        SELECT a.customer_key, ts, amount_minor, currency, country
        FROM mine JOIN accounts AS a ON account_id = to_account""",
    "subqueries": """
        SELECT customer_key, ts, amount_minor, currency, country
        FROM (SELECT * FROM transactions WHERE format = 'cash') t, accounts a
        WHERE a.account_id = t.to_account
            AND t.tx_id NOT IN (SELECT tx_id FROM transactions WHERE amount_minor < 0)""",
    "groups": f"""
        SELECT customer_key, MAX(ts) AS ts, SUM(amount_minor) AS amount_minor, MIN(currency) AS currency, country
        FROM {CASH} GROUP BY customer_key, country, tx_id HAVING COUNT(*) = 1""",
    "expressions": """
        SELECT customer_key, CAST(CAST(ts AS DATE) AS TIMESTAMP) AS ts, amount_minor * 3 // 3 AS amount_minor,
            CASE WHEN currency IS NULL THEN 'EUR' ELSE currency END AS currency, COALESCE(country, 'DE') AS country
        FROM transactions LEFT JOIN accounts ON account_id = to_account
        WHERE format = 'cash' AND customer_key IS NOT NULL""",
    "union": f"""
        SELECT * FROM (
            SELECT customer_key, date_trunc('day', ts) AS ts, amount_minor, currency, country FROM {CASH}
            UNION ALL SELECT customer_key, ts, amount_minor, currency, country FROM {CASH} AND amount_minor < 0
        ) AS u""",
}


@pytest.mark.parametrize("definition", ALLOWED.values(), ids=ALLOWED)
def test_joins_groups_and_with_clauses_over_own_tables_are_allowed(store: SnapshotStore, definition: str) -> None:
    assert run(store, with_deposits(definition=definition)) == [("DE", 2, 1200), ("FR", 1, 900)]


# --- what its rows must keep -------------------------------------------------------------------------------------

BASE = (
    "SELECT a.customer_key, {ts} AS ts, {amount} AS amount_minor, {currency} AS currency, {country} AS country "
    "FROM transactions AS t LEFT JOIN accounts AS a ON a.account_id = t.to_account "
    "WHERE t.format = 'cash' AND t.tx_id <> {without}"
)
RIGHT = {"ts": "t.ts", "amount": "t.amount_minor", "currency": "t.currency", "country": "a.country", "without": "'4'"}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"without": "''"}, "NULL"),
        ({"amount": "t.amount_minor * 100000000"}, "outside 0 to 10000000000"),
        ({"amount": "-t.amount_minor"}, "outside"),
        ({"currency": "lower(t.currency)"}, "words that are not of `currency`"),
        ({"amount": "t.currency"}, "is VARCHAR"),
        ({"currency": "t.amount_minor"}, "is HUGEINT"),
        ({"ts": "CAST(t.ts AS DATE)"}, "is DATE"),
        ({"amount": "CAST(NULL AS BIGINT)"}, "NULL"),
    ],
)
def test_rows_that_break_the_declaration_stop_the_run(store: SnapshotStore, change: dict[str, str], word: str) -> None:
    assert run(store, with_deposits(definition=BASE.format(**RIGHT)))
    error = refused(store, with_deposits(definition=BASE.format(**(RIGHT | change))))
    assert error.code == "local/local-table"
    assert word in error.message


def test_more_rows_or_keys_than_declared_stop_the_run(store: SnapshotStore) -> None:
    assert run(store, with_deposits(max_rows=3))
    assert refused(store, with_deposits(max_rows=2)).code == "local/local-table"
    columns = tuple(
        column.model_copy(update={"max_distinct": 1}) if column.name == "customer_key" else column
        for column in DEPOSITS.columns
    )
    assert "max_distinct" in refused(store, with_deposits(columns=columns)).message


def test_a_missing_column_stops_the_run(store: SnapshotStore) -> None:
    error = refused(store, with_deposits(definition="SELECT customer_key FROM accounts"))
    assert (error.code, error.place) == ("local/local-table", "deposits, column `ts`")


def test_arithmetic_that_leaves_128_bits_stops_the_run_without_a_value_in_the_error(store: SnapshotStore) -> None:
    factor = " * ".join(["(1000000000 * t.amount_minor)"] * 5)
    error = refused(store, with_deposits(definition=BASE.format(**(RIGHT | {"amount": f"({factor})"}))))
    assert error.code == "local/overflow"
    assert not any(character.isdigit() for character in error.message)


def test_a_text_that_is_no_number_stops_the_run_without_the_text_in_the_error(store: SnapshotStore) -> None:
    error = refused(store, with_deposits(definition=BASE.format(**(RIGHT | {"amount": "CAST(t.currency AS BIGINT)"}))))
    assert error.code == "local/overflow"
    assert "EUR" not in str(error)


# --- the database itself -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "COPY accounts TO '{folder}/stolen.csv'",
        "ATTACH '{folder}/other.db'",
        "SET enable_external_access = true",
        "SET threads = 1",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM SECRET_FRAME",
    ],
)
def test_the_database_is_locked_even_for_sql_that_was_not_checked(
    store: SnapshotStore, tmp_path: Path, statement: str
) -> None:
    import polars as pl

    SECRET_FRAME = pl.DataFrame({"secret": [1]})  # noqa: F841, N806 - a variable that SQL must not find
    with open_database({"accounts": store.current("accounts")}, Limits()) as database:
        assert database.query("SELECT COUNT(*) AS n FROM accounts", "a test").item() == 2
        with pytest.raises(ConsortiaError) as caught:
            database.query(statement.format(folder=tmp_path), "a test")
        assert caught.value.code == "local/sql"
    assert list(tmp_path.iterdir()) == []


def test_a_query_beyond_the_memory_limit_fails_cleanly(store: SnapshotStore) -> None:
    limits = Limits(memory_megabytes=16, threads=1)
    with open_database({"accounts": store.current("accounts")}, limits) as database:
        with pytest.raises(OperatorError) as caught:
            database.query("SELECT COUNT(DISTINCT i || 'xxxxxxxxxxxxxxxxxxxx') FROM range(3000000) AS t(i)", "a test")
        assert caught.value.code == "local/memory"
        assert database.query("SELECT COUNT(*) AS n FROM accounts", "a test").item() == 2


def test_a_catalogue_with_a_harmful_definition_is_not_signed() -> None:
    check_definitions(CATALOGUE)
    with pytest.raises(OperatorError) as caught:
        check_definitions(with_deposits(definition="SELECT * FROM read_csv('/etc/passwd')"))
    assert caught.value.code == "local/definition"
