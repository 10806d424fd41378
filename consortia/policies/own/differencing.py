"""The differencing guard: no answer may be subtracted from earlier ones so that a few contributors are left.

Decided from plans alone, so that a denial tells nothing of data (simulatable auditing: Kenthapadi, Mishra and Nissim,
PODS 2005). Two releases of exact cells over the same snapshots are *compatible* if

1. they are of disjoint rows: the same source under conditions that no row meets together, by one catalogue, and no
   number that is opened is made of what a join or window repeats in several rows, or
2. they are of the same rows, in the same cells, both or neither with complementary suppression, or
3. they are of the same rows, both with complementary suppression, the cells of one part those of the other, and all
   their numbers are sums of values that are not negative.

A plan is permitted if it is compatible with every release that this owner remembers over one of its snapshots, and its
own releases with each other. Theorem: no difference of opened cells then leaves so few contributors that it would have
been suppressed. Rows of releases that are compatible are disjoint or the same. What differs between disjoint rows is a
difference of values of other rows, and none of these is taken to be known from another row: a table that repeats a
value itself, such as a balance in each month, is not protected from that. Of the same rows there is either one
partition into cells, whose combinations are made of whole cells that passed each; or a chain of finer and finer tables
with complementary suppression, of which ``protocols.relational.complementary`` proves that no failing cell follows.
Everything else is denied, also where it would have done no harm: what queries have in common is not found out from
data. (A cell is said to fail if it fails for every recipient: what one member may see, others may learn from it.)

Over newer snapshots of a table the same question is a new one, whose difference from the old is what has changed since;
another question over rows that overlap is answered from data that may hardly have changed. How much has must not be
decided from data: the policy says how many days lie between (``new-data-days``, ``other-rows-days``).
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from consortia.plans.model import Plan, Release, Scan
from consortia.plans.steps_of_noise import Noise
from consortia.plans.types import ColumnType
from consortia.policies.flow.apart import are_apart
from consortia.policies.flow.populations import Cells, cells_of
from consortia.policies.history import ReleasedQuery
from consortia.policies.language.model import Guard
from consortia.policies.own.case import OwnCase, OwnFinding
from consortia.policies.own.data import tables_needed

CODE = "policies/differencing"
GUARDED = ("count", "aggregate")
"""Kinds of output that are numbers over groups; alerts and scores go to the owners of their rows alone."""


def differencing(case: OwnCase) -> OwnFinding | None:
    """Deny what could be subtracted from an earlier answer, or what asks of newer rows too soon."""
    guards = tuple(_guards(case))
    if not guards:
        return None
    new = _guarded(case.plan)
    between = (_conflict(cells, other) for place, cells in enumerate(new) for other in new[:place])
    if (why := next(filter(None, between), None)) is not None:
        return _denied(f"two outputs of the plan: {why}")
    same = max(guard.new_data_days for guard in guards)
    others = max(guard.other_rows_days for guard in guards)
    against = (_against(case, new, earlier, same, others) for earlier in case.history)
    return next(filter(None, against), None)


def is_guarded(case: OwnCase) -> bool:
    """Whether earlier answers matter for the plan: only then need they be read."""
    return bool(tuple(_guards(case)))


def _against(
    case: OwnCase, new: tuple[Cells, ...], earlier: ReleasedQuery, same: int, others: int
) -> OwnFinding | None:
    """What stands in the way of ``new`` by one earlier answer; over newer rows it waits ``same`` or ``others`` days."""
    tables = tables_needed(case.plan, case.owner, case.catalogue)
    shared = {root.table: root.root for root in earlier.snapshots if root.table in tables}
    old = _guarded(earlier.plan) if shared else ()
    redefined = _redefined(case, earlier)
    # conditions say nothing of which rows they choose where their columns may mean something else
    meeting = [
        (cells, other) for cells in new for other in old if redefined is not None or not _are_disjoint(cells, other)
    ]
    if not meeting:
        return None
    why = next(filter(None, (_conflict(*pair) for pair in meeting)), None) or redefined
    renewed = sorted(table for table, root in shared.items() if case.registered.get(table) != root)
    if why is not None and len(renewed) < len(shared):
        return _denied(f"{why}; compare session {earlier.session}")
    days = same if why is None else others
    if renewed and case.now < earlier.at + timedelta(days=days):
        return _too_soon(earlier, renewed, days, why)
    return None


def _redefined(case: OwnCase, earlier: ReleasedQuery) -> str | None:
    """Whether a local table may mean other rows than it did, since the catalogue has changed."""
    if earlier.plan.catalogue == case.plan.catalogue:
        return None
    now, before = _types(case.plan), _types(earlier.plan)
    if not all(_reads_alike(now[name], before[name]) for name in now.keys() & before.keys()):
        return "the catalogue has changed, and a condition may choose other rows by the same words than it did"
    data = {root.table for root in earlier.snapshots}
    now_local = {table.name for table in case.catalogue.tables if table.definition}
    scanned = {step.table for plan in (case.plan, earlier.plan) for step in plan.steps if isinstance(step, Scan)}
    if scanned <= data - now_local:
        return None
    return "the catalogue has changed, and a table that members compute may hold other rows than it did"


def _types(plan: Plan) -> Mapping[tuple[str, str], ColumnType]:
    scans = (step for step in plan.steps if isinstance(step, Scan))
    return {(scan.table, column.name): column.type for scan in scans for column in scan.columns}


def _reads_alike(one: ColumnType, other: ColumnType) -> bool:
    """Whether a constant means the same in columns of both types; conditions hold the places of an enum's words."""
    known = min(len(one.values), len(other.values))
    same = one.values[:known] == other.values[:known]
    return same and one.model_copy(update={"values": ()}) == other.model_copy(update={"values": ()})


