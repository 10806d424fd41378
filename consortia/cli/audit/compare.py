"""``consortia audit compare``: what changed between two runs."""

from pathlib import Path
from typing import Annotated

import typer

from consortia.audit.batch import read_pack
from consortia.audit.compare import compare, compare_page
from consortia.audit.page import page_text
from consortia.audit.verify import verify_pack
from consortia.cli.output import JsonOption, emit, note

EXAMPLES = (
    "consortia audit compare monday.pack tuesday.pack --fingerprint 8d21...",
    "consortia audit compare monday.pack tuesday.pack --json",
)


def command(
    first: Annotated[Path, typer.Argument(help="A pack.", show_default=False, metavar="PACK")],
    second: Annotated[Path, typer.Argument(help="Another pack.", show_default=False, metavar="PACK")],
    fingerprint: Annotated[
        str, typer.Option("--fingerprint", help="The manifest's fingerprint, from another source than the packs.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """Verify two packs and list what changed between the runs: a member's data, policies, documents, software.

    With --fingerprint both must be of that manifest. A member that registered other data in between shows.
    """
    packs = verify_pack(read_pack(first), fingerprint), verify_pack(read_pack(second), fingerprint)
    compared, found = compare(*packs), sorted({pack.fingerprint for pack in packs})
    emit(
        {
            "sessions": [pack.session for pack in packs],
            "fingerprints": found,
            "manifest_compared": bool(fingerprint),
            "compared": [
                {
                    "part": one.part,
                    "of": one.of,
                    "first": one.first,
                    "then": one.second,
                    "changed": one.changed,
                    "comparable": one.comparable,
                }
                for one in compared
            ],
        },
        page_text(compare_page(*packs)),
        json=json,
    )
    for one in found:
        note(f"manifest {one}" + ("" if fingerprint else ": not compared; anybody can make a consortium"))
