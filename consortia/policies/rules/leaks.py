"""What becomes known beside the outputs: nothing but what every plan makes public, as long as all switches are closed.

Each step kind is listed with the switches that it needs open. A kind that is not listed needs an unknown switch, which
no policy can open: so an operator that reveals more than the padded sizes can't be added without a word here.
"""

from collections.abc import Iterator
from typing import Literal

from consortia.policies.rules.base import Case, Finding, Rule, forbid, permit

Switch = Literal["sizes", "group_count", "match_count", "filter_mask", "suppressed_count"]

NEEDED: dict[str, tuple[Switch, ...]] = {
    "scan": (),
    "filter": (),
    "project": (),
    "aggregate": (),
    "share": (),
    "union": (),
    "join": (),
    "sort": (),
    "window": (),
    "limit": (),
    "control": (),
    "release": (),
}


def leaks(case: Case) -> Iterator[Finding]:
    """Every step needs only switches that are open."""
    path = ("leaks",)
    for step in case.plan.steps:
        if step.kind not in NEEDED:
            yield forbid("leaks", path, f"what a {step.kind} step reveals is not known", "leave it out", step=step.id)
        for switch in NEEDED.get(step.kind, ()):
            if getattr(case.policy.leaks, switch) != "open":
                yield forbid(
                    "leaks", (*path, switch.replace("_", "-")), f"a {step.kind} step would reveal {switch}",
                    "leave it out", step=step.id,
                )  # fmt: skip
    yield permit("leaks", path, "nothing becomes known beside the outputs and padded sizes")


RULES = (Rule(("leaks",), leaks),)
