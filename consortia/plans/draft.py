"""What passes hand on to each other: the query, its surroundings, and the steps made so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from consortia.errors import InternalError
from consortia.plans.catalogue import Catalogue, CatalogueColumn, CatalogueTable
from consortia.plans.columns import Column
from consortia.plans.lowering.entities import Units, units_of
from consortia.plans.lowering.knowledge import Knowledge
from consortia.plans.lowering.nodes import holding_tables, members_in_every_row, owners_of, tables_of, types_of, walk
from consortia.plans.meaning import Types, type_of
from consortia.plans.model import Step
from consortia.plans.names import NamePool
from consortia.plans.obligations import Obligations
from consortia.plans.query import Histogram, Query, QueryAggregate
from consortia.plans.tables import column_types, find_table, table_columns
from consortia.plans.types import ColumnType
from consortia.trust.sessions import WantedError


@dataclass(frozen=True)
class Environment:
    """Everything public that a plan depends on beside the query and the policies.

    ``manifest`` and ``catalogue_digest`` are digests of the documents in force; ``computers`` in order of rank;
    ``members`` all member ids. From the policies: ``entities`` gives the privacy unit's column of each table,
    ``collusion`` how many computers may collude, by owner (1 where none is named). ``errors`` are those that the
    submitter accepts where noise is obliged.
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
    collusion: Mapping[str, int] = field(default_factory=dict)
    errors: tuple[WantedError, ...] = ()


@dataclass(frozen=True)
class Draft:
    """A plan in the making; each pass returns a new one. ``steps`` are in canonical order."""

    query: Query
    environment: Environment
    obligations: Obligations
    steps: tuple[Step, ...] = ()
    output_kind: str = ""
    complete_domain: tuple[str, ...] | None = None
    histogram: Histogram | None = None

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
        """Members whose data the rows hold, sorted."""
        relation = self.query.relation
        if relation is not None:
            found = {owner for rows in holding_tables(relation) for owner in owners_of(rows, self.catalogue)}
            return tuple(sorted(found))
        return (self.query.owner,) if self.query.owner else tuple(sorted(self.table.holders))

    @property
    def receivers(self) -> tuple[str, ...]:
        """Members that alerts and scores may go to: of one member's part, met with rows of others, that member alone.

        Whoever holds a row that this part meets is told nothing: a list's holder would learn who has its customers.
        """
        relation = self.query.relation
        own = members_in_every_row(relation) if relation is not None else frozenset()
        return tuple(owner for owner in self.owners if owner in own) or self.owners

    @property
    def entity(self) -> str:
        """The privacy unit's column, "" where nobody named one or a relation's rows do not hold it."""
        if self.query.relation is not None:
            columns = self.units.columns
            return next((name for name in self.row_types if name in columns), "")
        return self.obligations.entity or self.environment.entities.get(self.query.table, "")

    @property
    def units(self) -> Units:
        """Where the privacy units of a relation's tables stand in its rows.

        Where the policies name no unit of any of the tables, the one that is obliged holds for those that have it.
        """
        relation = self.query.relation
        if relation is None:
            raise InternalError("plans/relation", "the query is over one table")
        entities = self.environment.entities
        tables = {rows.table for rows in tables_of(relation)}
        if self.obligations.entity and tables.isdisjoint(entities):
            unit = self.obligations.entity
            entities = {table: unit for table in tables if unit in column_types(self._find(table), self.catalogue)}
        return units_of(relation, entities)

    def _find(self, table: str) -> CatalogueTable:
        return find_table(self.catalogue, table)

    @property
    def row_types(self) -> dict[str, ColumnType]:
        """Types of the rows' columns by name."""
        if self.query.relation is not None:
            return types_of(self.query.relation, self.catalogue)
        return column_types(self.table, self.catalogue)

    @property
    def row_columns(self) -> Mapping[str, Column]:
        """The rows' columns by name: of a table as a scan gives them, of a relation as they are proved."""
        if self.query.relation is not None:
            return Knowledge(self.catalogue, self.environment.as_of).columns(self.query.relation)
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
        """A pool in which every name of the query and its rows is taken."""
        query = self.query
        used = {*self.row_types, *(key.name for key in query.keys), *(output.name for output in query.outputs)}
        if query.relation is not None:
            used |= {name for node in walk(query.relation) for name in types_of(node, self.catalogue)}
        used |= {aggregate.name for aggregate in query.aggregates}
        return NamePool(used)
