"""What a joint model is made of, and what its scores and the labels of rows tell from there on.

A score is made of what the model learnt (``learned``: of all rows alike) and of the row's own features (``scored``).
The label of a row, by which a model is judged, is ``judged`` from there on: numbers of it may be opened by bands of
many rows. A label that the query makes by a condition stays what it is, for it would pick out rows after contributors
are counted; so does ``held``, which is a condition of WHERE.
"""

from dataclasses import replace

from consortia.plans.steps_of_models import Fit, Score
from consortia.policies.flow.aggregation import HOLDS_VALUES
from consortia.policies.flow.following import telling
from consortia.policies.flow.sources import OF_ROWS, ROWS, ColumnSource, Kind, Sources
from consortia.policies.flow.stacking import Relation


def taught(names: tuple[str, ...], rows: Relation, step_id: str) -> tuple[Sources, Sources]:
    """Sources of what a model learns from, and what it is made of then; a constant in each row teaches nothing."""
    sources: Sources = frozenset().union(*(rows.columns[name] for name in names))
    return sources, _as("learned", sources, step_id)


def scored(step: Score, fit: Fit, rows: Relation, model: Relation) -> Relation:
    """Rows with the scores of the model ``fit``, which learnt from the same rows."""
    (of_model,) = model.columns.values()
    own = frozenset().union(*(rows.columns[name] for name in step.features))
    label = frozenset(_judged(source, step.id) for source in rows.columns[fit.label] if source.kind not in ROWS)
    columns = {**rows.columns, step.made: of_model | _as("scored", own, step.id), fit.label: label}
    return rows.with_columns(columns, rows.nulls)


def _judged(source: ColumnSource, step_id: str) -> ColumnSource:
    if source.kind in HOLDS_VALUES and source.form in ("plain", "linear"):
        return replace(source, kind="judged", form="plain", trail=(*source.trail, step_id))
    return replace(source, form="condition")


def _as(kind: Kind, sources: Sources, step_id: str) -> Sources:
    return frozenset(
        replace(
            source, column="" if source.kind in OF_ROWS else source.column,
            kind=kind, form="plain", trail=(*source.trail, step_id),
        )
        for source in telling(sources)
        if source.kind not in ROWS
    )  # fmt: skip
