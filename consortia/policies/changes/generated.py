"""Well-formed queries over a catalogue, one for each way of using each column: what a change of a policy is tried on.

A fixed list, made from public documents alone: for every table that one of the policies names, each word that could be
granted (filter, group, count, sum, ...) gets the plainest queries that need it, over all rows, by each column that a
policy opens as a group, and by customer. Everything else such a query needs is taken from what the policies grant,
so that a word which is granted or taken away shows as a verdict that changes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from consortia.ids import member_of
from consortia.plans.catalogue import CatalogueColumn, CatalogueTable
from consortia.plans.networks import LARGEST_SUM
from consortia.policies.language.model import Policy, PolicyTable
from consortia.policies.world import PolicyWorld

MOST_GROUPS = 2
"""So many columns that may be group keys are tried as keys of every other query."""
LITERALS = {
    "bool": "", "int": " >= 0", "decimal": " >= 0", "date": " >= DATE '2020-01-01'",
    "timestamp": " >= TIMESTAMP '2020-01-01 00:00:00'",
}  # fmt: skip
NUMBERS = frozenset(("int", "decimal"))
ORDERED = NUMBERS | {"date", "timestamp"}


@dataclass(frozen=True, slots=True)
class Generated:
    """A query, and who asks it."""

    sql: str
    submitter: str


@dataclass(frozen=True, slots=True)
class _Part:
    """A table that queries are made over: its unit, the columns that group, and the condition that fixes units."""

    table: CatalogueTable
    unit: str
    groups: tuple[str, ...]

    def fixed(self, column: CatalogueColumn) -> str:
        """The condition under which a number of the column means something: one unit, and no NULLs."""
        conditions = []
        unit = next((other for other in self.table.columns if other.name == column.type.unit), None)
        if unit is not None and unit.type.values:
            conditions.append(f"{unit.name} = '{unit.type.values[0]}'")
        if column.nullable:
            conditions.append(f"{column.name} IS NOT NULL")
        return " AND ".join(conditions)


def generated(policies: tuple[Policy, ...], world: PolicyWorld) -> tuple[Generated, ...]:
    """The queries over the catalogue of ``world`` for what ``policies`` (versions of one) speak of.

    One analyst asks them all; every other one whom a policy lets ask, asks for counts and an alert of each table.
    """
    askers = _askers(policies, world)
    parts = [part for table in world.catalogue.tables if (part := _part(table, policies)) is not None]
    texts = dict.fromkeys(sql for part in parts for sql in _over(part))
    plain = [sql for part in parts for sql in (*_grouped(part, "COUNT(*) AS n"), _alert(part))]
    return (
        *(Generated(sql, who) for who in askers[:1] for sql in texts),
        *(Generated(sql, who) for who in askers[1:] for sql in plain),
    )


def _askers(policies: tuple[Policy, ...], world: PolicyWorld) -> tuple[str, ...]:
    """Analysts whom one of the policies lets ask, those first whom all do."""
    people = {person.id for card in world.cards.values() for person in card.people if "analyst" in person.roles}
    allowed = {
        who: sum(bool({who, str(member_of(who))} & set(policy.parties.submit)) for policy in policies) for who in people
    }
    return tuple(sorted((who for who in people if allowed[who]), key=lambda who: (-allowed[who], who)))


def _part(table: CatalogueTable, policies: tuple[Policy, ...]) -> _Part | None:
    entries: tuple[PolicyTable, ...] = tuple(
        policy.data.tables[table.name] for policy in policies if table.name in policy.data.tables
    )
    if not entries:
        return None
    groups = [
        column.name
        for column in table.columns
        if any("group" in entry.columns[column.name].operations for entry in entries if column.name in entry.columns)
    ]
    return _Part(table, entries[0].privacy_unit, tuple(groups[:MOST_GROUPS]))


def _over(part: _Part) -> Iterator[str]:
    yield from _of_rows(part)
    for column in part.table.columns:
        yield from _of_column(part, column)
    yield from _traced(part)
    yield from _taught(part)


def _select(what: str, source: str, where: str = "", by: str = "", having: str = "") -> str:
    clauses = (("SELECT", what), ("FROM", source), ("WHERE", where), ("GROUP BY", by), ("HAVING", having))
    return " ".join(f"{word} {text}" for word, text in clauses if text)


def _grouped(part: _Part, number: str, where: str = "") -> Iterator[str]:
    """One number over all rows, and by each group key."""
    yield _select(number, part.table.name, where)
    for key in part.groups:
        yield _select(f"{key}, {number}", part.table.name, where, key)


def _alert(part: _Part, where: str = "", having: str = "") -> str:
    return _select(part.unit, part.table.name, where, part.unit, having)


def _score(part: _Part, number: str, where: str = "") -> str:
    return _select(f"{part.unit}, {number}", part.table.name, where, part.unit)


def _of_rows(part: _Part) -> Iterator[str]:
    """What may be done with rows as such."""
    yield from _grouped(part, "COUNT(*) AS n")
    yield from _grouped(part, f"COUNT(DISTINCT {part.unit}) AS n")
    for key in part.groups:
        for counted in ("*", f"DISTINCT {part.unit}"):
            yield _select(f"{key}, COUNT(*) AS n", part.table.name, by=key, having=f"COUNT({counted}) >= 20")
    yield from _grouped(part, "COUNT(DISTINCT member()) AS m")
    yield _alert(part)
    yield _alert(part, having="COUNT(*) >= 5")
    yield _alert(part, having="COUNT(DISTINCT member()) >= 2")
    yield _score(part, "COUNT(*) AS n")
    yield _score(part, "COUNT(DISTINCT member()) AS m")


def _of_column(part: _Part, column: CatalogueColumn) -> Iterator[str]:
    """What may be done with one column."""
    condition = _condition(column)
    if condition:
        yield from _grouped(part, "COUNT(*) AS n", condition)
        yield _alert(part, condition)
    if column.type.kind != "text":
        yield from _of_values(part, column.name, part.fixed(column))
    if column.type.kind in ORDERED:
        yield from _of_ordered(part, column, part.fixed(column))
    elif condition:
        yield from _first_of_each(part, f"CASE WHEN {condition} THEN 1 ELSE 0 END", part.fixed(column))
    if column.type.kind in NUMBERS:
        yield from _of_numbers(part, column.name, part.fixed(column))


def _of_values(part: _Part, name: str, fixed: str) -> Iterator[str]:
    """As a key that is opened or not, as what is counted, beside the customer."""
    table = part.table.name
    yield _select(f"{name}, COUNT(*) AS n", table, fixed, name)
    yield from _grouped(part, f"COUNT({name}) AS n", fixed)
    yield _alert(part, fixed, f"COUNT({name}) >= 2")
    yield _score(part, f"COUNT({name}) AS n", fixed)
    yield _select("COUNT(*) AS n", f"({_select(f'{name}, COUNT(*) AS c', table, fixed, name)}) AS x")
    if name != part.unit:
        keys = f"{part.unit}, {name}"
        yield _select(keys, table, fixed, keys)


def _of_ordered(part: _Part, column: CatalogueColumn, fixed: str) -> Iterator[str]:
    """Its greatest value, opened and compared, and its order."""
    greatest = f"MAX({column.name})"
    yield from _grouped(part, f"{greatest} AS v", fixed)
    yield _alert(part, fixed, f"{greatest}{LITERALS[column.type.kind]}")
    yield _score(part, f"{greatest} AS v", fixed)
    yield from _first_of_each(part, column.name, fixed)


def _of_numbers(part: _Part, name: str, fixed: str) -> Iterator[str]:
    for function in ("SUM", "AVG", "MEDIAN", "VARIANCE"):
        yield from _grouped(part, f"{function}({name}) AS v", fixed)
    yield _alert(part, fixed, f"SUM({name}) >= 1000")
    yield _score(part, f"SUM({name}) AS v", fixed)


def _first_of_each(part: _Part, order: str, fixed: str) -> Iterator[str]:
    """Each customer's first row in an order."""
    for key in part.groups[:1]:
        place = f"ROW_NUMBER() OVER (PARTITION BY {part.unit} ORDER BY {order}) AS place"
        rows = _select(f"{part.unit}, {key}, {place}", part.table.name, fixed)
        yield _select(f"{key}, COUNT(*) AS n", f"({rows}) AS x", "place = 1", key)


