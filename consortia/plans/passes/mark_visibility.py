"""Who sees each column of each step in clear: its owner, nobody, or the recipient."""

from dataclasses import replace
from typing import Literal

from consortia.plans.draft import Draft
from consortia.plans.model import Release, Share, Step
from consortia.plans.variants import with_column, with_columns


def mark_visibility(draft: Draft) -> Draft:
    """The draft with the visibility of every column."""
    return replace(
        draft,
        steps=tuple(
            with_columns(step, tuple(with_column(column, visibility=_visible(step)) for column in step.columns))
            for step in draft.steps
        ),
    )


def _visible(step: Step) -> Literal["owner", "nobody", "recipient"]:
    if isinstance(step, Release) or step.at == "recipient":
        return "recipient"
    return "nobody" if step.at == "shared" or isinstance(step, Share) else "owner"
