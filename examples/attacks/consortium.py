"""Three clinics in one process, with or without protection, and what an analyst of one of them can ask.

What decides is the product's: compiler, policies, own part of the verdict, ledger and history of every owner, files
registered and read by DuckDB, output control, noise. Only shares are left out: the shared steps run on plain values.
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import polars as pl

from consortia.execution.estimate import estimate
from consortia.parties.data.register import register
from consortia.parties.data.snapshots import SnapshotStore
from consortia.parties.history import released
from consortia.parties.local.stage import committed_snapshots, run_local
from consortia.parties.simulation import Frames, run_clear
from consortia.parties.store import Store
from consortia.plans.build import build_plan
from consortia.plans.catalogue import Catalogue, CatalogueColumn, CatalogueTable, KeyDomain
from consortia.plans.model import Plan, Share
from consortia.plans.sql import bind
from consortia.plans.steps_of_noise import Noise
from consortia.plans.types import Bounds, ColumnType
from consortia.policies.compiling import Compiled, compile_analysis, environment_of
from consortia.policies.language.parse import LoadedPolicy, parse_policy
from consortia.policies.own import RULES, OwnCase, OwnRule, decide_own, tables_needed
from consortia.policies.own.budget import charges_of
from consortia.policies.own.differencing import is_guarded
from consortia.policies.rules.standing import interval
from consortia.policies.world import PolicyWorld
from consortia.trust.manifest import Card, CoordinatorEntry, Manifest, Member, PersonEntry

MEMBERS = ("clinic-a", "clinic-b", "clinic-c")
ANALYST = "ana@clinic-a"
PURPOSE = "registry-study"
REGIONS = ("north", "south", "east", "west")
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SUITE = "ed25519+ml-dsa-65"
POLICY = Path(__file__).with_name("policy.yaml")
SCHEMA = """\
type: consortia/schema/v1
table: patients
format: csv
columns: {person: person, region: region, age: age, cost: cost}
"""
Edits = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Patient:
    """One row that a clinic registers."""

    person: str
    region: str
    age: int
    cost: int


class Denied(Exception):
    """The question is not answered; ``code`` is what the asker learns."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Protection:
    """What stands between an analyst and the rows.

    ``edits`` change the policy's text. Without ``policies`` every query is answered as it is. ``rules`` are those of
    each owner's own part; ``change`` is applied to the plan that runs, to take one protection away.
    """

    policies: bool = True
    edits: Edits = ()
    rules: tuple[OwnRule, ...] = RULES
    change: Callable[[Plan], Plan] = lambda plan: plan


OPEN = Protection(policies=False)


def catalogue() -> Catalogue:
    """One table, held by every clinic."""
    region = ColumnType(kind="enum", domain="region", values=REGIONS)
    columns = (
        CatalogueColumn(name="person", type=ColumnType(kind="key", domain="person", bits=96), max_distinct=120),
        CatalogueColumn(name="region", type=region),
        CatalogueColumn(name="age", type=ColumnType(kind="int"), bounds=Bounds(lo=0, hi=120)),
        CatalogueColumn(name="cost", type=ColumnType(kind="int"), bounds=Bounds(lo=0, hi=10_000)),
    )
    return Catalogue(
        consortium="attacked",
        version=1,
        previous="0" * 64,
        purposes=(PURPOSE,),
        key_domains=(KeyDomain(name="person", id_type="national-id", key_id="aa"),),
        tables=(CatalogueTable(name="patients", columns=columns, holders=MEMBERS, max_rows=120),),
    )


