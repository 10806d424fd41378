"""SQL text to a bound query: a grouped SELECT or a set operation, as docs/reference/sql.md describes it.

``bind(sql, catalogue, as_of)`` is the whole front end. ``bind_predicate`` binds conditions that stand elsewhere:
the canonical predicates of the catalogue and the row scopes of policies.
"""

from datetime import datetime

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.tokenizer_core import TokenType

from consortia.errors import RequestError
from consortia.plans.binding.existence import bind_where, filtered, split_where
from consortia.plans.binding.nested import bind_nested, check_clauses, with_queries
from consortia.plans.binding.ordering import read_limit
from consortia.plans.binding.rows import Context
from consortia.plans.binding.scope import Scope, Source
from consortia.plans.binding.sets import combine, set_order
from consortia.plans.binding.sources import bind_from
from consortia.plans.catalogue import Catalogue, CatalogueTable
from consortia.plans.expressions import Expr, Ref
from consortia.plans.grouping import bind_groups
from consortia.plans.model import Named
from consortia.plans.query import Query, TableRows
from consortia.plans.refuse import Node, only, place_at, place_of, refused_node, unsupported
from consortia.plans.scalar import bind_condition, check_depth
from consortia.plans.tables import column_types, find_table, table_columns

MAX_TEXT = 65_536
"""Longer texts are refused."""
MAX_NESTING = 24
NESTING = {TokenType.L_PAREN: 1, TokenType.CASE: 1, TokenType.R_PAREN: -1, TokenType.END: -1}


def parse(sql: str) -> Node:
    """The one statement in ``sql`` as sqlglot's tree; ``plans/syntax`` with the place if it is none."""
    if len(sql) > MAX_TEXT:
        raise RequestError("plans/syntax", f"the query is longer than {MAX_TEXT} characters", remedy="shorten it")
    try:
        _check_nesting(sql)
        statements = [statement for statement in sqlglot.parse(sql, dialect="postgres") if statement is not None]
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        start = max(1, first.get("col", 1) - len(first.get("highlight") or " ") + 1)
        what = str(first.get("description") or "it can't be parsed").split("<Token")[0].split(". Line")[0].rstrip()
        raise RequestError(
            "plans/syntax",
            f"this is not SQL: {what[:1].lower()}{what[1:].removesuffix(' but got')}",
            place=f"line {first.get('line', 1)}, column {start}",
            remedy=f"look near `{(first.get('highlight') or sql[:20]).strip()}`",
        ) from error
    except (SqlglotError, RecursionError) as error:
        raise RequestError(
            "plans/syntax",
            "this is not SQL: a quotation is not closed, or it is nested too deeply",
            place=place_at(sql, max(sql.rfind("'"), sql.rfind('"'), 0)),
            remedy="close every quotation mark and parenthesis",
        ) from error
    if not statements:
        raise RequestError("plans/syntax", "there is no query", remedy="write SELECT ... FROM ...")
    if len(statements) > 1:
        raise unsupported(statements[1], sql, "a second statement", "send one query at a time")
    return statements[0]


def _check_nesting(sql: str) -> None:
    """Refuse parentheses and CASEs nested so deep that the parser's own stack would decide."""
    depth = 0
    for token in sqlglot.tokenize(sql, read="postgres"):
        depth += NESTING.get(token.token_type, 0)
        if depth > MAX_NESTING:
            raise RequestError(
                "plans/too-deep",
                f"parentheses are nested more than {MAX_NESTING} deep",
                place=place_at(sql, token.start),
                remedy="leave out parentheses, use IN for lists",
            )


def bind(sql: str, catalogue: Catalogue, as_of: datetime) -> Query:
    """The query that ``sql`` asks, bound to ``catalogue``; relative dates count from ``as_of``.

    Raises RequestError: ``plans/syntax``, ``plans/unsupported``, ``plans/unknown-table``, ``plans/unknown-column``,
    ``plans/unknown-word``, ``plans/type``, ``plans/units``, ``plans/not-grouped``, ``plans/rows``, ``plans/name``,
    ``plans/too-deep``; each with the place in the text and what to write instead.
    """
    node = parse(sql)
    check_depth(node, sql)
    context = Context(text=sql, catalogue=catalogue, as_of=as_of, nested=bind_nested)
    if isinstance(node, exp.Select):
        return _select(node, with_queries(node, context))
    if isinstance(node, exp.SetOperation):
        return _set_operation(node, with_queries(node, context))
    if isinstance(node, exp.Subquery | exp.Values):
        raise refused_node(node, sql)
    raise unsupported(node, sql, f"{node.key.upper()}", "ask with SELECT; data is changed at its owner only")


