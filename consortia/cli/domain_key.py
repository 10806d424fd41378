"""``consortia domain-key``: the key under which all data owners hash one kind of identifier."""

from typing import Annotated

import typer

from consortia.cli.options import FolderArgument, HomeOption, PassphraseOption, exchange_folder, now, open_home
from consortia.cli.output import JsonOption, emit, examples, note
from consortia.trust.exchange import accept_domain_key, create_domain_key

app = typer.Typer(help="Hashing keys of key domains.", no_args_is_help=True, rich_markup_mode=None)
DomainArgument = Annotated[str, typer.Argument(help="The key domain, such as customer.", metavar="DOMAIN")]


@app.command(
    epilog=examples(
        "consortia domain-key create ./exchange customer --owner bank-a --owner bank-b --owner bank-c --home ./bank-a",
        "consortia domain-key create ./exchange account --owner bank-a --owner bank-b --home ./bank-a --json",
    )
)
def create(
    folder: FolderArgument,
    domain: DomainArgument,
    owner: Annotated[list[str], typer.Option(help="A data owner that gets the key; once for each.")],
    home: HomeOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Draw the key of a domain and seal it to every data owner. Helpers, coordinator and analysts never get it."""
    opened = open_home(home, passphrase_file)
    key_id = create_domain_key(opened, exchange_folder(folder), domain, tuple(owner), now())
    emit({"domain": domain, "key_id": key_id, "owners": owner}, f"{domain}: key id {key_id}", json=json)
    note(f"next: every owner runs consortia domain-key accept {folder} {domain}")


@app.command(
    epilog=examples(
        "consortia domain-key accept ./exchange customer --home ./bank-b",
        "consortia domain-key accept ./exchange customer --home ./bank-b --json",
    )
)
def accept(
    folder: FolderArgument,
    domain: DomainArgument,
    home: HomeOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Open the sealed key of a domain with this member's KEM key and keep it (mode 0600)."""
    key_id = accept_domain_key(open_home(home, passphrase_file), exchange_folder(folder), domain, now())
    emit({"domain": domain, "key_id": key_id}, f"{domain}: key id {key_id}", json=json)
    note("next: the catalogue names this key id; consortia catalogue show compares")