class Consortium:
    """``queries`` counts what was asked; ``at`` is the time, which only ``later`` moves."""

    def __init__(self, folder: Path, patients: Mapping[str, Sequence[Patient]], protection: Protection = OPEN) -> None:
        self.queries = 0
        self.at = NOW
        self._folder = folder
        self._protection = protection
        self._catalogue = catalogue()
        self._snapshots = {member: SnapshotStore(folder / member / "snapshots") for member in MEMBERS}
        self._parts: dict[str, Frames] = {}
        self._known: dict[tuple[str, datetime], Compiled] = {}
        self._stores = {member: Store(None) for member in MEMBERS}
        for member in MEMBERS:
            self.register(member, patients[member])

    def register(self, member: str, patients: Sequence[Patient]) -> None:
        """The rows of ``member`` from now on."""
        self._parts.clear()
        folder = self._folder / member
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "schema.yaml").write_text(SCHEMA)
        with (folder / "patients.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("person", "region", "age", "cost"))
            writer.writerows((each.person, each.region, each.age, each.cost) for each in patients)
        key = b"attacked".ljust(32, b".")
        register(
            self._snapshots[member], folder / "schema.yaml", folder / "patients.csv", self._catalogue,
            lambda _domain, _key_id: key, self.at,
        )  # fmt: skip

    def later(self, days: int) -> None:
        """Let so many days pass."""
        self.at += timedelta(days=days)

    def ask(self, sql: str) -> pl.DataFrame:
        """The answer that the analyst gets; raises ``Denied``."""
        self.queries += 1
        plan = self._permitted(sql) if self._protection.policies else self._unasked(sql)
        plan = self._protection.change(plan)
        ((_, frame),) = run_clear(plan, self._frames(plan)).items()
        return frame

    def variance(self, sql: str) -> float:
        """The variance of the noise on a query's one number, as its plan states it: three computers add a half each."""
        plan = self._compiled(sql).plan
        return max(each.variance for step in plan.steps if isinstance(step, Noise) for each in step.noised) * 1.5

    def _unasked(self, sql: str) -> Plan:
        environment = environment_of(PURPOSE, ANALYST, self.at, self._world)
        return build_plan(bind(sql, self._catalogue, self.at), environment)

    def _permitted(self, sql: str) -> Plan:
        """The plan, once all policies and every owner's own part permit it; each owner remembers it."""
        compiled = self._compiled(sql)
        if not compiled.permitted:
            raise Denied("policies/denied")
        plan = compiled.plan
        for owner in plan.owners():
            [loaded] = self._world.policies_of(owner, PURPOSE)
            roots = committed_snapshots(self._snapshots[owner], plan, owner, self._catalogue)
            registered = {root.table: root.root for root in roots}
            begin, _ = interval(loaded.policy.validity)
            store = self._stores[owner]
            session = f"{self.queries:032x}"
            with store.begin() as transaction:
                standing = store.ledger.standing(transaction, PURPOSE, ANALYST, begin, self.at)
                case = OwnCase(owner, loaded, plan, self._catalogue, registered, self.at, standing)
                if is_guarded(case):
                    tables = tables_needed(plan, owner, self._catalogue)
                    case = replace(case, history=store.releases.over(transaction, tables))
                verdict = decide_own(compiled.decision, case, self._protection.rules)
                if verdict.verdict != "permit":
                    raise Denied(verdict.code)
                charges = charges_of(plan, owner, loaded.policy, self._catalogue)
                store.ledger.reserve(transaction, session, PURPOSE, ANALYST, charges, self.at)
                store.releases.approve(transaction, released(session, plan, roots, self.at))
        return plan

    def _compiled(self, sql: str) -> Compiled:
        if (sql, self.at) not in self._known:
            made = compile_analysis(sql, PURPOSE, ANALYST, self.at, self._world, estimate, self.at)
            self._known[sql, self.at] = made
        return self._known[sql, self.at]

    def _frames(self, plan: Plan) -> Frames:
        """Every owner's part; the same for the same plan until somebody registers anew."""
        if plan.digest() not in self._parts:
            shares = (step for step in plan.steps if isinstance(step, Share))
            self._parts[plan.digest()] = {step.id: self._local(plan, step) for step in shares}
        return self._parts[plan.digest()]

    def _local(self, plan: Plan, step: Share) -> pl.DataFrame:
        store = self._snapshots[step.owner]
        roots = committed_snapshots(store, plan, step.owner, self._catalogue)
        return run_local(plan, step.id, store, roots, self._catalogue)

    @cached_property
    def _world(self) -> PolicyWorld:
        manifest = Manifest(
            consortium="attacked",
            version=1,
            previous="0" * 64,
            coordinator=CoordinatorEntry(endpoint="127.0.0.1:1", tls_root=""),
            members=tuple(
                Member(id=name, display_name=name, suite=SUITE, root_key="00", may_compute=True) for name in MEMBERS
            ),
            computers=MEMBERS,
        )
        policies = tuple(_policy(member, self._protection.edits) for member in MEMBERS)
        return PolicyWorld(manifest, self._catalogue, {member: _card(member) for member in MEMBERS}, policies)


def without_own_rows_left_out(plan: Plan) -> Plan:
    """The plan with contributors counted over all rows, the recipient's own among them."""
    steps = tuple(
        step.model_copy(
            update={"aggregates": tuple(each.model_copy(update={"excluding": ()}) for each in step.aggregates)}
        )
        if step.kind == "aggregate"
        else step
        for step in plan.steps
    )
    return plan.model_copy(update={"steps": steps})


def without(*rules: OwnRule) -> tuple[OwnRule, ...]:
    """Every rule of an owner's own part but these."""
    return tuple(rule for rule in RULES if rule not in rules)


def edited(protection: Protection, *edits: tuple[str, str]) -> Protection:
    """The same protection with other lines in the policy."""
    return replace(protection, edits=(*protection.edits, *edits))


def _policy(owner: str, edits: Edits) -> LoadedPolicy:
    text = POLICY.read_text(encoding="utf-8").replace("OWNER", owner)
    for old, new in edits:
        if old not in text:
            raise ValueError(f"`{old}` does not stand in {POLICY.name}")
        text = text.replace(old, new)
    return parse_policy(text.encode())


def _card(member: str) -> Card:
    """Who may ask; nothing here is signed, so keys stand empty."""
    return Card(
        consortium="attacked",
        member=member,
        version=1,
        not_after=NOW + timedelta(days=365),
        people=(PersonEntry(id=f"ana@{member}", roles=("analyst",), suite=SUITE, key="00"),),
        node_suite=SUITE,
        node_key="00",
        kem_key="00",
        tls_root="",
        endpoint="",
    )
