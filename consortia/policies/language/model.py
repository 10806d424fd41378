"""A policy as a typed value: every section of the language, the rules that are enforced and those that are not yet.

A rule that has a default here and is not enforced by this version is *in effect by default*: a policy must write
`off` to do without it (``enforcement.py`` says which, and refuses the policy otherwise).
"""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from consortia.policies.language.values import (
    CLASS_OPERATIONS,
    Closed,
    ColumnClass,
    ColumnOperation,
    Day,
    Fraction,
    MemberName,
    Never,
    Off,
    PersonName,
    Previous,
    Section,
    TableOperation,
    Text,
    Who,
    Word,
    misfit,
)

LONGEST_VALIDITY_DAYS = 90


class Identity(Section):
    """Which policy this is. ``previous`` is the SHA-256 of the version before, or ``none`` for version 1."""

    id: Word
    owner: MemberName
    consortium: MemberName
    version: Annotated[int, Field(ge=1, le=1_000_000)]
    previous: Previous
    author: PersonName

    @model_validator(mode="after")
    def _chain(self) -> Self:
        if (self.version == 1) != (self.previous == "none"):
            raise misfit(
                f"`{self.previous}` can't stand before version {self.version}",
                "`previous` is `none` for version 1, and the hash of the version before for all others",
                "previous",
            )
        if self.author.split("@")[1] != self.owner:
            raise misfit(f"`{self.author}` is no person of the owner", f"expected name@{self.owner}", "author")
        return self


class Purpose(Section):
    """What the data may be used for: a purpose of the catalogue, and the ground on which the owner relies."""

    code: MemberName
    legal_basis: Annotated[tuple[Text, ...], Field(min_length=1)]
    dpia: Text
    register_entry: Text


class Validity(Section):
    """From the beginning of ``not-before`` to the end of ``not-after``, both days in UTC; at most 90 days."""

    not_before: Day
    not_after: Day
    review: Day

    @model_validator(mode="after")
    def _order(self) -> Self:
        days = (self.not_after - self.not_before).days + 1
        if days < 1:
            raise misfit(
                "`not-after` lies before `not-before`", f"expected {self.not_before} or a later day", "not-after"
            )
        if days > LONGEST_VALIDITY_DAYS:
            last = self.not_before + timedelta(days=LONGEST_VALIDITY_DAYS - 1)
            raise misfit(
                f"the policy is valid for {days} days, more than {LONGEST_VALIDITY_DAYS}",
                f"expected {last} or an earlier day",
                "not-after",
            )
        if not self.not_before <= self.review <= self.not_after:
            raise misfit(
                f"`{self.review}` does not lie in the validity",
                f"`review` must lie between `not-before` and `not-after`, {self.not_before} and {self.not_after}",
                "review",
            )
        return self


class Parties(Section):
    """Who computes, under which assumptions, and who may ask. Empty lists allow nobody.

    ``collusion`` computers may pool all that they see and still learn nothing: fewer than half of those that compute.
    An officer of each member in ``countersign``, such as those whose data is in its scope, must sign the policy too.
    """

    compute: tuple[MemberName, ...]
    not_together: tuple[Annotated[tuple[MemberName, ...], Field(min_length=2)], ...] = ()
    threat_model: Literal["semi-honest", "malicious"]
    collusion: Annotated[int, Field(ge=1, le=4)] = 1
    signatures: Literal["post-quantum", "classical"]
    submit: tuple[Who, ...]
    countersign: tuple[MemberName, ...] = ()


class Clip(Section):
    """Bounds to which one contributor's sum in a cell, over its rows at all members, is clipped, in carried units.

    Used where noise is on: the noise of a sum hides a contributor that lies at the farther of the two bounds.
    """

    lo: int
    hi: int


class PolicyColumn(Section):
    """A column: how sensitive it is, and the operations that are permitted. No operations: never used."""

    class_: Annotated[ColumnClass, Field(alias="class")]
    operations: tuple[ColumnOperation, ...]
    clip: Clip | Off = "off"

    @model_validator(mode="after")
    def _within_class(self) -> Self:
        for place, operation in enumerate(self.operations):
            if operation not in CLASS_OPERATIONS[self.class_]:
                raise misfit(
                    f"`{operation}` is never permitted on a column of class {self.class_}",
                    f"expected one of {', '.join(sorted(CLASS_OPERATIONS[self.class_]))}",
                    *("operations", place),
                )
        return self


