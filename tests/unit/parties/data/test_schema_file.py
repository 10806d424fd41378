"""Schema files: everything declared, nothing guessed, each fault with its place in the file."""

from pathlib import Path

import polars as pl
import pytest

from consortia.errors import OperatorError
from consortia.parties.data.propose import CHOOSE, propose
from consortia.parties.data.register import prepare
from consortia.parties.data.schema import parse_schema, read_schema
from tests.fixtures_catalogue import CATALOGUE, CURRENCY, CUSTOMER, INT, TEXT, TIMESTAMP, column, table
from tests.fixtures_catalogue import ColumnType as Type
from tests.world_data import Desk, catalogue_of, domain_key

COLUMNS = (
    column("k", CUSTOMER),
    column("amount", Type(kind="int", unit="currency"), 0, 100),
    column("currency", CURRENCY),
    column("ts", TIMESTAMP),
    column("t", TEXT),
)
HEAD = "type: consortia/schema/v1\ntable: t\nformat: csv\n"


def refused(text: str) -> OperatorError:
    with pytest.raises(OperatorError) as caught:
        parse_schema(text.encode(), "s.yaml")
    assert caught.value.code == "data/schema"
    return caught.value


def test_a_column_may_be_written_short() -> None:
    schema = parse_schema(f"{HEAD}columns: {{k: customer, t: {{from: text, trim: yes}}}}\n".encode(), "s.yaml")
    assert schema.columns["k"].source == "customer"
    assert schema.columns["t"].trim == "yes"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (HEAD.replace("v1", "v2") + "columns: {k: k}\n", "s.yaml, type"),
        (HEAD + "columns: {k: k}\ndelimiter: ;\n", "s.yaml, delimiter"),
        (HEAD + "columns: {k: {from: k, format: x}}\n", "s.yaml, columns.k.format"),
        (HEAD + "columns: {k: {codes: {}}}\n", "s.yaml, columns.k.from"),
        (HEAD + "columns: {K: k}\n", "s.yaml, columns.K.[key]"),
        (HEAD + 'dialect: {separator: ";"}\ncolumns: {k: k}\n', "s.yaml, dialect.separator"),
        (HEAD + "dialect: {encoding: windows-1252}\ncolumns: {k: k}\n", "s.yaml, dialect.encoding"),
        (HEAD + "dialect: {date: YYYY}\ncolumns: {k: k}\n", "s.yaml, dialect.date"),
        (HEAD + "dialect: {date: YYYYMMDDx}\ncolumns: {k: k}\n", "s.yaml, dialect.date"),
        (HEAD + "columns: {k: {from: k, exponent: -1}}\n", "s.yaml, columns.k.exponent"),
        ("[]\n", "s.yaml, top level"),
    ],
)
def test_what_a_schema_does_not_know_is_refused_with_its_place(text: str, place: str) -> None:
    assert refused(text).place.startswith(place)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (HEAD + "columns:\n  k: a\n  k: b\n", 6),
        (HEAD + "columns:\n  k: &x {from: a}\n  t: *x\n", 6),
        (HEAD + "columns:\n  k: [\n", 6),
        (HEAD + "columns:\n\tk: a\n", 5),
        (HEAD + "columns:\n  k: a\n  [a, b]: c\n", 6),
    ],
)
def test_what_yaml_would_read_in_its_own_way_is_refused_with_its_line(text: str, line: int) -> None:
    assert refused(text).place == f"s.yaml, line {line}"


def test_a_missing_or_binary_schema_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        read_schema(tmp_path / "none.yaml")
    assert caught.value.code == "data/file"
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(OperatorError) as caught:
        read_schema(tmp_path / "binary.yaml")
    assert caught.value.code == "data/schema"


