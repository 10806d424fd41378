"""``consortia policy lint``: what an officer should know of a policy before signing it."""

import typer

from consortia.cli.options import HomeOption, ProfileOption, believer, now
from consortia.cli.output import JsonOption, emit, note, table
from consortia.cli.policy.arguments import FileArgument
from consortia.plans.catalogue import Catalogue
from consortia.policies.language.parse import parse_policy
from consortia.policies.lint import lint_against, lint_dates
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
    """Check a policy: its syntax, that all of it is enforced, its dates; with a home, that it fits the consortium."""
    loaded = parse_policy(read_policy_file(file).payload_bytes())
    problems = list(lint_dates(loaded, now()))
    if home is not None or profile is not None:
        reader = believer(home, profile, None)
        catalogue = Catalogue.parse(reader.trust.catalogue().payload_bytes())
        problems += lint_against(loaded, reader.trusted().manifest, catalogue, now())
    else:
        note("not compared with manifest and catalogue: give --home or --profile for that")
    errors = sum(problem.severity == "error" for problem in problems)
    emit(
        {
            "policy": loaded.policy.identity.id,
            "fingerprint": loaded.digest,
            "errors": errors,
            "problems": [{"severity": one.severity, "place": one.place, "text": one.text} for one in problems],
        },
        table(("", "place", "problem"), [(one.severity, one.place, one.text) for one in problems])
        if problems
        else f"{loaded.policy.identity.id}: nothing to object",
        json=json,
    )
    if errors:
        raise typer.Exit(1)