def _select(select: Node, context: Context) -> Query:
    """A grouped SELECT: over one table as it stands, or over a relation."""
    sql = context.text
    check_clauses(select, sql)
    window = next((clause.find(exp.Window) for clause in _read_by_groups(select) if clause.find(exp.Window)), None)
    if window is not None:
        raise unsupported(
            window, sql, "a window function in the outermost query",
            "select it in a nested query: FROM (SELECT x, RANK() OVER (...) AS r FROM ...) AS q GROUP BY ...",
        )  # fmt: skip
    rows = bind_from(select, context)
    where = select.args.get("where")
    plain, tests = split_where(where)
    limit = read_limit(select, sql)
    if isinstance(rows.relation, TableRows) and not tests:
        table, owner = rows.relation.table, rows.relation.owner
        condition = bind_where(plain, rows.scope)
        groups = bind_groups(select, rows.scope, table_columns(find_table(context.catalogue, table), context.catalogue))
        return Query(sql=sql, table=table, owner=owner, where=condition, limit=limit, **vars(groups))
    rows = filtered(rows, where, context)
    return Query(sql=sql, relation=rows.relation, limit=limit, **vars(bind_groups(select, rows.scope, None)))


def _read_by_groups(select: Node) -> list[Node]:
    """The parts of a SELECT that read its groups."""
    clauses = [select.args.get(name) for name in ("having", "order")]
    return [*select.expressions, *(clause for clause in clauses if clause)]


def _set_operation(node: Node, context: Context) -> Query:
    """UNION, INTERSECT or EXCEPT as the outermost query: distinct rows, grouped by all columns."""
    sql = context.text
    combined = combine(node, context)
    if not combined.distinct:
        raise RequestError(
            "plans/rows",
            "UNION ALL asks for rows, and rows leave their owner only in groups",
            place=place_of(node, sql),
            remedy="write UNION, or nest it and group its rows",
        )
    outputs = tuple(Named(name=name, expression=Ref(column=name)) for name in combined.columns)
    return Query(
        sql=sql,
        relation=combined.stacked.relation,
        keys=outputs,
        aggregates=combined.aggregates,
        having=combined.condition,
        outputs=outputs,
        order_by=set_order(node, outputs, combined, context),
        limit=read_limit(node, sql),
    )


def bind_predicate(
    text: str, table: CatalogueTable, catalogue: Catalogue, as_of: datetime, *, what: str = "predicate"
) -> Expr:
    """A condition over the columns of ``table``: a canonical predicate or a policy's row scope.

    Raises the errors of ``bind``; their place counts from the beginning of ``text``, with ``what`` before it.
    """
    lead = "SELECT 1 WHERE "
    try:
        select = parse(lead + text)
        where = select.args.get("where") if isinstance(select, exp.Select) else None
        if where is None:
            raise RequestError("plans/syntax", "this is no condition", remedy="write what could follow WHERE")
        only(select, lead + text, "expressions", "where")
        check_depth(where.this, lead + text)
        types = column_types(table, catalogue)
        source = Source(f"table `{table.name}`", frozenset((table.name,)), {name: name for name in types})
        scope = Scope(text=lead + text, as_of=as_of, sources=(source,), columns=types)
        return bind_condition(where.this, scope)
    except RequestError as error:
        place = _shifted(error.place, len(lead))
        raise RequestError(
            error.code, error.message, place=f"{what} of `{table.name}`{place}", remedy=error.remedy
        ) from error


def _shifted(place: str, by: int) -> str:
    """A place of the first line, counted from after the first ``by`` characters."""
    if not place.startswith("line 1, column "):
        return f", {place}" if place else ""
    return f", line 1, column {max(1, int(place.rsplit(' ', 1)[1]) - by)}"
