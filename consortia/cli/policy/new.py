"""``consortia policy new``: a draft from a template."""

from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from consortia.cli.options import now
from consortia.cli.output import JsonOption, emit, note
from consortia.errors import OperatorError, RequestError
from consortia.policies.drafting import Facts, draft, filled
from consortia.policies.language.parse import parse_policy

EXAMPLES = (
    ("consortia policy new us-314b a.yaml --owner bank-a --consortium us --members bank-a,bank-b,bank-c "
    "--purpose laundering --author dora@bank-a"),
    ("consortia policy new hospital-study h.yaml --owner h-1 --consortium heart --members h-1,h-2,h-3 "
    "--purpose outcomes --author eva@h-1 --catalogue catalogue.yaml --json"),
)  # fmt: skip
TEMPLATES = {
    "aml-article-75": "EU partnerships against money laundering, AMLR Article 75",
    "us-314b": "US information sharing, USA PATRIOT Act section 314(b)",
    "hospital-study": "a study over the records of several hospitals",
    "education-statistics": "education statistics, with noise and a privacy budget",
    "government-statistics": "official statistics, with exact suppression and rounding",
}


def command(  # noqa: PLR0917  # options of a command are given by their names
    template: Annotated[
        str, typer.Argument(help=f"One of {', '.join(TEMPLATES)}.", metavar="TEMPLATE", show_default=False)
    ],
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist.", metavar="FILE")],
    owner: Annotated[str, typer.Option(help="The member whose policy it is.")],
    consortium: Annotated[str, typer.Option(help="The consortium, as the manifest names it.")],
    members: Annotated[str, typer.Option(help="All members, the owner too, with commas between.")],
    purpose: Annotated[str, typer.Option(help="A purpose of the catalogue.")],
    author: Annotated[str, typer.Option(help="Who writes it, name@member: not one of the two who sign.")],
    analyst: Annotated[
        str | None, typer.Option(help="Who asks the example queries, name@member; analyst@OWNER if not given.")
    ] = None,
    begin: Annotated[
        str | None, typer.Option("--from", help="The first day, YEAR-MONTH-DAY; tomorrow (UTC) if not given.")
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option(help="Also write a catalogue that fits, to try the draft with.", metavar="FILE")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write a draft of a policy from a template: strict, with its reasons and with examples that `policy test` decides.

    Rules that this version does not enforce are written off, each with a remark. Tables and columns are those of the
    template's own catalogue: put yours in their place, then lint, test and read it.
    """
    if template not in TEMPLATES:
        raise RequestError(
            "cli/template", f"there is no template `{template}`", remedy=f"use one of {', '.join(TEMPLATES)}"
        )
    facts = Facts(
        owner=owner,
        consortium=consortium,
        members=tuple(name.strip() for name in members.split(",")),
        purpose=purpose,
        author=author,
        analyst=analyst or f"analyst@{owner}",
        begin=now().date() + timedelta(days=1) if begin is None else _day(begin),
    )
    text = draft(template_text(template), facts)
    fingerprint = parse_policy(text.encode()).digest
    _write(file, text)
    if catalogue is not None:
        _write(catalogue, filled(template_text(f"{template}.catalogue"), facts))
    emit(
        {
            "template": template,
            "file": str(file),
            "catalogue": None if catalogue is None else str(catalogue),
            "fingerprint": fingerprint,
        },
        f"{file}: {TEMPLATES[template]}",
        json=json,
    )
    note(f"next: edit {file}, then consortia policy lint, test and explain")


def template_text(name: str) -> str:
    """The text of a template, or of the catalogue that fits it (``NAME.catalogue``)."""
    return (files("consortia.cli.policy") / "templates" / f"{name}.yaml").read_text(encoding="utf-8")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise RequestError("cli/day", f"`{text}` is no day", remedy="write it as 2026-12-01") from error


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except OSError as error:
        raise OperatorError(
            "cli/file",
            f"the file can't be written: {error}",
            place=str(path),
            remedy="name a new file in a folder of yours",
        ) from error
