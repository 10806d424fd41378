"""A relation's sources, and how relations are put together: one above the other, or side by side.

UNION ALL could be a condition in disguise: a branch of constants beside one of values, or a branch that repeats rows,
decides what a sum is made of, while contributors are counted over all branches. So a stacked column keeps its
form only where every branch is an owner's plain column and no table stands in two branches; all others are shapes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations

from consortia.plans.model import JoinKind
from consortia.policies.flow.aggregation import HOLDS_VALUES
from consortia.policies.flow.nulls import NOTHING, Nulls
from consortia.policies.flow.sources import ROWS, ColumnSource, Sources, combined


@dataclass(frozen=True, slots=True)
class Relation:
    """Sources of each column by name, and of the rows' existence.

    ``tables`` are those that rows are made from. ``repeated``: the query decides how often a row stands there.
    ``nulls`` says which columns hold none.
    """

    columns: Mapping[str, Sources]
    rows: Sources
    tables: frozenset[str]
    repeated: bool = False
    nulls: Nulls = NOTHING

    def with_columns(self, columns: Mapping[str, Sources], nulls: Nulls) -> "Relation":
        """The same rows with other columns."""
        return replace(self, columns=columns, nulls=nulls)

    def proved(self, names: frozenset[str]) -> "Relation":
        """The rows in which none of the columns ``names`` is NULL; a number that stands for NULL still hides a gap."""
        columns = {
            name: frozenset(each for each in sources if not _is_null(each)) if name in names else sources
            for name, sources in self.columns.items()
        }
        return self.with_columns(columns, Nulls(self.nulls.whole | names, self.nulls.proofs))

    def united(self, others: "list[Relation]") -> "Relation":
        """The parts of one table, each at its owner."""
        parts = [self, *others]
        columns = {name: frozenset().union(*(part.columns[name] for part in parts)) for name in self.columns}
        return Relation(
            columns,
            frozenset().union(*(part.rows for part in parts)),
            frozenset().union(*(part.tables for part in parts)),
            any(part.repeated for part in parts),
            self.nulls.of_all(other.nulls for other in others),
        )

    def grouped(self, columns: Mapping[str, Sources], rows: Sources, *, at_owner: bool) -> "Relation":
        """One row for each group; each group stands there once, however often its rows did."""
        return Relation(columns, rows, self.tables, self.repeated and at_owner)


def _is_null(source: ColumnSource) -> bool:
    """Whether the column is NULL where the source says that a value is missing."""
    return source.kind in ("gap", "match") and source.form in ("plain", "linear", "square")


def stacked(branches: list[Relation]) -> Relation:
    """Rows of all branches; which branch a row is from may decide a number."""
    whole = branches[0].united(branches[1:])
    overlap = any(left.tables & right.tables for left, right in combinations(branches, 2))
    repeated = overlap or whole.repeated
    marks = frozenset(replace(row, column="", kind="mark", form="plain") for row in whole.rows)
    columns: dict[str, Sources] = {}
    for name, sources in whole.columns.items():
        alike = all(_plain(branch.columns[name]) for branch in branches)
        if alike and not repeated:
            columns[name] = sources
        elif alike:
            columns[name] = _shapes(sources)
        else:
            columns[name] = _shapes(frozenset(each for each in sources if each.kind not in ROWS)) | marks
    rows = _shapes(whole.rows) if repeated else whole.rows
    return replace(whole, columns=columns, rows=rows, repeated=repeated)


def _plain(sources: Sources) -> bool:
    return bool(sources) and all(source.kind == "value" and source.form == "plain" for source in sources)


def _shapes(sources: Sources) -> Sources:
    return frozenset(replace(source, form=combined("shape", source.form)) for source in sources)


def joined(how: JoinKind, left: Relation, right: Relation, keys: Sources, names: frozenset[str]) -> Relation:
    """Rows of ``left`` with the columns of ``right`` among ``names``; ``keys`` are the sources of both sides' keys.

    A left join's taken columns are NULL where nothing matched, so each of them tells the match.
    """
    taken = {name: sources for name, sources in right.columns.items() if name in names and name not in left.columns}
    if how not in ("inner", "left"):
        taken = {}
    if left.repeated:
        taken = {name: _shapes(sources) for name, sources in taken.items()}
    if how == "left":
        match = frozenset(replace(key, kind="match", form="plain") for key in keys if key.kind in HOLDS_VALUES)
        taken = {name: sources | match for name, sources in taken.items()}
    columns = {name: sources for name, sources in left.columns.items() if name in names} | taken
    rows = left.rows | right.rows if how == "inner" else left.rows
    nulls = left.nulls.beside(right.nulls if how == "inner" else Nulls(proofs=right.nulls.proofs), names)
    return Relation(columns, rows, left.tables | right.tables, left.repeated, nulls)
