"""The questions that every engine must answer alike: one case a kind of grouping, rule or release."""

from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.model import Aggregate
from consortia.plans.rules import MinimumContributors
from tests.shared_plans import BIT, COUNTRY, CUSTOMER, NUMBER, Case, code, number


def counted(name: str, function: str, hi: int = 1000, **more) -> tuple:
    return Aggregate(name=name, function=function, **more), number(name, 0, hi)


def presence(member: str) -> tuple:
    return Aggregate(name=f"has_{member}", function="has-member", member=member), code(f"has_{member}", BIT)


def compare(op: str, left: Expr, right: int | Expr) -> Expr:
    other = Const(type=NUMBER, integer=right) if isinstance(right, int) else right
    return Call(op=op, args=(left, other), type=BIT)


SUM = (Aggregate(name="total", function="sum", column="amount"), number("total", -(10**12), 10**12))
NULLABLE_SUM = (SUM[0], number("total", -(10**12), 10**12, nullable=True))
WIDE_SUM = (SUM[0], number("total", -(1 << 80), 1 << 80, domain="wide", nullable=True))

ALERTS = Case(
    columns=(code("customer", CUSTOMER), number("amount", 0, 10_000)),
    keys=("customer",),
    aggregates=(SUM, counted("members", "count-members", 3), *(presence(name) for name in ("alpha", "beta", "gamma"))),
    opened=("customer",),
    having=Call(
        op="and", args=(compare("ge", Ref(column="total"), 12_000), compare("ge", Ref(column="members"), 2)), type=BIT
    ),
    having_python=lambda row: row["total"] >= 12_000 and row["members"] >= 2,
    membership={name: f"has_{name}" for name in ("alpha", "beta", "gamma")},
)
STATISTICS = Case(
    columns=(
        code("country", COUNTRY, nullable=True),
        code("customer", CUSTOMER, nullable=True),
        number("amount", -(10**6), 10**6, nullable=True),
        number("rows", 1, 50),
    ),
    keys=("country",),
    entity="customer",
    aggregates=(
        NULLABLE_SUM,
        counted("known", "count", column="amount"),
        (Aggregate(name="all", function="sum", column="rows"), number("all", 0, 10_000)),
        counted("lines", "count-rows"),
        counted("entities", "count-entities"),
        counted("other_entities", "count-entities", excluding=("alpha",)),
        counted("other_members", "count-members", 3, excluding=("alpha",)),
    ),
    opened=("country", "total", "known", "all", "lines", "entities"),
    group_rows=4,
    rules=(
        MinimumContributors(by="entity", column="other_entities", minimum=3),
        MinimumContributors(by="member", column="other_members", minimum=2),
    ),
)
TWO_EXCLUDED = Case(
    columns=(code("country", COUNTRY), code("customer", CUSTOMER)),
    keys=("country",),
    entity="customer",
    aggregates=(
        counted("entities", "count-entities", excluding=("alpha", "gamma")),
        counted("members", "count-members", 3, excluding=("alpha", "gamma")),
    ),
    opened=("country", "entities", "members"),
)
SINGLE_ROWS = Case(
    columns=(code("country", COUNTRY), code("customer", CUSTOMER), number("amount", 0, 100)),
    keys=("country",),
    entity="customer",
    unique=False,
    aggregates=(
        SUM,
        counted("entities", "count-entities", excluding=("beta",)),
        counted("members", "count-members", 3, excluding=("beta",)),
        presence("gamma"),
    ),
    opened=("country", "total", "entities", "members", "has_gamma"),
)
WHOLE = Case(
    columns=(number("amount", -(10**6), 10**6, nullable=True), code("customer", CUSTOMER)),
    keys=(),
    entity="customer",
    aggregates=(
        NULLABLE_SUM,
        counted("known", "count", column="amount"),
        counted("lines", "count-rows"),
        counted("others", "count-entities", excluding=("alpha",)),
        counted("members", "count-members", 3),
    ),
    opened=("total", "known", "lines", "others", "members"),
)
WIDE = Case(
    columns=(
        code("flag", BIT, nullable=True),
        number("amount", -(10**23), 10**23, nullable=True, domain="wide"),
    ),
    keys=("flag",),
    unique=False,
    aggregates=(WIDE_SUM, counted("lines", "count-rows")),
    opened=("flag", "total"),
    rules=(MinimumContributors(by="entity", column="lines", minimum=2),),
)
WIDENED = Case(
    columns=(code("flag", BIT), number("amount", -(1 << 61), 1 << 61)),
    keys=("flag",),
    unique=False,
    aggregates=((SUM[0], number("total", -(1 << 80), 1 << 80, domain="wide")),),
    opened=("flag", "total"),
)
CASES = {
    "alerts": ALERTS,
    "statistics": STATISTICS,
    "two-excluded": TWO_EXCLUDED,
    "single-rows": SINGLE_ROWS,
    "whole": WHOLE,
    "wide": WIDE,
    "widened": WIDENED,
}
