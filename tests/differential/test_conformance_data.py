"""Conformance inputs about data and SQL meaning (D2, D6, D7, D9, D10, D11), from a registered file to the result.

Registration alone is in tests/unit/parties/data; this is what the analyst gets.
"""

import json
import os
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal

import polars as pl
import pytest

from consortia.plans.catalogue import KeyDomain
from consortia.plans.obligations import Obligations
from tests.fixtures_catalogue import BANKS, BOOL, CUSTOMER, INT, TIMESTAMP, column
from tests.fixtures_catalogue import ColumnType as Type
from tests.pooled_banks import Banks

K, X = column("k", CUSTOMER, max_distinct=50), column("x", INT, -1000, 1000, nullable=True)
AT_TWO_BANKS = "SELECT k FROM t GROUP BY k HAVING COUNT(DISTINCT member()) >= 2"
WHOLE = "SELECT COUNT(*) AS n, COUNT(x) AS known, SUM(x) AS s, AVG(x) AS a FROM t"
ROW_BY_ROW = Obligations(pre_aggregate=False)


# --- D2: nothing in common, nothing at all -------------------------------------------------------------------------


def test_d2_disjoint_keys_give_no_row_and_no_error(tmp_path: Path) -> None:
    banks = Banks(tmp_path, K, X)
    for place, bank in enumerate(BANKS):
        banks.csv(bank, "k,x\n" + "".join(f"{place}{number},1\n" for number in range(5)))
    assert banks.alerts(AT_TWO_BANKS) == {bank: [] for bank in BANKS}
    assert banks.ask("SELECT SUM(x) AS s FROM t HAVING COUNT(*) > 99").rows() == []


@pytest.mark.parametrize("pre_aggregate", [True, False])
def test_d2_an_empty_table_counts_for_nothing_and_three_empty_ones_give_count_0_and_sum_null(
    tmp_path: Path, pre_aggregate: bool
) -> None:
    obligations = Obligations(pre_aggregate=pre_aggregate)
    banks = Banks(tmp_path, K, X)
    assert banks.ask(WHOLE, obligations).rows() == [(0, 0, None, None)]
    assert banks.ask("SELECT x, COUNT(*) AS n FROM t GROUP BY x", obligations).rows() == []
    assert banks.alerts(AT_TWO_BANKS, obligations) == {bank: [] for bank in BANKS}
    banks.csv("bank-b", "k,x\n1,5\n2,\n")
    assert banks.ask(WHOLE, obligations).rows() == [(2, 1, 5, Decimal("5.000000"))]
    banks.csv("bank-c", "k,x\n1,7\n")
    assert banks.alerts(AT_TWO_BANKS, obligations) == {
        "bank-a": [], "bank-b": [(banks.key("1"),)], "bank-c": [(banks.key("1"),)]
    }  # fmt: skip


def test_d2_under_a_minimum_an_empty_cell_is_suppressed_and_not_an_error(tmp_path: Path) -> None:
    banks = Banks(tmp_path, K, X)
    rules = Obligations(entity="k", minimum_entities=1, minimum_members=3)
    assert banks.ask(WHOLE, rules).rows() == [(None, None, None, None, True)]


# --- D6: leading zeros ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["csv", "parquet"])
def test_d6_00123_and_123_and_007_and_7_never_match(tmp_path: Path, source: str) -> None:
    banks = Banks(tmp_path, K)
    held = {"bank-a": ["00123", "007"], "bank-b": ["123", "7"], "bank-c": ["0123", "007"]}
    for bank, keys in held.items():
        if source == "csv":
            banks.csv(bank, "k\n" + "".join(f"{key}\n" for key in keys))
        else:
            banks.parquet(bank, pl.DataFrame({"k": keys}))
    assert banks.alerts(AT_TWO_BANKS) == {
        "bank-a": [(banks.key("007"),)], "bank-b": [], "bank-c": [(banks.key("007"),)]
    }  # fmt: skip
    assert banks.ask("SELECT COUNT(DISTINCT k) AS n FROM t").rows() == [(5,)]


