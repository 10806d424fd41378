"""Joint models: learnt from examples of all members, kept on shares, and asked for scores, alerts or how good they are.

    analysis: logistic-regression         boosted-trees
    examples: SELECT customer_key AS subject, ... AS label, ... AS held, other columns FROM ... GROUP BY customer_key
    epochs: 10
    give: scores                          alerts, evaluation; model (of a regression, its weights with noise)

``subject`` says whose row it is, ``label`` (0 or 1) what is learnt, ``held`` (0 or 1, may be left out) which rows are
kept back to judge the model by; all other columns but that of ``by`` are features. How the examples are split does not
matter: rows of several members (UNION, one table) or columns of several (JOIN) are one relation. With ``accounts``,
``payments`` and ``iterations`` (and ``scale``), as for risk and ranks, the examples may read ``network``: each account
with its ``risk`` or ``rank``.
"""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from itertools import pairwise

from consortia.plans import bounded, meaning
from consortia.plans.binding.rows import Bound
from consortia.plans.catalogue import Catalogue
from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.learning import MILLION, Learning, RegressionMethod, TreesMethod, score_type
from consortia.plans.lowering.unique import is_grouped_by
from consortia.plans.model import Named, SortKey, WindowFunction
from consortia.plans.query import Computed, Filtered, Modelled, Query, QueryAggregate, Scored, Windowed
from consortia.plans.specs.fields import Field, Fields
from consortia.plans.specs.scores import network, of_each
from consortia.plans.specs.sides import NONE, NUMBERS, Wanted, bind_sides, bound_query, check_kinds

SUBJECT, LABEL, HELD = "subject", "label", "held"
SCORED, PLACE = "scored", "place"
"""Columns of rows: what a model gives, and the row's place in the order of that."""
SCORE, UP_TO, ROWS, POSITIVES, EXPECTED = "score", "up_to", "rows", "positives", "expected"
"""Columns of results."""
TAKEN = (SCORED, PLACE, SCORE, UP_TO, ROWS, POSITIVES, EXPECTED)
PARAMETER, WEIGHT, LOW, HIGH = "parameter", "weight", "low", "high"
"""Columns of a model that is opened."""
GIVEN = ("scores", "alerts", "evaluation")
MODEL = "model"
"""What may be given beside these by a regression."""
METHODS: Mapping[str, tuple[str, ...]] = {
    "logistic-regression": ("epochs", "batch", "rate", "l2", "positive-weight"),
    "boosted-trees": ("trees", "depth", "rate", "l2", "minimum-weight", "positive-weight", "cuts"),
}
"""The fields of each method."""
COMMON = ("examples", "give", "at-least", "bands", "by")
NETWORK = ("accounts", "payments", "iterations", "scale")
"""Fields of what is followed from account to account before the examples are read."""
MOST_FEATURES = 500
MOST_BANDS = 200


def bind_learning(fields: Fields, text: str, catalogue: Catalogue, as_of: datetime) -> Query:
    """The query of a spec that learns."""
    analysis = fields.required("analysis").text
    fields.check_known(("analysis", *COMMON, *NETWORK, *METHODS[analysis]))
    method = _regression(fields) if analysis == "logistic-regression" else _trees(fields)
    given = fields.required("examples")
    named = {"network": _network(fields, text, catalogue, as_of)} if _is_followed(fields) else NONE
    examples = bound_query(given, catalogue, as_of, named)
    grouped = fields.required("by") if fields.has("by") else None
    scored = _scored(given, examples, grouped, method)
    give = fields.required("give")
    if give.text == MODEL and isinstance(method, RegressionMethod):
        return _opened(fields, text, scored, method)
    if give.text not in GIVEN:
        known = (*GIVEN, MODEL) if isinstance(method, RegressionMethod) else GIVEN
        raise give.refused(f"is `{give.text[:40]}`", f"write one of {', '.join(known)}")
    if give.text == "evaluation":
        return _evaluated(fields, text, scored)
    return _told(fields, text, scored, alerts=give.text == "alerts")


def _is_followed(fields: Fields) -> bool:
    return any(fields.has(name) for name in NETWORK)


def _network(fields: Fields, text: str, catalogue: Catalogue, as_of: datetime) -> Bound:
    """What the examples may read of the flow of money."""
    wanted = Wanted({"score": NUMBERS} if fields.has("scale") else {})
    return network(fields, bind_sides(fields, text, wanted, catalogue, as_of))


