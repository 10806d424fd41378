"""An analysis as a bound query: SQL as ``sql.bind`` reads it, or a spec of what is followed along payments.

    analysis: risk-propagation            cycles, scatter-gather, taint, pagerank
    accounts: SELECT account_id AS account, MAX(risk_score) AS score FROM accounts GROUP BY account_id
    payments: |
      SELECT from_account AS source, to_account AS target, SUM(amount_minor) AS amount
      FROM transactions WHERE currency = 'EUR' AND ... GROUP BY from_account, to_account
    iterations: 2
    scale: 100

The queries are SQL; their columns have the names above. Accounts are grouped: one that two members list is one
node, told to both, where two rows of it would count twice. All else of a spec is public numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from consortia.plans.catalogue import Catalogue
from consortia.plans.query import Query
from consortia.plans.specs import patterns, scores
from consortia.plans.specs.fields import Fields, read_fields
from consortia.plans.specs.learning import METHODS, bind_learning
from consortia.plans.specs.sides import NUMBERS, SCORE, Sides, Wanted, bind_sides
from consortia.plans.sql import bind

FIRST_WORD = "analysis:"


def bind_analysis(text: str, catalogue: Catalogue, as_of: datetime) -> Query:
    """The query that ``text`` asks, SQL or spec. Raises RequestError as ``sql.bind``, and ``plans/spec``."""
    return bind_spec(text, catalogue, as_of) if is_spec(text) else bind(text, catalogue, as_of)


def is_spec(text: str) -> bool:
    """Whether the text is a spec: its first line that is no comment names the analysis."""
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line and not line.startswith("#")), "").startswith(FIRST_WORD)


def bind_spec(text: str, catalogue: Catalogue, as_of: datetime) -> Query:
    """The query of a spec."""
    fields = read_fields(text)
    named = fields.required("analysis")
    if named.text in METHODS:
        return bind_learning(fields, text, catalogue, as_of)
    if named.text not in _ANALYSES:
        raise named.refused(f"is `{named.text[:40]}`", f"analyses are {', '.join((*_ANALYSES, *METHODS))}")
    analysis = _ANALYSES[named.text]
    fields.check_known(("analysis", *analysis.sides.fields, *analysis.fields))
    sides = bind_sides(fields, text, analysis.sides, catalogue, as_of)
    return analysis.bind(fields, sides)


@dataclass(frozen=True)
class _Analysis:
    """How one analysis is bound: its own fields, and what its queries are."""

    bind: Callable[[Fields, Sides], Query]
    fields: tuple[str, ...]
    sides: Wanted


_TIMED = Wanted(timed=True)
_ANALYSES: Mapping[str, _Analysis] = {
    "risk-propagation": _Analysis(
        scores.risk, ("iterations", "scale", "at-least"), Wanted({SCORE: NUMBERS}, periods=True)
    ),
    "pagerank": _Analysis(scores.ranks, ("iterations", "at-least"), Wanted()),
    "cycles": _Analysis(patterns.cycles, ("longest", "window", "part", "paths", "closed"), _TIMED),
    "scatter-gather": _Analysis(patterns.scatter_gather, ("middles", "window", "part", "paths"), _TIMED),
    "taint": _Analysis(patterns.taint, ("hops", "window", "part"), Wanted(timed=True, seeded=True)),
}
