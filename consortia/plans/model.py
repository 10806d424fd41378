"""The plan: the canonical, typed dataflow that an analysis is compiled to. Its SHA-256 identifies it.

Steps stand in canonical order s0, s1, ...; each names where it runs: ``owner:MEMBER`` (in clear, at that owner),
``shared`` (on shares, at the three computers) or ``recipient`` (in clear, after opening). ``rows`` is the public,
padded row count. A plan of one table with three owners looks like this (docs/reference/plan.md):

    owner:M   scan -> filter (canonical, row scope, query) -> project -> aggregate -> share      once per owner
    shared    union -> sort -> aggregate -> filter (HAVING) -> control -> release
    recipient project (AVG, expressions of aggregates) -> sort (ORDER BY, then all columns)

A query over several relations has ``shared`` steps between the unions and the last aggregation: project, filter,
join, sort, aggregate, window, limit, propagate, match, fit, score, in any well-formed order. Where noise is obliged, a
``bound`` stands before the last aggregation and a ``noise`` after the control step. A model that is opened, with noise,
comes from a ``weights`` step in place of the last aggregation. A new kind is a new plan version.
Invariant of shared tables: a row whose valid bit is 0 holds zero everywhere.
"""

from typing import Annotated, Literal

from pydantic import Field

from consortia.errors import InternalError
from consortia.plans.columns import StepBase
from consortia.plans.expressions import Expr
from consortia.plans.rules import Rule
from consortia.plans.steps_of_models import Fit, Score, Weights
from consortia.plans.steps_of_networks import Match, Propagate
from consortia.plans.steps_of_noise import Bound, Noise, Quantiles
from consortia.trust.documents import Digest, Document, Frozen, Instant, Integer, Name, Person


class Scan(StepBase):
    """The owner's registered rows of a table, or the rows of a local table (its catalogue SQL)."""

    kind: Literal["scan"] = "scan"
    table: Name


class Filter(StepBase):
    """Keep rows whose predicate is TRUE. At an owner in clear; at ``shared`` it clears the valid bit.

    ``origin`` says whose wish it is: the catalogue's canonical predicate, the owner's row scope, the query's
    WHERE or its HAVING.
    """

    kind: Literal["filter"] = "filter"
    predicate: Expr
    origin: Literal["canonical", "row-scope", "where", "having"]


class Named(Frozen):
    """An expression and the name of the column it becomes."""

    name: str
    expression: Expr


class Project(StepBase):
    """Exactly these columns, in this order. On shares each is made in the domain that its column declares.

    So a plain reference to a column of another domain is a conversion; a number becomes a key that counts from the
    lower bound which its column declares. A reference may also declare wider bounds than its source (the same lower
    bound, for a key) and that NULL may occur, so that tables which meet in a union have equal columns.
    """

    kind: Literal["project"] = "project"
    expressions: tuple[Named, ...]


AggregateFunction = Literal[
    "sum",  # of a column's non-NULL values; of none: NULL if the result column is nullable, else 0
    "count",  # of a column's non-NULL values
    "count-rows",  # of rows
    "count-entities",  # distinct non-NULL values of `entity`, over rows of members not in `excluding`
    "count-members",  # distinct members with a row in the group, those in `excluding` left out
    "has-member",  # bit: the member `member` has a row in the group
    "count-distinct",  # distinct non-NULL values of a column
    "min",  # of a column's non-NULL values; of none: NULL
    "max",
    "quantile",  # the smallest value that at least numerator / denominator of the values do not exceed
    "largest",  # what contributors hold of the aggregate `of`: the magnitudes of the `count` largest added up
    "magnitude",  # those of all contributors added up
    "count-beside",  # entities, as counted by count-entities, of the other groups that differ in the key `of` alone
    "median",  # half of the sum of the two middle values (equal ones if the number of values is odd)
]


