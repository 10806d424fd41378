"""Whether a cell could ever have enough contributors. The count itself is taken on shares, before release."""

from collections.abc import Iterator, Mapping

from consortia.plans.model import Aggregate, AggregateStep, Control, Plan, Scan
from consortia.plans.rules import PAIR, MinimumContributors
from consortia.policies.flow.entities import identifying
from consortia.policies.flow.opened import counted_by_owners, made_by
from consortia.policies.language.model import CellOutput
from consortia.policies.lineage import Output
from consortia.policies.rules.base import Case, Finding, Rule, forbid, permit


def contributors(case: Case) -> Iterator[Finding]:
    """Minima for numbers over groups, and of members for models; the rows of alerts and scores have owners instead."""
    for output in case.flow.outputs:
        if output.kind == "model":
            yield from _of_model(case, output)
            continue
        section = case.policy.cell_output(output.kind)
        if section is None:
            path = ("outputs", output.kind)
            yield permit("minimum-entities", path, "no minimum: each row goes to its owner alone")
            yield permit("minimum-members", path, "no minimum: each row goes to its owner alone")
            continue
        path = ("outputs", output.kind)
        if section.noise != "off":
            yield permit("minimum-entities", path, "not counted: noise hides each contributor in every cell")
            yield _members(case, output, section.minimum_members)
            continue
        yield permit(
            "minimum-entities",
            (*path, "minimum-entities"),
            f"a cell is opened from {section.minimum_entities} contributors on, the recipient's own not counted",
        )
        yield _members(case, output, section.minimum_members)
        yield from _counted(case, output, section)


def _of_model(case: Case, output: Output) -> Iterator[Finding]:
    section = case.policy.personal_output("model")
    if section is not None:
        yield permit("minimum-entities", ("outputs", "model"), "not counted: noise hides each contributor")
        yield _members(case, output, section.minimum_members)


def _members(case: Case, output: Output, minimum: int) -> Finding:
    path = ("outputs", output.kind, "minimum-members")
    owners = set(case.plan.owners())
    recipients = {recipient.member for recipient in output.release.recipients}
    # A recipient's member counts always; the others must be found among the remaining owners.
    others = min((len(owners - {recipient}) for recipient in recipients), default=0)
    if others < minimum - 1:
        return forbid(
            "minimum-members",
            path,
            f"a cell needs {minimum} members, and beside the recipient only {others} hold rows that are asked for",
            "ask for the table of all members, not for one member's part",
            step=output.release.id,
        )
    if minimum == PAIR and len(owners) > PAIR:
        return forbid(
            "minimum-members",
            path,
            f"two members are enough for what two hold, and {len(owners)} hold rows that are asked for: whoever asks"
            " could read one partner's part",
            "the owner asks for three members",
            step=output.release.id,
        )
    return permit("minimum-members", path, f"a cell is opened from {minimum} members on, the recipient's counted")


def _counted(case: Case, output: Output, section: CellOutput) -> Iterator[Finding]:
    """What control steps compare are counts of the last aggregation, over rows of one privacy unit each.

    A draft has no control rules yet; that the final plan has them all is checked by ``obligations.require_kept``.
    """
    groups = output.groups
    if groups is None:
        return  # rule `output-kind` forbids
    units = case.world.privacy_units(case.plan.purpose)

    def unit(scan: Scan) -> frozenset[str]:
        return frozenset((units.get(scan.table, ""),))

    others = {recipient.member for recipient in output.release.recipients}
    for step in case.plan.steps:
        rules = step.rules if isinstance(step, Control) else ()
        for rule in (each for each in rules if isinstance(each, MinimumContributors)):
            rule_id = "minimum-entities" if rule.by == "entity" else "minimum-members"
            made = made_by(case.plan, step, rule.column, groups)
            if made is not None and rule.by == "entity" and _is_lower_bound(case.plan, made, groups, units):
                if section.contributors == "exact" or set(made.excluding) != others:
                    yield forbid(
                        rule_id, ("outputs", output.kind, "contributors"), f"`{rule.column}` is no exact count",
                        "plan the query again", step=step.id,
                    )  # fmt: skip
            elif made is None or made.function != COUNTS[rule.by] or set(made.excluding) != others:
                yield forbid(
                    rule_id, ("outputs", output.kind, rule_id), f"`{rule.column}` does not count what is opened, with"
                    " the recipient's own rows left out", "plan the query again", step=step.id,
                )  # fmt: skip
            elif rule.by == "entity" and groups.entity not in identifying(case.plan, unit)[groups.inputs[0]]:
                yield forbid(
                    rule_id, ("outputs", output.kind, rule_id), f"`{groups.entity}` is counted, and rows hold data of"
                    " other contributors beside it", "join by the privacy unit, and keep it in every nested GROUP BY",
                    step=groups.id,
                )  # fmt: skip


def _is_lower_bound(plan: Plan, made: Aggregate, groups: AggregateStep, units: Mapping[str, str]) -> bool:
    """Whether ``made`` is the greatest of the numbers of contributors that members have in the group, each its own."""
    of = next((each for each in groups.aggregates if each.name == made.of and each.function == "sum"), None)
    is_greatest = (made.function, made.by, made.count) == ("largest", "member", 1)
    return (
        is_greatest
        and of is not None
        and counted_by_owners(plan, groups, of.column, lambda scan: units.get(scan.table, ""))
    )


COUNTS = {"entity": "count-entities", "member": "count-members"}


RULES = (Rule(("minimum-entities", "minimum-members"), contributors),)
