"""The nearest query that passes: small changes to a denied one, each compiled and decided like any other.

From plans, policies and public facts only, so a suggestion tells nothing that the denial does not. Changes, nearest
first: join without rows that have no match, keep to rows with a value of what is added up, leave out a group key (where
others remain), group by another column that the policies open, leave out a number, leave out the last key, ask all
members instead of one, leave out a condition, ask one of the joined tables alone, group what was one number over all
rows, count rows in the place of a number. Up to ``MOST_CHANGES`` of them together, fewest first; the first that every
owner permits is the suggestion. Where none is, the plainest questions about the same table are tried, so that whoever
may ask anything about it learns what.
"""

from collections.abc import Iterator
from datetime import datetime

from sqlglot import exp

from consortia.errors import RequestError
from consortia.plans.build import build_plan
from consortia.plans.draft import Environment
from consortia.plans.refuse import Node
from consortia.plans.specs.bind import is_spec
from consortia.plans.sql import bind, parse
from consortia.policies.decide import decide
from consortia.policies.verdicts import Decision
from consortia.policies.world import PolicyWorld

BY_QUERY = frozenset(
    (
        "operations", "output-kind", "maximum-rows", "minimum-members", "minimum-entities", "recipients", "table",
        "noise", "dominance", "p-percent", "rounding",
    )
)  # fmt: skip
"""Rules that another query can satisfy; a denial by any other rule stands whatever is asked."""
MOST_CHANGES = 3
MOST_TRIED = 150


def suggest(sql: str, decision: Decision, environment: Environment, world: PolicyWorld, now: datetime) -> str | None:
    """The SQL text of the nearest query that every owner permits, None if none was found."""
    if not decision.verdicts or any(reason.rule not in BY_QUERY for _, reason in decision.denials()):
        return None
    if is_spec(sql):
        return None  # what it follows is all that it asks: there is no smaller question of its kind
    tried = {_text(parse(sql))}
    frontier = [parse(sql)]
    for _ in range(MOST_CHANGES):
        made: list[Node] = []
        for changed in (candidate for query in frontier for candidate in _changes(query, environment, world)):
            text = _text(changed)
            if text in tried:
                continue
            if len(tried) > MOST_TRIED:
                break
            tried.add(text)
            made.append(changed)
            if _permitted(text, environment, world, now):
                return text
        frontier = made
    plainest = (_text(query) for query in _plainest(parse(sql), environment, world))
    return next((text for text in plainest if text not in tried and _permitted(text, environment, world, now)), None)


def _text(query: Node) -> str:
    return query.sql(dialect="postgres")


def _permitted(sql: str, environment: Environment, world: PolicyWorld, now: datetime) -> bool:
    try:
        plan = build_plan(bind(sql, world.catalogue, environment.as_of), environment)
    except RequestError:
        return False
    return decide(plan, world, now).permitted


def _changes(query: Node, environment: Environment, world: PolicyWorld) -> Iterator[Node]:
    yield from _with_matches(query)
    yield from _with_values(query)
    keys = _group_keys(query)
    if len(keys) > 1:
        yield from (_without_key(query, place) for place in range(len(keys)))
    for place in range(len(keys)):
        yield from (_with_key(query, place, column) for column in _openable(query, environment, world))
    outputs = query.expressions
    if len(outputs) > 1:
        yield from (_without_output(query, place) for place, node in enumerate(outputs) if node.find(exp.AggFunc))
    if len(keys) == 1 and any(node.find(exp.AggFunc) for node in outputs):
        yield _without_key(query, 0)
    if _table(query).args.get("db"):
        yield _of_all_members(query)
    yield from _without_conditions(query, "having")
    yield from _without_conditions(query, "where")
    yield from _of_one_table(query, world)
    if not keys:
        yield from (_grouped(query, column) for column in _openable(query, environment, world))
    yield from (_counting(query, place) for place, node in enumerate(outputs) if node.find(exp.AggFunc))


