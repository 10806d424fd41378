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
from dataclasses import dataclass, field
from datetime import datetime

from consortia.plans.catalogue import Catalogue
from consortia.plans.query import Query
from consortia.plans.specs import patterns, scores
from consortia.plans.specs.fields import Fields, read_fields
from consortia.plans.specs.sides import NUMBERS, SCORE, Sides, bind_sides
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
    if named.text not in _ANALYSES:
        raise named.refused(f"is `{named.text[:40]}`", f"analyses are {', '.join(_ANALYSES)}")
    analysis = _ANALYSES[named.text]
    fields.check_known(("analysis", "accounts", "payments", *analysis.fields))
    sides = bind_sides(fields, text, analysis.accounts, analysis.timed, catalogue, as_of)
    return analysis.bind(fields, sides)


@dataclass(frozen=True)
class _Analysis:
    """How one analysis is bound: its own fields, columns of accounts beside the key, whether payments have times."""

    bind: Callable[[Fields, Sides], Query]
    fields: tuple[str, ...]
    accounts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    timed: bool = False


_ANALYSES: Mapping[str, _Analysis] = {
    "risk-propagation": _Analysis(scores.risk, ("iterations", "scale", "at-least"), {SCORE: NUMBERS}),
    "pagerank": _Analysis(scores.ranks, ("iterations", "at-least")),
    "cycles": _Analysis(patterns.cycles, ("longest", "window", "part", "paths", "closed"), timed=True),
    "scatter-gather": _Analysis(patterns.scatter_gather, ("middles", "window", "part", "paths"), timed=True),
}
