"""Specs over three banks, from registered files to decoded frames: equal to plain loops over the pooled payments."""

import math
from collections import defaultdict
from pathlib import Path

import pytest

from consortia.errors import RequestError
from consortia.execution.estimate import estimate
from consortia.plans.catalogue import Catalogue
from consortia.plans.leakage import leakage_report
from consortia.plans.networks import LARGEST_SCALE
from consortia.plans.types import ColumnType
from tests.fixtures_catalogue import BANKS, CUSTOMER, DATE, INT, column, table
from tests.payments_world import ACCOUNTS, CATALOGUE, FOLLOWED, PAYMENTS, asked, drawn, edges_of, homes
from tests.pooled_relations import Pool, Row

RISK = """
analysis: risk-propagation
accounts: SELECT id AS account, MAX(score) AS score FROM accounts GROUP BY id
payments: |
  SELECT payer AS source, payee AS target, SUM(amount) AS amount FROM payments
  GROUP BY payer, payee
iterations: 2
scale: 100
"""
RANK = """
analysis: pagerank
accounts: SELECT id AS account FROM accounts GROUP BY id
payments: SELECT payer AS source, payee AS target, amount FROM payments
iterations: 3
"""
CYCLES = f"analysis: cycles{FOLLOWED}longest: 3\npaths: [200]\nclosed: 100\n"
BETWEEN = f"analysis: scatter-gather{FOLLOWED}middles: 2\npaths: 200\n"


def plain_risk(data: dict[str, dict[str, list[Row]]], iterations: int) -> dict[str, float]:
    score = {str(row["id"]): row["score"] / 100 for rows in data["accounts"].values() for row in rows}
    for k in range(1, iterations + 1):
        received, total, d = defaultdict(float), defaultdict(float), 0.5 / math.sqrt(k)
        for edge in edges_of(data):
            received[edge["payee"]] += edge["amount"] * score[edge["payer"]]
            total[edge["payee"]] += edge["amount"]
        score = {key: (1 - d) * r + (d * received[key] / total[key] if total[key] else 0) for key, r in score.items()}
    return score


def test_each_bank_is_told_the_propagated_risk_of_its_own_accounts_alone(tmp_path: Path) -> None:
    for seed in range(2):
        data = drawn(seed)
        expected, home = plain_risk(data, 2), homes(data)
        told = asked(tmp_path / str(seed), data, RISK)
        seen = [(who, str(row["account"]), row["risk"]) for who, rows in told.items() for row in rows]
        assert sorted(key for _, key, _ in seen) == sorted(expected)
        for who, key, risk in seen:
            assert who == home[key]
            assert abs(risk / 10**6 - 100 * expected[key]) < 1e-4


def in_periods(*conditions: str) -> str:
    """Risk over several periods, each the payments of one condition."""
    head, rest = RISK.split("payments: |\n")
    query, tail = rest.split("iterations")
    parts = "".join("- |\n" + query.replace("  GROUP BY", f"  WHERE {condition} GROUP BY") for condition in conditions)
    return f"{head}payments:\n{parts}iterations{tail}"


def of_days(data: dict[str, dict[str, list[Row]]], first: int, last: int, scores: dict[str, float]) -> dict[str, float]:
    """Plain risk over the payments of some days, from scores of 0 to 1."""
    listed = {
        bank: [{**row, "score": 100 * scores[str(row["id"])]} for row in rows]
        for bank, rows in data["accounts"].items()
    }
    paid = {bank: [row for row in rows if first <= row["day"] < last] for bank, rows in data["payments"].items()}
    return plain_risk({"accounts": listed, "payments": paid}, 2)


def test_scores_of_one_period_go_into_the_next_in_the_order_of_the_queries(tmp_path: Path) -> None:
    data = drawn(1)
    start = {str(row["id"]): row["score"] / 100 for rows in data["accounts"].values() for row in rows}
    days = [(0, 15), (15, 16), (16, 99)]
    expected = start
    for first, last in days:
        expected = of_days(data, first, last, expected)
    backwards = start
    for first, last in reversed(days):
        backwards = of_days(data, first, last, backwards)
    told = asked(tmp_path, data, in_periods(*(f"day >= {first} AND day < {last}" for first, last in days)))
    found = {str(row["account"]): row["risk"] / 10**8 for rows in told.values() for row in rows}
    assert found == pytest.approx(expected, abs=1e-6)
    assert max(abs(backwards[key] - expected[key]) for key in expected) > 1e-2


