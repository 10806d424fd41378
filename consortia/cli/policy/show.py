"""``consortia policy show``: who has signed a policy, and whether it is in force."""

from typing import Annotated

import typer
from rich.console import Group
from rich.text import Text

from consortia.cli.options import HomeOption, ProfileOption, believer, now
from consortia.cli.output import JsonOption, emit, table, visible
from consortia.cli.policy.arguments import FileArgument
from consortia.errors import ConsortiaError
from consortia.policies.explain import explain, sentences
from consortia.policies.language.parse import read_policy
from consortia.policies.signed import policy_in_force, signatures_of
from consortia.trust.folder import read_policy_file
from consortia.trust.notices import standing

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
    envelope = read_policy_file(file)
    loaded = read_policy(envelope.payload_bytes())
    state = signatures_of(envelope, loaded, trusted, now())
    try:
        policy_in_force(envelope, trusted, now(), standing(reader.trust, trusted.manifest).revoked)
        reason = ""
    except ConsortiaError as error:
        reason = str(error)
    identity, dates = loaded.policy.identity, loaded.policy.validity
    signatures = table(
        ("", identity.id),
        [
            ("version", str(identity.version)),
            ("fingerprint", loaded.digest),
            ("signed by", ", ".join(state.signed) or "nobody"),
            ("still needed", f"{state.missing} of {', '.join(state.may_sign)}" if state.missing else "nobody"),
            ("valid", f"{dates.not_before} to the end of {dates.not_after} (UTC)"),
            ("in force", f"no: {reason}" if reason else "yes"),
        ],
    )
    said = sentences(loaded) if plain else ()
    emit(
        {
            **({"sentences": [{"section": s.section, "text": s.text, "rule": s.rule} for s in said]} if plain else {}),
            "policy": identity.id,
            "version": identity.version,
            "fingerprint": loaded.digest,
            "signed_by": list(state.signed),
            "may_sign": list(state.may_sign),
            "missing": state.missing,
            "not_before": dates.not_before.isoformat(),
            "not_after": dates.not_after.isoformat(),
            "in_force": not reason,
            "reason": reason,
        },
        Group(Text(visible(explain(loaded))), signatures) if plain else signatures,
        json=json,
    )
