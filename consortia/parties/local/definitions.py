"""The SQL of local tables: one SELECT over the member's own tables, and nothing that reads, writes or guesses.

The catalogue is signed by all members, yet each of them runs this SQL on its own data, so it is judged here again:
every node of the parsed tree must be of a listed kind. What could reach a file, the network, a setting or another
table, what has no exact result (floating point) and what has no single answer (order, sampling, the clock) is not
listed. The database is locked down besides (``database.py``).

Numbers in the definition are carried integers: a decimal(2) of 1.50 is 150.
"""

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from consortia.errors import OperatorError
from consortia.parties.local.scalars import DATABASE_TYPES, Sql, cast, label, name
from consortia.plans.catalogue import Catalogue, CatalogueTable

_STRUCTURE = (
    exp.Select, exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.With, exp.CTE, exp.Subquery, exp.Table,
    exp.TableAlias, exp.Column, exp.Identifier, exp.Alias, exp.Star, exp.Distinct, exp.Union, exp.Paren, exp.Literal,
    exp.Boolean, exp.Null, exp.Tuple, exp.DataType,
)  # fmt: skip
_OPERATORS = (
    exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Is, exp.In, exp.Between,
    exp.Exists, exp.Add, exp.Sub, exp.Mul, exp.IntDiv, exp.Mod, exp.Neg, exp.Case, exp.If, exp.NullSafeEQ,
    exp.NullSafeNEQ,
)  # fmt: skip
_FUNCTIONS = (
    exp.Coalesce, exp.Nullif, exp.Cast, exp.Sum, exp.Count, exp.Min, exp.Max, exp.Abs, exp.Lower, exp.Upper,
    exp.TimestampTrunc, exp.DateTrunc,
)  # fmt: skip
ALLOWED: frozenset[type[Sql]] = frozenset((*_STRUCTURE, *_OPERATORS, *_FUNCTIONS))
CASTS = frozenset(("INT", "BIGINT", "INT128", "DATE", "TIMESTAMPNTZ", "TEXT", "VARCHAR", "BOOLEAN"))
"""Types that a definition may cast to, as sqlglot calls them: TIMESTAMPNTZ is TIMESTAMP."""
SELECT_PARTS = frozenset(("expressions", "distinct", "from_", "joins", "where", "group", "having", "with_"))
JOIN_METHODS = frozenset(("", "NATURAL"))


def check_definitions(catalogue: Catalogue) -> None:
    """Raise OperatorError ``local/definition`` if a local table's SQL is not allowed at one of its holders."""
    for table in catalogue.tables:
        for member in table.holders if table.definition else ():
            parse_definition(table, catalogue, member)


def sources_of(table: CatalogueTable, catalogue: Catalogue, member: str) -> tuple[str, ...]:
    """The tables of data that ``member`` needs to scan ``table``: itself, or what its definition reads, sorted.

    Raises OperatorError ``local/definition``.
    """
    if not table.definition:
        return (table.name,)
    return tuple(sorted({found.name for found in _own_tables(parse_definition(table, catalogue, member))}))


def local_relation(table: CatalogueTable, catalogue: Catalogue, member: str) -> exp.Select:
    """The rows of a local table with exactly the catalogue's columns, in the types of the database.

    Raises OperatorError ``local/definition``.
    """
    inner = parse_definition(table, catalogue, member).subquery(exp.to_identifier("definition", quoted=True))
    outputs = [
        exp.Alias(
            this=cast(name(column.name), DATABASE_TYPES[column.type.kind]),
            alias=label(column.name),
        )
        for column in table.columns
    ]
    return exp.Select().select(*outputs).from_(inner)


