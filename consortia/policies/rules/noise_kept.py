"""Whether a final plan with noise protects as much as it says, recomputed from its steps.

One entity's largest change of each number follows from the `bound` steps, within what the owner's policy grants; the
noise must be of columns that nothing else reaches, over all cells of a public domain or those that a threshold selects.
"""

from consortia.plans.model import AggregateStep, Control
from consortia.plans.steps_of_noise import Bound, Noise
from consortia.plans.zcdp import selection_delta
from consortia.policies.language.model import Noise as Section
from consortia.policies.lineage import Output
from consortia.policies.rules.base import Case
from consortia.policies.rules.noise_reading import cells_of, clip_of, parts_of, rows_of, table_of


def sound_on_shares(case: Case, output: Output, groups: AggregateStep, section: Section) -> bool:
    """Whether every number has noise of the computers, hides an entity as it says, and all cells or a choice show."""
    made = case.plan.step(output.release.inputs[0])
    numbers = {column.name for column in output.release.columns} - set(groups.keys)
    return (
        isinstance(made, Noise)
        and made.keys == groups.keys
        and isinstance(case.plan.step(made.inputs[0]), Control)
        and numbers | _counted(made) == {each.column for each in made.noised}
        and _shows(made, groups)
        and all(each.sensitivity >= _change(case, made, groups, each.column, section) for each in made.noised)
    )


def sound_at_owners(case: Case, output: Output, groups: AggregateStep, section: Section) -> bool:
    """Every owner's part goes through bounds, sums and noise of its own, and nothing but these is added up."""
    rows = rows_of(case.plan, groups)
    numbers = {column.name for column in output.release.columns} - set(groups.keys)
    if rows is None or numbers != {each.name for each in groups.aggregates}:
        return False
    if any(each.function != "sum" or each.column != each.name for each in groups.aggregates):
        return False
    for source in rows.inputs:
        made = case.plan.step(case.plan.step(source).inputs[0])
        if (
            not isinstance(made, Noise)
            or made.keys != groups.keys
            or made.rows != cells_of(groups)
            or made.selection is not None
        ):
            return False
        sums = case.plan.step(made.inputs[0])
        if not isinstance(sums, AggregateStep) or sums.keys != groups.keys:
            return False
        if numbers != {each.column for each in made.noised}:
            return False
        if any(each.sensitivity < _change(case, made, sums, each.column, section) for each in made.noised):
            return False
    return True


def _counted(made: Noise) -> set[str]:
    return {made.selection.column} if made.selection is not None else set()


def _shows(made: Noise, groups: AggregateStep) -> bool:
    """Whether all cells of the public domain are there, or those that a threshold worth its delta selects."""
    selection = made.selection
    if selection is None:
        return made.rows == cells_of(groups)
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
    table = table_of(case.plan, bound)
    of_unit = bound.entity == unit.get(table, "") and groups.entity in ("", bound.entity)
    if bound.keys != groups.keys or not of_unit or not 0 <= bound.cells <= section.cells_per_unit:
        return float("inf")
    cells = bound.cells or (made.rows if made.selection is None else cells_of(groups) or 0)
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
    source = dict(parts_of(case.plan, bound)).get(part)
    return (0, section.rows_per_cell) if source is None else clip_of(case, *source)
