"""Noise: which outputs get it, that it can protect them, and that a final plan has as much as was promised.

An output has noise if the policies of all owners say so: then no cell is suppressed by exact counts, and nothing exact
of it is opened. Owners that disagree permit nothing, so that neither's protection silently gives way to the other's.
What protects is recomputed here from the steps of the final plan: one entity's largest change of each number from the
`bound` step, the cost from that and the noise. Bounds that are not there give no noise: such an output is denied.
"""

from collections.abc import Iterator

from consortia.plans.expressions import Ref
from consortia.plans.model import (
    Aggregate,
    AggregateStep,
    Bound,
    Column,
    Control,
    Filter,
    Limit,
    Noise,
    Plan,
    Project,
    Release,
    Share,
    Sort,
    Step,
    Union,
)
from consortia.plans.noisy_steps import MOST_CELLS, MOST_ROWS, domain_cells
from consortia.plans.zcdp import selection_delta
from consortia.policies.accounting import charge_of, grant_of
from consortia.policies.language.model import CellOutput, Clip
from consortia.policies.language.model import Noise as Section
from consortia.policies.language.reader import Path
from consortia.policies.lineage import Output
from consortia.policies.rules.base import Case, Finding, Rule, forbid, listed, permit
from consortia.policies.rules.tables import scanned

ASK = "ask for SUM, AVG, COUNT or COUNT(DISTINCT unit) of one table, grouped by columns of few known values"
LOCAL = "local-discrete-gaussian"


def noise(case: Case) -> Iterator[Finding]:
    """Each output over cells has noise by all policies or by none, and what noise needs."""
    for output in case.flow.outputs:
        path: Path = ("outputs", output.kind, "noise")
        section = case.policy.cell_output(output.kind)
        if section is None:
            yield permit("noise", path, "no noise: each row goes to its owner alone")
            continue
        others = _others(case, output, _word(section))
        if others:
            yield forbid(
                "noise", path, f"noise is {_word(section)} here and not at {listed(others)}: no way of protecting a"
                " cell gives way to another", "the owners agree on it", step=output.release.id,
            )  # fmt: skip
        elif section.noise == "off":
            yield from _exact(case, output, path)
        else:
            yield from _protected(case, output, section.noise, path)


def _word(section: CellOutput) -> str:
    return "off" if section.noise == "off" else section.noise.mechanism


def _others(case: Case, output: Output, word: str) -> list[str]:
    """Owners of the plan whose policies say otherwise."""
    found = []
    for owner in set(case.plan.owners()):
        for loaded in case.world.policies_of(owner, case.plan.purpose):
            section = loaded.policy.cell_output(output.kind)
            if section is not None and _word(section) != word:
                found.append(owner)
    return found


def _exact(case: Case, output: Output, path: Path) -> Iterator[Finding]:
    if any(isinstance(step, Noise) for step in case.plan.steps):
        yield forbid("noise", path, "the plan has noise that nobody asked for", "plan it again", step=output.release.id)
    else:
        yield permit("noise", path, "no noise: the exact rules protect each cell")


def _protected(case: Case, output: Output, section: Section, path: Path) -> Iterator[Finding]:
    groups = output.groups
    if groups is None:
        return  # rule `output-kind` forbids, and without a finding this rule does not permit either
    problem = next(_problems(case, output, groups, section), None)
    if problem is not None:
        text, step = problem
        yield forbid("noise", path, f"noise is on, and {text} can't be protected by it", ASK, step=step)
        return
    yield from _clips(case, output, groups)
    made = [step for step in case.plan.steps if isinstance(step, Noise)]
    if made:
        sound = _sound_at_owners if section.mechanism == LOCAL else _sound_on_shares
        yield from _kept(case, sound(case, output, groups, section), section, path, made[0].id)
    yield permit("noise", path, "every number has noise, and no cell is suppressed by exact counts")


def _problems(case: Case, output: Output, groups: AggregateStep, section: Section) -> Iterator[tuple[str, str]]:
    """What noise can't protect, and the step where it stands."""
    for step in _back(case.plan, output.release, groups.id):
        if isinstance(step, Filter | Limit):
            yield (
                ("a HAVING, which compares" if isinstance(step, Filter) else "a LIMIT, which orders by")
                + (" exact numbers,"),
                step.id,
            )
    yield from _unknown(groups, section)
    below = _rows(case.plan, groups)
    if below is None:
        yield "a query over several relations, of ordered or of distinct values", groups.id
    opened = {column.name for column in output.release.columns} - set(groups.keys)
    able = ("sum",) if section.mechanism == LOCAL else ("sum", "count-entities")
    for aggregate in groups.aggregates:
        if aggregate.name in opened and (aggregate.function not in able or aggregate.excluding):
            yield f"`{aggregate.function}`", groups.id


