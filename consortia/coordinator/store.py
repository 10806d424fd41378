"""What the coordinator remembers, in one SQLite file: sessions, their transitions with causes, and undelivered mail.

It holds signed envelopes, public plans and sealed bytes only: no share, no key and no result in clear ever reaches
this process. Every change of a session is one transaction with its cause and with the mail that follows from it, so
that after ``kill -9`` at any point the restarted coordinator goes on exactly where it was.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Column, Connection, Integer, LargeBinary, MetaData, String, Table, delete, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from consortia.control.database import open_database
from consortia.control.mailbox import Letter, Mailbox, mail_tables
from consortia.control.messages import Part
from consortia.control.phases import ENDS, Phase
from consortia.control.transitions import Transitions
from consortia.coordinator.notices import Notices
from consortia.coordinator.sessions import SessionState
from consortia.errors import RequestError
from consortia.trust.documents import Frozen, instant_text

_METADATA = MetaData()
_MAIL = mail_tables(_METADATA)
_SESSIONS = Table(
    "sessions",
    _METADATA,
    Column("session", String, primary_key=True),
    Column("phase", String, nullable=False),
    Column("submitter", String, nullable=False),
    Column("instance", String, nullable=False),
    Column("purpose", String, nullable=False),
    Column("submitted", String, nullable=False),
    Column("state", String, nullable=False),
    Column("proposal", LargeBinary, nullable=False),
)
_TRANSITIONS = Transitions(_METADATA)
_NOTICES = Notices(_METADATA)
_DOCUMENTS = Table(
    "documents",
    _METADATA,
    Column("session", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("party", String, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
_PIECES = Table(
    "pieces",
    _METADATA,
    Column("session", String, primary_key=True),
    Column("party", String, primary_key=True),
    Column("step", String, primary_key=True),
    Column("recipient", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)


class SessionRecord(Frozen):
    """A session with what the coordinator needs beside its state; ``instance`` is the client that submitted it."""

    state: SessionState
    instance: str
    purpose: str
    submitted: str


class Store:
    """The coordinator's database. Methods that take a transaction belong into ``begin()`` of the caller."""

    def __init__(self, path: Path | None) -> None:
        self._engine = open_database(path, _METADATA)
        self.begin = self._engine.begin
        self.notices = _NOTICES

    def close(self) -> None:
        """Close all connections to the file."""
        self._engine.dispose()

    def mailbox(self, peer: str, instance: str) -> Mailbox:
        """The mailbox with one instance of a peer."""
        return Mailbox(_MAIL, peer, instance)

    def instances(self, transaction: Connection, peer: str) -> list[str]:
        """The instances of ``peer`` that were ever connected."""
        query = select(_MAIL.peers.c.instance).where(_MAIL.peers.c.peer == peer)
        return [str(instance) for (instance,) in transaction.execute(query)]

    def peers(self, transaction: Connection) -> list[str]:
        """Everybody who was ever connected, sorted."""
        query = select(_MAIL.peers.c.peer).distinct().order_by(_MAIL.peers.c.peer)
        return [str(peer) for (peer,) in transaction.execute(query)]

    def drop_instance(self, transaction: Connection, peer: str, instance: str) -> None:
        """Forget the mail of an instance that will not come back: a member has begun with a new one."""
        for table in (_MAIL.peers, _MAIL.outbox):
            transaction.execute(delete(table).where(table.c.peer == peer, table.c.instance == instance))

    def create(
        self,
        transaction: Connection,
        state: SessionState,
        *,
        instance: str,
        purpose: str,
        proposal: bytes,
        now: datetime,
    ) -> None:
        """A new session; raises RequestError ``coordinator/session-used`` if its id was ever used before."""
        if transaction.execute(select(_SESSIONS.c.phase).where(_SESSIONS.c.session == state.session)).first():
            raise RequestError(
                "coordinator/session-used",
                "this signed submission was run before",
                place=f"session {state.session}",
                remedy="sign a new submission; each holds a fresh nonce and runs once",
            )
        transaction.execute(
            insert(_SESSIONS).values(
                session=state.session,
                phase=state.phase,
                submitter=state.submitter,
                instance=instance,
                purpose=purpose,
                submitted=instant_text(now),
                state=state.model_dump_json(),
                proposal=proposal,
            )
        )
        _TRANSITIONS.note(transaction, state.session, state.phase, "submitted", now)

    def load(self, transaction: Connection, session: str) -> SessionRecord | None:
        """The session, if there is one of that id."""
        rows = self._records(transaction, _SESSIONS.c.session == session)
        return rows[0] if rows else None

    def of_person(self, transaction: Connection, person: str) -> list[SessionRecord]:
        """The sessions that ``person`` submitted, the latest first."""
        return self._records(transaction, _SESSIONS.c.submitter == person)

    def running(self, transaction: Connection) -> list[SessionRecord]:
        """Sessions that have not ended."""
        return self._records(transaction, _SESSIONS.c.phase.not_in([str(phase) for phase in ENDS]))

    def proposal(self, transaction: Connection, session: str) -> bytes:
        """The body that the parties are shown."""
        return bytes(
            transaction.execute(select(_SESSIONS.c.proposal).where(_SESSIONS.c.session == session)).scalar_one()
        )

    def update(self, transaction: Connection, state: SessionState, cause: str, now: datetime) -> None:
        """The new state of a session, with what caused it."""
        changed = _SESSIONS.update().where(_SESSIONS.c.session == state.session)
        transaction.execute(changed.values(phase=state.phase, state=state.model_dump_json()))
        _TRANSITIONS.note(transaction, state.session, state.phase, cause, now)
        if state.phase in ENDS:
            transaction.execute(delete(_PIECES).where(_PIECES.c.session == state.session))

    def history(self, transaction: Connection, session: str) -> list[tuple[str, Phase, str]]:
        """Time, phase and cause of every transition of a session, in order."""
        return _TRANSITIONS.history(transaction, session)

    def keep_document(self, transaction: Connection, session: str, kind: str, party: str, body: bytes) -> None:
        """One signed document of a party; the state machine has checked that it is the first of its kind."""
        transaction.execute(upsert(_DOCUMENTS).values(session=session, kind=kind, party=party, body=body))

    def documents(self, transaction: Connection, session: str, kind: str) -> list[bytes]:
        """The documents of one kind, sorted by party."""
        columns = _DOCUMENTS.c
        query = select(columns.body).where(columns.session == session, columns.kind == kind).order_by(columns.party)
        return [bytes(body) for (body,) in transaction.execute(query)]

    def keep_piece(self, transaction: Connection, session: str, party: str, part: Part, body: bytes) -> bool:
        """One piece of a part; True when all pieces of that part are here."""
        place = {"session": session, "party": party, "step": part.step, "recipient": part.recipient}
        transaction.execute(upsert(_PIECES).values(**place, number=part.index, body=body).on_conflict_do_nothing())
        columns = _PIECES.c
        count = transaction.execute(
            select(func.count()).select_from(_PIECES).where(*(columns[name] == value for name, value in place.items()))
        ).scalar_one()
        return int(count) == part.count

    def pieces(self, transaction: Connection, session: str) -> Sequence[tuple[str, str, bytes]]:
        """Sender, recipient and body of every piece of a session, in a fixed order."""
        columns = _PIECES.c
        query = select(columns.party, columns.recipient, columns.body).where(columns.session == session)
        rows = transaction.execute(query.order_by(columns.party, columns.step, columns.recipient, columns.number))
        return [(party, recipient, bytes(body)) for party, recipient, body in rows]

    def post(self, transaction: Connection, peer: str, letter: Letter, instance: str = "") -> list[tuple[str, Letter]]:
        """Put ``letter`` into the mailbox of ``instance`` of ``peer``, or of all its instances; with their names."""
        names = [instance] if instance else self.instances(transaction, peer)
        return [(name, self.mailbox(peer, name).post(transaction, letter)) for name in names]

    def _records(self, transaction: Connection, condition: object) -> list[SessionRecord]:
        columns = _SESSIONS.c
        query = select(columns.state, columns.instance, columns.purpose, columns.submitted)
        rows = transaction.execute(query.where(condition).order_by(columns.submitted.desc()))  # type: ignore[arg-type]  # a SQL condition has no narrower public type
        return [
            SessionRecord(
                state=SessionState.model_validate_json(state), instance=instance, purpose=purpose, submitted=submitted
            )
            for state, instance, purpose, submitted in rows
        ]
