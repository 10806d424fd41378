"""What stops runs at once: revoked policies and emergency stops, as this node takes them and acts on them.

A notice counts as soon as it lies in the home's trust folder, however it came there: through the coordinator, or by a
command in the home. The node looks there every two seconds and before its last word in every run; it journals what is
new (policies and cards too, so that every journal shows which were published and when), ends the running sessions that
a notice concerns and decides the held ones again. So a coordinator that keeps a notice back does not keep it from the
home in which it was made, and that party's word is missing at every release.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import structlog

from consortia.parties.store import Store
from consortia.trust.envelope import Envelope
from consortia.trust.folder import NoticeKind, TrustFolder
from consortia.trust.notices import Notice, has_notice, keep_notice, verified_notice
from consortia.trust.statements import Lift, Revocation, Stop
from consortia.trust.trusted import TrustedSet

_LOG = structlog.get_logger("consortia.parties")
_KINDS: tuple[tuple[NoticeKind, str], ...] = (("revocations", "revocation"), ("stops", "stop"), ("lifts", "lift"))
"""The folder of each kind of notice, and its kind in the journal."""
NOTICE_OF: Mapping[str, type[Notice]] = {"revocation": Revocation, "stop": Stop, "lift": Lift}


class Bulletin:
    """The notices of one node. ``take`` and ``news`` are called from any thread."""

    def __init__(self, folder: TrustFolder, store: Store, clock: Callable[[], datetime]) -> None:
        self._folder = folder
        self._store = store
        self._clock = clock
        self._seen: set[tuple[str, str]] = set()
        self._recorded: set[str] = set()
        self._stamps: dict[Path, int] = {}

    def restore(self) -> None:
        """Put back into the folder what the journal holds and the folder has lost, such as by an old copy of it."""
        with self._store.begin() as transaction:
            entries = self._store.journal.entries(transaction, "")
        for leaf, payload in entries:
            if leaf.kind in NOTICE_OF:
                envelope = Envelope.from_bytes(payload)
                notice = NOTICE_OF[leaf.kind].parse(envelope.payload_bytes())
                if not has_notice(self._folder, notice):
                    _LOG.warning("notice-restored", kind=leaf.kind, digest=leaf.payload)
                    keep_notice(self._folder, envelope, notice)

    def take(self, envelope: Envelope, trusted: TrustedSet) -> None:
        """Verify and keep a notice that came as a message; raises as ``verified_notice`` does."""
        keep_notice(self._folder, envelope, verified_notice(envelope, trusted, self._clock()))

    def news(self) -> bool:
        """Journal what is new in the folder: published policies, cards and notices; True for a new notice."""
        notices = {
            (folder, name): (kind, self._folder.notice(folder, name))
            for folder, kind in _KINDS
            for name in self._folder.notices(folder)
            if (folder, name) not in self._seen
        }
        self._journal([*self._published(), *notices.values()])
        self._seen |= set(notices)
        return bool(notices)

    def _published(self) -> list[tuple[str, Envelope]]:
        """Policies and cards, if one of their files is new or another since the last look."""
        files = [*self._folder.path.glob("policies/*/*"), *self._folder.path.glob("cards/*")]
        try:
            stamps = {file: file.stat().st_mtime_ns for file in files if not file.name.startswith(".")}
        except FileNotFoundError:
            return []  # somebody writes there now: the next look sees it whole
        if stamps == self._stamps:
            return []
        self._stamps = stamps
        policies = [("policy", self._folder.policy(owner, purpose)) for owner, purpose in self._folder.policies()]
        return [*policies, *(("card", card) for card in self._folder.cards())]

    def _journal(self, found: Sequence[tuple[str, Envelope]]) -> None:
        """Journal each document once, whatever restarts in between; one that nobody has signed yet waits."""
        fresh = {}
        for kind, envelope in found:
            payload = envelope.to_bytes()
            digest = hashlib.sha256(payload).hexdigest()
            if envelope.signatures and digest not in self._recorded:
                fresh[digest] = (kind, payload)
        if not fresh:
            return
        with self._store.begin() as transaction:
            journal = self._store.journal
            self._recorded |= {leaf.payload for leaf, _ in journal.entries(transaction, "")}
            for digest, (kind, payload) in fresh.items():
                if digest not in self._recorded:
                    journal.append(transaction, session="", kind=kind, payload=payload, now=self._clock())
                    _LOG.warning("published", kind=kind, digest=digest)
        self._recorded |= set(fresh)
