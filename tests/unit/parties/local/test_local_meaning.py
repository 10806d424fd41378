"""What DuckDB makes of an owner's part of a plan is what the plan means: the same rows as plain Python, to the unit."""

import random
from pathlib import Path

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from consortia.errors import RequestError
from consortia.parties.data.physical import carried
from consortia.parties.data.snapshots import SnapshotStore
from consortia.parties.local.stage import committed_snapshots, run_local
from consortia.plans.build import build_plan
from consortia.plans.model import Plan, Share
from consortia.plans.obligations import NO_OBLIGATIONS
from consortia.plans.sql import bind
from consortia.trust.domain_keys import HashDomain, hash_keys
from tests import naive_plan
from tests.fixtures_catalogue import AS_OF, CATALOGUE, COUNTRIES, environment
from tests.world_data import domain_key, registered

EDGES = (-1000, -14, -3, -1, 0, 1, 3, 14, 1000)


def numbers_rows(count: int, seed: int) -> list[dict[str, object]]:
    """Rows of ``numbers``: NULLs, negatives, zeros and the ends of the bounds."""
    chance = random.Random(seed)

    def some(value: object) -> object:
        return None if chance.random() < 0.2 else value

    return [
        {
            "a": some(chance.choice(EDGES)),
            "b": some(chance.choice((-20, -3, -2, -1, 0, 1, 2, 3, 20))),
            "c": chance.randint(0, 10),
            "price": some(chance.choice((-(10**6), -150, -1, 0, 1, 50, 149, 10**6))),
            "big": chance.choice((1, -1)) * (10**18 - chance.randint(1, 3)),
            "huge": 0,
            "flag": some(chance.randint(0, 1)),
            "country": some(chance.choice(COUNTRIES)),
            "day": some(chance.choice((-719_162, -1, 0, 1, 20_000, 2_932_896))),
            "ts": some(chance.choice((-1, 0, 1, 1_733_443_200_000_000))),
            "note": some(chance.choice(("x", "it's", '"', "", "José", "a\\b", "%"))),
            "unbounded": 0,
            "person": some(f"{chance.randint(0, 30):03d}"),
        }
        for _ in range(count)
    ]


ROWS = numbers_rows(120, seed=7)
NAMES = [f"{number:03d}" for number in range(31)]
DOMAIN = HashDomain("testers", "customer", "national-id", "nfc", 96)
PEOPLE = dict(zip(hash_keys(domain_key("customer", "aa"), DOMAIN, NAMES), NAMES, strict=True))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SnapshotStore:
    folder = tmp_path_factory.mktemp("numbers")
    made = SnapshotStore(folder / "snapshots")
    registered(made, CATALOGUE, "numbers", ROWS, folder)
    return made


def planned(sql: str, *, pre_aggregate: bool = True) -> tuple[Plan, Share]:
    obligations = NO_OBLIGATIONS.model_copy(update={"pre_aggregate": pre_aggregate})
    plan = build_plan(bind(sql, CATALOGUE, AS_OF), environment(), obligations)
    return plan, next(step for step in plan.steps if isinstance(step, Share) and step.owner == "bank-a")


def in_duckdb(store: SnapshotStore, plan: Plan, share: Share) -> list[tuple[object, ...]]:
    """The rows of the local stage as carried values: an enum's code, a person's identifier."""
    frame = run_local(plan, share.id, store, committed_snapshots(store, plan, "bank-a", CATALOGUE), CATALOGUE)
    columns: list[list[object]] = []
    for column in share.columns:
        values = carried(frame.get_column(column.name))
        if column.type.kind == "enum":
            columns.append([None if value is None else column.type.values.index(str(value)) for value in values])
        elif column.type.kind == "key":
            columns.append([None if value is None else PEOPLE[value] for value in values])
        else:
            columns.append(list(values))
    return list(zip(*columns, strict=True)) if columns else [()] * frame.height


def in_python(plan: Plan, share: Share, rows: list[dict[str, object]]) -> list[tuple[object, ...]]:
    """The same chain, step by step, by the plain reference."""
    coded = [row | {"country": None if row["country"] is None else COUNTRIES.index(row["country"])} for row in rows]
    tables: dict[str, list[naive_plan.Tagged]] = {}
    for step in plan.steps:
        if step.at == "owner:bank-a":
            sources = [row for source in step.inputs for row in tables[source]]
            types = {column.name: column.type for source in step.inputs for column in plan.step(source).columns}
            tables[step.id] = naive_plan._step(step, sources, types, "bank-a", {"bank-a": coded})
    return [tuple(row[column.name] for column in share.columns) for _, row in tables[share.id]]


