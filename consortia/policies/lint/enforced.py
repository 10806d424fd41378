"""Rules that are in effect in a policy and that this version does not enforce: the policy would be refused."""

from collections.abc import Iterator

from consortia.policies.language.enforcement import off_rules
from consortia.policies.language.parse import LoadedPolicy, what_is_accepted
from consortia.policies.lint.problems import Problem, error


def of_enforcement(loaded: LoadedPolicy) -> Iterator[Problem]:
    """One error for each such rule."""
    for rule in off_rules(loaded.policy):
        if not rule.accepted:
            how = "by the text" if rule.path in loaded.marks else "by default"
            yield error(
                loaded,
                rule.path,
                "enforced",
                f"the rule `{rule.rule}` is in effect {how}, and this version does not enforce it",
                f"`{rule.path[-1]}: {what_is_accepted(rule.path)}`, if the owner can do without the rule",
            )
