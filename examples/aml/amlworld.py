"""The laundering attempts of AMLworld, read from its pattern files and laid over generated background.

The files (Altman et al., arXiv 2306.16424, licence CDLA-Sharing-1.0) are not in the repository: CONSORTIA_TEST_DATA
names their folder. They hold launderers' payments alone, so ordinary life is the generator's, and this is what changes:

- Accounts. Every account of an attempt becomes an account of our banks that nothing else was planted on, of that
  attempt alone. AMLworld has hundreds of banks: the CRC-32 of a bank's number, modulo the number of our banks, is ours.
  If that puts all accounts of an attempt over several banks into one of ours, its second bank (in the order of the
  payments) goes to the next one, so that what is interbank there is interbank here.
- Times move by whole days, so that the first payment of the file is made on the second day of the generated period.
- Amounts become euro cents by fixed rates, at most the largest amount that the catalogue allows.
- Format and channel are drawn as the background's are: there, nearly all laundered payments are "ACH".
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from examples.aml.generator.books import rows
from examples.aml.generator.parameters import LARGEST, Parameters
from examples.aml.generator.planted import RingTruth
from examples.aml.generator.suspects import known, with_suspects
from examples.aml.processes import DemoError

FILES = {
    "HI-Small": Path("amlworld-hi-small") / "HI-Small_Patterns.txt",
    "HI-Medium": Path("amlworld-hi-medium") / "HI-Medium_Patterns.txt",
}
PER_DOLLAR = {
    "US Dollar": 1.0,
    "Euro": 0.8534,
    "Yuan": 6.6976,
    "Swiss Franc": 0.915,
    "Shekel": 3.377,
    "Canadian Dollar": 1.3193,
    "Rupee": 73.444,
    "Yen": 105.4,
    "Australian Dollar": 1.4128,
    "UK Pound": 0.7742,
    "Mexican Peso": 21.1431,
    "Ruble": 77.804,
    "Saudi Riyal": 3.7511,
    "Brazil Real": 5.6465,
    "Bitcoin": 1 / 11_879,
}
"""Rates of AMLworld's own kind: most often, payments of one attempt in two currencies stand in these ratios."""
STREAM = 7
BEGIN, END = "BEGIN LAUNDERING ATTEMPT - ", "END LAUNDERING ATTEMPT - "
End = tuple[str, str]
"""Bank and account, as AMLworld writes them: numbers with leading zeros."""


@dataclass(frozen=True)
class Moved:
    """One payment of an attempt; the amount in euro cents."""

    time: datetime
    source: End
    target: End
    amount: int


@dataclass(frozen=True)
class Attempt:
    """Its place in the file (from 1), its pattern in small letters, its payments in the file's order."""

    number: int
    typology: str
    payments: tuple[Moved, ...]

    def ends(self) -> tuple[End, ...]:
        """Its accounts, in the order of the payments."""
        return tuple(dict.fromkeys(end for payment in self.payments for end in (payment.source, payment.target)))


def read(file: Path) -> list[Attempt]:
    """All attempts of a pattern file. Raises DemoError naming the line that is none of such a file."""
    found: list[Attempt] = []
    typology, payments = "", list[Moved]()
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        place = f"{file.name}, line {number}"
        if line.startswith(BEGIN):
            if typology:
                raise DemoError(f"{place}: an attempt begins within another")
            typology = line.removeprefix(BEGIN).partition(":")[0].strip().lower()
        elif line.startswith(END):
            if not payments or line.removeprefix(END).strip().lower() != typology:
                raise DemoError(f"{place}: what ends here is not the attempt that began, or has no payments")
            found.append(Attempt(len(found) + 1, typology, tuple(payments)))
            typology, payments = "", []
        elif line.strip():
            if not typology:
                raise DemoError(f"{place}: a payment outside of every attempt")
            payments.append(_payment(line.split(","), place))
    if typology:
        raise DemoError(f"{file.name}: the last attempt does not end")
    return found


def _payment(cells: Sequence[str], place: str) -> Moved:
    """Timestamp, from bank, account, to bank, account, amount and currency received, amount and currency paid, ..."""
    try:
        time, from_bank, from_account, to_bank, to_account, _, _, paid, currency, _, _ = cells
        when = datetime.strptime(time, "%Y/%m/%d %H:%M").replace(tzinfo=UTC)
        amount = round(float(paid) / PER_DOLLAR[currency] * PER_DOLLAR["Euro"] * 100)
    except (ValueError, KeyError) as error:
        raise DemoError(f"{place}: not a payment of a pattern file: {error}") from error
    return Moved(when, (from_bank, from_account), (to_bank, to_account), min(max(1, amount), LARGEST))


