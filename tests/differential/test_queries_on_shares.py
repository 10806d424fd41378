"""SQL to result over three computers: equal to sqlite on the pooled rows, at the declared cost, step by step.

Owners' steps run in plain Python here (``tests.naive_plan``), so what is tested is plan, shares and recipient.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import polars as pl
import pytest

from consortia.execution.estimate import estimate
from consortia.parties.simulation import run_clear, simulate
from consortia.plans.build import build_plan
from consortia.plans.catalogue import Catalogue
from consortia.plans.model import Plan, Project, Share
from consortia.plans.obligations import NO_OBLIGATIONS, Obligations
from consortia.plans.sql import bind
from consortia.plans.types import ColumnType
from tests import naive_plan
from tests.fixtures_catalogue import AS_OF, BANKS, CATALOGUE, CUSTOMER, column, environment, table
from tests.naive_plan import Row
from tests.shared_plans import frame_of, rows_of
from tests.unit.plans.test_query_meaning import QUERIES, in_order, in_sqlite, pooled, shown

SMALL = CATALOGUE.model_copy(
    update={"tables": tuple(each.model_copy(update={"max_rows": 60}) for each in CATALOGUE.tables)}
)
Data = Mapping[str, Sequence[Row]]


def planned(sql: str, obligations: Obligations = NO_OBLIGATIONS, catalogue: Catalogue = SMALL) -> Plan:
    return build_plan(bind(sql, catalogue, AS_OF), environment(catalogue), obligations)


def frames(plan: Plan, data: Data) -> dict[str, pl.DataFrame]:
    """Each owner's frame for its share step, computed step by step in clear."""
    tables: dict[str, list[tuple[str, Row]]] = {}
    made = {}
    for step in plan.steps:
        if not step.at.startswith("owner:"):
            continue
        owner = step.at.removeprefix("owner:")
        sources = [row for source in step.inputs for row in tables[source]]
        types = {each.name: each.type for source in step.inputs for each in plan.step(source).columns}
        tables[step.id] = naive_plan._step(step, sources, types, owner, data)
        if isinstance(step, Share):
            rows = [row for _, row in tables[step.id]]
            made[step.id] = frame_of(step.columns, rows) if step.columns else pl.DataFrame(height=len(rows))
    return made


def rows(plan: Plan, frame: pl.DataFrame) -> list[Row]:
    """A result as carried integers, without rows marked suppressed."""
    project = next(step for step in plan.steps if isinstance(step, Project) and step.at == "recipient")
    if plan.complete_domain is not None:
        frame = frame.filter(~pl.col(frame.columns[-1]))
    return rows_of(project.columns, frame)


@pytest.mark.parametrize("sizes", [(40, 30, 50), (1, 0, 0), (0, 0, 0)])
@pytest.mark.parametrize("sql", QUERIES)
def test_a_query_on_plain_values_gives_what_sqlite_gives(sql: str, sizes: tuple[int, int, int]) -> None:
    data = pooled(sum(sizes), sizes)
    for pre_aggregate in (True, False):
        plan = planned(sql, Obligations(pre_aggregate=pre_aggregate))
        ((_, frame),) = run_clear(plan, frames(plan, data)).items()
        assert in_order(shown(rows(plan, frame))) == in_order(in_sqlite(sql, data))


@pytest.mark.parametrize("sql", QUERIES)
def test_a_query_on_shares_gives_what_sqlite_gives_at_the_declared_cost(sql: str) -> None:
    data = pooled(7, (40, 30, 50))
    for pre_aggregate in (True, False):
        plan = planned(sql, Obligations(pre_aggregate=pre_aggregate))
        run = simulate(plan, frames(plan, data))
        ((_, frame),) = run.results.items()
        assert in_order(shown(rows(plan, frame))) == in_order(in_sqlite(sql, data))
        assert run.measured == estimate(plan)


GROUPED = [sql for sql in QUERIES if "GROUP BY" in sql]
RULES = Obligations(
    entity="person", minimum_entities=4, minimum_members=3,
)  # fmt: skip


@pytest.mark.parametrize("sql", GROUPED)
@pytest.mark.parametrize("pre_aggregate", [True, False])
def test_cells_of_too_few_contributors_are_left_out(sql: str, pre_aggregate: bool) -> None:
    data = pooled(11, (10, 12, 14))
    plan = planned(sql, RULES.model_copy(update={"pre_aggregate": pre_aggregate}))
    run = simulate(plan, frames(plan, data))
    (wanted,) = naive_plan.run(plan, data).values()
    ((_, frame),) = run.results.items()
    assert rows(plan, frame) == [row for row in wanted if not row.get("suppressed")]
    assert run.measured == estimate(plan)


def test_a_key_goes_to_the_members_that_hold_it() -> None:
    sql = (
        "SELECT customer_key, SUM(amount_minor) AS total FROM deposits WHERE currency = 'EUR' "
        "GROUP BY customer_key HAVING SUM(amount_minor) >= 1000 AND COUNT(DISTINCT member()) >= 2"
    )
    data: dict[str, list[Row]] = {bank: [] for bank in BANKS}
    for bank, key, amount in (
        ("bank-a", 5, 600),
        ("bank-b", 5, 400),
        ("bank-c", 6, 2000),
        ("bank-a", 7, 1),
        ("bank-c", 7, 9),
    ):
        data[bank].append({"customer_key": key, "ts": 0, "amount_minor": amount, "currency": 0, "country": 1})
    plan = planned(sql)
    run = simulate(plan, frames(plan, data))
    found = {name: rows(plan, frame) for (_, name), frame in run.results.items()}
    assert found == {
        "bank-a": [{"customer_key": 5, "total": 1000}], "bank-b": [{"customer_key": 5, "total": 1000}], "bank-c": []
    }  # fmt: skip


MONEY = table(
    "payments",
    column("customer_key", CUSTOMER, max_distinct=5),
    column("amount", ColumnType(kind="decimal", scale=2), 0, 9 * 10**15, nullable=True),
    max_rows=10_000,
)
PAYMENTS = CATALOGUE.model_copy(update={"tables": (MONEY,)})


def payments(sql: str, amounts: Sequence[int | None]) -> pl.DataFrame:
    plan = planned(sql, catalogue=PAYMENTS)
    data: Data = {bank: [{"customer_key": 1, "amount": amount} for amount in amounts] for bank in BANKS}
    ((_, frame),) = simulate(plan, frames(plan, data)).results.items()
    return frame


def test_the_average_of_thirty_thousand_large_amounts_is_exact_every_time() -> None:
    frame = payments("SELECT AVG(amount) AS mean, SUM(amount) AS total FROM payments", [9 * 10**15] * 10_000)
    assert frame.rows() == [(Decimal("90000000000000.00000000"), Decimal("2700000000000000000.00"))]


def test_a_sum_of_cents_keeps_two_decimals() -> None:
    frame = payments("SELECT SUM(amount) AS total FROM payments", [10, 20])
    assert [str(value) for value in frame["total"]] == ["0.90"]
    assert frame["total"].dtype == pl.Decimal(38, 2)


def test_a_column_of_nulls_has_no_sum_and_no_average() -> None:
    frame = payments(
        "SELECT SUM(amount) AS s, AVG(amount) AS a, COUNT(amount) AS k, COUNT(*) AS n FROM payments", [None]
    )
    assert frame.rows() == [(None, None, 0, 3)]
