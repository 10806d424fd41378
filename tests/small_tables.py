"""Two small tables of three banks for random queries over relations: their catalogue, random rows, random SQL.

The SQL is that of ``random_relations`` with decimals, more aggregates, and tables of one member.
"""

import random
from typing import Any

from consortia.plans.catalogue import Catalogue, KeyDomain
from tests.fixtures_catalogue import BANKS, BOOL, COUNTRY, CUSTOMER, DATE, INT, ZEROS, ColumnType, column, table
from tests.random_relations import Columns, Item, Queries

PEOPLE = table(
    "people",
    column("k", CUSTOMER, nullable=True),
    column("c", COUNTRY, nullable=True),
    column("i", INT, -5, 5, nullable=True),
    column("d", ColumnType(kind="decimal", scale=2), -500, 500),
    max_rows=6,
)
EVENTS = table(
    "events",
    column("k", CUSTOMER, nullable=True, max_distinct=5),
    column("j", INT, 2, 9, nullable=True),
    column("c", COUNTRY),
    column("day", DATE, 19_000, 19_005),
    column("flag", BOOL, nullable=True),
    max_rows=8,
)
SMALL = Catalogue(
    consortium="testers",
    version=1,
    previous=ZEROS,
    purposes=("aml-detection",),
    key_domains=(KeyDomain(name="customer", id_type="national-id", key_id="aa"),),
    tables=(EVENTS, PEOPLE),
)
SCHEMA: dict[str, Columns] = {
    "people": {"k": "key customer", "c": "enum country", "i": "int", "d": "decimal"},
    "events": {"k": "key customer", "j": "int", "c": "enum country", "day": "day", "flag": "bool"},
}
Rows = list[dict[str, Any]]


class Wider(Queries):
    """The queries of ``random_relations`` and what sqlite would not answer alike."""

    def aggregate(self, columns: Columns) -> tuple[str, str]:
        number = self.pick(columns, "int", "decimal")
        if number is None or self.chance(0.5):
            return super().aggregate(columns)
        kind = columns[number]
        return self.draw.choice(
            [
                (f"AVG({number})", "quotient"),
                (f"SUM({number})", kind),
                (f"MEDIAN({number})", "half"),
                (f"PERCENTILE_DISC(0.3) WITHIN GROUP (ORDER BY {number})", kind),
                (f"VAR_POP({number})", "variance"),
            ]
        )

    def entry(self, depth: int) -> Item:
        made = super().entry(depth)
        if " AS " in made.sql and not made.sql.startswith("(") and self.chance(0.15):
            return Item(f'"{self.draw.choice(BANKS)}".{made.sql}', made.columns)
        return made


def random_query(seed: int) -> str:
    """A whole query; right sides of joins are mostly grouped."""
    draw = random.Random(seed)
    queries = Wider(draw, SCHEMA, unique=draw.random() < 0.8)
    made = queries.combined(draw.choice(("UNION", "INTERSECT", "EXCEPT")), 2) if draw.random() < 0.1 else None
    sql, columns = made or queries.grouped(draw.choice((1, 2, 2)), top=True)
    keys = [name for name, kind in columns.items() if kind in ("int", "day", "key customer")]
    if made is None and len(keys) == len(columns) and draw.random() < 0.4:
        sql += f" ORDER BY {keys[-1]} DESC LIMIT {draw.randint(1, 4)}"
    return sql


def unit_source(draw: random.Random, depth: int) -> str:
    """A subquery with columns k (the privacy unit), c and n, in which no table's unit is lost."""
    if depth == 0:
        owner = f'"{draw.choice(BANKS)}".' if draw.random() < 0.2 else ""
        return draw.choice([f"(SELECT k, c, i AS n FROM {owner}people)", f"(SELECT k, c, j AS n FROM {owner}events)"])
    one, two = unit_source(draw, depth - 1), unit_source(draw, draw.randrange(depth))
    operator = draw.choice(["UNION", "UNION ALL", "EXCEPT"])
    right = f"(SELECT k, COUNT(*) AS m FROM {two} AS x GROUP BY k) AS b"
    choices = [
        f"(SELECT a.k AS k, a.c AS c, b.m AS n FROM {one} AS a {draw.choice(['', 'LEFT '])}JOIN {right} ON a.k = b.k)",
        f"(SELECT a.k, a.c, a.n FROM {one} AS a WHERE a.k {draw.choice(['', 'NOT '])}IN (SELECT k FROM {two} AS b))",
        f"(SELECT k, c, n FROM {one} AS a {operator} SELECT k, c, n FROM {two} AS b)",
        f"(SELECT k, c, SUM(n) AS n FROM {one} AS a GROUP BY k, c)",
        f"(SELECT k, c, RANK() OVER (PARTITION BY c ORDER BY n) AS n FROM {one} AS a)",
        f"(SELECT k, c, n FROM {one} AS a WHERE n > 2 OR n IS NULL)",
    ]
    return draw.choice(choices)


def unit_query(seed: int) -> str:
    """A whole query whose contributors can be counted."""
    draw = random.Random(seed)
    source = f"FROM {unit_source(draw, draw.randint(1, 3))} AS q"
    return draw.choice(
        [
            f"SELECT c, COUNT(*) AS n, SUM(n) AS s {source} GROUP BY c",
            f"SELECT c, COUNT(DISTINCT k) AS n, MAX(n) AS s {source} GROUP BY c",
            f"SELECT COUNT(*) AS n, SUM(n) AS s {source}",
            f"SELECT k, SUM(n) AS s {source} WHERE k IS NOT NULL GROUP BY k",
        ]
    )


def random_data(seed: int, *, full: bool = False) -> dict[str, dict[str, Rows]]:
    """Few values, many duplicates and NULLs; some members hold nothing, or none with ``full``."""
    draw = random.Random(seed)
    values = {
        "key customer": lambda: draw.randint(100, 103),
        "enum country": lambda: draw.randrange(3),
        "int": lambda: draw.randint(2, 5),
        "decimal": lambda: draw.choice([-500, 125, 300, 350]),
        "day": lambda: draw.randint(19_000, 19_005),
        "bool": lambda: draw.randrange(2),
    }
    found: dict[str, dict[str, Rows]] = {}
    for each in SMALL.tables:
        found[each.name] = {}
        for bank in BANKS:
            count = each.max_rows if full else draw.choice([0, 1, 3, each.max_rows])
            found[each.name][bank] = [
                {
                    made.name: None
                    if made.nullable and draw.random() < 0.25
                    else values[SCHEMA[each.name][made.name]]()
                    for made in each.columns
                }
                for _ in range(count)
            ]
    return found
