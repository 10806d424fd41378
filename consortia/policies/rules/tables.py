"""Which tables take part, with which of their rows, and who counts as one contributor."""

from collections.abc import Iterator

from consortia.errors import RequestError
from consortia.ids import member_of
from consortia.plans.expressions import Expr
from consortia.plans.model import Filter, Plan, Scan, Union
from consortia.plans.sql import bind_predicate
from consortia.plans.steps_of_models import Fit, Weights
from consortia.plans.steps_of_networks import Match, Propagate
from consortia.policies.flow.entities import every_column, identifying
from consortia.policies.lineage import RowKinds
from consortia.policies.rules.base import Case, Finding, Rule, forbid, listed, permit

ALL_ROWS = "all"


def table(case: Case) -> Iterator[Finding]:
    """Every table that is read stands in the policy, in the catalogue, and is held by the owner."""
    path = ("data", "tables")
    for name in case.tables():
        entry, known = case.policy_table(name), case.catalogue_table(name)
        if entry is None:
            yield forbid(
                "table", path, f"the table `{name}` is not permitted",
                f"the policy permits {listed(case.policy.data.tables)}",
            )  # fmt: skip
        elif known is None or case.owner not in known.holders:
            yield forbid("table", (*path, name), f"`{case.owner}` holds no table `{name}`", "ask its holders' tables")
        else:
            unknown = entry.columns.keys() - {column.name for column in known.columns}
            if unknown:
                yield forbid(
                    "table", (*path, name, "columns"), f"the policy speaks of {listed(unknown)},"
                    f" which `{name}` does not have", "an officer corrects the policy",
                )  # fmt: skip
            yield permit("table", (*path, name), f"the table `{name}` may be used")
    yield from _parts_of_members(case)


def _parts_of_members(case: Case) -> Iterator[Finding]:
    """One member's part of a table is asked for alone, never met with rows of others: it would be read row by row.

    Only the part of the member that asks may meet them, in alerts which that member alone receives: it knows its own
    book. Nothing is followed along it, and no model learns from it: what payments or examples there are would be cut
    down to the rows that the member chose, and tell of others' one by one.
    """
    if len(case.plan.owners()) == 1:
        return
    own = _own_alerts(case)
    for step in case.plan.steps:
        if not isinstance(step, Union) or not step.owners:
            continue
        for name in sorted({scanned(case.plan, source).table for source in step.inputs}):
            known = case.catalogue_table(name)
            whole = known is not None and set(step.owners) == set(known.holders)
            if not whole and (set(step.owners) != own or _is_followed(case.plan, step.id)):
                yield forbid(
                    "table", ("data", "tables", name), f"rows of `{name}` at {listed(step.owners)} alone would meet"
                    " rows of others, which picks out single members: their books would be read one by one",
                    "ask for the table of all members", step=step.id,
                )  # fmt: skip


def _is_followed(plan: Plan, step_id: str) -> bool:
    """Whether a spec follows or learns from rows of the step; accounts of a pattern, which are only told, aside."""
    reached = {step_id}
    for step in plan.steps:  # inputs stand before the steps that read them
        if not reached & set(step.inputs):
            continue
        if isinstance(step, Propagate | Fit | Weights) or (isinstance(step, Match) and reached & set(step.inputs[1:])):
            return True
        reached.add(step.id)
    return False


def _own_alerts(case: Case) -> set[str]:
    """The member that asks, if all that comes out are alerts to that member alone; nobody otherwise."""
    asking = {str(member_of(case.plan.submitter))}
    outputs = case.flow.outputs
    alone = all(
        output.kind == "alert" and {recipient.member for recipient in output.release.recipients} == asking
        for output in outputs
    )
    return asking if outputs and alone else set()


def scanned(plan: Plan, step_id: str) -> Scan:
    """The scan that a step at an owner reads from; ValueError for a step of another shape."""
    step = plan.step(step_id)
    for _ in plan.steps:  # a malformed plan may go round in circles
        if isinstance(step, Scan) or len(step.inputs) != 1:
            break
        step = plan.step(step.inputs[0])
    if not isinstance(step, Scan):
        raise ValueError(f"the step {step_id} reads no table")
    return step