class PolicyTable(Section):
    """A table: which rows take part at all, who counts as one contributor, and what may be done with its columns.

    ``rows`` is ``all`` or a SQL predicate over the table's own columns, applied by the owner before anything else.
    ``privacy-unit`` is the key column whose distinct values are counted as contributors, over all members.
    """

    rows: Text
    privacy_unit: MemberName
    operations: tuple[TableOperation, ...] = ()
    columns: Annotated[dict[MemberName, PolicyColumn], Field(min_length=1)]

    @model_validator(mode="after")
    def _unit(self) -> Self:
        unit = self.columns.get(self.privacy_unit)
        if unit is None or unit.class_ != "identifier":
            raise misfit(
                f"`{self.privacy_unit}` can't be the privacy unit",
                "expected a column listed below of class identifier",
                "privacy-unit",
            )
        return self


class Data(Section):
    """The tables that take part; a table or column that is not listed is never used."""

    tables: Annotated[dict[MemberName, PolicyTable], Field(min_length=1)]


class Handling(Section):
    """What holds for an output of any kind."""

    maximum_rows: Annotated[int, Field(ge=1)] | Off = "off"
    human_review: Literal["required"] | Off = "required"
    retention_days: Annotated[int, Field(ge=1)] | Off = 90
    onward_sharing: Literal["forbidden"] | Off = "forbidden"


class RowOutput(Handling):
    """An alert (keys) or a score (numbers per entity): each row goes to the members that contributed to it, alone."""

    recipients: Literal["owner-of-row"]


class Dominance(Section):
    """(n, k): the n largest contributors of a cell may hold at most ``percent`` of it."""

    n: Annotated[int, Field(ge=1, le=10)] = 2
    percent: Annotated[int, Field(ge=1, le=100)] = 90


class Noise(Section):
    """Noise with a budget in zCDP (rho), per release and per period.

    Groups whose values nobody knows beforehand are shown from a noisy number of contributors on, if there is a budget
    of delta for it: the probability that a contributor's own group shows.

    ``discrete-gaussian`` is added on shares by the computers; ``local-discrete-gaussian`` by each owner to its own
    part, which relies on nobody else and takes more noise.

    A contributor counts in at most ``cells-per-unit`` cells (drawn at random), with at most ``rows-per-cell`` rows in
    each: fewer take less noise, and leave out more of those that have more.
    """

    mechanism: Literal["discrete-gaussian", "local-discrete-gaussian"] = "discrete-gaussian"
    rho_per_release: Fraction = "1/100"
    rho_per_period: Fraction = "1/10"
    period_days: Annotated[int, Field(ge=1, le=366)] = 90
    delta_per_release: Fraction | Off = "off"
    delta_per_period: Fraction | Off = "off"
    cells_per_unit: Annotated[int, Field(ge=1, le=10_000)] = 4
    rows_per_cell: Annotated[int, Field(ge=1, le=1_000_000)] = 10


class Guard(Section):
    """No answer may be subtracted from earlier ones.

    Over newer rows the same question waits ``new-data-days``, another one over rows that overlap ``other-rows-days``.
    """

    new_data_days: Annotated[int, Field(ge=1, le=366)] = 7
    other_rows_days: Annotated[int, Field(ge=1, le=3660)] = 90


class CellOutput(Handling):
    """Numbers over groups: who receives them, and what a cell must satisfy before it is opened."""

    recipients: tuple[Who, ...]
    minimum_entities: Annotated[int, Field(ge=2, le=1_000_000)] = 10
    minimum_members: Annotated[int, Field(ge=2, le=1000)] = 3
    contributors: Literal["exact", "lower-bound"] = "exact"
    dominance: Dominance | Off = Dominance()
    p_percent: Annotated[int, Field(ge=1, le=100)] | Off = 10
    zeros_and_full_cells: Literal["suppressed"] | Off = "suppressed"
    complementary_suppression: Literal["required"] | Off = "required"
    rounding: Annotated[int, Field(ge=2)] | Off = "off"
    noise: Noise | Off = Noise()
    differencing: Guard | Off = Guard()


