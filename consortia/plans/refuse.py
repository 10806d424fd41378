"""Refusals with the place in the SQL text, and what each construct outside the query class is called."""

from difflib import get_close_matches

from sqlglot import exp

from consortia.errors import RequestError

Node = exp.Expr
"""A node of sqlglot's tree; the tree is read, never rewritten."""


def offset_of(node: Node) -> int | None:
    """Character offset of the first token below ``node`` that knows its place, None if none does."""
    starts = [part.meta["start"] for part in node.walk() if "start" in part.meta]
    return min(starts) if starts else None


def place_at(text: str, offset: int | None) -> str:
    """``line L, column C`` (from 1) of a character offset of ``text``."""
    if offset is None:
        return ""
    before = text[:offset]
    return f"line {before.count(chr(10)) + 1}, column {offset - before.rfind(chr(10))}"


def place_of(node: Node, text: str) -> str:
    """Where ``node`` begins in ``text``, in words."""
    return place_at(text, offset_of(node))


def words(node: Node) -> str:
    """``node`` as SQL again, for messages only."""
    return node.sql(dialect="postgres")


def nearest(name: str, known: list[str] | tuple[str, ...]) -> str:
    """The remedy that offers the nearest of ``known``, or lists the first of them."""
    close = get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    if not known:
        return "there is none that could be meant"
    shown = ", ".join(f"`{word}`" for word in sorted(known)[:8])
    return f"there are {shown}" + (" and others" if len(known) > 8 else "")


FUNCTIONS_ARE = (
    "functions are ABS, ROUND, FLOOR, CEIL, GREATEST, LEAST, SQRT, LN, EXP, POWER, SIGMOID, COALESCE, CAST, member(); "
    "aggregates SUM, COUNT, AVG, MIN, MAX, MEDIAN, PERCENTILE_DISC, VARIANCE, STDDEV"
)

CONSTRUCTS: dict[type[Node], tuple[str, str]] = {
    exp.Subquery: ("a subquery in this place", "put it into FROM or WITH and join it"),
    exp.Select: ("a subquery in this place", "put it into FROM or WITH and join it"),
    exp.Exists: ("EXISTS in this place", "write it as a condition of its own in WHERE, joined to others by AND"),
    exp.Any: ("ANY", "write IN (SELECT ...) or EXISTS"),
    exp.All: ("ALL", "write NOT IN (SELECT ...) or NOT EXISTS"),
    exp.Window: ("a window function in this place", "select it in a nested query"),
    exp.Log: ("LOG", "write LN(x), or LN(x) / LN(10) for base 10"),
    exp.Like: ("LIKE", "compare with `=` or IN"),
    exp.ILike: ("ILIKE", "compare with `=` or IN"),
    exp.RegexpLike: ("a regular expression", "compare with `=` or IN"),
    exp.Star: ("`*` in the select list", "name the columns; rows leave their owner only in groups"),
    exp.Filter: ("FILTER", "move the condition inside: SUM(CASE WHEN condition THEN x END)"),
    exp.Interval: ("INTERVAL", "add or subtract whole days: `CURRENT_DATE - 90`, or write the instant out"),
    exp.DPipe: ("`||`", "group by the columns apart"),
    exp.NullSafeEQ: ("IS NOT DISTINCT FROM", "write `a = b OR (a IS NULL AND b IS NULL)`"),
    exp.NullSafeNEQ: ("IS DISTINCT FROM", "write `a <> b OR (a IS NULL) <> (b IS NULL)`"),
    exp.Tuple: ("a row value", "compare column by column with AND"),
    exp.Parameter: ("a parameter", "write the value itself"),
    exp.Placeholder: ("a parameter", "write the value itself"),
    exp.SetOperation: ("a set operation in this place", "put it into FROM or WITH"),
    exp.Values: ("VALUES", "query a table of the catalogue"),
    exp.Bracket: ("an array element", "use a plain column"),
}
"""Constructs that people write, by sqlglot's node: what it is called, and what to write instead."""

CLAUSES: dict[str, tuple[str, str]] = {
    "with_": ("WITH in this place", "write it before the outermost SELECT"),
    "joins": ("a join in parentheses", "join from left to right, without them"),
    "laterals": ("LATERAL", "join a subquery that is grouped by the join's keys"),
    "group": ("GROUP BY in this place", "group in a subquery in FROM"),
    "having": ("HAVING in this place", "filter in a subquery in FROM"),
    "order": ("ORDER BY in this place", "order in a subquery in FROM"),
    "limit": ("LIMIT in this place", "limit in a subquery in FROM"),
    "offset": ("OFFSET", "narrow the rows with LIMIT, WHERE or HAVING"),
    "query": ("IN (SELECT ...) in this place", "write it as a condition of its own in WHERE, joined to others by AND"),
    "windows": ("WINDOW", "write the window out after OVER"),
    "qualify": ("QUALIFY", "nest the query and use WHERE"),
    "sample": ("TABLESAMPLE", "query the whole table"),
    "locks": ("FOR UPDATE", "leave it out"),
    "into": ("INTO", "leave it out; results go to their recipients"),
}


def function_name(node: Node) -> str:
    """The SQL name of a function's node, in capitals."""
    inner = node.this if isinstance(node, exp.WithinGroup) else node
    return inner.sql_name() if isinstance(inner, exp.Func) and inner.sql_names() else type(inner).__name__.upper()


def unsupported(node: Node, text: str, construct: str, alternative: str) -> RequestError:
    """The refusal of ``construct``, naming its place and what to write instead."""
    return RequestError(
        "plans/unsupported", f"{construct} is not supported", place=place_of(node, text), remedy=alternative
    )


def refused_node(node: Node, text: str) -> RequestError:
    """The refusal of a node that no rule binds: by its common name, or as an unknown function."""
    for kind, (construct, alternative) in CONSTRUCTS.items():
        if isinstance(node, kind):
            return unsupported(node, text, construct, alternative)
    if isinstance(node, exp.Anonymous):
        return unsupported(node, text, f"the function `{node.name}`", FUNCTIONS_ARE)
    if isinstance(node, exp.Func):
        return unsupported(node, text, f"the function `{function_name(node).lower()}`", FUNCTIONS_ARE)
    return unsupported(node, text, f"`{words(node)[:60]}`", "see docs/reference/sql.md for what a query can hold")


def only(node: Node, text: str, *arguments: str) -> None:
    """Refuse ``node`` if it carries a modifier beside ``arguments``: the parser accepts more than we bind."""
    for name, value in node.args.items():
        if name not in arguments and value not in (None, False, []):
            construct, alternative = CLAUSES.get(
                name, (f"{name.rstrip('_').upper()} in `{words(node)[:60]}`", "leave it out")
            )
            inner = value[0] if isinstance(value, list) else value
            raise unsupported(inner if isinstance(inner, exp.Expr) else node, text, construct, alternative)
