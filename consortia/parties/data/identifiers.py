"""A member's own identifiers behind its hashed keys, for its own investigators: an alert must name a customer.

Hashed keys are what is shared and computed on; only whoever registered the identifiers can lead a key back to one.
The table lies in the snapshot's folder (mode 0600) and never leaves the member's node but to its own analysts,
beside results that the node holds. A member that does not want to keep it removes the file: results then show keys.
"""

from collections.abc import Mapping

import polars as pl

from consortia.parties.data.snapshots import SnapshotStore
from consortia.plans.catalogue import Catalogue

Known = dict[bytes | None, str]
"""Hashed value to identifier."""
FILE = "identifiers.parquet"
_SCHEMA = {"domain": pl.String, "hashed": pl.Binary, "identifier": pl.String}


def identifiers_frame(known: Mapping[str, Known]) -> pl.DataFrame:
    """What is kept of one file's identifiers: domain, hashed value, identifier, sorted."""
    rows = [(domain, hashed, text) for domain, table in known.items() for hashed, text in table.items()]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row").sort("domain", "hashed")


def with_identifiers(
    frame: pl.DataFrame, domains: Mapping[str, str], store: SnapshotStore, catalogue: Catalogue
) -> pl.DataFrame:
    """``frame`` with a column ``NAME.identifier`` after each key column ``NAME`` of ``domains`` (column to domain).

    An identifier that is not (or no longer) among the member's snapshots is NULL. Only snapshots hashed under the
    catalogue's key of the domain are asked, the latest first.
    """
    key_ids = {domain.name: domain.key_id for domain in catalogue.key_domains}
    columns: list[pl.Series] = []
    for column in frame.get_columns():
        columns.append(column)
        domain = domains.get(column.name)
        if domain is not None:
            table = _known(store, domain, key_ids[domain], column)
            # A dot can't stand in a column's name of a query, so no column is overwritten.
            columns.append(pl.Series(f"{column.name}.identifier", [table.get(key) for key in column], dtype=pl.String))
    return pl.DataFrame(columns)


def _known(store: SnapshotStore, domain: str, key_id: str, wanted: pl.Series) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    for stored in sorted(store.all(), key=lambda stored: stored.document.registered):
        file = stored.folder / FILE
        if file.exists() and any((key.domain, key.key_id) == (domain, key_id) for key in stored.document.keys):
            rows = pl.read_parquet(file).filter(pl.col("domain") == domain, pl.col("hashed").is_in(wanted.implode()))
            found |= dict(rows.select("hashed", "identifier").iter_rows())
    return found
