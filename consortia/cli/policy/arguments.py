"""Arguments that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

FileArgument = Annotated[Path, typer.Argument(help="The policy's file.", metavar="FILE", show_default=False)]
