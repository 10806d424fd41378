"""``consortia init``: make a member's home."""

from typing import Annotated

import typer

from consortia.cli.options import HomeOption, PassphraseOption, now, open_home
from consortia.cli.output import JsonOption, emit, note, table
from consortia.trust.certificates import fingerprint
from consortia.trust.keys import short
from consortia.trust.setup import fingerprints, init_home
from consortia.trust.suites import DEFAULT_SUITE

EXAMPLES = (
    'consortia init --consortium aml --member bank-a --display-name "Bank A" --home ./bank-a',
    "consortia init --consortium aml --member auditor --no-compute --home ./auditor --json",
)


def command(
    consortium: Annotated[str, typer.Option(help="The consortium's id, the same at all members.")],
    member: Annotated[str, typer.Option(help="This member's id, such as bank-a.")],
    display_name: Annotated[str, typer.Option(help="The member's name as people read it.")] = "",
    compute: Annotated[
        bool, typer.Option("--compute/--no-compute", help="Whether the member may be one of the computers.")
    ] = True,
    suite: Annotated[str, typer.Option(help="Signature suite: ed25519+ml-dsa-65 or ecdsa-p256.")] = DEFAULT_SUITE,
    home: HomeOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Make a member's home: root, node, KEM and TLS keys with mode 0600, and its public introduction.

    Prints fingerprints only. Running it again makes what is missing and overwrites nothing.
    """
    opened = open_home(home, passphrase_file)
    made = init_home(opened, consortium, member, display_name or member, now(), may_compute=compute, suite=suite)
    prints = {**fingerprints(opened), "tls-root": fingerprint(opened.tls_root().certificate)}
    emit(
        {"home": str(opened.path), "member": member, "made": [str(path) for path in made], "fingerprints": prints},
        table(("key", "fingerprint", "read aloud"), [(name, value, short(value)) for name, value in prints.items()]),
        json=json,
    )
    note(f"{len(made)} files made in {opened.path}" if made else f"nothing to do: {opened.path} is complete")
    note(f"next: consortia person add NAME --role operator --home {opened.path}")
