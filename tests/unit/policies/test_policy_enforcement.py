"""Nothing is parsed and then ignored: every field of the language is enforced, stated, or accepted only as off.

This file kills the mutant "an unenforced policy rule accepted": a field without a probe fails the first test, and a
probe fails when the policy's answer does not change with the field.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from consortia.errors import ConsortiaError
from consortia.execution.estimate import estimate
from consortia.plans.model import Release
from consortia.plans.zcdp import RHO_PARTS
from consortia.policies.accounting import Charge
from consortia.policies.compiling import compile_analysis
from consortia.policies.decide import decide
from consortia.policies.explain import explain
from consortia.policies.history import ReleasedQuery
from consortia.policies.language import enforcement
from consortia.policies.language.enforcement import TREATMENTS, Enforced, OffOnly, Stated, model_fields
from consortia.policies.language.parse import LoadedPolicy, parse_policy, read_policy
from consortia.policies.language.reader import read_yaml
from consortia.policies.own import OwnCase, Standing, decide_own
from consortia.policies.own.case import PastCharge
from consortia.policies.retention import retention_of
from consortia.policies.review import reviewers
from consortia.policies.rules import ALL
from consortia.policies.signed import check_succession
from consortia.policies.templates import template_digest
from consortia.policies.world import PolicyWorld
from consortia.trust.sessions import SnapshotRoot
from tests.fixtures_catalogue import AS_OF, CATALOGUE, PURPOSE, STATISTICS, STRUCTURING
from tests.policies_world import CYCLES, NOW, SCORE_QUERY, draft_of, make_card, make_world, policy_text

COUNT_QUERY = "SELECT COUNT(*) AS n FROM deposits"
ACCOUNTS_QUERY = "SELECT SUM(risk_score) AS s, COUNT(risk_score) AS n FROM accounts"
OFF_HANDLING = {"human-review": "off", "retention-days": "off", "onward-sharing": "off"}

IN_EFFECT: dict[str, Any] = {
    "retention-days": 30,
    "onward-sharing": "forbidden",
    "model": {"recipients": ["bank-a"]},
    "sizes": "open",
    "group-count": "open",
    "filter-mask": "open",
    "suppressed-count": "open",
}
"""For each rule that this version does not enforce, a value with which it is in effect."""


def full() -> dict[str, Any]:
    """The standard policy with a section for every kind of output, as a tree."""
    tree: Any = read_yaml(policy_text().encode()).tree
    tree["outputs"]["score"] = {"recipients": "owner-of-row", "maximum-rows": "off", **OFF_HANDLING}
    tree["outputs"]["count"] = dict(tree["outputs"]["aggregate"])
    deposits = tree["data"]["tables"]["deposits"]
    deposits["operations"] += ["score"]
    deposits["columns"]["amount_minor"]["operations"] += ["score"]
    return tree  # type: ignore[no-any-return] # the reader returns nested containers


def data_of(tree: dict[str, Any]) -> bytes:
    return json.dumps(tree, indent=1).encode()  # JSON is YAML in which every text stands in quotes


ABSENT = object()


def changed(path: str, value: Any) -> dict[str, Any]:
    """The full policy with ``value`` at ``path``; ``*`` is the table deposits, or its column amount_minor."""
    tree = full()
    parts = path.replace("tables.*", "tables.deposits").replace("columns.*", "columns.amount_minor").split(".")
    node = tree
    for part in parts[:-1]:
        node = node.setdefault(part, {})
    if value is ABSENT:
        node.pop(parts[-1], None)
    else:
        node[parts[-1]] = value
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
    tree = full()
    tree["identity"] |= {"version": 2, "previous": read_policy(policy_text().encode()).digest}
    before = read_policy(policy_text().encode())
    check_succession(read_policy(data_of(tree)), before)
    tree["identity"][path] = value
    try:
        check_succession(read_policy(data_of(tree)), before)
    except ConsortiaError as error:
        return error.code
    return "accepted"


def privacy_unit() -> str:
    tree = full()
    accounts = tree["data"]["tables"]["accounts"]
    accounts["columns"]["account_id"] = {"class": "identifier", "operations": []}
    accounts["privacy-unit"] = "account_id"
    return answer(tree, ACCOUNTS_QUERY)


def longer_release() -> str:
    world = permissive(parse_policy(data_of(changed("outputs.count.maximum-rows", 1))))
    plan = draft_of(COUNT_QUERY, world)
    steps = tuple(step.model_copy(update={"rows": 2}) if isinstance(step, Release) else step for step in plan.steps)
    decision = decide(plan.model_copy(update={"steps": steps}), world, NOW)
    return ", ".join(sorted({reason.rule for _, reason in decision.denials()}))


def review_of(kind: str, *templates: str) -> str:
    """Whether officers review a query that opens an output of ``kind``, where the policy demands it for that kind."""
    tree = changed(f"outputs.{kind}.human-review", "required")
    listed = [{"name": "regular", "plan": template} for template in templates]
    tree["rates"]["templates-without-review"] = listed or "off"
    world = permissive(parse_policy(data_of(tree)))
    return "reviewed" if reviewers(draft_of(QUERIES[kind], world), world) else "unreviewed"


def template_of(kind: str) -> str:
    world = permissive(parse_policy(data_of(full())))
    return template_digest(draft_of(QUERIES[kind], world))


def minimum(kind: str, sql: str) -> str:
    obligations = under(f"outputs.{kind}.minimum-entities", 20, sql)
    return "obligation" if "minimum_entities=20" in obligations else obligations


def obliged(kind: str, field: str, value: Any, words: str) -> str:
    found = under(f"outputs.{kind}.{field}", value, QUERIES[kind])
    return "obligation" if words in found else found


COUNTERS = (("analyst_today", 20), ("today", 50), ("period", 1000))


def queries_denied_at(tree: dict[str, Any], counter: str, counted: int) -> str:
    """What bank-a's own part says when its ledger has ``counted`` queries on one counter."""
    world = permissive(parse_policy(data_of(tree)))
    plan = draft_of(STATISTICS, world)
    registered = dict.fromkeys(("accounts", "transactions"), "0" * 64)
    standing = Standing(**{counter: counted})
    case = OwnCase("bank-a", world.policies_of("bank-a", PURPOSE)[0], plan, CATALOGUE, registered, NOW, standing)
    verdict = decide_own(decide(plan, world, NOW), case)
    return verdict.code or verdict.verdict