@pytest.mark.parametrize(
    ("options", "code", "place"),
    [
        ({"k": "{from: k, codes: {a: b}}"}, "data/schema", "columns.k"),
        ({"currency": "{from: currency, codes: {a: EURO}}"}, "data/schema", "columns.currency"),
        ({"t": "{from: t, exponent: 2}"}, "data/schema", "columns.t"),
        ({"amount": "{from: amount, exponent: {EURO: 2}}"}, "data/schema", "columns.amount"),
        ({"k": "{from: k, time_zone: UTC}"}, "data/schema", "columns.k"),
        ({"ts": "{from: ts, time_zone: Mars/Olympus}"}, "data/time-zone", "columns.ts.time_zone"),
        ({"amount": "{from: amount, trim: yes}"}, "data/schema", "columns.amount"),
        ({"ignore": "[k]"}, "data/schema", "ignore"),
    ],
)
def test_options_that_do_not_fit_the_catalogue_are_refused(
    tmp_path: Path, options: dict[str, str], code: str, place: str
) -> None:
    error = Desk(tmp_path, catalogue_of(*COLUMNS)).refused("k,amount,currency,ts,t\n", **options)
    assert (error.code, error.place) == (code, f"schema.yaml, {place}")


def test_an_exponent_by_unit_needs_a_unit(tmp_path: Path) -> None:
    made = Desk(tmp_path, catalogue_of(column("x", INT, 0, 9)))
    assert made.refused("x\n", x="{from: x, exponent: {EUR: 2}}").code == "data/schema"


def test_every_column_of_the_table_and_no_other_is_mapped(tmp_path: Path) -> None:
    data, schema = tmp_path / "t.csv", tmp_path / "s.yaml"
    data.write_text("k\n1\n")
    catalogue = catalogue_of(*COLUMNS)
    for text, word in (("{k: k}", "`amount`"), ("{k: k, kk: k}", "`kk`")):
        schema.write_text(f"{HEAD}columns: {text}\n")
        with pytest.raises(OperatorError) as caught:
            prepare(schema, data, catalogue, domain_key)
        assert caught.value.code == "data/schema"
        assert word in caught.value.message


def test_only_tables_of_data_are_registered(tmp_path: Path) -> None:
    data, schema = tmp_path / "t.csv", tmp_path / "s.yaml"
    data.write_text("k\n1\n")
    for name, code in (("deposits", "data/local-table"), ("nothing", "data/unknown-table")):
        schema.write_text(f"type: consortia/schema/v1\ntable: {name}\nformat: csv\ncolumns: {{k: k}}\n")
        with pytest.raises(OperatorError) as caught:
            prepare(schema, data, CATALOGUE, domain_key)
        assert caught.value.code == code


# --- drafts ------------------------------------------------------------------------------------------------------


def test_a_draft_for_a_file_with_the_catalogues_names_can_be_used_as_it_is(tmp_path: Path) -> None:
    made = Desk(tmp_path, catalogue_of(*COLUMNS))
    data, schema = tmp_path / "t.csv", tmp_path / "s.yaml"
    data.write_text('k,amount,currency,ts,t,"remark, old",no\n1,5,EUR,2024-01-01T00:00:00Z,x,y,z\n')
    schema.write_text(propose(data, made.catalogue.tables[0]))
    assert prepare(schema, data, made.catalogue, domain_key).frame.height == 1


def test_a_draft_leaves_open_what_only_a_person_can_know(tmp_path: Path) -> None:
    data, schema = tmp_path / "t.parquet", tmp_path / "s.yaml"
    frame = pl.DataFrame({"k": ["1"], "amount": [1.5], "ts": ["2024"], "t": ["x"]})
    frame.write_parquet(data)
    catalogue = catalogue_of(*COLUMNS)
    draft = propose(data, catalogue.tables[0])
    assert f"currency: {CHOOSE}" in draft
    assert "floating point is refused" in draft
    assert "time_zone" in draft
    schema.write_text(draft)
    with pytest.raises(OperatorError) as caught:
        prepare(schema, data, catalogue, domain_key)
    assert caught.value.code == "data/missing-column"


def test_a_draft_of_no_file_is_refused(tmp_path: Path) -> None:
    wanted = table("t", column("k", CUSTOMER))
    cases = (("empty.csv", b"", "data/csv"), ("bad.parquet", b"PAR1xxxxPAR1", "data/parquet"))
    for name, content, code in cases:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(OperatorError) as caught:
            propose(tmp_path / name, wanted)
        assert caught.value.code == code
