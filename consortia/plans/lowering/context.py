"""What the functions that lower nodes have in common."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from consortia.errors import RequestError
from consortia.plans.catalogue import Catalogue
from consortia.plans.expressions import Expr
from consortia.plans.lowering.knowledge import Knowledge
from consortia.plans.lowering.made import Builder, Made
from consortia.plans.lowering.needs import Column as Wanted
from consortia.plans.lowering.needs import Needs
from consortia.plans.lowering.uses import USES
from consortia.plans.obligations import Obligations
from consortia.plans.query import Relation
from consortia.plans.ranges import Columns, infer, magnitude
from consortia.plans.trees import walk
from consortia.plans.types import WIDE_FROM, ColumnType

Lower = Callable[["Context", Relation, Needs], Made]


@dataclass
class Context:
    """``lower`` is the function that lowers any node: those of single nodes call it for their sources."""

    knowledge: Knowledge
    builder: Builder
    obligations: Obligations
    lower_node: Lower

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue in force."""
        return self.knowledge.catalogue

    @property
    def as_of(self) -> datetime:
        """The moment of the submission."""
        return self.knowledge.as_of

    def lower(self, node: Relation, needs: Needs) -> Made:
        """The table of ``node`` with at least what is needed of it."""
        return self.lower_node(self, node, needs)


def in_order(needs: Needs, types: Mapping[str, ColumnType]) -> list[Wanted]:
    """What is needed, in the order of the relation's columns; the key before the number."""
    place = {name: number for number, name in enumerate(types)}
    return sorted(needs, key=lambda wanted: (place[wanted[0]], USES.index(wanted[1])))


def check_shareable(name: str, kind: ColumnType) -> None:
    """RequestError ``plans/unsupported`` for a text, which has no form on shares."""
    if kind.kind == "text":
        raise RequestError(
            "plans/unsupported",
            f"the text `{name}` can't be computed with across members",
            place=f"column `{name}`",
            remedy="compare texts within one table, or have the catalogue declare an enum or a key",
        )


def check_on_shares(expression: Expr, columns: Columns, what: str) -> None:
    """RequestError ``plans/capacity`` if a value inside ``expression`` may reach 2^62, which shares do not compute."""
    for part in walk(expression):
        found = infer(part, columns).bounds
        if found is not None and magnitude(found) >= WIDE_FROM:
            raise too_wide(magnitude(found), what)


def too_wide(largest: int, what: str) -> RequestError:
    """The refusal of a value that is too large to compute with."""
    return RequestError(
        "plans/capacity",
        f"{what} can reach {largest}, and shares compute with values below 2^62 only",
        place=what,
        remedy="narrow the bounds or max_rows in the catalogue, or compute it at the owners, over one table",
    )
