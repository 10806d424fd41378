"""What a local table must keep of its declaration: types, NULLs, bounds, words and sizes, as registered tables do.

Its rows come from SQL that all members signed, but what it makes of one member's data only that member can see: the
check runs there, before anything is shared.
"""

from collections.abc import Mapping

from sqlglot import exp

from consortia.errors import OperatorError
from consortia.parties.local.database import Database
from consortia.parties.local.definitions import local_relation, parse_definition
from consortia.parties.local.scalars import Sql, cast, function, integer, label, name
from consortia.plans.catalogue import Catalogue, CatalogueColumn, CatalogueTable
from consortia.plans.tables import declared_bounds

_INTEGERS = ("HUGEINT", "BIGINT", "INTEGER", "SMALLINT", "TINYINT")
_ACCEPTED: Mapping[str, tuple[str, ...]] = {
    "int": _INTEGERS, "decimal": _INTEGERS, "bool": ("BOOLEAN",), "date": ("DATE",), "timestamp": ("TIMESTAMP",),
    "enum": ("VARCHAR",), "text": ("VARCHAR",), "key": ("BLOB",),
}  # fmt: skip


def check_local_table(database: Database, table: CatalogueTable, catalogue: Catalogue, member: str) -> None:
    """Raise OperatorError ``local/local-table`` unless the rows keep the declared types, bounds and counts."""
    raw = database.types(
        str(parse_definition(table, catalogue, member).sql(dialect="duckdb")), f"the local table {table.name}"
    )
    for column in table.columns:
        if raw.get(column.name) not in _ACCEPTED[column.type.kind]:
            found = f"is {raw[column.name]}" if column.name in raw else "is missing"
            raise _broken(table, column.name, f"{found}, where {_ACCEPTED[column.type.kind][0]} is due")
    checks: list[tuple[str, str, Sql]] = []
    for column in table.columns:
        checks += [(column.name, what, sql) for what, sql in _checks(column)]
    rows = exp.GT(this=exp.Count(this=exp.Star()), expression=integer(int(table.max_rows)))
    checks.append(("", f"there are more rows than max_rows, {table.max_rows}", rows))
    relation = local_relation(table, catalogue, member).subquery(exp.to_identifier("rows", quoted=True))
    outputs = [exp.Alias(this=sql, alias=label(f"check_{number}")) for number, (_, _, sql) in enumerate(checks)]
    query = exp.Select().select(*outputs).from_(relation).sql(dialect="duckdb")
    answers = database.query(str(query), f"the local table {table.name}").row(0)
    for (column_name, what, _), found_one in zip(checks, answers, strict=True):
        if found_one:
            raise _broken(table, column_name, what)


def _checks(column: CatalogueColumn) -> list[tuple[str, Sql]]:
    """What must not be true of a column's values, each as an aggregate that says so."""
    value = name(column.name)
    checks: list[tuple[str, Sql]] = []
    if not column.nullable:
        checks.append(("holds NULL, and is declared without", _any(exp.Is(this=value, expression=exp.Null()))))
    bounds = declared_bounds(column)
    if bounds is not None and column.type.kind in ("int", "decimal"):
        outside = exp.Or(
            this=exp.LT(this=value, expression=integer(bounds.lo)),
            expression=exp.GT(this=value.copy(), expression=integer(bounds.hi)),
        )
        checks.append((f"holds values outside {bounds.lo} to {bounds.hi}", _any(outside)))
    if column.bounds is not None and column.type.kind == "date":
        days = exp.Sub(this=value, expression=cast(exp.Literal.string("1970-01-01"), "DATE"))
        checks.append(("holds dates outside its bounds", _any(_outside(days, column.bounds.lo, column.bounds.hi))))
    if column.bounds is not None and column.type.kind == "timestamp":
        micros = function("epoch_us", value)
        checks.append(("holds times outside its bounds", _any(_outside(micros, column.bounds.lo, column.bounds.hi))))
    if column.type.kind == "enum":
        words = exp.In(this=value, expressions=[exp.Literal.string(word) for word in column.type.values])
        checks.append((f"holds words that are not of `{column.type.domain}`", _any(exp.Not(this=words))))
    if column.max_distinct:
        counted = exp.Count(this=exp.Distinct(expressions=[value]))
        over = exp.GT(this=counted, expression=integer(int(column.max_distinct)))
        checks.append((f"has more distinct values than max_distinct, {column.max_distinct}", over))
    return checks


def _outside(value: Sql, low: int, high: int) -> Sql:
    return exp.Not(this=exp.Between(this=exp.Paren(this=value), low=integer(low), high=integer(high)))


def _any(condition: Sql) -> Sql:
    """Whether the condition is true of any row."""
    return function("bool_or", condition.copy())


def _broken(table: CatalogueTable, column: str, what: str) -> OperatorError:
    return OperatorError(
        "local/local-table",
        f"the rows of the local table are not what the catalogue declares: {what}",
        place=f"{table.name}, column `{column}`" if column else table.name,
        remedy="nothing was shared; the members must sign a catalogue whose bounds and sizes fit this data",
    )
