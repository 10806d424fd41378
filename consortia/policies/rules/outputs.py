"""What comes out, and who receives it."""

from collections.abc import Iterator

from consortia.plans.model import Limit, Step
from consortia.policies.flow.told import told
from consortia.policies.lineage import Output, RowKinds
from consortia.policies.rules.base import Case, Finding, Rule, forbid, listed, permit


def output_kind(case: Case) -> Iterator[Finding]:
    """The kind of each output, as it follows from the plan, is permitted."""
    for output in case.flow.outputs:
        path = ("outputs", output.kind)
        step = output.release.id
        if output.groups is None and output.weights is None:
            yield forbid(
                "output-kind", ("outputs",), "rows would be opened as they are",
                "group the rows", step=step,
            )  # fmt: skip
        if output.kind in RowKinds and any(isinstance(between, Limit) for between in _between(case, output)):
            yield forbid(
                "output-kind", path, f"a LIMIT on {WHAT[output.kind]} would tell how others' rows compare",
                "leave LIMIT out, or put it into a nested query", step=step,
            )  # fmt: skip
        if output.release.output_kind != output.kind:
            yield forbid(
                "output-kind", path, f"the plan calls an output {output.release.output_kind} that is {output.kind}",
                "plan the query again", step=step,
            )  # fmt: skip
        if case.policy.output(output.kind) is None:
            yield forbid(
                "output-kind", path, f"the output is {WHAT[output.kind]}, which is never permitted",
                f"outputs may be {listed(_permitted_kinds(case))}", step=step,
            )  # fmt: skip
        else:
            yield permit("output-kind", path, f"an output may be {WHAT[output.kind]}")


def _between(case: Case, output: Output) -> Iterator[Step]:
    """The steps from the last aggregation to the release."""
    step: Step = output.release
    while output.groups is not None and step.id != output.groups.id:
        yield step
        step = case.plan.step(step.inputs[0])


WHAT = {
    "alert": "an alert (keys, to their owners)",
    "score": "a score (numbers per entity beside its key)",
    "count": "a count",
    "aggregate": "an aggregate (numbers over groups)",
    "model": "a model (weights of features)",
}


def _permitted_kinds(case: Case) -> list[str]:
    return [kind for kind in WHAT if case.policy.output(kind)]


def recipients(case: Case) -> Iterator[Finding]:
    """Rows go to their owners alone; numbers go to the person who asks, if the policy names person or member."""
    for output in case.flow.outputs:
        rule = _to_owners if output.kind in RowKinds else _to_person
        yield from rule(case, output)


def _to_owners(case: Case, output: Output) -> Iterator[Finding]:
    path = ("outputs", output.kind, "recipients")
    release = output.release
    if case.policy.row_output(output.kind) is None:
        return  # rule `output-kind` forbids, and without a finding this rule does not permit either
    members = {recipient.member for recipient in release.recipients}
    people = [recipient for recipient in release.recipients if recipient.person is not None]
    own = release.rows_of == "own" and len(release.membership) == len(release.recipients)
    if people or not own or not members or not members <= set(case.plan.owners()):
        yield forbid(
            "recipients", path, f"{listed(members)} would receive rows that are not its own",
            "each row goes to the members that contributed to it", step=release.id,
        )  # fmt: skip
    elif unasked := _told_unasked(case, output):
        member, table, unit = unasked
        yield forbid(
            "recipients", ("data", "tables", table, "columns", unit), f"`{member}` would be told which of its rows of"
            f" `{table}` meet others' rows, and `alert` is not permitted on `{table}.{unit}`",
            "ask over your own member's part of the other table, which tells your member alone",
            step=release.id, column=f"{table}.{unit}",
        )  # fmt: skip
    else:
        yield permit("recipients", path, "each row goes to the members that contributed to it, and to nobody else")


def _told_unasked(case: Case, output: Output) -> tuple[str, str, str] | None:
    """A recipient, a table of the owner's policy, and its unit without `alert`, if a row may be told through it."""
    if output.groups is None:
        return None  # rule `output-kind` forbids
    closed = {
        name: entry.privacy_unit
        for name, entry in case.policy.data.tables.items()
        if "alert" not in entry.columns[entry.privacy_unit].operations
    }
    for member in sorted({recipient.member for recipient in output.release.recipients}):
        found = told(case.plan, member)[output.groups.id]
        for table in sorted(found.some & closed.keys()):
            if found.every <= closed.keys():
                return member, table, closed[table]
    return None


def _to_person(case: Case, output: Output) -> Iterator[Finding]:
    path = ("outputs", output.kind, "recipients")
    section = case.policy.personal_output(output.kind)
    if section is None:
        return  # as above
    release = output.release
    if release.rows_of != "all" or not release.recipients:
        yield forbid("recipients", path, "the output has no person as recipient", "plan it again", step=release.id)
    for recipient in release.recipients:
        person = recipient.person
        allowed = person is not None and {person, recipient.member} & set(section.recipients)
        if person != case.plan.submitter or not allowed or not person.endswith(f"@{recipient.member}"):
            yield forbid(
                "recipients", path, f"`{person or recipient.member}` may not receive {WHAT[output.kind]}",
                f"may receive it: {listed(section.recipients)}", step=release.id,
            )  # fmt: skip
        else:
            yield permit("recipients", path, f"`{person}` may receive it")


def maximum_rows(case: Case) -> Iterator[Finding]:
    """The public bound on an output's rows is within the maximum."""
    for output in case.flow.outputs:
        path = ("outputs", output.kind, "maximum-rows")
        section = case.policy.output(output.kind)
        if section is None:
            continue  # rule `output-kind` forbids
        maximum = section.maximum_rows
        if maximum != "off" and output.release.rows > maximum:
            yield forbid(
                "maximum-rows", path, f"up to {output.release.rows} rows could come out, more than {maximum}",
                "group by fewer or coarser columns", step=output.release.id,
            )  # fmt: skip
        else:
            yield permit("maximum-rows", path, f"at most {output.release.rows} rows come out")


RULES = (
    Rule(("output-kind",), output_kind),
    Rule(("recipients",), recipients),
    Rule(("maximum-rows",), maximum_rows),
)
