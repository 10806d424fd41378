"""Joint models of public customers whose columns lie at different banks: average precision beside scikit-learn's.

UCI "Default of Credit Card Clients": each customer's person is known to one bank and its history of payments to
another, so the examples are split both ways, by customers and by columns. The data is not in the repository:
CONSORTIA_TEST_DATA names its folder. Files are registered and the spec's own plan runs, on plain values with the
fixed-point arithmetic of shares, or on shares in one process. Rows kept back are judged: every fourth customer.
"""

import csv
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from consortia.parties.data.register import register
from consortia.parties.data.snapshots import SnapshotStore
from consortia.parties.local.stage import committed_snapshots, run_local
from consortia.parties.simulation import run_clear, simulate
from consortia.plans.catalogue import Catalogue
from consortia.plans.catalogue_file import read_catalogue
from consortia.plans.model import Plan, Share
from consortia.trust.domain_keys import HashDomain, hash_keys
from examples.aml.compiled import plan_of
from examples.aml.consortium import BANKS
from examples.aml.recall import average_precision

VARIABLE = "CONSORTIA_TEST_DATA"
FILE = Path("uci-credit-default", "UCI_Credit_Card.csv")
LARGEST_DIFFERENCE = 0.005
"""In average precision: what a joint model may lose against the same method on pooled rows."""
KEPT_EVERY = 4
LABEL = "default.payment.next.month"
PERSON = ("LIMIT_BAL", "SEX", "EDUCATION", "MARRIAGE", "AGE")
HISTORY = (
    "PAY_0", "PAY_2", "PAY_3", "PAY_4", "PAY_5", "PAY_6",
    *(f"BILL_AMT{month}" for month in range(1, 7)), *(f"PAY_AMT{month}" for month in range(1, 7)),
)  # fmt: skip
MOST = 10_000_000
AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
METHODS = {
    "logistic-regression": "epochs: 20\nbatch: 1000\nrate: 0.5\nl2: 0.0001\n",
    "boosted-trees": "trees: 20\ndepth: 4\nrate: 0.3\n",
}


@dataclass(frozen=True)
class Customers:
    """Rows of the file; ``kept`` are those by which a model is judged."""

    rows: Sequence[Mapping[str, int]]

    @property
    def kept(self) -> NDArray[np.bool_]:
        """One a row."""
        return np.array([row["ID"] % KEPT_EVERY == 0 for row in self.rows])

    def matrix(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Features and labels."""
        features = [[row[name] for name in (*PERSON, *HISTORY)] for row in self.rows]
        return np.array(features, float), np.array([row[LABEL] for row in self.rows])


def conformance() -> dict[str, float]:
    """How far average precision is from scikit-learn's, by method; none where no data is."""
    folder = os.environ.get(VARIABLE)
    if not folder or not Path(folder, FILE).is_file():
        return {}
    customers = read(Path(folder, FILE))
    return {f"UCI credit default: {method}": difference(customers, method, shared=False) for method in METHODS}


def read(file: Path, most: int | None = None) -> Customers:
    """The customers of the file, or the first of them; one with a number missing is left out."""
    with file.open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))[:most]
    whole = [row for row in rows if all(math.isfinite(float(value)) for value in row.values())]
    return Customers([{name: round(float(value)) for name, value in row.items()} for row in whole])


def difference(customers: Customers, method: str, *, shared: bool) -> float:
    """Between our average precision over the rows kept back and that of scikit-learn."""
    found = scores(customers, method, shared=shared)
    ours = np.array([found[row["ID"]] for row in customers.rows])
    theirs = _theirs(customers, method)
    _, labels = customers.matrix()
    kept = customers.kept
    return abs(_precision(ours[kept], labels[kept]) - _precision(theirs[kept], labels[kept]))