def _traced(part: _Part) -> Iterator[str]:
    """Specs that follow each amount from customer to customer, and one that follows it by each time."""
    accounts = _select(f"{part.unit} AS account", part.table.name, f"{part.unit} IS NOT NULL", part.unit)
    ends = f"{part.unit} AS source, {part.unit} AS target"
    amounts = [column for column in part.table.columns if _is_amount(part.table, column)]
    for amount in amounts:
        known = " AND ".join(filter(None, (f"{part.unit} IS NOT NULL", part.fixed(amount))))
        payments = _select(f"{ends}, {amount.name} AS amount", part.table.name, known)
        yield _spec("pagerank", accounts, payments, "iterations: 1")
    for time in part.table.columns if amounts else ():
        if time.type.kind in ("date", "timestamp"):
            known = " AND ".join(filter(None, (f"{part.unit} IS NOT NULL", part.fixed(amounts[0]), part.fixed(time))))
            payments = _select(f"{ends}, {amounts[0].name} AS amount, {time.name} AS time", part.table.name, known)
            yield _spec("cycles", accounts, payments, "longest: 2\nwindow: 3 days\npart: 0.9\nclosed: 1000")


def _taught(part: _Part) -> Iterator[str]:
    """Models that learn from each column whether a condition on it holds, or from numbers of rows: told and judged."""
    yield from _learning(part, "COUNT(*)", "")
    for column in part.table.columns:
        condition = _condition(column)
        if condition and column.name != part.unit:
            yield from _learning(part, f"MAX(CASE WHEN {condition} THEN 1 ELSE 0 END)", part.fixed(column))