def parse_definition(table: CatalogueTable, catalogue: Catalogue, member: str) -> exp.Select:
    """The definition as a checked tree in which ``member()`` is the member's id.

    Raises OperatorError ``local/definition`` naming the construct that is not allowed.
    """
    try:
        statements = sqlglot.parse(table.definition, dialect="duckdb")
    except (SqlglotError, RecursionError) as error:
        raise _refused(table, "it is no SQL") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        raise _refused(table, "it must be a single SELECT")
    tree = statements[0]
    for node in list(tree.walk()):
        _check_node(node, table)
    _check_tables(tree, table, catalogue, member)
    for call in list(tree.find_all(exp.Anonymous)):
        call.replace(exp.Literal.string(member))
    return tree


def _check_tables(tree: exp.Select, table: CatalogueTable, catalogue: Catalogue, member: str) -> None:
    """Every table is one of data that the member holds, or a WITH clause that stands before it."""
    readable = {other.name for other in catalogue.tables if not other.definition and member in other.holders}
    known = {other.name for other in catalogue.tables}
    clauses = tree.ctes
    if len(list(tree.find_all(exp.With))) > (1 if clauses else 0):
        raise _refused(table, "WITH stands at its beginning only")
    for found in tree.find_all(exp.Table):
        enclosing = found.find_ancestor(exp.CTE)
        before = clauses[: clauses.index(enclosing)] if enclosing is not None else clauses
        if found.name not in readable | {clause.alias for clause in before}:
            raise _refused(table, f"`{found.name}` is no table of data that `{member}` holds")
    for clause in clauses:
        if clause.alias.lower() in known:
            raise _refused(table, f"the WITH clause `{clause.alias}` has the name of a table")


def _own_tables(tree: exp.Select) -> list[exp.Table]:
    """Tables that are not WITH clauses of the definition itself."""
    clauses = {clause.alias for clause in tree.ctes}
    return [found for found in tree.find_all(exp.Table) if found.name not in clauses]


def _check_node(node: Sql, table: CatalogueTable) -> None:
    """Refuse a node that is not of a listed kind, or has a part that is not meant."""
    if isinstance(node, exp.Anonymous) and node.name.lower() == "member" and not node.expressions:
        return
    reason = _wrong_part(node)
    if not reason and isinstance(node, exp.Div):
        reason = "`/` gives floating point; write // for the integer quotient"
    unit_of_time = isinstance(node, exp.Var) and isinstance(node.parent, exp.TimestampTrunc | exp.DateTrunc)
    if not reason and not unit_of_time and type(node) not in ALLOWED:
        reason = f"`{node.sql('duckdb')[:40]}` ({type(node).__name__}) is not allowed"
    if reason:
        raise _refused(table, reason)


def _wrong_part(node: Sql) -> str:
    """What is wrong with a node although its kind is listed, or nothing."""
    match node:
        case exp.Table() if not isinstance(node.this, exp.Identifier) or _given(node) - {"this", "alias"}:
            return "a table is named by its plain name"
        case exp.Select() if _given(node) - SELECT_PARTS:
            return f"`{min(_given(node) - SELECT_PARTS).upper()}` is not allowed"
        case exp.With() if node.args.get("recursive"):
            return "WITH RECURSIVE is not allowed"
        case exp.Distinct() if node.args.get("on"):
            return "DISTINCT ON is not allowed"
        case exp.Join() if str(node.args.get("method") or "").upper() not in JOIN_METHODS:
            return f"a {node.args['method']} join is not allowed"
        case exp.Cast() if node.args["to"].this.name not in CASTS:
            return f"a cast to {node.args['to'].sql('duckdb')} is not allowed; numbers are integers"
        case exp.Literal() if not node.args.get("is_string") and not str(node.this).isdigit():
            return f"`{node.this}` is no integer; decimals are scaled integers, 1.50 is 150"
    return ""


def _given(node: Sql) -> set[str]:
    return {key for key, value in node.args.items() if value}


def _refused(table: CatalogueTable, what: str) -> OperatorError:
    return OperatorError(
        "local/definition",
        f"the local table `{table.name}` can't be computed: {what}",
        place=f"catalogue, definition of {table.name}",
        remedy="the members must sign a catalogue with another definition (docs/reference/local-tables.md)",
    )
