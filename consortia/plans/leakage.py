"""The leakage report: who learns what from a run of a plan, beyond what they hold. Approvals sign its hash.

It follows from plan and estimate alone. What is not in it must not become known: openings and traffic are
compared with it entry by entry in tests.
"""

from typing import Literal

from consortia.plans.cost import Estimate, Opening
from consortia.plans.expressions import Ref, columns_of
from consortia.plans.model import AggregateStep, Control, Join, Limit, Plan, Project, Release, Share, Sort, Step
from consortia.plans.rules import PAIR, MinimumContributors
from consortia.plans.steps_of_networks import Match
from consortia.plans.steps_of_noise import Noise, Quantiles
from consortia.plans.wording import listed, order_text
from consortia.trust.documents import Digest, Document, Frozen, Integer

MASKED = "of masked or shuffled values, which tell nothing of the data"
REFUSED = (
    "a fact about the joined rows as they stand; if one does, the run ends with `relational/many-to-many`, everybody"
    " learns that, and nothing is released"
)
HIDDEN = (
    "; by the pattern, and the public order of values, cells that are hidden for others' sake can be told from these"
)
TOO_MANY = (
    "a fact about the payments, one bit for each list of paths; if there are more, the run ends with"
    " `graph/too-many-paths`, everybody learns that, and nothing is released"
)
COORDINATOR = "coordinator"
NETWORK = "network"

Kind = Literal["size", "traffic", "opening", "timing", "outcome", "coordinator", "suppression", "result"]


class LeakageEntry(Frozen):
    """``who`` (members, persons, ``coordinator``, ``network``; sorted) learn ``what`` in ``step`` ("": the session).

    ``amount`` is the exact number that ``what`` speaks of: rows, bytes or elements; 0 where there is none.
    """

    kind: Kind
    step: str
    who: tuple[str, ...]
    what: str
    detail: str = ""
    amount: Integer = 0
    rounds: Integer = 0


class LeakageReport(Document):
    """All entries, in the order of the plan's steps; then those of the session as a whole."""

    type: Literal["consortia/leakage/v1"] = "consortia/leakage/v1"
    plan: Digest
    entries: tuple[LeakageEntry, ...]


def leakage_report(plan: Plan, estimate: Estimate) -> LeakageReport:
    """The report on ``plan`` with the declared cost ``estimate``; pure, the same bytes at every party."""
    everybody = _everybody(plan)
    entries = [entry for step in plan.steps for entry in _of_step(plan, step.id, estimate, everybody)]
    entries += _session(plan, everybody)
    return LeakageReport(plan=plan.digest(), entries=tuple(entries))


def _everybody(plan: Plan) -> tuple[str, ...]:
    """Everybody who takes part, the coordinator and whoever watches the network."""
    receiving = {
        str(recipient.person or recipient.member)
        for step in plan.steps
        if isinstance(step, Release)
        for recipient in step.recipients
    }
    people = {*plan.owners(), *plan.computers, *receiving, str(plan.submitter)}
    return tuple(sorted(people | {COORDINATOR, NETWORK}))


def _of_step(plan: Plan, step_id: str, estimate: Estimate, everybody: tuple[str, ...]) -> list[LeakageEntry]:
    step = plan.step(step_id)
    entries: list[LeakageEntry] = []
    if isinstance(step, Share):
        entries.append(
            LeakageEntry(
                kind="size", step=step.id, who=everybody, amount=step.rows,
                what=f"{step.owner} shares {step.rows} rows, however many it has",
                detail="the padded size follows from the catalogue and the shape of the query",
            )
        )  # fmt: skip
    cost = estimate.step(step.id)
    if cost is not None and (cost.rounds or cost.total_bytes):
        entries.append(
            LeakageEntry(
                kind="traffic", step=step.id, who=everybody, amount=cost.total_bytes, rounds=cost.rounds,
                what=f"{cost.rounds} rounds, {cost.total_bytes} payload bytes over all members",
                detail=", ".join(f"{entry.member} {entry.sent}" for entry in cost.bytes_by_party),
            )
        )  # fmt: skip
    entries += [
        LeakageEntry(
            kind="opening", step=step.id, who=tuple(sorted(opening.to)), amount=opening.elements,
            what=f"{opening.elements} values opened: {opening.what}",
            detail=_detail(step, opening),
        )
        for opening in estimate.openings
        if opening.step == step.id
    ]  # fmt: skip
    if isinstance(step, Join) and step.uniqueness == "owner":
        keys = listed(tuple(f"`{key.right}`" for key in step.on))
        entries.append(
            LeakageEntry(
                kind="outcome", step=step.id, who=everybody,
                what=f"whether the one owner of the second input holds a value of {keys} twice",
                detail="it then refuses before anything is shared",
            )
        )  # fmt: skip
    if isinstance(step, Release):
        entries += _results(plan, step)
    return entries


def _detail(step: Step, opening: Opening) -> str:
    """What an opening tells of the data: only the one bit of a join whose keys nobody checked, or of a bound, does."""
    if isinstance(step, Join) and step.uniqueness == "opened" and opening.what.startswith("whether "):
        return REFUSED
    return TOO_MANY if isinstance(step, Match) and opening.what.startswith("whether ") else MASKED


