"""Random queries of the supported SQL with their meaning in Python: a text, and what it gives on given rows.

Every part of a query is made together with a function that computes it from exact fractions, dates and words under
three-valued logic, so the oracle shares no code with the planner. ``random_query(random.Random(seed))`` is all of it.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

COUNTRIES = ("DE", "FR", "NL")
EPOCH = datetime(2024, 2, 28, 22, 30)
Row = Mapping[str, Any]
"""Values by column as a person thinks of them, and ``member``; a key is its identifier."""
Value = Any
EXTRA_DIGITS = 6


@dataclass(frozen=True)
class Scalar:
    """An expression: its text, what it gives on a row (or on a group's aggregates), and its scale if it is a number."""

    sql: str
    of: Callable[[Any], Value]
    scale: int = 0


# --- values of a row -------------------------------------------------------------------------------------------------


def column(name: str, scale: int = 0) -> Scalar:
    return Scalar(name, lambda row: row[name], scale)


def strict(function: Callable[..., Value]) -> Callable[..., Value]:
    """NULL if any argument is NULL."""
    return lambda *values: None if any(value is None for value in values) else function(*values)


def truncated(x: Fraction) -> int:
    return -(-x.numerator // x.denominator) if x < 0 else x.numerator // x.denominator


def rounded(x: Fraction, scale: int) -> Fraction:
    """To ``scale`` digits, halves away from zero."""
    size = (abs(x) * 10**scale + Fraction(1, 2)).__floor__()
    return Fraction(size if x >= 0 else -size, 10**scale)


def quotient(x: Value, y: Value, scales: tuple[int, int]) -> Value:
    if x is None or y is None or y == 0:
        return None
    exact = Fraction(x) / Fraction(y)
    return Fraction(truncated(exact)) if scales == (0, 0) else rounded(exact, max(scales) + EXTRA_DIGITS)


def remainder(x: Value, y: Value) -> Value:
    return None if x is None or y is None or y == 0 else x - y * truncated(Fraction(x) / Fraction(y))


def binary(left: Scalar, sign: str, right: Scalar) -> Scalar:
    sql = f"({left.sql} {sign} {right.sql})"
    a, b, scales = left.of, right.of, (left.scale, right.scale)
    match sign:
        case "+":
            return Scalar(sql, lambda r: strict(lambda x, y: x + y)(a(r), b(r)), max(scales))
        case "-":
            return Scalar(sql, lambda r: strict(lambda x, y: x - y)(a(r), b(r)), max(scales))
        case "*":
            return Scalar(sql, lambda r: strict(lambda x, y: x * y)(a(r), b(r)), sum(scales))
        case "/":
            scale = 0 if scales == (0, 0) else max(scales) + EXTRA_DIGITS
            return Scalar(sql, lambda r: quotient(a(r), b(r), scales), scale)
    return Scalar(sql, lambda r: remainder(a(r), b(r)), max(scales))


def number(draw: random.Random, depth: int = 2) -> Scalar:
    """A number over a row."""
    if depth == 0 or draw.random() < 0.35:
        return draw.choice([column("i"), column("j"), column("d", 2)])
    inner = number(draw, depth - 1)
    match draw.randrange(9):
        case 0:
            return binary(inner, draw.choice("+-"), number(draw, depth - 1))
        case 1:
            return binary(column("i"), "*", inner) if inner.scale <= 2 else inner
        case 2:
            return binary(column(draw.choice("ij")), draw.choice("/%"), column(draw.choice("ij")))
        case 3:
            when, other = condition(draw, 1), number(draw, depth - 1)
            sql = f"CASE WHEN {when.sql} THEN {inner.sql} ELSE {other.sql} END"
            return Scalar(sql, lambda r: (inner if when.of(r) else other).of(r), max(inner.scale, other.scale))
        case 4:
            constant = draw.randint(-3, 3)
            return Scalar(f"COALESCE({inner.sql}, {constant})", lambda r: or_else(inner.of(r), constant), inner.scale)
        case 5:
            return Scalar(f"(- {inner.sql})", lambda r: strict(lambda x: -x)(inner.of(r)), inner.scale)
        case 6:
            words = {"DE": 3, "FR": -7}
            sql = "CASE c WHEN 'DE' THEN 3 WHEN 'FR' THEN -7 END"
            return Scalar(sql, lambda r: words.get(r["c"]))
        case 7:
            return Scalar("(day - DATE '2024-02-29')", lambda r: strict(days_since_leap_day)(r["day"]))
    return Scalar(f"CAST({inner.sql} AS DECIMAL(20, {inner.scale + 1}))", inner.of, inner.scale + 1)


def or_else(value: Value, other: Value) -> Value:
    return other if value is None else value


def days_since_leap_day(day: date) -> int:
    return (day - date(2024, 2, 29)).days


# --- conditions ------------------------------------------------------------------------------------------------------

COMPARISONS: Mapping[str, Callable[[Value, Value], bool]] = {
    "=": lambda x, y: x == y, "<>": lambda x, y: x != y, "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y, ">": lambda x, y: x > y, ">=": lambda x, y: x >= y,
}  # fmt: skip


def both(x: bool | None, y: bool | None) -> bool | None:
    return False if x is False or y is False else None if x is None or y is None else True


def negated(x: bool | None) -> bool | None:
    return None if x is None else not x


def either(x: bool | None, y: bool | None) -> bool | None:
    return negated(both(negated(x), negated(y)))


def joined(draw: random.Random, part: Callable[[], Scalar]) -> Scalar:
    """One condition made of others."""
    left, right = part(), part()
    match draw.randrange(3):
        case 0:
            return Scalar(f"({left.sql} AND {right.sql})", lambda r: both(left.of(r), right.of(r)))
        case 1:
            return Scalar(f"({left.sql} OR {right.sql})", lambda r: either(left.of(r), right.of(r)))
    return Scalar(f"(NOT {left.sql})", lambda r: negated(left.of(r)))


def compared(draw: random.Random, left: Scalar, right: Scalar) -> Scalar:
    sign = draw.choice(list(COMPARISONS))
    return Scalar(f"({left.sql} {sign} {right.sql})", lambda r: strict(COMPARISONS[sign])(left.of(r), right.of(r)))


def among(tested: Scalar, constants: Sequence[tuple[str, Value]], *, inside: bool) -> Scalar:
    """[NOT] IN, with a NULL in the list where a constant is None."""
    sql = f"({tested.sql} {'' if inside else 'NOT '}IN ({', '.join(text for text, _ in constants)}))"

    def of(row: Row) -> bool | None:
        found: bool | None = False
        for _, value in constants:
            found = either(found, strict(COMPARISONS["="])(tested.of(row), value))
        return found if inside else negated(found)

    return Scalar(sql, of)


def condition(draw: random.Random, depth: int = 2) -> Scalar:
    """A condition over a row."""
    if depth and draw.random() < 0.45:
        return joined(draw, lambda: condition(draw, depth - 1))
    made = draw.choice((over_numbers, over_bits, over_lists, over_times))
    return made(draw, inside=draw.random() < 0.5)


def over_numbers(draw: random.Random, *, inside: bool) -> Scalar:
    match draw.randrange(3):
        case 0:
            constant = draw.choice(["0", "1", "-3", "2.5", "0.01"])
            return compared(draw, number(draw, 1), Scalar(constant, lambda r: Fraction(constant)))
        case 1:
            return compared(draw, column("i"), number(draw, 1))
    lo, hi = sorted(draw.sample(range(-5, 9), 2))
    sql = f"(j {'' if inside else 'NOT '}BETWEEN {lo} AND {hi})"
    return Scalar(sql, lambda r: (lo <= r["j"] <= hi) is inside)


def over_bits(draw: random.Random, *, inside: bool) -> Scalar:
    match draw.randrange(3):
        case 0:
            return Scalar("flag", lambda r: r["flag"])
        case 1:
            word = draw.choice(("TRUE", "FALSE"))
            sql = f"(flag IS {'' if inside else 'NOT '}{word})"
            return Scalar(sql, lambda r: (r["flag"] is (word == "TRUE")) is inside)
    name = draw.choice(("i", "d", "flag", "c", "day", "ts"))
    return Scalar(f"({name} IS {'NOT ' if inside else ''}NULL)", lambda r: (r[name] is None) is not inside)


def over_lists(draw: random.Random, *, inside: bool) -> Scalar:
    null = [("NULL", None)] if draw.random() < 0.3 else []
    match draw.randrange(3):
        case 0:
            words = [(f"'{word}'", word) for word in draw.sample(COUNTRIES, 2)]
            return among(column("c"), words + null, inside=inside)
        case 1:
            numbers = [(str(value), value) for value in draw.sample(range(-2, 4), 3)]
            return among(column("i"), numbers + null, inside=inside)
    member = draw.choice(("bank-a", "bank-b", "bank-c"))
    return Scalar(f"(member() {'=' if inside else '<>'} '{member}')", lambda r: (r["member"] == member) is inside)


def over_times(draw: random.Random, *, inside: bool) -> Scalar:
    day = EPOCH.date() + timedelta(days=draw.randint(-1, 3))
    constant = Scalar(f"DATE '{day}'", lambda r: day)
    if inside:
        return compared(draw, column("day"), constant)
    if draw.random() < 0.3:  # beside a timestamp, a date is its midnight
        return compared(draw, column("ts"), Scalar(constant.sql, lambda r: datetime(day.year, day.month, day.day)))
    moment = EPOCH + timedelta(minutes=draw.choice((0, 90, 1440)))
    return compared(draw, column("ts"), Scalar(f"TIMESTAMP '{moment}'", lambda r: moment))


# --- keys and aggregates -----------------------------------------------------------------------------------------


def group_key(draw: random.Random) -> Scalar:
    plain = [
        column("flag"), column("c"), column("j"), column("day"), column("ts"), column("d", 2), column("i"),
        Scalar("(i % 3)", lambda r: remainder(r["i"], 3)),
        Scalar("(d > 0)", lambda r: strict(COMPARISONS[">"])(r["d"], 0)),
        Scalar("COALESCE(c, 'NL')", lambda r: or_else(r["c"], "NL")),
        Scalar("(day + 1)", lambda r: strict(lambda day: day + timedelta(days=1))(r["day"])),
    ]  # fmt: skip
    return draw.choice(plain)


Group = Sequence[Row]


def values(argument: Scalar, group: Group) -> list[Value]:
    return [value for row in group if (value := argument.of(row)) is not None]


def total(argument: Scalar) -> Scalar:
    def of(group: Group) -> Value:
        known = values(argument, group)
        return sum(known, Fraction(0)) if known else None

    return Scalar(f"SUM({argument.sql})", of, argument.scale)


def average(argument: Scalar) -> Scalar:
    def of(group: Group) -> Value:
        known = values(argument, group)
        return rounded(sum(known, Fraction(0)) / len(known), argument.scale + EXTRA_DIGITS) if known else None

    return Scalar(f"AVG({argument.sql})", of, argument.scale + EXTRA_DIGITS)


def count(draw: random.Random) -> Scalar:
    name = draw.choice(("i", "d", "flag", "c", "ts"))
    return draw.choice([
        Scalar("COUNT(*)", len),
        Scalar(f"COUNT({name})", lambda group: len(values(column(name), group))),
        Scalar("COUNT(DISTINCT member())", lambda group: len({row["member"] for row in group})),
    ])  # fmt: skip


def aggregate(draw: random.Random) -> Scalar:
    """A column of the result that is no key."""
    match draw.randrange(6):
        case 0 | 1:
            return total(number(draw))
        case 2:
            return average(number(draw, 1))
        case 3:
            return count(draw)
        case 4:
            left, right = total(number(draw, 1)), count(draw)
            return binary(left, draw.choice("+-*/"), right)
    return Scalar("COUNT(DISTINCT k)", lambda group: len({row["k"] for row in group}))


def having(draw: random.Random, depth: int = 1) -> Scalar:
    if depth and draw.random() < 0.4:
        return joined(draw, lambda: having(draw, depth - 1))
    argument = number(draw, 1)
    match draw.randrange(5):
        case 0:
            return compared(draw, count(draw), Scalar("2", lambda group: 2))
        case 1:
            return compared(draw, total(argument), Scalar("1", lambda group: 1))
        case 2:
            return compared(draw, total(column("i")), binary(count(draw), "-", total(column("j"))))
        case 3:
            mean = Scalar(f"AVG({argument.sql})", lambda group: exact_mean(values(argument, group)))
            return compared(draw, mean, Scalar("0.5", lambda group: Fraction(1, 2)))
    return Scalar(f"(SUM({argument.sql}) IS NOT NULL)", lambda group: bool(values(argument, group)))


def exact_mean(known: Sequence[Value]) -> Value:
    return sum(known, Fraction(0)) / len(known) if known else None


# --- whole queries -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RandomQuery:
    """``rows`` gives the whole result on the pooled rows in its order; ``groups`` also the rows behind each."""

    sql: str
    keys: tuple[Scalar, ...]
    outputs: tuple[Scalar, ...]
    where: Scalar
    having: Scalar
    order: tuple[tuple[int, bool], ...]

    def groups(self, pooled: Group) -> list[tuple[tuple[Value, ...], Group]]:
        """Result rows in order, each with the rows that it comes from."""
        gathered: dict[tuple[Value, ...], list[Row]] = {} if self.keys else {(): []}
        for row in pooled:
            if self.where.of(row) is True:
                gathered.setdefault(tuple(key.of(row) for key in self.keys), []).append(row)
        found = []
        for key, group in gathered.items():
            if self.having.of(group) is True:
                computed = tuple(output.of(group) for output in self.outputs)
                found.append(((*key, *computed), group))
        given = {place for place, _ in self.order}
        rest = [(place, False) for place in range(len(self.keys) + len(self.outputs)) if place not in given]
        for place, descending in reversed([*self.order, *rest]):
            found.sort(key=lambda entry, place=place: _rank(entry[0][place]), reverse=descending)
        return found


def _rank(value: Value) -> tuple[bool, Value]:
    return (value is None, 0 if value is None else value)


ALWAYS = Scalar("", lambda _: True)


def random_query(draw: random.Random, *, by_customer: bool = False) -> RandomQuery:
    """A query over ``t``; ``by_customer`` groups by the customer's key, so that the result goes to its members."""
    keys = [column("k")] if by_customer else [group_key(draw) for _ in range(draw.choice((0, 1, 1, 1, 2)))]
    if len({key.sql for key in keys}) < len(keys):
        keys = keys[:1]
    outputs = [aggregate(draw) for _ in range(draw.randint(0 if by_customer else 1, 3))]
    where = condition(draw) if draw.random() < 0.7 else ALWAYS
    kept = having(draw) if by_customer or draw.random() < 0.5 else ALWAYS
    named = [f"{output.sql} AS o{place}" for place, output in enumerate([*keys, *outputs])]
    places = draw.sample(range(len(named)), draw.randint(0, min(2, len(named))))
    order = tuple((place, draw.random() < 0.5) for place in places)
    sql = f"SELECT {', '.join(named)} FROM t"
    sql += f" WHERE {where.sql}" if where.sql else ""
    sql += f" GROUP BY {', '.join(key.sql for key in keys)}" if keys else ""
    sql += f" HAVING {kept.sql}" if kept.sql else ""
    if order:
        sql += " ORDER BY " + ", ".join(f"o{place}{' DESC' if descending else ''}" for place, descending in order)
    return RandomQuery(sql, tuple(keys), tuple(outputs), where, kept, order)


def random_rows(draw: random.Random, member: str, size: int) -> list[dict[str, Value]]:
    """Rows with many equal values, NULLs and both ends of every range."""

    def maybe(value: Value) -> Value:
        return None if draw.random() < 0.25 else value

    return [
        {
            "member": member,
            "k": f"{draw.randrange(12):03d}",
            "i": maybe(draw.choice((-50, 50, 0, 1, -1, 2, draw.randint(-50, 50)))),
            "j": draw.choice((0, 9, 3, draw.randint(0, 9))),
            "d": maybe(Fraction(draw.choice((-9999, 9999, 0, 1, 250, draw.randint(-9999, 9999))), 100)),
            "flag": maybe(draw.random() < 0.5),
            "c": maybe(draw.choice(COUNTRIES)),
            "day": maybe(EPOCH.date() + timedelta(days=draw.randrange(4))),
            "ts": maybe(EPOCH + timedelta(minutes=draw.choice((0, 90, 90, 1440)))),
        }
        for _ in range(size)
    ]
