"""Registration of every type from CSV and Parquet: exact values in, or a refusal with its place and nothing written."""

import os
import subprocess
import sys
import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from consortia.plans.catalogue import CatalogueColumn, KeyDomain
from consortia.trust.domain_keys import HashDomain, hash_keys
from tests.fixtures_catalogue import BOOL, CURRENCY, CUSTOMER, DATE, INT, TEXT, TIMESTAMP, column
from tests.fixtures_catalogue import ColumnType as Type
from tests.world_data import Desk, catalogue_of, domain_key


def desk(folder: Path, *columns: CatalogueColumn, max_rows: int = 1000) -> Desk:
    return Desk(folder, catalogue_of(*columns, max_rows=max_rows))


# --- numbers -----------------------------------------------------------------------------------------------------

EXACT = [9007199254740993, 9999999999999999, -9007199254740993, None]
"""D7: integers that a float rounds, and a NULL that makes other readers use floats."""


def test_integers_beyond_2_53_beside_a_null_stay_exact_from_csv(tmp_path: Path) -> None:
    made = desk(tmp_path, column("x", INT, -(10**16), 10**16, nullable=True), column("y", INT, 0, 9))
    text = "x,y\n" + "".join(f"{'' if x is None else x},1\n" for x in EXACT)
    assert made.csv(text)["x"].to_list() == [*sorted(x for x in EXACT if x is not None), None]


def test_integers_beyond_2_53_beside_a_null_stay_exact_from_parquet(tmp_path: Path) -> None:
    made = desk(tmp_path, column("x", INT, -(10**16), 10**16, nullable=True))
    for dtype in (pl.Int64, pl.Int128, pl.Decimal(38, 0), pl.String):
        texts = [None if x is None else str(x) for x in EXACT]
        frame = pl.DataFrame({"x": pl.Series(texts, dtype=pl.String).cast(dtype)})
        assert made.parquet(frame)["x"].to_list() == [*sorted(x for x in EXACT if x is not None), None]


@pytest.mark.parametrize("source", ["csv", "parquet"])
def test_a_decimal_of_21_digits_beside_a_null_stays_exact(tmp_path: Path, source: str) -> None:
    made = desk(tmp_path, column("x", Type(kind="decimal", scale=3), 0, 10**24, nullable=True))
    if source == "csv":
        frame = made.csv('x\n649686000000001631.440\n""\n'.replace('""', "NULL"), dialect='{null_words: ["NULL"]}')
    else:
        value = pl.Series("x", ["649686000000001631.440", None]).cast(pl.Decimal(38, 3))
        frame = made.parquet(pl.DataFrame([value]))
    assert frame["x"].to_list() == [Decimal(649686000000001631440), None]


def test_bounds_of_64_bits_make_an_int64_column_and_wider_ones_a_decimal(tmp_path: Path) -> None:
    made = desk(tmp_path, column("x", INT, -(2**63), 2**63 - 1), column("y", INT, 0, 2**63))
    assert made.csv(f"x,y\n{-(2**63)},{2**63}\n").schema == {"x": pl.Int64(), "y": pl.Decimal(38, 0)}


def test_a_floating_point_column_is_refused_whatever_it_holds(tmp_path: Path) -> None:
    made = desk(tmp_path, column("x", INT, 0, 9), column("z", Type(kind="decimal", scale=2), 0, 900))
    for name, other in (("x", "z"), ("z", "x")):
        frame = pl.DataFrame({name: pl.Series([1.0], dtype=pl.Float64), other: pl.Series([1], dtype=pl.Int64)})
        error = made.refused(frame)
        assert error.code == "data/column-type"
        assert name in error.place
        assert "floating point" in error.remedy


def test_a_value_outside_its_bounds_is_refused_with_its_line_and_never_shown(tmp_path: Path) -> None:
    made = desk(tmp_path, column("x", INT, 0, 127), column("y", INT, 0, 9))
    error = made.refused("x,y\n127,1\n300,1\n12,1\n-1,1\n")
    assert (error.code, error.place) == ("data/bounds", "t.csv, line 3, column `x`")
    assert "and 1 more" in error.message
    assert "300" not in str(error)


def test_the_row_of_a_parquet_file_is_named(tmp_path: Path) -> None:
    error = desk(tmp_path, column("x", INT, 0, 127)).refused(pl.DataFrame({"x": [1, 2, 300]}))
    assert (error.code, error.place) == ("data/bounds", "t.parquet, row 3, column `x`")


