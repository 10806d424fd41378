"""A bank's tables as its core banking system exports them: CSV under its own names, codes and units.

The schema files in ``schemas/bank-b`` map this to the catalogue. Nothing is lost on the way: amounts are in major
units with two decimals, currencies ISO 4217 numbers, times instants in UTC.
"""

from collections.abc import Sequence

import polars as pl

CURRENCY_NUMBERS = {"EUR": "978", "USD": "840", "GBP": "826"}
_SEGMENTS = {"private": "PRIV", "business": "BUSI", "premium": "PREM"}
_RISKS = {"low": "1", "medium": "2", "high": "3"}
_KINDS = {"transfer": "TRF", "card": "CRD", "cheque": "CHQ", "cash": "CSH"}
_TRUTH = {True: "Y", False: "N"}


def exported_accounts(frame: pl.DataFrame, banks: Sequence[str]) -> pl.DataFrame:
    """The accounts in the export's columns; ``banks`` in the order of their letters A, B, C."""
    return frame.select(
        pl.col("account_id").alias("ACCT_NO"),
        pl.col("customer_key").alias("CUST_NO"),
        pl.lit("001").alias("BRANCH"),
        pl.col("bank").replace_strict(_letters(banks)).alias("BANK"),
        pl.col("opened").dt.strftime("%d.%m.%Y").alias("OPENED"),
        pl.col("country").alias("COUNTRY"),
        pl.col("segment").replace_strict(_SEGMENTS).alias("SEGM"),
        pl.col("risk_class").replace_strict(_RISKS).alias("RISK"),
        pl.col("risk_score").alias("SCORE"),
        pl.col("cash_intensive").replace_strict(_TRUTH).alias("CASH_INT"),
        pl.col("sar_flag").replace_strict(_TRUTH).alias("SAR"),
    )


def exported_transactions(frame: pl.DataFrame, banks: Sequence[str]) -> pl.DataFrame:
    """The transactions in the export's columns."""
    letters, amount = _letters(banks), pl.col("amount_minor")
    return frame.select(
        pl.col("tx_id").alias("BOOKING"),
        pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").alias("BOOKED_AT"),
        pl.col("from_bank").replace_strict(letters).alias("PAYER_BANK"),
        pl.col("from_account").alias("PAYER_ACCT"),
        pl.col("to_bank").replace_strict(letters).alias("PAYEE_BANK"),
        pl.col("to_account").alias("PAYEE_ACCT"),
        pl.format("{}.{}", amount // 100, (amount % 100).cast(pl.String).str.zfill(2)).alias("AMOUNT"),
        pl.col("currency").replace_strict(CURRENCY_NUMBERS).alias("CCY"),
        pl.col("format").replace_strict(_KINDS).alias("KIND"),
        pl.col("channel").alias("CHANNEL"),
    )


def exported_watchlist(frame: pl.DataFrame) -> pl.DataFrame:
    """The watchlist in the export's columns."""
    return frame.select(
        pl.col("customer_key").alias("CUST_NO"),
        pl.col("reason_code").str.to_uppercase().alias("REASON"),
        pl.col("added").dt.strftime("%d.%m.%Y").alias("FROM_DAY"),
        pl.col("expires").dt.strftime("%d.%m.%Y").alias("TO_DAY"),
    )


def _letters(banks: Sequence[str]) -> dict[str, str]:
    return {bank: chr(ord("A") + place) for place, bank in enumerate(banks)}
