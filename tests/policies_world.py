"""Policies, cards and a manifest for tests of decisions: documents only, no keys and no signatures.

``POLICY`` is a policy text of ``bank-a``; ``policy_text`` makes variants by replacing lines, so that tests read like
an officer's edits.
"""

from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from consortia.plans.build import build_plan
from consortia.plans.catalogue import Catalogue
from consortia.plans.model import Plan
from consortia.plans.specs.bind import bind_analysis
from consortia.policies.decide import decide
from consortia.policies.drafting import Facts
from consortia.policies.language.parse import LoadedPolicy, parse_policy
from consortia.policies.own import OwnCase, decide_own
from consortia.policies.verdicts import Decision
from consortia.policies.world import PolicyWorld
from consortia.trust.manifest import Card, CoordinatorEntry, Manifest, Member, PersonEntry
from tests import fixtures_catalogue as fixtures

NOW = fixtures.AS_OF
SUITE = "ed25519+ml-dsa-65"
SCORE_QUERY = (
    "SELECT customer_key, SUM(amount_minor) AS total FROM deposits WHERE currency = 'EUR' GROUP BY customer_key"
)

RISK = """
analysis: risk-propagation
accounts: |
  SELECT customer_key AS account, MAX(risk_score) AS score FROM accounts WHERE risk_score IS NOT NULL
  GROUP BY customer_key
payments: |
  SELECT customer_key AS source, customer_key AS target, amount_minor AS amount FROM deposits WHERE currency = 'EUR'
iterations: 1
scale: 100
"""
CYCLES = """
analysis: cycles
accounts: SELECT customer_key AS account FROM accounts GROUP BY customer_key
payments: |
  SELECT customer_key AS source, customer_key AS target, ts AS time, amount_minor AS amount FROM deposits
  WHERE currency = 'EUR'
longest: 2
window: 2 days
part: 0.5
closed: 100
"""
"""Specs over the tables of the fixtures."""

POLICY = """\
format: consortia/policy/v1
identity:
  id: bank-a.aml-detection
  owner: bank-a
  consortium: testers
  version: 1
  previous: none
  author: dora@bank-a
purpose:
  code: aml-detection
  legal-basis: [AMLR Article 75]
  dpia: DPIA-14
  register-entry: ROPA-77
validity:
  not-before: 2026-11-01
  not-after: 2027-01-15
  review: 2027-01-04
parties:
  compute: [bank-a, bank-b, bank-c]
  not-together: []
  threat-model: semi-honest
  signatures: post-quantum
  submit: [bank-a, bank-b]
data:
  tables:
    deposits:
      rows: all
      privacy-unit: customer_key
      operations: [count, compare, compare-members]
      columns:
        customer_key: {class: identifier, operations: [alert, count]}
        ts: {class: quasi, operations: [filter]}
        amount_minor: {class: sensitive, operations: [filter, sum, compare]}
        currency: {class: free, operations: [filter, group]}
        country: {class: quasi, operations: [filter, group]}
    accounts:
      rows: all
      privacy-unit: customer_key
      operations: [count]
      columns:
        customer_key: {class: identifier, operations: []}
        risk_score: {class: sensitive, operations: [sum, count]}
        country: {class: quasi, operations: [filter]}
outputs:
  alert:
    recipients: owner-of-row
    maximum-rows: off
    human-review: off
    retention-days: off
    onward-sharing: off
  score: never
  count: never
  aggregate:
    recipients: [bank-a, bank-b]
    minimum-entities: 10
    minimum-members: 3
    contributors: exact
    maximum-rows: 1000
    dominance: off
    p-percent: off
    zeros-and-full-cells: off
    complementary-suppression: off
    rounding: off
    noise: off
    differencing: off
    human-review: off
    retention-days: off
    onward-sharing: off
  model: never
leaks: {sizes: closed, group-count: closed, match-count: closed, filter-mask: closed, suppressed-count: closed}
rates:
  queries-per-analyst-and-day: off
  queries-per-day: off
  queries-per-period: off
  templates-without-review: off
"""


CELLS = POLICY[POLICY.index("  aggregate:\n") + len("  aggregate:\n") : POLICY.index("  model: never")]
GENEROUS = (
    ("operations: [count, compare, compare-members]",
     "operations: [count, compare, compare-members, count-members, score, train, evaluate]"),
    ("operations: [alert, count]", "operations: [alert, count, compare, join, trace]"),
    ("ts: {class: quasi, operations: [filter]}",
     "ts: {class: quasi, operations: [filter, group, count, compare, alert, join, rank, trace, train, evaluate]}"),
    ("operations: [filter, sum, compare]}",
     "operations: [filter, count, sum, compare, score, rank, quantile, variance, trace, train, evaluate]}"),
    ("{class: free, operations: [filter, group]}",
     ("{class: free, operations: [filter, group, count, compare, alert, score, join, rank, extreme, trace, train,"
      " evaluate]}")),
    ("country: {class: quasi, operations: [filter, group]}",
     "country: {class: quasi, operations: [filter, group, count, compare, alert, join, rank, trace, train, evaluate]}"),
    ("      operations: [count]\n",
     "      operations: [count, compare, count-members, compare-members, score, train, evaluate]\n"),
    ("customer_key: {class: identifier, operations: []}",
     "customer_key: {class: identifier, operations: [alert, count, compare, join, trace]}"),
    ("operations: [sum, count]}",
     "operations: [filter, count, sum, compare, score, rank, quantile, variance, trace, train, evaluate]}"),
    ("country: {class: quasi, operations: [filter]}",
     "country: {class: quasi, operations: [filter, group, count, compare, alert, join, rank, trace, train, evaluate]}"),
    ("score: never", ("score: {recipients: owner-of-row, maximum-rows: off, human-review: off, retention-days: off,"
     " onward-sharing: off}")),
    ("count: never", "count:\n" + CELLS.rstrip()),
    ("maximum-rows: 1000", "maximum-rows: off"),
    ("maximum-rows: 1000", "maximum-rows: off"),
    ("match-count: closed", "match-count: open"),
)  # fmt: skip
"""Edits that permit every operation that the columns' classes allow, and every kind of output."""