def _guards(case: OwnCase) -> Iterator[Guard]:
    # by the releases alone: what is not guarded need not be a plan whose populations can be followed
    for step in case.plan.steps:
        section = case.policy.cell_output(step.output_kind) if isinstance(step, Release) else None
        if section is not None and isinstance(section.differencing, Guard):
            yield section.differencing


def _guarded(plan: Plan) -> tuple[Cells, ...]:
    """The exact outputs of a plan; what numbers with noise tell together is the ledger's business (``own.budget``)."""
    if any(isinstance(step, Noise) for step in plan.steps):
        return ()
    if not any(isinstance(step, Release) and step.output_kind in GUARDED for step in plan.steps):
        return ()  # payments may be followed in it, of which no populations are known
    return tuple(cells for cells in cells_of(plan) if cells.release.output_kind in GUARDED)


def _conflict(new: Cells, old: Cells) -> str | None:
    """Why two releases over the same snapshots are not compatible; None if they are."""
    if _are_disjoint(new, old):
        return None
    if not new.of_same_rows(old):
        return (
            "it is of other rows than an earlier answer, which overlap with them, so a few could be left between both"
        )
    if new.hides != old.hides:
        return "it is of the same rows as an earlier answer, and one of both hides cells that the other may show"
    if new.keys == old.keys or _in_chain(new, old):
        return None
    return "it parts the rows of an earlier answer into other cells, and a suppressed cell could follow from both"


def _are_disjoint(one: Cells, other: Cells) -> bool:
    if one.repeats or other.repeats:
        return False
    return one.source == other.source and are_apart(one.conditions.values(), other.conditions.values())


def _in_chain(one: Cells, other: Cells) -> bool:
    """Whether cells of one table part those of the other, and what both hide was chosen so that none follows."""
    nested = one.keys <= other.keys or other.keys <= one.keys
    sums = all(cells.is_additive and cells.is_positive for cells in (one, other))
    return one.hides and other.hides and nested and sums


def _denied(text: str) -> OwnFinding:
    return OwnFinding(
        "deny",
        CODE,
        text,
        "ask for the same rows in the same cells as before, or for rows that the earlier answer left out by its WHERE",
    )


def _too_soon(earlier: ReleasedQuery, tables: list[str], days: int, why: str | None) -> OwnFinding:
    changed = f"{', '.join(tables)} changed after session {earlier.session}"
    what = "the difference of both answers would be what changed" if why is None else f"perhaps by little, and {why}"
    return OwnFinding("deny", CODE, f"{changed}; {what}: {days} days must lie between", f"ask again after {days} days")
