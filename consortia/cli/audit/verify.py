"""``consortia audit verify``: an evidence pack, checked offline and shown as a page."""

from pathlib import Path
from typing import Annotated

import typer

from consortia.audit.html import page_html
from consortia.audit.page import page_of, page_text
from consortia.audit.verify import verify_pack
from consortia.cli.output import JsonOption, emit, note
from consortia.errors import RequestError

EXAMPLES = (
    "consortia audit verify 3f9a.pack --fingerprint 8d21...",
    "consortia audit verify 3f9a.pack --fingerprint 8d21... --html 3f9a.html",
    "consortia audit verify 3f9a.pack --json",
)


def command(
    pack: Annotated[Path, typer.Argument(help="The pack.", show_default=False, metavar="PACK")],
    fingerprint: Annotated[
        str, typer.Option("--fingerprint", help="The manifest's fingerprint, from another source than the pack.")
    ] = "",
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the page as one HTML file, too.", metavar="FILE")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Verify a pack offline and print a page on it: what was asked, decided, run and released, and who signed it.

    Needs no home, no node and no network. A pack that does not verify ends with an error that names the check.
    """
    verified = verify_pack(read_pack(pack), fingerprint)
    page = page_of(verified)
    if html is not None:
        html.write_text(page_html(page), encoding="utf-8")
    emit(
        {"verified": True, "session": verified.session, "sha256": verified.digest, **page.as_dict()},
        page_text(page),
        json=json,
    )
    if not fingerprint:
        note("no --fingerprint was given: the pack is whole, but compare the manifest's fingerprint yourself")


def read_pack(path: Path) -> bytes:
    """The bytes of a pack; raises RequestError ``cli/file``."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise RequestError(
            "cli/file", f"the file can't be read: {error.strerror}", place=str(path), remedy="check the path"
        ) from error
