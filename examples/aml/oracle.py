"""The plain answer on the pooled files, by other means: DuckDB and Python integers, nothing of the product.

It takes the same SQL text as the joint run. What DuckDB would do differently is done here in Python integers: means
and variances (DuckDB's are doubles) from exact sums, rounded half away from zero to six digits; quantiles from the
values themselves. ``member()`` becomes the holder's column. The minimum-contributor rule is applied the plain way, by
counting. Matches of watchlists are taken from their definition in words, not from the query.
"""

import argparse
import math
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import duckdb

Cell = str | int | bool | Decimal | None

DEPOSITS = """
CREATE VIEW deposits AS
SELECT a.customer_key, t.ts, t.amount_minor, t.currency, a.country, t.holder
FROM transactions t JOIN accounts a ON a.account_id = t.to_account AND a.bank = t.holder
WHERE t.format = 'cash' AND t.from_bank IS NULL AND t.to_bank = t.holder
"""

MOST_CASH = 30_000_000
CASH_MONTHS = f"""
CREATE VIEW cash_months AS
SELECT a.customer_key, strftime(t.ts, '%Y-%m-01') AS month, a.country, a.segment, t.currency, t.holder,
  count(*) AS deposits, least(SUM(t.amount_minor), {MOST_CASH})::BIGINT AS amount_minor
FROM transactions t JOIN accounts a ON a.account_id = t.to_account AND a.bank = t.holder
WHERE t.format = 'cash' AND t.from_bank IS NULL AND t.to_bank = t.holder
  AND t.ts >= TIMESTAMP '2026-08-01' AND t.ts < TIMESTAMP '2027-02-01'
GROUP BY ALL
"""  # noqa: S608  # a number of this file
MEAN = re.compile(r"\bAVG\((\w+)\)")
SPREAD = re.compile(r"\b(VARIANCE|STDDEV)\((\w+)\)")
MIDDLE = re.compile(r"\bMEDIAN\((\w+)\)")
SHARE = re.compile(r"\bPERCENTILE_DISC\((0\.\d+)\) WITHIN GROUP \(ORDER BY (\w+)\)")


def pooled(folder: Path) -> duckdb.DuckDBPyConnection:
    """All banks' Parquet files, each row with its holder, and the local tables made of them.

    ``accounts``, ``transactions``, ``deposits``, and where the banks have watchlists ``watchlist`` and ``cash_months``.
    """
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name in ("accounts", "transactions"):
        files = f"{folder}/*/{name}.parquet"
        connection.execute(
            f"CREATE VIEW all_{name} AS SELECT *, parse_path(filename)[-2] AS holder "  # noqa: S608  # own file names
            f"FROM read_parquet('{files}', filename = true)"
        )
    connection.execute("CREATE VIEW accounts AS SELECT * FROM all_accounts")
    connection.execute(
        "CREATE VIEW transactions AS SELECT * REPLACE (ts AT TIME ZONE 'UTC' AS ts) FROM all_transactions"
    )
    connection.execute(DEPOSITS)
    if any(folder.glob("*/watchlist.parquet")):
        connection.execute(
            "CREATE VIEW watchlist AS SELECT *, parse_path(filename)[-2] AS holder "  # noqa: S608  # own file names
            f"FROM read_parquet('{folder}/*/watchlist.parquet', filename = true)"
        )
        connection.execute(CASH_MONTHS)
    return connection


def matches(connection: duckdb.DuckDBPyConnection, bank: str, lists: int, day: str) -> list[str]:
    """Customers of ``bank`` who stand in the lists of at least ``lists`` other banks on ``day``, sorted."""
    found = connection.execute(
        "SELECT w.customer_key FROM watchlist w WHERE w.holder <> ? AND w.expires >= ?::DATE AND w.customer_key IN "
        "(SELECT customer_key FROM accounts WHERE holder = ?) "
        "GROUP BY w.customer_key HAVING COUNT(DISTINCT w.holder) >= ? ORDER BY w.customer_key",
        [bank, day, bank, lists],
    )
    return [str(row[0]) for row in found.fetchall()]


def matches_over_banks(connection: duckdb.DuckDBPyConnection, day: str) -> dict[str, set[str]]:
    """Customers of one bank who stand in another's list on ``day``: the banks that serve or list each."""
    found = connection.execute(
        "SELECT customer_key, list(DISTINCT a.holder), list(DISTINCT w.holder) "
        "FROM accounts a JOIN watchlist w USING (customer_key) WHERE w.expires >= ?::DATE "
        "GROUP BY customer_key HAVING bool_or(a.holder <> w.holder)",
        [day],
    )
    return {customer: {*served, *listed} for customer, served, listed in found.fetchall()}


def answer(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Cell, ...]]:
    """The rows of ``sql``, exact to the last digit."""
    return [tuple(_exact(cell) for cell in row) for row in connection.execute(_plain(sql)).fetchall()]


def shown(
    connection: duckdb.DuckDBPyConnection, sql: str, recipient: str, minimum_entities: int, minimum_members: int
) -> tuple[list[tuple[Cell, ...]], int]:
    """The rows that ``recipient`` may see, and how many it may not.

    Contributors are counted over rows of the other members; the recipient itself counts as a member always.
    """
    others = f"CASE WHEN holder <> '{recipient}' THEN {{}} END"
    counted = re.sub(
        r"\bFROM\b",
        f", COUNT(DISTINCT {others.format('customer_key')}), COUNT(DISTINCT {others.format('holder')}) FROM",
        sql,
        count=1,
    )
    rows = answer(connection, counted)
    passing = [
        row[:-2] for row in rows if _at_least(row[-2], minimum_entities) and _at_least(row[-1], minimum_members - 1)
    ]
    return passing, len(rows) - len(passing)


