"""The last word before a release: every party says over the sealed links that it still agrees, or nothing leaves.

Aborts travel through the coordinator, which may keep one back. A computer that aborts withholds its part, and two
parts tell nothing; an owner that does not compute has no part to withhold. So each computer, when its shared steps
are done, says `ready` to every peer; each party then looks once more whether all that it approved still stands, and
says `assent` to every computer; a computer releases only after the assent of all. A party that has failed, was
stopped, or holds a revoked document says nothing, and its closed link ends the run at the computers.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from consortia.errors import InternalError, ProtocolAbort
from consortia.protocols.channel import Channel

READY, ASSENT = "release/ready", "release/assent"
_WORD: Final = b"\x01"


def exchange_assent(
    links: Mapping[str, Channel], me: str, computers: Sequence[str], peers: Sequence[str], check: Callable[[], None]
) -> None:
    """Return once this party may release; ``peers`` are the parties to which ``me`` has a link.

    ``check`` raises if this party no longer agrees. Raises what the links raise when a peer is gone or silent,
    ProtocolAbort ``parties/no-assent`` for another word, InternalError ``parties/no-link``.
    """
    missing = sorted(set(peers) - set(links))
    if missing:
        raise InternalError("parties/no-link", f"there is no link to {', '.join(missing)} before the release")
    computing = [peer for peer in peers if peer in computers]
    if me in computers:
        for peer in peers:
            links[peer].send(READY, _WORD)
    for peer in computing:
        _hear(links[peer], READY, peer)
    check()
    for peer in computing:
        links[peer].send(ASSENT, _WORD)
    if me in computers:
        for peer in peers:
            _hear(links[peer], ASSENT, peer)


def _hear(link: Channel, step: str, peer: str) -> None:
    if bytes(link.receive(step, len(_WORD))) != _WORD:
        raise ProtocolAbort(
            "parties/no-assent",
            f"`{peer}` did not agree to the release",
            place=step,
            remedy="nothing was opened; run the same version of consortia at all members",
        )
