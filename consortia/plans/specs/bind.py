"""An analysis as a bound query: SQL as ``sql.bind`` reads it, or a spec of what is followed along payments.

    analysis: risk-propagation            cycles, scatter-gather, pagerank
    accounts: SELECT account_id AS account, MAX(risk_score) AS score FROM accounts GROUP BY account_id
    payments: |
      SELECT from_account AS source, to_account AS target, SUM(amount_minor) AS amount
      FROM transactions WHERE currency = 'EUR' AND ... GROUP BY from_account, to_account
    iterations: 2
    scale: 100

The two queries are SQL; their columns have the names above. Accounts are grouped: one that two members list is one
node, told to both, where two rows of it would count twice. All else of a spec is public numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from consortia.errors import RequestError
from consortia.plans import meaning
from consortia.plans.binding.nested import bind_nested
from consortia.plans.binding.rows import Bound, Context
from consortia.plans.catalogue import Catalogue
from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.literals import number
from consortia.plans.lowering.unique import is_grouped_by
from consortia.plans.model import Named, SortKey
from consortia.plans.networks import (
    LARGEST_SCALE,
    CycleMethod,
    Following,
    RankMethod,
    RiskMethod,
    ScatterGatherMethod,
    made_type,
)
from consortia.plans.query import Matched, Propagated, Query, QueryAggregate
from consortia.plans.scalar import check_depth
from consortia.plans.specs.fields import Field, Fields, read_fields
from consortia.plans.sql import bind, parse

FIRST_WORD = "analysis:"
MOST_STEPS = 100
MOST_PATHS = 50_000_000
LONGEST_CYCLE = 6
ACCOUNT, SCORE, SOURCE, TARGET, AMOUNT, TIME = "account", "score", "source", "target", "amount", "time"
MADE = "reached"
PAYMENTS = {SOURCE: ("key",), TARGET: ("key",), AMOUNT: ("int", "decimal")}
TIMES = ("timestamp", "date", "int")


def bind_analysis(text: str, catalogue: Catalogue, as_of: datetime) -> Query:
    """The query that ``text`` asks, SQL or spec. Raises RequestError as ``sql.bind``, and ``plans/spec``."""
    return bind_spec(text, catalogue, as_of) if is_spec(text) else bind(text, catalogue, as_of)


def is_spec(text: str) -> bool:
    """Whether the text is a spec: its first line that is no comment names the analysis."""
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line and not line.startswith("#")), "").startswith(FIRST_WORD)


@dataclass(frozen=True)
class _Sides:
    """Accounts and payments of a spec, bound."""

    text: str
    accounts: Bound
    payments: Bound


def bind_spec(text: str, catalogue: Catalogue, as_of: datetime) -> Query:
    """The query of a spec."""
    fields = read_fields(text)
    named = fields.required("analysis")
    if named.text not in _ANALYSES:
        raise named.refused(f"is `{named.text[:40]}`", f"analyses are {', '.join(_ANALYSES)}")
    analysis = _ANALYSES[named.text]
    fields.check_known(("analysis", "accounts", "payments", *analysis.fields))
    accounts = {ACCOUNT: ("key",), **({SCORE: ("int", "decimal")} if analysis.scored else {})}
    payments = {**PAYMENTS, **({TIME: TIMES} if analysis.timed else {})}
    sides = _Sides(
        text,
        _side(fields.required("accounts"), accounts, catalogue, as_of),
        _side(fields.required("payments"), payments, catalogue, as_of),
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
    return analysis.bind(fields, sides)


def _side(field: Field, wanted: Mapping[str, tuple[str, ...]], catalogue: Catalogue, as_of: datetime) -> Bound:
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


# --- analyses -------------------------------------------------------------------------------------------


def _risk(fields: Fields, sides: _Sides) -> Query:
    scale = fields.required("scale").whole(1, LARGEST_SCALE)
    kind = sides.accounts.types[SCORE]
    method = RiskMethod(iterations=_iterations(fields), scale=scale, places=kind.scale)
    return _propagated(fields, sides, method, SCORE, "risk")


def _ranks(fields: Fields, sides: _Sides) -> Query:
    return _propagated(fields, sides, RankMethod(iterations=_iterations(fields)), "", "rank")


def _iterations(fields: Fields) -> int:
    return fields.required("iterations").whole(1, MOST_STEPS)


def _propagated(fields: Fields, sides: _Sides, method: RiskMethod | RankMethod, score: str, name: str) -> Query:
    relation = Propagated(
        accounts=sides.accounts.relation,
        payments=sides.payments.relation,
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
        having = _at_least(fields.required("at-least"), made)
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


def _cycles(fields: Fields, sides: _Sides) -> Query:
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


def _scatter_gather(fields: Fields, sides: _Sides) -> Query:
    middles = fields.required("middles").whole(2, 1_000)
    paths = fields.required("paths").whole(1, MOST_PATHS)
    return _matched(sides, ScatterGatherMethod(middles=middles, follows=_follows(fields, sides), paths=paths))


def _follows(fields: Fields, sides: _Sides) -> Following:
    part, whole = fields.required("part").ratio()
    return Following(window=fields.required("window").duration(sides.payments.types[TIME].kind), part=part, whole=whole)


def _matched(sides: _Sides, method: CycleMethod | ScatterGatherMethod) -> Query:
    relation = Matched(
        accounts=sides.accounts.relation,
        payments=sides.payments.relation,
        key=ACCOUNT,
        source=SOURCE,
        target=TARGET,
        amount=AMOUNT,
        time=TIME,
        method=method,
    )
    key = Named(name=ACCOUNT, expression=Ref(column=ACCOUNT))
    return Query(sql=sides.text, relation=relation, keys=(key,), outputs=(key,), order_by=(SortKey(column=ACCOUNT),))


@dataclass(frozen=True)
class _Analysis:
    """How one analysis is bound: its own fields, whether accounts have scores and payments times."""

    bind: Callable[[Fields, _Sides], Query]
    fields: tuple[str, ...]
    scored: bool = False
    timed: bool = False


_ANALYSES: Mapping[str, _Analysis] = {
    "risk-propagation": _Analysis(_risk, ("iterations", "scale", "at-least"), scored=True),
    "pagerank": _Analysis(_ranks, ("iterations", "at-least")),
    "cycles": _Analysis(_cycles, ("longest", "window", "part", "paths", "closed"), timed=True),
    "scatter-gather": _Analysis(_scatter_gather, ("middles", "window", "part", "paths"), timed=True),
}