def test_one_query_in_a_list_is_that_query(tmp_path: Path) -> None:
    pool = Pool(tmp_path, drawn(1), CATALOGUE)
    alone = pool.plan(RISK.replace("  GROUP BY", "  WHERE day >= 0 GROUP BY"))
    listed = pool.plan(in_periods("day >= 0"))
    assert listed.steps == alone.steps


def test_a_period_may_read_another_table_and_have_no_payment(tmp_path: Path) -> None:
    old = table("old_payments", *PAYMENTS.columns, max_rows=4, holders=("bank-b",))
    data = drawn(1)
    data["old_payments"] = {"bank-b": [{"payer": "821", "payee": "137", "day": 1, "amount": 7}]}
    pool = Pool(tmp_path, data, CATALOGUE.model_copy(update={"tables": (ACCOUNTS, old, PAYMENTS)}))
    text = in_periods("day < 0", "day >= 0").replace("FROM payments", "FROM old_payments", 1)
    start = {str(row["id"]): row["score"] / 100 for rows in data["accounts"].values() for row in rows}
    expected = of_days(data, 0, 99, of_days(data, 0, 0, start))
    for shared in (True, False):
        told = pool.answers(pool.plan(text), shared=shared)
        found = {str(row["account"]): row["risk"] / 10**8 for rows in told.values() for row in rows}
        assert found == pytest.approx(expected, abs=1e-6)


def test_an_alert_by_propagated_risk_tells_the_account_and_not_the_number(tmp_path: Path) -> None:
    data = drawn(1)
    limit = 20.0
    told = asked(tmp_path, data, f"{RISK}at-least: {limit}\n")
    expected = {key for key, risk in plain_risk(data, 2).items() if 100 * risk >= limit}
    assert {str(row["account"]) for rows in told.values() for row in rows} == expected
    assert expected
    assert all(set(row) == {"account"} for rows in told.values() for row in rows)


def test_ranks_are_those_of_the_pooled_payments(tmp_path: Path) -> None:
    data = drawn(3)
    keys = list(homes(data))
    rank, out = dict.fromkeys(keys, 1 / len(keys)), defaultdict(float)
    for edge in edges_of(data):
        out[edge["payer"]] += edge["amount"]
    for _ in range(3):
        received = defaultdict(float)
        for edge in edges_of(data):
            if out[edge["payer"]]:
                received[edge["payee"]] += edge["amount"] / out[edge["payer"]] * rank[edge["payer"]]
        rank = {key: 0.15 / len(keys) + 0.85 * received[key] for key in keys}
    told = asked(tmp_path, data, RANK)
    for row in (row for rows in told.values() for row in rows):
        assert abs(row["rank"] / 10**9 - rank[str(row["account"])]) < 1e-6


def follows(first: Row, second: Row) -> bool:
    enough = second["amount"] * 10 >= first["amount"] * 8
    return 0 < second["day"] - first["day"] <= 20 and second["amount"] <= first["amount"] and enough


def on_cycles(edges: list[Row]) -> set[str]:
    """Accounts on closed paths of two or three payments."""
    found = set()
    for a in edges:
        for b in edges:
            if a["payee"] != b["payer"] or a["payer"] == a["payee"] or b["payer"] == b["payee"] or not follows(a, b):
                continue
            if b["payee"] == a["payer"]:
                found |= {a["payer"], a["payee"]}
                continue
            for c in edges:
                if (c["payer"], c["payee"]) == (b["payee"], a["payer"]) and follows(b, c):
                    found |= {a["payer"], b["payer"], c["payer"]}
    return found


def test_the_accounts_of_cycles_are_told_to_the_banks_that_keep_them(tmp_path: Path) -> None:
    seen = set()
    for seed in range(2):
        data = drawn(seed, nodes=5)
        expected, home = on_cycles(edges_of(data, listed=False)), homes(data)
        told = asked(tmp_path / str(seed), data, CYCLES)
        found = {(who, str(row["account"])) for who, rows in told.items() for row in rows}
        assert found == {(home[key], key) for key in expected & set(home)}
        seen |= found
    assert seen


