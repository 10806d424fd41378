"""Noise: which outputs get it, that it can protect them, and that a final plan has as much as was promised.

An output has noise if the policies of all owners say so: then no cell is suppressed by exact counts, and nothing exact
of it is opened. Owners that disagree permit nothing, so that neither's protection silently gives way to the other's.
What protects is recomputed from the steps of the final plan (``noise_kept``). Bounds that are not there give no noise:
such an output is denied.
"""

from collections.abc import Iterator

from consortia.plans.model import Aggregate, AggregateStep, Filter, Limit, Plan, Release, Step
from consortia.plans.noisy_steps import MOST_CELLS, MOST_ROWS, domain_cells
from consortia.plans.steps_of_noise import Noise
from consortia.policies.accounting import charge_of, grant_of
from consortia.policies.language.model import CellOutput
from consortia.policies.language.model import Noise as Section
from consortia.policies.language.reader import Path
from consortia.policies.lineage import Output
from consortia.policies.rules.base import Case, Finding, Rule, forbid, listed, permit
from consortia.policies.rules.noise_kept import sound_at_owners, sound_on_shares
from consortia.policies.rules.noise_on_model import of_model
from consortia.policies.rules.noise_reading import cells_of, clip_of, rows_of, selects, summed, traced

ASK = "ask for SUM, AVG, COUNT or COUNT(DISTINCT unit) of one table, grouped by columns of few known values"
LOCAL = "local-discrete-gaussian"
OF_VALUES = ("quantile", "median")


def noise(case: Case) -> Iterator[Finding]:
    """Each output over cells has noise by all policies or by none, and what noise needs; each model has it."""
    for output in case.flow.outputs:
        if output.kind == "model":
            yield from of_model(case, output)
            continue
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
        sound = sound_at_owners if section.mechanism == LOCAL else sound_on_shares
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
    opened = {column.name for column in output.release.columns} - set(groups.keys)
    numbers = [aggregate for aggregate in groups.aggregates if aggregate.name in opened]
    if any(aggregate.function in OF_VALUES for aggregate in numbers):
        yield from _of_values(case, groups, numbers)
        return
    if rows_of(case.plan, groups) is None:
        yield "a query over several relations, of ordered or of distinct values", groups.id
    able = ("sum",) if section.mechanism == LOCAL else ("sum", "count-entities")
    for aggregate in numbers:
        if aggregate.function not in able or aggregate.excluding:
            yield f"`{aggregate.function}`", groups.id


def _of_values(case: Case, groups: AggregateStep, numbers: list[Aggregate]) -> Iterator[tuple[str, str]]:
    """Quantiles are read off numbers of rows in bins within the column's bounds, by the recipient."""
    sources = {traced(case.plan, groups, aggregate.column) for aggregate in numbers}
    source = next(iter(sources))
    if len(sources) != 1 or source is None or any(each.function not in OF_VALUES for each in numbers):
        yield "quantiles beside anything else, or of something computed,", groups.id
        return
    table, column = source
    known = case.catalogue_table(table)
    entry = case.policy_table(table)
    kinds = {each.name: each.type.kind for each in known.columns} if known is not None else {}
    if kinds.get(column) != "int" or clip_of(case, table, column) is None:
        yield f"quantiles of `{column}`, which has no clip bounds that all agree on or is no whole number,", groups.id
    elif entry is None or "count" not in entry.operations:
        yield f"quantiles, which open numbers of rows of `{table}` in bins (operation `count`),", groups.id


def _unknown(groups: AggregateStep, section: Section) -> Iterator[tuple[str, str]]:
    """Groups of which nobody knows which there are, beyond what the policy lets select."""
    columns = {column.name: column for column in groups.columns}
    for key in groups.keys:
        if domain_cells([columns[key]]) is None:
            yield f"a grouping by `{key}`, whose values nobody knows beforehand,", groups.id
    if selects(groups):
        if section.delta_per_release == "off" or section.mechanism == LOCAL:
            yield f"a result of {cells_of(groups)} cells, more than {MOST_CELLS}, without delta-per-release", groups.id
        elif groups.rows > MOST_ROWS:
            yield f"a result of up to {groups.rows} cells, more than {MOST_ROWS},", groups.id


def _back(plan: Plan, release: Release, groups: str) -> Iterator[Step]:
    """The steps between the last aggregation and the release."""
    step: Step = plan.step(release.inputs[0])
    while step.id != groups:
        yield step
        step = plan.step(step.inputs[0])


def _clips(case: Case, output: Output, groups: AggregateStep) -> Iterator[Finding]:
    """Every column that is summed up has bounds in this policy."""
    for aggregate, column in summed(case, groups):
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


def _kept(case: Case, sound: bool, section: Section, path: Path, step: str) -> Iterator[Finding]:
    """A plan with noise opens nothing without it, bounds each entity as it says, and costs no more than is granted."""
    if not sound:
        yield forbid("noise", path, "the plan's noise is not what the plan says it is", "plan it again", step=step)
    elif not charge_of(case.plan).within(grant_of(section).per_release):
        yield forbid(
            "noise", path, f"the release costs more than rho {section.rho_per_release} and delta"
            f" {section.delta_per_release}", "ask for a larger error", step=step,
        )  # fmt: skip


RULES = (Rule(("noise",), noise),)
