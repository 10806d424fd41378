"""``consortia person``: the operators, officers and analysts of a member."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from consortia.cli.options import HomeOption, PassphraseOption, now, open_home
from consortia.cli.output import JsonOption, emit, examples, note, table
from consortia.trust.home import Profile
from consortia.trust.keys import PublicKey, short
from consortia.trust.setup import add_person
from consortia.trust.suites import DEFAULT_SUITE

app = typer.Typer(help="Operators, officers and analysts of this member.", no_args_is_help=True, rich_markup_mode=None)


class RoleName(StrEnum):
    """The roles, as typer needs them."""

    OPERATOR = "operator"
    OFFICER = "officer"
    ANALYST = "analyst"


@app.command(
    epilog=examples(
        "consortia person add olga --role operator --home ./bank-a",
        "consortia person add petra --role officer --home ./bank-a",
    )
)
def add(
    name: Annotated[str, typer.Argument(help="The person's name, such as ana (without @member).")],
    role: Annotated[list[RoleName], typer.Option(help="operator, officer or analyst; may be given several times.")],
    suite: Annotated[str, typer.Option(help="Signature suite of the person's key.")] = DEFAULT_SUITE,
    home: HomeOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Make a person's profile: signing key, TLS client certificate, roles.

    The person counts at the others once a new card is signed (`consortia member card`) and accepted.
    """
    profile = add_person(open_home(home, passphrase_file), name, [one.value for one in role], now(), suite=suite)
    value = _describe(profile)
    emit(
        value,
        table(
            ("person", "roles", "key", "profile"),
            [(profile.person, ", ".join(value["roles"]), short(value["key_id"]), str(profile.path))],
        ),
        json=json,
    )
    note("next: consortia member card, when everybody is added")


@app.command(name="list", epilog=examples("consortia person list --home ./bank-a", "consortia person list --json"))
def list_people(home: HomeOption = None, json: JsonOption = False) -> None:
    """List the people whose profiles lie in this home."""
    people = [_describe(profile) for profile in open_home(home).people()]
    rows = [(person["person"], ", ".join(person["roles"]), short(person["key_id"])) for person in people]
    emit({"people": people}, table(("person", "roles", "key"), rows), json=json)


def _describe(profile: Profile) -> dict[str, Any]:
    person = profile.settings().person
    key = PublicKey.from_hex(person.suite, person.key)
    return {"person": person.id, "roles": list(person.roles), "key_id": key.key_id, "profile": str(profile.path)}