NOISY = {"count": COUNT_QUERY, "aggregate": "SELECT country, COUNT(*) AS n FROM deposits GROUP BY country"}
NOISE = {"rho-per-release": "1/10", "rho-per-period": "1/2"}


def noisy(kind: str, sql: str = "", clip: Any = "off", **changes: Any) -> tuple[PolicyWorld, Any]:
    """A query whose output of ``kind`` has noise by all policies, compiled."""
    section = NOISE | {name.replace("_", "-"): value for name, value in changes.items()}
    tree = changed(f"outputs.{kind}.noise", section)
    tree["data"]["tables"]["deposits"]["columns"]["amount_minor"]["clip"] = clip
    world = permissive(parse_policy(data_of(tree)))
    sql = sql or NOISY[kind]
    return world, compile_analysis(sql, PURPOSE, "ana@bank-a", AS_OF, world, estimate, NOW)


def terms(kind: str, **changes: Any) -> str:
    return repr(noisy(kind, **changes)[1].decision.obligations.noise)


def clipped(clip: Any) -> str:
    """What becomes of a sum whose column has such bounds."""
    sql = "SELECT SUM(amount_minor) AS s FROM deposits WHERE currency = 'EUR'"
    _, found = noisy("aggregate", sql, clip)
    rules = {reason.rule for _, reason in found.decision.denials()}
    return ", ".join(sorted(rules)) or repr(found.decision.obligations.noise)


