"""What stops runs at once: revoked policies and emergency stops, as this node takes them and acts on them.

A notice counts as soon as it lies in the home's trust folder, however it came there: through the coordinator, or by a
command in the home; a lift once its signatures are verified, so that no file alone ends a stop. The node looks there
every two seconds and before its last word in every run; it journals what is new (policies and cards too, so that every
journal shows which were published and when), ends the running sessions that a notice concerns and decides the held ones
again. So a coordinator that keeps a notice back does not keep it from the home in which it was made, and that party's
word is missing at every release.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import structlog

from consortia.control.mailbox import Letter
from consortia.errors import ConsortiaError, InternalError
from consortia.parties.store import Store
from consortia.trust.envelope import Envelope
from consortia.trust.folder import NoticeKind, TrustFolder
from consortia.trust.notices import Notice, counting, has_notice, keep_notice, verified_notice
from consortia.trust.statements import Lift, Revocation, Stop
from consortia.trust.trusted import TrustedSet

_LOG = structlog.get_logger("consortia.parties")
_KINDS: tuple[tuple[NoticeKind, str], ...] = (("revocations", "revocation"), ("stops", "stop"), ("lifts", "lift"))
"""The folder of each kind of notice, and its kind in the journal."""
NOTICE_OF: Mapping[str, type[Notice]] = {"revocation": Revocation, "stop": Stop, "lift": Lift}


class Bulletin:
    """The notices of one node; its methods are called from any thread."""

    def __init__(self, folder: TrustFolder, store: Store, clock: Callable[[], datetime]) -> None:
        self._folder = folder
        self._store = store
        self._clock = clock
        self._seen: set[tuple[str, str]] = set()
        self._recorded: set[str] = set()
        self._ignored: set[str] = set()
        self._kept: dict[str, tuple[str, Envelope]] | None = None
        self._stamps: dict[Path, int] = {}

    def restore(self) -> None:
        """Put back into the folder what the journal holds and the folder has lost, such as by an old copy of it."""
        if self._kept is None:
            with self._store.begin() as transaction:
                entries = self._store.journal.entries(transaction, "")
            notices = ((leaf, payload) for leaf, payload in entries if leaf.kind in NOTICE_OF)
            self._kept = {leaf.payload: (leaf.kind, Envelope.from_bytes(payload)) for leaf, payload in notices}
        for digest, (kind, envelope) in list(self._kept.items()):
            notice = NOTICE_OF[kind].parse(envelope.payload_bytes())
            if not has_notice(self._folder, notice):
                _LOG.warning("notice-restored", kind=kind, digest=digest)
                keep_notice(self._folder, envelope, notice)

    def receive(self, letter: Letter, trusted: Callable[[], TrustedSet]) -> tuple[ConsortiaError | None, bool]:
        """Verify and keep the notice in ``letter``: why it is not kept, if it is not, and whether that is all of it.

        It is not if the own home stands in the way: documents that can't be read, a file that can't be written.
        """
        try:
            believed = trusted()
        except ConsortiaError as error:
            return error, False
        try:
            envelope = Envelope.from_bytes(letter.body)
            notice = verified_notice(envelope, believed, self._clock())
        except ConsortiaError as error:
            return error, True
        try:
            keep_notice(self._folder, envelope, notice)
        except OSError as error:
            return InternalError("parties/internal", f"the notice can't be written: {type(error).__name__}"), False
        return None, True

    def news(self, trusted: Callable[[], TrustedSet]) -> Collection[tuple[str, str]]:
        """Journal what is new in the folder (published policies, cards and notices); the notices, until ``heeded``.

        A lift that somebody put there counts once its signatures are verified, and is nothing new before.
        """
        self._verify_lifts(trusted)
        notices = {
            (folder, name): (kind, self._folder.notice(folder, name))
            for folder, kind in _KINDS
            for name in counting(self._folder, folder)
            if (folder, name) not in self._seen
        }
        self._journal([*self._published(), *notices.values()])
        return tuple(notices)

    def heeded(self, notices: Collection[tuple[str, str]]) -> None:
        """Those of ``news`` were acted on."""
        self._seen |= set(notices)

    def _verify_lifts(self, trusted: Callable[[], TrustedSet]) -> None:
        for name in sorted(set(self._folder.notices("lifts")) - set(counting(self._folder, "lifts"))):
            try:
                envelope = self._folder.notice("lifts", name)
                notice = verified_notice(envelope, trusted(), self._clock())
                if not has_notice(self._folder, notice):  # it may lie under another name than its own, too
                    keep_notice(self._folder, envelope, notice)
            except ConsortiaError as error:
                if name not in self._ignored:
                    _LOG.error("lift-ignored", name=name, **error.as_dict())
                self._ignored.add(name)

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
        if self._kept is not None:
            notices = {digest: entry for digest, entry in fresh.items() if entry[0] in NOTICE_OF}
            self._kept |= {digest: (kind, Envelope.from_bytes(payload)) for digest, (kind, payload) in notices.items()}
