"""What commands do with a notice: keep it where it was made, tell all members, and say who has heard of it."""

from typing import Any

from consortia.cli.options import now
from consortia.cli.output import note, table
from consortia.client.notices import spread
from consortia.client.session import Desk
from consortia.control.limits import ControlLimits
from consortia.control.messages import Fault
from consortia.errors import PeerError
from consortia.trust.envelope import Envelope
from consortia.trust.folder import TrustFolder
from consortia.trust.home import Profile
from consortia.trust.notices import Notice, keep_notice, verified_notice


def publish(profile: Profile, envelope: Envelope, exchange: TrustFolder | None) -> tuple[Notice, dict[str, str]]:
    """Verify and keep a notice, put it into ``exchange`` if given, and tell all members; what each answered.

    It counts in the profile's own home before anybody is told, and whether or not anybody can be told.
    """
    trusted = profile.trusted()
    notice = verified_notice(envelope, trusted, now())
    keep_notice(profile.trust, envelope, notice)
    if exchange is not None:
        keep_notice(exchange, envelope, notice)
    members = [member.id for member in trusted.manifest.members]
    try:
        answers = spread(Desk(profile, trusted, ControlLimits()), envelope)
    except PeerError as error:
        note(f"nobody could be told: {error.message} [{error.code}]")
        answers = {}
    return notice, {member: _answer(member in answers, answers.get(member)) for member in members}


def answers_shown(answers: dict[str, str]) -> Any:
    """The answers as a table."""
    return table(("member", "its node"), list(answers.items()))


def advise(answers: dict[str, str]) -> None:
    """What is left to do where a node has not answered."""
    waiting = [member for member, answer in answers.items() if answer != HEARD]
    if waiting:
        note(
            f"next: {', '.join(waiting)}: a node that was away hears of it when it connects; to be sure, give it"
            " to its operator (--exchange FOLDER), who runs `consortia policy accept FOLDER`"
        )


HEARD = "has it"


def _answer(answered: bool, fault: Fault | None) -> str:
    if not answered:
        return "has not answered"
    return HEARD if fault is None else f"refused: {fault.message} [{fault.code}]"
