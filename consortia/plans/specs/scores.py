"""Scores: numbers that travel along payments from account to account, read at each account or made alerts of."""

from consortia.plans import meaning
from consortia.plans.binding.rows import Bound, computed
from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.literals import number
from consortia.plans.model import Named, SortKey
from consortia.plans.networks import LARGEST_SCALE, RankMethod, RiskMethod, made_type
from consortia.plans.query import Propagated, Query, QueryAggregate, Relation
from consortia.plans.specs.fields import Field, Fields
from consortia.plans.specs.sides import ACCOUNT, AMOUNT, SCORE, SOURCE, TARGET, Sides

MOST_STEPS = 100
MADE = "reached"


def risk(fields: Fields, sides: Sides) -> Query:
    """Risk carried along payments, from the scores of the accounts."""
    return _asked(fields, sides, _risk(fields, sides), "risk")


def ranks(fields: Fields, sides: Sides) -> Query:
    """PageRank of the accounts."""
    return _asked(fields, sides, _ranks(fields, sides), "rank")


def network(fields: Fields, sides: Sides) -> Bound:
    """The accounts with ``risk``, if their scores have a ``scale``, or else ``rank``: for another query to read."""
    name, relation = ("risk", _risk(fields, sides)) if fields.has("scale") else ("rank", _ranks(fields, sides))
    columns = [Named(name=ACCOUNT, expression=Ref(column=ACCOUNT)), Named(name=name, expression=Ref(column=MADE))]
    return computed(Bound(relation, sides.accounts.types | {MADE: made_type(relation.method)}), columns)


def _risk(fields: Fields, sides: Sides) -> Propagated:
    scale = fields.required("scale").whole(1, LARGEST_SCALE)
    kind = sides.accounts.types[SCORE]
    method = RiskMethod(iterations=_iterations(fields), scale=scale, places=kind.scale)
    return _propagated(sides, method, SCORE)


def _ranks(fields: Fields, sides: Sides) -> Propagated:
    return _propagated(sides, RankMethod(iterations=_iterations(fields)), "")


def _iterations(fields: Fields) -> int:
    return fields.required("iterations").whole(1, MOST_STEPS)


def _propagated(sides: Sides, method: RiskMethod | RankMethod, score: str) -> Propagated:
    return Propagated(
        accounts=sides.accounts.relation,
        payments=sides.payments.relation,
        later=tuple(period.relation for period in sides.later),
        key=ACCOUNT,
        score=score,
        source=SOURCE,
        target=TARGET,
        amount=AMOUNT,
        made=MADE,
        method=method,
    )


def _asked(fields: Fields, sides: Sides, relation: Propagated, name: str) -> Query:
    made = QueryAggregate(name=name, function="sum", argument=Ref(column=MADE), type=made_type(relation.method))
    limit = fields.required("at-least") if fields.has("at-least") else None
    return of_each(sides.text, relation, ACCOUNT, made, limit)


def of_each(text: str, relation: Relation, key: str, made: QueryAggregate, limit: Field | None) -> Query:
    """The number ``made`` of each ``key``; with a ``limit`` the keys whose number reaches it, without the number."""
    named = Named(name=key, expression=Ref(column=key))
    beside = Named(name=made.name, expression=Ref(column=made.name))
    return Query(
        sql=text,
        relation=relation,
        keys=(named,),
        aggregates=(made,),
        having=None if limit is None else _at_least(limit, made),
        outputs=(named, beside) if limit is None else (named,),
        order_by=(SortKey(column=key),),
    )


def _at_least(field: Field, made: QueryAggregate) -> Expr:
    """The condition that makes an alert of a score."""
    try:
        given = number(field.text)
    except meaning.Misfit:
        given = None
    scale = made.type.scale
    if given is None or given.integer is None or given.type.scale > scale:
        raise field.refused(f"is `{field.text[:40]}`", f"write a number with at most {scale} decimal places")
    carried = given.integer * 10 ** (scale - given.type.scale)
    return Call(op="ge", args=(Ref(column=made.name), Const(type=made.type, integer=carried)), type=meaning.BOOL)
