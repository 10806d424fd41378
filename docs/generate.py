"""Writes the reference pages that follow from the code: ``python docs/generate.py``. A test compares them with it.

docs/reference/cli.md comes from the commands' own help, docs/reference/costs.md from the declared costs,
docs/reference/policy.schema.json and the table of fields in docs/reference/policy.md from the language of policies,
docs/reference/policy-changes.md from the order in which `policy diff` compares them.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from typer.testing import CliRunner

from consortia.cli.main import app
from consortia.policies.changes.orders import order_table
from consortia.policies.language import schema

sys.path.insert(0, str(Path(__file__).parents[1]))  # `benchmarks` is no part of the installed package

from benchmarks import costs  # found by the path above

REFERENCE = Path(__file__).parent / "reference"
HEAD = """\
# The command line

Made by `python docs/generate.py` from the commands' own `--help`; change it there.

Results go to stdout, everything else to stderr. `--json` prints one JSON object, errors too. Exit codes: 0 done,
1 failed, 2 wrong usage, 3 denied by policy, 4 all output suppressed, 5 peer unavailable, 6 budget exhausted,
124 time-out, 130 cancelled.
"""
WIDTH = 110


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every command, in the order of the help."""
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "list_commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


def reference() -> str:
    """The whole page."""
    runner = CliRunner()
    pages = [HEAD]
    for path in commands(typer.main.get_command(app)):
        shown = runner.invoke(
            app, [*path, "--help"], prog_name="consortia", terminal_width=WIDTH, max_content_width=WIDTH
        )
        text = "\n".join(line.rstrip() for line in shown.output.strip().splitlines())
        pages.append(f"## consortia {' '.join(path)}\n\n```\n{text}\n```\n")
    return "\n".join(pages)


def policy_reference() -> str:
    """The page on the language of policies: written by hand but for its table of fields."""
    return schema.with_field_table((REFERENCE / "policy.md").read_text(encoding="utf-8"))


CHANGES = """\
# What counts as widened

Made by `python docs/generate.py` from `policies/changes/orders.py`: so `consortia policy diff` marks each change of a
field. Values that can't be compared count as widened in both directions. What is neither widened nor narrowed is
neutral; a list in another order, and a value that is written out where it held before, are no change.

"""


def changes() -> str:
    """Which way each field of a policy widens."""
    return CHANGES + order_table()


PAGES = {
    "cli.md": reference,
    "costs.md": costs.page,
    "policy.md": policy_reference,
    "policy-changes.md": changes,
    "policy.schema.json": schema.schema_text,
}


if __name__ == "__main__":
    for name, made in PAGES.items():
        (REFERENCE / name).write_text(made(), encoding="utf-8")