class ModelNoise(Section):
    """Noise on every weight of a model, of three computers on shares, with a budget in zCDP (rho).

    One contributor has one example, and all weights together cost what the release does.
    """

    rho_per_release: Fraction = "1/100"
    rho_per_period: Fraction = "1/10"
    period_days: Annotated[int, Field(ge=1, le=366)] = 90


class ModelOutput(Handling):
    """Weights of a joint regression: who receives them. They always have noise, so no rule on exact numbers applies."""

    recipients: tuple[Who, ...]
    minimum_members: Annotated[int, Field(ge=2, le=1000)] = 3
    noise: ModelNoise = ModelNoise()


class Outputs(Section):
    """What may come out, by kind. The kind follows from the plan; a kind that is not written is never permitted."""

    alert: RowOutput | Never = "never"
    score: RowOutput | Never = "never"
    count: CellOutput | Never = "never"
    aggregate: CellOutput | Never = "never"
    model: ModelOutput | Never = "never"


class Leaks(Section):
    """What may become known beside the outputs, one switch each; all closed unless written open."""

    sizes: Closed = "closed"
    group_count: Closed = "closed"
    match_count: Closed = "closed"
    filter_mask: Closed = "closed"
    suppressed_count: Closed = "closed"


class Template(Section):
    """A query that officers have reviewed once: its name, and the digest of its plan (``policies.templates``)."""

    name: Word
    plan: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Rates(Section):
    """How often may be asked, and which templates run without an officer's review."""

    queries_per_analyst_and_day: Annotated[int, Field(ge=1)] | Off = 20
    queries_per_day: Annotated[int, Field(ge=1)] | Off = 50
    queries_per_period: Annotated[int, Field(ge=1)] | Off = 1000
    templates_without_review: tuple[Template, ...] | Off = "off"


class Example(Section):
    """An example decision: what this policy says to a query. It grants and forbids nothing; `policy test` decides it.

    ``purpose`` is the policy's own and ``day`` its first day (UTC) where they are not written. ``hold`` is a permit
    that waits for an officer's review. ``rule`` is the id of a rule by which the query must be denied.
    """

    name: Text
    query: Annotated[str, Field(min_length=1, max_length=5000)]
    submitter: PersonName
    purpose: MemberName | None = None
    day: Day | None = None
    expect: Literal["permit", "hold", "deny"]
    rule: Word | None = None

    @model_validator(mode="after")
    def _named_rule(self) -> Self:
        if (self.expect == "deny") != (self.rule is not None):
            raise misfit(
                f"`expect: {self.expect}` stands {'without' if self.rule is None else 'with'} a rule",
                "`rule` names the rule that must deny, where `expect` is `deny` and only there",
                "expect",
            )
        return self


class Policy(Section):
    """One owner's rules for its tables and one purpose."""

    format: Literal["consortia/policy/v1"]
    identity: Identity
    purpose: Purpose
    validity: Validity
    parties: Parties
    data: Data
    outputs: Outputs
    leaks: Leaks = Leaks()
    rates: Rates = Rates()
    examples: tuple[Example, ...] = ()

    def cell_output(self, kind: str) -> CellOutput | None:
        """The section of ``count`` or ``aggregate``, None where that kind is never permitted."""
        section = {"count": self.outputs.count, "aggregate": self.outputs.aggregate}.get(kind, "never")
        return section if isinstance(section, CellOutput) else None

    def personal_output(self, kind: str) -> CellOutput | ModelOutput | None:
        """The section of a kind that goes to the person who asks, None where that kind is never permitted."""
        if kind == "model":
            return self.outputs.model if isinstance(self.outputs.model, ModelOutput) else None
        return self.cell_output(kind)

    def output(self, kind: str) -> Handling | None:
        """The section of any kind, None where it is never permitted."""
        return self.personal_output(kind) or self.row_output(kind)

    def noise(self, kind: str) -> Noise | ModelNoise | None:
        """The noise of a kind of output; None where its numbers are exact, or it is never permitted."""
        section = self.personal_output(kind)
        return section.noise if section is not None and section.noise != "off" else None

    def row_output(self, kind: str) -> RowOutput | None:
        """The section of ``alert`` or ``score``, None where that kind is never permitted."""
        section = {"alert": self.outputs.alert, "score": self.outputs.score}.get(kind, "never")
        return section if isinstance(section, RowOutput) else None
