"""``consortia policy approve``: one officer's signature."""

from pathlib import Path
from typing import Annotated

import typer

from consortia.cli.options import HomeOption, PassphraseOption, ProfileOption, now, open_profile
from consortia.cli.output import JsonOption, emit, note
from consortia.cli.policy.arguments import FileArgument
from consortia.policies.language.parse import parse_policy, read_policy
from consortia.policies.signed import check_succession, require_fingerprint, require_may_sign, signatures_of
from consortia.trust.folder import read_policy_file, write_policy_signatures

EXAMPLES = (
    "consortia policy approve aml.yaml --fingerprint 7d75ff5f48d775ca --profile ./bank-a/people/otto",
    "consortia policy approve v2.yaml --fingerprint 7d75ff5f48d775ca --previous v1.yaml --profile otto",
)


def command(
    file: FileArgument,
    fingerprint: Annotated[
        str,
        typer.Option(help="The fingerprint of what you read, as `explain` or `show` printed it (16 digits or more)."),
    ],
    previous: Annotated[
        Path | None, typer.Option(help="The version before, for all versions but the first.", metavar="FILE")
    ] = None,
    profile: ProfileOption = None,
    home: HomeOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Add your signature as an officer. Two officers sign, neither of them the author; the file itself stays as it is.

    An officer of another member countersigns in the same way, where the policy demands it under `parties.countersign`.

    The signatures lie beside the file, in NAME.signatures.json. You approve a fingerprint, not a name.
    """
    signer = open_profile(profile, home, passphrase_file)
    envelope = read_policy_file(file)
    loaded = parse_policy(envelope.payload_bytes())
    require_fingerprint(fingerprint, loaded)
    check_succession(loaded, None if previous is None else read_policy(read_policy_file(previous).payload_bytes()))
    trusted = signer.trusted()
    require_may_sign(loaded, signer.person, trusted, now())
    signed = envelope.with_signature(signer.signing_key())
    state = signatures_of(signed, loaded, trusted, now())
    place = write_policy_signatures(file, signed)
    emit(
        {
            "policy": loaded.policy.identity.id,
            "fingerprint": loaded.digest,
            "signed_by": list(state.signed),
            "missing": state.missing,
            "countersigned_by": list(state.countersigned),
            "uncountersigned": list(state.uncountersigned),
            "signatures": str(place),
        },
        f"{loaded.policy.identity.id}: signed by {', '.join((*state.signed, *state.countersigned))}",
        json=json,
    )
    if state.missing:
        note(f"next: one of {', '.join(state.may_sign)} signs too")
    elif state.uncountersigned:
        note(f"next: an officer each of {', '.join(state.uncountersigned)} countersigns, by the same command")
    else:
        note(f"next: consortia policy show {file}")