def test_the_accounts_of_scatter_gather_are_those_of_plain_search(tmp_path: Path) -> None:
    data = drawn(12, nodes=5)
    edges, between = edges_of(data, listed=False), defaultdict(set)
    for a in edges:
        for b in edges:
            if a["payee"] == b["payer"] and follows(a, b) and len({a["payer"], a["payee"], b["payee"]}) == 3:
                between[a["payer"], b["payee"]].add(a["payee"])
    pairs = {pair: middles for pair, middles in between.items() if len(middles) >= 2}
    expected = {key for pair, middles in pairs.items() for key in (*pair, *middles)} & set(homes(data))
    told = asked(tmp_path, data, BETWEEN)
    assert {str(row["account"]) for rows in told.values() for row in rows} == expected
    assert expected


def test_more_paths_than_the_bound_reach_the_analyst_with_a_remedy(tmp_path: Path) -> None:
    pool = Pool(tmp_path, drawn(0, nodes=5), CATALOGUE)
    plan = pool.plan(CYCLES.replace("[200]", "[1]"))
    with pytest.raises(RequestError, match=r"graph/too-many-paths.*condition to `payments`"):
        pool.answers(plan)


@pytest.mark.parametrize("text", [CYCLES, BETWEEN], ids=["cycles", "scatter-gather"])
def test_a_bound_counts_what_follows_within_the_window_before_amounts_are_compared(tmp_path: Path, text: str) -> None:
    chains = [
        {"payer": f"{start}", "payee": "9", "day": 1, "amount": 10} for start in (1, 2)
    ] + [{"payer": "9", "payee": f"{end}", "day": 2, "amount": 9_000} for end in (3, 4)]  # fmt: skip
    pool = Pool(tmp_path, {"payments": {"bank-a": chains}}, CATALOGUE)
    assert not any(pool.answers(pool.plan(text.replace("200", "4"))).values())
    with pytest.raises(RequestError, match=r"graph/too-many-paths.*3 payments.*before amounts are compared"):
        pool.answers(pool.plan(text.replace("200", "3")))
    plan = pool.plan(text)
    (told,) = {entry.what for entry in leakage_report(plan, estimate(plan)).entries if "bound" in entry.what}
    assert "within the window, before amounts are compared" in told


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("analysis: cycles", "analysis: circles"), "plans/spec.*circles"),
        (("longest: 3", "longest: 7"), "plans/spec.*from 2 to 6"),
        (("paths: [200]", "paths: [200, 5]"), "plans/spec.*there are 2 `paths`"),
        (("window: 20", "window: soon"), "plans/spec"),
        (("part: 0.8", "part: 1.8"), "plans/spec.*from 0 to 1"),
        (("closed: 100", "closed: 0"), "plans/spec"),
        (("closed: 100", "closed: 100\nclosed: 5"), "plans/spec.*stands twice"),
        (("closed: 100", "closed: 100\nshut: 5"), "plans/spec.*is no field"),
        (("closed: 100\n", ""), "plans/spec.*`closed` is missing"),
        (("day AS time", "day AS when_"), "plans/spec.*select source, target, amount, time"),
        (("FROM accounts", "FROM account"), "plans/unknown-table.*accounts"),
        (("amount FROM", "CASE WHEN day > 3 THEN amount END AS amount FROM"), "plans/unsupported.*amount.*may be NULL"),
        (("id AS account FROM accounts GROUP BY id", "score AS account FROM accounts"), "plans/spec.*of the type int"),
        ((" GROUP BY id", ""), "plans/spec.*may name an account twice"),
        (("longest: 3", "longest: *three"), "plans/spec"),
        (("longest: 3", "longest: {a: b}"), "plans/spec"),
        (("longest: 3", "longest: [[3]]"), "plans/spec.*line 7.*plain values"),
        (("longest: 3", f"longest: {'[' * 3000}"), "plans/spec.*plain values"),
        *(
            (("part: 0.8", f"part: {part}"), "plans/spec.*from 0 to 1")
            for part in ("1e-5000", "1e-99999999", "4/5", "\u0660.8", "0.1234567891", "-0.1", "0_0")
        ),
    ],
)
def test_a_spec_without_sense_is_refused_with_its_place_before_anything_is_shared(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    assert change[0] in CYCLES
    with pytest.raises(RequestError, match=said):
        Pool(tmp_path, {}, CATALOGUE).plan(CYCLES.replace(*change))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("scale: 100", "scale: 99"), "plans/capacity.*from 0 to 99"),
        (("scale: 100", f"scale: {LARGEST_SCALE + 1}"), f"plans/spec.*from 1 to {LARGEST_SCALE}"),
        (("iterations: 2", "iterations: 0"), "plans/spec"),
        (("iterations: 2", "iterations: 2\nat-least: much"), "plans/spec"),
        (("SUM(amount)", "SUM(amount * 100000000000000)"), "plans/capacity"),
    ],
)
def test_numbers_that_can_not_be_carried_are_refused(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    assert change[0] in RISK
    with pytest.raises(RequestError, match=said):
        Pool(tmp_path, {}, CATALOGUE).plan(RISK.replace(*change))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (in_periods("day < 9", "days < 9"), r"plans/unknown-column.*`payments` from line 8"),
        (in_periods(*["day < 9"] * 37), r"plans/spec.*`payments` has 37 periods.*at most 36"),
        (RANK.replace("payments: SELECT", "payments:\n- SELECT"), r"plans/spec.*`payments` is a list"),
        (in_periods("day < 9", "day > 9").replace("9 GROUP", "9 AND payee IS NOT NULL GROUP").replace(
            "SUM(amount) AS", "MIN(CASE WHEN day > 3 THEN amount END) AS"), r"plans/unsupported.*may be NULL"),
    ],
    ids=["unknown column in the second", "too many", "ranks have one", "an amount may be NULL"],
)  # fmt: skip
def test_every_period_is_checked_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        Pool(tmp_path, {}, CATALOGUE).plan(text)


