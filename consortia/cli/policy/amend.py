"""``consortia policy amend``: begin the next version of a policy from the one in force."""

from pathlib import Path
from typing import Annotated

import typer

from consortia.cli.options import HomeOption, ProfileOption, open_profile
from consortia.cli.output import JsonOption, emit, note
from consortia.errors import RequestError
from consortia.ids import member_of
from consortia.policies.amend import next_version
from consortia.policies.language.parse import read_policy

EXAMPLES = (
    "consortia policy amend aml-detection --out bank-a.v2.yaml --profile ./bank-a/people/dora",
    "consortia policy amend aml-detection --out bank-a.v2.yaml --profile dora --home ./bank-a --json",
)


def command(
    purpose: Annotated[str, typer.Argument(help="The purpose of the policy in force of your member.")],
    out: Annotated[Path, typer.Option(help="Where to write the draft; nothing is overwritten.", metavar="FILE")],
    profile: ProfileOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write the next version of your member's policy: the same text with version, hash of the one before and author.

    You are its author, so two other officers sign it. Comments and order stay; edit the rest.
    """
    author = open_profile(profile, home)
    held = author.trust.policy(member_of(author.person), purpose).payload_bytes()
    draft = next_version(held, author.person)
    try:
        with out.open("xb") as file:
            file.write(draft)
    except OSError as error:
        raise RequestError(
            "cli/write", f"the draft can't be written: {error.strerror}", place=str(out), remedy="name a new file"
        ) from error
    loaded = read_policy(draft)
    emit(
        {
            "policy": loaded.policy.identity.id,
            "version": loaded.policy.identity.version,
            "previous": loaded.policy.identity.previous,
            "author": author.person,
            "draft": str(out),
        },
        f"{out}: version {loaded.policy.identity.version} of {loaded.policy.identity.id}, by {author.person}",
        json=json,
    )
    note(f"next: edit it, then consortia policy lint {out}, and policy diff with the version before")