def test_other_parties_learn_the_code_only(tmp_path: Path) -> None:
    error = desk(tmp_path, column("x", INT, 0, 127)).refused("x\n300\n")
    assert error.public("bank-a") == {"kind": "OperatorError", "code": "data/bounds", "party": "bank-a"}


@pytest.mark.parametrize("text", ["1.0", "1e3", "+1", " 1", "1_000", "0x10", "1,000", "١", "٣", "１", "", "--1", "NaN"])
def test_what_is_no_plain_integer_is_refused(tmp_path: Path, text: str) -> None:
    made = desk(tmp_path, column("x", INT, 0, 10**6), column("y", INT, 0, 9))
    error = made.refused(f'x,y\n"{text}",1\n')
    assert (error.code, error.place) == ("data/value", "t.csv, line 2, column `x`")


def test_leading_zeros_of_a_number_are_refused_with_advice_to_declare_a_key(tmp_path: Path) -> None:
    error = desk(tmp_path, column("x", INT, 0, 10**6)).refused("x\n007\n")
    assert error.code == "data/value"
    assert "007 and 7" in error.remedy


@pytest.mark.parametrize("text", ["1.005", "1.2.3", ".5", "5.", "1,50", "1'299.99", "01.50", "1e2", "∞"])
def test_what_is_no_exact_decimal_of_the_scale_is_refused(tmp_path: Path, text: str) -> None:
    made = desk(tmp_path, column("x", Type(kind="decimal", scale=2), 0, 10**6))
    assert made.refused(f'x\n"{text}"\n').code == "data/value"


def test_a_decimal_comma_is_read_where_it_is_declared(tmp_path: Path) -> None:
    made = desk(tmp_path, column("x", Type(kind="decimal", scale=2), -(10**6), 10**6))
    frame = made.csv('x\n"1299,99"\n"-0,01"\n7\n"1,500"\n', dialect='{decimal: ","}')
    assert frame["x"].to_list() == [-1, 150, 700, 129999]


def test_amounts_in_major_units_become_minor_ones_by_the_exponent_of_their_unit(tmp_path: Path) -> None:
    amount, unit = column("amount", Type(kind="int", unit="currency"), 0, 10**9), column("currency", CURRENCY)
    made = desk(tmp_path, amount, unit)
    mapping = "{from: amount, exponent: {EUR: 2, CHF: 0}}"
    assert made.csv("amount,currency\n12.30,EUR\n99,CHF\n", amount=mapping)["amount"].to_list() == [99, 1230]
    frame = pl.DataFrame({"amount": [Decimal("12.30"), Decimal("99.00")], "currency": ["EUR", "CHF"]})
    assert made.parquet(frame, amount=mapping)["amount"].to_list() == [99, 1230]
    assert made.refused("amount,currency\n1.50,CHF\n", amount=mapping).code == "data/value"
    assert made.refused("amount,currency\n1,USD\n", amount=mapping).code == "data/unit"


# --- words -------------------------------------------------------------------------------------------------------


def test_codes_map_the_files_words_to_the_catalogues(tmp_path: Path) -> None:
    made = desk(tmp_path, column("c", CURRENCY), column("f", BOOL, nullable=True))
    mapping = {"c": '{from: c, codes: {"978": EUR, "840": USD}}', "f": "{from: f, codes: {Y: 'true', N: 'false'}}"}
    assert made.csv("c,f\n978,Y\n840,N\n978,\n", **mapping).rows() == [("EUR", True), ("EUR", None), ("USD", False)]
    frame = pl.DataFrame({"c": [978, 840], "f": ["Y", "N"]})
    assert made.parquet(frame, **mapping).rows() == [("EUR", True), ("USD", False)]
    assert made.refused("c,f\n756,Y\n", **mapping).code == "data/unknown-word"
    assert made.refused("c,f\nEUR,Y\n", **mapping).code == "data/unknown-word"


def test_yaml_does_not_turn_country_codes_into_booleans(tmp_path: Path) -> None:
    made = desk(tmp_path, column("c", Type(kind="enum", domain="country", values=("NO", "SE"))))
    assert made.csv("c\nnorway\n", c="{from: c, codes: {norway: NO, sweden: SE}}")["c"].to_list() == ["NO"]


def test_an_unknown_word_is_refused_and_known_ones_are_shown(tmp_path: Path) -> None:
    error = desk(tmp_path, column("c", CURRENCY)).refused("c\nEUR\neur\n")
    assert (error.code, error.place) == ("data/unknown-word", "t.csv, line 3, column `c`")
    assert "`EUR`" in error.remedy