def banks_of(attempt: Attempt, banks: Sequence[str]) -> dict[str, str]:
    """Our bank of each of the attempt's banks, by the rule above."""
    own = list(dict.fromkeys(bank for bank, _ in attempt.ends()))
    given = {bank: banks[zlib.crc32(bank.encode()) % len(banks)] for bank in own}
    if len(own) > 1 and len(set(given.values())) == 1:
        given[own[1]] = banks[(banks.index(given[own[1]]) + 1) % len(banks)]
    return given


def lay_over(background: Path, attempts: Sequence[Attempt], parameters: Parameters, out: Path) -> list[RingTruth]:
    """Write ``out/BANK/{accounts,transactions}.parquet``: the background's rows and the attempts'; who they are.

    ``parameters`` are those of the background. As many of the attempts' accounts as it says are suspects that their
    bank knows. Raises DemoError if the attempts have more accounts than a bank.
    """
    random = np.random.default_rng((parameters.seed, STREAM))
    held = {bank: pl.read_parquet(background / bank / "accounts.parquet") for bank in parameters.banks}
    members = _accounts(held, attempts, parameters.banks, random)
    shift = _shift(attempts, parameters)
    payments = [(number, moved) for number, attempt in enumerate(attempts) for moved in attempt.payments]

    def side(end: str) -> tuple[np.ndarray, np.ndarray]:
        chosen = [members[number][getattr(moved, end)] for number, moved in payments]
        return np.array([bank for bank, _, _ in chosen]), np.array([account for _, account, _ in chosen])

    frame = rows(
        parameters,
        random,
        side("source"),
        side("target"),
        np.array([(moved.time + shift - parameters.start) / timedelta(seconds=1) for _, moved in payments], np.int64),
        np.array([moved.amount for _, moved in payments], np.int64),
    ).with_columns(pl.lit("EUR").alias("currency"))
    ids = frame["tx_id"].to_list()
    truth = [
        RingTruth(
            attempt.number,
            attempt.typology,
            tuple(members[place].values()),
            tuple(ids[row] for row, (number, _) in enumerate(payments) if number == place),
        )
        for place, attempt in enumerate(attempts)
    ]
    _write(background, held, frame, truth, parameters, out)
    return truth


def _accounts(
    held: Mapping[str, pl.DataFrame], attempts: Sequence[Attempt], banks: Sequence[str], random: np.random.Generator
) -> list[dict[End, tuple[str, str, str]]]:
    """For each attempt, (bank, account, customer) of each of its ends, all of them different."""
    free = {}
    for bank, accounts in held.items():
        pairs = accounts.select("account_id", "customer_key").rows()
        free[bank] = [(bank, *pairs[place]) for place in random.permutation(len(pairs))]
    made = []
    for attempt in attempts:
        given = banks_of(attempt, banks)
        if any(len(free[bank]) < len(attempt.ends()) for bank in given.values()):
            raise DemoError("the attempts have more accounts than a bank: fewer of them, or more customers")
        made.append({end: free[given[end[0]]].pop() for end in attempt.ends()})
    return made


def _shift(attempts: Sequence[Attempt], parameters: Parameters) -> timedelta:
    first = min(moved.time for attempt in attempts for moved in attempt.payments)
    return parameters.start + timedelta(days=1) - first.replace(hour=0, minute=0)


def _write(
    background: Path,
    held: Mapping[str, pl.DataFrame],
    laundered: pl.DataFrame,
    truth: Sequence[RingTruth],
    parameters: Parameters,
    out: Path,
) -> None:
    suspects = known(parameters, truth)
    for bank, accounts in held.items():
        own = laundered.filter((pl.col("from_bank") == bank) | (pl.col("to_bank") == bank))
        book = pl.read_parquet(background / bank / "transactions.parquet")
        folder = out / bank
        folder.mkdir(parents=True, exist_ok=True)
        with_suspects(parameters, accounts, suspects).write_parquet(folder / "accounts.parquet")
        pl.concat([book, own]).sort("ts", "tx_id").write_parquet(folder / "transactions.parquet")