def test_steps_in_which_rounding_could_reach_the_largest_score_are_refused(tmp_path: Path) -> None:
    many = table("payments", *PAYMENTS.columns, max_rows=100_000)
    pool = Pool(tmp_path, {}, CATALOGUE.model_copy(update={"tables": (ACCOUNTS, many)}))
    paid = "- SELECT payer AS source, payee AS target, amount FROM payments\n"
    head = RISK[: RISK.index("payments:")]
    text = f"{head}payments:\n{{}}iterations: 100\nscale: 100\n"
    assert pool.plan(text.format(paid * 8)).steps  # 8 * 100 * (4 * 300,000 + 34) < 2^30
    with pytest.raises(RequestError, match=r"plans/capacity.*100 iterations over each of 9 periods.*300000 payments"):
        pool.plan(text.format(paid * 9))


def test_a_score_of_the_largest_scale_is_right_on_shares_and_on_values(tmp_path: Path) -> None:
    data = drawn(0)
    for row in (row for rows in data["accounts"].values() for row in rows):
        row["score"] = LARGEST_SCALE if row["score"] else 0
    wider = table(
        "accounts", column("id", CUSTOMER, max_distinct=20), column("score", INT, 0, LARGEST_SCALE), max_rows=6
    )
    pool = Pool(tmp_path, data, CATALOGUE.model_copy(update={"tables": (wider, PAYMENTS)}))
    plan = pool.plan(RISK.replace("scale: 100", f"scale: {LARGEST_SCALE}"))
    expected = {key: 100 * risk for key, risk in plain_risk(data, 2).items()}  # of scores by 100
    assert max(expected.values()) > LARGEST_SCALE / 2
    for shared in (True, False):
        told = pool.answers(plan, shared=shared)
        found = {str(row["account"]): row["risk"] / 10**6 for rows in told.values() for row in rows}
        assert found == pytest.approx(expected, abs=LARGEST_SCALE * 1e-6)


def of_decimals(places: int) -> Catalogue:
    """Scores from 0 to 1 with so many places."""
    score = column("score", ColumnType(kind="decimal", scale=places), 0, 10**places)
    accounts = table("accounts", column("id", CUSTOMER, max_distinct=20), score, max_rows=6)
    return CATALOGUE.model_copy(update={"tables": (accounts, PAYMENTS)})


