"""What a spec says of accounts and payments, bound: two queries with the columns that its analysis wants."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from consortia.errors import RequestError
from consortia.plans.binding.nested import bind_nested
from consortia.plans.binding.rows import Bound, Context
from consortia.plans.catalogue import Catalogue
from consortia.plans.lowering.unique import is_grouped_by
from consortia.plans.scalar import check_depth
from consortia.plans.specs.fields import Field, Fields
from consortia.plans.sql import parse

ACCOUNT, SCORE, SOURCE, TARGET, AMOUNT, TIME = "account", "score", "source", "target", "amount", "time"
ENDS = (SOURCE, TARGET)
NUMBERS = ("int", "decimal")
PAYMENTS = {SOURCE: ("key",), TARGET: ("key",), AMOUNT: NUMBERS}
"""Columns of payments of every analysis, and the kinds each may have."""
TIMES = ("timestamp", "date", "int")
MOST_PERIODS = 36
NONE: Mapping[str, Bound] = {}


@dataclass(frozen=True)
class Wanted:
    """What queries an analysis has: columns of accounts beside the key, whether payments have times; seeds; periods."""

    accounts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    timed: bool = False
    seeded: bool = False
    periods: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the queries."""
        return ("accounts", "payments", *(("seeds",) if self.seeded else ()))


@dataclass(frozen=True)
class Sides:
    """Accounts and payments of a spec, bound, and the seeds if it has any; ``text`` is the spec.

    ``later`` are the payments of further periods, in order.
    """

    text: str
    accounts: Bound
    payments: Bound
    seeds: Bound | None = None
    later: tuple[Bound, ...] = ()


def bind_sides(fields: Fields, text: str, wanted: Wanted, catalogue: Catalogue, as_of: datetime) -> Sides:
    """The queries, which name accounts by keys of one domain."""
    paid = {**PAYMENTS, **({TIME: TIMES} if wanted.timed else {})}
    periods = fields.several("payments") if wanted.periods else (fields.required("payments"),)
    if len(periods) > MOST_PERIODS:
        raise periods[0].refused(f"has {len(periods)} periods", f"write at most {MOST_PERIODS} queries")
    first, *later = (bound_side(period, paid, catalogue, as_of) for period in periods)
    seeds = bound_side(fields.required("seeds"), {ACCOUNT: ("key",)}, catalogue, as_of) if wanted.seeded else None
    sides = Sides(
        text,
        bound_side(fields.required("accounts"), {ACCOUNT: ("key",), **wanted.accounts}, catalogue, as_of),
        first,
        seeds,
        tuple(later),
    )
    kinds = {sides.accounts.types[ACCOUNT], *(period.types[end] for period in (first, *later) for end in ENDS)}
    kinds |= {seeds.types[ACCOUNT]} if seeds is not None else set()
    if len({(kind.domain, kind.bits) for kind in kinds}) > 1:
        raise periods[0].refused(
            "and the other queries name accounts by keys of different domains",
            "use keys of one domain of the catalogue",
        )
    if not is_grouped_by(sides.accounts.relation, frozenset({ACCOUNT})):
        raise fields.required("accounts").refused(
            "may name an account twice", "group by the account, with MAX(...) AS score where there are scores"
        )
    return sides


def bound_side(given: Field, wanted: Mapping[str, tuple[str, ...]], catalogue: Catalogue, as_of: datetime) -> Bound:
    """The query in a field, with exactly the columns ``wanted``, each of one of the kinds."""
    bound = bound_query(given, catalogue, as_of)
    names = f"{', '.join(wanted)}"
    if set(bound.types) != set(wanted):
        raise given.refused(f"has the columns {', '.join(bound.types)}", f"select {names}, named so by AS")
    check_kinds(given, bound, wanted)
    return bound


def bound_query(given: Field, catalogue: Catalogue, as_of: datetime, named: Mapping[str, Bound] = NONE) -> Bound:
    """The query in a field, which may read the relations ``named``; what it refuses is said with the field's line."""
    try:
        node = parse(given.text)
        check_depth(node, given.text)
        around = Context(text=given.text, catalogue=catalogue, as_of=as_of, nested=bind_nested, named=named)
        return bind_nested(node, around)
    except RequestError as error:
        place = ", ".join(part for part in (f"`{given.name}` from line {given.line} on", error.place) if part)
        raise RequestError(error.code, error.message, place=place, remedy=error.remedy) from error


def check_kinds(given: Field, bound: Bound, wanted: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse a query of which one of the columns ``wanted`` is of none of its kinds."""
    for name, kinds in wanted.items():
        if bound.types[name].kind not in kinds:
            raise given.refused(
                f"has `{name}` of the type {bound.types[name].kind}", f"it must be {' or '.join(kinds)}"
            )
