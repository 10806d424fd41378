"""``consortia data``: a member's own data. Nothing here leaves this machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from consortia.cli.options import HomeOption, PassphraseOption, now, open_home
from consortia.cli.output import JsonOption, emit, examples, note, table
from consortia.errors import OperatorError
from consortia.parties.data.binding import find_data_table
from consortia.parties.data.propose import propose as draft_schema
from consortia.parties.data.register import prepare
from consortia.parties.data.register import register as register_file
from consortia.parties.data.schema import read_schema
from consortia.parties.data.snapshots import SnapshotStore, StoredSnapshot, check_root
from consortia.parties.data.summary import ColumnSummary
from consortia.plans.catalogue import Catalogue
from consortia.trust.documents import instant_text
from consortia.trust.home import Home
from consortia.trust.keyfiles import write_new

app = typer.Typer(
    help="Register this member's data: checked against the catalogue, hashed, committed; nothing leaves the machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

FileArgument = Annotated[Path, typer.Argument(help="The file of data, CSV or Parquet.", metavar="FILE")]
SchemaOption = Annotated[
    Path, typer.Option("--schema", help="The schema file that maps FILE to the catalogue.", metavar="SCHEMA")
]


@app.command(
    epilog=examples(
        "consortia data propose transactions.csv --table transactions > transactions.yaml",
        "consortia data propose accounts.parquet --table accounts --out accounts.yaml --home ./bank-a",
    )
)
def propose(
    file: FileArgument,
    table_name: Annotated[str, typer.Option("--table", help="The catalogue's table.", metavar="TABLE")],
    out: Annotated[
        Path | None, typer.Option(help="Write the draft to this new file instead of stdout.", metavar="SCHEMA")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write the draft of a schema file from the names of FILE's columns, for a person to correct."""
    draft = draft_schema(file, find_data_table(_catalogue(open_home(home)), table_name))
    if out is not None:
        write_new(out, draft.encode(), 0o644)
        note(f"next: correct {out}, then consortia data check {file} --schema {out}")
    if json:
        emit({"table": table_name, "schema": draft, "out": None if out is None else str(out)}, "", json=True)
    elif out is None:
        typer.echo(draft, nl=False)


@app.command(
    epilog=examples(
        "consortia data check transactions.csv --schema transactions.yaml",
        "consortia data check transactions.csv --schema transactions.yaml --home ./bank-a --json",
    )
)
def check(
    file: FileArgument,
    schema: SchemaOption,
    home: HomeOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Read and check FILE exactly as `register` does, and write nothing."""
    member = open_home(home, passphrase_file)
    catalogue = _held(member, schema)
    prepared = prepare(schema, file, catalogue, member.domain_key)
    _print_summary(
        {"table": prepared.table.name, "rows": prepared.frame.height, "registered": False}, prepared.summary, json=json
    )
    note(f"the file fits, {prepared.frame.height} rows; next: consortia data register {file} --schema {schema}")


@app.command(
    epilog=examples(
        "consortia data register transactions.csv --schema transactions.yaml",
        "consortia data register accounts.parquet --schema accounts.yaml --home ./bank-a --json",
    )
)
def register(
    file: FileArgument,
    schema: SchemaOption,
    home: HomeOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Register FILE as the current snapshot of its table: all of it, or nothing if a value does not fit."""
    member = open_home(home, passphrase_file)
    catalogue = _held(member, schema)
    stored, summary = register_file(_store(member), schema, file, catalogue, member.domain_key, now())
    document = stored.document
    _print_summary(
        {"table": document.table, "rows": int(document.rows), "registered": True, "root": document.root},
        summary,
        json=json,
    )
    note(f"registered {document.rows} rows of {document.table}, snapshot {document.root}")


@app.command("list", epilog=examples("consortia data list", "consortia data list --home ./bank-a --json"))
def list_snapshots(home: HomeOption = None, json: JsonOption = False) -> None:
    """List the snapshots of this member; queries use the current one of each table."""
    store = _store(open_home(home))
    found = sorted(store.all(), key=lambda stored: (stored.document.table, stored.document.registered))
    emit(
        {"snapshots": [{**_described(stored), "current": store.is_current(stored)} for stored in found]},
        table(
            ("table", "snapshot", "rows", "registered", "catalogue", "current"),
            (
                (
                    stored.document.table,
                    stored.document.root[:16],
                    str(stored.document.rows),
                    instant_text(stored.document.registered),
                    str(stored.document.catalogue_version),
                    "yes" if store.is_current(stored) else "",
                )
                for stored in found
            ),
        ),
        json=json,
    )


@app.command(epilog=examples("consortia data verify", "consortia data verify transactions --home ./bank-a --json"))
def verify(
    table_name: Annotated[str | None, typer.Argument(help="One table; all if left out.", metavar="TABLE")] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Compute the roots of the current snapshots again: their rows are those that were committed."""
    store = _store(open_home(home))
    names = [table_name] if table_name else sorted({stored.document.table for stored in store.all()})
    checked = [store.current(name) for name in names]
    for stored in checked:
        check_root(stored)
    emit(
        {"verified": [_described(stored) for stored in checked]},
        table(
            ("table", "snapshot", "rows"),
            ((one.document.table, one.document.root[:16], str(one.document.rows)) for one in checked),
        ),
        json=json,
    )


def _store(home: Home) -> SnapshotStore:
    return SnapshotStore(home.path / "snapshots")


def _catalogue(home: Home) -> Catalogue:
    """The accepted catalogue of a home."""
    home.trusted().require_catalogue()
    return Catalogue.parse(home.trust.catalogue().payload_bytes())


def _held(home: Home, schema: Path) -> Catalogue:
    """The accepted catalogue, if this member holds a part of the schema's table."""
    catalogue = _catalogue(home)
    declared = find_data_table(catalogue, read_schema(schema).table)
    if home.member not in declared.holders:
        raise OperatorError(
            "data/not-holder",
            f"`{home.member}` holds no part of `{declared.name}`",
            place=str(schema),
            remedy="check `table` in the schema file; the members that hold a table stand in the catalogue",
        )
    return catalogue


def _described(stored: StoredSnapshot) -> dict[str, str | int]:
    document = stored.document
    return {
        "table": document.table,
        "root": document.root,
        "rows": int(document.rows),
        "registered": instant_text(document.registered),
        "catalogue_version": document.catalogue_version,
    }


def _print_summary(head: dict[str, str | int | bool], columns: Sequence[ColumnSummary], *, json: bool) -> None:
    """Rows, NULLs, distinct values, smallest and largest: for the operator alone."""
    emit(
        {**head, "columns": [column.as_dict() for column in columns]},
        table(
            ("column", "type", "NULLs", "distinct", "allowed", "smallest", "largest", "allowed from", "to"),
            (
                (
                    column.name,
                    column.type,
                    str(column.nulls),
                    str(column.distinct),
                    str(column.max_distinct or ""),
                    column.smallest,
                    column.largest,
                    column.lowest_allowed,
                    column.highest_allowed,
                )
                for column in columns
            ),
        ),
        json=json,
    )
