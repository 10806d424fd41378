"""Joint models over three banks, from registered files to decoded frames: equal to plain models of the pooled rows."""

import random
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from consortia.errors import RequestError
from consortia.execution.estimate import estimate
from consortia.execution.learning import method_of
from consortia.plans.catalogue import Catalogue, KeyDomain
from consortia.plans.leakage import leakage_report
from consortia.plans.learning import Learning, RegressionMethod, TreesMethod, parameters
from consortia.plans.obligations import Obligations
from consortia.plans.steps_of_models import Fit
from consortia.protocols.learning import model
from tests.fixtures_catalogue import BANKS, CUSTOMER, INT, column, table
from tests.pooled_relations import Pool, Row

NUMBERS = KeyDomain(name="customer", id_type="number", key_id="aa")
ACCOUNTS = table(
    "accounts",
    column("id", CUSTOMER, max_distinct=40),
    column("age", INT, 0, 120),
    column("suspect", INT, 0, 1),
    column("kept", INT, 0, 1),
    max_rows=24,
)
PAYMENTS = table(
    "payments",
    column("payer", CUSTOMER, max_distinct=40),
    column("payee", CUSTOMER, max_distinct=40),
    column("amount", INT, 1, 1000),
    max_rows=24,
)
SPENDING = table("spending", column("who", CUSTOMER, max_distinct=40), column("spent", INT, 0, 10_000), max_rows=24)
CATALOGUE = Catalogue(
    consortium="testers", version=1, previous="0" * 64, purposes=("aml-detection",), key_domains=(NUMBERS,),
    tables=(ACCOUNTS, PAYMENTS, SPENDING),
)  # fmt: skip
EXAMPLES = """
examples: |
  SELECT a.id AS subject, a.label, a.held, a.age, s.spent
  FROM (SELECT id, MAX(age) AS age, MAX(suspect) AS label, MAX(kept) AS held FROM accounts GROUP BY id) AS a
  JOIN (SELECT who, SUM(spent) AS spent FROM spending GROUP BY who) AS s ON a.id = s.who
"""
REGRESSION = f"analysis: logistic-regression{EXAMPLES}epochs: 3\nbatch: 100\nrate: 0.5\nl2: 0.01\n"
TREES = f"analysis: boosted-trees{EXAMPLES}trees: 2\ndepth: 2\ncuts: 3\n"
Data = dict[str, dict[str, list[Row]]]


def drawn(seed: int, people: int = 30) -> Data:
    """Accounts at one bank each, what their holders spent at another: so features of one row are two members'."""
    draw = random.Random(seed)
    data: Data = {"accounts": defaultdict(list), "spending": defaultdict(list)}
    for place, number in enumerate(draw.sample(range(1000), people)):
        age, spent = draw.randint(18, 90), draw.randint(0, 3000)
        suspect = int(spent / 3000 + age / 180 + draw.gauss(0, 0.15) > 0.8)
        row: Row = {"id": str(number), "age": age, "suspect": suspect, "kept": int(draw.random() < 0.4)}
        data["accounts"][BANKS[place % 3]].append(row)
        data["spending"][BANKS[(place + 1) % 3]].append({"who": str(number), "spent": spent})
    return data


