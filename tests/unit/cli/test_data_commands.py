"""``consortia data``: what an operator types, and what is said when a file does not fit."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from consortia.cli.main import app
from consortia.plans.catalogue import CatalogueTable
from tests.consortium import make_consortium
from tests.fixtures_catalogue import CATALOGUE, CUSTOMER, INT, column

PAYMENTS = CatalogueTable(
    name="payments",
    columns=(column("customer", CUSTOMER, max_distinct=10), column("amount", INT, 0, 127)),
    holders=("bank-a", "bank-b"),
    max_rows=100,
)
SCHEMA = "type: consortia/schema/v1\ntable: payments\nformat: csv\ncolumns: {customer: customer, amount: amount}\n"
DATA = "customer,amount\n007,5\n7,127\n"


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["data", *(str(word) for word in words)])


def ok(*words: str | Path) -> dict[str, Any]:
    result = invoke(*words, "--json")
    assert result.exit_code == 0, result.stderr
    value: dict[str, Any] = json.loads(result.stdout)
    return value


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Path:
    catalogue = CATALOGUE.model_copy(update={"tables": (PAYMENTS,)})
    world = make_consortium(tmp_path_factory.mktemp("members"), catalogue=catalogue)
    return world.root


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    (tmp_path / "payments.csv").write_text(DATA)
    (tmp_path / "payments.yaml").write_text(SCHEMA)
    return tmp_path


def test_from_a_draft_to_a_current_snapshot(members: Path, desk: Path) -> None:
    home = ("--home", members / "bank-a")
    data, schema = desk / "payments.csv", desk / "draft.yaml"
    assert ok("list", *home)["snapshots"] == []
    draft = ok("propose", data, "--table", "payments", "--out", schema, *home)
    assert draft["schema"] == schema.read_text()

    checked = ok("check", data, "--schema", schema, *home)
    assert (checked["rows"], checked["registered"]) == (2, False)
    assert ok("list", *home)["snapshots"] == []

    first = ok("register", data, "--schema", schema, *home)
    second = ok("register", data, "--schema", schema, *home)
    assert first["columns"] == checked["columns"]
    amount = next(one for one in first["columns"] if one["name"] == "amount")
    assert (amount["smallest"], amount["largest"], amount["highest_allowed"]) == ("5", "127", "127")
    customer = next(one for one in first["columns"] if one["name"] == "customer")
    assert (customer["nulls"], customer["distinct"], customer["max_distinct"]) == (0, 2, 10)
    listed = ok("list", *home)["snapshots"]
    assert {one["root"]: one["current"] for one in listed} == {first["root"]: False, second["root"]: True}
    assert [one["root"] for one in ok("verify", *home)["verified"]] == [second["root"]]


def test_a_file_that_does_not_fit_is_refused_with_its_line_and_nothing_changes(members: Path, desk: Path) -> None:
    home = ("--home", members / "bank-b")
    (desk / "payments.csv").write_text(DATA + "8,300\n")
    for command in ("check", "register"):
        result = invoke(command, desk / "payments.csv", "--schema", desk / "payments.yaml", *home, "--json")
        error = json.loads(result.stderr)["error"]
        assert result.exit_code == 1
        assert (error["code"], error["place"]) == ("data/bounds", "payments.csv, line 4, column `amount`")
        assert result.stdout == ""
    assert ok("list", *home)["snapshots"] == []


def test_only_a_holder_registers(members: Path, desk: Path) -> None:
    result = invoke(
        "register", desk / "payments.csv", "--schema", desk / "payments.yaml", "--home", members / "bank-c", "--json"
    )
    assert json.loads(result.stderr)["error"]["code"] == "data/not-holder"


def test_an_altered_snapshot_is_found(members: Path, desk: Path) -> None:
    home = ("--home", members / "bank-b")
    made = ok("register", desk / "payments.csv", "--schema", desk / "payments.yaml", *home)
    folder = members / "bank-b" / "snapshots" / "payments" / made["root"]
    (folder / "data.parquet").write_bytes(b"PAR1PAR1")
    result = invoke("verify", "payments", *home, "--json")
    assert json.loads(result.stderr)["error"]["code"] == "data/snapshot-altered"


def test_a_draft_never_overwrites_a_schema_file(members: Path, desk: Path) -> None:
    home = ("--home", members / "bank-a")
    result = invoke(
        "propose", desk / "payments.csv", "--table", "payments", "--out", desk / "payments.yaml", *home, "--json"
    )
    assert result.exit_code == 1
    assert (desk / "payments.yaml").read_text() == SCHEMA


def test_people_read_a_table_and_what_comes_next(members: Path, desk: Path) -> None:
    home = ("--home", members / "bank-a")
    result = invoke("check", desk / "payments.csv", "--schema", desk / "payments.yaml", *home)
    assert result.exit_code == 0
    assert "customer" in result.stdout
    assert "next: consortia data register" in result.stderr
    draft = invoke("propose", desk / "payments.csv", "--table", "payments", *home)
    assert draft.stdout.startswith("# A draft")
    assert "payments" in invoke("list", *home).stdout
    assert invoke("verify", *home).exit_code == 0
