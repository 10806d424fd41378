"""Random queries over several relations, in SQL that our binder and sqlite both read, with one answer in both.

``relation_query(random.Random(seed))`` is a text: joins, EXISTS, IN, nested and grouped queries, DISTINCT, set
operations, windows and limits, nested in each other. Everything that would be decided by an accident is left out: rows
are numbered, summed and cut in the order of all their columns, averages (floating point in sqlite) do not occur, and
words have no order. With ``unique`` right sides of joins are grouped by the join's keys.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Columns = Mapping[str, str]
"""Kinds by column: int, bool, day, or a kind that only has equality (``enum country``, ``key customer``)."""

SCHEMA: Mapping[str, Columns] = {
    "numbers": {
        "a": "int", "b": "int", "c": "int", "flag": "bool", "country": "enum country", "day": "day",
        "person": "key customer",
    },
    "accounts": {
        "customer_key": "key customer", "opened": "day", "country": "enum country", "risk_score": "int",
        "sar_flag": "bool",
    },
}  # fmt: skip
"""The tables of ``fixtures_catalogue`` without text, accounts' ids and decimals."""


@dataclass(frozen=True)
class Item:
    """What stands in FROM: its text, and its columns with their qualifiers."""

    sql: str
    columns: Columns


def ordered_kind(kind: str) -> bool:
    """Whether values of the kind can be compared by size."""
    return kind in ("int", "day")


