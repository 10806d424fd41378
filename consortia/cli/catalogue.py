"""``consortia catalogue``: the logical tables of the consortium, signed by everybody."""

from pathlib import Path
from typing import Annotated

import typer

from consortia.cli.manifest import signers
from consortia.cli.options import (
    CoordinatorOption,
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
from consortia.errors import OperatorError
from consortia.parties.local.definitions import check_definitions
from consortia.plans.catalogue import Catalogue
from consortia.plans.catalogue_file import read_catalogue
from consortia.trust.domain_keys import DomainKeyGrant
from consortia.trust.exchange import accept_catalogue, draft_catalogue, sign_catalogue
from consortia.trust.trusted import NO_DIGEST

app = typer.Typer(
    help="The catalogue: tables, columns, bounds, key domains, purposes.", no_args_is_help=True, rich_markup_mode=None
)


@app.command(
    epilog=examples(
        "consortia catalogue new ./exchange catalogue.yaml --home ./bank-a",
        "consortia catalogue new ./exchange catalogue.yaml --home ./bank-a --json",
    )
)
def new(
    folder: FolderArgument,
    file: Annotated[Path, typer.Argument(help="The catalogue as you wrote it, in YAML.", metavar="FILE")],
    home: HomeOption = None,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """Draft the next catalogue from a YAML file. Ids of hashing keys come from the folder's sealed keys."""
    exchange = exchange_folder(folder)
    trusted = believer(home, profile, None).trusted()
    held = trusted.catalogue
    keys = [DomainKeyGrant.parse(exchange.domain_key(name).payload_bytes()) for name in exchange.domain_keys()]
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(
            "cli/file", f"the file can't be read: {error}", place=str(file), remedy="check the path; write it in UTF-8"
        ) from error
    catalogue = read_catalogue(
        text,
        version=1 if held is None else held.version + 1,
        previous=NO_DIGEST if held is None else held.digest,
        key_ids={key.domain: key.key_id for key in keys},
    )
    check_definitions(catalogue)
    draft_catalogue(exchange, catalogue, None if held is None else held.digest)
    _print(catalogue, (), json=json)
    note(f"next: an operator of every member runs consortia catalogue sign {folder} --profile ...")


@app.command(
    epilog=examples(
        "consortia catalogue sign ./exchange --profile ./bank-a/people/olga",
        "consortia catalogue sign ./exchange --profile olga --home ./bank-a --json",
    )
)
def sign(
    folder: FolderArgument,
    profile: ProfileOption = None,
    home: HomeOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Add an operator's signature to the catalogue in the folder."""
    exchange = exchange_folder(folder)
    catalogue = Catalogue.parse(exchange.catalogue().payload_bytes())
    check_definitions(catalogue)
    envelope = sign_catalogue(exchange, open_profile(profile, home, passphrase_file))
    _print(catalogue, signers(exchange, envelope), json=json)
    note(f"next, when all have signed: consortia catalogue accept {folder}")


@app.command(
    epilog=examples(
        "consortia catalogue accept ./exchange --home ./bank-a",
        "consortia catalogue accept ./exchange --coordinator-home ./coordinator",
    )
)
def accept(
    folder: FolderArgument,
    home: HomeOption = None,
    profile: ProfileOption = None,
    coordinator_home: CoordinatorOption = None,
    json: JsonOption = False,
) -> None:
    """Accept the catalogue in the folder, signed by an operator of every member."""
    exchange = exchange_folder(folder)
    envelope = exchange.catalogue()
    catalogue = Catalogue.parse(envelope.payload_bytes())
    accepting = believer(home, profile, coordinator_home)
    accept_catalogue(accepting, exchange, now())
    _print(catalogue, signers(exchange, envelope), json=json)
    note(f"accepted in {accepting.path}")


@app.command(
    epilog=examples("consortia catalogue show --home ./bank-a", "consortia catalogue show --folder ./exchange --json")
)
def show(
    folder: Annotated[
        Path | None, typer.Option(help="Show the catalogue in this folder instead of the accepted one.")
    ] = None,
    home: HomeOption = None,
    profile: ProfileOption = None,
    coordinator_home: CoordinatorOption = None,
    json: JsonOption = False,
) -> None:
    """Show a catalogue: tables, columns, types, bounds, and who has signed."""
    if folder is None:
        accepting = believer(home, profile, coordinator_home)
        accepting.trusted().require_catalogue()
        source = accepting.trust
    else:
        source = exchange_folder(folder)
    envelope = source.catalogue()
    _print(Catalogue.parse(envelope.payload_bytes()), signers(source, envelope), json=json)


def _print(catalogue: Catalogue, signed_by: tuple[str, ...], *, json: bool) -> None:
    rows = []
    for one in catalogue.tables:
        for column in one.columns:
            kind = column.type
            argument = kind.domain or (str(kind.scale) if kind.kind == "decimal" else "")
            bounds = "" if column.bounds is None else f"{column.bounds.lo} to {column.bounds.hi}"
            rows.append(
                (
                    f"{one.name}.{column.name}",
                    f"{kind.kind}({argument})" if argument else kind.kind,
                    bounds,
                    "yes" if column.nullable else "no",
                    kind.unit,
                )
            )
    if not json:
        note(f"catalogue {catalogue.version} of {catalogue.consortium}, digest {catalogue.digest()}")
        for one in catalogue.tables:
            note(f"{one.name}: at most {one.max_rows} rows at each of {', '.join(one.holders)}")
        note(f"signed by {', '.join(signed_by) or 'nobody'}")
    emit(
        {
            "consortium": catalogue.consortium,
            "version": catalogue.version,
            "digest": catalogue.digest(),
            "signed_by": list(signed_by),
            "catalogue": catalogue.model_dump(mode="json"),
        },
        table(("column", "type", "carried bounds", "nullable", "unit"), rows),
        json=json,
    )
