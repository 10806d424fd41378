"""What a spec says of accounts and payments, bound: two queries with the columns that its analysis wants."""

from collections.abc import Mapping
from dataclasses import dataclass
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
NUMBERS = ("int", "decimal")
PAYMENTS = {SOURCE: ("key",), TARGET: ("key",), AMOUNT: NUMBERS}
"""Columns of payments of every analysis, and the kinds each may have."""
TIMES = ("timestamp", "date", "int")


@dataclass(frozen=True)
class Sides:
    """Accounts and payments of a spec, bound; ``text`` is the spec."""

    text: str
    accounts: Bound
    payments: Bound


def bind_sides(
    fields: Fields, text: str, more: Mapping[str, tuple[str, ...]], timed: bool, catalogue: Catalogue, as_of: datetime
) -> Sides:
    """Both queries; accounts have the columns ``more`` beside their key, payments a time if ``timed``."""
    payments = {**PAYMENTS, **({TIME: TIMES} if timed else {})}
    sides = Sides(
        text,
        bound_side(fields.required("accounts"), {ACCOUNT: ("key",), **more}, catalogue, as_of),
        bound_side(fields.required("payments"), payments, catalogue, as_of),
    )
    kinds = {sides.accounts.types[ACCOUNT], sides.payments.types[SOURCE], sides.payments.types[TARGET]}
    if len({(kind.domain, kind.bits) for kind in kinds}) > 1:
        raise fields.required("payments").refused(
            "and `accounts` name accounts by keys of different domains", "use keys of one domain of the catalogue"
        )
    if not is_grouped_by(sides.accounts.relation, frozenset({ACCOUNT})):
        raise fields.required("accounts").refused(
            "may name an account twice", "group by the account, with MAX(...) AS score where there are scores"
        )
    return sides


def bound_side(field: Field, wanted: Mapping[str, tuple[str, ...]], catalogue: Catalogue, as_of: datetime) -> Bound:
    """The query in a field, with exactly the columns ``wanted``, each of one of the kinds."""
    try:
        node = parse(field.text)
        check_depth(node, field.text)
        bound = bind_nested(node, Context(text=field.text, catalogue=catalogue, as_of=as_of, nested=bind_nested))
    except RequestError as error:
        place = ", ".join(part for part in (f"`{field.name}` from line {field.line} on", error.place) if part)
        raise RequestError(error.code, error.message, place=place, remedy=error.remedy) from error
    names = f"{', '.join(wanted)}"
    if set(bound.types) != set(wanted):
        raise field.refused(f"has the columns {', '.join(bound.types)}", f"select {names}, named so by AS")
    for name, kinds in wanted.items():
        if bound.types[name].kind not in kinds:
            raise field.refused(
                f"has `{name}` of the type {bound.types[name].kind}", f"it must be {' or '.join(kinds)}"
            )
    return bound