@dataclass
class Queries:
    """One random query in the making; ``draw`` decides, names are counted."""

    draw: random.Random
    schema: Mapping[str, Columns] = field(default_factory=lambda: SCHEMA)
    unique: bool = False
    count: int = 0

    def name(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"

    def chance(self, share: float) -> bool:
        return self.draw.random() < share

    # --- values and conditions ---

    def pick(self, columns: Columns, *kinds: str) -> str | None:
        """A column of one of ``kinds`` (all if none is given)."""
        found = [name for name, kind in columns.items() if not kinds or kind in kinds]
        return self.draw.choice(found) if found else None

    def integer(self, columns: Columns) -> str:
        """An expression of small integers."""
        name = self.pick(columns, "int")
        if name is None:
            return str(self.draw.randint(-2, 5))
        match self.draw.randrange(9):
            case 0:
                return f"({name} + {self.draw.randint(1, 3)})"
            case 1:
                return f"({name} - {self.pick(columns, 'int')})"
            case 2:
                return f"COALESCE({name}, {self.draw.randint(-1, 2)})"
            case 3:
                return f"CASE WHEN {self.simple(columns)} THEN {name} ELSE {self.pick(columns, 'int')} END"
            case 4:
                return f"ABS({name})"
        return name

    def simple(self, columns: Columns) -> str:
        """A condition on one or two columns."""
        name = self.pick(columns) or ""
        kind = columns[name]
        if self.chance(0.15):
            return f"{name} IS {'NOT ' * self.chance(0.5)}NULL"
        if kind == "bool":
            return f"NOT {name}" if self.chance(0.4) else name
        other = self.pick(columns, kind)
        if not ordered_kind(kind):
            return f"{name} {self.draw.choice(('=', '<>'))} {other}"
        sign = self.draw.choice(("=", "<>", "<", "<=", ">", ">="))
        if kind == "int" and self.chance(0.6):
            if self.chance(0.2):
                return f"{name} {'NOT ' * self.chance(0.5)}IN (1, 2, {self.draw.choice(('3', 'NULL'))})"
            return f"{name} {sign} {self.draw.randint(-3, 8)}"
        return f"{name} {sign} {other}"

    def condition(self, columns: Columns) -> str:
        first = self.simple(columns)
        if self.chance(0.35):
            return f"({first} {self.draw.choice(('AND', 'OR'))} {self.simple(columns)})"
        return f"NOT ({first})" if self.chance(0.15) else first

    def where(self, columns: Columns, depth: int) -> str:
        parts = [self.condition(columns)] if self.chance(0.6) else []
        if depth and self.chance(0.25):
            parts.append(self.subquery_test(columns, depth - 1))
        return f" WHERE {' AND '.join(parts)}" if parts else ""

    def subquery_test(self, columns: Columns, depth: int) -> str:
        """[NOT] EXISTS or [NOT] IN over a subquery."""
        negation = "NOT " * self.chance(0.4)
        item = self.entry(depth)
        shared = [(mine, other) for mine in columns for other in item.columns if columns[mine] == item.columns[other]]
        shared = [pair for pair in shared if columns[pair[0]] != "bool"] or [("1", "1")]
        mine, other = self.draw.choice(shared)
        if mine == "1":
            return self.condition(columns)
        inner = self.condition(item.columns)
        if self.chance(0.5):
            return f"{negation}EXISTS (SELECT 1 FROM {item.sql} WHERE {mine} = {other} AND {inner})"
        return f"{mine} {negation}IN (SELECT {other} FROM {item.sql} WHERE {inner})"

    # --- FROM ---

    def entry(self, depth: int) -> Item:
        """A table or a subquery under an alias of its own."""
        alias = self.name("q")
        if depth == 0 or self.chance(0.5):
            table = self.draw.choice(list(self.schema))
            return Item(f"{table} AS {alias}", {f"{alias}.{name}": kind for name, kind in self.schema[table].items()})
        sql, columns = self.nested(depth - 1)
        return Item(f"({sql}) AS {alias}", {f"{alias}.{name}": kind for name, kind in columns.items()})

    def source(self, depth: int) -> Item:
        """An entry, or two of them joined."""
        left = self.entry(depth)
        if not depth or self.chance(0.5):
            return left
        right = self.entry(depth - 1)
        pairs = [(one, two) for one in left.columns for two in right.columns if left.columns[one] == right.columns[two]]
        pairs = [pair for pair in pairs if left.columns[pair[0]] != "bool"]
        if not pairs:
            return left
        on = self.draw.sample(pairs, min(len(pairs), self.draw.choice((1, 1, 2))))
        if self.unique:
            right, on = self.grouped_side(right, on)
        condition = " AND ".join(f"{one} = {two}" for one, two in on)
        if self.chance(0.3):
            condition += f" AND {self.condition(right.columns)}"
        word = self.draw.choice(("JOIN", "LEFT JOIN"))
        return Item(f"{left.sql} {word} {right.sql} ON {condition}", {**left.columns, **right.columns})

    def grouped_side(self, right: Item, on: Sequence[tuple[str, str]]) -> tuple[Item, list[tuple[str, str]]]:
        """The right side grouped by its join keys, so that each stands there once."""
        alias = self.name("q")
        keys = list(dict.fromkeys(two for _, two in on))
        names = {key: self.name("k") for key in keys}
        total, (call, kind) = self.name("s"), self.aggregate(right.columns)
        texts = [f"{key} AS {names[key]}" for key in keys]
        sql = f"(SELECT {', '.join(texts)}, {call} AS {total} FROM {right.sql} GROUP BY {', '.join(keys)}) AS {alias}"
        columns = {f"{alias}.{names[key]}": right.columns[key] for key in keys} | {f"{alias}.{total}": kind}
        return Item(sql, columns), [(one, f"{alias}.{names[two]}") for one, two in on]

    # --- SELECTs ---

    def aggregate(self, columns: Columns) -> tuple[str, str]:
        name = self.pick(columns) or ""
        by_size = self.pick(columns, "int", "day")
        match self.draw.randrange(6):
            case 0:
                return "COUNT(*)", "int"
            case 1:
                return f"COUNT({name})", "int"
            case 2:
                return f"COUNT(DISTINCT {name})", "int"
            case 3 if by_size:
                return f"{self.draw.choice(('MIN', 'MAX'))}({by_size})", columns[by_size]
        return f"SUM({self.integer(columns)})", "int"

    def value(self, columns: Columns) -> tuple[str, str]:
        if self.chance(0.3) and self.pick(columns, "int"):
            return self.integer(columns), "int"
        name = self.pick(columns) or ""
        return name, columns[name]

    def nested(self, depth: int) -> tuple[str, Columns]:
        """A query inside a query, and its columns."""
        made = self.draw.choice(
            (self.rows, self.rows, self.grouped, self.grouped, self.windowed, self.limited, self.sets)
        )
        return made(depth)

    def rows(self, depth: int) -> tuple[str, Columns]:
        item = self.source(depth)
        outputs = {self.name("x"): self.value(item.columns) for _ in range(self.draw.randint(1, 4))}
        texts = ", ".join(f"{text} AS {name}" for name, (text, _) in outputs.items())
        distinct = "DISTINCT " * self.chance(0.2)
        sql = f"SELECT {distinct}{texts} FROM {item.sql}{self.where(item.columns, depth)}"
        return sql, {name: kind for name, (_, kind) in outputs.items()}

    def grouped(self, depth: int, *, top: bool = False) -> tuple[str, Columns]:
        item = self.source(depth)
        keys = [self.value(item.columns) for _ in range(self.draw.choice((0, 1, 1, 2) if top else (1, 1, 2)))]
        keys = [(text, kind) for text, kind in keys if "." in text]
        made = [self.aggregate(item.columns) for _ in range(self.draw.randint(0 if keys else 1, 2))]
        outputs = {self.name("x"): each for each in [*dict(keys).items(), *made]}
        texts = ", ".join(f"{text} AS {name}" for name, (text, _) in outputs.items())
        sql = f"SELECT {texts} FROM {item.sql}{self.where(item.columns, depth)}"
        if keys:
            sql += f" GROUP BY {', '.join(dict(keys))}"
        if self.chance(0.3):
            total = f"SUM({self.integer(item.columns)}) > 3"
            sql += f" HAVING {self.draw.choice(('COUNT(*) > 1', 'COUNT(*) < 4', total))}"
        return sql, {name: kind for name, (_, kind) in outputs.items()}

    def _by_all(self, columns: Columns) -> str:
        """ORDER BY of all columns that have an order, NULL where PostgreSQL puts it."""
        names = [name for name, kind in columns.items() if not kind.startswith("enum")]
        self.draw.shuffle(names)
        return ", ".join(f"{name} {self.draw.choice(('NULLS LAST', 'DESC NULLS FIRST'))}" for name in names)

    def windowed(self, depth: int) -> tuple[str, Columns]:
        inner, columns = self.rows(depth)
        alias = self.name("q")
        words = [name for name, kind in columns.items() if kind.startswith("enum")]
        more = [name for name in columns if name not in words and self.chance(0.3)]
        partition = f"PARTITION BY {', '.join(words + more)} " if words + more else ""
        rest = {name: kind for name, kind in columns.items() if name not in words + more}
        if not rest:
            return inner, columns
        integer = self.pick(columns, "int")
        function = self.draw.choice(("ROW_NUMBER()", "RANK()", "DENSE_RANK()", "COUNT(*)", "COUNT({})", "SUM({})"))
        if "{}" in function:
            function = function.format(integer) if integer else "RANK()"
        over = f"{partition}ORDER BY {self._by_all(rest)}"
        if function.startswith(("SUM", "COUNT")):
            over = self.draw.choice((over, over + " ROWS UNBOUNDED PRECEDING", partition.rstrip()))
        name = self.name("w")
        outputs = ", ".join([*columns, f"{function} OVER ({over}) AS {name}"])
        return f"SELECT {outputs} FROM ({inner}) AS {alias}", {**columns, name: "int"}

    def limited(self, depth: int) -> tuple[str, Columns]:
        inner, columns = self.rows(depth)
        alias = self.name("q")
        kept = {name: kind for name, kind in columns.items() if not kind.startswith("enum")}
        if not kept:
            return inner, columns
        sql = f"SELECT {', '.join(kept)} FROM ({inner}) AS {alias} ORDER BY {self._by_all(kept)}"
        return f"{sql} LIMIT {self.draw.randint(1, 12)}", kept

    def sets(self, depth: int) -> tuple[str, Columns]:
        """Two or three sides with columns of the same kinds."""
        operation = self.draw.choice(("UNION ALL", "UNION", "INTERSECT", "EXCEPT"))
        return self.combined(operation, depth)

    def combined(self, operation: str, depth: int) -> tuple[str, Columns]:
        items = [self.entry(depth) for _ in range(self.draw.choice((2, 2, 3)))]
        common = [kind for kind in items[0].columns.values() if all(kind in item.columns.values() for item in items)]
        kinds = [self.draw.choice(common or ["int"]) for _ in range(self.draw.randint(1, 2))]
        names = [self.name("x") for _ in kinds]
        sides = []
        for item in items:
            texts = [self.integer(item.columns) if kind == "int" else self.pick(item.columns, kind) for kind in kinds]
            named = ", ".join(f"{text} AS {name}" for text, name in zip(texts, names, strict=True))
            sides.append(f"SELECT {named} FROM {item.sql}{self.where(item.columns, 0)}")
        return f" {operation} ".join(sides), dict(zip(names, kinds, strict=True))


def relation_query(
    draw: random.Random, schema: Mapping[str, Columns] = SCHEMA, *, depth: int = 2, unique: bool = False
) -> str:
    """A whole query that releases groups."""
    queries = Queries(draw, schema, unique)
    if draw.random() < 0.15:
        return queries.combined(draw.choice(("UNION", "INTERSECT", "EXCEPT")), depth)[0]
    if draw.random() < 0.1:
        sql, _ = queries.rows(depth)
        return sql if "DISTINCT" in sql[:16] else f"SELECT DISTINCT{sql.removeprefix('SELECT')}"
    return queries.grouped(depth, top=True)[0]
