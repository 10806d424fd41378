"""What the generated data looks like, as a page: ``python -m examples.aml.statistics`` writes docs/aml-data.md."""

import tempfile
from dataclasses import fields
from pathlib import Path

import numpy as np
import polars as pl

from examples.aml.generate import generate
from examples.aml.generator.parameters import TYPOLOGIES, Parameters
from examples.aml.generator.planted import Truth

PAGE = Path(__file__).parents[2] / "docs" / "aml-data.md"
HEAD = """\
# The example's data

Made by `python -m examples.aml.statistics`: don't edit, the command writes it.

`python -m examples.aml.generate --out build/aml` writes each bank's accounts, transactions and watchlist (Parquet, and
CSV as a core banking system exports them) and, apart from them, `truth.json`. Everything follows from the seed. Who
pays whom, what is planted and why nothing but the pattern gives a laundered payment away stands in the modules of
`examples/aml/generator`: one idea a module. The numbers below are of the defaults.
"""


def page() -> str:
    """The whole page."""
    parameters = Parameters()
    with tempfile.TemporaryDirectory() as folder:
        truth = generate(parameters, Path(folder))
        books = _read(Path(folder), parameters, "transactions")
        lists = _read(Path(folder), parameters, "watchlist")
        held = _read(Path(folder), parameters, "accounts")
    rows = pl.concat(list(books.values())).unique("tx_id")
    parts = (HEAD, *_parameters(parameters), *_rows(rows, books), *_rings(truth, rows, parameters.banks))
    return "\n".join((*parts, *_lists(lists, held))) + "\n"


def _read(folder: Path, parameters: Parameters, table: str) -> dict[str, pl.DataFrame]:
    return {bank: pl.read_parquet(folder / bank / f"{table}.parquet") for bank in parameters.banks}


def _parameters(parameters: Parameters) -> list[str]:
    shown = [
        f"| `{each.name}` | {_shown(getattr(parameters, each.name))} |"
        for each in fields(Parameters)
        if each.name != "rhythms"
    ]
    rhythms = [
        f"| `rhythms.{each.name}` | {getattr(parameters.rhythms, each.name)} |" for each in fields(parameters.rhythms)
    ]
    return ["## Parameters", "", "| parameter | default |", "|---|---|", *shown, *rhythms, ""]


def _shown(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _rows(rows: pl.DataFrame, books: dict[str, pl.DataFrame]) -> list[str]:
    cash = rows.filter(pl.col("format") == "cash").height
    between = rows.filter(pl.col("from_bank") != pl.col("to_bank")).height
    itself = rows.filter(pl.col("from_account") == pl.col("to_account")).height
    sums = rows["amount_minor"].to_numpy()
    paid = np.sort(rows.drop_nulls("to_account")["to_account"].value_counts()["count"].to_numpy())[::-1]
    busiest = paid[: max(1, len(paid) // 100)].sum() / paid.sum()
    quantiles = ", ".join(f"{int(sum_):,}" for sum_ in np.quantile(sums, (0.01, 0.25, 0.5, 0.75, 0.99)))
    return [
        "## Transactions",
        "",
        "| what | number |",
        "|---|---:|",
        f"| rows that a bank holds | {', '.join(f'{frame.height:,}' for frame in books.values())} |",
        f"| different rows | {rows.height:,} |",
        f"| of them between two banks, in both books | {between:,} |",
        f"| cash, in and out | {cash:,} |",
        f"| from an account to itself | {itself:,} |",
        f"| amounts in minor units: 1st, 25th, 50th, 75th, 99th hundredth | {quantiles} |",
        f"| largest amount | {sums.max():,} |",
        f"| rows received by the busiest hundredth of accounts | {busiest:.1%} |",
        "",
    ]


def _rings(truth: Truth, rows: pl.DataFrame, banks: tuple[str, ...]) -> list[str]:
    lines = [
        "## Rings",
        "",
        "`seen whole` counts rings whose payments all stand in one bank's books. No bank sees any other ring whole.",
        "",
        "| typology | rings | payments | over all banks | seen whole by one bank |",
        "|---|---:|---:|---:|---:|",
    ]
    ends = {row[0]: set(row[1:]) for row in rows.select("tx_id", "from_bank", "to_bank").iter_rows()}
    for typology in TYPOLOGIES:
        own = [ring for ring in truth.rings if ring.typology == typology]
        payments = sum(len(ring.transactions) for ring in own)
        everywhere = sum(len({bank for bank, _, _ in ring.accounts}) == len(banks) for ring in own)
        whole = sum(any(all(bank in ends[number] for number in ring.transactions) for bank in banks) for ring in own)
        lines.append(f"| {typology} | {len(own)} | {payments} | {everywhere} | {whole} |")
    laundered = sum(len(ring.transactions) for ring in truth.rings)
    members = sum(len(ring.accounts) for ring in truth.rings)
    split, alone, below = (len(customers) for customers in (truth.structuring, truth.single_bank, truth.one_below))
    return [
        *lines,
        "",
        f"Of {members} accounts on rings {len(truth.suspects)} are suspects that their own bank knows (`suspects`).",
        f"Laundered payments: {laundered} of {rows.height:,} ({laundered / rows.height:.2%}). Beside them are planted",
        f"{split} customers who structure their cash over two or three banks, {alone} who reach the threshold at one",
        f"bank, and {below} who stay one unit below it over two.",
    ]


def _lists(lists: dict[str, pl.DataFrame], held: dict[str, pl.DataFrame]) -> list[str]:
    """How many entries, and how many people are customers of one bank and in another's list."""
    people = {bank: set(frame["customer_key"]) for bank, frame in lists.items()}
    customers = {bank: set(frame["customer_key"]) for bank, frame in held.items()}
    met = {bank: set().union(*(people[other] for other in lists if other != bank)) & customers[bank] for bank in lists}
    return [
        "",
        "## Watchlists",
        "",
        "| what | number |",
        "|---|---:|",
        f"| entries of each bank | {', '.join(f'{frame.height:,}' for frame in lists.values())} |",
        f"| different people | {len(set().union(*people.values())):,} |",
        f"| of each bank's customers in another bank's list | {', '.join(f'{len(each):,}' for each in met.values())} |",
    ]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