def ordered(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return sorted(rows, key=lambda row: [(value is None, str(value)) for value in row])


def assert_agrees(store: SnapshotStore, sql: str, *, pre_aggregate: bool = True) -> list[tuple[object, ...]]:
    plan, share = planned(sql, pre_aggregate=pre_aggregate)
    found = ordered(in_duckdb(store, plan, share))
    assert found == ordered(in_python(plan, share, ROWS)), sql
    return found


# --- named rules -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "value"),
    [("4 / 3", 1), ("14 / -3", -4), ("-14 / 3", -4), ("0 / 5", 0), ("5 / 0", None), ("-14 % 3", -2), ("14 % -3", 2)],
)
def test_integer_quotients_truncate_towards_zero_and_by_zero_are_null(
    store: SnapshotStore, sql: str, value: int | None
) -> None:
    dividend, sign, divisor = sql.split(" ")
    # the operands come from columns, so that the database divides and not the planner
    query = f"SELECT COUNT((c * 0 + {dividend}) {sign} (c * 0 + {divisor})) AS n FROM numbers"
    count = assert_agrees(store, query)
    assert count == [(0 if value is None else len(ROWS),)]
    if value is not None:
        total = assert_agrees(store, query.replace("COUNT(", "SUM("))
        assert total == [(value * len(ROWS),)]


def test_decimal_quotients_round_half_away_from_zero(store: SnapshotStore) -> None:
    assert_agrees(store, "SELECT country, SUM(price / c) AS s, COUNT(price / c) AS n FROM numbers GROUP BY country")
    assert_agrees(store, "SELECT SUM(price / 3 / c / b) AS s FROM numbers WHERE price / b > 0.5 OR price / c < -1")
    assert_agrees(store, "SELECT SUM(a / (price / 7)) AS s FROM numbers")


def test_not_flag_keeps_the_false_rows_only(store: SnapshotStore) -> None:
    false = sum(row["flag"] == 0 for row in ROWS)
    assert 0 < false < sum(row["flag"] != 1 for row in ROWS), "there are rows of NULL"
    assert assert_agrees(store, "SELECT COUNT(*) AS n FROM numbers WHERE NOT flag") == [(false,)]


def test_not_in_a_list_with_null_keeps_no_row(store: SnapshotStore) -> None:
    assert assert_agrees(store, "SELECT COUNT(*) AS n FROM numbers WHERE c NOT IN (1, NULL, 2, 3)") == []


def test_null_is_one_group(store: SnapshotStore) -> None:
    found = assert_agrees(store, "SELECT country, COUNT(*) AS n FROM numbers GROUP BY country")
    assert len(found) == len(COUNTRIES) + 1
    assert dict(found)[None] == sum(row["country"] is None for row in ROWS)


def test_counts_and_sums_leave_nulls_out(store: SnapshotStore) -> None:
    known = [row["a"] for row in ROWS if row["a"] is not None]
    assert assert_agrees(store, "SELECT COUNT(a) AS n, SUM(a) AS s FROM numbers") == [(len(known), sum(known))]


def test_sums_beyond_2_53_are_exact(store: SnapshotStore) -> None:
    assert assert_agrees(store, "SELECT SUM(big) AS s FROM numbers") == [(sum(int(row["big"]) for row in ROWS),)]


def test_a_sum_over_no_row_at_an_owner_is_no_group(store: SnapshotStore) -> None:
    assert assert_agrees(store, "SELECT SUM(a) AS s, COUNT(*) AS n FROM numbers WHERE c > 10") == []


def test_a_query_that_counts_members_alone_shares_rows_without_columns(store: SnapshotStore) -> None:
    assert assert_agrees(store, "SELECT COUNT(DISTINCT member()) AS n FROM numbers") == [()]
    assert assert_agrees(store, "SELECT COUNT(DISTINCT member()) AS n FROM numbers WHERE c > 10") == []


def test_quotes_in_words_are_words(store: SnapshotStore) -> None:
    for word in ("it''s", '"', "", "a\\b", "%", "x' OR '1'='1".replace("'", "''")):
        assert_agrees(store, f"SELECT COUNT(*) AS n FROM numbers WHERE note = '{word}'")


def test_each_row_is_shared_where_nothing_is_aggregated_before(store: SnapshotStore) -> None:
    found = assert_agrees(
        store, "SELECT country, SUM(a) AS s, COUNT(b) AS n FROM numbers GROUP BY country", pre_aggregate=False
    )
    assert len(found) == len(ROWS)