class Aggregate(Frozen):
    """One aggregate. ``column`` is the input it reads, if it reads one; a quantile is numerator / denominator.

    ``of`` names an aggregate of the same step, or a key; ``by`` says who is one contributor to it. The contribution
    of a member or entity is the sum over its rows in the group, those of members in ``excluding`` left out.
    """

    name: str
    function: AggregateFunction
    column: str = ""
    excluding: tuple[Name, ...] = ()
    member: str = ""
    numerator: int = 0
    denominator: int = 1
    of: str = ""
    by: Literal["", "entity", "member"] = ""
    count: int = 0


class AggregateStep(StepBase):
    """Group by ``keys`` (NULL is one group) and aggregate.

    Without keys there is exactly one group at ``shared``; at an owner there is one if it has any row, else none,
    so that a member without rows is not counted. At an owner in clear; at ``shared`` the input is sorted by
    (keys, entity). If ``unique_per_member``, rows are unique by (keys, entity, member), so that a count of rows
    by group and entity is one of members.
    """

    kind: Literal["aggregate"] = "aggregate"
    keys: tuple[str, ...]
    entity: str = ""
    unique_per_member: bool = False
    aggregates: tuple[Aggregate, ...]


class Share(StepBase):
    """The owner secret-shares its rows, padded to ``rows``; columns keep name and type, domains are chosen here."""

    kind: Literal["share"] = "share"
    owner: Name


class Union(StepBase):
    """Rows of all inputs one after the other; each row's member is the public owner of its place.

    Without ``owners`` the inputs are relations on shares, whose rows keep their own members (UNION ALL).
    """

    kind: Literal["union"] = "union"
    owners: tuple[Name, ...]


JoinKind = Literal["inner", "left", "semi", "anti", "not-in"]


class JoinKey(Frozen):
    """Equality of a column of the first input with one of the second; NULL equals nothing."""

    left: str
    right: str


class Join(StepBase):
    """The first input's rows, in their order, each with what the second has for its key; at ``shared``.

    The second input holds each key at most once. ``uniqueness`` says who has seen to it: a group by the keys before
    (``grouped``), the one owner of the rows, who refuses otherwise before anything is shared (``owner``), or the
    computers, which open one bit (``opened``). semi (EXISTS), anti (NOT EXISTS) and not-in (SQL's NOT IN) take no
    columns of the second input and need no uniqueness (``grouped`` then). inner and left: the columns are those of
    the first input, then those of the second that are used later, whose names differ from the first's.
    """

    kind: Literal["join"] = "join"
    how: JoinKind
    on: tuple[JoinKey, ...]
    uniqueness: Literal["grouped", "owner", "opened"]


class SortKey(Frozen):
    """A column to order by."""

    column: str
    descending: bool = False


class Sort(StepBase):
    """On shares: stable, valid rows first, by ``keys`` as unsigned boolean values; NULL last, first if descending.

    At the recipient: ORDER BY with NULLS LAST when ascending, then all output columns.
    """

    kind: Literal["sort"] = "sort"
    keys: tuple[SortKey, ...]


class WindowFunction(Frozen):
    """One window column. ``count`` and ``sum`` read ``column``; ``count`` without one counts rows.

    ``frame``: from the partition's first row to this one (``rows``), to the last one equal to it in the order
    (``range``, SQL's default), or all rows of the partition (``partition``: an OVER without ORDER BY).
    """

    name: str
    function: Literal["row-number", "rank", "dense-rank", "count", "sum"]
    column: str = ""
    frame: Literal["rows", "range", "partition"] = "range"


class Window(StepBase):
    """The input's columns and those of ``functions``, in each group of ``partition`` in the order of ``order``.

    At ``shared``, where the input is sorted by (partition, order). No row moves.
    """

    kind: Literal["window"] = "window"
    partition: tuple[str, ...]
    order: tuple[SortKey, ...]
    functions: tuple[WindowFunction, ...]


class Limit(StepBase):
    """The first ``count`` rows (a public number) of the input, which is sorted, valid rows first; at ``shared``."""

    kind: Literal["limit"] = "limit"
    count: Integer