def over_budget(kind: str, days_ago: int, **changes: Any) -> str:
    """What bank-a's own part says of a release when one of rho 1 was so many days ago."""
    world, found = noisy(kind, **changes)
    registered = dict.fromkeys(("accounts", "transactions"), "0" * 64)
    loaded = world.policies_of("bank-a", PURPOSE)[0]
    before = PastCharge(NOW - timedelta(days=days_ago), "customer", Charge(RHO_PARTS))
    case = OwnCase(
        "bank-a", loaded, found.plan, CATALOGUE, registered, NOW, Standing(charges=(before,) if days_ago else ())
    )
    verdict = decide_own(found.decision, case)
    return verdict.code or verdict.verdict


def selected() -> str:
    """What bank-a's own part says of groups that are shown at the cost of a delta, where the period grants none."""
    tree = changed("outputs.aggregate.noise", NOISE | {"delta-per-release": "1/1000000"})
    tree["data"]["tables"]["deposits"]["columns"]["ts"]["operations"] += ["group"]
    tree["outputs"]["aggregate"]["maximum-rows"] = "off"
    world = permissive(parse_policy(data_of(tree)))
    sql = "SELECT ts, COUNT(*) AS n FROM deposits GROUP BY ts"
    found = compile_analysis(sql, PURPOSE, "ana@bank-a", AS_OF, world, estimate, NOW)
    registered = dict.fromkeys(("accounts", "transactions"), "0" * 64)
    case = OwnCase("bank-a", world.policies_of("bank-a", PURPOSE)[0], found.plan, CATALOGUE, registered, NOW)
    verdict = decide_own(found.decision, case)
    return verdict.code or verdict.verdict


def of_noise(kind: str) -> dict[str, tuple[Callable[[], str], str]]:
    path = f"outputs.{kind}.noise"
    return {
        path: (lambda: str("NoiseTerms" in terms(kind)), "True"),
        f"{path}.mechanism": (lambda: terms(kind, mechanism="local-discrete-gaussian"), "at_owners=True"),
        f"{path}.rho-per-release": (lambda: terms(kind, rho_per_release="1/20"), "NoiseTerms(rho=50000000"),
        f"{path}.cells-per-unit": (lambda: terms(kind, cells_per_unit=7), "cells=7"),
        f"{path}.rows-per-cell": (lambda: terms(kind, rows_per_cell=3), "rows=3"),
        f"{path}.delta-per-release": (lambda: terms(kind, delta_per_release="1/1000000"), "delta=1000000000"),
        f"{path}.delta-per-period": (selected, "policies/budget"),
        f"{path}.rho-per-period": (lambda: over_budget(kind, 0, rho_per_period="1/11"), "policies/budget"),
        f"{path}.period-days": (
            lambda: over_budget(kind, 40, period_days=41), "policies/budget"),
    }  # fmt: skip


def subtracted(kind: str, value: Any, *, same: bool = False, **memory: Any) -> str:
    """What bank-a's own part says of a query whose rows overlap with those of an earlier one."""
    world = permissive(parse_policy(data_of(changed(f"outputs.{kind}.differencing", value))))
    asked = {"count": COUNT_QUERY, "aggregate": STATISTICS}[kind]
    other = f"{asked} WHERE country = 'DE'" if kind == "count" else asked.replace("'EUR'", "'EUR' AND country = 'DE'")
    plan = draft_of(asked if same else other, world)
    roots = tuple(SnapshotRoot(table=table, root="0" * 64) for table in ("accounts", "transactions"))
    earlier = ReleasedQuery(
        session="0" * 32, plan=draft_of(asked, world), recipients=("ana@bank-a",),
        **{"snapshots": roots, "at": NOW} | memory,
    )  # fmt: skip
    registered = dict.fromkeys(("accounts", "transactions"), "0" * 64)
    loaded = world.policies_of("bank-a", PURPOSE)[0]
    case = OwnCase("bank-a", loaded, plan, CATALOGUE, registered, NOW, history=(earlier,))
    verdict = decide_own(decide(plan, world, NOW), case)
    return verdict.code or verdict.verdict