def row_scope(case: Case) -> Iterator[Finding]:
    """The owner's row scope can be applied, and every filter in the owner's name is exactly what was signed."""
    for name in case.tables():
        path = ("data", "tables", name, "rows")
        entry = case.policy_table(name)
        if entry is None:
            continue  # rule `table` forbids
        try:
            scope = bound_scope(case, name)
            canonical = bound_canonical(case, name)
        except RequestError as error:
            yield forbid("row-scope", path, f"the row scope can't be applied: {error}", "an officer corrects it")
            continue
        for step in case.plan.steps:
            if not isinstance(step, Filter) or step.at != f"owner:{case.owner}":
                continue
            if scanned(case.plan, step.id).table == name:
                signed = {"row-scope": scope, "canonical": canonical}.get(step.origin, step.predicate)
                if step.predicate != signed:
                    yield forbid(
                        "row-scope", path, f"a filter is called {step.origin} and differs from what was signed",
                        "plan the query again", step=step.id,
                    )  # fmt: skip
        yield permit("row-scope", path, "all rows" if scope is None else f"rows where {entry.rows.strip()}")


def bound_scope(case: Case, name: str) -> Expr | None:
    """The row scope of one table as an expression, None for all rows. Raises RequestError if it can't be bound."""
    entry, known = case.policy_table(name), case.catalogue_table(name)
    if entry is None or known is None or entry.rows.strip() == ALL_ROWS:
        return None
    return bind_predicate(entry.rows, known, case.world.catalogue, case.plan.as_of, what="the row scope")


def bound_canonical(case: Case, name: str) -> Expr | None:
    """The catalogue's canonical predicate of one table, None where it has none."""
    known = case.catalogue_table(name)
    if known is None or not known.canonical:
        return None
    return bind_predicate(known.canonical, known, case.world.catalogue, case.plan.as_of, what="the canonical predicate")


def privacy_unit(case: Case) -> Iterator[Finding]:
    """The privacy unit is a key of each table, all owners name the same, and every row of an output is of one unit.

    Tables, whoever holds them, may have different units where no contributors are counted: where every output is an
    alert or a score.
    """
    counted = not case.flow.outputs or any(output.kind not in RowKinds for output in case.flow.outputs)
    units = set(_units(case))
    if counted and len(units) > 1:
        yield forbid(
            "privacy-unit", ("data", "tables"), f"the plan reads tables whose contributors are {listed(units)}",
            "ask one table at a time",
        )  # fmt: skip
    for name in case.tables():
        entry, known = case.policy_table(name), case.catalogue_table(name)
        if entry is None or known is None:
            continue  # rule `table` forbids
        path = ("data", "tables", name, "privacy-unit")
        unit = entry.privacy_unit
        column = next((column for column in known.columns if column.name == unit), None)
        if column is None or column.type.kind != "key":
            yield forbid("privacy-unit", path, f"`{unit}` is no key column of `{name}`", "an officer corrects it")
        yield from _other_units(case, name, unit)
        yield permit("privacy-unit", path, f"contributors are counted by `{unit}`")
    yield from _rows_of_one(case)


def _units(case: Case) -> Iterator[str]:
    """The privacy units of all tables that the plan reads, each as its owners' policies name it."""
    for owner, names in case.flow.tables.items():
        for loaded in case.world.policies_of(owner, case.plan.purpose):
            yield from (table.privacy_unit for name, table in loaded.policy.data.tables.items() if name in names)


def _other_units(case: Case, name: str, unit: str) -> Iterator[Finding]:
    for other in case.plan.owners():
        for loaded in case.world.policies_of(other, case.plan.purpose):
            theirs = loaded.policy.data.tables.get(name)
            if theirs is not None and theirs.privacy_unit != unit:
                yield forbid(
                    "privacy-unit", ("data", "tables", name, "privacy-unit"), f"`{case.owner}` counts contributors by"
                    f" `{unit}` and `{other}` by `{theirs.privacy_unit}`", "the owners agree on one privacy unit",
                )  # fmt: skip


def _rows_of_one(case: Case) -> Iterator[Finding]:
    """All data in a row of an alert or score is of one privacy unit: the one whose key is opened."""
    units = case.world.privacy_units(case.plan.purpose)

    def unit(scan: Scan) -> frozenset[str]:
        # other rules deny a table of which no unit is known
        return frozenset((units[scan.table],)) if scan.table in units else every_column(scan)

    for output in case.flow.outputs:
        if output.groups is None or output.kind not in RowKinds:
            continue  # rules `output-kind` and `minimum-entities` decide these
        opened = {column.name for column in output.release.columns if column.type.kind == "key"}
        if not opened & output.keys & identifying(case.plan, unit)[output.groups.id]:
            yield forbid(
                "privacy-unit", ("outputs", output.kind), f"the {output.kind} would be made of rows of other entities"
                " than the one whose key it opens", "open the key of the privacy unit, join by it, and keep it in every"
                " nested GROUP BY", step=output.groups.id,
            )  # fmt: skip


RULES = (Rule(("table",), table), Rule(("row-scope",), row_scope), Rule(("privacy-unit",), privacy_unit))
