"""What one owner promises about its rows: a join that takes columns of them may find each key once.

The owner looks before anything is shared. It alone learns which rows are at fault; the others are told the code.
"""

import polars as pl

from consortia.errors import OperatorError
from consortia.plans.expressions import Ref
from consortia.plans.model import Filter, Join, Limit, Plan, Project, Share, Sort, Step, Union, Window


def check_unique(plan: Plan, share: Share, frame: pl.DataFrame) -> None:
    """Raise OperatorError ``local/duplicate-keys`` if a join of ``plan`` relies on keys that the rows hold twice."""
    for step in plan.steps:
        if isinstance(step, Join) and step.uniqueness == "owner":
            keys = _columns_at(plan, plan.step(step.inputs[1]), [key.right for key in step.on], share)
            if keys is not None:
                _check(frame.select(keys).drop_nulls(), share, step)


def _columns_at(plan: Plan, step: Step, names: list[str], share: Share) -> list[str] | None:
    """The columns of ``share`` that stand under ``names`` in ``step``; None if ``step`` is not made of its rows."""
    if isinstance(step, Share):
        return names if step.id == share.id else None
    match step:
        case Project(expressions=expressions):
            sources = {
                named.name: named.expression.column for named in expressions if isinstance(named.expression, Ref)
            }
            if not sources.keys() >= set(names):
                return None
            names = [sources[name] for name in names]
        case Union() | Filter() | Sort() | Limit() | Window():
            pass  # these give no new keys
        case _:
            return None
    found = (_columns_at(plan, plan.step(source), names, share) for source in step.inputs)
    return next((columns for columns in found if columns is not None), None)


def _check(keys: pl.DataFrame, share: Share, join: Join) -> None:
    repeated = keys.height - keys.n_unique() if keys.width else max(0, keys.height - 1)
    if repeated:
        columns = ", ".join(f"`{name}`" for name in keys.columns)
        raise OperatorError(
            "local/duplicate-keys",
            f"{repeated} of {keys.height} rows of the local result repeat the key {columns} of another row, and a join "
            "takes columns by it",
            place=f"{share.id}, read by {join.id}",
            remedy="nothing was shared; correct the data, or have the query group the table by the key",
        )
