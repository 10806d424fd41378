"""Which way each field of a policy widens: what more it permits when its value changes.

Every field of the language has an order here (a test walks the model and compares). A field without one is
``UNORDERED``: any change of it counts as widened, so that nothing that permits more can pass for neutral because
somebody forgot a line.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Literal

from sqlglot import exp

from consortia.errors import RequestError
from consortia.ids import member_of
from consortia.plans.refuse import Node
from consortia.plans.sql import parse
from consortia.policies.language.enforcement import pattern
from consortia.policies.language.reader import Path
from consortia.policies.language.values import CLASS_OPERATIONS, ColumnClass

Effect = Literal["widened", "narrowed", "neutral"]
ABSENT = ("off", "never")


@dataclass(frozen=True, slots=True)
class Order:
    """How two different values of a field compare, and what it means to permit more or less.

    ``effect`` of (before, after). ``elements`` says that the value is a set whose elements change one by one:
    ``effect`` is then called with (frozenset before, frozenset after) of which one holds one element more.
    """

    effect: Callable[[object, object], Effect]
    wider: str = ""
    narrower: str = ""
    elements: bool = False

    def words(self, effect: Effect) -> str:
        """What the change means, in plain English; empty where the values themselves say it."""
        return {"widened": self.wider, "narrowed": self.narrower, "neutral": ""}[effect]


def order_of(path: Path) -> Order:
    """The order of the field at ``path``."""
    return ORDERS.get(pattern(path), UNORDERED)


def _widened(before: object, after: object) -> Effect:  # noqa: ARG001 - the signature of all of them
    return "widened"


def _neutral(before: object, after: object) -> Effect:  # noqa: ARG001 - the signature of all of them
    return "neutral"


def _number(value: object) -> Fraction | None:
    """The size of a number, a day or a ratio written as text; None for ``off``, which is no number."""
    if isinstance(value, date):
        return Fraction(value.toordinal())
    if isinstance(value, int):
        return Fraction(value)
    return None if value in ABSENT else Fraction(str(value))


def _more_is_wider(before: object, after: object) -> Effect:
    """Maxima: the greater the wider, and without one (``off``) the widest."""
    old, new = _number(before), _number(after)
    if new is None:
        return "widened"
    return "narrowed" if old is None or new < old else "widened"


def _more_grants(before: object, after: object) -> Effect:
    """Budgets: the greater the wider, and none at all (``off``) the narrowest."""
    old, new = _number(before), _number(after)
    return "widened" if new is not None and (old is None or new > old) else "narrowed"


def _less_is_wider(before: object, after: object) -> Effect:
    """Minima: the less the wider, and without one (``off``) the widest."""
    old, new = _number(before), _number(after)
    if new is None:
        return "widened"
    return "narrowed" if old is None or new > old else "widened"


def _coarser_is_narrower(before: object, after: object) -> Effect:
    """Rounding: a multiple of the base tells less; other bases can't be compared."""
    old, new = _number(before), _number(after)
    return "narrowed" if new is not None and (old is None or new % old == 0) else "widened"


def _presence_widens(before: object, after: object) -> Effect:  # noqa: ARG001 - the signature of all of them
    """A section that permits something, or ``never``; two sections are compared field by field."""
    return "narrowed" if after in ABSENT else "widened"


def _presence_narrows(before: object, after: object) -> Effect:  # noqa: ARG001 - the signature of all of them
    """A section that demands something, or ``off``."""
    return "widened" if after in ABSENT else "narrowed"


def _granted(before: object, after: object) -> Effect:
    """A set of what is permitted."""
    return "widened" if _as_set(after) - _as_set(before) else "narrowed"


def _demanded(before: object, after: object) -> Effect:
    """A set of which every element is one more condition."""
    return _granted(after, before)


def _people(before: object, after: object) -> Effect:
    """Members and persons; a member's own person adds nothing to the member."""
    old, new = _as_set(before), _as_set(after)
    if any(who not in old and _member(who) not in old for who in new):
        return "widened"
    return "narrowed" if any(who not in new and _member(who) not in new for who in old) else "neutral"


def _member(who: str) -> str:
    return str(member_of(who)) if "@" in who else who


def _apart(before: object, after: object) -> Effect:
    """Groups that must not compute together: what counts are the pairs in them."""
    old, new = _pairs(before), _pairs(after)
    if old - new:
        return "widened"
    return "narrowed" if new - old else "neutral"


def _pairs(groups: object) -> frozenset[frozenset[str]]:
    return frozenset(
        frozenset((one, other)) for group in _as_set(groups) for one in group for other in group if one != other
    )


def _as_set(value: object) -> frozenset[str]:
    return frozenset(value) if isinstance(value, tuple | frozenset) else frozenset()


def _column_class(before: object, after: object) -> Effect:
    """A class with which every operation of the other could be written is the wider one."""
    old, new = (CLASS_OPERATIONS[_class(value)] for value in (before, after))
    return "narrowed" if new < old else "widened"


