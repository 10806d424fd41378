"""SQL text to a bound query: one SELECT over one relation, as docs/reference/sql.md describes it.

``bind(sql, catalogue, as_of)`` is the whole front end. ``bind_predicate`` binds conditions that stand elsewhere:
the canonical predicates of the catalogue and the row scopes of policies.
"""

from collections.abc import Mapping
from datetime import datetime

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.tokenizer_core import TokenType

from consortia.errors import RequestError
from consortia.plans.catalogue import Catalogue, CatalogueTable
from consortia.plans.expressions import Expr
from consortia.plans.grouping import bind_groups
from consortia.plans.query import Query
from consortia.plans.refuse import CLAUSES, Node, nearest, only, place_at, place_of, refused_node, unsupported
from consortia.plans.scalar import Scope, bind_condition, check_depth, folded_name
from consortia.plans.tables import column_types, table_columns

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
    select = parse(sql)
    if not isinstance(select, exp.Select):
        if isinstance(select, exp.SetOperation | exp.Subquery | exp.Values):
            raise refused_node(select, sql)
        raise unsupported(select, sql, f"{select.key.upper()}", "ask with SELECT; data is changed at its owner only")
    check_depth(select, sql)
    for clause, (construct, alternative) in CLAUSES.items():
        found = select.args.get(clause)
        if found:
            raise unsupported(found[0] if isinstance(found, list) else found, sql, construct, alternative)
    only(select, sql, "expressions", "distinct", "from_", "where", "group", "having", "order")
    table, owner, qualifiers = _relation(select, sql, catalogue)
    scope = Scope(
        text=sql, table=table.name, columns=column_types(table, catalogue), as_of=as_of, qualifiers=qualifiers
    )
    where = select.args.get("where")
    condition = bind_condition(where.this, scope) if where else None
    groups = bind_groups(select, scope, table_columns(table, catalogue))
    return Query(
        sql=sql,
        table=table.name,
        owner=owner,
        where=condition,
        keys=groups.keys,
        aggregates=groups.aggregates,
        having=groups.having,
        outputs=groups.outputs,
        order_by=groups.order_by,
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
        scope = Scope(
            text=lead + text,
            table=table.name,
            columns=column_types(table, catalogue),
            as_of=as_of,
            qualifiers=frozenset((table.name,)),
        )
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


def _relation(select: Node, sql: str, catalogue: Catalogue) -> tuple[CatalogueTable, str, frozenset[str]]:
    """The table in FROM, the member whose part is meant (or empty), and the qualifiers of its columns."""
    source = select.args.get("from_")
    if source is None:
        raise RequestError("plans/syntax", "there is no FROM", place="line 1, column 1", remedy="name a table")
    relation = source.this
    if not isinstance(relation, exp.Table) or not isinstance(relation.this, exp.Identifier):
        raise refused_node(relation, sql)
    only(relation, sql, "this", "db", "alias")
    name = folded_name(relation.this)
    by_name: Mapping[str, CatalogueTable] = {table.name: table for table in catalogue.tables}
    if name not in by_name:
        raise RequestError(
            "plans/unknown-table",
            f"the catalogue has no table `{name}`",
            place=place_of(relation, sql),
            remedy=nearest(name, list(by_name)),
        )
    table = by_name[name]
    owner = folded_name(relation.args["db"]) if relation.args.get("db") else ""
    if owner and owner not in table.holders:
        raise RequestError(
            "plans/unknown-table",
            f"`{owner}` holds no part of `{name}`",
            place=place_of(relation, sql),
            remedy=nearest(owner, list(table.holders)) + '; a name with `-` stands in double quotes: "bank-a".deposits',
        )
    alias = relation.args.get("alias")
    if alias:
        only(alias, sql, "this")
        return table, owner, frozenset((folded_name(alias.this),))
    return table, owner, frozenset((name, f"{owner}.{name}") if owner else (name,))
