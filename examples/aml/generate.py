"""Deterministic test data of an AML consortium: accounts and transactions of any number of banks, and the truth.

    python -m examples.aml.generate --out build/aml

Every bank gets ``accounts``, ``transactions`` and a ``watchlist`` as it would hold them: both banks hold an interbank
row. Parquet files have the catalogue's words, the same rows as CSV those of a core banking system (``export``). A
quarter of the customers have a second bank. Amounts are heavy-tailed integers in minor units; wages, bills and
transfers between own accounts have their rhythms (``generator.background``).

Planted, and written to ``truth.json``: rings of launderers of nine typologies, each over two banks or more
(``rings``, see ``generator.rings``); accounts of theirs that their own bank knows already (``suspects``: a high risk
score, and reported); customers whose cash deposits in the window reach the threshold over two or
three banks and at no single one (``structuring``), customers who reach it at one bank alone (``single_bank``),
customers who stay one unit below it over two banks (``one_below``); a country with one customer too few at the other
banks to be shown (``country_below``) and one with exactly enough (``country_at``), seen from the first bank.
No other customer of two banks comes near the threshold: the generator lowers the deposits of those who would.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from examples.aml.export import exported_accounts, exported_transactions, exported_watchlist
from examples.aml.generator.books import book_of
from examples.aml.generator.customers import make_accounts, make_customers
from examples.aml.generator.parameters import Parameters
from examples.aml.generator.planted import Truth, plant
from examples.aml.generator.suspects import known, with_suspects
from examples.aml.generator.transactions import make_transactions
from examples.aml.generator.watchlists import watchlists


def generate(parameters: Parameters, out: Path) -> Truth:
    """Write ``out/BANK/{accounts,transactions,watchlist}.{parquet,csv}`` and ``out/truth.json``; returns the truth."""
    random = np.random.default_rng(parameters.seed)
    customers = make_customers(parameters, random)
    truth, planted = plant(parameters, customers)
    accounts = make_accounts(parameters, customers, random)
    books = [book_of(bank, accounts[bank], parameters, random) for bank in parameters.banks]
    transactions, truth.rings = make_transactions(parameters, books, planted, random)
    truth.suspects = known(parameters, truth.rings)
    lists = watchlists(parameters, accounts)
    for bank in parameters.banks:
        accounts[bank] = with_suspects(parameters, accounts[bank], truth.suspects)
        folder = out / bank
        folder.mkdir(parents=True, exist_ok=True)
        accounts[bank].write_parquet(folder / "accounts.parquet")
        transactions[bank].write_parquet(folder / "transactions.parquet")
        lists[bank].write_parquet(folder / "watchlist.parquet")
        exported_accounts(accounts[bank], parameters.banks).write_csv(folder / "accounts.csv")
        exported_transactions(transactions[bank], parameters.banks).write_csv(folder / "transactions.csv")
        exported_watchlist(lists[bank]).write_csv(folder / "watchlist.csv")
    (out / "truth.json").write_text(json.dumps(asdict(truth), indent=1) + "\n")
    return truth


def main() -> None:
    """Write the data and say what was written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("build/aml"))
    parser.add_argument("--seed", type=int, default=Parameters.seed)
    parser.add_argument("--banks", default=",".join(Parameters.banks))
    parser.add_argument("--customers", type=int, default=Parameters.customers_per_bank, help="a bank")
    parser.add_argument("--transactions", type=int, default=Parameters.transactions_per_bank, help="a bank")
    given = parser.parse_args()
    banks = tuple(given.banks.split(","))
    parameters = Parameters.of_size(given.customers, given.transactions, banks, given.seed)
    truth = generate(parameters, given.out)
    print(
        f"{len(parameters.banks)} banks in {given.out}: {len(truth.structuring)} structuring customers"
        f" and {len(truth.rings)} rings planted"
    )


if __name__ == "__main__":
    main()
