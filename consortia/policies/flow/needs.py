"""Which operations a policy must permit for what becomes known of a source, or why no policy can permit it.

Ways in which something becomes known: rows or groups are selected by it, it orders rows, its equality decides which
rows meet, it is opened as a key, its number is opened or compared. ``rows`` says that every output is an alert or a
score, which goes to the owners of its rows alone and has no minimum of contributors.
"""

from dataclasses import dataclass

from consortia.policies.flow.sources import ColumnSource, Kind

BY_MEMBER = "a query never picks out single members: their books would be read one by one"
BY_SELECTION = (
    "a condition, product or window inside SUM or COUNT picks out rows after contributors are counted,"
    " so a number could rest on one customer"
)
BY_GAPS = (
    "it may be NULL, and customers without a value are counted as contributors,"
    " so a number could rest on one customer; add WHERE ... IS NOT NULL"
)
BY_NO_MATCH = (
    "a LEFT JOIN keeps customers without a match, who are counted as contributors,"
    " so a number could rest on one customer; write JOIN"
)
BY_TRACING = (
    "a number that payments of others brought about is told to the member that keeps the account, and to nobody else;"
    " group by the account's key"
)
BY_JUDGING = (
    "the label of one row is never told, not even to its owner: it may hold what others have reported;"
    " ask for bands of many rows"
)
BY_MIXING = (
    "a number for each entity is never made of other entities' rows, which no minimum of contributors protects;"
    " group or partition by the entity"
)


@dataclass(frozen=True, slots=True, order=True)
class Need:
    """An operation that must be permitted. ``why`` is empty, or says that no policy can permit it, and why."""

    operation: str
    why: str = ""


Needs = tuple[Need, ...]

_MEMBER: Needs = (Need("member", BY_MEMBER),)
_SILENT: frozenset[Kind] = frozenset(("row", "grouped-row", "present", "mark", "gap"))
"""Tell nothing where they decide or are opened themselves: constants, and what stands beside a source that does."""
_BY_BANDS: dict[Kind, tuple[str, ...]] = dict.fromkeys(("learned", "scored", "judged"), ("evaluate",))
_SELECT: dict[Kind, tuple[str, ...]] = {
    "value": ("filter",),
    "total": ("compare", "filter"),
    "tally": ("compare",),
    "least": ("filter", "rank"),
    "row-count": ("compare",),
    "member-count": ("compare-members",),
    "match": ("join",),
    "place": ("rank",),
    "traced": ("compare",),
    **_BY_BANDS,
}
_ORDER: dict[Kind, tuple[str, ...]] = {
    "value": ("rank",),
    "total": ("compare", "rank"),
    "tally": ("compare",),
    "least": ("rank",),
    "row-count": ("compare",),
    "member-count": ("compare-members",),
    "match": ("join",),
    "place": ("rank",),
    "traced": ("compare", "rank"),
    **_BY_BANDS,
}
_MEET: dict[Kind, tuple[str, ...]] = {
    "value": ("join",),
    "total": ("compare", "join"),
    "tally": ("compare", "join"),
    "least": ("join", "rank"),
    "row-count": ("compare",),
    "member-count": ("compare-members",),
    "match": ("join",),
    "place": ("rank",),
    "traced": ("compare", "join"),
    **_BY_BANDS,
}
_AS_KEY: dict[Kind, tuple[str, ...]] = {
    "value": ("group",),
    "total": ("group", "sum"),
    "tally": ("count", "group"),
    "least": ("group", "rank"),
    "row-count": ("count",),
    "member-count": ("count-members",),
    "match": ("join",),
    "place": ("group", "rank"),
    "traced": ("trace",),
    **_BY_BANDS,
}
_AS_NUMBER: dict[Kind, tuple[str, ...]] = {
    "sum": ("sum",),
    "count": ("count",),
    "entities": ("count",),
    "rows": ("count",),
    "members": ("count-members",),
    "extreme": ("extreme",),
    "quantile": ("quantile",),
    "variance": ("variance",),
    "ranked": ("rank",),
}
_COMPARED: dict[Kind, tuple[str, ...]] = {
    "sum": ("compare",),
    "count": ("compare",),
    "entities": ("compare",),
    "rows": ("compare",),
    "members": ("compare-members",),
    "extreme": ("compare", "extreme"),
    "quantile": ("compare", "quantile"),
    "variance": ("compare", "variance"),
    "ranked": ("rank",),
    "traced": ("compare",),
    "learned": ("train",),
    "scored": ("compare",),
}
NUMBERS = frozenset(_AS_NUMBER) | {
    "total",
    "tally",
    "least",
    "row-count",
    "member-count",
    "place",
    "traced",
    "learned",
    "scored",
}
"""Kinds that make an alert a score: beside the key stands a number."""


