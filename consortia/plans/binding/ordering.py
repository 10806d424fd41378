"""ORDER BY and LIMIT: what orders rows, by output names, places in the select list or expressions."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from consortia.errors import RequestError
from consortia.plans import meaning
from consortia.plans.binding.scope import Scope, folded_name
from consortia.plans.model import Named
from consortia.plans.refuse import Node, only, place_of, unsupported
from consortia.plans.scalar import bind
from consortia.plans.types import ColumnType

MAX_LIMIT = 10**9


@dataclass(frozen=True)
class Ordering:
    """One entry of ORDER BY."""

    node: Node
    descending: bool


def plain_name(node: Node) -> str:
    """The name that ``node`` is, without qualifier; nothing if it is anything else."""
    if isinstance(node, exp.Column) and not node.args.get("table"):
        return folded_name(node.this)
    return ""


def select_place(node: Node, count: int, text: str) -> int:
    """The place from 0 that a number in GROUP BY or ORDER BY names."""
    number = str(node.this)
    if not (number.isascii() and number.isdigit()) or not 1 <= int(number[:9]) <= count:
        raise RequestError(
            "plans/unknown-column",
            f"there is no output number {number[:20]}",
            place=place_of(node, text),
            remedy=f"outputs are numbered from 1 to {count}",
        )
    return int(number) - 1


def read_order(order: Node | None, text: str) -> list[Ordering]:
    """The entries of an ORDER BY, whose place of NULL is PostgreSQL's default or refused."""
    if order is None:
        return []
    only(order, text, "expressions")
    entries = []
    for entry in order.expressions:
        only(entry, text, "this", "desc", "nulls_first")
        descending = bool(entry.args.get("desc"))
        if bool(entry.args.get("nulls_first")) != descending:
            raise unsupported(
                entry, text, "NULLS FIRST or NULLS LAST here",
                "NULL stands last, and first with DESC, as in PostgreSQL",
            )  # fmt: skip
        entries.append(Ordering(entry.this, descending))
    return entries


def ordered_output(node: Node, outputs: Sequence[Named], scope: Scope) -> str:
    """The output that orders a result: an alias first, as in PostgreSQL, then a number, then an output's expression."""
    if isinstance(node, exp.Literal) and not node.args.get("is_string"):
        return outputs[select_place(node, len(outputs), scope.text)].name
    name = plain_name(node)
    if name and name in [output.name for output in outputs]:
        return name
    bound = bind(node, scope)
    for output in outputs:
        if output.expression == bound:
            return output.name
    raise unsupported(
        node, scope.text, "ordering by what is not selected", "select it too: what orders a result is opened with it"
    )


def check_order(kind: ColumnType, node: Node, text: str) -> None:
    """Refuse an order, inside a query, by what has none there: text, and words in another order than their codes."""
    if kind.kind == "text":
        raise RequestError(
            "plans/text-shared", "text never leaves its owner, so nothing can be ordered by it",
            place=place_of(node, text), remedy="order by a number, date, timestamp or key column",
        )  # fmt: skip
    if kind.kind == "enum" and list(kind.values) != sorted(kind.values):
        raise RequestError(
            "plans/type", f"{meaning.type_words(kind)} has no order inside a query: its words stand in another one",
            place=place_of(node, text), remedy="order by CASE WHEN x = 'word' THEN 1 ... END",
        )  # fmt: skip


def read_limit(select: Node, text: str) -> int | None:
    """The number of rows of LIMIT, None without one."""
    limit = select.args.get("limit")
    if limit is None:
        return None
    if not isinstance(limit, exp.Limit):
        raise unsupported(limit, text, "FETCH FIRST", "write LIMIT")
    only(limit, text, "expression")
    count = limit.expression
    if isinstance(count, exp.Literal) and not count.args.get("is_string"):
        digits = str(count.this)
        if digits.isascii() and digits.isdigit() and len(digits) <= 10 and 1 <= int(digits) <= MAX_LIMIT:
            return int(digits)
    raise RequestError(
        "plans/type", "LIMIT takes a whole number from 1", place=place_of(limit, text), remedy="write LIMIT 10"
    )
