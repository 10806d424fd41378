"""What tests of shared steps are written with: columns, expressions, and the check against plain Python."""

from collections.abc import Sequence

from consortia.plans.columns import Column
from consortia.plans.expressions import Call, Const, Expr
from consortia.plans.model import Aggregate
from tests.relations_world import same_rows
from tests.shared_plans import BIT, COUNTRY, CUSTOMER, NUMBER, code, number
from tests.shared_relations import Steps, answer, clear_answer, drawn, plain


def key(name: str, *, nullable: bool = True) -> Column:
    return code(name, CUSTOMER, nullable=nullable)


def small(name: str, lo: int, hi: int, *, nullable: bool = True) -> Column:
    """A number that can be a key."""
    return number(name, lo, hi, nullable=nullable, domain="boolean")


AMOUNTS = (key("id"), small("year", 1990, 1997), number("amount", -500, 500, nullable=True))
PEOPLE = (key("person"), small("born", 1990, 1997), number("score", 0, 90, nullable=True), code("land", COUNTRY))


def call(op: str, *args: Expr | int, kind=NUMBER) -> Call:
    made = tuple(Const(type=NUMBER, integer=arg) if isinstance(arg, int) else arg for arg in args)
    return Call(op=op, args=made, type=kind)


def compare(op: str, *args: Expr | int) -> Call:
    return call(op, *args, kind=BIT)


def check(steps: Steps, last: str, *, seeds: Sequence[int] = (1, 2), **more) -> None:
    """On shares for one seed, in clear for more: rows as plain Python has them."""
    plan = steps.opened(last)
    for place, seed in enumerate(seeds):
        data = drawn(plan, seed, **more)
        found = answer(plan, data) if place == 0 else clear_answer(plan, data)
        assert same_rows(found, plain(plan, data)), f"seed {seed}"


def once(steps: Steps, source: str, keys: Sequence[str], *columns: str) -> str:
    """One row for each combination of keys: the least value of each column."""
    made = [(Aggregate(name=name, function="min", column=name), steps.named(source, name)) for name in columns]
    return steps.group(steps.sort(source, *keys), keys, *made)