# --- the examples ---------------------------------------------------------------------------------------


def _scored(given: Field, examples: Bound, grouped: Field | None, method: Learning) -> Scored:
    """The examples with scores: every other column is a feature."""
    for name in (SUBJECT, LABEL):
        if name not in examples.types:
            raise given.refused(f"has no column `{name}`", f"select {SUBJECT}, {LABEL} and features, named so by AS")
    held = HELD if HELD in examples.types else ""
    apart = {SUBJECT, LABEL, *([held] if held else []), *([grouped.text] if grouped else [])}
    features = tuple(name for name in examples.types if name not in apart)
    taken = next((name for name in examples.types if name in TAKEN), "")
    if taken:
        raise given.refused(f"has a column `{taken}`, which the result has", "name it otherwise by AS")
    if grouped:
        _check_group(grouped, examples)
    if not 1 <= len(features) <= MOST_FEATURES:
        raise given.refused(f"has {len(features)} features", f"select 1 to {MOST_FEATURES} columns to learn from")
    ones: dict[str, tuple[str, ...]] = {LABEL: ("int",), **({HELD: ("int",)} if held else {})}
    check_kinds(given, examples, {SUBJECT: ("key",), **ones, **dict.fromkeys(features, NUMBERS)})
    once = frozenset({SUBJECT, *([grouped.text] if grouped else [])})
    if not is_grouped_by(examples.relation, once):
        raise given.refused("may name a subject twice", f"group by {' and '.join(sorted(once))}")
    return Scored(source=examples.relation, features=features, label=LABEL, held=held, made=SCORED, method=method)


def _check_group(grouped: Field, examples: Bound) -> None:
    """Bands are of many rows: no column that names a row, or says what is learnt, parts them."""
    if grouped.text not in examples.types:
        raise grouped.refused(f"is no column of the examples: `{grouped.text[:40]}`", "select it in `examples`")
    if grouped.text in (SUBJECT, LABEL, HELD) or examples.types[grouped.text].kind == "key":
        raise grouped.refused(f"is `{grouped.text}`", "name a column of few values, such as a segment or a country")


# --- what is asked of the model -------------------------------------------------------------------------


def _told(fields: Fields, text: str, scored: Scored, *, alerts: bool) -> Query:
    """Each member's own rows with their scores, or those whose score is large enough without it."""
    _refuse(fields, ("bands", "by"), "belongs to an evaluation")
    if not alerts:
        _refuse(fields, ("at-least",), "belongs to alerts")
    made = QueryAggregate(name=SCORE, function="sum", argument=Ref(column=SCORED), type=score_type())
    return of_each(text, scored, SUBJECT, made, fields.required("at-least") if alerts else None)


def _opened(fields: Fields, text: str, scored: Scored, method: RegressionMethod) -> Query:
    """The weights, to whoever asks, with noise."""
    _refuse(fields, ("bands", "by", "at-least"), "does not belong to a model")
    _refuse(fields, NETWORK, "lets one customer's payments change the examples of others, which no noise would hide")
    if bounded.INTERCEPT in scored.features:
        raise fields.required("examples").refused(f"has a column `{bounded.INTERCEPT}`", "name it otherwise by AS")
    most = bounded.largest_rate(len(scored.features), method.positive_weight, method.penalty)
    if not fields.has("rate"):
        method = method.model_copy(update={"rate": min(method.rate, most)})
    elif method.rate > most:
        raise fields.required("rate").refused(
            f"is {fields.required('rate').text}: so large a step could bring out what one row holds",
            f"write at most {most / MILLION:f}, or take fewer features, or a smaller positive-weight",
        )
    held = (scored.held,) if scored.held else ()
    columns = (SUBJECT, scored.label, *held, *scored.features)
    names = (PARAMETER, WEIGHT, LOW, HIGH)
    return Query(
        sql=text,
        relation=scored.source,
        keys=tuple(Named(name=name, expression=Ref(column=name)) for name in columns),
        outputs=tuple(Named(name=name, expression=Ref(column=name)) for name in names),
        order_by=(SortKey(column=PARAMETER),),
        model=Modelled(subject=SUBJECT, features=scored.features, label=scored.label, held=scored.held, method=method),
    )


