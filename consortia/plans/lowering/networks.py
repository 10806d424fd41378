"""Accounts and payments on shares: keys of both alike, amounts and times as numbers."""

from collections.abc import Sequence

from consortia.errors import RequestError
from consortia.plans.lowering.context import Context, check_shareable
from consortia.plans.lowering.convert import fitted
from consortia.plans.lowering.made import Made, shared_column
from consortia.plans.lowering.needs import Needs, add_need
from consortia.plans.networks import FRACTION_BITS, LARGEST_SUM, SCORE_BITS, Following, RiskMethod
from consortia.plans.query import Matched, Propagated, Relation
from consortia.plans.ranges import Range
from consortia.plans.steps_of_networks import Match, Propagate
from consortia.plans.types import WIDE_FROM

LARGEST_TIME = 1 << 60
"""Windows and spans of time stay below it, in units of the time column."""


def propagate(context: Context, node: Propagated, needs: Needs) -> Made:
    """The accounts that are needed, each with what reaches it."""
    periods = (node.payments, *node.later)
    total = max(_total(context, node, period) for period in periods)
    if isinstance(node.method, RiskMethod):
        _check_scores(context, node, node.method)
        _check_steps(node.method, [context.knowledge.rows(period) for period in periods])
    types = context.knowledge.types(node)
    own: Needs = {wanted: found for wanted, found in needs.items() if wanted[0] != node.made}
    kept = list(own)
    add_need(own, (node.key, "key"))
    if node.score:
        add_need(own, (node.score, "number"))
    accounts = context.lower(node.accounts, own)
    payments, *later = (_payments(context, node, period) for period in periods)
    made = shared_column(node.made, types[node.made], "number", context.knowledge.fact(node, node.made).range)
    columns = (*accounts.columns, made)
    step = {
        **context.builder.place((accounts.step, payments.step, *(period.step for period in later)), "shared"),
        "key": accounts.column(node.key, "key").name,
        **_ends(node, payments),
        "later": tuple(_ends(node, period) for period in later),
        "rows": accounts.rows,
        "columns": columns,
        "score": accounts.column(node.score, "number").name if node.score else "",
        "made": made.name,
        "total": total,
        "method": node.method,
    }
    places = {**{wanted: accounts.places[wanted] for wanted in kept}, (node.made, "number"): made.name}
    done = Made(context.builder.add(Propagate.model_validate(step)), accounts.rows, columns, places)
    return fitted(context, done, needs, types)


def match_pattern(context: Context, node: Matched, needs: Needs) -> Made:
    """The accounts that are needed and stand in the pattern."""
    _total(context, node, node.payments)
    _check_times(context, node, node.method.follows)
    _check_part(context, node, node.method.follows)
    own: Needs = dict(needs)
    add_need(own, (node.key, "key"))
    accounts, payments = context.lower(node.accounts, own), _payments(context, node, node.payments)
    seeds = context.lower(node.seeds, {(node.seed, "key"): None}) if node.seeds is not None else None
    inputs = (accounts.step, payments.step, *((seeds.step,) if seeds is not None else ()))
    step = {
        **context.builder.place(inputs, "shared"),
        "key": accounts.column(node.key, "key").name,
        **_ends(node, payments),
        "rows": accounts.rows,
        "columns": accounts.columns,
        "time": payments.column(node.time, "number").name,
        "seed": seeds.column(node.seed, "key").name if seeds is not None else "",
        "method": node.method,
    }
    made = context.builder.add(Match.model_validate(step))
    return Made(made, accounts.rows, accounts.columns, {wanted: accounts.places[wanted] for wanted in needs})


def _payments(context: Context, node: Propagated | Matched, payments: Relation) -> Made:
    wanted: Needs = {}
    for name in (node.source, node.target):
        add_need(wanted, (name, "key"))
    add_need(wanted, (node.amount, "number"))
    if isinstance(node, Matched):
        add_need(wanted, (node.time, "number"))
    types = context.knowledge.types(payments)
    for name, _ in wanted:
        check_shareable(name, types[name])
    return context.lower(payments, wanted)