def alerts(connection: duckdb.DuckDBPyConnection, sql: str, key: str = "customer_key") -> dict[str, list[str]]:
    """By member, the keys of ``sql``'s answer that have a row at that member among those the WHERE keeps."""
    condition = condition_of(sql)
    hits = connection.execute(_plain(sql)).fetchall()
    found: dict[str, list[str]] = {}
    pairs = connection.execute(
        f"SELECT DISTINCT holder, {key} FROM deposits WHERE {condition} ORDER BY ALL"  # noqa: S608  # the example's own text
    ).fetchall()
    wanted = {row[0] for row in hits}
    for holder, value in pairs:
        found.setdefault(holder, [])
        if value in wanted:
            found[holder].append(value)
    return found


def condition_of(sql: str) -> str:
    """The condition on rows of a query with GROUP BY."""
    where = re.search(r"\bWHERE\b(.*?)\bGROUP BY\b", sql, re.DOTALL)
    return where.group(1) if where else "TRUE"


def found_alone(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, list[str]]:
    """By member, the keys it would find by ``sql`` on its own rows, without the condition on several members."""
    several = re.compile(r"\s+AND\s+COUNT\(DISTINCT member\(\)\)\s*>=\s*\d+")
    holders = [row[0] for row in connection.execute("SELECT DISTINCT holder FROM deposits ORDER BY 1").fetchall()]
    found = {}
    for holder in holders:
        own = several.sub("", sql).replace("FROM deposits", f"FROM (SELECT * FROM deposits WHERE holder = '{holder}')")  # noqa: S608  # the example's own text
        found[holder] = [str(row[0]) for row in connection.execute(_plain(own)).fetchall()]
    return found


def rows_within(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    """How many deposits the query's condition on rows keeps."""
    found = connection.execute(f"SELECT count(*) FROM deposits WHERE {condition_of(sql)}").fetchall()  # noqa: S608  # as above
    return int(found[0][0])


def largest_alone(connection: duckdb.DuckDBPyConnection, sql: str, holder: str, count: int) -> list[str]:
    """The customers of ``holder`` with the largest sums of deposits there that the query's condition on rows keeps."""
    found = connection.execute(
        f"SELECT customer_key FROM deposits WHERE holder = ? AND ({condition_of(sql)}) "  # noqa: S608  # as above
        "GROUP BY customer_key ORDER BY SUM(amount_minor) DESC, customer_key LIMIT ?",
        [holder, count],
    )
    return [str(row[0]) for row in found.fetchall()]


def customers(connection: duckdb.DuckDBPyConnection, holder: str) -> set[str]:
    """Everybody whom ``holder`` serves."""
    found = connection.execute("SELECT customer_key FROM accounts WHERE holder = ?", [holder])
    return {str(row[0]) for row in found.fetchall()}


def _at_least(cell: Cell, minimum: int) -> bool:
    return isinstance(cell, int) and cell >= minimum


def _plain(sql: str) -> str:
    sums = r"'of': [COUNT({0})::HUGEINT, SUM({0})::HUGEINT, SUM({0}::HUGEINT * {0})::HUGEINT]}}"
    exact = MEAN.sub("{'what': 'AVG', " + sums.format(r"\1"), sql)
    exact = SPREAD.sub(r"{'what': '\1', " + sums.format(r"\2"), exact)
    exact = MIDDLE.sub(r"{'what': 'MEDIAN', 'of': list(\1)}", exact)
    exact = SHARE.sub(r"{'what': '\1', 'of': list(\2)}", exact)
    return exact.replace("member()", "holder")


def _exact(cell: object) -> Cell:
    if isinstance(cell, dict):
        return _made(cell["what"], cell["of"])
    if cell is None or isinstance(cell, str | int | Decimal):
        return cell
    raise TypeError(f"a {type(cell).__name__} is not exact")


def _made(what: str, of: list[int]) -> Cell:
    """A mean, variance or deviation of (number, sum, sum of squares); a quantile of the values."""
    if what in ("AVG", "VARIANCE", "STDDEV"):
        count, total, squares = of
        if what == "AVG":
            return _half_away(Fraction(total, count), 6) if count else None
        if count < 2:  # of one value nothing is known of how values spread
            return None
        variance = Fraction(count * squares - total * total, count * (count - 1))
        return _half_away(variance, 6) if what == "VARIANCE" else _root(variance, 6)
    values = sorted(value for value in of if value is not None)
    if not values:
        return None
    if what == "MEDIAN":
        return _half_away(Fraction(values[(len(values) - 1) // 2] + values[len(values) // 2], 2), 1)
    return values[max(math.ceil(Fraction(what) * len(values)), 1) - 1]


def _root(value: Fraction, digits: int) -> Decimal:
    """The nearest number of so many digits: whole / 10^digits with 2 whole - 1 <= 2 root < 2 whole + 1."""
    scaled = value * 10 ** (2 * digits)
    whole = (math.isqrt(4 * scaled.numerator // scaled.denominator) + 1) // 2
    return Decimal(whole).scaleb(-digits)


def _half_away(value: Fraction, digits: int) -> Decimal:
    scaled = abs(value) * 10**digits
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return Decimal(whole if value >= 0 else -whole).scaleb(-digits)


def main() -> None:
    """Print the plain answer of a query file."""
    parser = argparse.ArgumentParser(description="the plain answer on the pooled files")
    parser.add_argument("sql", type=Path)
    parser.add_argument("--data", type=Path, default=Path("build/aml"))
    given = parser.parse_args()
    for row in answer(pooled(given.data), given.sql.read_text()):
        print(*row, sep="\t")


if __name__ == "__main__":
    main()