# --- times -------------------------------------------------------------------------------------------------------


def micros(moment: datetime) -> int:
    return round(moment.replace(tzinfo=UTC).timestamp()) * 1_000_000


def test_dates_are_read_in_the_declared_form_only(tmp_path: Path) -> None:
    made = desk(tmp_path, column("d", DATE))
    assert made.csv("d\n2024-02-29\n0001-01-01\n")["d"].to_list() == [date(1, 1, 1), date(2024, 2, 29)]
    assert made.csv("d\n03.04.2024\n", dialect="{date: DD.MM.YYYY}")["d"].to_list() == [date(2024, 4, 3)]
    for wrong in ("2023-02-29", "2024-2-9", "24-02-29", "2024-02-29T00:00:00", "20240229", "2024/02/29"):
        assert made.refused(f"d\n{wrong}\n").code == "data/value"


def test_instants_are_read_with_their_zone(tmp_path: Path) -> None:
    made = desk(tmp_path, column("ts", TIMESTAMP))
    text = "ts\n2024-12-06T00:00:00Z\n2024-12-06 02:00:00.000001+02:00\n2024-12-05T18:00-06:00\n"
    start = datetime(2024, 12, 6)
    assert [micros(ts) + ts.microsecond for ts in made.csv(text)["ts"]] == [
        micros(start),
        micros(start),
        micros(start) + 1,
    ]


def test_a_time_without_zone_is_refused_until_one_is_declared(tmp_path: Path) -> None:
    made = desk(tmp_path, column("ts", TIMESTAMP))
    naive = pl.DataFrame({"ts": [datetime(2024, 12, 6)]})
    assert made.refused("ts\n2024-12-06T00:00:00\n").code == "data/naive-time"
    assert made.refused(naive).code == "data/naive-time"
    for zone, hours in (("UTC", 0), ("Asia/Tehran", -3.5)):
        declared = f"{{from: ts, time_zone: {zone}}}"
        expected = micros(datetime(2024, 12, 6)) + int(hours * 3_600_000_000)
        for frame in (made.csv("ts\n2024-12-06T00:00:00\n", ts=declared), made.parquet(naive, ts=declared)):
            assert frame["ts"].cast(pl.Int64).to_list() == [expected]


def test_a_declared_zone_beside_the_values_own_is_refused(tmp_path: Path) -> None:
    made = desk(tmp_path, column("ts", TIMESTAMP))
    aware = pl.DataFrame({"ts": pl.Series([datetime(2024, 12, 6)], dtype=pl.Datetime("us", "UTC"))})
    for content in ("ts\n2024-12-06T00:00:00Z\n", aware):
        assert made.refused(content, ts="{from: ts, time_zone: UTC}").code == "data/zoned-time"


def test_local_times_that_occur_twice_or_never_are_refused(tmp_path: Path) -> None:
    made = desk(tmp_path, column("ts", TIMESTAMP))
    vienna = "{from: ts, time_zone: Europe/Vienna}"
    for wrong in ("2024-10-27T02:30:00", "2024-03-31T02:30:00"):
        error = made.refused(f"ts\n2024-06-01T00:00:00\n{wrong}\n", ts=vienna)
        assert (error.code, error.place) == ("data/local-time", "t.csv, line 3, column `ts`")


def test_nanoseconds_are_refused_only_where_they_would_be_lost(tmp_path: Path) -> None:
    made = desk(tmp_path, column("ts", TIMESTAMP))
    kind = pl.Datetime("ns", "UTC")
    assert made.parquet(pl.DataFrame({"ts": pl.Series([5000], dtype=pl.Int64).cast(kind)}))["ts"].cast(pl.Int64)[0] == 5
    assert made.refused(pl.DataFrame({"ts": pl.Series([5001], dtype=pl.Int64).cast(kind)})).code == "data/value"
    assert made.refused("ts\n2024-12-06T00:00:00.0000001Z\n").code == "data/value"


PROGRAM = """
import sys
from pathlib import Path
from tests.unit.parties.data import test_register_values as here
print(here.root_of_times(Path(sys.argv[1])))
"""


def root_of_times(folder: Path) -> str:
    made = Desk(folder, catalogue_of(column("ts", TIMESTAMP), column("d", DATE)), salt=bytes)
    naive = pl.DataFrame({"ts": [datetime(2024, 12, 6)], "d": [date(2024, 12, 6)]})
    made.parquet(naive, ts="{from: ts, time_zone: UTC}")
    return made.store.current("t").document.root


