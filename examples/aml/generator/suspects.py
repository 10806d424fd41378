"""The rings' accounts that their own bank knows already, so that the risk that money carries has where to come from.

They are drawn from a stream of their own: another share of suspects leaves every other value of the data as it is.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from examples.aml.generator.parameters import Parameters
from examples.aml.generator.planted import RingTruth

STREAM = 1
LOWEST, HIGHEST = 95, 100


def known(parameters: Parameters, rings: Sequence[RingTruth]) -> list[tuple[str, str]]:
    """(bank, account) of ``parameters.suspects`` of all accounts on rings, rounded, drawn without regard to rings."""
    accounts = [(bank, account) for ring in rings for bank, account, _ in ring.accounts]
    random = np.random.default_rng((parameters.seed, STREAM))
    chosen = random.permutation(len(accounts))[: round(parameters.suspects * len(accounts))]
    return [accounts[place] for place in sorted(chosen)]


def with_suspects(parameters: Parameters, accounts: pl.DataFrame, suspects: Sequence[tuple[str, str]]) -> pl.DataFrame:
    """One bank's accounts, those among ``suspects`` with a score from 95 to 100, of the high class, and reported."""
    random = np.random.default_rng((parameters.seed, STREAM + 1))
    listed = [account for _, account in suspects]
    scores = dict(zip(listed, random.integers(LOWEST, HIGHEST + 1, len(listed)).tolist(), strict=True))
    suspect = pl.col("account_id").is_in(listed)
    score = pl.col("account_id").replace_strict(scores, default=pl.col("risk_score"), return_dtype=pl.Int64)
    return accounts.with_columns(
        score.alias("risk_score"),
        pl.when(suspect).then(pl.lit("high")).otherwise("risk_class").alias("risk_class"),
        (pl.col("sar_flag") | suspect).alias("sar_flag"),
    )