def _ends(node: Propagated | Matched, payments: Made) -> dict[str, object]:
    return {
        "source": payments.column(node.source, "key").name,
        "target": payments.column(node.target, "key").name,
        "amount": payments.column(node.amount, "number").name,
    }


def _total(context: Context, node: Propagated | Matched, payments: Relation) -> int:
    """A bound of the sum of all amounts; refuses amounts that can't be carried, and what may be NULL."""
    amount = context.knowledge.fact(payments, node.amount)
    rows = context.knowledge.rows(payments)
    bounds, total = amount.range.bounds, amount.total
    if bounds is None or total is None or bounds.lo < 0 or total.hi >= LARGEST_SUM:
        raise RequestError(
            "plans/capacity",
            f"amounts of payments must be from 0 on and add up to less than {LARGEST_SUM} over {rows} rows",
            place=f"column `{node.amount}`",
            remedy="declare narrower bounds or fewer max_rows in the catalogue, or add up payments of two accounts",
        )
    for name in (node.amount, *((node.time,) if isinstance(node, Matched) else ())):
        if context.knowledge.fact(payments, name).range.nullable:
            raise _may_be_null(name, "payments")
    if isinstance(node, Propagated) and node.score and context.knowledge.fact(node.accounts, node.score).range.nullable:
        raise _may_be_null(node.score, "accounts")
    return max(1, total.hi)


def _may_be_null(name: str, where: str) -> RequestError:
    return RequestError(
        "plans/unsupported",
        f"`{name}` of the {where} may be NULL",
        place=f"column `{name}`",
        remedy=f"add WHERE {name} IS NOT NULL to the query of the {where}",
    )


def _check_scores(context: Context, node: Propagated, method: RiskMethod) -> None:
    if method.scale * 10**method.places > 1 << SCORE_BITS:
        raise RequestError(
            "plans/capacity",
            f"scores up to {method.scale} with {method.places} decimal places are more than {1 << SCORE_BITS} steps",
            place=f"column `{node.score}`",
            remedy="take scores with fewer decimal places, such as ROUND(MAX(score), 2) AS score",
        )
    bounds = context.knowledge.fact(node.accounts, node.score).range.bounds
    if bounds is None or bounds.lo < 0 or bounds.hi > method.scale * 10**method.places:
        raise RequestError(
            "plans/capacity",
            f"scores must be from 0 to {method.scale}",
            place=f"column `{node.score}`",
            remedy="state the largest score that the catalogue allows as `scale`",
        )


def _check_steps(method: RiskMethod, payments: Sequence[int]) -> None:
    """What rounding may add to a score in all steps stays below the largest score, as ``made_bounds`` has it."""
    if sum(method.iterations * (4 * rows + 34) for rows in payments) >= 1 << FRACTION_BITS:
        raise RequestError(
            "plans/capacity",
            f"{method.iterations} iterations over each of {len(payments)} periods, of {max(payments)} payments at most,"
            " may round scores to more than the double of the largest one",
            place="`iterations`",
            remedy="ask for fewer iterations or periods, or add up payments of two accounts",
        )


def _check_times(context: Context, node: Matched, follows: Following) -> None:
    bounds: Range = context.knowledge.fact(node.payments, node.time).range
    if bounds.bounds is None or bounds.bounds.hi - bounds.bounds.lo + follows.window >= LARGEST_TIME:
        raise RequestError(
            "plans/capacity",
            f"the times of payments and the window must span less than {LARGEST_TIME} units",
            place=f"column `{node.time}`",
            remedy="choose the payments of an interval, by WHERE",
        )


def _check_part(context: Context, node: Matched, follows: Following) -> None:
    """An amount is compared with a part of another one as whole times the one, so that nothing is rounded."""
    bounds = context.knowledge.fact(node.payments, node.amount).range.bounds
    if bounds is None or bounds.hi * follows.whole >= WIDE_FROM:
        reach = "anything" if bounds is None else bounds.hi
        raise RequestError(
            "plans/capacity",
            f"`part` is {follows.part}/{follows.whole}: amounts up to {reach} times {follows.whole} must be below 2^62",
            place=f"column `{node.amount}`",
            remedy="write `part` with fewer decimal places, or declare narrower bounds of amounts in the catalogue",
        )