def test_the_process_time_zone_changes_nothing(tmp_path: Path) -> None:
    roots = set()
    for zone in ("UTC", "Asia/Tehran", "America/St_Johns"):
        folder = tmp_path / zone.replace("/", "-")
        folder.mkdir()
        found = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(folder)],
            env={**os.environ, "TZ": zone},
            cwd=Path(__file__).parents[4],
            capture_output=True,
            text=True,
            check=True,
        )
        roots.add(found.stdout.strip())
    assert roots == {root_of_times(tmp_path)}


# --- keys and texts ----------------------------------------------------------------------------------------------


def hashed(*values: str, normal_form: str = "nfc") -> list[bytes]:
    domain = HashDomain("testers", "customer", "number", normal_form, 96)  # type: ignore[arg-type]  # a form's name
    return [value for value in hash_keys(domain_key("customer", "aa"), domain, values) if value is not None]


def test_leading_zeros_of_keys_stay_so_that_007_and_7_never_match(tmp_path: Path) -> None:
    made = desk(tmp_path, column("k", CUSTOMER, nullable=True))
    assert sorted(made.csv("k\n00123\n123\n")["k"]) == sorted(hashed("00123", "123"))
    assert len(set(hashed("00123", "123"))) == 2


def test_a_null_key_stays_null_and_keys_are_96_bits(tmp_path: Path) -> None:
    made = desk(tmp_path, column("k", CUSTOMER, nullable=True), column("y", INT, 0, 9))
    frame = made.csv("k,y\n,1\n7,1\n")
    assert frame["k"].to_list() == [*hashed("7"), None]
    assert len(frame["k"][0]) == 12


def test_a_key_column_of_integers_is_refused(tmp_path: Path) -> None:
    error = desk(tmp_path, column("k", CUSTOMER)).refused(pl.DataFrame({"k": [123]}))
    assert error.code == "data/column-type"
    assert "leading zeros" in error.remedy


def test_composed_and_decomposed_letters_are_one_key(tmp_path: Path) -> None:
    made = desk(tmp_path, column("k", CUSTOMER), column("t", TEXT))
    composed, decomposed = unicodedata.normalize("NFC", "José"), unicodedata.normalize("NFD", "José")
    frame = made.csv(f"k,t\n{composed},{composed}\n{decomposed},{decomposed}\n")
    assert frame["k"].to_list() == hashed("José") * 2
    assert frame["t"].to_list() == [composed] * 2


def test_letters_that_nfc_keeps_apart_are_two_keys(tmp_path: Path) -> None:
    made = desk(tmp_path, column("k", CUSTOMER))
    assert made.csv("k\n123\n１２３\n")["k"].n_unique() == 2


def test_a_domain_without_normal_form_keeps_them_apart(tmp_path: Path) -> None:
    domain = KeyDomain(name="customer", id_type="number", normal_form="none", key_id="aa")
    made = Desk(tmp_path, catalogue_of(column("k", CUSTOMER), domains=(domain,)))
    texts = unicodedata.normalize("NFC", "José"), unicodedata.normalize("NFD", "José")
    assert sorted(made.csv(f"k\n{texts[0]}\n{texts[1]}\n")["k"]) == sorted(hashed(*texts, normal_form="none"))


@pytest.mark.parametrize("key", ['""', '" 7"', '"7 "', '"7\u00a0"', '"7\t"', '"7\n8"', '"7\u200b"'])
def test_keys_that_look_like_others_are_refused(tmp_path: Path, key: str) -> None:
    made = desk(tmp_path, column("k", CUSTOMER, nullable=True), column("y", INT, 0, 9))
    assert made.refused(f"k,y\n{key},1\n").code == "data/key"


def test_white_space_around_keys_is_taken_away_where_the_schema_says_so(tmp_path: Path) -> None:
    made = desk(tmp_path, column("k", CUSTOMER))
    assert made.csv('k\n" 7 "\n', k="{from: k, trim: yes}")["k"].to_list() == hashed("7")


def test_identifiers_lie_in_one_file_that_the_member_may_remove(tmp_path: Path) -> None:
    made = desk(tmp_path, column("k", CUSTOMER))
    made.csv("k\nVERY-SECRET-IDENTIFIER\n")
    holding = [path for path in made.store.folder.rglob("*") if path.is_file() and b"VERY-SECRET" in path.read_bytes()]
    assert [path.name for path in holding] == ["identifiers.parquet"]
    holding[0].unlink()
    assert made.store.current("t").document.rows == 1


