"""``consortia policy revoke``: take a policy out of force, at once and for good."""

from typing import Annotated

import typer

from consortia.cli.options import (
    ExchangeOption,
    HomeOption,
    PassphraseOption,
    ProfileOption,
    exchange_folder,
    now,
    open_profile,
)
from consortia.cli.output import JsonOption, emit
from consortia.cli.telling import advise, answers_shown, publish
from consortia.ids import member_of
from consortia.policies.language.parse import read_policy
from consortia.trust.envelope import seal_document
from consortia.trust.statements import Revocation

EXAMPLES = (
    'consortia policy revoke aml-detection --reason "the legal basis is gone" --profile ./bank-a/people/otto',
    'consortia policy revoke aml-detection --reason "data error" --exchange ./exchange --profile otto --json',
)


def command(
    purpose: Annotated[str, typer.Argument(help="The purpose of the policy in force of your member.")],
    reason: Annotated[str, typer.Option(help="Why; all members and analysts read it.")],
    exchange: ExchangeOption = None,
    profile: ProfileOption = None,
    home: HomeOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Revoke your member's policy, as one of its officers; one signature suffices.

    No new run begins under it, and running ones end before their release. Two officers let the data be used again by
    signing the next version.
    """
    signer = open_profile(profile, home, passphrase_file)
    person, trusted = signer.person, signer.trusted()
    loaded = read_policy(signer.trust.policy(member_of(person), purpose).payload_bytes())
    revocation = Revocation(
        consortium=trusted.manifest.consortium,
        owner=member_of(person),
        purpose=purpose,
        policy=loaded.digest,
        version=loaded.policy.identity.version,
        person=person,
        reason=reason,
        at=now().replace(microsecond=0),
    )
    envelope = seal_document(revocation, (signer.signing_key(),))
    _, answers = publish(signer, envelope, None if exchange is None else exchange_folder(exchange))
    emit(
        {
            "policy": loaded.policy.identity.id,
            "version": revocation.version,
            "fingerprint": loaded.digest,
            "reason": reason,
            "members": answers,
        },
        answers_shown(answers),
        json=json,
    )
    advise(answers)
