"""What the rule on noise reads off a plan: which columns are summed up, within which bounds, over which cells."""

from collections.abc import Iterator

from consortia.plans.columns import Column
from consortia.plans.expressions import Ref
from consortia.plans.model import Aggregate, AggregateStep, Filter, Plan, Project, Scan, Share, Sort, Step, Union
from consortia.plans.noisy_steps import MOST_CELLS, domain_cells
from consortia.plans.steps_of_noise import Bound
from consortia.policies.language.model import Clip
from consortia.policies.rules.base import Case
from consortia.policies.rules.tables import scanned


def rows_of(plan: Plan, groups: AggregateStep) -> Union | None:
    """The union of the owners' rows that the aggregation reads, None if something else is computed between."""
    step: Step = groups
    for _ in plan.steps:
        step = plan.step(step.inputs[0])
        if isinstance(step, Union):
            shares = all(isinstance(plan.step(source), Share) for source in step.inputs)
            return step if step.owners and shares else None
        if not isinstance(step, Sort | Bound):
            break
    return None


def summed(case: Case, groups: AggregateStep) -> Iterator[tuple[str, tuple[str, str]]]:
    """The sums of columns by name, with table and column of what is summed ("" for something computed)."""
    below = rows_of(case.plan, groups)
    share = case.plan.step(below.inputs[0]) if below is not None else None
    local = first_aggregation(case.plan, share) if share is not None else None
    if local is None:
        return
    table = scanned(case.plan, local.id).table
    for part in local.aggregates:
        if part.function == "sum":
            yield part.name, (table, source_of(case.plan, local, part))


def first_aggregation(plan: Plan, step: Step) -> AggregateStep | None:
    """The aggregation of an owner's chain that stands next to the scan."""
    found = None
    for _ in plan.steps:  # a malformed plan may go round in circles
        if len(step.inputs) != 1:
            break
        step = plan.step(step.inputs[0])
        found = step if isinstance(step, AggregateStep) else found
    return found


def source_of(plan: Plan, local: AggregateStep, part: Aggregate) -> str:
    """The table's column that an owner's part adds up, "" if it is computed from columns."""
    project = plan.step(local.inputs[0])
    if not isinstance(project, Project):
        return part.column
    expression = next(each.expression for each in project.expressions if each.name == part.column)
    return expression.column if isinstance(expression, Ref) else ""


def traced(plan: Plan, step: Step, column: str) -> tuple[str, str] | None:
    """The table's column that a column of a step's input is, through unions of one table; None for anything else."""
    found: set[tuple[str, str] | None] = set()
    for name in step.inputs:
        below = plan.step(name)
        match below:
            case Scan():
                found.add((below.table, column))
            case Project():
                read = next((each.expression for each in below.expressions if each.name == column), None)
                found.add(traced(plan, below, read.column) if isinstance(read, Ref) else None)
            case Filter() | Share() | Union() | Sort():
                found.add(traced(plan, below, column))
            case _:
                found.add(None)
    return found.pop() if len(found) == 1 else None


def leaves(plan: Plan, step: Step) -> list[AggregateStep]:
    """The owners' aggregations by cell and entity that a bound step reads."""
    if isinstance(step, AggregateStep):
        return [step]
    return [leaf for source in step.inputs for leaf in leaves(plan, plan.step(source))]


def parts_of(plan: Plan, bound: Bound) -> Iterator[tuple[str, tuple[str, str]]]:
    """The parts that are sums of a column, with table and column ("" for something computed)."""
    local = next(iter(leaves(plan, bound)), None)
    if local is not None:
        table = scanned(plan, local.id).table
        for part in local.aggregates:
            if part.function == "sum":
                yield part.name, (table, source_of(plan, local, part))


def table_of(plan: Plan, step: Step) -> str:
    """The one table whose rows reach a step; "" if they are of several."""
    found = {scanned(plan, leaf.id).table for leaf in leaves(plan, step)}
    return found.pop() if len(found) == 1 else ""


def cells_of(groups: AggregateStep) -> int | None:
    """The number of values that the keys of ``groups`` can have; None where nobody knows."""
    columns = {column.name: column for column in groups.columns}
    keys: list[Column] = [columns[key] for key in groups.keys]
    return domain_cells(keys)


def selects(groups: AggregateStep) -> bool:
    """Whether the groups' values are too many to be all released."""
    cells = cells_of(groups)
    return cells is not None and cells > MOST_CELLS


def clip_of(case: Case, table: str, column: str) -> tuple[int, int] | None:
    """The bounds of a column on which all owners of the plan agree, that is their intersection; None if it is empty."""
    los, his = [], []
    for owner in sorted(set(case.plan.owners())):
        for loaded in case.world.policies_of(owner, case.plan.purpose):
            entry = loaded.policy.data.tables.get(table)
            named = entry.columns.get(column) if entry is not None else None
            if named is None or not isinstance(named.clip, Clip):
                return None
            los.append(named.clip.lo)
            his.append(named.clip.hi)
    if not los or max(los) >= min(his):
        return None
    return max(los), min(his)
