"""What may be done with each table: which rows take part, who counts as one, and every operation."""

from collections.abc import Iterator

from consortia.policies.explain.page import Sentence
from consortia.policies.language.model import Policy, PolicyTable
from consortia.policies.rules.tables import ALL_ROWS

OPERATION_WORDS = {
    "filter": "select rows by",
    "group": "open as groups",
    "count": "count values of",
    "sum": "sum (where rows may be counted, average)",
    "compare": "compare, unopened, totals of",
    "alert": "open to the members that hold the row",
    "score": "open numbers per customer made from",
    "join": "let rows of several tables or members meet by equal values of",
    "rank": "put rows in order by, and keep the first,",
    "extreme": "open the least and greatest value, which is one customer's, of",
    "quantile": "open medians and other quantiles, which are one or two customers' values, of",
    "trace": "follow from account to account, for numbers and alerts told to the accounts' own members,",
    "train": "let joint models, which stay on shares, learn from",
    "evaluate": "open numbers by bands of the scores of models that learnt from",
    "variance": "open sums of squares (for variance and deviation) of",
}
ROW_WORDS = {
    "open, of a group, the number of": ("count", "count-members"),
    "compare, unopened, a group's number of": ("compare", "compare-members"),
}
"""For what may be done with rows as such: the operations on their number, and on that of members."""
PROBING = (
    "Comparing and ordering hide a number in a single query only: about 40 queries with other thresholds give a member"
    " the exact total of the others for a customer that it shares (docs/limits.md)."
)


def of_data(policy: Policy) -> Iterator[Sentence]:
    """One paragraph a table, and what comparing gives away."""
    section = "What may be done with the data"
    for name, table in policy.data.tables.items():
        scope = table.rows.strip()
        rows = "All rows." if scope == ALL_ROWS else f"Only rows where {' '.join(scope.split())}."
        yield Sentence(section, rows, "row-scope", name)
        yield Sentence(section, f"Contributors: distinct {table.privacy_unit}.", "privacy-unit", name)
        yield Sentence(section, _operations(table), "operations", name)
    probed = [name for name, table in policy.data.tables.items() if _compares(table)]
    if probed:
        yield Sentence(section, PROBING, "operations", f"Beware ({', '.join(probed)})")


def _operations(table: PolicyTable) -> str:
    """Every operation that is granted with what it may be done to, and the columns that are listed and never used."""
    granted = [
        f"{words} {', '.join(columns)}"
        for operation, words in OPERATION_WORDS.items()
        if (columns := [column for column, entry in table.columns.items() if operation in entry.operations])
    ]
    for words, operations in ROW_WORDS.items():
        counted = [what for what, each in zip(("rows", "members"), operations, strict=True) if each in table.operations]
        granted += [f"{words} {' and '.join(counted)}"] if counted else []
    if "score" in table.operations:
        granted.append("open numbers of rows or members beside an alert")
    learnt = [what for what in ("train", "evaluate") if what in table.operations]
    granted += [f"{OPERATION_WORDS[what]} numbers of rows" for what in learnt]
    unused = [column for column, entry in table.columns.items() if not entry.operations]
    never = f" Never used: {', '.join(unused)}." if unused else ""
    return f"Queries may {'; '.join(granted) or 'do nothing'}.{never}"


def _compares(table: PolicyTable) -> bool:
    """Whether anything of the table may be compared with a threshold that the query chooses, or with rows put in."""
    granted = {*table.operations, *(each for entry in table.columns.values() for each in entry.operations)}
    return bool(granted & {"compare", "compare-members", "rank"})
