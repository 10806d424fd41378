"""Patterns: accounts that stand where payments follow one another in a given way."""

from consortia.plans.expressions import Ref
from consortia.plans.model import Named, SortKey
from consortia.plans.networks import CycleMethod, Following, Pattern, ScatterGatherMethod, TaintMethod
from consortia.plans.query import Matched, Query
from consortia.plans.specs.fields import Fields
from consortia.plans.specs.sides import ACCOUNT, AMOUNT, SOURCE, TARGET, TIME, Sides

MOST_PATHS = 50_000_000
LONGEST_CYCLE = 6
MOST_HOPS = 6


def cycles(fields: Fields, sides: Sides) -> Query:
    """The accounts on closed paths."""
    longest = fields.required("longest").whole(2, LONGEST_CYCLE)
    paths = tuple(field.whole(1, MOST_PATHS) for field in fields.several("paths")) if longest > 2 else ()
    if len(paths) != longest - 2:
        raise fields.required("longest").refused(
            f"is {longest} and there are {len(paths)} `paths`",
            "write a bound for the open paths of 2, 3, ... payments, up to one less than the longest cycle",
        )
    closed = fields.required("closed").whole(1, MOST_PATHS)
    method = CycleMethod(longest=longest, follows=_follows(fields, sides), paths=paths, closed=closed)
    return _matched(sides, method)


def scatter_gather(fields: Fields, sides: Sides) -> Query:
    """The accounts that part money and put it together again, and those between."""
    middles = fields.required("middles").whole(2, 1_000)
    paths = fields.required("paths").whole(1, MOST_PATHS)
    return _matched(sides, ScatterGatherMethod(middles=middles, follows=_follows(fields, sides), paths=paths))


def taint(fields: Fields, sides: Sides) -> Query:
    """The accounts that money of the seeds reaches."""
    hops = fields.required("hops").whole(1, MOST_HOPS)
    return _matched(sides, TaintMethod(hops=hops, follows=_follows(fields, sides)))


def _follows(fields: Fields, sides: Sides) -> Following:
    part, whole = fields.required("part").ratio()
    return Following(window=fields.required("window").duration(sides.payments.types[TIME].kind), part=part, whole=whole)


def _matched(sides: Sides, method: Pattern) -> Query:
    relation = Matched(
        accounts=sides.accounts.relation,
        payments=sides.payments.relation,
        key=ACCOUNT,
        source=SOURCE,
        target=TARGET,
        amount=AMOUNT,
        time=TIME,
        seeds=None if sides.seeds is None else sides.seeds.relation,
        seed="" if sides.seeds is None else ACCOUNT,
        method=method,
    )
    key = Named(name=ACCOUNT, expression=Ref(column=ACCOUNT))
    return Query(sql=sides.text, relation=relation, keys=(key,), outputs=(key,), order_by=(SortKey(column=ACCOUNT),))
