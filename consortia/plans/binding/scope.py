"""What names in a query mean: the entries of FROM, their columns, and how a column is found among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlglot import exp

from consortia.errors import RequestError
from consortia.plans.expressions import Expr, Ref
from consortia.plans.refuse import Node, nearest, only, place_of, refused_node, unsupported
from consortia.plans.types import ColumnType


def folded_name(identifier: Node) -> str:
    """An identifier after PostgreSQL: lower case unless it is quoted."""
    name = identifier.name
    return name if identifier.args.get("quoted") else name.lower()


@dataclass(frozen=True)
class Source:
    """One entry of FROM: what messages call it, what may stand before its columns, and what each of its names means.

    ``names`` gives the column of the rows for each name of the text.
    """

    words: str
    qualifiers: frozenset[str]
    names: Mapping[str, str]


@dataclass(frozen=True)
class Scope:
    """What names mean in one place of a query: its entries of FROM, the types of the rows' columns, and the time.

    ``merged`` are the columns of USING, which stand without qualifier for one side. ``special`` is asked first at each
    node: group keys, aggregates and windows are its answers (None: bind as usual). ``one_table`` says that each row is
    held by one member, so that ``member()`` means something. ``outer`` is the scope around a subquery.
    """

    text: str
    as_of: datetime
    sources: tuple[Source, ...]
    columns: Mapping[str, ColumnType]
    merged: Mapping[str, str] = field(default_factory=dict)
    one_table: bool = True
    outer: Scope | None = None
    special: Callable[[Node], Expr | None] = field(default=lambda _: None)

    def has(self, name: str) -> bool:
        """Whether a column of that name stands in FROM."""
        return any(name in source.names for source in self.sources)


def qualifier_of(node: Node) -> str:
    """What stands before a column's name: ``table``, ``member.table`` or nothing."""
    return ".".join(folded_name(node.args[part]) for part in ("db", "table") if node.args.get(part))


def candidates(node: Node, scope: Scope) -> list[str]:
    """The columns of the rows that a column of the text could mean; more than one is ambiguous."""
    name, qualifier = folded_name(node.this), qualifier_of(node)
    if not qualifier and name in scope.merged:
        return [scope.merged[name]]
    named = [source for source in scope.sources if not qualifier or qualifier in source.qualifiers]
    return [source.names[name] for source in named if name in source.names]


def column(node: Node, scope: Scope) -> Ref:
    """The column that ``node`` means; RequestError with its place if there is none, or more than one."""
    only(node, scope.text, "this", "table", "db")
    if isinstance(node.this, exp.Star):
        raise refused_node(node.this, scope.text)
    found = candidates(node, scope)
    if len(found) == 1:
        return Ref(column=found[0])
    name, qualifier = folded_name(node.this), qualifier_of(node)
    if found:
        holders = " and in ".join(source.words for source in scope.sources if name in source.names)
        raise RequestError(
            "plans/ambiguous", f"`{name}` stands in {holders}", place=place_of(node, scope.text),
            remedy="write the table or its alias before the name",
        )  # fmt: skip
    if scope.outer is not None and candidates(node, scope.outer):
        raise unsupported(
            node, scope.text, f"the outer query's `{name}` here",
            "a subquery reads the outer query in EXISTS (SELECT ... WHERE inner.x = outer.x AND ...), by equalities",
        )  # fmt: skip
    return _unknown(node, name, qualifier, scope)


def _unknown(node: Node, name: str, qualifier: str, scope: Scope) -> Ref:
    known = [known for source in scope.sources for known in sorted(source.qualifiers)]
    if qualifier and qualifier not in known:
        raise RequestError(
            "plans/unknown-table", f"`{qualifier}` is not in FROM", place=place_of(node, scope.text),
            remedy=nearest(qualifier, known),
        )  # fmt: skip
    sources = [source for source in scope.sources if not qualifier or qualifier in source.qualifiers]
    names = [column for source in sources for column in source.names]
    where = f"{sources[0].words} has" if len(sources) == 1 else "the tables in FROM have"
    raise RequestError(
        "plans/unknown-column", f"{where} no column `{name}`", place=place_of(node, scope.text),
        remedy=nearest(name, names),
    )  # fmt: skip
