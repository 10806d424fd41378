"""The catalogue as people write it."""

import pytest

from consortia.errors import RequestError
from consortia.plans.catalogue import Catalogue
from consortia.plans.catalogue_file import read_catalogue
from consortia.plans.types import Bounds

TEXT = """\
consortium: aml
purposes: [aml-detection]
enums:
  currency: [EUR, USD, "NO", "1.0"]
key-domains:
  customer: {id-type: customer-number, bits: 128}
tables:
  payments:
    holders: [bank-b, bank-a]
    max-rows: 60_000
    canonical: n >= 0 AND member() <> 'bank-c'
    columns:
      tx_id: text
      amount: {type: decimal(2), lo: -0.50, hi: 90071992547409.93, unit: currency}
      currency: enum(currency)
      n: {type: int, lo: -5, hi: 1_000_000_000_000_000_000_000}
      day: {type: date, lo: 1970-01-01, hi: 2026-12-31}
      ts: {type: timestamp, lo: 1970-01-01T00:00:00Z, hi: 1970-01-01T01:00:00.000001+01:00}
      flag: {type: bool, nullable: true}
      customer: {type: key(customer), max-distinct: 800}
"""
KEY_IDS = {"customer": "ab" * 32}


def read(text: str = TEXT) -> Catalogue:
    return read_catalogue(text, key_ids=KEY_IDS)


def test_bounds_become_carried_units_exactly() -> None:
    columns = {column.name: column for column in read().tables[0].columns}
    assert columns["amount"].bounds == Bounds(lo=-50, hi=9007199254740993)
    assert columns["n"].bounds == Bounds(lo=-5, hi=10**21)
    assert columns["day"].bounds == Bounds(lo=0, hi=20818)
    assert columns["ts"].bounds == Bounds(lo=0, hi=1)
    assert columns["tx_id"].bounds is None


def test_a_decimal_bound_of_more_than_28_digits_is_not_rounded() -> None:
    columns = read(TEXT.replace("90071992547409.93", "12345678901234567890123456789012.90")).tables[0].columns
    assert columns[1].bounds == Bounds(lo=-50, hi=1234567890123456789012345678901290)


def test_types_units_domains_and_order_are_taken_over() -> None:
    catalogue = read()
    table = catalogue.tables[0]
    columns = {column.name: column for column in table.columns}
    assert list(columns) == ["tx_id", "amount", "currency", "n", "day", "ts", "flag", "customer"]
    assert table.holders == ("bank-a", "bank-b")
    assert table.max_rows == 60_000
    assert table.canonical == "n >= 0 AND member() <> 'bank-c'"
    assert (columns["amount"].type.scale, columns["amount"].type.unit) == (2, "currency")
    assert columns["currency"].type.values == ("EUR", "USD", "NO", "1.0")
    assert columns["flag"].nullable
    assert (columns["customer"].type.domain, columns["customer"].type.bits) == ("customer", 128)
    assert columns["customer"].max_distinct == 800
    assert catalogue.key_domains[0].key_id == "ab" * 32


def test_the_document_comes_back_from_its_canonical_bytes() -> None:
    catalogue = read_catalogue(TEXT, version=7, previous="1" * 64, key_ids=KEY_IDS)
    assert (catalogue.version, catalogue.previous) == (7, "1" * 64)
    assert Catalogue.parse(catalogue.canonical()) == catalogue


FAULTS = [
    ("purposes: [aml-detection]", "purposes: aml-detection", 2),
    ("purposes: [aml-detection]", "purpose: [aml-detection]", 1),
    ("consortium: aml", "consortium: AML", 1),
    ("consortium: aml", "consortium: aml\nconsortium: aml", 2),
    ("consortium: aml", "consortium: aml\nextra: 1", 2),
    ("[EUR, USD", "[EUR, EUR", 15),
    ("bits: 128", "bits: 12", 6),
    ("bits: 128", "bits: 12.0", 6),
    ("bits: 128", "normal-form: nfd", 6),
    ("bits: 128", "key-id: cdcd", 6),
    ("[bank-b, bank-a]", "[bank-b, bank-b]", 9),
    ("[bank-b, bank-a]", "[]", 9),
    ("60_000", "6e4", 10),
    ("60_000", "many", 10),
    ("tx_id: text", "tx_id: float", 13),
    ("tx_id: text", "tx_id: text(3)", 13),
    ("tx_id: text", "tx_id: [text]", 13),
    ("tx_id: text", "Tx: text", 13),
    ("decimal(2)", "decimal", 14),
    ("decimal(2)", "decimal(x)", 14),
    ("lo: -0.50", "lo: -0.505", 14),
    ("lo: -0.50", "lo: NaN", 14),
    ("lo: -0.50", "lo: 1e400", 14),
    ("lo: -0.50", "lo: 90071992547409.94", 14),
    ("lo: -0.50, ", "", 14),
    ("lo: -0.50, hi: 90071992547409.93, ", "", 14),
    ("unit: currency", "unit: valuta", 13),
    ("unit: currency", "units: currency", 14),
    ("enum(currency)", "enum(land)", 15),
    ("lo: -5", "lo: -5.0", 16),
    ("lo: 1970-01-01,", "lo: 1970-02-30,", 17),
    ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00", 18),
    ("nullable: true", "nullable: yes", 19),
    ("nullable: true", "lo: 0, hi: 1", 19),
    ("key(customer)", "key(account)", 20),
    ("max-distinct: 800", "max-distinct: -", 20),
    ("consortium: aml", "consortium: {aml", 2),
]


@pytest.mark.parametrize(("old", "new", "line"), FAULTS, ids=[f"{new} for {old}" for old, new, _ in FAULTS])
def test_a_fault_is_named_with_its_line(old: str, new: str, line: int) -> None:
    assert old in TEXT
    with pytest.raises(RequestError, match="plans/catalogue-file") as caught:
        read(TEXT.replace(old, new, 1))
    assert caught.value.place.split(",")[0] == f"line {line}"


def test_a_key_domain_needs_a_key() -> None:
    with pytest.raises(RequestError, match=r"no key yet.*domain-key create customer"):
        read_catalogue(TEXT)


@pytest.mark.parametrize("text", ["", "# nothing\n", "text", "[1]", "a: &x [*x]"])
def test_what_is_no_catalogue_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="plans/catalogue-file"):
        read(text)