def pooled(data: Data) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Subjects, features, labels, and 1 where a row is learnt from."""
    spent = {row["who"]: row["spent"] for rows in data["spending"].values() for row in rows}
    rows = [row for rows in data["accounts"].values() for row in rows if row["id"] in spent]
    features = np.array([[row["age"], spent[row["id"]]] for row in rows], float)
    return (
        [str(row["id"]) for row in rows],
        features,
        np.array([row["suspect"] for row in rows], float),
        np.array([1 - int(row["kept"] or 0) for row in rows], float),
    )


def standardised(features: NDArray[np.float64], counted: NDArray[np.float64]) -> NDArray[np.float64]:
    taught = features[counted == 1]
    return np.clip((features - taught.mean(0)) / taught.std(0), -8, 8)


def plain_regression(data: Data, epochs: int, rate: float, l2: float) -> dict[str, float]:
    """Full batches, as all rows of the tests fit into one."""
    subjects, features, labels, counted = pooled(data)
    x = np.column_stack([standardised(features, counted), np.ones(len(subjects))])
    weights = np.zeros(3)
    for _ in range(epochs):
        p = 1 / (1 + np.exp(-x @ weights))
        pull = l2 * weights * [1, 1, 0]
        weights = weights - rate * (x.T @ (counted * (p - labels)) / counted.sum() + pull)
    return dict(zip(subjects, 1 / (1 + np.exp(-x @ weights)), strict=True))


def asked(folder: Path, data: Data, text: str) -> dict[str, list[Row]]:
    """What each recipient is told on shares, at the declared cost."""
    pool = Pool(folder, data, CATALOGUE)
    return pool.answers(pool.plan(text))


def test_each_bank_is_told_the_scores_of_its_own_rows_by_a_model_of_all_that_nobody_sees(tmp_path: Path) -> None:
    data = drawn(1)
    expected = plain_regression(data, 3, 0.5, 0.01)
    holders = defaultdict(set)
    for name, key in (("accounts", "id"), ("spending", "who")):
        for bank, rows in data[name].items():
            for row in rows:
                holders[bank].add(str(row[key]))
    told = asked(tmp_path, data, f"{REGRESSION}give: scores\n")
    assert {bank: {str(row["subject"]) for row in rows} for bank, rows in told.items()} == holders
    apart = [abs(int(row["score"]) / 10**6 - expected[str(row["subject"])]) for rows in told.values() for row in rows]
    assert max(apart) < 2e-3
    assert max(expected.values()) - min(expected.values()) > 0.2


@pytest.mark.parametrize("text", [REGRESSION, TREES], ids=["regression", "trees"])
def test_scores_on_shares_are_those_on_plain_values(tmp_path: Path, text: str) -> None:
    pool = Pool(tmp_path, drawn(2), CATALOGUE)
    plan = pool.plan(f"{text}give: scores\n")
    shared, plain = pool.answers(plan), pool.answers(plan, shared=False)
    for bank, rows in plain.items():
        scores = {row["subject"]: int(row["score"]) for row in rows}
        apart = [abs(scores[row["subject"]] - int(row["score"])) for row in shared[bank]]
        assert len(apart) == len(scores)
        assert max(apart) < 1000


def test_an_alert_tells_the_rows_that_reach_the_score_and_not_the_score(tmp_path: Path) -> None:
    data = drawn(3)
    expected = plain_regression(data, 3, 0.5, 0.01)
    order = sorted(expected.values())
    limit = round((order[14] + order[15]) / 2, 3)
    told = asked(tmp_path, data, f"{REGRESSION}give: alerts\nat-least: {limit}\n")
    assert all(set(row) == {"subject"} for rows in told.values() for row in rows)
    assert {str(row["subject"]) for rows in told.values() for row in rows} == {
        subject for subject, score in expected.items() if score >= limit
    }


def test_a_model_is_judged_by_bands_of_the_rows_kept_back_alone(tmp_path: Path) -> None:
    data = drawn(4)
    expected = plain_regression(data, 3, 0.5, 0.01)
    subjects, _, labels, counted = pooled(data)
    kept = [
        (expected[subject], label) for subject, label, here in zip(subjects, labels, counted, strict=True) if not here
    ]
    kept.sort(reverse=True)
    (rows,) = asked(tmp_path, data, f"{REGRESSION}give: evaluation\nbands: [3, 6]\n").values()
    parts = [kept[:3], kept[3:6], kept[6:]]
    assert [row["up_to"] for row in rows] == [3, 6, None]
    assert [row["rows"] for row in rows] == [len(part) for part in parts]
    assert [row["positives"] for row in rows] == [sum(label for _, label in part) for part in parts]
    for row, part in zip(rows, parts, strict=True):
        assert abs(int(row["expected"]) / 10**6 - sum(score for score, _ in part)) < 2e-3 * len(part)


def test_a_band_without_the_least_number_of_other_banks_customers_is_not_released(tmp_path: Path) -> None:
    data = drawn(9)
    expected = plain_regression(data, 3, 0.5, 0.01)
    subjects, _, _, counted = pooled(data)
    order = sorted((subject for subject, here in zip(subjects, counted, strict=True) if not here), key=expected.get)
    parts = [order[::-1][start:stop] for start, stop in ((0, 2), (2, 6), (6, None))]
    own = {str(row["id"]) for row in data["accounts"]["bank-a"]} | {
        str(row["who"]) for row in data["spending"]["bank-a"]
    }
    shown = [end for end, part in zip((2, 6, None), parts, strict=True) if len(set(part) - own) >= 2]
    assert 0 < len(shown) < 3
    pool = Pool(tmp_path, data, CATALOGUE)
    text = f"{REGRESSION}give: evaluation\nbands: [2, 6]\n"
    rules = Obligations(entity="subject", minimum_entities=2)
    (rows,) = pool.answers(pool.plan(text, rules), shared=False).values()
    assert [row["up_to"] for row in rows] == shown


def test_labels_of_rows_kept_back_change_no_score(tmp_path: Path) -> None:
    data = drawn(5)
    other: Data = {
        "accounts": {
            bank: [{**row, "suspect": 1 - int(row["suspect"] or 0)} if row["kept"] else row for row in rows]
            for bank, rows in data["accounts"].items()
        },
        "spending": data["spending"],
    }
    text = f"{REGRESSION}give: scores\n"
    answers = []
    for name, each in (("one", data), ("other", other)):
        pool = Pool(tmp_path / name, each, CATALOGUE)
        answers.append(pool.answers(pool.plan(text), shared=False))
    assert answers[0] == answers[1]


NETWORK = """
analysis: logistic-regression
accounts: SELECT id AS account, MAX(age) AS score FROM accounts GROUP BY id
payments: SELECT payer AS source, payee AS target, SUM(amount) AS amount FROM payments GROUP BY payer, payee
iterations: 1
scale: 120
examples: |
  SELECT a.id AS subject, a.label, n.risk FROM (SELECT id, MAX(suspect) AS label FROM accounts GROUP BY id) AS a
  JOIN network AS n ON a.id = n.account