def after_a_week(kind: str, days: int, others: int = 1, *, same: bool = False) -> str:
    older = tuple(SnapshotRoot(table=table, root="1" * 64) for table in ("accounts", "transactions"))
    guard = {"new-data-days": days, "other-rows-days": others}
    return subtracted(kind, guard, same=same, snapshots=older, at=NOW - timedelta(days=7))


def kept(path: str, sql: str) -> str:
    """For how many days recipients may keep the answer if the owners say 7."""
    world = permissive(parse_policy(data_of(changed(path, 7))))
    found = retention_of(draft_of(sql, world), [loaded.policy for loaded in world.policies])
    return ", ".join(str(days) for days in found.values())


def told_by_a_pattern() -> str:
    """Whether the switch alone lets a search for cycles open the bit that its bounds need."""
    closed, opened = (answer(changed("leaks.match-count", value), CYCLES) for value in ("closed", "open"))
    return str("leaks" in closed and "leaks" not in opened)


PROBES: dict[str, tuple[Callable[[], str], str]] = {
    "format": (lambda: answer(changed("format", "consortia/policy/v2"), STATISTICS), "policies/schema"),
    # A policy counts for the owner and purpose that its text names, so another name leaves bank-a without one.
    "identity.owner": (lambda: answer(full() | {"identity": full()["identity"] | {
        "owner": "bank-d", "author": "dora@bank-d"}}, STATISTICS, without_standard), "policy"),
    "identity.consortium": (lambda: answer(changed("identity.consortium", "others"), STATISTICS), "ownership"),
    "identity.version": (lambda: succession("version", 3), "policies/succession"),
    "identity.previous": (lambda: succession("previous", "0" * 64), "policies/succession"),
    # Who may sign is tested with real keys in test_policy_signed.py; here: the author must be of the owner.
    "identity.author": (lambda: answer(changed("identity.author", "dora@bank-b"), STATISTICS), "policies/schema"),
    "purpose.code": (lambda: answer(changed("purpose.code", "statistics"), STATISTICS), "policy"),
    "validity.not-before": (lambda: answer(changed("validity.not-before", "2026-12-01"), STATISTICS), "validity"),
    "validity.not-after": (lambda: answer(full() | {"validity": {
        "not-before": "2026-11-01", "not-after": "2026-11-20", "review": "2026-11-10"}}, STATISTICS), "validity"),
    "parties.compute": (lambda: answer(changed("parties.compute", ["bank-a", "bank-b"]), STATISTICS), "computers"),
    "parties.not-together": (
        lambda: answer(changed("parties.not-together", [["bank-a", "bank-c"]]), STATISTICS), "not-together"),
    "parties.threat-model": (lambda: answer(changed("parties.threat-model", "malicious"), STATISTICS), "threat-model"),
    "parties.collusion": (lambda: answer(changed("parties.collusion", 2), STATISTICS), "collusion"),
    "parties.signatures": (lambda: answer(full(), STATISTICS, with_weak_card), "cryptography"),
    "parties.submit": (lambda: answer(changed("parties.submit", ["bank-b"]), STATISTICS), "submitter"),
    # That the signatures are then needed is tested with real keys in test_policy_signed.py; here: it must name members.
    "parties.countersign": (lambda: answer(changed("parties.countersign", "bank-b"), STATISTICS), "policies/schema"),
    "data.tables": (lambda: answer(changed("data.tables.deposits", ABSENT), STATISTICS), "table, operations"),
    "data.tables.*.rows": (
        lambda: "obligation" if "row_scopes=(RowScope(owner='bank-a'" in answer(
            changed("data.tables.*.rows", "country = 'DE'"), STATISTICS) else "ignored", "obligation"),
    "data.tables.*.privacy-unit": (privacy_unit, "privacy-unit"),
    "data.tables.*.operations": (lambda: under("data.tables.*.operations", [], STATISTICS), "operations"),
    "data.tables.*.columns": (lambda: under("data.tables.deposits.columns.country", ABSENT, STATISTICS), "operations"),
    "data.tables.*.columns.*.class": (
        lambda: under("data.tables.*.columns.*.class", "quasi", STATISTICS), "policies/schema"),
    "data.tables.*.columns.*.operations": (
        lambda: under("data.tables.*.columns.*.operations", ["filter"], STATISTICS), "operations"),
    "outputs.alert": (lambda: under("outputs.alert", "never", STRUCTURING), "output-kind"),
    "outputs.score": (lambda: under("outputs.score", "never", SCORE_QUERY), "output-kind"),
    "outputs.count": (lambda: under("outputs.count", "never", COUNT_QUERY), "output-kind"),
    "outputs.aggregate": (lambda: under("outputs.aggregate", "never", STATISTICS), "output-kind"),
    # Only owners receive rows; that a plan can't do otherwise is tested in test_policy_rules.py.
    "outputs.alert.recipients": (
        lambda: under("outputs.alert.recipients", ["bank-a"], STRUCTURING), "policies/schema"),
    "outputs.score.recipients": (
        lambda: under("outputs.score.recipients", ["bank-a"], SCORE_QUERY), "policies/schema"),
    "outputs.alert.maximum-rows": (lambda: under("outputs.alert.maximum-rows", 10, STRUCTURING), "maximum-rows"),
    "outputs.score.maximum-rows": (lambda: under("outputs.score.maximum-rows", 10, SCORE_QUERY), "maximum-rows"),
    "outputs.count.maximum-rows": (longer_release, "maximum-rows"),
    "outputs.aggregate.maximum-rows": (
        lambda: under("outputs.aggregate.maximum-rows", 2, STATISTICS), "maximum-rows"),
    "outputs.count.recipients": (lambda: under("outputs.count.recipients", ["bank-b"], COUNT_QUERY), "recipients"),
    "outputs.aggregate.recipients": (
        lambda: under("outputs.aggregate.recipients", ["bank-b"], STATISTICS), "recipients"),
    **{
        f"outputs.{kind}.differencing": (partial(subtracted, kind, {"new-data-days": 7}), "policies/differencing")
        for kind in ("count", "aggregate")
    },
    **{
        f"outputs.{kind}.differencing.new-data-days": (
            partial(after_a_week, kind, 8, same=True), "policies/differencing")
        for kind in ("count", "aggregate")
    },
    **{
        f"outputs.{kind}.differencing.other-rows-days": (
            partial(after_a_week, kind, 1, others=8), "policies/differencing")
        for kind in ("count", "aggregate")
    },
    "outputs.count.minimum-entities": (lambda: minimum("count", COUNT_QUERY), "obligation"),
    "outputs.aggregate.minimum-entities": (lambda: minimum("aggregate", STATISTICS), "obligation"),
    "outputs.count.complementary-suppression": (
        lambda: under("outputs.count.complementary-suppression", "required", COUNT_QUERY), "complementary=True"),
    "outputs.aggregate.complementary-suppression": (
        lambda: under("outputs.aggregate.complementary-suppression", "required", f"{STATISTICS} LIMIT 2"),
        "complementary-suppression"),
    "outputs.count.minimum-members": (
        lambda: under("outputs.count.minimum-members", 4, COUNT_QUERY), "minimum-members"),
    "outputs.aggregate.minimum-members": (
        lambda: under("outputs.aggregate.minimum-members", 4, STATISTICS), "minimum-members"),
    **{
        f"outputs.{kind}.{field}": (partial(obliged, kind, field.split(".")[0], value, words), "obligation")
        for kind in ("count", "aggregate")
        for field, value, words in (
            ("dominance", {}, "DominanceLimit(largest=2, percent=90)"),
            ("dominance.n", {"n": 1}, "DominanceLimit(largest=1, percent=90)"),
            ("dominance.percent", {"percent": 80}, "DominanceLimit(largest=2, percent=80)"),
            ("p-percent", 7, "p_percent=7"),
            ("zeros-and-full-cells", "suppressed", "zeros_and_full_cells=True"),
            ("rounding", 5, "rounding=5"),
            ("contributors", "lower-bound", "lower_bound=True"),
        )
    },
    "outputs.alert.human-review": (lambda: review_of("alert"), "reviewed"),
    "outputs.score.human-review": (lambda: review_of("score"), "reviewed"),
    "outputs.count.human-review": (lambda: review_of("count"), "reviewed"),
    "outputs.aggregate.human-review": (lambda: review_of("aggregate"), "reviewed"),
    "leaks.match-count": (told_by_a_pattern, "True"),
    "rates.templates-without-review": (lambda: review_of("count", template_of("count")), "unreviewed"),
    "outputs.alert.retention-days": (lambda: kept("outputs.alert.retention-days", STRUCTURING), "7"),
    "outputs.score.retention-days": (lambda: kept("outputs.score.retention-days", SCORE_QUERY), "7"),
    "rates.queries-per-analyst-and-day": (
        lambda: queries_denied_at(changed("rates.queries-per-analyst-and-day", 2), "analyst_today", 2),
        "policies/rates"),
    **of_noise("count"),
    **of_noise("aggregate"),
    "data.tables.*.columns.*.clip": (lambda: clipped("off"), "noise"),
    "data.tables.*.columns.*.clip.lo": (lambda: clipped({"lo": -7, "hi": 9}), "lo=-7"),
    "data.tables.*.columns.*.clip.hi": (lambda: clipped({"lo": 0, "hi": 8}).replace(")", ", "), "hi=8"),
    "rates.queries-per-day": (
        lambda: queries_denied_at(changed("rates.queries-per-day", 2), "today", 2), "policies/rates"),
    "rates.queries-per-period": (
        lambda: queries_denied_at(changed("rates.queries-per-period", 2), "period", 2), "policies/rates"),
}  # fmt: skip
"""For each enforced field: an edit, and what it changes. The rule named is the one that denies; ``obligation`` a
change of what the plan must contain; a code a refusal of the policy itself."""

