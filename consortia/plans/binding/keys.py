"""Keys of joins: pairs of expressions that are to be equal, as columns of one type on both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consortia.errors import RequestError
from consortia.plans import meaning
from consortia.plans.binding.rows import Bound, computed, with_columns
from consortia.plans.expressions import Expr, Ref
from consortia.plans.meaning import Misfit
from consortia.plans.model import JoinKey, JoinKind, Named
from consortia.plans.names import NamePool
from consortia.plans.query import Joined
from consortia.plans.refuse import Node, place_of
from consortia.plans.relations import fixed_columns, joined_types
from consortia.plans.types import ColumnType


@dataclass(frozen=True)
class KeyPair:
    """An expression over the left side's columns and one over the right's, and where the text asks for equality."""

    left: Expr
    right: Expr
    node: Node


def joined(how: JoinKind, left: Bound, right: Bound, pairs: Sequence[KeyPair], text: str) -> Bound:
    """The join of two relations whose columns have different names; RequestError ``plans/type`` or ``plans/units``.

    Keys that are no plain columns, or that must be converted to one type, become columns of their side. The right side
    of a semi, anti or not-in join is reduced to its keys.
    """
    types = {**left.types, **right.types}
    _check_units(left, right, pairs, types, text)
    plain = {name: kind.model_copy(update={"unit": ""}) for name, kind in types.items()}
    lefts, rights = [], []
    for pair in pairs:
        one, two = _of_one_type(pair, plain, text)
        lefts.append(one)
        rights.append(two)
    names = NamePool(set(types))
    left, left_names = with_columns(left, lefts, "key", names)
    right, right_names = with_columns(right, rights, "key", names)
    if how not in ("inner", "left"):
        right = computed(right, [Named(name=name, expression=Ref(column=name)) for name in dict.fromkeys(right_names)])
    on = dict.fromkeys(JoinKey(left=one, right=two) for one, two in zip(left_names, right_names, strict=True))
    relation = Joined(how=how, left=left.relation, right=right.relation, on=tuple(on))
    takes_columns = how in ("inner", "left")
    return Bound(relation, joined_types(left.types, right.types, relation.on) if takes_columns else left.types)


def _of_one_type(pair: KeyPair, types: Mapping[str, ColumnType], text: str) -> tuple[Expr, Expr]:
    try:
        left, right = meaning.compare("eq", pair.left, pair.right, types).args
    except Misfit as misfit:
        raise RequestError(
            misfit.code, misfit.message, place=place_of(pair.node, text), remedy=misfit.remedy
        ) from misfit
    if meaning.type_of(left, types).kind == "text":
        raise RequestError(
            "plans/text-shared", "text never leaves its owner, so nothing can be joined by it",
            place=place_of(pair.node, text), remedy="join by key, enum or number columns",
        )  # fmt: skip
    return left, right


def _check_units(
    left: Bound, right: Bound, pairs: Sequence[KeyPair], types: Mapping[str, ColumnType], text: str
) -> None:
    """Refuse amounts as keys unless their units are keys too, or fixed on both sides."""
    units = {
        (pair.left.column, pair.right.column)
        for pair in pairs
        if isinstance(pair.left, Ref) and isinstance(pair.right, Ref)
    }
    for pair in pairs:
        one, two = meaning.type_of(pair.left, types).unit, meaning.type_of(pair.right, types).unit
        fixed = one in fixed_columns(left.relation) and two in fixed_columns(right.relation)
        if (one and two) and not fixed and (one, two) not in units:
            raise RequestError(
                "plans/units", f"a join by amounts whose units, `{one}` and `{two}`, can differ",
                place=place_of(pair.node, text), remedy="join by their units too",
            )  # fmt: skip
