"""Snapshots: immutable, committed by a salted root, whole or not there, checked when they are used."""

import io
import stat
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.errors import OperatorError
from consortia.evidence import merkle
from consortia.parties.data import commitment, snapshots
from consortia.parties.data.physical import carried, series
from consortia.parties.data.snapshots import Snapshot, check_root
from consortia.plans.types import Bounds
from tests.fixtures_catalogue import BOOL, CURRENCY, CUSTOMER, DATE, INT, TEXT, TIMESTAMP, column
from tests.fixtures_catalogue import ColumnType as Type
from tests.world_data import Desk, catalogue_of

ROWS = 'k,x,c,t\n1,5,EUR,"a,b"\n2,-3,USD,\n2,-3,USD,\n,7,EUR,José\n'


def make_desk(folder: Path, max_rows: int = 5000, **keywords: object) -> Desk:
    columns = (
        column("k", CUSTOMER, nullable=True),
        column("x", INT, -10, 10),
        column("c", CURRENCY),
        column("t", TEXT, nullable=True),
    )
    return Desk(folder, catalogue_of(*columns, max_rows=max_rows), **keywords)  # type: ignore[arg-type]  # Desk's own


def test_csv_and_parquet_of_the_same_rows_have_the_same_root(tmp_path: Path) -> None:
    made = make_desk(tmp_path, salt=bytes)
    first = made.register("t.csv", ROWS.encode())
    first.folder.rename(tmp_path / "moved")
    frame = pl.DataFrame(
        {
            "k": [None, "2", "1", "2"],
            "x": [7, -3, 5, -3],
            "c": ["EUR", "USD", "EUR", "USD"],
            "t": ["José", None, "a,b", None],
        }
    )
    frame.write_parquet(tmp_path / "p.parquet")
    second = made.register("t.parquet", (tmp_path / "p.parquet").read_bytes())
    assert second.document.root == first.document.root
    assert second.document.file == first.document.file
    assert second.document.source != first.document.source


def test_a_new_registration_is_current_and_the_old_one_stays(tmp_path: Path) -> None:
    made = make_desk(tmp_path)
    first = made.register("t.csv", ROWS.encode())
    second = made.register("t.csv", ROWS.encode())
    assert first.document.root != second.document.root, "the root is salted"
    assert made.store.current("t").document == second.document
    assert made.store.load("t", first.document.root).document == first.document
    assert {stored.document.root: made.store.is_current(stored) for stored in made.store.all()} == {
        first.document.root: False,
        second.document.root: True,
    }


