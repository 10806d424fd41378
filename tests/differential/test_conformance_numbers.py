"""Conformance inputs about numbers (N1, N2, N8, N9, N10), from a registered file to the analyst's frame.

Equal to Python's integers to the last digit, or refused; never a number that varies. Sorting on shares alone is in
tests/unit/protocols/test_order.py, ranges and capacity alone in tests/unit/plans.
"""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from consortia.errors import RequestError
from consortia.plans.obligations import Obligations
from tests.fixtures_catalogue import BANKS, INT, column
from tests.fixtures_catalogue import ColumnType as Type
from tests.pooled_banks import Banks
from tests.world_data import decimal_text

WHOLE_SQL = "SELECT AVG(amount) AS mean, SUM(amount) AS total FROM t"
ROW_BY_ROW = Obligations(pre_aggregate=False)


# --- N1: AVG over 10,000 wide decimals -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Banks:
    """10,000 rows of 90000000000000.00 at each of three banks: the sum needs 71 bits."""
    kind = Type(kind="decimal", scale=2)
    banks = Banks(tmp_path_factory.mktemp("wide"), column("amount", kind, -(10**18 - 1), 10**18 - 1), max_rows=10_000)
    for bank in BANKS:
        banks.csv(bank, "amount\n" + "90000000000000.00\n" * 10_000)
    return banks


@pytest.mark.parametrize("obligations", [Obligations(), ROW_BY_ROW], ids=["owners-add-up", "row-by-row"])
def test_n1_average_and_sum_of_wide_decimals_are_exact_every_time(wide: Banks, obligations: Obligations) -> None:
    found = [wide.ask(WHOLE_SQL, obligations).rows() for _ in range(3)]
    assert found == [[(Decimal("90000000000000.00"), Decimal("2700000000000000000.00"))]] * 3


def test_n1_a_sum_that_no_accumulator_holds_is_refused_naming_column_bound_and_operator(tmp_path: Path) -> None:
    banks = Banks(tmp_path, column("amount", Type(kind="decimal", scale=2), 0, 10**35), max_rows=10_000)
    with pytest.raises(RequestError) as caught:
        banks.plan(WHOLE_SQL)
    assert caught.value.code == "plans/capacity"
    assert "amount" in str(caught.value)
    assert "SUM" in str(caught.value)


# --- N2: cents keep two decimals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["csv", "parquet"])
def test_n2_a_sum_of_cents_is_the_text_0_90_with_two_decimals(tmp_path: Path, source: str) -> None:
    banks = Banks(tmp_path, column("x", Type(kind="decimal", scale=2), 0, 10**6))
    for bank in BANKS:
        if source == "csv":
            banks.csv(bank, "x\n0.10\n0.20\n")
        else:
            banks.parquet(bank, pl.DataFrame({"x": [Decimal("0.10"), Decimal("0.20")]}))
    frame = banks.ask("SELECT SUM(x) AS s, AVG(x) AS a FROM t")
    assert [str(value) for value in frame.row(0)] == ["0.90", "0.15000000"]
    assert frame.schema == {"s": pl.Decimal(38, 2), "a": pl.Decimal(38, 8)}
    assert frame["s"].cast(pl.String).to_list() == ["0.90"]


# --- N8: the declared width is enforced ----------------------------------------------------------------------------


def test_n8_300_in_a_column_of_at_most_127_is_refused_and_the_bank_keeps_its_former_snapshot(tmp_path: Path) -> None:
    banks = Banks(tmp_path, column("x", INT, 0, 127))
    for bank in BANKS:
        banks.csv(bank, "x\n100\n27\n")
    error = banks.desks["bank-b"].refused("x\n100\n300\n")
    assert (error.code, error.place) == ("data/bounds", "t.csv, line 3, column `x`")
    assert "line" not in str(error.public("bank-b"))
    assert banks.ask("SELECT SUM(x) AS s FROM t").rows() == [(381,)]


