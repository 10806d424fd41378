"""Queries over one table that need more than sums and counts: their table is read as a relation of one node.

Minimum, maximum, quantiles, median, distinct values and LIMIT are planned where relations are.
"""

from consortia.plans.draft import Draft
from consortia.plans.query import Filtered, Relation, TableRows
from consortia.plans.variants import with_query

BEYOND_SUMS = ("min", "max", "quantile", "median", "count-distinct")


def read_as_relation(draft: Draft) -> Draft:
    """The draft over a relation if its query needs one."""
    query = draft.query
    wanted = query.limit is not None or any(made.function in BEYOND_SUMS for made in query.aggregates)
    if query.relation is not None or not wanted:
        return draft
    relation: Relation = TableRows(table=query.table, owner=query.owner)
    if query.where is not None:
        relation = Filtered(source=relation, predicate=query.where)
    return with_query(draft, relation=relation, table="", owner="", where=None)
