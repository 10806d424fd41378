"""``consortia person``: the operators, officers and analysts of a member."""

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any

import typer

from consortia.cli.options import HomeOption, PassphraseOption, now, open_home
from consortia.cli.output import JsonOption, emit, examples, note, table
from consortia.errors import RequestError
from consortia.trust.home import Profile
from consortia.trust.keys import PublicKey, short
from consortia.trust.manifest import Deputy
from consortia.trust.setup import add_person
from consortia.trust.setup import deputise as set_deputy
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


@app.command(
    epilog=examples(
        'consortia person deputise olga --for otto --until 2026-12-18 --reason "on leave" --home ./bank-a',
        "consortia person deputise olga --end --home ./bank-a",
    )
)
def deputise(
    name: Annotated[str, typer.Argument(help="Who shall act for an officer: an operator, without @member.")],
    officer: Annotated[str, typer.Option("--for", help="The officer, without @member.")] = "",
    until: Annotated[str, typer.Option(help="The last day (UTC), at most 30 days from now.", metavar="DAY")] = "",
    reason: Annotated[str, typer.Option(help="Why, without details: members and packs hold it.")] = "",
    end: Annotated[bool, typer.Option("--end", help="End it now.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Let an operator act for an officer for some days: named in the card, with the last day and the reason.

    What a deputy signs counts as the officer's word, so the two are never two of four eyes, and an author's deputy
    can't approve the author's draft. It counts once the new card is signed (`consortia member card`) and accepted;
    what a deputy has signed counts no longer than the deputation.
    """
    place = open_home(home)
    deputy = None if end else Deputy(officer=f"{officer}@{place.member}", until=_end_of(until), reason=reason or "-")
    profile = set_deputy(place, name, deputy)
    value = _describe(profile)
    said = f"{profile.person} acts for nobody" if deputy is None else f"{profile.person} acts for {deputy.officer}"
    emit(value, said, json=json)
    note("next: consortia member card, then everybody accepts the new card")


def _end_of(day: str) -> datetime:
    """The end of ``day``; raises RequestError ``cli/day``."""
    try:
        return datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(), tzinfo=UTC)
    except ValueError as error:
        raise RequestError(
            "cli/day", f"`{day}` is no day", remedy="write it YEAR-MONTH-DAY, such as 2026-12-18"
        ) from error


@app.command(name="list", epilog=examples("consortia person list --home ./bank-a", "consortia person list --json"))
def list_people(home: HomeOption = None, json: JsonOption = False) -> None:
    """List the people whose profiles lie in this home."""
    people = [_describe(profile) for profile in open_home(home).people()]
    rows = [(person["person"], ", ".join(person["roles"]), short(person["key_id"])) for person in people]
    emit({"people": people}, table(("person", "roles", "key"), rows), json=json)


def _describe(profile: Profile) -> dict[str, Any]:
    person = profile.settings().person
    key = PublicKey.from_hex(person.suite, person.key)
    deputy = None if person.deputy is None else person.deputy.model_dump(mode="json")
    return {
        "person": person.id,
        "roles": list(person.roles),
        "key_id": key.key_id,
        "profile": str(profile.path),
        "deputy": deputy,
    }
