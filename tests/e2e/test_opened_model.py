"""A model over three banks as separate processes: its weights reach the analyst, and the budget ends it."""

from pathlib import Path

import numpy as np
import pytest

from consortia.client.noise import noise_dict
from consortia.errors import ConsortiaError
from tests.e2e_cluster import PURPOSE, prepare, running

pytestmark = pytest.mark.processes

MODEL = """\
analysis: logistic-regression
examples: |
  SELECT person AS subject, MAX(CASE WHEN country = 'DE' THEN 1 ELSE 0 END) AS label,
    LEAST(GREATEST(SUM(amount), -2000), 2000) AS total
  FROM visits GROUP BY person
epochs: 40
batch: 600
give: model
"""
GRANTED = (
    (
        "  model: never",
        (
            "  model:\n    recipients: [bank-a]\n    human-review: off\n    retention-days: off\n"
            "    onward-sharing: off\n    noise: {rho-per-release: 8/1, rho-per-period: 8/1}"
        ),
    ),
    ("operations: [filter, sum, count, compare, rank]", "operations: [filter, sum, count, compare, rank, train]"),
    (
        "country: {class: quasi, operations: [filter, group]}",
        "country: {class: quasi, operations: [filter, group, train]}",
    ),
)


def test_an_analyst_receives_the_weights_with_noise_until_the_budget_of_every_owner_is_spent(tmp_path: Path) -> None:
    with running(prepare(tmp_path, edits=GRANTED)) as cluster:
        client = cluster.client()
        query = client.sql(MODEL, purpose=PURPOSE)
        frame, told = query.collect(), noise_dict(query.compiled.plan)
        assert told is not None
        with pytest.raises(ConsortiaError) as refused:
            client.sql(MODEL, purpose=PURPOSE).collect()
        assert refused.value.code == "client/no-room"
    assert frame.columns == ["parameter", "weight", "low", "high"]
    assert frame.select("parameter", "low", "high").rows() == [("intercept", None, None), ("total", -2000, 2000)]
    amounts: dict[str, int] = {}
    german: dict[str, int] = {}
    for _, (person, amount, country, _) in cluster.pooled:
        amounts[person] = amounts.get(person, 0) + amount
        german[person] = max(german.get(person, 0), int(country == "DE"))
    scaled = np.clip([amounts[person] for person in amounts], -2000, 2000) / 2000
    x, y = np.stack([scaled, np.ones(len(scaled))]), np.array([german[person] for person in amounts])
    plain = np.zeros(2)
    for _ in range(40):
        plain = plain - 0.5 / 600 * (x @ (1 / (1 + np.exp(-plain @ x)) - y))
    found = {name: float(weight) for name, weight in frame.select("parameter", "weight").rows()}
    deviation = float(told["outputs"][0]["standard_deviation"])
    assert max(abs(plain)) > 8 * deviation
    assert np.max(np.abs(np.array([found["total"], found["intercept"]]) - plain)) < 6 * deviation