def _learning(part: _Part, feature: str, fixed: str) -> Iterator[str]:
    """Scores by one feature, alerts of these, its weight; how good scores are, over all rows and by each group key."""
    known = " AND ".join(filter(None, (f"{part.unit} IS NOT NULL", fixed)))
    rows = f"{part.unit} AS subject, 0 AS label, {feature} AS feature"
    yield _model(_select(rows, part.table.name, fixed, part.unit), "give: model")
    for give in ("give: scores", "give: alerts\nat-least: 0.5"):
        yield _model(_select(rows, part.table.name, known, part.unit), give)
    judged = "give: evaluation\nbands: [100]"
    yield _model(_select(f"{rows}, 1 AS held", part.table.name, known, part.unit), judged)
    for key in part.groups:
        of_group = _select(f"{rows}, 1 AS held, {key}", part.table.name, known, f"{part.unit}, {key}")
        yield _model(of_group, f"{judged}\nby: {key}")


def _model(examples: str, rest: str) -> str:
    return f"analysis: logistic-regression\nexamples: {examples}\nepochs: 1\n{rest}\n"


def _is_amount(table: CatalogueTable, column: CatalogueColumn) -> bool:
    """Whether a spec could follow it: a number from 0 on whose sum can be carried."""
    bounds = column.bounds
    if column.type.kind not in NUMBERS or bounds is None or bounds.lo < 0:
        return False
    return bounds.hi * table.max_rows * len(table.holders) < LARGEST_SUM


def _spec(analysis: str, accounts: str, payments: str, rest: str) -> str:
    return f"analysis: {analysis}\naccounts: {accounts}\npayments: {payments}\n{rest}\n"


def _condition(column: CatalogueColumn) -> str:
    """A condition on the column; empty for a key, which has no order and no public value, and for a text."""
    if column.type.kind == "enum" and column.type.values:
        return f"{column.name} = '{column.type.values[0]}'"
    sign = LITERALS.get(column.type.kind)
    return "" if sign is None else f"{column.name}{sign}"