def test_only_the_operator_can_read_what_is_stored(tmp_path: Path) -> None:
    made = make_desk(tmp_path)
    made.register("t.csv", ROWS.encode())
    for path in (made.store.folder, *made.store.folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_altered_data_is_refused_when_it_is_used(tmp_path: Path) -> None:
    made = make_desk(tmp_path)
    stored = made.register("t.csv", ROWS.encode())
    content = bytearray(stored.data.read_bytes())
    content[len(content) // 2] ^= 1
    stored.data.write_bytes(content)
    with pytest.raises(OperatorError) as caught:
        made.store.current("t")
    assert caught.value.code == "data/snapshot-altered"


def test_rows_exchanged_together_with_their_digest_do_not_fit_the_root(tmp_path: Path) -> None:
    made = make_desk(tmp_path)
    stored = made.register("t.csv", ROWS.encode())
    check_root(stored)
    pl.read_parquet(stored.data).with_columns(pl.lit(9, dtype=pl.Int64).alias("x")).write_parquet(stored.data)
    digest = snapshots.hashlib.sha256(stored.data.read_bytes()).hexdigest()
    forged = stored.document.model_copy(update={"file": digest})
    (stored.folder / "snapshot.json").write_bytes(forged.canonical())
    with pytest.raises(OperatorError) as caught:
        check_root(made.store.current("t"))
    assert caught.value.code == "data/snapshot-altered"


@pytest.mark.parametrize("damage", ["other-root", "no-json", "lost", "lost-data", "lost-salt"])
def test_a_damaged_folder_is_refused(tmp_path: Path, damage: str) -> None:
    made = make_desk(tmp_path)
    stored = made.register("t.csv", ROWS.encode())
    description = stored.folder / "snapshot.json"
    match damage:
        case "other-root":
            other = Snapshot.parse(description.read_bytes()).model_copy(update={"root": "0" * 64})
            description.write_bytes(other.canonical())
        case "no-json":
            description.write_bytes(b"{}")
        case "lost":
            description.unlink()
        case "lost-data":
            stored.data.unlink()
        case "lost-salt":
            (stored.folder / "salt").unlink()
    with pytest.raises(OperatorError) as caught:
        check_root(made.store.current("t"))
    assert caught.value.code == ("data/no-snapshot" if damage == "lost" else "data/snapshot-altered")


def test_a_table_that_was_never_registered_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        make_desk(tmp_path).store.current("t")
    assert caught.value.code == "data/no-snapshot"
    assert "data register" in caught.value.remedy


@pytest.mark.parametrize("failing", ["data.parquet", "salt", "snapshot.json", ".current"])
def test_a_failure_while_writing_leaves_the_snapshot_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    made = make_desk(tmp_path)
    first = made.register("t.csv", ROWS.encode())
    before = sorted(made.store.folder.rglob("*"))
    write = snapshots._write

    def failing_write(path: Path, content: bytes) -> None:
        write(path, content[: len(content) // 2])
        if path.name.startswith(failing):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshots, "_write", failing_write)
    with pytest.raises(OperatorError) as caught:
        made.register("t.csv", ROWS.encode())
    assert caught.value.code == "data/write"
    assert "No space" in caught.value.message
    assert sorted(made.store.folder.rglob("*")) == before
    assert made.store.current("t").document == first.document


# --- the commitment ----------------------------------------------------------------------------------------------


def test_the_root_is_the_documented_tree_over_the_documented_bytes() -> None:
    types = [INT, BOOL, Type(kind="key", domain="d", bits=96), TEXT, CURRENCY]
    columns = [[-2, 300], [1, None], [b"k" * 12, None], ["é", ""], ["USD", "EUR"]]
    rows = commitment.encode_rows(types, columns, 2)
    assert rows[0] == (
        b"\x01" + b"\xff" * 15 + b"\xfe"
        b"\x01" + b"\x00" * 15 + b"\x01"
        b"\x01" + b"k" * 12 + b"\x01\x00\x00\x00\x02\xc3\xa9"
        b"\x01" + b"\x00" * 15 + b"\x01"
    )  # fmt: skip
    assert rows[1] == (
        b"\x01" + b"\x00" * 14 + b"\x01\x2c"
        b"\x00"
        b"\x00"
        b"\x01\x00\x00\x00\x00"
        b"\x01" + b"\x00" * 16
    )  # fmt: skip
    context, master = "ab" * 32, b"m" * 32
    salt = commitment.leaf_salt(master, 0)
    leaf = b"consortia/snapshot-leaf/v1\x00" + b"\xab" * 32 + salt + b"\x00\x00\x00\x02" + b"".join(sorted(rows))
    assert commitment.root_of(sorted(rows), context, master, 1000) == merkle.leaf_hash(leaf).hex()


def test_the_number_of_leaves_follows_from_max_rows_alone() -> None:
    assert [commitment.leaves_of(rows) for rows in (0, 1, 1024, 1025, 50_000)] == [1, 1, 1, 2, 49]
    empty = commitment.leaf_hashes([], "00" * 32, b"m" * 32, 5000)
    full = commitment.leaf_hashes([b"row"] * 5000, "00" * 32, b"m" * 32, 5000)
    assert len(empty) == len(full) == 5
    assert len(set(empty)) == 5, "empty leaves have salts of their own, so that they do not show"


def test_rows_beyond_the_first_leaf_change_the_root(tmp_path: Path) -> None:
    made = make_desk(tmp_path, salt=bytes)
    text = "k,x,c,t\n" + "".join(f"{number},{number % 10},EUR,\n" for number in range(3000))
    first = made.register("t.csv", text.encode()).document.root
    second = made.register("t.csv", text.replace("2999,9,EUR", "2999,9,USD").encode()).document.root
    assert first != second


VALUES = st.lists(
    st.tuples(
        st.none() | st.integers(-(10**20), 10**20),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.integers(0, 1),
        st.none() | st.integers(-700_000, 2_900_000),
        st.none() | st.integers(-(10**15), 10**17),
        st.none() | st.sampled_from(["EUR", "USD", "CHF"]),
        st.none() | st.binary(min_size=12, max_size=12),
        st.none() | st.text(st.characters(codec="utf-8")),
    ),
    max_size=8,
)
TYPES = [Type(kind="decimal", scale=2), INT, BOOL, DATE, TIMESTAMP, CURRENCY, CUSTOMER, TEXT]
BOUNDS = [Bounds(lo=-(10**20), hi=10**20), Bounds(lo=-(2**63), hi=2**63 - 1), *[None] * 6]


@settings(derandomize=True, deadline=None, max_examples=60)
@given(VALUES)
def test_values_come_back_from_parquet_as_they_were(rows: list[tuple]) -> None:
    columns = [[row[place] for row in rows] for place in range(8)]
    frame = pl.DataFrame(
        [
            series(f"c{n}", values, kind, b)
            for n, (values, kind, b) in enumerate(zip(columns, TYPES, BOUNDS, strict=True))
        ]
    )
    path = io.BytesIO()
    frame.write_parquet(path)
    back = pl.read_parquet(io.BytesIO(path.getvalue()))
    assert [carried(back.get_column(f"c{n}")) for n in range(8)] == columns


@settings(derandomize=True, deadline=None, max_examples=100)
@given(VALUES)
def test_no_two_rows_have_the_same_encoding(rows: list[tuple]) -> None:
    columns = [[row[place] for row in rows] for place in range(8)]
    assert len(set(commitment.encode_rows(TYPES, columns, len(rows)))) == len(set(rows))