def _unknown(groups: AggregateStep, section: Section) -> Iterator[tuple[str, str]]:
    """Groups of which nobody knows which there are, beyond what the policy lets select."""
    columns = {column.name: column for column in groups.columns}
    for key in groups.keys:
        if domain_cells([columns[key]]) is None:
            yield f"a grouping by `{key}`, whose values nobody knows beforehand,", groups.id
    if _selects(groups):
        if section.delta_per_release == "off" or section.mechanism == LOCAL:
            yield f"a result of {_cells(groups)} cells, more than {MOST_CELLS}, without delta-per-release", groups.id
        elif groups.rows > MOST_ROWS:
            yield f"a result of up to {groups.rows} cells, more than {MOST_ROWS},", groups.id


def _back(plan: Plan, release: Release, groups: str) -> Iterator[Step]:
    """The steps between the last aggregation and the release."""
    step: Step = plan.step(release.inputs[0])
    while step.id != groups:
        yield step
        step = plan.step(step.inputs[0])


def _rows(plan: Plan, groups: AggregateStep) -> Union | None:
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


def _clips(case: Case, output: Output, groups: AggregateStep) -> Iterator[Finding]:
    """Every column that is summed up has bounds in this policy."""
    for aggregate, column in _summed(case, groups):
        if aggregate not in {each.name for each in output.release.columns}:
            continue
        table, name = column
        path: Path = ("data", "tables", table, "columns", name, "clip") if name else ("data", "tables", table)
        if not name:
            yield forbid(
                "noise", path, f"`{aggregate}` is the sum of something computed, for which there are no bounds",
                "ask for the SUM or AVG of a column", step=groups.id,
            )  # fmt: skip
        elif clip_of(case, table, name) is None:
            yield forbid(
                "noise", path, f"`{name}` has no clip bounds that the owners agree on, so that no noise would hide a"
                " contributor", "an officer writes `clip: {lo: ..., hi: ...}`", step=groups.id, column=name,
            )  # fmt: skip


def _summed(case: Case, groups: AggregateStep) -> Iterator[tuple[str, tuple[str, str]]]:
    """The sums of columns by name, with table and column of what is summed ("" for something computed)."""
    below = _rows(case.plan, groups)
    share = case.plan.step(below.inputs[0]) if below is not None else None
    local = _first_aggregation(case.plan, share) if share is not None else None
    if local is None:
        return
    table = scanned(case.plan, local.id).table
    for part in local.aggregates:
        if part.function == "sum":
            yield part.name, (table, _source(case.plan, local, part))


def _first_aggregation(plan: Plan, step: Step) -> AggregateStep | None:
    """The aggregation of an owner's chain that stands next to the scan."""
    found = None
    for _ in plan.steps:  # a malformed plan may go round in circles
        if len(step.inputs) != 1:
            break
        step = plan.step(step.inputs[0])
        found = step if isinstance(step, AggregateStep) else found
    return found


def _source(plan: Plan, local: AggregateStep, part: Aggregate) -> str:
    """The table's column that an owner's part adds up, "" if it is computed from columns."""
    project = plan.step(local.inputs[0])
    if not isinstance(project, Project):
        return part.column
    expression = next(each.expression for each in project.expressions if each.name == part.column)
    return expression.column if isinstance(expression, Ref) else ""


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


# --- the final plan -------------------------------------------------------------------------------------


def _kept(case: Case, sound: bool, section: Section, path: Path, step: str) -> Iterator[Finding]:
    """A plan with noise opens nothing without it, bounds each entity as it says, and costs no more than is granted."""
    if not sound:
        yield forbid("noise", path, "the plan's noise is not what the plan says it is", "plan it again", step=step)
    elif not charge_of(case.plan).within(grant_of(section).per_release):
        yield forbid(
            "noise", path, f"the release costs more than rho {section.rho_per_release} and delta"
            f" {section.delta_per_release}", "ask for a larger error", step=step,
        )  # fmt: skip


def _sound_on_shares(case: Case, output: Output, groups: AggregateStep, section: Section) -> bool:
    made = case.plan.step(output.release.inputs[0])
    numbers = {column.name for column in output.release.columns} - set(groups.keys)
    return (
        isinstance(made, Noise)
        and isinstance(case.plan.step(made.inputs[0]), Control)
        and numbers | _counted(made) == {each.column for each in made.noised}
        and _shows(made, groups)
        and all(each.sensitivity >= _change(case, made, groups, each.column, section) for each in made.noised)
    )