DRAFT_FACTS = Facts(
    owner="north",
    consortium="trial",
    members=("north", "south", "east", "west"),
    purpose="a-purpose",
    author="dora@north",
    analyst="ana@north",
    begin=date(2027, 3, 1),
)
"""What is put into a template of a policy."""


def policy_text(owner: str = "bank-a", *edits: tuple[str, str]) -> str:
    """The policy of ``owner`` with ``edits`` (old text, new text); an edit that fits nowhere is a mistake."""
    text = POLICY
    for old, new in edits:
        if old not in text:
            raise ValueError(f"`{old}` does not stand in the policy")
        text = text.replace(old, new, 1)
    text = text.replace("id: bank-a.", f"id: {owner}.").replace("owner: bank-a", f"owner: {owner}")
    return text.replace("author: dora@bank-a", f"author: dora@{owner}")


@cache
def loaded(owner: str = "bank-a", *edits: tuple[str, str]) -> LoadedPolicy:
    """The same, parsed."""
    return parse_policy(policy_text(owner, *edits).encode())


def make_card(member: str, suite: str = SUITE) -> Card:
    """A card with an analyst, ``ana``, and two officers; keys are placeholders that nothing here verifies."""
    roles = {"ana": ("analyst",), "omar": ("officer",), "olga": ("officer",)}
    return Card(
        consortium="testers",
        member=member,
        version=1,
        not_after=datetime(2027, 12, 31, tzinfo=UTC),
        people=tuple(
            PersonEntry(id=f"{name}@{member}", roles=role, suite=suite, key="00") for name, role in roles.items()
        ),
        node_suite=suite,
        node_key="00",
        kem_key="00",
        tls_root="",
        endpoint="",
    )


def make_manifest(members: tuple[str, ...] = fixtures.BANKS, suite: str = SUITE) -> Manifest:
    """A manifest in which all members may compute and the first three do."""
    return Manifest(
        consortium="testers",
        version=1,
        previous="0" * 64,
        coordinator=CoordinatorEntry(endpoint="127.0.0.1:1", tls_root=""),
        members=tuple(
            Member(id=name, display_name=name, suite=suite, root_key="00", may_compute=True) for name in members
        ),
        computers=members[:3],
    )


def make_world(
    *policies: LoadedPolicy,
    catalogue: Catalogue = fixtures.CATALOGUE,
    members: tuple[str, ...] = fixtures.BANKS,
) -> PolicyWorld:
    """Three banks; those without a policy among ``policies`` have the standard one."""
    given = {policy.policy.identity.owner for policy in policies}
    standard = tuple(loaded(name) for name in members if name not in given)
    return PolicyWorld(
        make_manifest(members), catalogue, {name: make_card(name) for name in members}, policies + standard
    )


def generous_world(catalogue: Catalogue = fixtures.CATALOGUE) -> PolicyWorld:
    """Three banks that permit everything that a policy can: what is denied there, nobody can permit."""
    return make_world(*(loaded(name, *GENEROUS) for name in fixtures.BANKS), catalogue=catalogue)


def draft_of(sql: str, world: PolicyWorld, submitter: str = "ana@bank-a", purpose: str = fixtures.PURPOSE) -> Plan:
    """The draft plan of ``sql`` in ``world``."""
    environment = fixtures.environment(
        world.catalogue,
        manifest=world.manifest.digest(),
        computers=world.manifest.computers,
        members=tuple(member.id for member in world.manifest.members),
        submitter=submitter,
        purpose=purpose,
        entities=world.privacy_units(purpose),
    )
    return build_plan(bind_analysis(sql, world.catalogue, fixtures.AS_OF), environment)


def decided(sql: str, *policies: LoadedPolicy, submitter: str = "ana@bank-a", now: datetime = NOW) -> Decision:
    """The decision on ``sql`` with ``policies`` in place of the standard ones."""
    world = make_world(*policies)
    return decide(draft_of(sql, world, submitter), world, now)


def rules_of(decision: Decision) -> set[str]:
    """Ids of all rules that deny."""
    return {reason.rule for _, reason in decision.denials()}


def own_case(plan: Plan, policy: LoadedPolicy, **memory: Any) -> OwnCase:
    """What bank-a's own part decides from: registered tables, and in ``memory`` its ``standing`` and ``history``."""
    registered = dict.fromkeys(("accounts", "transactions"), "0" * 64)
    return OwnCase("bank-a", policy, plan, fixtures.CATALOGUE, registered, NOW, **memory)


def own_verdict(plan: Plan, decision: Decision, world: PolicyWorld, **memory: Any) -> str:
    """What bank-a's own part says of ``plan``: the code of a denial, else the verdict."""
    verdict = decide_own(decision, own_case(plan, world.policies_of("bank-a", plan.purpose)[0], **memory))
    return verdict.code or verdict.verdict