def _plainest(query: Node, environment: Environment, world: PolicyWorld) -> Iterator[Node]:
    """How many rows by each column that may be opened, how many in all, and which of the own customers are there."""
    table = exp.to_table(_table(query).name)
    count = _row_count()
    for column in _openable(query, environment, world):
        yield exp.select(column, count).from_(table).group_by(column)
    yield exp.select(count).from_(table)
    unit = environment.entities.get(table.name)
    if unit is not None:
        yield exp.select(unit).from_(table).group_by(unit)


def _row_count() -> Node:
    return exp.alias_(exp.Count(this=exp.Star()), "n")


def _grouped(query: Node, column: str) -> Node:
    """The query, which has no groups, by the values of ``column``."""
    changed = query.copy()
    changed.set("group", exp.Group(expressions=[exp.column(column)]))
    changed.set("expressions", [exp.column(column), *changed.expressions])
    return changed


def _counting(query: Node, place: int) -> Node:
    """The query with the number of rows in the place of one of its numbers, once."""
    changed = query.copy()
    kept = [node for number, node in enumerate(changed.expressions) if number != place]
    count = _row_count()
    kept.insert(place, count)
    changed.set("expressions", kept if count not in query.expressions else kept[:place] + kept[place + 1 :])
    return _ordered(changed)


def _with_values(query: Node) -> Iterator[Node]:
    """The query over the rows that have a value of one column that it adds up, counts or compares."""
    arguments = [node.this for output in query.expressions for node in output.find_all(exp.AggFunc)]
    for column in dict.fromkeys(argument for argument in arguments if isinstance(argument, exp.Column)):
        changed = query.copy()
        condition = exp.not_(exp.Is(this=column.copy(), expression=exp.null()))
        where = changed.args.get("where")
        changed.set("where", exp.Where(this=condition if where is None else exp.and_(where.this, condition)))
        yield changed


def _with_matches(query: Node) -> Iterator[Node]:
    """The query with JOIN in the place of one LEFT JOIN."""
    for place, join in enumerate(query.args.get("joins") or []):
        if join.side == "LEFT":
            changed = query.copy()
            changed.args["joins"][place].set("side", None)
            yield changed


def _of_one_table(query: Node, world: PolicyWorld) -> Iterator[Node]:
    """What the query asks of one of its joined tables, without the others."""
    joins = query.args.get("joins")
    source = query.find(exp.From)
    if not joins or source is None or query.args.get("with_") is not None:
        return
    catalogue = {table.name: {column.name for column in table.columns} for table in world.catalogue.tables}
    for item in (source.this, *(join.this for join in joins)):
        if isinstance(item, exp.Table) and item.name in catalogue:
            alone = _alone(query, item, catalogue[item.name])
            if alone.expressions:
                yield alone


def _alone(query: Node, table: exp.Table, columns: set[str]) -> Node:
    def ours(node: Node) -> bool:
        return all(
            column.table == table.alias_or_name if column.table else column.name in columns
            for column in node.find_all(exp.Column)
        )

    changed = query.copy()
    changed.set("joins", None)
    from_ = changed.find(exp.From)
    if from_ is not None:
        from_.set("this", exp.table_(table.name, db=table.args.get("db")))
    changed.set("expressions", [node for node in changed.expressions if ours(node)])
    for clause in ("where", "having"):
        if changed.args.get(clause) is not None:
            kept = [part.copy() for part in _conjuncts(changed.args[clause].this) if ours(part)]
            kind = exp.Where if clause == "where" else exp.Having
            changed.set(clause, kind(this=exp.and_(*kept)) if kept else None)
    keys = [key for key in _group_keys(changed) if ours(key)]
    changed.set("group", exp.Group(expressions=keys) if keys else None)
    changed = _ordered(changed)
    for column in changed.find_all(exp.Column):
        column.set("table", None)
    return changed


