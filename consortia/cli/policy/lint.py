"""``consortia policy lint``: every problem of a policy's file, with its place."""

from dataclasses import asdict

import typer

from consortia.cli.options import HomeOption, ProfileOption, believer, now
from consortia.cli.output import JsonOption, emit, note
from consortia.cli.policy.arguments import FileArgument
from consortia.cli.policy.comparing import believed
from consortia.policies.lint import Problem, errors, lint
from consortia.trust.folder import read_policy_file

EXAMPLES = (
    "consortia policy lint bank-a.aml-detection.yaml",
    "consortia policy lint bank-a.aml-detection.yaml --home ./bank-a --json",
)


def command(
    file: FileArgument,
    home: HomeOption = None,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """Name every problem of a policy with its line and column and what is expected there; exit code 1 for errors.

    Syntax and shape, rules that are in effect and not enforced, dates, what makes no sense together; with a home also
    what does not fit manifest and catalogue, and what other owners' policies in force leave of it.
    """
    data = read_policy_file(file).payload_bytes()
    world = None
    if home is not None or profile is not None:
        world = believed(believer(home, profile, None), now())
    else:
        note("not compared with manifest, catalogue and other owners' policies: give --home or --profile for that")
    problems = lint(data, now(), world)
    found = errors(problems)
    count = f"{_number(found, 'error')}, {_number(len(problems) - found, 'warning')}"
    emit(
        {
            "file": str(file),
            "errors": found,
            "warnings": len(problems) - found,
            "problems": [asdict(one) for one in problems],
        },
        "\n".join([*(_line(file.name, one) for one in problems), f"{file.name}: {count}"]),
        json=json,
    )
    if found:
        raise typer.Exit(1)


def _line(name: str, problem: Problem) -> str:
    """As compilers write it, so that editors find the place."""
    path = f"{problem.path}: " if problem.path else ""
    remedy = f"; {problem.remedy}" if problem.remedy else ""
    place = f"{name}:{problem.line}:{problem.column}"
    return f"{place}: {problem.severity}: {path}{problem.text}{remedy} [{problem.check}]"


def _number(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