def test_the_rows_do_not_depend_on_the_order_of_the_file(tmp_path: Path) -> None:
    plan, share = planned(
        "SELECT person, country, SUM(a) AS s FROM numbers WHERE person IS NOT NULL GROUP BY person, country"
    )
    frames = []
    for place, rows in enumerate((ROWS, ROWS[::-1])):
        folder = tmp_path / str(place)
        folder.mkdir()
        made = SnapshotStore(folder / "snapshots")
        registered(made, CATALOGUE, "numbers", rows, folder)
        roots = committed_snapshots(made, plan, "bank-a", CATALOGUE)
        frames.append(run_local(plan, share.id, made, roots, CATALOGUE))
    assert frames[0].equals(frames[1])
    assert frames[0].equals(frames[0].sort(frames[0].columns, nulls_last=True))


def test_columns_have_their_physical_types(store: SnapshotStore) -> None:
    plan, share = planned(
        "SELECT person, flag, day, ts, country, SUM(a) AS s, SUM(big) AS wide FROM numbers "
        "WHERE person IS NOT NULL GROUP BY person, flag, day, ts, country"
    )
    frame = run_local(plan, share.id, store, committed_snapshots(store, plan, "bank-a", CATALOGUE), CATALOGUE)
    assert list(frame.schema.values()) == [
        pl.Binary(), pl.Boolean(), pl.Date(), pl.Datetime("us"), pl.String(), pl.Int64(), pl.Decimal(38, 0),
    ]  # fmt: skip
    assert frame.columns == [column.name for column in share.columns]


# --- any expression ----------------------------------------------------------------------------------------------

LITERALS = st.sampled_from(["0", "1", "3", "-3", "14", "1000"])
INTEGERS = st.recursive(
    st.sampled_from(["a", "b", "c"]) | LITERALS,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "%"]), inner)
        | st.builds("(- {})".format, inner)
        | st.builds("COALESCE({}, {})".format, inner, inner)
        | st.builds("CASE WHEN {} < {} THEN {} WHEN flag THEN {} END".format, inner, inner, inner, inner)
    ),
    max_leaves=5,
)
DECIMALS = st.recursive(
    st.sampled_from(["price", "0.05", "(a * 1.5)"]),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "%"]), inner)
        | st.builds("({} / {})".format, inner, INTEGERS)
        | st.builds("CAST({} AS DECIMAL(38, 12))".format, INTEGERS)
    ),
    max_leaves=3,
)
NUMERIC = INTEGERS | DECIMALS
SIMPLE_CONDITIONS = (
    st.builds("({} {} {})".format, NUMERIC, st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), NUMERIC)
    | st.builds("({} IS NULL)".format, NUMERIC)
    | st.builds("({} NOT BETWEEN {} AND {})".format, INTEGERS, INTEGERS, INTEGERS)
    | st.builds("({} IN ({}, NULL, {}))".format, INTEGERS, INTEGERS, INTEGERS)
    | st.sampled_from(
        [
            "flag", "(flag IS NOT TRUE)", "(country = 'DE')", "(country NOT IN ('DE', 'FR'))", "(note = 'x')",
            "(note IS NULL)", "(day < DATE '1970-01-02')", "(day + c > DATE '1970-01-02')",
            "(ts <= TIMESTAMP '1970-01-01')",
            "(day - DATE '1970-01-01' > a)", "(member() = 'bank-a')", "(member() IN ('bank-b', note))",
            "(CASE WHEN flag THEN country END = 'NL')", "(COALESCE(country, 'AT') = 'AT')", "(person = person)",
        ]
    )
)  # fmt: skip
CONDITIONS = st.recursive(
    SIMPLE_CONDITIONS,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["AND", "OR"]), inner)
        | st.builds("(NOT {})".format, inner)
    ),
    max_leaves=4,
)
KEYS = st.sampled_from(["country", "flag", "a % 3", "COALESCE(country, 'AT')", "day", "c / 2"])


@settings(derandomize=True, deadline=None, max_examples=100)
@given(NUMERIC, CONDITIONS, KEYS, st.booleans())
def test_any_expression_means_the_same(
    store: SnapshotStore, value: str, condition: str, key: str, pre_aggregate: bool
) -> None:
    sql = f"SELECT {key} AS k, SUM({value}) AS s, COUNT({value}) AS n FROM numbers WHERE {condition} GROUP BY {key}"
    try:
        planned(sql, pre_aggregate=pre_aggregate)
    except RequestError as error:
        assume(error.code not in ("plans/capacity", "plans/type", "plans/wide-comparison", "plans/unsupported"))
        raise
    assert_agrees(store, sql, pre_aggregate=pre_aggregate)
