"""Scores: numbers that travel along payments from account to account, read at each account or made alerts of."""

from consortia.errors import InternalError
from consortia.plans import meaning
from consortia.plans.binding.rows import Bound, computed
from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.literals import number
from consortia.plans.model import Named, SortKey
from consortia.plans.networks import LARGEST_SCALE, RankMethod, RiskMethod, made_type
from consortia.plans.query import Propagated, Query, QueryAggregate
from consortia.plans.specs.fields import Field, Fields
from consortia.plans.specs.sides import ACCOUNT, AMOUNT, SCORE, SOURCE, TARGET, Sides

MOST_STEPS = 100
MADE = "reached"


def risk(fields: Fields, sides: Sides) -> Query:
    """Risk carried along payments, from the scores of the accounts."""
    scale = fields.required("scale").whole(1, LARGEST_SCALE)
    kind = sides.accounts.types[SCORE]
    method = RiskMethod(iterations=_iterations(fields), scale=scale, places=kind.scale)
    return _propagated(fields, sides, method, SCORE, "risk")


def ranks(fields: Fields, sides: Sides) -> Query:
    """PageRank of the accounts."""
    return _propagated(fields, sides, RankMethod(iterations=_iterations(fields)), "", "rank")


def network(fields: Fields, sides: Sides) -> Bound:
    """The accounts with ``risk``, if their scores have a ``scale``, or else ``rank``: for another query to read."""
    name = "risk" if "scale" in fields.values else "rank"
    query = risk(fields, sides) if name == "risk" else ranks(fields, sides)
    if query.relation is None:
        raise InternalError("plans/relation", "a score of accounts is a relation")
    made = query.aggregates[0]
    columns = [Named(name=ACCOUNT, expression=Ref(column=ACCOUNT)), Named(name=name, expression=Ref(column=MADE))]
    return computed(Bound(query.relation, sides.accounts.types | {MADE: made.type}), columns)


def _iterations(fields: Fields) -> int:
    return fields.required("iterations").whole(1, MOST_STEPS)


def _propagated(fields: Fields, sides: Sides, method: RiskMethod | RankMethod, score: str, name: str) -> Query:
    relation = Propagated(
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
    made = QueryAggregate(name=name, function="sum", argument=Ref(column=MADE), type=made_type(method))
    key = Named(name=ACCOUNT, expression=Ref(column=ACCOUNT))
    having: Expr | None = None
    outputs: tuple[Named, ...] = (key, Named(name=name, expression=Ref(column=name)))
    if "at-least" in fields.values:
        having = at_least(fields.required("at-least"), made)
        outputs = (key,)
    return Query(
        sql=sides.text,
        relation=relation,
        keys=(key,),
        aggregates=(made,),
        having=having,
        outputs=outputs,
        order_by=(SortKey(column=ACCOUNT),),
    )


def at_least(field: Field, made: QueryAggregate) -> Expr:
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
