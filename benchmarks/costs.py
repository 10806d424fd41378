"""What every operation of the engine, of relations and of fixed-point numbers costs, as the reference lists it.

``docs/generate.py`` writes docs/reference/costs.md from what the counting engine adds up for the programs of
``operations`` and ``relations``; a test runs the same programs on three computers and compares what is sent, to the
byte.
"""

from dataclasses import dataclass

from benchmarks.graphs import EDGES_A_NODE, graph_operations
from benchmarks.models import model_operations
from benchmarks.operations import GROUP, Operation, engine_operations, function_operations, order_operations
from benchmarks.relations import relation_operations
from benchmarks.trees import tree_operations
from consortia.protocols.boolean.networks import Circuits
from consortia.protocols.counting import CountingEngine

COMPUTERS = ("alpha", "beta", "gamma")
ROWS = 1_000_000
"""Rows of the reference page."""
CIRCUITS: tuple[Circuits, ...] = ("few-rounds", "few-bytes")
OPERATIONS: tuple[Operation, ...] = (
    *engine_operations(),
    *order_operations(),
    *relation_operations(),
    *function_operations(),
    *graph_operations(),
    *tree_operations(),
    *model_operations(),
)


@dataclass(frozen=True, slots=True)
class Counted:
    """Rounds, and bytes of all computers together."""

    rounds: int
    total_bytes: int


def counted(operation: Operation, rows: int, circuits: Circuits = "few-rounds") -> Counted:
    """The declared cost of an operation; few rounds unless told otherwise."""
    engine = CountingEngine(COMPUTERS, circuits)
    operation.run(engine.narrow("op"), rows)
    return Counted(sum(engine.counts.rounds.values()), sum(engine.counts.sent.values()))


HEAD = f"""\
# What every operation costs

Made by `python docs/generate.py`: each line is a program of n rows (`benchmarks/operations.py`, `relations.py`,
`graphs.py`, `trees.py` and `models.py` there) on the counting engine, and a test compares the same programs with what
three computers of `ring3` send, to the byte. Bytes are payload, before frame header and tag, over all three computers;
rounds are messages that wait for each other. Examples are of n = {ROWS:,} rows; a sort's batches, and row numbers below
keys, grow with n, all else is proportional to it. How each operation works and why it is safe stands in
[protocols](protocols.md).

A plan is made of circuits of few rounds or of few bytes (`explain --link`); where these differ, both are listed. Rows
of relations hold a key of 64 bits, a second key of 64 bits, a code of 16 bits and a number, unless told otherwise;
groups have {GROUP} rows; graphs have {EDGES_A_NODE} edges a node, and what is done on one includes preparing it. What a
relation needs sorted is sorted already, where the example says so.

Not listed: the input of an owner that does not compute (twice the bytes of its columns, and 128), opening to one
computer (8 bytes a number, 1/8 a bit), and what is local: sums, differences, public factors, prefix sums, masks,
shifts, parts.
"""


def page() -> str:
    """The reference page of all operations."""
    lines = [HEAD]
    for room in dict.fromkeys(operation.room for operation in OPERATIONS):
        lines += [
            f"## {room}",
            "",
            "| operation | example | circuits | rounds | bytes | bytes a row |",
            "|---|---|---|---|---|---|",
        ]
        for operation in OPERATIONS:
            if operation.room == room:
                lines += _page_lines(operation)
        lines.append("")
    return "\n".join(lines)


def _page_lines(operation: Operation) -> list[str]:
    costs = {circuits: counted(operation, ROWS, circuits) for circuits in CIRCUITS}
    alike = len(set(costs.values())) == 1
    what = operation.what.replace("|", "\\|")
    return [
        f"| `{operation.name}` | {what} | {'' if alike else circuits.replace('-', ' ')} | {cost.rounds} "
        f"| {cost.total_bytes:,} | {cost.total_bytes / ROWS:,.1f} |"
        for circuits, cost in (list(costs.items())[:1] if alike else costs.items())
    ]