def _precision(found: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    order = [str(place) for place in np.argsort(-found, kind="stable")]
    precision = average_precision(order, [str(place) for place in np.flatnonzero(labels)])
    if precision is None:
        raise ValueError("nobody is to be found")
    return precision


def _theirs(customers: Customers, method: str) -> NDArray[np.float64]:
    features, labels = customers.matrix()
    taught = ~customers.kept
    if method == "logistic-regression":
        scaler = StandardScaler().fit(features[taught])
        features = np.clip(scaler.transform(features), -8, 8)
        model = LogisticRegression(C=1 / (0.0001 * taught.sum()), max_iter=1000)
    else:
        model = HistGradientBoostingClassifier(
            max_iter=20, max_depth=4, max_leaf_nodes=None, learning_rate=0.3, l2_regularization=1,
            min_samples_leaf=1, early_stopping=False,
        )  # fmt: skip
    found: NDArray[np.float64] = model.fit(features[taught], labels[taught]).predict_proba(features)[:, 1]
    return found


# --- ours -----------------------------------------------------------------------------------------------


def scores(customers: Customers, method: str, *, shared: bool) -> dict[int, float]:
    """What all banks are told together: a score by customer."""
    catalogue = read_catalogue(_catalogue(len(customers.rows)), key_ids={"customer": "aa"})
    plan = plan_of(_spec(method), catalogue, "conformance", AS_OF)
    with tempfile.TemporaryDirectory() as folder:
        stores = {bank: _registered(Path(folder), bank, customers, catalogue) for bank in BANKS}
        frames = {step.id: _local(plan, step, stores, catalogue) for step in plan.steps if isinstance(step, Share)}
    results = simulate(plan, frames, silence=600.0).results if shared else run_clear(plan, frames)
    names = _hashed(customers, catalogue)
    return {names[subject]: float(score) for frame in results.values() for subject, score in frame.rows()}


def _spec(method: str) -> str:
    person = ", ".join(f"MAX({name.lower()}) AS {name.lower()}" for name in PERSON)
    history = ", ".join(f"MAX({name.lower()}) AS {name.lower()}" for name in HISTORY)
    columns = ", ".join([*(f"p.{name.lower()}" for name in PERSON), *(f"h.{name.lower()}" for name in HISTORY)])
    people = f"SELECT id, MAX(label) AS label, MAX(held) AS held, {person} FROM people GROUP BY id"  # noqa: S608  # own
    histories = f"SELECT id, {history} FROM histories GROUP BY id"  # noqa: S608  # own names
    examples = f"SELECT p.id AS subject, p.label, p.held, {columns} FROM ({people}) AS p"  # noqa: S608  # own names
    return (
        f"analysis: {method}\nexamples: |\n  {examples}\n  JOIN ({histories}) AS h ON p.id = h.id\n"
        f"{METHODS[method]}give: scores\n"
    )


def _catalogue(rows: int) -> str:
    most = -(-rows // len(BANKS))
    columns = {
        "people": {**dict.fromkeys(("label", "held"), "lo: 0, hi: 1"), **dict.fromkeys(PERSON, f"lo: 0, hi: {MOST}")},
        "histories": dict.fromkeys(HISTORY, f"lo: -{MOST}, hi: {MOST}"),
    }
    text = (
        "consortium: public-customers\npurposes: [conformance]\nkey-domains:\n  customer: {id-type: number, bits: 96}\n"
    )
    text += "tables:\n"
    for table, bounds in columns.items():
        text += f"  {table}:\n    holders: [{', '.join(BANKS)}]\n    max-rows: {most}\n    columns:\n"
        text += f"      id: {{type: key(customer), max-distinct: {most}}}\n"
        text += "".join(f"      {name.lower()}: {{type: int, {bound}}}\n" for name, bound in bounds.items())
    return text


def _registered(folder: Path, bank: str, customers: Customers, catalogue: Catalogue) -> SnapshotStore:
    """The bank's customers, and the histories of the customers of the bank before."""
    store, place = SnapshotStore(folder / bank), list(BANKS).index(bank)
    for table, names, ahead in (("people", PERSON, 0), ("histories", HISTORY, 1)):
        rows = [row for row in customers.rows if (row["ID"] + ahead) % len(BANKS) == place]
        columns = {"id": [str(row["ID"]) for row in rows]}
        frame = pl.DataFrame(columns | {name.lower(): [row[name] for row in rows] for name in names})
        if table == "people":
            marks = [int(row["ID"] % KEPT_EVERY == 0) for row in rows]
            frame = frame.with_columns(label=pl.Series([row[LABEL] for row in rows]), held=pl.Series(marks))
        file, schema = folder / f"{bank}-{table}.parquet", folder / f"{bank}-{table}.yaml"
        frame.write_parquet(file)
        mapping = "".join(f"  {name}: {name}\n" for name in frame.columns)
        schema.write_text(f"type: consortia/schema/v1\ntable: {table}\nformat: parquet\ncolumns:\n{mapping}")
        register(store, schema, file, catalogue, _key, AS_OF)
    return store


def _local(plan: Plan, step: Share, stores: Mapping[str, SnapshotStore], catalogue: Catalogue) -> pl.DataFrame:
    store = stores[step.owner]
    roots = committed_snapshots(store, plan, step.owner, catalogue)
    return run_local(plan, step.id, store, roots, catalogue)


def _key(domain: str, key_id: str) -> bytes:
    """The hashing key: nobody but this process ever has it."""
    return f"{domain}/{key_id}".encode().ljust(32, b".")[:32]


def _hashed(customers: Customers, catalogue: Catalogue) -> dict[bytes, int]:
    """The customer of each hashed key."""
    (domain,) = catalogue.key_domains
    space = HashDomain(catalogue.consortium, domain.name, domain.id_type, domain.normal_form, domain.bits)
    numbers = [row["ID"] for row in customers.rows]
    hashed = hash_keys(_key(domain.name, domain.key_id), space, [str(number) for number in numbers])
    return {key: number for key, number in zip(hashed, numbers, strict=True) if key is not None}
