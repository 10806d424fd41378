"""What contributors hold of a group, in plain Python over rows that know whose data they hold: for ``naive_plan``."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from consortia.plans.model import Aggregate, AggregateStep, Rounded

Tagged = tuple[str, dict[str, Any]]


def members_of(tag: str) -> frozenset[str]:
    return frozenset(tag.split(",")) - {""}


def held(made: Aggregate, step: AggregateStep, group: Sequence[Tagged], *, mixed: bool) -> int:
    """A ``largest`` or ``magnitude``; with ``mixed``, a row is a part of each of its members and counts once in all.

    A row of an excluded and another member counts, as an absolute value, in the largest alone.
    """
    of = next(each for each in step.aggregates if each.name == made.of)
    sums: dict[Any, int] = defaultdict(int)
    more: dict[Any, int] = defaultdict(int)
    whole = 0
    for tag, row in group:
        members = members_of(tag) - set(made.excluding)
        value = row[of.column] if of.function == "sum" else of.function == "count-rows" or row[of.column] is not None
        alone = members == members_of(tag)
        whole += int(value or 0) if alone else 0
        for contributor in [row[step.entity]] if made.by == "entity" and members else members:
            if alone:
                sums[contributor] += int(value or 0)
            else:
                more[contributor] += abs(int(value or 0))
    if made.function == "largest":
        sizes = sorted((abs(sums[each]) + more[each] for each in {*sums, *more}), reverse=True)
        return sum(sizes[: made.count])
    return abs(whole) if mixed and made.by == "member" else sum(map(abs, sums.values()))


def with_beside(step: AggregateStep, rows: Sequence[Tagged]) -> list[Tagged]:
    """The groups with their ``count-beside``: entities of other groups that differ in one key alone."""
    for made in step.aggregates:
        if made.function != "count-beside":
            continue
        counted = next(
            each for each in step.aggregates if (each.function, each.excluding) == ("count-entities", made.excluding)
        )
        others = [key for key in step.keys if key != made.of]
        lines: dict[tuple[Any, ...], int] = defaultdict(int)
        for _, row in rows:
            lines[tuple(row[key] for key in others)] += row[counted.name]
        for _, row in rows:
            row[made.name] = lines[tuple(row[key] for key in others)] - row[counted.name]
    return list(rows)


def rounded(row: Mapping[str, Any], rounding: Sequence[Rounded]) -> dict[str, Any]:
    """The row with the nearest multiples, of two equally near ones the upper one."""
    found = dict(row)
    for each in rounding:
        value = found.get(each.column)
        if value is not None:
            found[each.column] = (2 * value + each.base) // (2 * each.base) * each.base
    return found
