"""A member reads its own identifiers behind hashed keys, and nothing else can be read there."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from consortia.parties.data.identifiers import FILE, with_identifiers
from consortia.parties.data.register import register
from consortia.parties.data.snapshots import SnapshotStore
from consortia.plans.catalogue import Catalogue
from consortia.plans.catalogue_file import read_catalogue
from consortia.trust.domain_keys import HashDomain, hash_keys

KEY = bytes(range(32))
NOW = datetime(2026, 11, 25, tzinfo=UTC)
DOMAIN = HashDomain(consortium="test", domain="customer", id_type="number", normal_form="nfc", bits=96)
TEXT = """
consortium: test
purposes: [p]
key-domains: {customer: {id-type: number}}
tables:
  t:
    holders: [bank-a]
    max-rows: 10
    columns:
      who: {type: key(customer), nullable: true, max-distinct: 10}
"""
SCHEMA = "type: consortia/schema/v1\ntable: t\nformat: csv\ncolumns: {who: who}\n"


def catalogue(key_id: str = "aa") -> Catalogue:
    return read_catalogue(TEXT, key_ids={"customer": key_id})


def hashed(*identifiers: str | None) -> list[bytes | None]:
    return hash_keys(KEY, DOMAIN, identifiers)


def registered(folder: Path, *contents: str, key_id: str = "aa") -> SnapshotStore:
    store = SnapshotStore(folder / "snapshots")
    (folder / "schema.yaml").write_text(SCHEMA)
    for number, content in enumerate(contents):
        (folder / "t.csv").write_text(content)
        at = NOW + timedelta(days=number)
        register(store, folder / "schema.yaml", folder / "t.csv", catalogue(key_id), lambda *_: KEY, at)
    return store


def alert(*identifiers: str | None) -> pl.DataFrame:
    return pl.DataFrame(
        {"who": hashed(*identifiers), "n": list(range(len(identifiers)))}, schema_overrides={"who": pl.Binary}
    )


def test_the_identifier_stands_beside_its_key_and_an_unknown_one_is_null(tmp_path: Path) -> None:
    store = registered(tmp_path, "who\n007\n7\n\n")
    shown = with_identifiers(alert("7", "007", "of another bank", None), {"who": "customer"}, store, catalogue())
    assert shown.columns == ["who", "who.identifier", "n"]
    assert shown["who.identifier"].to_list() == ["7", "007", None, None]
    assert shown["who"].to_list() == hashed("7", "007", "of another bank", None)


def test_an_identifier_of_an_earlier_snapshot_is_still_found(tmp_path: Path) -> None:
    store = registered(tmp_path, "who\n1\n", "who\n2\n")
    assert with_identifiers(alert("1", "2"), {"who": "customer"}, store, catalogue())["who.identifier"].to_list() == [
        "1",
        "2",
    ]


@pytest.mark.parametrize("change", ["file removed", "another key"])
def test_without_the_table_or_under_another_key_only_keys_are_shown(tmp_path: Path, change: str) -> None:
    store = registered(tmp_path, "who\n1\n")
    if change == "file removed":
        for file in store.folder.rglob(FILE):
            file.unlink()
    now = catalogue("bb" if change == "another key" else "aa")
    assert with_identifiers(alert("1"), {"who": "customer"}, store, now)["who.identifier"].to_list() == [None]


def test_an_empty_alert_keeps_its_columns(tmp_path: Path) -> None:
    store = registered(tmp_path, "who\n1\n")
    assert with_identifiers(alert(), {"who": "customer"}, store, catalogue()).columns == ["who", "who.identifier", "n"]


def test_the_table_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    store = registered(tmp_path, "who\n1\n")
    (file,) = store.folder.rglob(FILE)
    assert file.stat().st_mode & 0o777 == 0o600
