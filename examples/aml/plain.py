"""What the specs find, in plain Python over rows that somebody holds: the pooled files, or one bank's own.

Nothing of the product is used. The SQL of a spec runs in DuckDB, the rest is loops; so it is what the secure answers
are compared with, and what a bank can find alone, with the same rules over its own rows.
"""

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import duckdb
import yaml

SPECS = Path(__file__).parent / "specs"
DAMPING = 0.85
_UNITS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}


@dataclass(frozen=True)
class Spec:
    """A spec file: its fields, every one a text or a list."""

    name: str
    fields: Mapping[str, str]

    @classmethod
    def read(cls, name: str) -> "Spec":
        """The spec ``specs/NAME.yaml``."""
        return cls(name, yaml.safe_load((SPECS / f"{name}.yaml").read_text()))

    @property
    def file(self) -> Path:
        """Where it is written."""
        return SPECS / f"{self.name}.yaml"

    def condition(self) -> str:
        """The condition on rows of its payments."""
        return self.fields["payments"].partition("WHERE")[2].partition("GROUP BY")[0]

    def window(self) -> timedelta:
        """How long after a payment one may follow it."""
        number, unit = self.fields["window"].split()
        return timedelta(seconds=int(number) * _UNITS[unit.removesuffix("s")])

    def part(self) -> Fraction:
        """What part of a payment the one that follows must move at least."""
        return Fraction(str(self.fields["part"]))


@dataclass(frozen=True)
class Payment:
    """From an account to another; ``time`` is None where payments were added up."""

    source: str
    target: str
    amount: int
    time: datetime | None = None


def held(folder: Path, bank: str | None = None) -> duckdb.DuckDBPyConnection:
    """``accounts`` and ``transactions`` as ``bank`` holds them; of all banks, each row once, if it is None."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    each_once = "WHERE coalesce(from_bank, to_bank) = parse_path(filename)[-2]" if bank is None else ""
    files = f"{folder}/{bank or '*'}"
    connection.execute(f"CREATE VIEW accounts AS FROM read_parquet('{files}/accounts.parquet')")
    connection.execute(
        "CREATE TABLE transactions AS SELECT * REPLACE (ts AT TIME ZONE 'UTC' AS ts) "  # noqa: S608  # own file names
        f"FROM read_parquet('{files}/transactions.parquet', filename = true) {each_once}"
    )
    return connection


def payments(connection: duckdb.DuckDBPyConnection, spec: Spec) -> list[Payment]:
    """The spec's payments; one of which an end is NULL is none."""
    result = connection.execute(spec.fields["payments"])
    names = [column[0] for column in result.description or ()]
    rows = (dict(zip(names, row, strict=True)) for row in result.fetchall())
    return [
        Payment(row["source"], row["target"], int(row["amount"]), row.get("time"))
        for row in rows
        if row["source"] is not None and row["target"] is not None
    ]


def rows_within(connection: duckdb.DuckDBPyConnection, spec: Spec) -> int:
    """How many rows the spec's condition keeps, before any are added up."""
    found = connection.execute(f"SELECT count(*) FROM transactions WHERE {spec.condition()}").fetchall()  # noqa: S608  # the example's own text
    return int(found[0][0])


def scores(connection: duckdb.DuckDBPyConnection, spec: Spec) -> dict[str, float]:
    """The spec's accounts with their scores."""
    return {account: float(score) for account, score in connection.execute(spec.fields["accounts"]).fetchall()}


def accounts(connection: duckdb.DuckDBPyConnection, spec: Spec) -> list[str]:
    """The accounts that a spec without scores lists."""
    return _listed(connection, spec, "accounts")


def seeds(connection: duckdb.DuckDBPyConnection, spec: Spec) -> list[str]:
    """The accounts whose money a spec follows."""
    return _listed(connection, spec, "seeds")


def _listed(connection: duckdb.DuckDBPyConnection, spec: Spec, field: str) -> list[str]:
    return [account for (account,) in connection.execute(spec.fields[field]).fetchall()]


def risk(given: Mapping[str, float], paid: Sequence[Payment], iterations: int) -> dict[str, float]:
    """Propagated risk by account, of the scale of the scores; payments of accounts without score count for nothing."""
    known = [payment for payment in paid if payment.source in given and payment.target in given]
    score = dict(given)
    for k in range(1, iterations + 1):
        received: dict[str, float] = defaultdict(float)
        total: dict[str, float] = defaultdict(float)
        weight = 0.5 / math.sqrt(k)
        for payment in known:
            received[payment.target] += payment.amount * score[payment.source]
            total[payment.target] += payment.amount
        score = {
            account: (1 - weight) * own + (weight * received[account] / total[account] if total[account] else 0)
            for account, own in score.items()
        }
    return score


