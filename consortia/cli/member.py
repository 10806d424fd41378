"""``consortia member``: a member's card, and collecting members for the manifest."""

from datetime import timedelta
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
)
from consortia.cli.output import JsonOption, emit, examples, note, table
from consortia.trust.certificates import not_after
from consortia.trust.documents import instant_text
from consortia.trust.exchange import accept_cards, collect_member
from consortia.trust.keys import PublicKey, short
from consortia.trust.manifest import Card
from consortia.trust.setup import CARD_DAYS, make_card

app = typer.Typer(help="Members and their cards.", no_args_is_help=True, rich_markup_mode=None)


@app.command(
    epilog=examples(
        "consortia member card --endpoint bank-a.example:7401 --home ./bank-a",
        "consortia member card --endpoint bank-a.example:7401 --days 90 --json",
    )
)
def card(
    endpoint: Annotated[
        str, typer.Option(help="HOST:PORT under which peers reach this node's data plane; empty if they can't.")
    ] = "",
    days: Annotated[int, typer.Option(help="How long the card is valid.", min=1, max=3650)] = CARD_DAYS,
    home: HomeOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Sign this member's next card with its root key: people, keys, TLS root, endpoint, expiry."""
    opened = open_home(home, passphrase_file)
    signed = Card.parse(make_card(opened, endpoint, now(), days).payload_bytes())
    _warn_before(signed, not_after(signed.tls_root).timestamp())
    emit(
        {
            "member": signed.member,
            "version": signed.version,
            "not_after": instant_text(signed.not_after),
            "digest": signed.digest(),
            "people": [person.id for person in signed.people],
        },
        f"card {signed.version} of {signed.member}, valid to {instant_text(signed.not_after)}, "
        f"{len(signed.people)} people, digest {signed.digest()}",
        json=json,
    )
    note(f"next: consortia member add FOLDER {opened.path / 'public'}")


@app.command(
    epilog=examples(
        "consortia member add ./exchange ./bank-a/public", "consortia member add ./exchange ./bank-b/public --json"
    )
)
def add(
    folder: FolderArgument,
    public: Annotated[Path, typer.Argument(help="The member's public folder.", metavar="PUBLIC")],
    json: JsonOption = False,
) -> None:
    """Put a member's introduction and card into the folder that the members exchange.

    Compare the fingerprint of its root key with the member over another channel.
    """
    folder.mkdir(parents=True, exist_ok=True)
    introduction = collect_member(exchange_folder(folder), public)
    member = introduction.member
    root = PublicKey.from_hex(member.suite, member.root_key)
    emit(
        {"member": member.id, "consortium": introduction.consortium, "root_key_id": root.key_id},
        f"{member.id} ({member.display_name}) with root key {root.key_id}",
        json=json,
    )
    note(f"compare {short(root.key_id)} with {member.id} over another channel")
    note(f"next: consortia manifest new {folder}, when all members are added")


@app.command(
    epilog=examples(
        "consortia member accept ./exchange --home ./bank-a",
        "consortia member accept ./exchange --coordinator-home ./coordinator",
    )
)
def accept(
    folder: FolderArgument,
    home: HomeOption = None,
    profile: ProfileOption = None,
    coordinator_home: CoordinatorOption = None,
    json: JsonOption = False,
) -> None:
    """Accept the newer cards in the exchanged folder: new staff, keys, certificates, endpoints."""
    accepting = believer(home, profile, coordinator_home)
    before = accepting.trusted().cards
    after = accept_cards(accepting, exchange_folder(folder), now()).cards
    changed = {name: one.version for name, one in sorted(after.items()) if before.get(name) != one}
    rows = [(name, str(version)) for name, version in changed.items()]
    emit({"accepted": changed}, table(("member", "card"), rows) if rows else "no newer card", json=json)


@app.command(
    epilog=examples(
        "consortia member show --home ./bank-a", "consortia member show --profile ./bank-a/people/ana --json"
    )
)
def show(
    home: HomeOption = None,
    profile: ProfileOption = None,
    coordinator_home: CoordinatorOption = None,
    json: JsonOption = False,
) -> None:
    """Show the members as accepted here: cards, people, expiry."""
    trusted = believer(home, profile, coordinator_home).trusted()
    members = []
    for member in trusted.manifest.members:
        held = trusted.cards[member.id]
        root = PublicKey.from_hex(member.suite, member.root_key)
        members.append(
            {
                "member": member.id,
                "display_name": member.display_name,
                "may_compute": member.may_compute,
                "computes": member.id in trusted.manifest.computers,
                "root_key_id": root.key_id,
                "card": held.version,
                "not_after": instant_text(held.not_after),
                "endpoint": held.endpoint,
                "people": {person.id: list(person.roles) for person in held.people},
            }
        )
        _warn_before(held, held.not_after.timestamp())
    rows = [
        (
            str(one["member"]),
            "yes" if one["computes"] else "no",
            str(one["card"]),
            str(one["not_after"]),
            str(one["endpoint"]) or "none",
            short(str(one["root_key_id"])),
        )
        for one in members
    ]
    emit(
        {"members": members}, table(("member", "computes", "card", "valid to", "endpoint", "root key"), rows), json=json
    )


def _warn_before(held: Card, end: float) -> None:
    left = timedelta(seconds=end - now().timestamp())
    if left < timedelta(days=30):
        note(f"warning: the card or TLS root of {held.member} ends in {max(left.days, 0)} days")
