"""The example's watchlist and statistics queries as processes: what the commands print is the plain answer.

Sizes are padded to the example's catalogue, so little data takes as long on shares as much: about a minute.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from examples.aml import oracle
from examples.aml.consortium import BANKS, register_data, set_up, sign_policies
from examples.aml.generate import generate
from examples.aml.processes import Running, running
from tests.aml_banks import DAY, PARAMETERS, QUERIES

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(900)]
Running_ = tuple[Running, duckdb.DuckDBPyConnection]
OPEN = "open-statistics"


@pytest.fixture(scope="module")
def banks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running_]:
    root = tmp_path_factory.mktemp("banks")
    generate(PARAMETERS, root / "data")
    consortium = set_up(root / "homes", lambda _: None)
    register_data(consortium, root / "data", lambda _: None)
    for purpose in ("watchlist-match", "peer-norms", OPEN):
        sign_policies(consortium, lambda _: None, purpose)
    with running(consortium) as servers:
        yield servers, oracle.pooled(root / "data")


def answered(run: Running, query: str, purpose: str, person: str = "ana@bank-a") -> tuple[str, dict[str, Any]]:
    """The session, and the one result that the person who asked reads."""
    answer = run.ask(person, "query", "-f", str(QUERIES / f"{query}.sql"), "--purpose", purpose)
    assert answer.code == 0, answer.value
    session = str(answer.value["session"])
    read = run.ask(person, "session", "results", session)
    (result,) = read.value["results"].values()
    return session, dict(result)


@pytest.mark.parametrize(("query", "lists"), [("watchlist_match", 1), ("watchlist_in_two_lists", 2)])
def test_the_asking_bank_reads_its_customers_and_the_others_that_a_run_took_place(
    banks: Running_, query: str, lists: int
) -> None:
    run, plain = banks
    session, result = answered(run, query, "watchlist-match")
    place = result["columns"].index("customer_key.identifier")
    assert sorted(row[place] for row in result["rows"]) == oracle.matches(plain, "bank-a", lists, DAY)
    for bank in list(BANKS)[1:]:
        theirs = run.ask(f"ana@{bank}", "session", "results", session, "--member")
        assert theirs.code != 0
        assert "parties/no-results" in run.log(bank).read_text()
        assert run.seals(session)[bank].session == session


def test_the_number_over_all_banks_is_told_and_nothing_else(banks: Running_) -> None:
    run, plain = banks
    _, result = answered(run, "watchlist_count", "watchlist-match", "ana@bank-c")
    assert [row[0] for row in result["rows"]] == [len(oracle.matches_over_banks(plain, DAY))]


@pytest.mark.parametrize("query", ["by_typology", "prevalence", "peer_norms", "peer_quantiles"])
def test_numbers_over_groups_are_those_of_the_pooled_files(banks: Running_, query: str) -> None:
    run, plain = banks
    _, result = answered(run, query, "peer-norms")
    sql = (QUERIES / f"{query}.sql").read_text()
    passing, _ = oracle.shown(plain, sql, "bank-a", PARAMETERS.minimum_entities, len(BANKS))
    assert [row[:-1] for row in result["rows"] if not row[-1]] == [[_json(cell) for cell in row] for row in passing]


@pytest.mark.parametrize("query", ["noisy_norms", "noisy_quantiles"])
def test_numbers_with_noise_come_with_their_error_bars_and_are_charged(banks: Running_, query: str) -> None:
    run, _ = banks
    session, result = answered(run, query, OPEN)
    assert [row[0] for row in result["rows"]] == ["business", "premium", "private"]
    read = run.ask("ana@bank-a", "session", "results", session)
    assert float(read.value["noise"]["epsilon"]) > 0


def _json(cell: oracle.Cell) -> Any:
    return format(cell, "f") if isinstance(cell, Decimal) else cell
