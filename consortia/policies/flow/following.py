"""What is followed from account to account: everything read of payments, scores and seeds, and what it brings about."""

from dataclasses import replace

from consortia.plans.steps_of_networks import Match, Propagate
from consortia.policies.flow.sources import OF_ROWS, ROWS, Sources
from consortia.policies.flow.stacking import Relation


def followed(
    step: Propagate | Match, accounts: Relation, payments: Relation, *more: Relation
) -> tuple[list[Sources], Relation]:
    """Sources of what is read, and accounts with what it brings about, which goes to the members that keep them alone.

    ``more`` are the seeds of a pattern, or the payments of later periods.
    """
    if isinstance(step, Match):
        read = [payments.columns[name] for name in (step.source, step.target, step.amount, step.time)]
        seeds = [seeds.columns[step.seed] for seeds in more]
        return [accounts.columns[step.key], *read, *seeds], accounts
    scores: Sources = accounts.columns[step.score] if step.score else frozenset()
    read, told = [accounts.columns[step.key], scores], telling(scores)
    for paid, rows in zip(step.periods, (payments, *more), strict=True):
        read += [rows.columns[name] for name in (paid.source, paid.target, paid.amount)]
        told |= telling(rows.columns[paid.amount]) or telling(rows.rows)
    traced = frozenset(
        replace(
            source, column="" if source.kind in OF_ROWS | ROWS else source.column,
            kind="traced", form="plain", trail=(*source.trail, step.id),
        )
        for source in told
    )  # fmt: skip
    return read, accounts.with_columns({**accounts.columns, step.made: traced}, accounts.nulls)


def telling(sources: Sources) -> Sources:
    """What an amount tells of a payment: values and counts, or that there is a row; a missing value tells no more."""
    return frozenset(source for source in sources if source.kind not in ("member", "gap", "match"))
