"""``consortia audit verify``: evidence packs, checked offline; one is shown as a page, many as a list."""

import time
from pathlib import Path
from typing import Annotated

import typer

from consortia.audit.batch import Outcome, packs_in, read_pack, verify_files
from consortia.audit.html import page_html
from consortia.audit.page import page_of, page_text
from consortia.audit.verify import verify_pack
from consortia.cli.audit.files import write_bytes
from consortia.cli.output import JsonOption, emit, note, table
from consortia.errors import RequestError

EXAMPLES = (
    "consortia audit verify 3f9a.pack --fingerprint 8d21...",
    "consortia audit verify 3f9a.pack --fingerprint 8d21... --html 3f9a.html",
    "consortia audit verify evidence/2026/ --fingerprint 8d21... --json",
)


def command(
    packs: Annotated[
        list[Path], typer.Argument(help="A pack, several, or folders of them.", show_default=False, metavar="PACK...")
    ],
    fingerprint: Annotated[
        str, typer.Option("--fingerprint", help="The manifest's fingerprint, from another source than the pack.")
    ] = "",
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the page on one pack as an HTML file, too.", metavar="FILE")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Verify packs offline and print a page on one: what was asked, decided, run and released, and who signed it.

    Needs no home, no node and no network. A pack that does not verify ends with an error that names the check; of
    several packs each gets a line, and the command fails if one of them does. Without --fingerprint a pack shows only
    that it fits together: anybody can make a consortium of their own.
    """
    files = packs_in(packs)
    if len(files) == 1 and files == tuple(packs):
        _one(files[0], fingerprint, html, json=json)
    elif html is not None or not files:
        raise RequestError(
            "cli/packs",
            "--html makes a page on one pack" if files else "there is no pack in the folder",
            place=", ".join(map(str, packs)),
            remedy="name one pack, or a folder of files that end in .pack",
        )
    else:
        _many(files, fingerprint, json=json)
    if not fingerprint:
        note("no --fingerprint was given: compare the manifest's fingerprint yourself; anybody can make a consortium")


def _one(pack: Path, fingerprint: str, html: Path | None, *, json: bool) -> None:
    verified = verify_pack(read_pack(pack), fingerprint)
    page = page_of(verified)
    if html is not None:
        write_bytes(html, page_html(page).encode(), "page")
    emit(
        {
            "verified": True,
            "fingerprint": verified.fingerprint,
            "compared": verified.compared,
            "session": verified.session,
            "sha256": verified.digest,
            **page.as_dict(),
        },
        page_text(page),
        json=json,
    )


def _many(files: tuple[Path, ...], fingerprint: str, *, json: bool) -> None:
    begin = time.monotonic()
    outcomes = verify_files(files, fingerprint)
    seconds = time.monotonic() - begin
    good = sum(outcome.verified for outcome in outcomes)
    found = sorted({outcome.fingerprint for outcome in outcomes if outcome.verified})
    word = "verified" if fingerprint else "verified, manifest not compared"
    emit(
        {
            "packs": len(outcomes),
            "verified": good,
            "fingerprints": found,
            "compared": bool(fingerprint),
            "seconds": round(seconds, 2),
            "outcomes": [
                {name: getattr(outcome, name) for name in Outcome.__slots__} | {"verified": outcome.verified}
                for outcome in outcomes
            ],
        },
        table(
            ("pack", "session", "member", "outcome"),
            [
                (outcome.file, outcome.session[:8], outcome.member, word if outcome.verified else outcome.why)
                for outcome in outcomes
            ],
        ),
        json=json,
    )
    for one in found:
        note(f"manifest {one}" + ("" if fingerprint else ": not compared"))
    note(f"{good} of {len(outcomes)} packs verified in {seconds:.1f} s")
    if good < len(outcomes):
        raise typer.Exit(1)