def to_select(source: ColumnSource, *, rows: bool) -> Needs:
    """Rows are kept or left out by it, before contributors are counted."""
    return _looked_up(_SELECT, source, rows=rows)


def to_order(source: ColumnSource, *, rows: bool) -> Needs:
    """Rows are put in order by it, and their place decides."""
    return _looked_up(_ORDER, source, rows=rows)


def to_meet(source: ColumnSource, *, rows: bool) -> Needs:
    """Its equality decides which rows meet: join keys, keys of nested groups, partitions of windows."""
    return _looked_up(_MEET, source, rows=rows)


def to_trace(source: ColumnSource, *, rows: bool) -> Needs:
    """It is followed from account to account: with whom, when and how much decides numbers and alerts of others."""
    if source.kind == "member":
        return _MEMBER
    if source.kind in _SILENT:
        return ()
    if not source.column:
        return (Need("compare"),)
    return (Need("trace", "" if rows else BY_TRACING),)


def to_learn(source: ColumnSource, *, rows: bool) -> Needs:
    """A joint model learns from it: its scores go to the owners of rows, or are judged by bands of many rows."""
    del rows
    if source.kind == "member":
        return _MEMBER
    if source.kind in _SILENT:
        return ()
    return (Need("join" if source.kind == "match" else "train"),)


def to_open(source: ColumnSource, *, rows: bool) -> Needs:
    """It is opened: as a key, or as a number of a group."""
    if source.kind in ("selection", "gaps", "met"):
        return _inside(source, rows=rows)
    if rows and source.kind == "learned":
        return (Need("train"),)
    if rows and source.kind in NUMBERS and not source.mixed:
        return (Need("score"),)
    if rows and source.kind == "value":
        return (Need("alert"),)
    return _looked_up(_AS_KEY | _AS_NUMBER, source, rows=rows)


def to_compare(source: ColumnSource, *, rows: bool) -> Needs:
    """A condition on groups (HAVING), after contributors are counted."""
    if source.kind in ("selection", "gaps", "met"):
        return _inside(source, rows=rows)
    return _looked_up(_SELECT | _COMPARED, source, rows=rows)


def _inside(source: ColumnSource, *, rows: bool) -> Needs:
    """What is decided inside a number; where no contributors are counted, a NULL changes nothing."""
    if source.kind == "gaps":
        why = BY_NO_MATCH if source.form == "condition" else BY_GAPS
        return () if rows else (Need("filter", why),)
    if source.kind == "met":
        return (Need("join", "" if rows else BY_SELECTION),)
    if rows and source.column:
        return (Need("filter"),)
    return (Need("filter", BY_SELECTION),)


def _looked_up(table: dict[Kind, tuple[str, ...]], source: ColumnSource, *, rows: bool) -> Needs:
    if source.kind == "member":
        return _MEMBER
    if source.kind in _SILENT:
        return ()
    if source.kind == "judged" and rows:
        return (Need("evaluate", BY_JUDGING),)
    if source.mixed and rows:
        return (Need(table[source.kind][0], BY_MIXING),)
    return tuple(Need(operation) for operation in table[source.kind])
