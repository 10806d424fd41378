"""The rules, one kind a module; ``ALL`` is every rule, and all of them must permit."""

from consortia.policies.rules import (
    complementary,
    contributors,
    leaks,
    magnitudes,
    noise,
    operations,
    outputs,
    parties,
    standing,
    tables,
)
from consortia.policies.rules.base import Rule

ALL: tuple[Rule, ...] = (
    *standing.RULES,
    *parties.RULES,
    *tables.RULES,
    *outputs.RULES,
    *operations.RULES,
    *contributors.RULES,
    *magnitudes.RULES,
    *complementary.RULES,
    *noise.RULES,
    *leaks.RULES,
)
