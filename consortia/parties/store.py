"""What a node remembers, in node.sqlite: sessions, mail, journal and its own results; one transaction a step.

No share is ever written. Results are encrypted under a key of the home folder before they come here. A session that
is found running at the start of the node is never resumed: its keys and seeds are gone with the process.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy import Column, Connection, Integer, LargeBinary, MetaData, String, Table, delete, insert, select, update

from consortia.control.database import open_database
from consortia.control.mailbox import Letter, Mailbox, mail_tables
from consortia.control.phases import ENDS, Phase, check_move
from consortia.control.transitions import Transitions
from consortia.errors import InternalError, ProtocolAbort
from consortia.evidence.basis import Archive
from consortia.evidence.journal import Journal, JournalTables
from consortia.parties.behind import Behind
from consortia.parties.heads import Heads
from consortia.parties.history import Releases
from consortia.parties.holds import Holds
from consortia.parties.ledger import Ledger
from consortia.parties.mark import Mark
from consortia.parties.retention import Retention, entry_of
from consortia.trust.certificates import COORDINATOR
from consortia.trust.documents import Digest, Frozen, Name, Session
from consortia.trust.sessions import StepTraffic

_METADATA = MetaData()
_MAIL = mail_tables(_METADATA)
_JOURNAL = JournalTables(_METADATA)
_HEADS = Heads(_METADATA)
_ARCHIVE = Archive(_METADATA)
_SESSIONS = Table(
    "sessions",
    _METADATA,
    Column("session", String, primary_key=True),
    Column("phase", String, nullable=False),
    Column("memory", String, nullable=False),
)
_TRANSITIONS = Transitions(_METADATA)
_HOLDS = Holds(_METADATA)
_LEDGER = Ledger(_METADATA)
_BEHIND = Behind(_METADATA)
_RELEASES = Releases(_METADATA)
_INBOX = Table(
    "inbox",
    _METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("session", String, nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("sender", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
_RESULTS = Table(
    "results",
    _METADATA,
    Column("session", String, primary_key=True),
    Column("step", String, primary_key=True),
    Column("encrypted", LargeBinary, nullable=False),
)
_RETENTION = Retention(_METADATA, _RESULTS)
_REQUESTS = Table("requests", _METADATA, Column("digest", String, primary_key=True))
_INSTANCE = Table("instance", _METADATA, Column("instance", String, primary_key=True))


class SessionMemory(Frozen):
    """What must outlive the process once the parts of this node are on their way: enough to seal the session."""

    session: Session
    attempt: int = 1
    plan: Digest | None = None
    transcript: Digest | None = None
    commitments: tuple[Digest, ...] = ()
    traffic: tuple[StepTraffic, ...] = ()
    outputs: tuple[str, ...] = ()
    """Release steps whose result this member receives."""
    computers: tuple[Name, ...] = ()


class Store:
    """The node's database. Methods that take a transaction belong into ``begin()`` of the caller."""

    def __init__(self, path: Path | None) -> None:
        self.engine = open_database(path, _METADATA)
        self.begin = self.engine.begin
        self.journal = Journal(_JOURNAL)
        self.holds = _HOLDS
        self.ledger = _LEDGER
        self.releases = _RELEASES
        self.heads = _HEADS
        self.behind = _BEHIND
        self.retention = _RETENTION
        self.mark = Mark(None if path is None else path.with_name("ledger.mark"))
        self.archive = _ARCHIVE
        with self.begin() as transaction:
            row = transaction.execute(select(_INSTANCE.c.instance)).first()
            instance = secrets.token_hex(16) if row is None else str(row[0])
            if row is None:
                if self.mark.read() is None:
                    self.mark.write(0)  # before the file counts as begun: from now on it has its mark
                transaction.execute(insert(_INSTANCE).values(instance=instance))
        self.mailbox = Mailbox(_MAIL, COORDINATOR, instance)

    def close(self) -> None:
        """Close the file."""
        self.engine.dispose()

    def renew_mailbox(self) -> None:
        """Begin a new mailbox: for a coordinator that has lost its database. Sessions under way end by this."""
        with self.begin() as transaction:
            for table in (_MAIL.peers, _MAIL.outbox, _INSTANCE):
                transaction.execute(delete(table))
            instance = secrets.token_hex(16)
            transaction.execute(insert(_INSTANCE).values(instance=instance))
        self.mailbox = Mailbox(_MAIL, COORDINATOR, instance)

    def propose(self, transaction: Connection, session: str, now: datetime) -> None:
        """A new session; raises ProtocolAbort ``parties/session-used`` if this node has met its id before."""
        if self.phase(transaction, session) is not None:
            raise ProtocolAbort(
                "parties/session-used",
                "this node has met the session before",
                place=f"session {session}",
                remedy="a signed submission runs once: sign a new one",
            )
        memory = SessionMemory(session=session)
        transaction.execute(
            insert(_SESSIONS).values(session=session, phase=Phase.PROPOSED, memory=memory.model_dump_json())
        )
        _TRANSITIONS.note(transaction, session, Phase.PROPOSED, "proposed", now)

    def phase(self, transaction: Connection, session: str) -> Phase | None:
        """Where the session stands at this node; None if it is not known."""
        row = transaction.execute(select(_SESSIONS.c.phase).where(_SESSIONS.c.session == session)).first()
        return None if row is None else Phase(row[0])

    def move(self, transaction: Connection, session: str, target: Phase, cause: str, now: datetime) -> None:
        """Move the session to ``target``; raises ProtocolAbort ``control/illegal-move``."""
        current = self.phase(transaction, session)
        if current is None:
            raise InternalError("parties/no-session", f"the session {session} was never proposed here")
        check_move(session, current, target)
        transaction.execute(update(_SESSIONS).where(_SESSIONS.c.session == session).values(phase=target))
        _TRANSITIONS.note(transaction, session, target, cause, now)
        if target in ENDS:
            transaction.execute(delete(_INBOX).where(_INBOX.c.session == session))
            self.holds.drop(transaction, session)
            self.ledger.close(transaction, session)
            self.releases.close(transaction, session)

    def memory(self, transaction: Connection, session: str) -> SessionMemory:
        """What is remembered of a session."""
        query = select(_SESSIONS.c.memory).where(_SESSIONS.c.session == session)
        return SessionMemory.model_validate_json(transaction.execute(query).scalar_one())

    def remember(self, transaction: Connection, memory: SessionMemory) -> None:
        """Replace what is remembered of a session."""
        changed = update(_SESSIONS).where(_SESSIONS.c.session == memory.session)
        transaction.execute(changed.values(memory=memory.model_dump_json()))

    def running(self, transaction: Connection) -> dict[str, Phase]:
        """Sessions that have not ended."""
        columns = _SESSIONS.c
        query = select(columns.session, columns.phase).where(columns.phase.not_in([str(phase) for phase in ENDS]))
        return {session: Phase(phase) for session, phase in transaction.execute(query)}

    def sessions(self, transaction: Connection) -> dict[str, Phase]:
        """All sessions."""
        rows = transaction.execute(select(_SESSIONS.c.session, _SESSIONS.c.phase))
        return {session: Phase(phase) for session, phase in rows}

    def history(self, transaction: Connection, session: str) -> list[tuple[str, Phase, str]]:
        """Time, phase and cause of every transition of a session, in order."""
        return _TRANSITIONS.history(transaction, session)

    def keep_letter(self, transaction: Connection, letter: Letter) -> None:
        """Store a message of a session until the session has ended."""
        values = {"session": letter.session, "kind": letter.kind, "sender": letter.sender, "body": letter.body}
        transaction.execute(insert(_INBOX).values(**values))

    def drop_letter(self, transaction: Connection, letter: Letter) -> None:
        """Forget a stored message: of no session, since those of a session go with its end."""
        columns = _INBOX.c
        same = (columns.session == letter.session, columns.kind == letter.kind, columns.sender == letter.sender)
        transaction.execute(delete(_INBOX).where(*same, columns.body == letter.body))

    def letters(self, transaction: Connection, session: str) -> list[Letter]:
        """The stored messages of a session, in the order of their arrival."""
        columns = _INBOX.c
        query = select(columns.kind, columns.session, columns.body, columns.sender).where(columns.session == session)
        return [Letter(*row) for row in transaction.execute(query.order_by(columns.number))]

    def keep_results(self, transaction: Connection, session: str, encrypted: Mapping[str, bytes]) -> None:
        """Store this member's results of a session, by release step, encrypted."""
        for step, data in encrypted.items():
            transaction.execute(insert(_RESULTS).values(session=session, step=step, encrypted=data))

    def results(self, transaction: Connection, session: str) -> dict[str, bytes]:
        """This member's encrypted results of a session, by release step."""
        columns = _RESULTS.c
        query = select(columns.step, columns.encrypted).where(columns.session == session).order_by(columns.step)
        return {step: bytes(data) for step, data in transaction.execute(query)}

    def delete_due_results(self, now: datetime) -> None:
        """Delete the results that may no longer be kept, in one transaction, and journal that it was done."""
        with self.begin() as transaction:
            for clock in self.retention.delete_due(transaction, now):
                self.journal.append(
                    transaction, session=clock.session, kind="result-deleted", payload=entry_of(clock), now=now
                )

    def use_request(self, transaction: Connection, digest: str) -> None:
        """Note that a signed request was answered; raises ProtocolAbort ``parties/request-used`` the second time."""
        if transaction.execute(select(_REQUESTS.c.digest).where(_REQUESTS.c.digest == digest)).first():
            raise ProtocolAbort(
                "parties/request-used", "this signed request was answered before", remedy="sign a new request"
            )
        transaction.execute(insert(_REQUESTS).values(digest=digest))
