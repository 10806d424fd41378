"""The strictest of all owners' obligations: largest minima, every row scope, one privacy unit."""

from consortia.errors import InternalError
from consortia.plans.model import Control, Filter, Plan, Scan, Step
from consortia.plans.obligations import ClipBounds, NoiseTerms, Obligations, RowScope
from consortia.plans.rules import MinimumContributors
from consortia.plans.steps_of_noise import Noise as NoiseStep
from consortia.policies.accounting import grant_of
from consortia.policies.language.model import Noise
from consortia.policies.rules.base import Case
from consortia.policies.rules.complementary import lost_suppression
from consortia.policies.rules.magnitudes import lost_rules, magnitude_obligations
from consortia.policies.rules.noise import LOCAL
from consortia.policies.rules.noise_reading import clip_of
from consortia.policies.rules.tables import bound_scope


def merged(cases: tuple[Case, ...]) -> Obligations:
    """What the policies of permitted ``cases`` (one an owner, all of one plan) oblige the plan to contain."""
    scopes: list[RowScope] = []
    units: set[str] = set()
    held = magnitude_obligations(cases)
    minimum_entities = minimum_members = 0
    complementary = False
    for case in sorted(cases, key=lambda case: case.owner):
        for name in case.tables():
            predicate = bound_scope(case, name)
            if predicate is not None:
                scopes.append(RowScope(owner=case.owner, table=name, predicate=predicate))
            entry = case.policy_table(name)
            if entry is not None:
                units.add(entry.privacy_unit)
        for output in case.flow.outputs:
            section = case.policy.cell_output(output.kind)
            if section is not None:
                minimum_entities = max(minimum_entities, section.minimum_entities)
                minimum_members = max(minimum_members, section.minimum_members)
                complementary = complementary or section.complementary_suppression != "off"
    noise = noise_terms(cases)
    if noise is not None:
        minimum_entities = minimum_members = 0  # which cells are released must not depend on exact counts
    if (minimum_entities or noise is not None) and len(units) != 1:
        raise InternalError("policies/obligation-lost", "owners with different privacy units were all permitted")
    return Obligations(
        row_scopes=tuple(scopes),
        entity=min(units) if minimum_entities or noise is not None else "",
        minimum_entities=minimum_entities,
        minimum_members=minimum_members,
        dominance=held.dominance,
        p_percent=held.p_percent,
        zeros_and_full_cells=held.zeros_and_full_cells,
        lower_bound=held.lower_bound,
        rounding=held.rounding,
        complementary=noise is None and complementary,
        noise=noise,
    )


def noise_terms(cases: tuple[Case, ...]) -> NoiseTerms | None:
    """The noise that all owners oblige together: the least cost, the fewest cells and rows, the narrowest bounds.

    None without noise; rule `noise` has seen to it that either all owners want it or none does.
    """
    kinds = [(case.policy, output.kind) for case in cases for output in case.flow.outputs]
    sections = [section for policy, kind in kinds if (section := policy.noise(kind)) is not None]
    if not sections:
        return None
    over_cells = [section for section in sections if isinstance(section, Noise)]
    tables = sorted({name for case in cases for name in case.tables()})
    columns = sorted(
        {(table, name) for case in cases for table in tables for name in case.policy.data.tables[table].columns}
    )
    found = [(table, name, clip_of(cases[0], table, name)) for table, name in columns]
    return NoiseTerms(
        rho=min(grant_of(section).per_release.rho for section in sections),
        delta=min(grant_of(section).per_release.delta for section in sections),
        cells=min((section.cells_per_unit for section in over_cells), default=1),
        rows=min((section.rows_per_cell for section in over_cells), default=1),
        at_owners=bool(over_cells) and all(section.mechanism == LOCAL for section in over_cells),
        clips=tuple(
            ClipBounds(table=table, column=name, lo=clip[0], hi=clip[1]) for table, name, clip in found if clip
        ),
    )


def require_kept(plan: Plan, obligations: Obligations) -> None:
    """Check the final plan against the promise; InternalError ``policies/obligation-lost`` if anything is missing."""
    if obligations.noise is not None and not any(isinstance(step, NoiseStep) for step in plan.steps):
        raise _lost("the noise")  # that it is as much as promised, the rule `noise` has recomputed
    for scope in obligations.row_scopes:
        scans = [
            s for s in plan.steps if isinstance(s, Scan) and (s.at, s.table) == (f"owner:{scope.owner}", scope.table)
        ]
        if not scans or not all(_is_scoped(plan, scan, scope) for scan in scans):
            raise _lost(f"the row scope of `{scope.owner}`")
    rules = [rule for step in plan.steps if isinstance(step, Control) for rule in step.rules]
    minima = [rule for rule in rules if isinstance(rule, MinimumContributors)]
    by_entity = [rule.minimum for rule in minima if rule.by == "entity"]
    by_member = [rule.minimum for rule in minima if rule.by == "member"]
    if obligations.minimum_entities and min(by_entity, default=0) < obligations.minimum_entities:
        raise _lost("the minimum of entities")
    # The recipient's member counts always, so the plan looks for one fewer among the others.
    if obligations.minimum_members and min(by_member, default=0) < obligations.minimum_members - 1:
        raise _lost("the minimum of members")
    if obligations.complementary and lost_suppression(plan):
        raise _lost("the complementary suppression")
    lost = lost_rules(plan, obligations)
    if lost:
        raise _lost(lost)


def _is_scoped(plan: Plan, step: Step, scope: RowScope) -> bool:
    """Whether everything that reads ``step`` reads it behind the scope; only filters stand before."""
    readers = [other for other in plan.steps if step.id in other.inputs]
    return bool(readers) and all(
        isinstance(reader, Filter)
        and ((reader.origin == "row-scope" and reader.predicate == scope.predicate) or _is_scoped(plan, reader, scope))
        for reader in readers
    )


def _lost(what: str) -> InternalError:
    return InternalError(
        "policies/obligation-lost",
        f"{what} was obliged and is not in the final plan",
        remedy="nothing was run; please report this",
    )