QUERIES = {"alert": STRUCTURING, "score": SCORE_QUERY, "count": COUNT_QUERY, "aggregate": STATISTICS}


def of_kind(kind: type) -> list[str]:
    return sorted(path for path, treatment in TREATMENTS.items() if isinstance(treatment, kind))


def test_every_field_of_the_language_is_registered_and_nothing_else() -> None:
    def covered(path: str) -> bool:
        parts = path.split(".")
        above = (TREATMENTS.get(".".join(parts[:length])) for length in range(1, len(parts)))
        return path in TREATMENTS or any(isinstance(treatment, OffOnly) for treatment in above)

    fields = set(model_fields())
    assert {path for path in fields if not covered(path)} == set()
    assert TREATMENTS.keys() - fields == set()


def test_every_enforced_field_has_a_probe_and_names_a_rule_or_check_that_exists() -> None:
    assert PROBES.keys() == set(of_kind(Enforced))
    checks = {"schema", "succession", "four-eyes", "column-class", "rates", "retention",
              "differencing", "human-review", "budget",
              "countersign"}  # fmt: skip
    rules = {rule_id for rule in ALL for rule_id in rule.ids}
    named = {treatment.rule for treatment in TREATMENTS.values() if isinstance(treatment, Enforced)}
    assert named <= rules | checks