def test_d6_a_bank_that_holds_the_key_as_integer_is_refused_before_anything_is_hashed(tmp_path: Path) -> None:
    banks = Banks(tmp_path, K)
    banks.csv("bank-a", "k\n00123\n")
    error = banks.desks["bank-b"].refused(pl.DataFrame({"k": [123]}))
    assert error.code == "data/column-type"
    assert "leading zeros" in error.remedy


# --- D7: exact integers and decimals beside a NULL -------------------------------------------------------------------

EXACT = (9007199254740993, 9999999999999999, -9007199254740993)
LONG = Decimal("649686000000001631.440")


@pytest.mark.parametrize("source", ["csv", "parquet"])
def test_d7_what_a_float_rounds_comes_back_to_the_last_digit_beside_nulls(tmp_path: Path, source: str) -> None:
    banks = Banks(
        tmp_path,
        column("x", INT, -(10**16), 10**16, nullable=True),
        column("d", Type(kind="decimal", scale=3), -(10**21), 10**21, nullable=True),
    )
    for bank in BANKS:
        if source == "csv":
            lines = [*(f"{x},\n" for x in EXACT), f",{LONG}\n", ",\n"]
            banks.csv(bank, "x,d\n" + "".join(lines))
        else:
            x = pl.Series("x", [*EXACT, None, None], dtype=pl.Int64)
            d = pl.Series("d", [None] * 3 + [LONG, None], dtype=pl.Decimal(38, 3))
            banks.parquet(bank, pl.DataFrame([x, d]))
    grouped = banks.ask("SELECT x, d, COUNT(*) AS n FROM t GROUP BY x, d ORDER BY x, d", ROW_BY_ROW)
    assert grouped.rows() == [*((x, None, 3) for x in sorted(EXACT)), (None, LONG, 3), (None, None, 3)]
    sums = banks.ask("SELECT SUM(x) AS x, SUM(d) AS d, COUNT(x) AS nx, COUNT(d) AS nd FROM t")
    assert sums.rows() == [(3 * sum(EXACT), 3 * LONG, 9, 3)]
    assert not any(kind.is_float() for kind in (*grouped.dtypes, *sums.dtypes))


# --- D9: normal forms ----------------------------------------------------------------------------------------------

COMPOSED, DECOMPOSED = unicodedata.normalize("NFC", "José"), unicodedata.normalize("NFD", "José")
HAN_COMPATIBILITY, HAN = "\ufa19", "\u795e"
"""One character with two code points, the first of which NFC turns into the second."""


def test_d9_equal_identifiers_in_two_normal_forms_match_and_lookalikes_do_not(tmp_path: Path) -> None:
    banks = Banks(tmp_path, K)
    banks.csv("bank-a", f"k\n{COMPOSED}\n123\n{HAN}\n")
    banks.csv("bank-b", f"k\n{DECOMPOSED}\n１２３\n{HAN_COMPATIBILITY}\n")
    matched = {(banks.key(COMPOSED),), (banks.key(HAN),)}
    found = banks.alerts(AT_TWO_BANKS)
    assert {bank: set(rows) for bank, rows in found.items()} == {
        "bank-a": matched, "bank-b": matched, "bank-c": set()
    }  # fmt: skip


def test_d9_the_normal_form_is_part_of_the_plan_hash_and_of_every_key(tmp_path: Path) -> None:
    def banks(normal_form: Literal["nfc", "none"]) -> Banks:
        domain = KeyDomain(name="customer", id_type="number", normal_form=normal_form, key_id="aa")
        return Banks(tmp_path / normal_form, K, domain=domain)

    normal, as_is = banks("nfc"), banks("none")
    assert normal.plan(AT_TWO_BANKS).digest() != as_is.plan(AT_TWO_BANKS).digest()
    as_is.csv("bank-a", f"k\n{COMPOSED}\n")
    as_is.csv("bank-b", f"k\n{DECOMPOSED}\n")
    assert as_is.alerts(AT_TWO_BANKS) == {bank: [] for bank in BANKS}


# --- D10: time zones -----------------------------------------------------------------------------------------------

