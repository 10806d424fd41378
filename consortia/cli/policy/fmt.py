"""``consortia policy fmt``: one layout for all policies."""

from pathlib import Path
from typing import Annotated

import typer

from consortia.cli.output import JsonOption, emit
from consortia.errors import OperatorError, PolicyRefusal
from consortia.policies.language.format import formatted
from consortia.trust.folder import read_policy_file

EXAMPLES = (
    "consortia policy fmt bank-a.aml-detection.yaml",
    "consortia policy fmt bank-a.aml-detection.yaml --check --json",
)


def command(
    file: Annotated[Path, typer.Argument(help="The policy's file.", metavar="FILE", show_default=False)],
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 if the layout differs.")] = False,
    json: JsonOption = False,
) -> None:
    """Lay a policy's file out: indentation, spacing, comments in columns. What it says stays, and every comment.

    A signed file is refused: its signatures hold for its exact bytes.
    """
    envelope = read_policy_file(file)
    if envelope.signatures:
        raise PolicyRefusal(
            "policies/signed-file",
            "the file is signed, and another layout would void the signatures",
            place=str(file),
            remedy="format before signing; a new version may be formatted",
        )
    before = envelope.payload_bytes()
    after = formatted(before)
    changed = after != before
    if changed and not check:
        try:
            file.write_bytes(after)
        except OSError as error:
            raise OperatorError(
                "cli/file", f"the file can't be written: {error}", place=str(file), remedy="check its permissions"
            ) from error
    said = ("would change" if check else "formatted") if changed else "as it should be"
    emit({"file": str(file), "changed": changed, "written": changed and not check}, f"{file}: {said}", json=json)
    if check and changed:
        raise typer.Exit(1)
