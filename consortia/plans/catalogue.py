"""The catalogue: the consortium's logical tables, their schemas and who holds a part of each.

Signed like the manifest. Bounds, ``max_rows`` and ``max_distinct`` are the consortium's, for one member's part:
with them, and nothing else, padded sizes are fixed.
"""

from typing import Annotated, Literal

from pydantic import Field

from consortia.plans.types import Bounds, ColumnType
from consortia.trust.documents import Digest, Document, Frozen, Hex, Integer, Name


class CatalogueColumn(Frozen):
    """A column of a logical table. ``max_distinct`` bounds the number of distinct values at one member (0: none)."""

    name: Name
    type: ColumnType
    bounds: Bounds | None = None
    nullable: bool = False
    max_distinct: Integer = 0


class CatalogueTable(Frozen):
    """A logical table, or a local table.

    ``canonical`` is a SQL predicate that says which rows a member contributes to the union ("" for all);
    ``definition`` is the SQL of a local table over the member's own tables ("" for a table of data).
    """

    name: Name
    columns: tuple[CatalogueColumn, ...]
    holders: tuple[Name, ...]
    max_rows: Annotated[Integer, Field(ge=1)]
    """An empty table is a table of at least one padded row."""
    canonical: str = ""
    definition: str = ""


class KeyDomain(Frozen):
    """A domain of identifiers hashed alike by all data owners: HMAC-SHA-256 under the key ``key_id``."""

    name: Name
    id_type: str
    normal_form: Literal["nfc", "none"] = "nfc"
    bits: int = 96
    key_id: Hex


class Catalogue(Document):
    """Version ``version`` of the catalogue; ``previous`` is the digest of the version before (zeros for the first)."""

    type: Literal["consortia/catalogue/v1"] = "consortia/catalogue/v1"
    consortium: Name
    version: int
    previous: Digest
    purposes: tuple[Name, ...]
    key_domains: tuple[KeyDomain, ...]
    tables: tuple[CatalogueTable, ...]
