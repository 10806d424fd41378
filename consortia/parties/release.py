"""The only place where results are opened: each column becomes this computer's freshly masked part.

Whoever calls this has committed the ledger and checked the approvals before: from here on a result can be known.
The part goes to one recipient, sealed (``control.parts``); each part alone, and any two, tell nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from consortia.execution.executor import ReleasedTable
from consortia.execution.parts import part_bytes
from consortia.protocols.engine import Engine
from consortia.protocols.shares import Words


@dataclass(frozen=True, slots=True)
class ResultPart:
    """This computer's part of one output: release step, recipient (person or member), canonical bytes."""

    step: str
    recipient: str
    payload: bytes

    def __repr__(self) -> str:
        return f"<ResultPart of {self.step} for {self.recipient}, {len(self.payload)} bytes>"


def release(engine: Engine, tables: Sequence[ReleasedTable]) -> tuple[ResultPart, ...]:
    """One part for each released table, in order. Sends nothing; draws the zero shares of the release steps."""
    return tuple(_part(engine, table) for table in tables)


def _part(engine: Engine, table: ReleasedTable) -> ResultPart:
    payload = part_bytes(table.shapes, table.rows, opened(engine, table), table.form)
    return ResultPart(table.step, table.recipient_name, payload)


def opened(engine: Engine, table: ReleasedTable) -> list[Words]:
    """The parts of all columns of one table; on the clear engine these are the values themselves."""
    step = engine.narrow(table.step).narrow(f"to-{table.recipient_name}")
    return [step.narrow(f"column-{place}").part(vector) for place, vector in enumerate(table.vectors)]
