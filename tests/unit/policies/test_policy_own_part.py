"""Alerts over the asking member's own part: who is told, and which parts of members may meet others' rows."""

import pytest

from consortia.plans.model import Release
from consortia.policies.decide import decide
from consortia.policies.language.parse import LoadedPolicy
from tests.fixtures_catalogue import BANKS
from tests.policies_world import GENEROUS, NOW, draft_of, generous_world, loaded, make_world, rules_of

WORLD = generous_world()
LISTED = "(SELECT customer_key FROM deposits GROUP BY customer_key)"
OWN = (
    f'SELECT a.customer_key FROM "bank-a".accounts AS a JOIN {LISTED} AS d ON d.customer_key = a.customer_key'
    " GROUP BY a.customer_key"
)
CLOSED = ("operations: [alert, count, compare, join, trace]}", "operations: [count, compare, join, trace]}")
"""No `alert` on the key of deposits."""


def closed(owner: str) -> LoadedPolicy:
    return loaded(owner, *GENEROUS, CLOSED)


def told(sql: str) -> list[str]:
    (release,) = [step for step in draft_of(sql, WORLD).steps if isinstance(step, Release)]
    return [recipient.member for recipient in release.recipients]


@pytest.mark.parametrize(
    ("sql", "members"),
    [
        (OWN, ["bank-a"]),
        (OWN.replace('"bank-a".accounts', "accounts"), list(BANKS)),
        # the planner may exchange the sides of an inner join
        ((f'SELECT d.customer_key FROM {LISTED} AS d JOIN (SELECT customer_key FROM "bank-a".accounts GROUP BY'
         " customer_key) AS a ON a.customer_key = d.customer_key GROUP BY d.customer_key"), ["bank-a"]),
        (('SELECT customer_key FROM deposits WHERE customer_key IN (SELECT customer_key FROM "bank-a".accounts)'
         " GROUP BY customer_key"), ["bank-a"]),
        (('SELECT customer_key FROM deposits WHERE customer_key NOT IN (SELECT customer_key FROM "bank-a".accounts)'
         " GROUP BY customer_key"), list(BANKS)),
        ((f'SELECT d.customer_key FROM {LISTED} AS d LEFT JOIN (SELECT customer_key, COUNT(*) AS n FROM'
         ' "bank-a".accounts GROUP BY customer_key) AS a ON a.customer_key = d.customer_key GROUP BY d.customer_key'),
         list(BANKS)),
        (('SELECT customer_key FROM (SELECT customer_key FROM "bank-a".accounts UNION ALL SELECT customer_key FROM'
         " deposits) AS u GROUP BY customer_key"), list(BANKS)),
    ],
)  # fmt: skip
def test_alerts_go_to_the_member_of_a_part_that_stands_in_every_row_and_else_to_all_holders(
    sql: str, members: list[str]
) -> None:
    assert told(sql) == members


def test_the_asking_members_own_part_may_meet_the_rows_of_others_in_alerts() -> None:
    assert decide(draft_of(OWN, WORLD), WORLD, NOW).permitted
    assert rules_of(decide(draft_of(OWN, WORLD, "ana@bank-b"), WORLD, NOW)) == {"table"}


@pytest.mark.parametrize(
    "sql",
    [
        OWN.replace("bank-a", "bank-b"),
        OWN.replace("FROM deposits", 'FROM "bank-b".deposits'),
        OWN.replace("SELECT a.customer_key", "SELECT a.customer_key, COUNT(*) AS n"),
        OWN.replace("SELECT a.customer_key", "SELECT COUNT(*) AS n").replace(" GROUP BY a.customer_key", ""),
        ('SELECT customer_key FROM deposits WHERE customer_key NOT IN (SELECT customer_key FROM "bank-a".accounts)'
         " GROUP BY customer_key"),
        ('SELECT customer_key FROM (SELECT customer_key FROM "bank-a".accounts UNION ALL SELECT customer_key FROM'
         " deposits) AS u GROUP BY customer_key"),
    ],
    ids=["another's part", "another's part beside it", "a score", "a number", "those who are not", "stacked"],
)  # fmt: skip
def test_no_other_part_of_a_member_meets_the_rows_of_others(sql: str) -> None:
    assert "table" in rules_of(decide(draft_of(sql, WORLD), WORLD, NOW))