def test_n8_sums_at_both_ends_of_the_declared_range_do_not_wrap(tmp_path: Path) -> None:
    for lo, hi in ((-128, 127), (-(2**63), 2**63 - 1)):
        banks = Banks(tmp_path / str(hi), column("x", INT, lo, hi))
        for bank in BANKS:
            banks.csv(bank, f"x\n{hi}\n{hi}\n{hi}\n{lo}\n")
        for obligations in (Obligations(), ROW_BY_ROW):
            frame = banks.ask("SELECT SUM(x) AS s, COUNT(x) AS n FROM t", obligations)
            assert [int(value) for value in frame.row(0)] == [3 * (3 * hi + lo), 12]


# --- N9: sorting ---------------------------------------------------------------------------------------------------

MIXED = [8_015_085, -3_374_791, -2_790_670, 3_513_380, 4_925_254]
UP_AND_DOWN = [10_000 * value for value in (*range(10, 0, -1), *range(1, 11), 99)]
SORTS = {
    "negatives": MIXED,
    "negatives-twice": MIXED + MIXED[::-1],
    "descending-then-ascending-and-99": UP_AND_DOWN,
    "all-equal": [70_000] * 20,
} | {f"{count}-rows": [(-1) ** i * 10_000 * (i % 5) for i in range(count)] for count in (0, 1, 15, 16, 17)}  # fmt: skip


@pytest.mark.parametrize("values", SORTS.values(), ids=SORTS.keys())
def test_n9_groups_over_three_banks_come_out_whole_and_in_order(tmp_path: Path, values: list[int]) -> None:
    """A sort on shares that puts equal values apart would give a group twice, a wrong order at the end shows."""
    banks = Banks(tmp_path, column("x", Type(kind="decimal", scale=4), -(10**8), 10**8), max_rows=21)
    for place, bank in enumerate(BANKS):
        banks.csv(bank, "x\n" + "".join(f"{decimal_text(value, 4)}\n" for value in values[place::3]))
    counts = Counter(values)
    wanted = [(Decimal(value) / 10_000, count) for value, count in sorted(counts.items())]
    for direction, rows in (("", wanted), (" DESC", wanted[::-1])):
        sql = f"SELECT x, COUNT(*) AS n FROM t GROUP BY x ORDER BY x{direction}"
        assert banks.ask(sql, ROW_BY_ROW).rows() == rows


# --- N10: one verdict for all forms of the same arithmetic -----------------------------------------------------------

FORMS = {
    "a + a": "SELECT a + a AS y FROM t GROUP BY a + a",
    "a * 2": "SELECT a * 2 AS y FROM t GROUP BY a * 2",
    "SUM(a)": "SELECT SUM(a) AS y FROM t",
    "SUM(a + a)": "SELECT SUM(a + a) AS y FROM t",
    "SUM(a * 2)": "SELECT SUM(a * 2) AS y FROM t",
    "SUM(a) + SUM(a)": "SELECT SUM(a) + SUM(a) AS y FROM t",
    "AVG(a)": "SELECT AVG(a) AS y FROM t",
}


@pytest.mark.parametrize("sql", FORMS.values(), ids=FORMS.keys())
def test_n10_arithmetic_over_38_nines_is_refused_in_every_form(tmp_path: Path, sql: str) -> None:
    banks = Banks(tmp_path, column("a", Type(kind="decimal"), -(10**38 - 1), 10**38 - 1), max_rows=2)
    banks.csv("bank-a", f"a\n{10**38 - 1}\n")
    banks.csv("bank-b", f"a\n{10**38 - 1}\n")
    with pytest.raises(RequestError) as caught:
        banks.plan(sql)
    assert caught.value.code == "plans/capacity"
    assert "`a`" in str(caught.value)


def test_n10_arithmetic_that_fits_is_exact_in_every_form(tmp_path: Path) -> None:
    top = 10**30 - 1
    banks = Banks(tmp_path, column("a", Type(kind="decimal"), -top, top), max_rows=2)
    banks.csv("bank-a", f"a\n{top}\n")
    banks.csv("bank-b", f"a\n{top}\n")
    wanted = {"AVG(a)": top, "SUM(a + a)": 4 * top, "SUM(a * 2)": 4 * top, "SUM(a) + SUM(a)": 4 * top}
    for form, sql in FORMS.items():
        assert banks.ask(sql)["y"].to_list() == [Decimal(wanted.get(form, 2 * top))], form