@pytest.mark.parametrize("sql", QUERIES.values(), ids=QUERIES.keys())
def test_the_policy_that_probes_change_permits_every_kind_of_output(sql: str) -> None:
    assert answer(full(), sql, permissive).startswith("permit")


@pytest.mark.parametrize("path", sorted(PROBES))
def test_an_enforced_field_changes_the_answer(path: str) -> None:
    probe, expected = PROBES[path]
    found = probe()
    assert set(expected.split(", ")) <= set(found.split(", ")), found


@pytest.mark.parametrize("kind", ["count", "aggregate"])
def test_differencing_that_is_off_or_a_week_that_has_passed_denies_nothing(kind: str) -> None:
    assert subtracted(kind, "off") == "permit"
    assert after_a_week(kind, 7, others=7) == "permit"
    assert after_a_week(kind, 7, others=8, same=True) == "permit"


@pytest.mark.parametrize("path", of_kind(OffOnly))
def test_a_policy_in_which_an_unenforced_rule_is_in_effect_by_its_text_is_refused_naming_it(path: str) -> None:
    treatment = TREATMENTS[path]
    assert isinstance(treatment, OffOnly)
    assert answer(changed(path, treatment.accepted[0]), STATISTICS, permissive).startswith("permit")
    with pytest.raises(ConsortiaError) as caught:
        parse_policy(data_of(changed(path, IN_EFFECT[path.rsplit(".", 1)[1]])))
    assert caught.value.code == "policies/not-enforced"
    assert f"`{treatment.rule}`" in caught.value.message
    assert "by the text" in caught.value.message


