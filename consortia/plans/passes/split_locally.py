"""The owners' parts: scan, filter, project, pre-aggregate and share, in clear, where the data lives.

Rows are pre-aggregated to (group keys, privacy unit): sums and counts of parts add up to those of the whole, so
what is shared grows with groups and entities, not with raw rows, and each member has one row a group and entity.
"""

from consortia.plans.columns import Column
from consortia.plans.draft import Draft
from consortia.plans.expressions import Expr, columns_of
from consortia.plans.local import LocalShape, local_shape
from consortia.plans.model import AggregateStep, Filter, Project, Scan, Share, Step
from consortia.plans.sql import bind_predicate
from consortia.plans.variants import with_steps


def split_locally(draft: Draft) -> Draft:
    """The draft with one chain of steps for each owner, in the order of their ids."""
    if draft.query.relation is not None:
        return draft
    shape = local_shape(draft)
    for owner in draft.owners:
        draft = with_steps(draft, *_chain(draft, owner, shape, first=len(draft.steps)))
    return draft


def _filters(draft: Draft, owner: str) -> list[tuple[str, Expr]]:
    """What keeps rows out, with its origin: the catalogue's predicate, the owner's scopes, the query."""
    table, environment = draft.table, draft.environment
    found: list[tuple[str, Expr]] = []
    if table.canonical and not draft.query.owner:
        canonical = bind_predicate(
            table.canonical, table, draft.catalogue, environment.as_of, what="the canonical predicate"
        )
        found.append(("canonical", canonical))
    found += [
        ("row-scope", scope.predicate)
        for scope in draft.obligations.row_scopes
        if (scope.owner, scope.table) == (owner, table.name)
    ]
    if draft.query.where is not None:
        found.append(("where", draft.query.where))
    return found


def _chain(draft: Draft, owner: str, shape: LocalShape, first: int) -> list[Step]:
    filters = _filters(draft, owner)
    steps: list[Step] = []

    def place() -> dict[str, object]:
        """Id, input and place of the next step; sizes are set by ``count_rows``."""
        number = first + len(steps)
        inputs = (steps[-1].id,) if steps else ()
        return {"id": f"s{number}", "inputs": inputs, "at": f"owner:{owner}", "rows": 0}

    read = set().union(
        *(columns_of(predicate) for _, predicate in filters), *(columns_of(e.expression) for e in shape.projected)
    )
    types = draft.row_types
    columns = tuple(Column(name=name, type=types[name]) for name in types if name in read)
    steps.append(Scan.model_validate({**place(), "columns": columns, "table": draft.query.table}))
    for origin, predicate in filters:
        step = {**place(), "columns": columns, "predicate": predicate, "origin": origin}
        steps.append(Filter.model_validate(step))
    if shape.projected or not draft.obligations.pre_aggregate:
        columns = shape.projected_columns
        steps.append(Project.model_validate({**place(), "columns": columns, "expressions": shape.projected}))
    if draft.obligations.pre_aggregate:
        columns = shape.shared_columns
        aggregation = {
            "columns": columns, "keys": shape.local_keys, "entity": shape.counted, "aggregates": shape.partials,
        }  # fmt: skip
        steps.append(AggregateStep.model_validate({**place(), **aggregation}))
    steps.append(Share.model_validate({**place(), "columns": columns, "owner": owner}))
    return steps