def _class(value: object) -> ColumnClass:
    return next(name for name in CLASS_OPERATIONS if name == value)


def _rows(before: object, after: object) -> Effect:
    """Row scopes: fewer conditions joined by AND keep more rows. Scopes that differ otherwise count as widened."""
    old, new = _conditions(before), _conditions(after)
    if old == new:
        return "neutral"
    return "narrowed" if old is not None and new is not None and new > old else "widened"


def _conditions(scope: object) -> frozenset[str] | None:
    """The conditions that a scope joins by AND; none for ``all``; None where it can't be read."""
    text = str(scope).strip()
    if text == "all":
        return frozenset()
    try:
        select = parse(f"SELECT 1 WHERE {text}")
    except RequestError:
        return None
    if {name for name, part in select.args.items() if part} != {"expressions", "where"}:
        return None  # the text is more than a condition, and lint refuses it
    return frozenset(part.sql(dialect="postgres") for part in _conjuncts(select.args["where"].this))


def _conjuncts(node: Node) -> Iterator[Node]:
    if isinstance(node, exp.And):
        yield from _conjuncts(node.left)
        yield from _conjuncts(node.right)
    else:
        yield node


def _scale(*from_narrow_to_wide: str) -> Callable[[object, object], Effect]:
    def effect(before: object, after: object) -> Effect:
        places = {word: place for place, word in enumerate(from_narrow_to_wide)}
        old, new = places.get(str(before)), places.get(str(after))
        return "narrowed" if old is not None and new is not None and new < old else "widened"

    return effect


UNORDERED = Order(_widened, "the two can't be compared, so this counts as widened")
STATED = Order(_neutral)
_LISTED = Order(_neutral, elements=True)

_HANDLING: Mapping[str, Order] = {
    "maximum-rows": Order(_more_is_wider, "more rows may come out", "fewer rows may come out"),
    "human-review": Order(
        _presence_narrows, "no officer reviews a run before its result is opened", "an officer reviews each run first"
    ),
    "retention-days": Order(_more_is_wider, "results may be kept longer", "results are deleted sooner"),
    "onward-sharing": Order(_presence_narrows, "recipients may pass results on", "recipients may pass nothing on"),
}
_ROWS: Mapping[str, Order] = {"recipients": UNORDERED, **_HANDLING}
_CELLS: Mapping[str, Order] = {
    **_HANDLING,
    "recipients": Order(_people, "more may receive it", "fewer may receive it", elements=True),
    "minimum-entities": Order(_less_is_wider, "smaller groups are opened", "only larger groups are opened"),
    "minimum-members": Order(_less_is_wider, "cells of fewer members are opened", "cells need more members"),
    "contributors": UNORDERED,
    "dominance": Order(
        _presence_narrows, "cells ruled by few contributors are opened", "cells ruled by few contributors stay closed"
    ),
    "dominance.n": Order(_less_is_wider, "fewer contributors are looked at", "more contributors are looked at"),
    "dominance.percent": Order(
        _more_is_wider, "the largest contributors may hold more of a cell", "they may hold less of a cell"
    ),
    "p-percent": Order(
        _less_is_wider, "a contribution may be estimated more closely", "no contribution may be estimated so closely"
    ),
    "zeros-and-full-cells": Order(
        _presence_narrows, "cells that are empty or hold everybody are opened", "such cells stay closed"
    ),
    "complementary-suppression": Order(
        _presence_narrows, "a closed cell may follow from totals", "no closed cell may follow from totals"
    ),
    "rounding": Order(_coarser_is_narrower, "numbers are opened more finely", "numbers are opened more coarsely"),
    "noise": Order(_widened, "noise takes the place of exact rules or gives way to them: the two can't be compared"),
    "noise.mechanism": UNORDERED,
    "noise.rho-per-release": Order(_more_is_wider, "an answer may be more exact", "an answer must be less exact"),
    "noise.rho-per-period": Order(
        _more_is_wider, "all answers of a period may tell more", "all answers of a period may tell less"
    ),
    "noise.delta-per-release": Order(
        _more_grants, "groups of few contributors may show more easily", "groups must be larger to show"
    ),
    "noise.delta-per-period": Order(
        _more_grants, "more answers may show groups that nobody knew", "fewer answers may show such groups"
    ),
    "noise.period-days": Order(_less_is_wider, "the budget is renewed sooner", "the budget is renewed later"),
    "noise.cells-per-unit": Order(_more_is_wider, "a contributor counts in more cells", "it counts in fewer cells"),
    "noise.rows-per-cell": Order(_more_is_wider, "more rows of a contributor count", "fewer rows of it count"),
    "differencing": Order(
        _presence_narrows, "queries may differ by few contributors", "queries that differ by few are denied"
    ),
    "differencing.other-rows-days": Order(
        _less_is_wider, "other questions of newer rows are answered sooner", "they are answered later only"
    ),
    "differencing.new-data-days": Order(
        _less_is_wider, "newer rows may be asked about sooner", "newer rows may be asked about later only"
    ),
}
_MODELS: Mapping[str, Order] = {
    **_HANDLING,
    "recipients": _CELLS["recipients"],
    "minimum-members": Order(_less_is_wider, "models of fewer members are opened", "models need more members"),
    **{f"noise.{key}": _CELLS[f"noise.{key}"] for key in ("rho-per-release", "rho-per-period", "period-days")},
}
_KINDS: Mapping[str, Mapping[str, Order]] = {
    "alert": _ROWS, "score": _ROWS, "count": _CELLS, "aggregate": _CELLS, "model": _MODELS,
}  # fmt: skip
_KIND = Order(_presence_widens, "such outputs are permitted", "such outputs are never permitted")
_LEAK = Order(_scale("closed", "open"), "it may become known", "it stays hidden")
_RATE = Order(_more_is_wider, "more may be asked", "less may be asked")