def test_nobody_is_told_keys_through_a_table_on_whose_key_alerts_are_not_permitted() -> None:
    for owner in BANKS:  # one owner's policy is enough
        world = make_world(closed(owner), *(loaded(other, *GENEROUS) for other in BANKS if other != owner))
        everybody = draft_of(OWN.replace('"bank-a".accounts', "accounts"), world)
        found = decide(everybody, world, NOW)
        assert rules_of(found) == {"recipients"}
        assert {who for who, _ in found.denials()} == {owner}
        assert decide(draft_of(OWN, world), world, NOW).permitted


def test_a_table_whose_holders_are_not_told_through_it_needs_no_alert() -> None:
    world = make_world(*(closed(owner) for owner in BANKS))
    absent = (
        "SELECT customer_key FROM accounts WHERE customer_key NOT IN (SELECT customer_key FROM deposits)"
        " GROUP BY customer_key"
    )
    assert decide(draft_of(absent, world), world, NOW).permitted
    assert rules_of(decide(draft_of(absent.replace("NOT IN", "IN"), world), world, NOW)) == {"recipients"}


SEEDED = """
analysis: taint
accounts: SELECT customer_key AS account FROM {accounts} GROUP BY customer_key
seeds: SELECT customer_key AS account FROM {seeds} GROUP BY customer_key
payments: |
  SELECT customer_key AS source, customer_key AS target, ts AS time, amount_minor AS amount FROM {payments}
  WHERE currency = 'EUR'
hops: 1
window: 2 days
part: 0
"""
SCORED = """
analysis: risk-propagation
accounts: SELECT customer_key AS account, MAX(COALESCE(risk_score, 0)) AS score FROM {accounts} GROUP BY customer_key
payments: |
  SELECT customer_key AS source, customer_key AS target, amount_minor AS amount FROM {payments} WHERE currency = 'EUR'
iterations: 1
scale: 100
at-least: 1
"""
TAUGHT = """
analysis: boosted-trees
examples: |
  SELECT a.customer_key AS subject, a.risk, d.label
  FROM (SELECT customer_key, MAX(COALESCE(risk_score, 0)) AS risk FROM {accounts} GROUP BY customer_key) AS a
  JOIN (SELECT customer_key, MAX(CASE WHEN amount_minor >= 1000 THEN 1 ELSE 0 END) AS label FROM deposits
        WHERE currency = 'EUR' GROUP BY customer_key) AS d ON d.customer_key = a.customer_key
trees: 2
depth: 2
give: alerts
at-least: 0.5
"""
WHOLE = {"accounts": "accounts", "seeds": "accounts", "payments": "deposits"}


@pytest.mark.parametrize(
    ("spec", "part", "permitted"),
    [
        (SEEDED, "", True),
        (SEEDED, "accounts", True),  # those who are told are fewer, and nothing else
        (SEEDED, "seeds", False),
        (SEEDED, "payments", False),
        (SCORED, "", True),
        (SCORED, "accounts", False),
        (SCORED, "payments", False),
        (TAUGHT, "", True),
        (TAUGHT, "accounts", False),
    ],
)
def test_nothing_is_followed_and_nothing_learnt_along_the_asking_members_own_part(
    spec: str, part: str, permitted: bool
) -> None:
    tables = {name: f'"bank-a".{table}' if name == part else table for name, table in WHOLE.items()}
    decision = decide(draft_of(spec.format(**tables), WORLD), WORLD, NOW)
    assert rules_of(decision) == (set() if permitted else {"table"}), decision.denials()