# --- NULLs, sizes, columns ---------------------------------------------------------------------------------------


def test_a_null_where_none_may_be_is_refused(tmp_path: Path) -> None:
    made = desk(tmp_path, column("x", INT, 0, 9), column("y", INT, 0, 9, nullable=True))
    assert made.refused("x,y\n1,\n,1\n").place == "t.csv, line 3, column `x`"
    assert (
        made.refused(pl.DataFrame({"x": [None], "y": [1]}, schema={"x": pl.Int64, "y": pl.Int64})).code == "data/null"
    )


def test_null_words_count_outside_quotes_only(tmp_path: Path) -> None:
    made = desk(tmp_path, column("t", TEXT, nullable=True), column("y", INT, 0, 9))
    frame = made.csv('t,y\nN/A,1\n"N/A",1\n"",1\n', dialect='{null_words: ["N/A"]}')
    assert sorted(frame["t"].to_list(), key=str) == ["", "N/A", None]


def test_more_rows_or_distinct_keys_than_the_catalogue_allows_are_refused(tmp_path: Path) -> None:
    made = desk(tmp_path, column("k", CUSTOMER, max_distinct=2), max_rows=3)
    assert made.csv("k\n1\n2\n1\n").height == 3
    assert made.refused("k\n1\n1\n1\n1\n").code == "data/too-many-rows"
    assert made.refused(pl.DataFrame({"k": ["1"] * 4})).code == "data/too-many-rows"
    assert made.refused("k\n1\n2\n3\n").code == "data/too-many-distinct"


def test_tables_without_rows_are_correct(tmp_path: Path) -> None:
    made = desk(tmp_path, column("k", CUSTOMER), column("x", INT, 0, 2**70), column("ts", TIMESTAMP))
    kinds = {"k": pl.Binary(), "x": pl.Decimal(38, 0), "ts": pl.Datetime("us")}
    assert made.csv("k,x,ts\n").schema == kinds
    empty = pl.DataFrame(schema={"k": pl.String, "x": pl.Int64, "ts": pl.Datetime("us", "UTC")})
    frame = made.parquet(empty)
    assert (frame.height, frame.schema) == (0, kinds)


def test_one_row_and_all_null_are_correct(tmp_path: Path) -> None:
    made = desk(tmp_path, column("k", CUSTOMER, nullable=True), column("x", INT, 0, 9, nullable=True))
    assert made.csv("k,x\n,\n").rows() == [(None, None)]
    assert made.parquet(pl.DataFrame({"k": [None, None], "x": [None, None]})).rows() == [(None, None)] * 2


def test_headers_must_be_those_of_the_schema(tmp_path: Path) -> None:
    made = desk(tmp_path, column("uid", INT, 0, 9), column("y", INT, 0, 9))
    assert made.refused("uid,z,y\n1,1,1\n").code == "data/unknown-column"
    assert made.csv("uid,z,y\n1,1,2\n", ignore="[z]").rows() == [(1, 2)]
    missing = made.refused("uuid,y\n1,1\n")
    assert missing.code == "data/missing-column"
    assert "`uuid`" in missing.remedy
    twice = made.refused("uid,y,uid\n1,1,1\n")
    assert twice.code == "data/duplicate-column"
    assert "1 and 3" in twice.message
    assert made.refused("UID,y\n1,1\n").code == "data/missing-column"


def test_a_byte_order_mark_does_not_hide_the_first_column(tmp_path: Path) -> None:
    made = desk(tmp_path, column("uid", INT, 0, 9))
    assert made.csv(b'\xef\xbb\xbf"uid"\r\n7\r\n').rows() == [(7,)]


def test_lines_of_other_lengths_are_refused(tmp_path: Path) -> None:
    made = desk(tmp_path, column("x", INT, 0, 9), column("y", INT, 0, 9))
    for line in ("1", "1,2,3", "", "total: 2 rows"):
        error = made.refused(f"x,y\n1,2\n{line}\n")
        assert (error.code, error.place) == ("data/csv", "t.csv, line 3")


def test_the_first_fault_of_the_file_is_told_and_all_are_counted(tmp_path: Path) -> None:
    made = desk(tmp_path, column("x", INT, 0, 9), column("y", INT, 0, 9))
    error = made.refused("x,y\n1,1\n1,a\nb,1\n99,c\n")
    assert (error.code, error.place) == ("data/value", "t.csv, line 3, column `y`")
    assert "and 3 more faulty values" in error.message
