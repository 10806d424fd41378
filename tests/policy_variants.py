"""How a policy is varied and asked: the full policy as a tree, edits of it, and what comes of a query under them.

``changed`` and ``edit`` make the edit that a probe is about; within ``unedited`` they change nothing, so that the same
probe tells what the policy answers without it. ``put`` changes always: what an edit needs around it.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from consortia.errors import ConsortiaError
from consortia.plans.model import Release
from consortia.policies.decide import decide
from consortia.policies.language.parse import LoadedPolicy, parse_policy, read_policy
from consortia.policies.language.reader import read_yaml
from consortia.policies.review import reviewers
from consortia.policies.signed import check_succession
from consortia.policies.templates import template_digest
from consortia.policies.world import PolicyWorld
from tests.fixtures_catalogue import STATISTICS, STRUCTURING
from tests.policies_world import CYCLES, NOW, SCORE_QUERY, draft_of, make_card, make_world, policy_text

COUNT_QUERY = "SELECT COUNT(*) AS n FROM deposits"
ACCOUNTS_QUERY = "SELECT SUM(risk_score) AS s, COUNT(risk_score) AS n FROM accounts"
MODEL = """
analysis: logistic-regression
examples: |
  SELECT customer_key AS subject, MAX(CASE WHEN country = 'DE' THEN 1 ELSE 0 END) AS label,
    SUM(amount_minor) AS total
  FROM deposits WHERE currency = 'EUR' GROUP BY customer_key
epochs: 2
give: model
"""
QUERIES = {
    "alert": STRUCTURING, "score": SCORE_QUERY, "count": COUNT_QUERY, "aggregate": STATISTICS, "model": MODEL,
}  # fmt: skip
OFF_HANDLING = {"human-review": "off", "retention-days": "off", "onward-sharing": "off"}
ABSENT = object()
"""In place of a value: the field is left out."""
_editing = ContextVar("editing", default=True)


@contextmanager
def unedited() -> Iterator[None]:
    """Within it ``edit`` and ``changed`` change nothing."""
    token = _editing.set(False)
    try:
        yield
    finally:
        _editing.reset(token)


def full() -> dict[str, Any]:
    """The standard policy with a section for every kind of output, as a tree."""
    tree: Any = read_yaml(policy_text().encode()).tree
    tree["outputs"]["score"] = {"recipients": "owner-of-row", "maximum-rows": "off", **OFF_HANDLING}
    tree["outputs"]["count"] = dict(tree["outputs"]["aggregate"])
    tree["outputs"]["model"] = {"recipients": ["bank-a", "bank-b"], **OFF_HANDLING}
    deposits = tree["data"]["tables"]["deposits"]
    deposits["operations"] += ["score"]
    deposits["columns"]["customer_key"]["operations"] += ["join"]
    deposits["columns"]["country"]["operations"] += ["train"]
    deposits["columns"]["amount_minor"]["operations"] += ["train"]
    deposits["columns"]["amount_minor"]["operations"] += ["score"]
    return tree  # type: ignore[no-any-return] # the reader returns nested containers


def data_of(tree: dict[str, Any]) -> bytes:
    return json.dumps(tree, indent=1).encode()  # JSON is YAML in which every text stands in quotes


def put(tree: dict[str, Any], path: str, value: Any) -> None:
    """Write ``value`` at ``path``; ``*`` is the table deposits, or its column amount_minor."""
    parts = path.replace("tables.*", "tables.deposits").replace("columns.*", "columns.amount_minor").split(".")
    node = tree
    for part in parts[:-1]:
        node = node.setdefault(part, {})
    if value is ABSENT:
        node.pop(parts[-1], None)
    else:
        node[parts[-1]] = value


def edit(tree: dict[str, Any], path: str, value: Any) -> None:
    """The same, unless within ``unedited``."""
    if _editing.get():
        put(tree, path, value)


def changed(path: str, value: Any) -> dict[str, Any]:
    """The full policy with ``value`` at ``path``."""
    tree = full()
    edit(tree, path, value)
    return tree


def answer(tree: dict[str, Any], sql: str, world: Callable[[LoadedPolicy], PolicyWorld] = make_world) -> str:
    """What comes of a query under the policy: the rules by which bank-a denies it, its obligations, or the code of a
    refusal of the policy itself."""
    try:
        held = world(parse_policy(data_of(tree)))
    except ConsortiaError as error:
        return error.code
    decision = decide(draft_of(sql, held), held, NOW)
    rules = {reason.rule for owner, reason in decision.denials() if owner == "bank-a"}
    return ", ".join(sorted(rules)) or f"permit {decision.obligations!r}"


def with_weak_card(loaded: LoadedPolicy) -> PolicyWorld:
    """A world in which bank-b signs with a classical suite."""
    world = make_world(loaded)
    cards = {**world.cards, "bank-b": make_card("bank-b", "ecdsa-p256")}
    return PolicyWorld(world.manifest, world.catalogue, cards, world.policies)


def without_standard(loaded: LoadedPolicy) -> PolicyWorld:
    """A world in which nobody but the policy's owner has one."""
    world = make_world()
    return PolicyWorld(world.manifest, world.catalogue, world.cards, (loaded,))