MIDNIGHT = datetime(2024, 12, 6)
BY_TIME = (
    "SELECT ts, COUNT(*) AS n FROM t WHERE ts >= TIMESTAMP '2024-12-06 00:00:00' "
    "AND ts < DATE '2024-12-07' GROUP BY ts ORDER BY ts"
)
PROGRAM = """
import sys
from pathlib import Path
from tests.differential import test_conformance_data as here
print(here.counted_by_time(Path(sys.argv[1])))
"""


def counted_by_time(folder: Path) -> str:
    """Naive midnights from Parquet and CSV, declared as UTC and as Tehran's, counted on shares; as JSON."""
    banks = Banks(folder, column("ts", TIMESTAMP))
    banks.parquet("bank-a", pl.DataFrame({"ts": [MIDNIGHT]}), ts="{from: ts, time_zone: UTC}")
    banks.csv("bank-b", f"ts\n{MIDNIGHT}\n", ts="{from: ts, time_zone: UTC}")
    banks.parquet(
        "bank-c", pl.DataFrame({"ts": [datetime(2024, 12, 6, 3, 30)]}), ts="{from: ts, time_zone: Asia/Tehran}"
    )
    frame = banks.ask(BY_TIME, ROW_BY_ROW)
    return json.dumps([(str(ts), n) for ts, n in frame.rows()])


@pytest.mark.parametrize("zone", ["Asia/Tehran", "America/St_Johns"])
def test_d10_a_naive_midnight_stays_midnight_whatever_the_zone_of_the_process(tmp_path: Path, zone: str) -> None:
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "other")],
        env={**os.environ, "TZ": zone},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(found.stdout) == [["2024-12-06 00:00:00+00:00", 3]]


def test_d10_a_time_without_a_declared_zone_never_reaches_a_query(tmp_path: Path) -> None:
    banks = Banks(tmp_path, column("ts", TIMESTAMP))
    assert banks.desks["bank-a"].refused(pl.DataFrame({"ts": [MIDNIGHT]})).code == "data/naive-time"
    banks.parquet("bank-a", pl.DataFrame({"ts": [MIDNIGHT.replace(tzinfo=UTC)]}))
    assert banks.ask(BY_TIME, ROW_BY_ROW).rows() == [(MIDNIGHT.replace(tzinfo=UTC), 1)]


# --- D11: three-valued logic ---------------------------------------------------------------------------------------

FLAGS = (True, False, None)
WORDS = {True: "true", False: "false", None: ""}
CONDITIONS: dict[str, Callable[[bool | None], bool]] = {
    "NOT flag": lambda flag: flag is False,
    "flag": lambda flag: flag is True,
    "NOT (NOT flag)": lambda flag: flag is True,
    "NOT flag OR flag": lambda flag: flag is not None,
    "flag IS NULL": lambda flag: flag is None,
    "NOT (flag IS TRUE)": lambda flag: flag is not True,
    "flag IS NOT FALSE": lambda flag: flag is not False,
    "flag = FALSE": lambda flag: flag is False,
    "flag <> TRUE": lambda flag: flag is False,
    "NOT flag AND x NOT IN (1, NULL)": lambda flag: False,
}


@pytest.fixture(scope="module")
def flagged(tmp_path_factory: pytest.TempPathFactory) -> Banks:
    banks = Banks(tmp_path_factory.mktemp("flags"), column("flag", BOOL, nullable=True), column("x", INT, 0, 9))
    codes = "{from: flag, codes: {'true': 'true', 'false': 'false'}}"
    for bank in BANKS:
        banks.csv(bank, "flag,x\n" + "".join(f"{WORDS[flag]},2\n" for flag in FLAGS), flag=codes)
    return banks


@pytest.mark.parametrize("pre_aggregate", [True, False])
@pytest.mark.parametrize("condition", CONDITIONS)
def test_d11_where_keeps_what_is_true_and_neither_false_nor_null(
    flagged: Banks, condition: str, pre_aggregate: bool
) -> None:
    kept = Counter(flag for flag in FLAGS for _ in BANKS if CONDITIONS[condition](flag))
    sql = f"SELECT flag, COUNT(*) AS n FROM t WHERE {condition} GROUP BY flag"
    rows = flagged.ask(sql, Obligations(pre_aggregate=pre_aggregate)).rows()
    assert dict(rows) == kept
    assert len(rows) == len(kept)
