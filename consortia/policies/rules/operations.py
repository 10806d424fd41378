"""Which operation may use which column: every requirement of the plan's flow needs a grant in the policy."""

from collections.abc import Iterator

from consortia.policies.language.reader import Path
from consortia.policies.language.values import CLASS_OPERATIONS
from consortia.policies.lineage import Requirement
from consortia.policies.rules.base import Case, Finding, Rule, forbid, permit

WORDS = {
    "filter": "select rows by",
    "group": "open, as a group key,",
    "count": "open the count of",
    "sum": "open the sum of",
    "compare": "compare an aggregate of",
    "alert": "open to its owners",
    "score": "open, beside an alert, a number made from",
    "join": "let rows meet by equal values of",
    "rank": "put rows in order by",
    "extreme": "open the least or greatest",
    "quantile": "open a quantile of",
    "variance": "open the sum of squares of",
    "trace": "follow from account to account",
    "train": "let a joint model learn from",
    "evaluate": "open numbers by bands of the scores of a model that learnt from",
    "count-members": "open the number of members with",
    "compare-members": "compare the number of members with",
    "member": "tell members apart in",
}


def operations(case: Case) -> Iterator[Finding]:
    """Grants and refusals, one finding for each distinct requirement on this owner's tables."""
    mine = [requirement for requirement in case.flow.requirements if requirement.owner == case.owner]
    seen: set[tuple[str, str, str]] = set()
    for requirement in mine:
        key = (requirement.table, requirement.column, requirement.operation)
        if key in seen and not requirement.why:
            continue
        seen.add(key)
        yield _decided(case, requirement)
    if case.owner not in case.plan.owners():
        yield forbid("operations", ("data", "tables"), f"`{case.owner}` is no owner of the plan", "plan it again")
    elif not mine:
        yield forbid("operations", ("data", "tables"), "the plan opens nothing of this owner", "ask for something")


def _decided(case: Case, requirement: Requirement) -> Finding:
    what = f"`{requirement.table}.{requirement.column}`" if requirement.column else f"rows of `{requirement.table}`"
    path, granted = _granted(case, requirement)
    act = f"{WORDS[requirement.operation]} {what}"
    if requirement.why:
        text, remedy = f"{requirement.subject} would {act}: {requirement.why}", "leave it out, or use WHERE or GROUP BY"
    elif requirement.operation not in granted:
        text = f"{requirement.subject} would {act}, which the policy does not permit"
        remedy = _remedy(case, requirement, granted)
    else:
        return permit("operations", path, f"may {act}")
    return forbid(
        "operations",
        path,
        text,
        remedy,
        step=requirement.step,
        column=f"{requirement.table}.{requirement.column}" if requirement.column else requirement.table,
        trail=requirement.trail,
    )


def _granted(case: Case, requirement: Requirement) -> tuple[Path, tuple[str, ...]]:
    """Where the policy speaks of the column, and what it permits there."""
    table = case.policy_table(requirement.table)
    path: Path = ("data", "tables", requirement.table)
    if table is None:
        return path, ()
    if not requirement.column:
        return (*path, "operations"), table.operations
    column = table.columns.get(requirement.column)
    path = (*path, "columns", requirement.column)
    return path, () if column is None else column.operations


def _remedy(case: Case, requirement: Requirement, granted: tuple[str, ...]) -> str:
    table = case.policy_table(requirement.table)
    if table is None:
        return "use a table that the policy permits"
    allowed = sorted(name for name, column in table.columns.items() if requirement.operation in column.operations)
    if requirement.column and allowed:
        return f"columns that permit it: {', '.join(allowed)}"
    if requirement.column and table.columns.get(requirement.column) is not None:
        column = table.columns[requirement.column]
        if requirement.operation not in CLASS_OPERATIONS[column.class_]:
            return f"leave it out: no policy can permit it for a column of class {column.class_}"
    return f"leave it out; permitted here: {', '.join(sorted(granted)) or 'nothing'}"


RULES = (Rule(("operations",), operations),)