def permissive(loaded: LoadedPolicy) -> PolicyWorld:
    """A world in which all banks hold the same policy as bank-a."""
    copies = []
    for owner in ("bank-a", "bank-b", "bank-c"):
        policy = loaded.policy
        identity = policy.identity.model_copy(update={"owner": owner})
        copies.append(replace(loaded, policy=policy.model_copy(update={"identity": identity})))
    return make_world(*copies)


def under(path: str, value: Any, sql: str) -> str:
    return answer(changed(path, value), sql, permissive)


def succession(path: str, value: Any) -> str:
    before = read_policy(policy_text().encode())
    tree = full()
    tree["identity"] |= {"version": 2, "previous": before.digest}
    check_succession(read_policy(data_of(tree)), before)
    edit(tree, f"identity.{path}", value)
    try:
        check_succession(read_policy(data_of(tree)), before)
    except ConsortiaError as error:
        return error.code
    return "accepted"


def privacy_unit() -> str:
    tree = full()
    put(tree, "data.tables.accounts.columns.account_id", {"class": "identifier", "operations": []})
    edit(tree, "data.tables.accounts.privacy-unit", "account_id")
    return answer(tree, ACCOUNTS_QUERY)


def longer_release() -> str:
    world = permissive(parse_policy(data_of(changed("outputs.count.maximum-rows", 1))))
    plan = draft_of(COUNT_QUERY, world)
    steps = tuple(step.model_copy(update={"rows": 2}) if isinstance(step, Release) else step for step in plan.steps)
    decision = decide(plan.model_copy(update={"steps": steps}), world, NOW)
    return ", ".join(sorted({reason.rule for _, reason in decision.denials()}))


def review_of(kind: str, *templates: str) -> str:
    """Whether officers review a query that opens an output of ``kind``, where the policy demands it for that kind.

    With templates these are the edit, without them the demand is.
    """
    tree = full()
    demand = (f"outputs.{kind}.human-review", "required")
    if templates:
        put(tree, *demand)
        listed = [{"name": "regular", "plan": template} for template in templates]
        edit(tree, "rates.templates-without-review", listed)
    else:
        edit(tree, *demand)
    world = permissive(parse_policy(data_of(tree)))
    return "reviewed" if reviewers(draft_of(QUERIES[kind], world), world) else "unreviewed"


def template_of(kind: str) -> str:
    world = permissive(parse_policy(data_of(full())))
    return template_digest(draft_of(QUERIES[kind], world), world.catalogue)


def minimum(kind: str, sql: str) -> str:
    obligations = under(f"outputs.{kind}.minimum-entities", 20, sql)
    return "obligation" if "minimum_entities=20" in obligations else obligations


def obliged(kind: str, field: str, value: Any, words: str) -> str:
    found = under(f"outputs.{kind}.{field}", value, QUERIES[kind])
    return "obligation" if words in found else found


def told_by_a_pattern() -> str:
    """Whether the switch alone lets a search for cycles open the bit that its bounds need."""
    closed, opened = (answer(changed("leaks.match-count", value), CYCLES) for value in ("closed", "open"))
    return str("leaks" in closed and "leaks" not in opened)
