"""Which columns name the one entity whose data a row holds, all of it, whatever relations it was made from.

A column of a step *identifies* its rows if every owner's row that a row was made of had this same value, in the column
that stands for it there: joins must equate such columns of both sides, nested groups must keep one as key, windows
must stay inside a partition of it. What an output's groups are protected by rests on it: contributors are counted by
the privacy unit, and an alert goes to the members that hold its key.
"""

from collections.abc import Callable

from consortia.plans.expressions import Ref
from consortia.plans.model import AggregateStep, Join, Plan, Project, Scan, Step, Union, Window

Names = frozenset[str]
Start = Callable[[Scan], Names]


def identifying(plan: Plan, start: Start) -> dict[str, Names]:
    """Identifying columns of every step, by its id; ``start`` says which they are at a scan."""
    found: dict[str, Names] = {}
    for step in plan.steps:
        found[step.id] = start(step) if isinstance(step, Scan) else _after(step, [found[name] for name in step.inputs])
    return found


def every_column(scan: Scan) -> Names:
    """A row of one table is identified by each of its columns."""
    return frozenset(column.name for column in scan.columns)


def _after(step: Step, inputs: list[Names]) -> Names:
    match step:
        case Project():
            kept = (named for named in step.expressions if isinstance(named.expression, Ref))
            return frozenset(n.name for n in kept if isinstance(n.expression, Ref) and n.expression.column in inputs[0])
        case AggregateStep():
            return inputs[0] & frozenset(step.keys)
        case Join():
            return _joined(step, *inputs)
        case Union():
            return inputs[0].intersection(*inputs[1:])
        case Window() if any(function.function in ("count", "sum") for function in step.functions):
            return inputs[0] & frozenset(step.partition)
        case _:
            return inputs[0]


def _joined(step: Join, left: Names, right: Names) -> Names:
    pairs = [key for key in step.on if key.left in left and key.right in right]
    names = frozenset(key.left for key in pairs)
    if step.how == "inner":
        names |= frozenset(key.right for key in pairs)
    return names & frozenset(column.name for column in step.columns)
