"""The example's joint queries on shares, under the example's policies: equal to plain DuckDB on the pooled files."""

from collections.abc import Iterator

import duckdb
import pytest

from consortia.plans.steps_of_noise import Noise, Quantiles
from examples.aml import oracle
from examples.aml.consortium import BANKS
from tests.aml_banks import DAY, PARAMETERS, QUERIES, AmlBanks, generated

MATCH, NORMS, OPEN = "watchlist-match", "peer-norms", "open-statistics"
CLIP, ROWS = 640_000, 3
"""As the policies for noise have them."""
SIGMAS = 6


def sql_of(name: str) -> str:
    return (QUERIES / f"{name}.sql").read_text()


@pytest.fixture(scope="module")
def banks(tmp_path_factory: pytest.TempPathFactory) -> AmlBanks:
    return generated(tmp_path_factory.mktemp("aml"))


@pytest.fixture(scope="module")
def plain(banks: AmlBanks) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = oracle.pooled(banks.data)
    yield connection
    connection.close()


@pytest.mark.parametrize(("query", "lists"), [("watchlist_match", 1), ("watchlist_in_two_lists", 2)])
@pytest.mark.parametrize("asking", BANKS)
def test_the_asking_bank_alone_is_told_its_customers_in_so_many_lists_of_others(
    banks: AmlBanks, plain: duckdb.DuckDBPyConnection, query: str, lists: int, asking: str
) -> None:
    told = banks.run(sql_of(query).replace("bank-a", asking), MATCH, f"ana@{asking}")
    expected = oracle.matches(plain, asking, lists, DAY)
    assert set(told) == {asking}
    assert told[asking].columns == ["customer_key"]
    assert set(told[asking]["customer_key"]) == set(banks.hashed(expected))
    assert told[asking].height == len(expected) > 0


def test_a_form_that_would_tell_the_holder_of_a_list_who_serves_whom_is_denied(banks: AmlBanks) -> None:
    everybody = sql_of("watchlist_match").replace('"bank-a".accounts', "accounts")
    found = banks.compiled(everybody, MATCH)
    assert not found.permitted
    assert {reason.rule for _, reason in found.decision.denials()} == {"recipients"}


@pytest.mark.parametrize("asking", BANKS)
def test_only_the_number_of_customers_in_another_bank_s_list_is_told(
    banks: AmlBanks, plain: duckdb.DuckDBPyConnection, asking: str
) -> None:
    met = oracle.matches_over_banks(plain, DAY)
    assert sum(asking not in holders for holders in met.values()) >= PARAMETERS.minimum_entities
    assert banks.ask(sql_of("watchlist_count"), MATCH, f"ana@{asking}") == ([(len(met),)], 0)


def test_the_number_is_not_told_where_it_rests_on_too_few_customers_of_others(
    banks: AmlBanks, plain: duckdb.DuckDBPyConnection
) -> None:
    late = "2030-06-01"
    few = oracle.matches_over_banks(plain, late)
    assert 0 < sum("bank-a" not in holders for holders in few.values()) < PARAMETERS.minimum_entities
    assert banks.ask(sql_of("watchlist_count").replace(DAY, late), MATCH) == ([], 1)


@pytest.mark.parametrize("query", ["by_typology", "prevalence", "peer_norms", "peer_quantiles"])
@pytest.mark.parametrize("asking", ["bank-a", "bank-b"])
def test_numbers_over_groups_are_those_of_the_pooled_rows_and_small_cells_stay_closed(
    banks: AmlBanks, plain: duckdb.DuckDBPyConnection, query: str, asking: str
) -> None:
    sql = sql_of(query)
    passing, hidden = oracle.shown(plain, sql, asking, PARAMETERS.minimum_entities, len(BANKS))
    rows, suppressed = banks.ask(sql, NORMS, f"ana@{asking}")
    assert rows == passing
    assert len(passing) >= 2
    if query != "peer_norms":  # its months and segments without any row are marked as well
        assert suppressed == hidden > 0


def test_numbers_with_noise_lie_about_those_within_the_bounds(
    banks: AmlBanks, plain: duckdb.DuckDBPyConnection
) -> None:
    sql = sql_of("noisy_norms")
    plan = banks.compiled(sql, OPEN).plan
    (noise,) = [step for step in plan.steps if isinstance(step, Noise)]
    count, total = sorted((1.5 * float(each.variance)) ** 0.5 for each in noise.noised)
    bounded = plain.execute(
        f"SELECT segment, SUM(LEAST(n, {ROWS})), SUM(LEAST(s, {CLIP})) FROM ("  # numbers of this file
        "SELECT segment, customer_key, count(*) AS n, SUM(amount_minor) AS s FROM cash_months "
        "WHERE currency = 'EUR' AND month = '2026-10-01' GROUP BY ALL) GROUP BY segment ORDER BY segment"
    ).fetchall()
    rows, _ = banks.ask(sql, OPEN)
    assert [row[0] for row in rows] == [row[0] for row in bounded]
    for (_, n, s, mean), (_, real_n, real_s) in zip(rows, bounded, strict=True):
        assert abs(n - int(real_n)) <= SIGMAS * count
        assert abs(s - int(real_s)) <= SIGMAS * total
        assert float(mean) == pytest.approx(s / n)
    assert [row[1:3] for row in rows] != [(int(n), int(s)) for _, n, s in bounded]


def test_a_quartile_with_noise_is_the_middle_of_a_bin_whose_rank_is_near(
    banks: AmlBanks, plain: duckdb.DuckDBPyConnection
) -> None:
    """Up to the answer's bin, the true counts reach the share asked for, give or take the noise of these bins."""
    sql, little = sql_of("noisy_quantiles"), (("release: 1/2", "release: 500/1"), ("period: 5/1", "period: 500/1"))
    plan = banks.compiled(sql, OPEN, edits=little).plan
    (noise,) = [step for step in plan.steps if isinstance(step, Noise)]
    (read,) = [step for step in plan.steps if isinstance(step, Quantiles)]
    deviation = (1.5 * float(noise.noised[0].variance)) ** 0.5
    ((amounts,),) = plain.execute(
        "SELECT list(least(amount_minor, ?)) FROM cash_months "
        "WHERE currency = 'EUR' AND month = '2026-10-01' AND segment = 'private'",
        [CLIP],
    ).fetchall()
    rows, _ = banks.ask(sql, OPEN, edits=little)
    assert [row[0] for row in rows] == ["business", "premium", "private"]
    for share, found in zip((0.25, 0.5, 0.75), rows[2][1:], strict=True):
        number = int(found) // read.width
        begin, end = (read.lo + (number + more) * read.width for more in (0, 1))
        reach = SIGMAS * deviation * (number + 1) ** 0.5
        assert reach < len(amounts) / 8
        assert sum(amount < end for amount in amounts) >= share * len(amounts) - reach
        assert sum(amount < begin for amount in amounts) < share * len(amounts) + reach
