"""Whether a cell could ever have enough contributors. The count itself is taken on shares, before release."""

from collections.abc import Iterator

from consortia.policies.lineage import Output
from consortia.policies.rules.base import Case, Finding, Rule, forbid, permit


def contributors(case: Case) -> Iterator[Finding]:
    """Minima for numbers over groups; alerts and scores have none, since each row goes to its owner alone."""
    for output in case.flow.outputs:
        section = case.policy.cell_output(output.kind)
        if section is None:
            path = ("outputs", output.kind)
            yield permit("minimum-entities", path, "no minimum: each row goes to its owner alone")
            yield permit("minimum-members", path, "no minimum: each row goes to its owner alone")
            continue
        path = ("outputs", output.kind)
        yield permit(
            "minimum-entities",
            (*path, "minimum-entities"),
            f"a cell is opened from {section.minimum_entities} contributors on, the recipient's own not counted",
        )
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
    return permit("minimum-members", path, f"a cell is opened from {minimum} members on, the recipient's counted")


RULES = (Rule(("minimum-entities", "minimum-members"), contributors),)