epochs: 3
batch: 100
give: scores
"""


def test_a_model_learns_from_what_payments_bring_about(tmp_path: Path) -> None:
    draw, data = random.Random(7), drawn(7)
    people = [(bank, row) for bank, rows in data["accounts"].items() for row in rows]
    data["payments"] = defaultdict(list)
    for _ in range(40):
        (bank, payer), (_, payee) = draw.choice(people), draw.choice(people)
        if len(data["payments"][bank]) < 24:
            row: Row = {"payer": payer["id"], "payee": payee["id"], "amount": draw.randint(1, 1000)}
            data["payments"][bank].append(row)
    came, risk = defaultdict(float), defaultdict(float)
    age = {row["id"]: float(row["age"] or 0) for _, row in people}
    for rows in data["payments"].values():
        for row in rows:
            came[row["payee"]] += float(row["amount"] or 0)
            risk[row["payee"]] += float(row["amount"] or 0) * age[row["payer"]]
    features = np.array([[0.5 * age[key] + (0.5 * risk[key] / came[key] if came[key] else 0)] for key in age])
    labels = np.array([row["suspect"] for _, row in people], float)
    x = np.column_stack([standardised(features, np.ones(len(age))), np.ones(len(age))])
    weights = np.zeros(2)
    for _ in range(3):
        weights = weights - 0.5 * x.T @ (1 / (1 + np.exp(-x @ weights)) - labels) / len(age)
    expected = dict(zip(map(str, age), 1 / (1 + np.exp(-x @ weights)), strict=True))
    told = asked(tmp_path, data, NETWORK)
    apart = [abs(int(row["score"]) / 10**6 - expected[str(row["subject"])]) for rows in told.values() for row in rows]
    assert len(apart) == len(expected)
    assert max(apart) < 2e-3


def test_the_report_names_no_opening_that_tells_of_the_data(tmp_path: Path) -> None:
    pool = Pool(tmp_path, drawn(6), CATALOGUE)
    plan = pool.plan(f"{TREES}give: scores\n")
    report = leakage_report(plan, estimate(plan))
    steps = {step.id for step in plan.steps if step.kind in ("fit", "score")}
    assert len(steps) == 2
    told = [entry for entry in report.entries if entry.step in steps and entry.kind != "traffic"]
    assert all(entry.kind == "opening" and "masked" in entry.detail for entry in told)


@pytest.mark.parametrize(
    "method",
    [
        RegressionMethod(epochs=2, batch=10, rate=500_000, penalty=0),
        TreesMethod(trees=3, depth=4, rate=300_000, cuts=15),
        TreesMethod(trees=1, depth=1, rate=1_000_000, cuts=1),
    ],
)
@pytest.mark.parametrize("features", [1, 7])
def test_the_plan_knows_how_many_parameters_a_model_has(method: Learning, features: int) -> None:
    assert parameters(method, features) == model.parameters(method_of(method), features)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("epochs: 3\n", ""), "plans/spec"),
        (("epochs: 3", "epochs: 0"), "plans/spec"),
        (("rate: 0.5", "rate: 0"), "plans/spec"),
        (("rate: 0.5", "rate: 0.00000001"), "plans/spec"),
        (("AS subject", "AS person"), "plans/spec"),
        (("a.label,", ""), "plans/spec"),
        (("a.age, s.spent", "a.age AS score"), "plans/spec"),
        (("a.age, s.spent", "a.id AS other"), "plans/spec"),
        ((", a.age, s.spent", ""), "plans/spec"),
        (("MAX(suspect) AS label", "MAX(age) AS label"), "plans/spec"),
        (("JOIN (SELECT who", "LEFT JOIN (SELECT who"), "plans/unsupported"),
        (("give: scores", "give: weights"), "plans/spec"),
        (("give: scores", "give: scores\nat-least: 0.5"), "plans/spec"),
        (("give: scores", "give: alerts"), "plans/spec"),
        (("give: scores", "give: evaluation"), "plans/spec"),
        (("give: scores", "give: evaluation\nbands: [3, 3]"), "plans/spec"),
        (("give: scores", "give: evaluation\nbands: [3]\nby: nothing"), "plans/spec"),
        (("a.held, ", ""), ""),
        (("give: scores", "trees: 3"), "plans/spec"),
    ],
)
def test_what_can_not_be_learnt_is_refused_with_a_remedy(tmp_path: Path, change: tuple[str, str], code: str) -> None:
    text = f"{REGRESSION}give: scores\n"
    assert change[0] in text
    pool = Pool(tmp_path, {}, CATALOGUE)
    if not code:
        (step,) = [step for step in pool.plan(text.replace(*change)).steps if isinstance(step, Fit)]
        assert step.held == ""
        return
    with pytest.raises(RequestError) as refused:
        pool.plan(text.replace(*change))
    assert refused.value.code == code
    assert refused.value.remedy
