"""The computers' part: union, sort by (keys, privacy unit), aggregate, HAVING."""

from consortia.plans.columns import Column
from consortia.plans.contributors import contributor_columns
from consortia.plans.draft import Draft
from consortia.plans.local import local_shape
from consortia.plans.meaning import BOOL, INT
from consortia.plans.model import AggregateStep, Filter, Share, Sort, SortKey, Step, Union
from consortia.plans.variants import with_steps


def combine_shares(draft: Draft) -> Draft:
    """The draft with the steps from the union to HAVING."""
    if draft.query.relation is not None:
        return draft
    shape = local_shape(draft)
    shares = [step for step in draft.steps if isinstance(step, Share)]
    steps: list[Step] = []

    def place() -> dict[str, object]:
        number = len(draft.steps) + len(steps)
        inputs = (steps[-1].id,) if steps else tuple(share.id for share in shares)
        return {"id": f"s{number}", "inputs": inputs, "at": "shared", "rows": 0}

    columns = shares[0].columns
    owners = tuple(share.owner for share in shares)
    steps.append(Union.model_validate({**place(), "columns": columns, "owners": owners}))
    keys = tuple(key.name for key in draft.query.keys)
    order = keys if shape.entity in keys or not shape.entity else (*keys, shape.entity)
    if order:
        sort_keys = tuple(SortKey(column=name) for name in order)
        steps.append(Sort.model_validate({**place(), "columns": columns, "keys": sort_keys}))
    aggregates = (*shape.merged, *contributor_columns(draft))
    types = {column.name: column.type for column in columns} | dict(draft.group_types)
    grouped = tuple(Column(name=name, type=types[name]) for name in keys) + tuple(
        Column(name=made.name, type=types.get(made.name, BOOL if made.function == "has-member" else INT))
        for made in aggregates
    )
    aggregation = {
        "columns": grouped, "keys": keys, "entity": shape.entity, "aggregates": aggregates,
        "unique_per_member": draft.obligations.pre_aggregate,
    }  # fmt: skip
    steps.append(AggregateStep.model_validate({**place(), **aggregation}))
    if draft.query.having is not None:
        having = {"columns": grouped, "predicate": draft.query.having, "origin": "having"}
        steps.append(Filter.model_validate({**place(), **having}))
    return with_steps(draft, *steps)
