"""What passes hand on to each other: the query, its surroundings, and the steps made so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from consortia.plans.catalogue import Catalogue, CatalogueColumn, CatalogueTable
from consortia.plans.meaning import Types, type_of
from consortia.plans.model import Column, Step
from consortia.plans.names import NamePool
from consortia.plans.obligations import Obligations
from consortia.plans.query import Query, QueryAggregate
from consortia.plans.tables import column_types, find_table, table_columns
from consortia.plans.types import ColumnType


@dataclass(frozen=True)
class Environment:
    """Everything public that a plan depends on beside the query and the policies.

    ``manifest`` and ``catalogue_digest`` are digests of the documents in force; ``computers`` in order of rank;
    ``members`` all member ids. ``entities`` gives the privacy unit's column of each table, from the policies.
    """

    manifest: str
    catalogue: Catalogue
    catalogue_digest: str
    computers: tuple[str, ...]
    members: tuple[str, ...]
    purpose: str
    as_of: datetime
    submitter: str
    entities: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Draft:
    """A plan in the making; each pass returns a new one. ``steps`` are in canonical order."""

    query: Query
    environment: Environment
    obligations: Obligations
    steps: tuple[Step, ...] = ()
    output_kind: str = ""
    complete_domain: tuple[str, ...] | None = None

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue in force."""
        return self.environment.catalogue

    @property
    def table(self) -> CatalogueTable:
        """The queried table."""
        return find_table(self.catalogue, self.query.table)

    @property
    def owners(self) -> tuple[str, ...]:
        """Members whose rows are asked for, sorted."""
        return (self.query.owner,) if self.query.owner else tuple(sorted(self.table.holders))

    @property
    def entity(self) -> str:
        """The privacy unit's column, "" where nobody named one."""
        return self.obligations.entity or self.environment.entities.get(self.query.table, "")

    @property
    def row_types(self) -> dict[str, ColumnType]:
        """Types of the table's columns by name."""
        return column_types(self.table, self.catalogue)

    @property
    def row_columns(self) -> dict[str, Column]:
        """The table's columns as a scan gives them, by name."""
        return table_columns(self.table, self.catalogue)

    @property
    def group_types(self) -> Types:
        """Types of the query's keys and aggregates by name."""
        rows = self.row_types
        keys = {key.name: type_of(key.expression, rows) for key in self.query.keys}
        return keys | {aggregate.name: aggregate.type for aggregate in self.query.aggregates}

    def declared(self, name: str) -> CatalogueColumn:
        """A column of the queried table as the catalogue declares it."""
        return next(column for column in self.table.columns if column.name == name)

    def aggregate(self, name: str) -> QueryAggregate | None:
        """The query's aggregate of that name; None for columns that the planner adds."""
        return next((aggregate for aggregate in self.query.aggregates if aggregate.name == name), None)

    def names(self) -> NamePool:
        """A pool in which every name of the query and its table is taken."""
        query = self.query
        used = {*self.row_types, *(key.name for key in query.keys), *(output.name for output in query.outputs)}
        used |= {aggregate.name for aggregate in query.aggregates}
        return NamePool(used)