def ranks(listed: Sequence[str], paid: Sequence[Payment], iterations: int) -> dict[str, float]:
    """PageRank by account; what an account without outgoing money holds is lost."""
    known = set(listed)
    between = [payment for payment in paid if payment.source in known and payment.target in known]
    out: dict[str, int] = defaultdict(int)
    for payment in between:
        out[payment.source] += payment.amount
    rank = dict.fromkeys(listed, 1 / len(listed))
    for _ in range(iterations):
        received: dict[str, float] = defaultdict(float)
        for payment in between:
            if out[payment.source]:
                received[payment.target] += payment.amount / out[payment.source] * rank[payment.source]
        rank = {account: (1 - DAMPING) / len(listed) + DAMPING * received[account] for account in listed}
    return rank


class _Following:
    """Which payments follow one: found among those that leave its target, ordered by time."""

    def __init__(self, paid: Iterable[Payment], spec: Spec) -> None:
        self._window, self._part = spec.window(), spec.part()
        self._leaving: dict[str, list[Payment]] = defaultdict(list)
        for payment in sorted((each for each in paid if each.source != each.target), key=_time):
            self._leaving[payment.source].append(payment)
        self._times = {source: [_time(payment) for payment in own] for source, own in self._leaving.items()}

    def of(self, payment: Payment) -> list[Payment]:
        """0 < gap <= window, and at least the part and at most all of the amount."""
        times = self._times.get(payment.target, [])
        first, last = bisect_right(times, _time(payment)), bisect_right(times, _time(payment) + self._window)
        return [
            later
            for later in self._leaving[payment.target][first:last]
            if self._part * payment.amount <= later.amount <= payment.amount
        ]


def _time(payment: Payment) -> datetime:
    if payment.time is None:
        raise ValueError("patterns need payments with their times")
    return payment.time


def cycles(paid: Sequence[Payment], spec: Spec) -> set[str]:
    """Accounts on closed paths of 2 to ``longest`` payments over different accounts."""
    following, longest = _Following(paid, spec), int(spec.fields["longest"])
    found: set[str] = set()

    def grow(path: list[str], last: Payment) -> None:
        for later in following.of(last):
            if later.target == path[0]:
                found.update(path)
            elif later.target not in path and len(path) < longest:
                grow([*path, later.target], later)

    for payment in paid:
        if payment.source != payment.target:
            grow([payment.source, payment.target], payment)
    return found


def scatter_gather(paid: Sequence[Payment], spec: Spec) -> set[str]:
    """Accounts s, m and t where money goes from s to t through at least ``middles`` different m."""
    following = _Following(paid, spec)
    between: dict[tuple[str, str], set[str]] = defaultdict(set)
    for payment in paid:
        if payment.source != payment.target:
            for later in following.of(payment):
                if later.target != payment.source:
                    between[payment.source, later.target].add(payment.target)
    many = {ends: middles for ends, middles in between.items() if len(middles) >= int(spec.fields["middles"])}
    return {account for (source, target), middles in many.items() for account in (source, target, *middles)}


def taint(paid: Sequence[Payment], begun: Iterable[str], spec: Spec) -> set[str]:
    """Accounts that money of the accounts ``begun`` reaches over at most ``hops`` payments to others."""
    moved, first = [payment for payment in paid if payment.source != payment.target], set(begun)
    arriving = _Arriving(moved, spec.window())
    carried = [0] * len(moved)
    for _ in range(int(spec.fields["hops"])):
        carried = [
            payment.amount if payment.source in first else _passed(payment, arriving.before(payment, carried), spec)
            for payment in moved
        ]
    return {payment.target for payment, part in zip(moved, carried, strict=True) if part}


def _passed(payment: Payment, came: int, spec: Spec) -> int:
    """How much of what came a payment carries: at most its amount, and nothing if that is too small a part of it."""
    most = min(came, payment.amount)
    return most if most >= spec.part() * payment.amount else 0


class _Arriving:
    """What came to the payer of a payment within the window before it, by the time at which it came."""

    def __init__(self, paid: Sequence[Payment], window: timedelta) -> None:
        self._window = window
        self._places: dict[str, list[int]] = defaultdict(list)
        for place in sorted(range(len(paid)), key=lambda each: _time(paid[each])):
            self._places[paid[place].target].append(place)
        self._times = {target: [_time(paid[place]) for place in own] for target, own in self._places.items()}

    def before(self, payment: Payment, carried: Sequence[int]) -> int:
        """The sum of ``carried`` over payments with 0 < gap <= window."""
        times, time = self._times.get(payment.source, []), _time(payment)
        first, last = bisect_left(times, time - self._window), bisect_left(times, time)
        return sum(carried[place] for place in self._places[payment.source][first:last]) if times else 0
