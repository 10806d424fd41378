"""Quantiles where noise is obliged: numbers of rows in public bins are counted instead, and get the noise."""

from dataclasses import replace

from consortia.plans.draft import Draft
from consortia.plans.histogram import bounds_of_clip, cells_of, column_of, counted, histogram_of, wants_histogram


def count_in_bins(draft: Draft) -> Draft:
    """The draft with a histogram's query and what was asked of it; RequestError ``plans/noise`` if none will do."""
    terms, query = draft.obligations.noise, draft.query
    if terms is None or not wants_histogram(query):
        return draft
    column = column_of(query)
    bounds = bounds_of_clip(terms, query.table, column, draft.row_types[column])
    names = draft.names()
    fresh = (names.fresh(f"bin_{column}"), names.fresh("rows"))
    made = histogram_of(query, bounds, cells_of(query.keys, draft.row_columns), fresh)
    nullable = draft.row_columns[column].nullable
    return replace(draft, query=counted(query, column, made, bounds, nullable=nullable), histogram=made)