def test_scores_have_so_few_decimal_places_that_none_is_lost(tmp_path: Path) -> None:
    text = RISK.replace("scale: 100", "scale: 1")
    data: dict[str, dict[str, list[Row]]] = {"accounts": {"bank-b": [{"id": "7", "score": 10**8}]}}
    pool = Pool(tmp_path / "8", data, of_decimals(8))
    ((row,),) = (rows for rows in pool.answers(pool.plan(text)).values() if rows)
    assert abs(row["risk"] / 10**6 - 0.5 * (1 - 0.5 / math.sqrt(2))) < 3e-6
    with pytest.raises(RequestError, match=r"plans/capacity.*9 decimal places.*fewer"):
        Pool(tmp_path / "9", {}, of_decimals(9)).plan(text)
    rounded = text.replace("MAX(score)", "ROUND(MAX(score), 2)")
    assert Pool(tmp_path / "2", {}, of_decimals(9)).plan(rounded).steps


@pytest.mark.parametrize("text", [CYCLES, BETWEEN], ids=["cycles", "scatter-gather"])
def test_amounts_that_a_part_of_many_places_can_not_be_compared_with_are_refused(tmp_path: Path, text: str) -> None:
    largest = (1 << 50) // 3
    amounts = column("amount", INT, 0, largest)
    payments = table("payments", *(each for each in PAYMENTS.columns if each.name != "amount"), amounts, max_rows=16)
    pool = Pool(tmp_path, {}, CATALOGUE.model_copy(update={"tables": (ACCOUNTS, payments)}))
    assert estimate(pool.plan(text.replace("0.8", "0.999"))).rounds
    with pytest.raises(RequestError, match=r"plans/capacity.*`part` is 99999/100000.*`part` with fewer"):
        pool.plan(text.replace("0.8", "0.99999"))


@pytest.mark.parametrize("window", ["\u00b3 days", "1e3 days", "1000000 days", "-1 days"])
def test_a_window_that_is_no_plain_number_of_days_is_refused(tmp_path: Path, window: str) -> None:
    days = table(
        "payments", *(each for each in PAYMENTS.columns if each.name != "day"), column("day", DATE), max_rows=16
    )
    pool = Pool(tmp_path, {}, CATALOGUE.model_copy(update={"tables": (ACCOUNTS, days)}))
    assert pool.plan(CYCLES.replace("window: 20", "window: 3 days")).steps
    with pytest.raises(RequestError, match=r"plans/spec.*`window`"):
        pool.plan(CYCLES.replace("window: 20", f"window: {window}"))


def values(rows: list[Row]) -> dict[str, int]:
    """The score of each account, 0 where it is an alert."""
    return {str(row["account"]): row.get("risk", row.get("rank", 0)) for row in rows}


@pytest.mark.parametrize("text", [RISK, RANK, CYCLES], ids=["risk", "rank", "cycles"])
def test_an_account_that_two_banks_list_is_one_node_told_to_both(tmp_path: Path, text: str) -> None:
    data = drawn(0, nodes=5)
    once = asked(tmp_path / "once", data, text)
    home, *_ = (bank for bank, rows in once.items() if rows)
    name = once[home][0]["account"]
    row = next(row for row in data["accounts"][home] if str(row["id"]) == str(name))
    other = next(bank for bank in BANKS if bank != home)
    data["accounts"][other].append(dict(row))
    twice = asked(tmp_path / "twice", data, text)
    told, expected = ({bank: values(rows) for bank, rows in answer.items()} for answer in (twice, once))
    expected[other][str(name)] = expected[home][str(name)]
    assert {bank: set(rows) for bank, rows in told.items()} == {bank: set(rows) for bank, rows in expected.items()}
    for bank, rows in told.items():
        assert rows == pytest.approx(expected[bank], abs=10), "but for the rounding of shares"


@pytest.mark.parametrize("data", [{}, {"accounts": {"bank-b": [{"id": "7", "score": 50}]}}], ids=["nothing", "one"])
def test_banks_without_rows_and_accounts_without_payments_are_fine(
    tmp_path: Path, data: dict[str, dict[str, list[Row]]]
) -> None:
    told = asked(tmp_path, data, RISK)
    rows = [(who, row["account"], row["risk"]) for who, rows in told.items() for row in rows]
    # half of the score is left after the first step, and 1 - 0.5 / sqrt(2) of that after the second
    left = 50 * 0.5 * (1 - 0.5 / math.sqrt(2))
    assert [(who, str(account)) for who, account, _ in rows] == ([("bank-b", "7")] if data else [])
    assert all(abs(risk / 10**6 - left) < 1e-4 for _, _, risk in rows)
    assert not any(asked(tmp_path / "cycles", data, CYCLES).values())