def _is_of_two(plan: Plan) -> bool:
    """Whether one other member beside the recipient's is enough for a cell."""
    rules = [rule for step in plan.steps if isinstance(step, Control) for rule in step.rules]
    return any(isinstance(rule, MinimumContributors) and (rule.by, rule.minimum) == ("member", 1) for rule in rules)


def _limited(plan: Plan, release: Release) -> str:
    """Which of the groups that pass all rules are opened."""
    step: Step = release
    while not isinstance(step, AggregateStep) and len(step.inputs) == 1:
        step = plan.step(step.inputs[0])
        if isinstance(step, Limit):
            below = plan.step(step.inputs[0])
            order = order_text(below.keys) if isinstance(below, Sort) else "their rows"
            return f"the first {step.count} in the order of {order} alone: of the others that none stands before these"
    return ""


def _results(plan: Plan, release: Release) -> list[LeakageEntry]:
    """What each recipient gets, computed outputs with the values that they are computed from."""
    opened = tuple(column.name for column in release.columns)
    read_off = [step for step in plan.steps if isinstance(step, Quantiles) and release.id in step.inputs]
    source = read_off[0].id if read_off else release.id
    project = next(step for step in plan.steps if isinstance(step, Project) and source in step.inputs)
    computed = [f"`{each.name}` is read off by the recipient" for step in read_off for each in step.quantiles] + [
        f"`{named.name}` is computed by the recipient: {listed(tuple(f'`{c}`' for c in sorted(read)))} "
        f"{'are' if len(read) > 1 else 'is'} opened"
        for named in project.expressions
        if not isinstance(named.expression, Ref) and (read := columns_of(named.expression))
    ]
    limit = _limited(plan, release)
    limited = [limit] if limit else []
    limited += [
        f"`{each.column}` is rounded to a multiple of {each.base}"
        for step in plan.steps
        if isinstance(step, Control)
        for each in step.rounding
        if each.column in opened
    ]
    if len(plan.owners()) == PAIR and _is_of_two(plan):
        limited.append("each of the two owners can subtract its own part of a number, and knows the other's")
    noisy = [f"with noise: {listed(tuple(f'`{name}`' for name in _noised(plan)))}"] if _noised(plan) else []
    whose = "of the groups to which it contributed rows" if release.rows_of == "own" else "of all released groups"
    told = (
        "of the model, and the public ranges" if release.output_kind == "model" else f"{whose}, and how many these are"
    )
    entries = [
        LeakageEntry(
            kind="result", step=release.id, who=(str(recipient.person or recipient.member),), amount=release.rows,
            what=f"{listed(tuple(f'`{name}`' for name in opened)) or 'no column'} {told}",
            detail="; ".join([f"{release.output_kind}, at most {release.rows} rows", *noisy, *limited, *computed]),
        )
        for recipient in release.recipients
    ]  # fmt: skip
    if plan.complete_domain is not None:
        whom = tuple(sorted(str(recipient.person or recipient.member) for recipient in release.recipients))
        keys = listed(tuple(f"`{key}`" for key in plan.complete_domain))
        entries.append(
            LeakageEntry(
                kind="suppression", step=release.id, who=whom,
                what=f"which values of {keys} are suppressed or absent" if keys else "whether the cell is suppressed",
                detail="suppressed and absent cells are not told apart" + (HIDDEN if _hides(plan) else ""),
            )
        )  # fmt: skip
    return entries


def _hides(plan: Plan) -> bool:
    return any(isinstance(step, Control) and step.complementary for step in plan.steps)


def _noised(plan: Plan) -> tuple[str, ...]:
    return tuple(each.column for step in plan.steps if isinstance(step, Noise) for each in step.noised)


def _session(plan: Plan, everybody: tuple[str, ...]) -> list[LeakageEntry]:
    owners = listed(plan.owners())
    return [
        LeakageEntry(
            kind="timing", step="", who=everybody,
            what=f"how long the local stages of {owners} take",
            detail="the time may depend on the owner's rows",
        ),
        LeakageEntry(
            kind="outcome", step="", who=everybody,
            what="whether each party approves, denies or aborts, with the public reason",
            detail="a static reason follows from plan and policies; of an owner's data only a code is told, but whether"
            " there is one can depend on them: `local/memory` where they come near what the owner's machine allows",
        ),
        LeakageEntry(
            kind="coordinator", step="", who=(COORDINATOR,),
            what="the query, plan, policies, verdicts, approvals, padded sizes, times, and sizes of sealed results",
            detail="it holds no share, no key and no result",
        ),
        *(
            LeakageEntry(
                kind="coordinator", step="", who=(COORDINATOR,),
                what=f"the size of the result that analysts of {member} fetch from its node, within a factor of two",
                detail="it is filled up to a power of two, at least 64 KiB; the number of rows is about as well known",
            )
            for member in _receiving_members(plan)
        ),
    ]  # fmt: skip


def _receiving_members(plan: Plan) -> tuple[str, ...]:
    """Members whose node keeps a result for its own analysts, sorted."""
    releases = [step for step in plan.steps if isinstance(step, Release)]
    return tuple(sorted({to.member for step in releases for to in step.recipients if to.person is None}))
