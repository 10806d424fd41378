"""``consortia manifest``: who the consortium is, signed by everybody."""

from pathlib import Path
from typing import Annotated

import typer

from consortia.cli.options import (
    CoordinatorOption,
    FolderArgument,
    HomeOption,
    PassphraseOption,
    ProfileOption,
    believer,
    exchange_folder,
    now,
    open_home,
    open_profile,
)
from consortia.cli.output import JsonOption, emit, examples, note, table
from consortia.trust.envelope import Envelope
from consortia.trust.exchange import accept_manifest, draft_manifest, sign_manifest
from consortia.trust.folder import TrustFolder, read_plain
from consortia.trust.keys import PublicKey, short
from consortia.trust.manifest import Card, CoordinatorEntry, Manifest

app = typer.Typer(
    help="The manifest: consortium, members, root keys, coordinator.", no_args_is_help=True, rich_markup_mode=None
)


@app.command(
    epilog=examples(
        "consortia manifest new ./exchange --coordinator ./coordinator/coordinator.json --home ./bank-a",
        "consortia manifest new ./exchange --computer bank-a --computer bank-b --computer helper --home ./bank-a",
    )
)
def new(
    folder: FolderArgument,
    coordinator: Annotated[
        Path | None,
        typer.Option(help="The coordinator.json of the coordinator's home (the first time).", metavar="FILE"),
    ] = None,
    computer: Annotated[
        list[str] | None, typer.Option(help="A member that computes; three times. Default: the first three by id.")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Draft the next manifest from all members in the folder. It follows the one accepted in this home, if any."""
    exchange = exchange_folder(folder)
    if coordinator is not None:
        exchange.write_coordinator(read_plain(coordinator, CoordinatorEntry))
    manifest = draft_manifest(exchange, open_home(home), tuple(computer or ()))
    _print(manifest, (), json=json)
    note(f"next: an operator of every member runs consortia manifest sign {folder} --profile ...")


@app.command(
    epilog=examples(
        "consortia manifest sign ./exchange --profile ./bank-a/people/olga",
        "consortia manifest sign ./exchange --profile olga --home ./bank-a --json",
    )
)
def sign(
    folder: FolderArgument,
    profile: ProfileOption = None,
    home: HomeOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Add an operator's signature to the manifest in the folder.

    Read it first (`consortia manifest show --folder FOLDER`): members, root keys, computers, coordinator.
    """
    exchange = exchange_folder(folder)
    manifest = sign_manifest(exchange, open_profile(profile, home, passphrase_file))
    _print(manifest, signers(exchange, exchange.manifest()), json=json)
    note(f"next, when all have signed: consortia manifest accept {folder} --fingerprint {manifest.digest()}")


@app.command(
    epilog=examples(
        "consortia manifest accept ./exchange --fingerprint 3f2a... --home ./bank-a",
        "consortia manifest accept ./exchange --fingerprint 3f2a... --coordinator-home ./coordinator",
    )
)
def accept(
    folder: FolderArgument,
    fingerprint: Annotated[
        str, typer.Option(help="The manifest's fingerprint as its author told you (for the first manifest).")
    ] = "",
    home: HomeOption = None,
    profile: ProfileOption = None,
    coordinator_home: CoordinatorOption = None,
    json: JsonOption = False,
) -> None:
    """Accept the manifest in the folder with the members' cards.

    The first one by its fingerprint, compared over another channel; a later one by the signatures of all members.
    """
    exchange = exchange_folder(folder)
    accepting = believer(home, profile, coordinator_home)
    trusted = accept_manifest(accepting, exchange, fingerprint, now())
    _print(trusted.manifest, signers(exchange, exchange.manifest()), json=json)
    note(f"accepted in {accepting.path}")


@app.command(
    epilog=examples("consortia manifest show --folder ./exchange", "consortia manifest show --home ./bank-a --json")
)
def show(
    folder: Annotated[
        Path | None, typer.Option(help="Show the manifest in this folder instead of the accepted one.")
    ] = None,
    home: HomeOption = None,
    profile: ProfileOption = None,
    coordinator_home: CoordinatorOption = None,
    json: JsonOption = False,
) -> None:
    """Show a manifest: what stands in it, its fingerprint, and who has signed."""
    if folder is not None:
        exchange = exchange_folder(folder)
        envelope = exchange.manifest()
        _print(Manifest.parse(envelope.payload_bytes()), signers(exchange, envelope), json=json)
        return
    accepting = believer(home, profile, coordinator_home)
    manifest = accepting.trusted().manifest
    _print(manifest, signers(accepting.trust, accepting.trust.manifest()), json=json)


def signers(folder: TrustFolder, envelope: Envelope) -> tuple[str, ...]:
    """Who signed, by the cards in the folder; unverified, for reading. Keys that no card names appear as such."""
    names = {}
    for card in folder.cards():
        for person in Card.parse(card.payload_bytes()).people:
            names[PublicKey.from_hex(person.suite, person.key).key_id] = person.id
    return tuple(sorted(names.get(one.key_id, f"unknown key {short(one.key_id)}") for one in envelope.signatures))


def _print(manifest: Manifest, signed_by: tuple[str, ...], *, json: bool) -> None:
    missing = [member.id for member in manifest.members if not any(who.endswith(f"@{member.id}") for who in signed_by)]
    rows = [
        (
            member.id,
            member.display_name,
            "yes" if member.id in manifest.computers else "no",
            short(PublicKey.from_hex(member.suite, member.root_key).key_id),
        )
        for member in manifest.members
    ]
    if not json:
        note(f"manifest {manifest.version} of {manifest.consortium}, coordinator {manifest.coordinator.endpoint}")
        note(f"fingerprint {manifest.digest()}")
        note(f"signed by {', '.join(signed_by) or 'nobody'}; missing {', '.join(missing) or 'nobody'}")
    emit(
        {
            "consortium": manifest.consortium,
            "version": manifest.version,
            "fingerprint": manifest.digest(),
            "members": [member.id for member in manifest.members],
            "computers": list(manifest.computers),
            "coordinator": manifest.coordinator.endpoint,
            "signed_by": list(signed_by),
            "missing": missing,
        },
        table(("member", "name", "computes", "root key"), rows),
        json=json,
    )
