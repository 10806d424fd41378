"""Random queries over registered files of three banks equal what Python counts on the pooled rows, row for row.

The whole path but the network: snapshots, DuckDB at each owner, shares, release, decoding. Seeds are fixed.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest

from consortia.plans.obligations import Obligations
from tests.fixtures_catalogue import BANKS, BOOL, CUSTOMER, DATE, INT, TIMESTAMP, column
from tests.fixtures_catalogue import ColumnType as Type
from tests.pooled_banks import Banks
from tests.random_queries import COUNTRIES, RandomQuery, Row, Value, random_query, random_rows

COLUMNS = (
    column("k", CUSTOMER, max_distinct=20),
    column("i", INT, -50, 50, nullable=True),
    column("j", INT, 0, 9),
    column("d", Type(kind="decimal", scale=2), -9999, 9999, nullable=True),
    column("flag", BOOL, nullable=True),
    column("c", Type(kind="enum", domain="country", values=COUNTRIES), nullable=True),
    column("day", DATE, nullable=True),
    column("ts", TIMESTAMP, nullable=True),
)
SIZES = ((16, 11, 14), (9, 0, 1), (0, 0, 0))


@dataclass(frozen=True)
class World:
    banks: Banks
    pooled: Sequence[Row]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> list[World]:
    made = []
    for sizes in SIZES:
        draw = random.Random(sum(sizes))
        banks = Banks(tmp_path_factory.mktemp("banks"), *COLUMNS, max_rows=16)
        pooled: list[Row] = []
        for number, (bank, size) in enumerate(zip(BANKS, sizes, strict=True)):
            rows = random_rows(draw, bank, size)
            pooled += rows
            if number == 1:
                banks.csv(bank, csv_of(rows), flag="{from: flag, codes: {'True': 'true', 'False': 'false'}}",
                          ts="{from: ts, time_zone: UTC}")  # fmt: skip
            else:
                banks.rows(bank, [carried(row) for row in rows])
        made.append(World(banks, pooled))
    return made


def csv_of(rows: Sequence[Row]) -> str:
    names = [each.name for each in COLUMNS]
    texts = [
        ",".join(
            "" if (value := row[name]) is None else str(float(value)) if name == "d" else str(value) for name in names
        )
        for row in rows
    ]
    return "\n".join([",".join(names), *texts, ""])


def carried(row: Row) -> dict[str, Value]:
    day, moment, amount = row["day"], row["ts"], row["d"]
    return dict(row) | {
        "day": None if day is None else (day - datetime(1970, 1, 1).date()).days,
        "ts": None if moment is None else int(moment.replace(tzinfo=UTC).timestamp()) * 10**6,
        "d": None if amount is None else int(amount * 100),
    }


def natural(value: Value) -> Value:
    """A value of a frame as the oracle has it."""
    if isinstance(value, Decimal):
        return Fraction(value)
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


def shown(rows: Sequence[tuple[Value, ...]]) -> list[tuple[Value, ...]]:
    return [tuple(natural(value) for value in row) for row in rows]


def passes(group: Sequence[Row], rules: Obligations) -> bool:
    """Whether a group has enough contributors that are not only at bank-a, whose analyst asks."""
    others = [row for row in group if row["member"] != "bank-a"]
    customers, members = {row["k"] for row in others}, {row["member"] for row in others}
    return len(customers) >= rules.minimum_entities and len(members) >= rules.minimum_members - 1


def answered(world: World, query: RandomQuery, rules: Obligations) -> list[tuple[Value, ...]]:
    """The released rows."""
    plan = world.banks.plan(query.sql, rules)
    rows = world.banks.ask(query.sql, rules).rows()
    return shown(rows if plan.complete_domain is None else [row[:-1] for row in rows if not row[-1]])


@pytest.mark.parametrize("seed", range(24))
def test_a_random_query_gives_what_python_counts_on_the_pooled_rows(worlds: list[World], seed: int) -> None:
    draw = random.Random(seed)
    query, world = random_query(draw), worlds[0 if seed % 4 else 1 + seed // 4 % 2]
    rules = Obligations(pre_aggregate=draw.random() < 0.5)
    assert answered(world, query, rules) == [row for row, _ in query.groups(world.pooled)], query.sql


@pytest.mark.parametrize("pre_aggregate", [True, False])
def test_a_column_may_be_grouped_by_and_summed_at_once(worlds: list[World], pre_aggregate: bool) -> None:
    banks, pooled = worlds[0].banks, worlds[0].pooled
    frame = banks.ask("SELECT j, SUM(j) AS s FROM t GROUP BY j ORDER BY j", Obligations(pre_aggregate=pre_aggregate))
    counts = Counter(row["j"] for row in pooled)
    assert frame.rows() == [(j, j * count) for j, count in sorted(counts.items())]


@pytest.mark.parametrize("seed", range(100, 110))
def test_a_random_query_under_minimum_contributors_leaves_out_exactly_the_small_cells(
    worlds: list[World], seed: int
) -> None:
    draw = random.Random(seed)
    query, world = random_query(draw), worlds[0]
    rules = Obligations(entity="k", minimum_entities=3, minimum_members=3, pre_aggregate=draw.random() < 0.5)
    wanted = [row for row, group in query.groups(world.pooled) if passes(group, rules)]
    assert answered(world, query, rules) == wanted, query.sql


@pytest.mark.parametrize("seed", range(200, 206))
def test_a_random_query_by_customer_tells_each_bank_of_its_own_customers(worlds: list[World], seed: int) -> None:
    draw = random.Random(seed)
    query, world = random_query(draw, by_customer=True), worlds[seed % 2]
    found = world.banks.alerts(query.sql, Obligations(pre_aggregate=draw.random() < 0.5))
    for bank in BANKS:
        wanted = [
            (world.banks.key(row[0]), *row[1:])
            for row, group in query.groups(world.pooled)
            if any(each["member"] == bank for each in group)
        ]
        assert sorted(shown(found[bank])) == sorted(wanted, key=lambda row: row[0]), query.sql