def _evaluated(fields: Fields, text: str, scored: Scored) -> Query:
    """Of the rows kept back, by bands of their places from the highest score on: rows, labels of 1, and scores in all.

    A band is called by its last place (``up_to``); the one of NULL holds what comes behind all ``bands``.
    """
    _refuse(fields, ("at-least",), "belongs to alerts")
    if not scored.held:
        raise fields.required("examples").refused(
            f"has no column `{HELD}`", "select a 0 or 1 that says which rows the model is judged by and not taught"
        )
    by = [fields.required("by").text] if fields.has("by") else []
    held = Call(op="eq", args=(Ref(column=HELD), Const(type=meaning.INT, integer=1)), type=meaning.BOOL)
    placed = Windowed(
        source=Filtered(source=scored, predicate=held),
        partition=(),
        order=(SortKey(column=SCORED, descending=True),),
        functions=(WindowFunction(name=PLACE, function="row-number"),),
        types=(meaning.INT,),
    )
    columns = [Named(name=name, expression=Ref(column=name)) for name in (SUBJECT, LABEL, SCORED, *by)]
    banded = Computed(source=placed, expressions=(*columns, Named(name=UP_TO, expression=_band(_bands(fields)))))
    keys = tuple(Named(name=name, expression=Ref(column=name)) for name in (UP_TO, *by))
    made = (
        QueryAggregate(name=ROWS, function="count-rows", type=meaning.INT),
        QueryAggregate(name=POSITIVES, function="sum", argument=Ref(column=LABEL), type=meaning.INT),
        QueryAggregate(name=EXPECTED, function="sum", argument=Ref(column=SCORED), type=score_type()),
    )
    return Query(
        sql=text,
        relation=banded,
        keys=keys,
        aggregates=made,
        outputs=tuple(
            Named(name=name, expression=Ref(column=name)) for name in (UP_TO, *by, ROWS, POSITIVES, EXPECTED)
        ),
        order_by=tuple(SortKey(column=name) for name in (UP_TO, *by)),
    )


def _bands(fields: Fields) -> list[int]:
    """The last place of each band but the last."""
    given = fields.several("bands")
    ends = [field.whole(1, 1 << 40) for field in given]
    if len(ends) > MOST_BANDS or any(later <= sooner for sooner, later in pairwise(ends)):
        raise given[0].refused("do not rise", f"write at most {MOST_BANDS} places, each after the one before")
    return ends


def _band(ends: list[int]) -> Expr:
    """The last place of the band in which a row stands; NULL behind the last one."""
    args: list[Expr] = []
    for end in ends:
        last = Const(type=meaning.INT, integer=end)
        args += [Call(op="le", args=(Ref(column=PLACE), last), type=meaning.BOOL), last]
    args.append(Const(type=meaning.INT))
    return Call(op="case", args=tuple(args), type=meaning.INT)


def _refuse(fields: Fields, names: tuple[str, ...], why: str) -> None:
    for name in names:
        if fields.has(name):
            raise fields.several(name)[0].refused(why, "leave it out")


# --- methods --------------------------------------------------------------------------------------------


def _regression(fields: Fields) -> RegressionMethod:
    return RegressionMethod(
        epochs=fields.required("epochs").whole(1, 1_000),
        batch=fields.default("batch", "500").whole(1, 1_000_000),
        rate=_rate(fields, "0.5"),
        penalty=_millionths(fields.default("l2", "0")),
        positive_weight=fields.default("positive-weight", "1").whole(1, 1_000),
    )


def _trees(fields: Fields) -> TreesMethod:
    return TreesMethod(
        trees=fields.required("trees").whole(1, 1_000),
        depth=fields.required("depth").whole(1, 8),
        rate=_rate(fields, "0.3"),
        penalty=fields.default("l2", "1").whole(1, 1_000),
        minimum_weight=fields.default("minimum-weight", "1").whole(0, 1_000_000),
        positive_weight=fields.default("positive-weight", "1").whole(1, 1_000),
        cuts=fields.default("cuts", "15").whole(1, 255),
    )


def _rate(fields: Fields, otherwise: str) -> int:
    rate = fields.default("rate", otherwise)
    found = _millionths(rate)
    if not found:
        raise rate.refused("is 0", f"write a number above 0, such as {otherwise}")
    return found


def _millionths(field: Field) -> int:
    """A decimal from 0 to 1 of at most six places, in millionths."""
    carried = Fraction(*field.ratio()) * MILLION
    if carried.denominator != 1:
        raise field.refused(f"is `{field.text}`", "write at most six decimal places")
    return int(carried)
