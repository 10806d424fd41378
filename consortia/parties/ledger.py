"""What an owner's data has been asked for: one row a session, reserved, then committed or refunded.

    reserved    with the approval, in its transaction: the query counts, and nobody else can take the same room
    committed   before this party says that a result may be released: after that word others may release without it
    refunded    the session has ended and this party never gave that word, so nothing can have been opened

A row is never deleted and a number never used twice. Reserved and committed rows count alike, so at every instant the
ledger holds at least what has been opened. The database takes one writer at a time (``control.database``): a standing
that was read in the transaction of a reservation still holds when that reservation is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from sqlalchemy import Column, ColumnElement, Connection, Integer, MetaData, String, Table, func, insert, select, update

from consortia.errors import InternalError
from consortia.policies.accounting import Charge
from consortia.policies.own import PastCharge, Standing
from consortia.trust.documents import instant_text

LONGEST_PERIOD = timedelta(days=367)
"""Charges of the past that a decision may need: a policy's ``period-days`` is at most 366."""


class Entry(StrEnum):
    """What became of a reservation."""

    RESERVED = "reserved"
    COMMITTED = "committed"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One session in the ledger; ``at`` is when it was reserved, to the second; ``charges`` by privacy unit."""

    number: int
    session: str
    purpose: str
    analyst: str
    at: datetime
    state: Entry
    charges: Mapping[str, Charge]


class Ledger:
    """The tables ``ledger`` and ``charges`` of a node's database; every method works in the caller's transaction."""

    def __init__(self, metadata: MetaData) -> None:
        self._rows = Table(
            "ledger",
            metadata,
            Column("number", Integer, primary_key=True, autoincrement=True),
            Column("session", String, nullable=False, unique=True),
            Column("purpose", String, nullable=False, index=True),
            Column("analyst", String, nullable=False),
            Column("at", String, nullable=False),
            Column("state", String, nullable=False),
            sqlite_autoincrement=True,
        )
        self._charges = Table(
            "charges",
            metadata,
            Column("session", String, primary_key=True),
            Column("unit", String, primary_key=True),
            Column("rho", Integer, nullable=False),
            Column("delta", Integer, nullable=False),
        )

    def reserve(
        self,
        transaction: Connection,
        session: str,
        purpose: str,
        analyst: str,
        charges: Mapping[str, Charge],
        now: datetime,
    ) -> int:
        """Set room aside for ``session``: one query, and ``charges`` by privacy unit; the number of the row.

        The caller has decided by ``standing``, in this transaction, that there is room.
        """
        values = {"session": session, "purpose": purpose, "analyst": analyst, "at": _second(now)}
        result = transaction.execute(insert(self._rows).values(**values, state=Entry.RESERVED))
        key = result.inserted_primary_key
        if key is None:
            raise InternalError("parties/ledger", f"the reservation of the session {session} got no number")
        for unit, charge in sorted(charges.items()):
            amount = {"rho": charge.rho, "delta": charge.delta}
            transaction.execute(insert(self._charges).values(session=session, unit=unit, **amount))
        return int(key[0])

    def commit(self, transaction: Connection, session: str) -> None:
        """What was reserved for ``session`` is spent from now on; nothing is there of one that needs no data of here.

        Raises InternalError ``parties/ledger`` if its reservation was given back.
        """
        self._settle(transaction, session, Entry.COMMITTED)
        query = select(self._rows.c.state).where(self._rows.c.session == session)
        if transaction.execute(query).scalar_one_or_none() == Entry.REFUNDED:
            raise InternalError("parties/ledger", f"the reservation of the session {session} was given back")

    def close(self, transaction: Connection, session: str) -> None:
        """The session has ended here: a reservation that was not committed is given back."""
        self._settle(transaction, session, Entry.REFUNDED)

    def standing(self, transaction: Connection, purpose: str, analyst: str, since: datetime, now: datetime) -> Standing:
        """What is reserved or spent for ``purpose``; ``since`` is the beginning of the policy's period.

        Days are days in UTC. Rows of a later time than ``now`` count too: a clock that was put back frees nothing.
        """
        today = datetime.combine(now.astimezone(UTC).date(), time(), tzinfo=UTC)
        by_analyst = self._rows.c.analyst == analyst
        return Standing(
            analyst_today=self._count(transaction, purpose, today, by_analyst),
            today=self._count(transaction, purpose, today),
            period=self._count(transaction, purpose, since),
            charges=self._past_charges(transaction, purpose, now - LONGEST_PERIOD),
        )

    def restore(
        self,
        transaction: Connection,
        session: str,
        purpose: str,
        analyst: str,
        charges: Mapping[str, Charge],
        at: datetime,
    ) -> bool:
        """Count ``session`` as spent, whatever is known of it here; whether that changed anything."""
        state = self.states(transaction).get(session)
        if state is None:
            self.reserve(transaction, session, purpose, analyst, charges, at)
        changed = update(self._rows).where(self._rows.c.session == session).values(state=Entry.COMMITTED)
        transaction.execute(changed)
        return state is not Entry.COMMITTED

    def states(self, transaction: Connection) -> dict[str, Entry]:
        """What became of every session in the ledger."""
        columns = self._rows.c
        return {session: Entry(state) for session, state in transaction.execute(select(columns.session, columns.state))}

    def version(self, transaction: Connection) -> int:
        """A number that grows with every reservation and every commit, and never falls."""
        committed = func.count().filter(self._rows.c.state == Entry.COMMITTED)
        reserved, spent = transaction.execute(select(func.count(), committed).select_from(self._rows)).one()
        return int(reserved) + int(spent)

    def rows(self, transaction: Connection) -> Sequence[LedgerRow]:
        """The whole ledger, by number."""
        charges: dict[str, dict[str, Charge]] = {}
        for session, unit, rho, delta in transaction.execute(select(self._charges).order_by(self._charges.c.unit)):
            charges.setdefault(session, {})[unit] = Charge(rho, delta)
        return [
            LedgerRow(
                number, session, purpose, analyst, datetime.fromisoformat(at), Entry(state), charges.get(session, {})
            )
            for number, session, purpose, analyst, at, state in transaction.execute(
                select(self._rows).order_by(self._rows.c.number)
            )
        ]

    def _past_charges(self, transaction: Connection, purpose: str, since: datetime) -> tuple[PastCharge, ...]:
        rows, charges = self._rows.c, self._charges.c
        query = (
            select(rows.at, charges.unit, charges.rho, charges.delta)
            .where(rows.session == charges.session, rows.purpose == purpose)
            .where(rows.state != Entry.REFUNDED, rows.at >= _second(since))
            .order_by(rows.number, charges.unit)
        )
        return tuple(
            PastCharge(datetime.fromisoformat(at), unit, Charge(rho, delta))
            for at, unit, rho, delta in transaction.execute(query)
        )

    def _settle(self, transaction: Connection, session: str, state: Entry) -> None:
        columns = self._rows.c
        reserved = (columns.session == session) & (columns.state == Entry.RESERVED)
        transaction.execute(update(self._rows).where(reserved).values(state=state))

    def _count(self, transaction: Connection, purpose: str, since: datetime, *conditions: ColumnElement[bool]) -> int:
        columns = self._rows.c
        query = select(func.count()).where(
            columns.purpose == purpose, columns.state != Entry.REFUNDED, columns.at >= _second(since), *conditions
        )
        return int(transaction.execute(query).scalar_one())


def _second(instant: datetime) -> str:
    """Text whose order is that of time: whole seconds, as parts of a second would change its length."""
    return instant_text(instant.replace(microsecond=0))