def _table(query: Node) -> exp.Table:
    found = query.find(exp.Table)
    if found is None:
        raise RequestError("plans/syntax", "there is no FROM", remedy="name a table")
    return found


def _group_keys(query: Node) -> list[Node]:
    group = query.args.get("group")
    return list(group.expressions) if group is not None else []


def _openable(query: Node, environment: Environment, world: PolicyWorld) -> list[str]:
    """Columns of the queried table that every policy for the purpose opens as group keys, in catalogue order.

    Those that the query's conditions read come last: grouping by what is fixed already says little.
    """
    table = _table(query).name
    policies = [loaded.policy for loaded in world.policies if loaded.policy.purpose.code == environment.purpose]
    entries = [policy.data.tables[table] for policy in policies if table in policy.data.tables]
    known = next((entry for entry in world.catalogue.tables if entry.name == table), None)
    if known is None or not entries:
        return []
    openable = [
        column.name
        for column in known.columns
        if all(column.name in entry.columns and "group" in entry.columns[column.name].operations for entry in entries)
    ]
    where = query.args.get("where")
    fixed = {column.name for column in where.find_all(exp.Column)} if where is not None else set()
    return sorted(openable, key=lambda name: name in fixed)


def _same(node: Node, key: Node) -> bool:
    return (node.this if isinstance(node, exp.Alias) else node) == key


def _without_key(query: Node, place: int) -> Node:
    changed = query.copy()
    keys = _group_keys(changed)
    key = keys.pop(place)
    changed.args["group"].set("expressions", keys)
    if not keys:
        changed.set("group", None)
    changed.set("expressions", [node for node in changed.expressions if not _same(node, key)])
    return _ordered(changed)


def _with_key(query: Node, place: int, column: str) -> Node:
    changed = query.copy()
    keys = _group_keys(changed)
    key, other = keys[place], exp.column(column)
    keys[place] = other
    kept = [entry for number, entry in enumerate(keys) if entry not in keys[:number]]
    changed.args["group"].set("expressions", kept)
    outputs: list[Node] = []
    for node in changed.expressions:
        replaced = other.copy() if _same(node, key) else node
        if replaced not in outputs:
            outputs.append(replaced)
    changed.set("expressions", outputs)
    return _ordered(changed)


def _without_output(query: Node, place: int) -> Node:
    changed = query.copy()
    changed.set("expressions", [node for number, node in enumerate(changed.expressions) if number != place])
    return _ordered(changed)


def _of_all_members(query: Node) -> Node:
    changed = query.copy()
    _table(changed).set("db", None)
    for column in changed.find_all(exp.Column):
        column.set("db", None)
    return changed


def _without_conditions(query: Node, clause: str) -> Iterator[Node]:
    """The query without one of the conditions that its WHERE or HAVING joins by AND."""
    if query.args.get(clause) is None:
        return
    parts = list(_conjuncts(query.args[clause].this))
    for place in range(len(parts)):
        changed = query.copy()
        kept = [part.copy() for number, part in enumerate(parts) if number != place]
        if kept:
            changed.args[clause].set("this", exp.and_(*kept) if len(kept) > 1 else kept[0])
        else:
            changed.set(clause, None)
        yield changed


def _conjuncts(node: Node) -> Iterator[Node]:
    if isinstance(node, exp.And):
        yield from _conjuncts(node.left)
        yield from _conjuncts(node.right)
    else:
        yield node


def _ordered(query: Node) -> Node:
    """The query without ORDER BY terms that name what is no longer selected; numbers are dropped, they moved."""
    order = query.args.get("order")
    if order is None:
        return query
    names = {node.alias_or_name for node in query.expressions}
    kept = [
        term
        for term in order.expressions
        if (isinstance(term.this, exp.Column) and term.this.name in names) or term.this in query.expressions
    ]
    if kept:
        order.set("expressions", kept)
    else:
        query.set("order", None)
    return query