ORDERS: Mapping[str, Order] = {
    "format": UNORDERED,
    "identity.id": STATED,
    "identity.owner": UNORDERED,
    "identity.consortium": UNORDERED,
    "identity.version": STATED,
    "identity.previous": STATED,
    "identity.author": STATED,
    "purpose.code": UNORDERED,
    "purpose.legal-basis": _LISTED,
    "purpose.dpia": STATED,
    "purpose.register-entry": STATED,
    "validity.not-before": Order(_less_is_wider, "it begins earlier", "it begins later"),
    "validity.not-after": Order(_more_is_wider, "it ends later", "it ends earlier"),
    "validity.review": STATED,
    "parties.compute": Order(_granted, "more may compute", "fewer may compute", elements=True),
    "parties.not-together": Order(
        _apart, "more may compute together", "fewer may compute together", elements=True
    ),
    "parties.threat-model": Order(_scale("malicious", "semi-honest"), "computers are trusted more", "less trust"),
    "parties.collusion": Order(_less_is_wider, "fewer may pool what they see", "more may pool what they see"),
    "parties.signatures": Order(_scale("post-quantum", "classical"), "weaker signatures count", "stronger ones only"),
    "parties.countersign": Order(
        _demanded, "fewer members must countersign", "more members must countersign", elements=True
    ),
    "parties.submit": Order(_people, "more may ask", "fewer may ask", elements=True),
    "data.tables": Order(_granted, "the table may be used", "the table is never used", elements=True),
    "data.tables.*.rows": Order(_rows, "more or other rows take part", "fewer rows take part"),
    "data.tables.*.privacy-unit": Order(_widened, "something else counts as one contributor"),
    "data.tables.*.operations": Order(_granted, "its rows may be used so", "its rows may not", elements=True),
    "data.tables.*.columns": Order(_granted, "the column may be used", "the column is never used", elements=True),
    "data.tables.*.columns.*.class": Order(
        _column_class, "the class lets an author write more or other operations", "the class allows fewer operations"
    ),
    "data.tables.*.columns.*.operations": Order(
        _granted, "the column may be used so", "the column may not", elements=True
    ),
    "data.tables.*.columns.*.clip": Order(_presence_narrows, "values are no longer clipped", "values are clipped"),
    "data.tables.*.columns.*.clip.lo": Order(_less_is_wider, "lower values count in full", "values are clipped more"),
    "data.tables.*.columns.*.clip.hi": Order(_more_is_wider, "higher values count in full", "values are clipped more"),
    **{f"outputs.{kind}": _KIND for kind in _KINDS},
    **{f"outputs.{kind}.{key}": order for kind, keys in _KINDS.items() for key, order in keys.items()},
    "leaks.sizes": _LEAK,
    "leaks.group-count": _LEAK,
    "leaks.match-count": _LEAK,
    "leaks.filter-mask": _LEAK,
    "leaks.suppressed-count": _LEAK,
    "rates.queries-per-analyst-and-day": _RATE,
    "rates.queries-per-day": _RATE,
    "rates.queries-per-period": _RATE,
    "examples": _LISTED,
    "rates.templates-without-review": Order(
        _granted, "more runs without an officer's review", "less runs without review", elements=True
    ),
}  # fmt: skip
"""Every field by its path in the file, as ``language.enforcement`` registers it."""


def order_table() -> str:
    """A Markdown table of all fields: what counts as widened, and what as narrowed."""
    lines = ["| field | widened | narrowed |", "|---|---|---|"]
    for path, order in ORDERS.items():
        wider = "never" if order.effect is _neutral else "any change" if order is UNORDERED else order.wider
        narrower = order.narrower or "never"
        lines.append(f"| `{path}` | {wider} | {narrower} |")
    return "\n".join(lines) + "\n"
