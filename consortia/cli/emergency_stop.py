"""``consortia emergency-stop``: stop everything in the consortium at once; and let it run again."""

import secrets
from pathlib import Path
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
from consortia.cli.output import JsonOption, emit, note
from consortia.cli.telling import advise, answers_shown, publish
from consortia.errors import RequestError
from consortia.ids import member_of
from consortia.trust.envelope import Envelope, seal_document
from consortia.trust.home import Profile
from consortia.trust.notices import OFFICERS_TO_LIFT, stop_named
from consortia.trust.statements import Lift, Stop
from consortia.visible import indented

EXAMPLES = (
    'consortia emergency-stop --reason "keys of a node may be stolen" --profile ./bank-a/people/olga',
    'consortia emergency-stop --lift lift.json --reason "new keys are in place" --profile ./bank-a/people/otto',
)


def command(
    reason: Annotated[str, typer.Option(help="Why; all members and analysts read it.")],
    lift: Annotated[
        Path | None,
        typer.Option(help="Take a stop back: the file that two officers sign one after the other.", metavar="FILE"),
    ] = None,
    stop: Annotated[str, typer.Option(help="Which stop, by the first digits of its id, if there are several.")] = "",
    exchange: ExchangeOption = None,
    profile: ProfileOption = None,
    home: HomeOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Stop every run in the consortium before its release and begin no new one, as an officer or operator of a member.

    Your own member's node gives no last word from now on, whatever the coordinator does; the others hear of it through
    the coordinator. Two officers of the member that stopped lift it; the second gives the reason that the first one
    gave, since both sign one text.
    """
    signer = open_profile(profile, home, passphrase_file)
    if lift is None:
        envelope = seal_document(_stop(signer, reason), (signer.signing_key(),))
    else:
        envelope = _lifting(signer, lift, stop, reason)
        said = Lift.parse(envelope.payload_bytes())
        note(f"stop {said.stop}\nis lifted because: {indented(said.reason)}")
        if len(envelope.signatures) < OFFICERS_TO_LIFT:
            emit(
                {"lift": str(lift), "signatures": 1, "stop": said.stop, "reason": said.reason},
                f"{lift}: signed by one officer",
                json=json,
            )
            note(f"next: another officer of {member_of(signer.person)} runs the same command with {lift}")
            return
    notice, answers = publish(signer, envelope, None if exchange is None else exchange_folder(exchange))
    done = "lifted" if isinstance(notice, Lift) else "stopped"
    number = notice.stop if isinstance(notice, Lift) else notice.digest()
    emit({done: number, "reason": notice.reason, "members": answers}, answers_shown(answers), json=json)
    advise(answers)


def _stop(signer: Profile, reason: str) -> Stop:
    return Stop(
        consortium=signer.trusted().manifest.consortium,
        member=member_of(signer.person),
        person=signer.person,
        reason=reason,
        at=now().replace(microsecond=0),
        nonce=secrets.token_hex(16),
    )


def _lifting(signer: Profile, file: Path, prefix: str, reason: str) -> Envelope:
    """The lift in ``file`` with this officer's signature, made if it is not there; stored there again."""
    trusted, member = signer.trusted(), member_of(signer.person)
    trusted.person_key(signer.person, now(), "officer")
    if file.exists():
        held = Envelope.from_bytes(file.read_bytes())
        _require_same(Lift.parse(held.payload_bytes()), file, prefix, reason)
        stop_named(signer.trust, trusted.manifest, Lift.parse(held.payload_bytes()).stop, member)
        envelope = held.with_signature(signer.signing_key())
    else:
        halted = stop_named(signer.trust, trusted.manifest, prefix, member)
        document = Lift(
            consortium=trusted.manifest.consortium,
            member=member,
            stop=halted.digest(),
            reason=reason,
            at=now().replace(microsecond=0),
        )
        envelope = seal_document(document, (signer.signing_key(),))
    file.write_bytes(envelope.to_bytes())
    return envelope


def _require_same(lift: Lift, file: Path, prefix: str, reason: str) -> None:
    """That an officer signs what they typed; raises RequestError ``cli/exists``."""
    if not lift.stop.startswith(prefix) or lift.reason != reason:
        raise RequestError(
            "cli/exists",
            f"another lift lies in the file, of stop {lift.stop} because: {lift.reason}",
            place=str(file),
            remedy="if you agree with it, name that stop and give this reason; else name another file",
        )