ON_BY_DEFAULT = (
    "retention-days", "onward-sharing",
    "noise",
)  # fmt: skip


@pytest.mark.parametrize("path", [path for path in of_kind(OffOnly) if path.rsplit(".", 1)[1] in ON_BY_DEFAULT])
def test_a_rule_that_is_on_by_default_must_be_written_off(path: str) -> None:
    with pytest.raises(ConsortiaError) as caught:
        parse_policy(data_of(changed(path, ABSENT)))
    assert caught.value.code == "policies/not-enforced"
    assert path in caught.value.message
    assert "by default" in caught.value.message


@pytest.mark.parametrize("path", [path for path in of_kind(OffOnly) if path.rsplit(".", 1)[1] not in ON_BY_DEFAULT])
def test_a_rule_that_is_off_by_default_may_be_left_out(path: str) -> None:
    parse_policy(data_of(changed(path, ABSENT)))


def test_two_members_are_not_enough_for_a_table_that_three_hold() -> None:
    assert under("outputs.aggregate.minimum-members", 2, STATISTICS) == "minimum-members"


def test_a_missing_section_of_rates_is_in_effect_by_default() -> None:
    tree = full()
    del tree["rates"]
    assert [queries_denied_at(tree, counter, limit) for counter, limit in COUNTERS] == ["policies/rates"] * 3
    assert [queries_denied_at(tree, counter, limit - 1) for counter, limit in COUNTERS] == ["permit"] * 3


@pytest.mark.parametrize("path", of_kind(Stated))
def test_what_is_stated_is_printed_by_explain(path: str) -> None:
    tree = full()
    section, key = path.split(".")
    marked: Any = {"legal-basis": ["A ground of its own"], "review": "2026-12-24"}.get(key, "marked-by-the-test")
    tree[section][key] = marked
    shown = {"legal-basis": "A ground of its own", "review": "24 December 2026"}.get(key, "marked-by-the-test")
    assert shown in " ".join(explain(parse_policy(data_of(tree))).split())


def test_a_field_that_nobody_registered_refuses_every_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    without = {path: treatment for path, treatment in TREATMENTS.items() if path != "outputs.aggregate.maximum-rows"}
    monkeypatch.setattr(enforcement, "TREATMENTS", without)
    with pytest.raises(ConsortiaError, match="unregistered"):
        parse_policy(policy_text().encode())


def test_a_policy_that_slipped_past_the_parser_is_denied_by_the_decision() -> None:
    slipped = read_policy(policy_text("bank-a", ("onward-sharing: off", "onward-sharing: forbidden")).encode())
    world = make_world(slipped)
    decision = decide(draft_of(STATISTICS, world), world, NOW)
    assert [(owner, reason.rule) for owner, reason in decision.denials()] == [("bank-a", "onward-sharing")]
