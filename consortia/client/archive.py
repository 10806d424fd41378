"""What a profile keeps of its sessions: one folder each, so that a closed terminal loses nothing.

sessions/SESSION/plan.json       the plan that was submitted
sessions/SESSION/result.key      the one-time key, until the result is here                         mode 0600
sessions/SESSION/mail.sqlite     messages of this session, sent and received                        mode 0600
sessions/SESSION/STEP.arrow      the opened result of a release step                                mode 0600
"""

import io
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from sqlalchemy import Column, Engine, Integer, LargeBinary, MetaData, String, Table, insert, select
from sqlalchemy import Connection as Transaction

from consortia.client.saved_plan import SavedPlan, read_plan, write_plan
from consortia.control.database import open_database
from consortia.control.mailbox import Letter, Mailbox, mail_tables
from consortia.errors import RequestError
from consortia.trust.certificates import COORDINATOR
from consortia.trust.hpke import KemPrivateKey

_INSTANCE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Mail:
    """A durable mailbox with the coordinator and everything received in it, in order of arrival."""

    engine: Engine
    mailbox: Mailbox
    _letters: Table

    def keep(self, transaction: Transaction, letter: Letter) -> None:
        """Store a letter that has arrived."""
        transaction.execute(
            insert(self._letters).values(
                kind=letter.kind, session=letter.session, sender=letter.sender, body=letter.body
            )
        )

    def letters(self) -> Iterator[Letter]:
        """What has arrived so far."""
        columns = self._letters.c
        with self.engine.begin() as transaction:
            rows = transaction.execute(
                select(columns.kind, columns.session, columns.body, columns.sender).order_by(columns.number)
            ).all()
        return (Letter(*row) for row in rows)

    def close(self) -> None:
        """Let go of the file."""
        self.engine.dispose()


def open_mail(path: Path | None) -> Mail:
    """The mailbox in the file ``path``, or one in memory that lives as long as the process."""
    metadata = MetaData()
    tables = mail_tables(metadata)
    own = Table("own", metadata, Column("instance", String, nullable=False))
    letters = Table(
        "letters",
        metadata,
        Column("number", Integer, primary_key=True, autoincrement=True),
        Column("kind", String, nullable=False),
        Column("session", String, nullable=False),
        Column("sender", String, nullable=False),
        Column("body", LargeBinary, nullable=False),
    )
    engine = open_database(path, metadata)
    with engine.begin() as transaction:
        instance = transaction.execute(select(own.c.instance)).scalar_one_or_none()
        if instance is None:
            instance = secrets.token_hex(_INSTANCE_BYTES)
            transaction.execute(insert(own).values(instance=instance))
    return Mail(engine, Mailbox(tables, COORDINATOR, instance), letters)


class Archive:
    """The ``sessions`` folder of a profile."""

    def __init__(self, profile: Path) -> None:
        self._root = profile / "sessions"

    def create(self, session: str, saved: SavedPlan, key: KemPrivateKey) -> None:
        """Begin the folder of a session that is about to be submitted."""
        folder = self._root / session
        folder.mkdir(parents=True, mode=0o700)
        write_plan(saved, folder / "plan.json")
        key.save(folder / "result.key")

    def find(self, prefix: str) -> str:
        """The session whose id begins with ``prefix``; raises RequestError ``client/session`` unless it is one."""
        found = sorted(folder.name for folder in self._root.glob("*") if folder.name.startswith(prefix))
        if len(found) != 1:
            raise RequestError(
                "client/session",
                f"`{prefix}` names {'no session' if not found else f'{len(found)} sessions'} of this profile",
                remedy="run `consortia session list` and give more of the id",
            )
        return found[0]

    def plan(self, session: str) -> SavedPlan:
        """The plan of a session."""
        return read_plan(self._root / session / "plan.json")

    def mail(self, session: str) -> Mail:
        """The session's mailbox."""
        return open_mail(self._root / session / "mail.sqlite")

    def key(self, session: str) -> KemPrivateKey:
        """The session's one-time key."""
        return KemPrivateKey.load(self._root / session / "result.key")

    def result(self, session: str, step: str) -> pl.DataFrame | None:
        """The opened result of a release step, if it is here."""
        path = self._root / session / f"{step}.arrow"
        return pl.read_ipc(path.read_bytes()) if path.exists() else None

    def keep_result(self, session: str, step: str, result: pl.DataFrame) -> None:
        """Store an opened result, readable by its owner alone."""
        content = io.BytesIO()
        result.write_ipc(content)
        path = self._root / session / f"{step}.arrow"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.getvalue())

    def forget_key(self, session: str) -> None:
        """Drop the one-time key: the result is here, and traffic recorded by others stays closed for good."""
        (self._root / session / "result.key").unlink(missing_ok=True)
