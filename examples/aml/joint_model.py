"""What a model learnt together finds among the accounts that nobody has reported yet, beside each bank's own model.

Both learn what banks have reported (``sar_flag``) from what goes in and out of an account and how central it is; alone
with scikit-learn over a bank's own rows, together as ``specs/model.yaml`` says. A bank looks into the accounts of the
highest scores, as many as it has alerts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from examples.aml import plain, public_models
from examples.aml.findings import Rows, unsuspected
from examples.aml.generator.planted import Truth
from examples.aml.markdown import shown, table
from examples.aml.recall import Counted, average_precision, counted, together

MODEL, RANK = plain.Spec.read("model"), plain.Spec.read("pagerank")
FLOWS = """
    SELECT account_id, CAST(sar_flag AS INTEGER), CAST(cash_intensive AS INTEGER),
      coalesce(i.payments, 0), coalesce(i.large, 0), ln(1 + coalesce(i.total, 0)),
      coalesce(o.payments, 0), coalesce(o.large, 0), ln(1 + coalesce(o.total, 0))
    FROM accounts
    LEFT JOIN (SELECT to_account, count(*) AS payments, sum(CAST(amount_minor >= 100000 AS INTEGER)) AS large,
                 sum(amount_minor) AS total
               FROM transactions WHERE currency = 'EUR' AND format <> 'cash' GROUP BY to_account) AS i
      ON i.to_account = account_id
    LEFT JOIN (SELECT from_account, count(*) AS payments, sum(CAST(amount_minor >= 100000 AS INTEGER)) AS large,
                 sum(amount_minor) AS total
               FROM transactions WHERE currency = 'EUR' AND format <> 'cash' GROUP BY from_account) AS o
      ON o.from_account = account_id
"""
"""The columns of the catalogue's local table ``flows`` that the spec reads: the label, then features."""
SECTION = """\
## A model learnt together

Boosted trees learn which accounts banks have reported, from what goes in and out of an account and its rank in the flow
of money. Alone, a bank learns from its own accounts and payments (scikit-learn's trees of the same size); together, the
model of `specs/model.yaml` learns from all rows and stays on shares, and each bank is told the scores of its own
accounts. A bank looks into its accounts of the highest scores. Of those that it has not reported, targets are on
planted rings. Ordinary accounts are reported too (1 %), at random, so no model can be exact.
"""
PUBLIC = """\
Of public customers (UCI, credit cards) whose columns lie at two banks, average precision on customers kept back is off
from scikit-learn's, on pooled rows, by {apart}; at most {most} is accepted.
"""


@dataclass(frozen=True)
class Models:
    """By bank, what is found at the budget and the average precision over targets; differences to scikit-learn."""

    alone: Mapping[str, Counted]
    joint: Mapping[str, Counted]
    precision: Mapping[str, Mapping[str, float | None]]
    conformance: Mapping[str, float]

    def numbers(self) -> dict[str, object]:
        """For ``gains.json``."""
        return {
            "all_banks_alone_recall": together(list(self.alone.values())).recall,
            "consortium_recall": together(list(self.joint.values())).recall,
            "average_precision": {name: dict(row) for name, row in self.precision.items()},
        }

    def section(self) -> list[str]:
        """Lines of the page."""
        rows = [
            (
                bank, str(self.joint[bank].targets), shown(self.alone[bank].recall), shown(self.joint[bank].recall),
                shown(row["alone"]), shown(row["consortium"]),
            )
            for bank, row in self.precision.items()
        ]  # fmt: skip
        head = ("bank", "targets", "recall alone", "recall, consortium", "precision alone", "precision, consortium")
        lines = [SECTION, *table(head, rows), ""]
        if self.conformance:
            apart = " and ".join(f"{each:.2g} ({name.rpartition(': ')[2]})" for name, each in self.conformance.items())
            lines.append(PUBLIC.format(apart=apart, most=public_models.LARGEST_DIFFERENCE))
        return lines

    def misfits(self) -> list[str]:
        """Data sets whose average precision is too far from scikit-learn's."""
        return [name for name, each in self.conformance.items() if each > public_models.LARGEST_DIFFERENCE]


def compared(data: Path, truth: Truth, told: Rows, budgets: Mapping[str, int]) -> Models:
    """Each bank's own model beside what the consortium's told it."""
    alone, joint, precision = {}, {}, {}
    for bank, budget in budgets.items():
        free = unsuspected(data, bank)
        targets = {name for ring in truth.rings for holder, name, _ in ring.accounts if holder == bank} & free
        orders = {"alone": _order(found_alone(data, bank), free), "consortium": _order(told[bank], free)}
        alone[bank], joint[bank] = (counted(order[:budget], targets) for order in orders.values())
        precision[bank] = {name: average_precision(order, targets) for name, order in orders.items()}
    return Models(alone, joint, precision, public_models.conformance())


def _order(scores: Mapping[str, float | None], free: set[str]) -> list[str]:
    """Accounts that are not reported, the highest score first; ties by their numbers. An account without one fails."""

    def key(account: str) -> tuple[float, str]:
        score = scores[account]
        if score is None:
            raise ValueError("a model gives every account a score")
        return -score, account

    return sorted(free & scores.keys(), key=key)


def found_alone(data: Path, bank: str) -> dict[str, float | None]:
    """The scores of the bank's accounts by a model of its own rows."""
    names, features, labels = examples(plain.held(data, bank))
    model = HistGradientBoostingClassifier(
        max_iter=int(MODEL.fields["trees"]), max_depth=int(MODEL.fields["depth"]), max_leaf_nodes=None,
        learning_rate=float(MODEL.fields["rate"]), l2_regularization=1, min_samples_leaf=1, early_stopping=False,
        random_state=0,
    )  # fmt: skip
    if len(set(labels)) == 1:  # nothing, or everything, is reported: there is nothing to learn
        return dict.fromkeys(names, float(labels[0]))
    found = model.fit(features, labels).predict_proba(features)[:, 1]
    return dict(zip(names, found.tolist(), strict=True))


def examples(rows: duckdb.DuckDBPyConnection) -> tuple[list[str], list[list[float]], list[int]]:
    """Accounts, their features and labels, as whoever holds ``rows`` (``plain.held``) knows them."""
    listed = plain.accounts(rows, RANK)
    ranks = plain.ranks(listed, plain.payments(rows, MODEL), int(MODEL.fields["iterations"]))
    found = sorted(rows.execute(FLOWS).fetchall())
    features = np.array([[*row[2:], ranks[row[0]]] for row in found], float)
    return [row[0] for row in found], features.tolist(), [int(row[1]) for row in found]
