"""``consortia audit export``: the evidence pack of one session."""

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from consortia.audit.batch import read_pack
from consortia.audit.export import export_pack
from consortia.cli.audit.files import write_bytes
from consortia.cli.audit.home_store import node_store
from consortia.cli.options import HomeOption
from consortia.cli.output import JsonOption, emit, note
from consortia.errors import RequestError

EXAMPLES = (
    "consortia audit export 3f9a --home ./bank-a",
    "consortia audit export 3f9a2c04b1d6e8f7a5930c1b2d4e6f80 --out evidence/3f9a.pack --home ./bank-a",
)


def command(
    session: Annotated[str, typer.Argument(help="The session's id, or its first letters.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write; SESSION.pack if none is named.", metavar="FILE")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write the evidence pack of a session from this member's journal, also while the node runs.

    A pack holds no row and no result, and a second export has the same bytes.
    """
    with node_store(home) as store:
        made = export_pack(store, session)
    path = out or Path(f"{made.session}.pack")
    if path.exists() and read_pack(path) != made.data:
        raise RequestError(
            "cli/exists", "another file is there already", place=str(path), remedy="name another file with --out"
        )
    write_bytes(path, made.data, "pack")
    digest = hashlib.sha256(made.data).hexdigest()
    emit(
        {"session": made.session, "file": str(path), "bytes": len(made.data), "sha256": digest},
        f"{path}: {len(made.data)} bytes, SHA-256 {digest}",
        json=json,
    )
    note(f"next: consortia audit verify {path} --fingerprint FINGERPRINT-OF-THE-MANIFEST")
