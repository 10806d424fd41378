"""``consortia bench``: the machine and its links, for people and for programs."""

import json
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consortia.cli import bench
from consortia.cli.bench import nearest
from consortia.cli.main import app
from consortia.parties.bench import probe
from consortia.parties.bench.primitives import PRIMITIVES, Timed
from tests.e2e_cluster import prepare


def run(*arguments: str):
    return CliRunner().invoke(app, ["bench", *arguments], env={"NO_COLOR": "1"})


@pytest.fixture
def no_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The three processes are left out: one operation of known time stands for them."""

    def known(sizes, runs, say):
        return 0.0001, [Timed("sort", rows, rows / 1e5, 30, 100 * rows) for rows in sizes]

    monkeypatch.setattr(bench, "measured", known)


def test_a_link_and_the_machine_are_measured_and_told_as_json() -> None:
    listening = probe.listen("127.0.0.1", 0)
    threading.Thread(target=probe.answer, args=(listening,), daemon=True).start()
    port = listening.getsockname()[1]
    found = run("--to", f"127.0.0.1:{port}", "--to", "127.0.0.1:1", "--sizes", "1000", "--runs", "1", "--json")
    listening.close()
    assert found.exit_code == 0, found.output
    value = json.loads(found.stdout)
    near, nobody = value["links"]
    assert 0 < near["latency"] < 0.05
    assert near["bytes_out"] > 1e6
    assert near["resembles"] == "one-host"
    assert nobody["latency"] is None
    assert "nobody answers" in nobody["why"]
    assert [each["name"] for each in value["operations"]] == list(PRIMITIVES)
    assert all(each["seconds"] > 0 and each["rounds"] > 0 for each in value["operations"])
    assert set(value["machine"]) == {"round_us", "byte_ps"}
    assert 0 < value["round_seconds"] < 0.1
    assert value["resembles"] == "one-host"


def test_a_member_measures_its_links_to_the_other_computers_by_the_addresses_in_their_cards(
    tmp_path: Path, no_machine: None
) -> None:
    cluster = prepare(tmp_path, count=5, max_rows=10)
    home = cluster.world.home("bank-a").path
    listening = probe.listen("127.0.0.1", cluster.ports["bank-b"])
    found = run("--home", str(home), "--sizes", "100", "--runs", "1", "--json")
    listening.close()
    assert found.exit_code == 0, found.output
    reached, silent = json.loads(found.stdout)["links"]
    assert (reached["peer"], reached["endpoint"]) == ("bank-b", f"127.0.0.1:{cluster.ports['bank-b']}")
    assert reached["resembles"] == "one-host"
    assert (reached["bytes_out"], silent["peer"], silent["latency"]) == (None, "bank-c", None)
    assert "nobody answers" in silent["why"]


def test_the_table_says_what_explain_predicts_with_and_which_link_it_resembles(no_machine: None) -> None:
    found = run("--local", "--sizes", "200,400")
    assert found.exit_code == 0, found.output
    for part in (
        "a round on this machine: 100 us",
        "explain predicts with",
        "--link one-host",
        "bytes a row",
        "0.0040",
    ):
        assert part in found.stdout


@pytest.mark.parametrize(
    ("arguments", "code"), [(("--sizes", "many"), "cli/sizes"), (("--to", "x"), "control/endpoint")]
)
def test_wrong_usage_is_told_before_anything_is_measured(arguments: tuple[str, ...], code: str) -> None:
    found = run("--local", *arguments)
    assert found.exit_code != 0
    assert code in found.output


@pytest.mark.parametrize(
    ("latency", "bandwidth", "name"),
    [(0.0003, 1e9, "data-centre"), (0.004, None, "metro"), (0.05, 5e6, "continent"), (0.00001, None, "one-host")],
)
def test_a_link_resembles_the_class_nearest_by_orders_of_magnitude(latency, bandwidth, name) -> None:
    assert nearest(latency, bandwidth).name == name
