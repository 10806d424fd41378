"""What stops runs at once: revoked policies and emergency stops, as this node takes them and acts on them.

A notice counts as soon as it lies in the home's trust folder, however it came there: through the coordinator, or by a
command in the home. The node looks there every two seconds and before its last word in every run; it journals
what is new, ends the running sessions that it concerns and decides the held ones again. So a coordinator that keeps a
notice back does not keep it from the home in which it was made, and that party's word is missing at every release.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime

import structlog

from consortia.parties.store import Store
from consortia.trust.envelope import Envelope
from consortia.trust.folder import NoticeKind, TrustFolder
from consortia.trust.notices import keep_notice, verified_notice
from consortia.trust.trusted import TrustedSet

_LOG = structlog.get_logger("consortia.parties")
_KINDS: tuple[tuple[NoticeKind, str], ...] = (("revocations", "revocation"), ("stops", "stop"), ("lifts", "lift"))
"""The folder of each kind of notice, and its kind in the journal."""


class Bulletin:
    """The notices of one node. ``take`` and ``news`` are called from any thread."""

    def __init__(self, folder: TrustFolder, store: Store, clock: Callable[[], datetime]) -> None:
        self._folder = folder
        self._store = store
        self._clock = clock
        self._seen: set[tuple[str, str]] = set()

    def take(self, envelope: Envelope, trusted: TrustedSet) -> None:
        """Verify and keep a notice that came as a message; raises as ``verified_notice`` does."""
        keep_notice(self._folder, envelope, verified_notice(envelope, trusted, self._clock()))

    def news(self) -> bool:
        """Whether notices lie in the folder that this node has not looked at since its start; they are journalled."""
        lying = {(kind, name) for kind, _ in _KINDS for name in self._folder.notices(kind)}
        if lying <= self._seen:
            return False
        with self._store.begin() as transaction:
            journal = self._store.journal
            recorded = {leaf.payload for leaf, _ in journal.entries(transaction, "")}
            for folder, kind in _KINDS:
                for name in sorted(name for found, name in lying - self._seen if found == folder):
                    payload = self._folder.notice(folder, name).to_bytes()
                    if hashlib.sha256(payload).hexdigest() not in recorded:
                        journal.append(transaction, session="", kind=kind, payload=payload, now=self._clock())
                        _LOG.warning("notice", kind=kind, digest=name)
        self._seen |= lying
        return True
