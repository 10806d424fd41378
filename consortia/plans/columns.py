"""Columns of a plan's steps, and what every step has."""

from typing import Literal

from consortia.plans.types import Bounds, ColumnType
from consortia.trust.documents import Frozen, Integer

Domain = Literal["clear", "arithmetic", "boolean", "wide"]


class Column(Frozen):
    """One column of a step's result. ``modular`` values have no range: no comparison, sign or truncation."""

    name: str
    type: ColumnType
    bounds: Bounds | None = None
    nullable: bool = False
    domain: Domain = "clear"
    modular: bool = False
    visibility: Literal["owner", "nobody", "recipient"] = "owner"


class StepBase(Frozen):
    """Id, inputs and place of a step, its public padded number of rows, and its columns: ``plans.model``."""

    id: str
    inputs: tuple[str, ...]
    at: str
    rows: Integer
    columns: tuple[Column, ...]
