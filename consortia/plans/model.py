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
from consortia.plans.expressions import Expr
from consortia.plans.learning import Learning, RegressionMethod
from consortia.plans.networks import Carrying, Pattern
from consortia.plans.noised import Clip, Noised, Quantile, Selection
from consortia.plans.rules import Rule
from consortia.plans.types import Bounds, ColumnType
from consortia.trust.documents import Digest, Document, Frozen, Instant, Integer, Name, Person
from consortia.trust.sessions import WantedError

Domain = Literal["clear", "arithmetic", "boolean", "wide"]


class Column(Frozen):
    """One column of a step's result. ``modular`` values have no range: no comparison, sign or truncation."""

    name: str
    type: ColumnType
    bounds: Bounds | None = None
    nullable: bool = False
    domain: Domain = "clear"
    modular: bool = False
    visibility: Literal["owner", "nobody", "recipient"] = "owner"


class _Step(Frozen):
    id: str
    inputs: tuple[str, ...]
    at: str
    rows: Integer
    columns: tuple[Column, ...]


class Scan(_Step):
    """The owner's registered rows of a table, or the rows of a local table (its catalogue SQL)."""

    kind: Literal["scan"] = "scan"
    table: Name


class Filter(_Step):
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


class Project(_Step):
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


class AggregateStep(_Step):
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


class Share(_Step):
    """The owner secret-shares its rows, padded to ``rows``; columns keep name and type, domains are chosen here."""

    kind: Literal["share"] = "share"
    owner: Name


class Union(_Step):
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


class Join(_Step):
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


class Sort(_Step):
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


class Window(_Step):
    """The input's columns and those of ``functions``, in each group of ``partition`` in the order of ``order``.

    At ``shared``, where the input is sorted by (partition, order). No row moves.
    """

    kind: Literal["window"] = "window"
    partition: tuple[str, ...]
    order: tuple[SortKey, ...]
    functions: tuple[WindowFunction, ...]


class Paid(Frozen):
    """Columns of payments: keys of both ends, and the amount."""

    source: str
    target: str
    amount: str


class Propagate(_Step):
    """The accounts (first input), each with a number made of what reaches it along payments (second); at ``shared``.

    ``key`` names the accounts' column, ``source`` and ``target`` the payments', all keys of one domain; ``score`` is
    the number that risk starts from ("" for ranks), ``made`` the new column. No account stands in two rows. Payments
    with an account that none of the rows names count for nothing. ``total`` bounds the sum of all amounts of a period.
    ``later`` are the payments of further periods (third input, ...): each begins with the scores of the one before.
    """

    kind: Literal["propagate"] = "propagate"
    key: str
    score: str = ""
    source: str
    target: str
    amount: str
    later: tuple[Paid, ...] = ()
    made: str
    total: Integer
    method: Carrying

    @property
    def periods(self) -> tuple[Paid, ...]:
        """The columns of the second input, and of those after it."""
        return (Paid(source=self.source, target=self.target, amount=self.amount), *self.later)


class Match(_Step):
    """The accounts (first input) that stand in a pattern of payments (second); others lose their valid bit.

    A taint begins at the accounts of a third input, which its column ``seed`` names ("" for other patterns).
    """

    kind: Literal["match"] = "match"
    key: str
    source: str
    target: str
    amount: str
    time: str
    seed: str = ""
    method: Pattern


class Fit(_Step):
    """A model that learns ``label`` (0 or 1) of ``features`` from the input's rows, those aside where ``held`` is 1.

    At ``shared``. One column, a row for each parameter: nobody opens or computes with it but a score step.
    """

    kind: Literal["fit"] = "fit"
    features: tuple[str, ...]
    label: str
    held: str = ""
    method: Learning


class Score(_Step):
    """The rows of the first input, each with the score ``made`` that the model of the second gives its ``features``."""

    kind: Literal["score"] = "score"
    features: tuple[str, ...]
    made: str
    method: Learning


class Weights(_Step):
    """The weights of a regression of ``label`` on ``features`` in steps of public size; at ``shared``.

    No two rows of the input share the key ``unit``. A feature's values count within its public range of ``ranges``,
    which is taken to [-1, 1]. Columns: the parameter, an enum of the features' names and ``intercept``, and its weight.
    Of one unit's row the weights depend by at most what ``plans.bounded`` proves.
    """

    kind: Literal["weights"] = "weights"
    unit: str
    features: tuple[str, ...]
    ranges: tuple[Bounds, ...]
    label: str
    held: str = ""
    method: RegressionMethod


class Limit(_Step):
    """The first ``count`` rows (a public number) of the input, which is sorted, valid rows first; at ``shared``."""

    kind: Literal["limit"] = "limit"
    count: Integer


class Rounded(Frozen):
    """The values of ``column`` become the nearest multiples of ``base`` (in carried units), halves the upper one."""

    column: str
    base: Integer


class Control(_Step):
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


class Bound(_Step):
    """One row for each group and entity, its columns the sums over all members, clipped; at ``shared``.

    Input is sorted by (keys, entity). Rows without an entity are dropped. Of an entity that is in more than ``cells``
    groups, so many are kept, drawn at random; 0 keeps all. So a change of one entity's rows, whoever holds them,
    changes at most ``cells`` rows of the result, and each by no more than its clips. At an owner the same of its rows.
    """

    kind: Literal["bound"] = "bound"
    keys: tuple[str, ...]
    entity: str
    clips: tuple[Clip, ...]
    cells: int


class Noise(_Step):
    """One row for each value of the public domain of ``keys``, zeros where there is no group; noise on each number.

    Every computer adds to each number of ``noised`` a discrete Gaussian of variance s^2 / 2, drawn before the secure
    stage: whoever knows one of the parts still faces s^2. Without keys there is the one group. All rows are valid.
    ``wanted`` are the errors that the submitter asked for. Of a model all weights get noise, of one sensitivity.

    At an owner, it draws all the noise of its part itself, of variance s^2, in clear.

    With ``selection`` the keys' values are not known beforehand: there are the input's groups, and of them those that
    the selection shows, in front of the others.
    """

    kind: Literal["noise"] = "noise"
    keys: tuple[str, ...]
    noised: tuple[Noised, ...]
    wanted: tuple[WantedError, ...] = ()
    selection: Selection | None = None


class Quantiles(_Step):
    """For each of ``keys`` the ``quantiles`` of a noisy histogram; at the recipient.

    Bin 0 begins at ``lo``, each is ``width`` wide, the last ends at ``hi``; ``counts`` holds the noisy number of rows
    in ``bin``, rows without a bin count nowhere. A quantile is the middle of its bin; NULL if no rows are left.
    """

    kind: Literal["quantiles"] = "quantiles"
    keys: tuple[str, ...]
    bin: str
    counts: str
    lo: Integer
    hi: Integer
    width: Integer
    quantiles: tuple[Quantile, ...]


class Recipient(Frozen):
    """Who receives: a member's node, or a person with the one-time key of the submission (``person`` set)."""

    member: Name
    person: Person | None = None


class Release(_Step):
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
