"""``consortia policy show``: who has signed a policy, and whether it is in force."""

from typing import Annotated

import typer
from rich.console import Group
from rich.text import Text

from consortia.cli.options import HomeOption, ProfileOption, believer, now
from consortia.cli.output import JsonOption, emit, note, table
from consortia.cli.policy.arguments import FileArgument
from consortia.cli.policy.status import expiry_note, missing_words, status_value
from consortia.policies.explain import explain, sentences
from consortia.policies.status import status_of
from consortia.trust.folder import read_policy_file
from consortia.trust.notices import standing
from consortia.visible import visible

EXAMPLES = (
    "consortia policy show bank-a.aml-detection.yaml --profile ./bank-a/people/otto",
    "consortia policy show bank-a.aml-detection.yaml --home ./bank-b --plain",
)


def command(
    file: FileArgument,
    home: HomeOption = None,
    profile: ProfileOption = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="First the whole policy in plain English, as `explain` prints it.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Say who has signed a policy, who is missing, until when it is valid, and whether it is in force."""
    reader = believer(home, profile, None)
    trusted = reader.trusted()
    barred = standing(reader.trust, trusted.manifest)
    status = status_of(read_policy_file(file), trusted, now(), barred.revoked)
    loaded, state = status.loaded, status.signatures
    identity, dates = loaded.policy.identity, loaded.policy.validity
    signatures = table(
        ("", identity.id),
        [
            ("version", str(identity.version)),
            ("fingerprint", loaded.digest),
            ("signed by", ", ".join((*state.signed, *state.countersigned)) or "nobody"),
            ("still needed", missing_words(status)),
            ("valid", f"{dates.not_before} to the end of {dates.not_after} (UTC), {status.days_left} days left"),
            ("in force", f"no: {status.reason}" if status.reason else "yes"),
        ],
    )
    said = sentences(loaded) if plain else ()
    emit(
        {
            **({"sentences": [{"section": s.section, "text": s.text, "rule": s.rule} for s in said]} if plain else {}),
            **status_value(status),
        },
        Group(Text(visible(explain(loaded))), signatures) if plain else signatures,
        json=json,
    )
    if expiry_note(status):
        note(expiry_note(status))
