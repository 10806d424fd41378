"""Changed copies of drafts and steps: passes return new plans and never mutate."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from consortia.plans.columns import Column
from consortia.plans.model import Step

if TYPE_CHECKING:  # a draft itself needs changed columns
    from consortia.plans.draft import Draft


def with_query(draft: Draft, **changes: Any) -> Draft:
    """The draft with fields of its query changed; the new query is validated."""
    return replace(draft, query=type(draft.query)(**(dict(iter(draft.query)) | changes)))


def with_steps(draft: Draft, *steps: Step) -> Draft:
    """The draft with ``steps`` after its own."""
    return replace(draft, steps=(*draft.steps, *steps))


def with_columns(step: Step, columns: tuple[Column, ...]) -> Step:
    """The step with other columns."""
    return step.model_copy(update={"columns": columns})


def with_column(column: Column, **changes: Any) -> Column:
    """The column with fields changed; validated."""
    return Column(**(dict(iter(column)) | changes))
