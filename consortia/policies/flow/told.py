"""Through which tables a member is told the rows of an alert or score: those of which it holds data in a row.

A row that several relations met in goes to every member whose data it holds. So whoever keeps a list would be told
which of the people on it somebody else serves, though no list was to be opened to anybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from consortia.plans.model import Join, Plan, Scan, Step, Union
from consortia.plans.steps_of_networks import Match, Propagate

Tables = frozenset[str]


@dataclass(frozen=True, slots=True)
class Told:
    """Tables of one member: ``every`` row holds data of these, a row may hold data of any of ``some``."""

    every: Tables = frozenset()
    some: Tables = frozenset()


def told(plan: Plan, member: str) -> Mapping[str, Told]:
    """By step, the tables through which ``member`` holds data in its rows."""
    found: dict[str, Told] = {}
    for step in plan.steps:
        found[step.id] = _after(step, [found[name] for name in step.inputs], member)
    return found


def _after(step: Step, inputs: list[Told], member: str) -> Told:
    match step:
        case Scan():
            own = frozenset((step.table,)) if step.at == f"owner:{member}" else frozenset()
            return Told(own, own)
        case Union():
            return Told(
                frozenset.intersection(*(each.every for each in inputs)),
                frozenset().union(*(each.some for each in inputs)),
            )
        case Propagate() | Match() | Join(how="anti" | "not-in"):
            return inputs[0]  # as ``plans.lowering.nodes.holding_tables`` has it
        case Join():
            left, right = inputs
            every = left.every if step.how == "left" else left.every | right.every
            return Told(every, left.some | right.some)
        case _:
            return inputs[0]
