"""``consortia policy``: read, check and sign what an owner permits."""

from pathlib import Path
from typing import Annotated

import typer

from consortia.cli.options import (
    FolderArgument,
    HomeOption,
    PassphraseOption,
    ProfileOption,
    believer,
    exchange_folder,
    now,
    open_profile,
)
from consortia.cli.output import JsonOption, emit, examples, note, table
from consortia.errors import ConsortiaError
from consortia.plans.catalogue import Catalogue
from consortia.policies.explain import explain as explain_page
from consortia.policies.explain import sentences
from consortia.policies.language.parse import LoadedPolicy, parse_policy, read_policy
from consortia.policies.lint import lint_against, lint_dates
from consortia.policies.signed import accept as accepted
from consortia.policies.signed import (
    check_succession,
    owner_and_purpose,
    policy_in_force,
    require_fingerprint,
    require_may_sign,
    signatures_of,
)
from consortia.trust.envelope import Envelope
from consortia.trust.folder import read_policy_file, write_policy_signatures

app = typer.Typer(
    help="Policies: what an owner permits, signed by two of its officers.", no_args_is_help=True, rich_markup_mode=None
)

FileArgument = Annotated[Path, typer.Argument(help="The policy's file.", metavar="FILE", show_default=False)]


@app.command(
    epilog=examples(
        "consortia policy lint bank-a.aml-detection.yaml",
        "consortia policy lint bank-a.aml-detection.yaml --home ./bank-a --json",
    )
)
def lint(
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


@app.command(
    epilog=examples(
        "consortia policy explain bank-a.aml-detection.yaml",
        "consortia policy explain bank-a.aml-detection.yaml --json",
    )
)
def explain(file: FileArgument, json: JsonOption = False) -> None:
    """Say on one page, in plain English, what a policy permits, to whom, what it never permits, and what is off."""
    loaded = read_policy(read_policy_file(file).payload_bytes())
    emit(
        {
            "policy": loaded.policy.identity.id,
            "fingerprint": loaded.digest,
            "sentences": [{"section": s.section, "text": s.text, "rule": s.rule} for s in sentences(loaded)],
        },
        explain_page(loaded).rstrip("\n"),
        json=json,
    )


@app.command(
    epilog=examples(
        "consortia policy approve aml.yaml --fingerprint 7d75ff5f48d775ca --profile ./bank-a/people/otto",
        "consortia policy approve v2.yaml --fingerprint 7d75ff5f48d775ca --previous v1.yaml --profile otto",
    )
)
def approve(
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
            "signatures": str(place),
        },
        f"{loaded.policy.identity.id}: signed by {', '.join(state.signed)}",
        json=json,
    )
    note(
        f"next: one of {', '.join(state.may_sign)} signs too"
        if state.missing
        else f"next: consortia policy show {file}"
    )


@app.command(
    epilog=examples(
        "consortia policy show bank-a.aml-detection.yaml --profile ./bank-a/people/otto",
        "consortia policy show bank-a.aml-detection.yaml --home ./bank-b --json",
    )
)
def show(
    file: FileArgument,
    home: HomeOption = None,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """Say who has signed a policy, who is missing, until when it is valid, and whether it is in force."""
    trusted = believer(home, profile, None).trusted()
    envelope = read_policy_file(file)
    loaded = read_policy(envelope.payload_bytes())
    state = signatures_of(envelope, loaded, trusted, now())
    try:
        policy_in_force(envelope, trusted, now())
        reason = ""
    except ConsortiaError as error:
        reason = str(error)
    identity, dates = loaded.policy.identity, loaded.policy.validity
    emit(
        {
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
        table(
            ("", identity.id),
            [
                ("version", str(identity.version)),
                ("fingerprint", loaded.digest),
                ("signed by", ", ".join(state.signed) or "nobody"),
                ("still needed", f"{state.missing} of {', '.join(state.may_sign)}" if state.missing else "nobody"),
                ("valid", f"{dates.not_before} to the end of {dates.not_after} (UTC)"),
                ("in force", f"no: {reason}" if reason else "yes"),
            ],
        ),
        json=json,
    )


@app.command(
    epilog=examples(
        "consortia policy accept ./exchange --home ./bank-a",
        "consortia policy accept ./exchange --profile ./bank-a/people/ana --json",
    )
)
def accept(
    folder: FolderArgument,
    home: HomeOption = None,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """Take the policies in the folder that members exchange into this home.

    Each must be in force and follow the one held. The first that is not as it must be stops the command, and nothing
    of the folder is taken.
    """
    exchange = exchange_folder(folder)
    reader = believer(home, profile, None)
    trusted = reader.trusted()
    held = set(reader.trust.policies())
    taken: list[tuple[LoadedPolicy, Envelope]] = []
    for folder_name, file_name in exchange.policies():
        envelope = exchange.policy(folder_name, file_name)
        # The policy's own text says whose it is; the names of folder and file are not signed.
        owner, purpose = owner_and_purpose(envelope)
        before = reader.trust.policy(owner, purpose) if (owner, purpose) in held else None
        taken.append((accepted(envelope, before, trusted, now()), envelope))
    rows = []
    for loaded, envelope in taken:
        owner, purpose = loaded.policy.identity.owner, loaded.policy.purpose.code
        reader.trust.write_policy(owner, purpose, envelope)
        rows.append((owner, purpose, str(loaded.policy.identity.version), loaded.digest))
    emit(
        {"accepted": [dict(zip(("owner", "purpose", "version", "fingerprint"), row, strict=True)) for row in rows]},
        table(("owner", "purpose", "version", "fingerprint"), rows),
        json=json,
    )
