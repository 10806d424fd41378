"""Where the officer's commands are typed: each is run in this process and printed as a reader would type it."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from consortia.cli.main import app
from examples.aml.consortium import Consortium


class DayError(Exception):
    """Something turned out otherwise than the script says."""


@dataclass
class Desk:
    """Where commands are typed: runs them and keeps what they printed."""

    consortium: Consortium
    commands: list[str] = field(default_factory=list)

    def run(self, *arguments: object, code: int = 0) -> dict[str, Any]:
        """The JSON that a command prints; DayError if it exits otherwise than with ``code``."""
        return dict(json.loads(self._invoked(arguments, code).stdout))

    def refused(self, *arguments: object, code: int) -> str:
        """The error code with which a command is refused; DayError if it is not, with that exit code."""
        error: dict[str, str] = json.loads(self._invoked(arguments, code).stderr)["error"]
        say(f"refused: {error['message']} [{error['code']}]")
        return error["code"]

    def _invoked(self, arguments: tuple[object, ...], code: int) -> Result:
        words = [str(argument) for argument in arguments]
        shown = " ".join(word.replace(f"{self.consortium.root}/", "") for word in words)
        if not self.commands or self.commands[-1] != shown:  # looking again and again is one line
            print(f"  $ consortia {shown}", flush=True)
            self.commands.append(shown)
        result = CliRunner().invoke(app, [*words, "--json"])
        if result.exit_code != code:
            raise DayError(f"`consortia {shown}` exits with {result.exit_code}, not {code}:\n{result.output}")
        return result

    def profile(self, person: str) -> tuple[str, Path]:
        """``--profile`` of a person."""
        return "--profile", self.consortium.profile(person)

    def home(self, bank: str) -> tuple[str, Path]:
        """``--home`` of a bank."""
        return "--home", self.consortium.homes[bank].path


def title(text: str) -> None:
    """The heading of one act."""
    print(f"\n{text}", flush=True)


def say(text: str) -> None:
    """One line of what happens."""
    print(f"  {text}", flush=True)