def _sound_at_owners(case: Case, output: Output, groups: AggregateStep, section: Section) -> bool:
    """Every owner's part goes through bounds, sums and noise of its own, and nothing but these is added up."""
    rows = _rows(case.plan, groups)
    numbers = {column.name for column in output.release.columns} - set(groups.keys)
    if rows is None or numbers != {each.name for each in groups.aggregates}:
        return False
    if any(each.function != "sum" or each.column != each.name for each in groups.aggregates):
        return False
    for source in rows.inputs:
        made = case.plan.step(case.plan.step(source).inputs[0])
        if not isinstance(made, Noise) or made.rows != _cells(groups) or made.selection is not None:
            return False
        sums = case.plan.step(made.inputs[0])
        if not isinstance(sums, AggregateStep) or sums.keys != groups.keys:
            return False
        if numbers != {each.column for each in made.noised}:
            return False
        if any(each.sensitivity < _change(case, made, sums, each.column, section) for each in made.noised):
            return False
    return True


def _selects(groups: AggregateStep) -> bool:
    """Whether the groups' values are too many to be all released."""
    cells = _cells(groups)
    return cells is not None and cells > MOST_CELLS


def _counted(made: Noise) -> set[str]:
    return {made.selection.column} if made.selection is not None else set()


def _shows(made: Noise, groups: AggregateStep) -> bool:
    """Whether all cells of the public domain are there, or those that a threshold worth its delta selects."""
    selection = made.selection
    if selection is None:
        return made.rows == _cells(groups)
    counts = next((each for each in groups.aggregates if each.name == selection.column), None)
    noised = next((each for each in made.noised if each.column == selection.column), None)
    if counts is None or noised is None or counts.function != "count-entities" or counts.excluding:
        return False
    # one entity changes the number of entities by 1 in each of its cells
    return made.rows == groups.rows and selection.delta >= selection_delta(
        selection.minimum, noised.variance, noised.sensitivity
    )


def _change(case: Case, made: Noise, groups: AggregateStep, name: str, section: Section) -> float:
    """By how much one entity changes a column, squared; infinite if nothing in the plan bounds it by this policy.

    ``groups`` is the aggregation behind the bounds: on shares, or an owner's own.
    """
    bound = case.plan.step(groups.inputs[0])
    unit = case.world.privacy_units(case.plan.purpose)
    if not isinstance(bound, Bound):
        return float("inf")
    table = _table(case.plan, bound)
    of_unit = bound.entity == unit.get(table, "") and groups.entity in ("", bound.entity)
    if bound.keys != groups.keys or not of_unit or not 0 <= bound.cells <= section.cells_per_unit:
        return float("inf")
    cells = bound.cells or (made.rows if made.selection is None else _cells(groups) or 0)
    if cells > section.cells_per_unit:
        return float("inf")
    aggregate = next(each for each in groups.aggregates if each.name == name)
    if aggregate.function == "count-entities":
        return cells
    clip = next((each for each in bound.clips if each.column == aggregate.column), None)
    if clip is None:
        return float("inf")
    granted = _granted(case, bound, aggregate.column, section)
    if granted is None or not granted[0] <= clip.lo <= clip.hi <= granted[1]:
        return float("inf")
    return cells * max(abs(clip.lo), abs(clip.hi)) ** 2


def _granted(case: Case, bound: Bound, part: str, section: Section) -> tuple[int, int] | None:
    """The widest bounds of a part that this policy allows."""
    source = dict(_parts(case.plan, bound)).get(part)
    return (0, section.rows_per_cell) if source is None else clip_of(case, *source)


def _table(plan: Plan, step: Step) -> str:
    """The one table whose rows reach a step; "" if they are of several."""
    found = {scanned(plan, leaf.id).table for leaf in _leaves(plan, step)}
    return found.pop() if len(found) == 1 else ""


def _leaves(plan: Plan, step: Step) -> list[AggregateStep]:
    """The owners' aggregations by cell and entity that a bound step reads."""
    if isinstance(step, AggregateStep):
        return [step]
    return [leaf for source in step.inputs for leaf in _leaves(plan, plan.step(source))]


def _parts(plan: Plan, bound: Bound) -> Iterator[tuple[str, tuple[str, str]]]:
    """The parts that are sums of a column, with table and column ("" for something computed)."""
    local = next(iter(_leaves(plan, bound)), None)
    if local is not None:
        table = scanned(plan, local.id).table
        for part in local.aggregates:
            if part.function == "sum":
                yield part.name, (table, _source(plan, local, part))


def _cells(groups: AggregateStep) -> int | None:
    columns = {column.name: column for column in groups.columns}
    keys: list[Column] = [columns[key] for key in groups.keys]
    return domain_cells(keys)


RULES = (Rule(("noise",), noise),)