class Rounded(Frozen):
    """The values of ``column`` become the nearest multiples of ``base`` (in carried units), halves the upper one."""

    column: str
    base: Integer


class Control(StepBase):
    """Rows that fail a rule are multiplied by zero and moved behind the others; nobody learns the bit.

    Without rules the valid rows are moved together, so that the place of a released row tells nothing. Then columns
    are rounded, before anybody opens, orders or counts by them.

    ``complementary`` are keys of public domains: of their cells further ones are hidden, so that none that fails
    follows from sums of others; () is the one cell of a query without keys, None hides no further cell.
    """

    kind: Literal["control"] = "control"
    rules: tuple[Rule, ...]
    complementary: tuple[str, ...] | None = None
    rounding: tuple[Rounded, ...] = ()


class Recipient(Frozen):
    """Who receives: a member's node, or a person with the one-time key of the submission (``person`` set)."""

    member: Name
    person: Person | None = None


class Release(StepBase):
    """Open ``columns`` to ``recipients``. With ``rows_of`` = own, each receives the groups it contributed to.

    ``output_kind`` follows from the plan, never from the analyst's word. ``membership`` names, in the order of
    ``recipients``, the has-member columns that decide ownership (empty with ``all``).
    """

    kind: Literal["release"] = "release"
    recipients: tuple[Recipient, ...]
    rows_of: Literal["all", "own"]
    output_kind: Literal["alert", "score", "count", "aggregate", "model", "rows"]
    membership: tuple[str, ...] = ()


Step = Annotated[
    Scan
    | Filter
    | Project
    | AggregateStep
    | Share
    | Union
    | Join
    | Sort
    | Window
    | Propagate
    | Match
    | Fit
    | Score
    | Weights
    | Limit
    | Control
    | Bound
    | Noise
    | Release
    | Quantiles,
    Field(discriminator="kind"),
]


Circuits = Literal["few-rounds", "few-bytes"]


class Plan(Document):
    """The whole plan.

    ``complete_domain`` lists the group keys whose public domain the recipient fills up with rows of NULLs and a
    column ``suppressed``; () is the one cell of a query without keys. None: cells that are not released are
    absent (a HAVING, no control rule, or a key without public domain).

    ``engine`` is ring3 (three computers, of which none collude with another) or shamir (``collusion`` of the
    ``computers`` may collude, fewer than half). ``circuits`` says which of two circuits for one function is taken
    where the engine has both: the one of fewer rounds or the one of fewer bytes.
    """

    type: Literal["consortia/plan/v5"] = "consortia/plan/v5"
    catalogue: Digest
    manifest: Digest
    purpose: Name
    as_of: Instant
    submitter: Person
    computers: tuple[Name, ...]
    threat_model: Literal["semi-honest"] = "semi-honest"
    engine: Literal["ring3", "shamir"] = "ring3"
    collusion: int = 1
    circuits: Circuits = "few-rounds"
    steps: tuple[Step, ...]
    complete_domain: tuple[str, ...] | None = None

    def owners(self) -> tuple[str, ...]:
        """Members that input data, each once, in the order of their first share steps."""
        return tuple(dict.fromkeys(step.owner for step in self.steps if isinstance(step, Share)))

    def ring(self) -> tuple[str, str, str]:
        """The three computers of a ring3 plan, in order of rank; InternalError ``plans/computers`` if it has others."""
        if self.engine != "ring3" or len(self.computers) != 3:
            raise InternalError(
                "plans/computers", f"{len(self.computers)} computers can't run a {self.engine} plan here"
            )
        first, second, third = self.computers
        return first, second, third

    def step(self, step_id: str) -> Step:
        """The step of that id; a KeyError says that the plan is malformed."""
        number = int(step_id[1:])
        if self.steps[number].id != step_id:
            raise KeyError(step_id)
        return self.steps[number]
