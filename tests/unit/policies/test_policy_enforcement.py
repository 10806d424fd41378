"""Nothing is parsed and then ignored: every field of the language is enforced, stated, or accepted only as off.

This file kills the mutant "an unenforced policy rule accepted": a field without a probe fails the first test, and a
probe fails when the policy's answer does not change with the field.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from consortia.errors import ConsortiaError
from consortia.policies.accounting import Charge
from consortia.policies.decide import decide
from consortia.policies.explain import explain
from consortia.policies.language import enforcement
from consortia.policies.language.enforcement import TREATMENTS, Enforced, OffOnly, Stated, model_fields
from consortia.policies.language.parse import parse_policy, read_policy
from consortia.policies.rules import ALL
from tests.fixtures_catalogue import STATISTICS, STRUCTURING
from tests.policies_world import NOW, SCORE_QUERY, draft_of, make_world, policy_text
from tests.policy_memory import (
    COUNTERS,
    after_a_week,
    clipped,
    kept,
    of_noise,
    of_noise_on_model,
    over_budget,
    queries_denied_at,
    selected,
    subtracted,
)
from tests.policy_variants import (
    ABSENT,
    COUNT_QUERY,
    MODEL,
    QUERIES,
    answer,
    changed,
    data_of,
    full,
    longer_release,
    minimum,
    obliged,
    permissive,
    privacy_unit,
    review_of,
    succession,
    template_of,
    told_by_a_pattern,
    under,
    unedited,
    with_weak_card,
    without_standard,
)

IN_EFFECT: dict[str, Any] = {
    "retention-days": 30,
    "onward-sharing": "forbidden",
    "sizes": "open",
    "group-count": "open",
    "filter-mask": "open",
    "suppressed-count": "open",
}
"""For each rule that this version does not enforce, a value with which it is in effect."""


PROBES: dict[str, tuple[Callable[[], str], str]] = {
    "format": (lambda: answer(changed("format", "consortia/policy/v2"), STATISTICS), "policies/schema"),
    # A policy counts for the owner and purpose that its text names, so another name leaves bank-a without one.
    "identity.owner": (lambda: answer(changed("identity", full()["identity"] | {
        "owner": "bank-d", "author": "dora@bank-d"}), STATISTICS, without_standard), "policy"),
    "identity.consortium": (lambda: answer(changed("identity.consortium", "others"), STATISTICS), "ownership"),
    "identity.version": (lambda: succession("version", 3), "policies/succession"),
    "identity.previous": (lambda: succession("previous", "0" * 64), "policies/succession"),
    # Shown here is only that a value that does not fit is refused: the author must be of the owner. Who may sign is
    # tested with real keys in test_policy_signed.py.
    "identity.author": (lambda: answer(changed("identity.author", "dora@bank-b"), STATISTICS), "policies/schema"),
    "purpose.code": (lambda: answer(changed("purpose.code", "statistics"), STATISTICS), "policy"),
    "validity.not-before": (lambda: answer(changed("validity.not-before", "2026-12-01"), STATISTICS), "validity"),
    "validity.not-after": (lambda: answer(changed("validity", {
        "not-before": "2026-11-01", "not-after": "2026-11-20", "review": "2026-11-10"}), STATISTICS), "validity"),
    "parties.compute": (lambda: answer(changed("parties.compute", ["bank-a", "bank-b"]), STATISTICS), "computers"),
    "parties.not-together": (
        lambda: answer(changed("parties.not-together", [["bank-a", "bank-c"]]), STATISTICS), "not-together"),
    "parties.threat-model": (lambda: answer(changed("parties.threat-model", "malicious"), STATISTICS), "threat-model"),
    "parties.collusion": (lambda: answer(changed("parties.collusion", 2), STATISTICS), "collusion"),
    "parties.signatures": (lambda: str(answer(
        changed("parties.signatures", "classical"), STATISTICS, with_weak_card).startswith("permit")), "True"),
    "parties.submit": (lambda: answer(changed("parties.submit", ["bank-b"]), STATISTICS), "submitter"),
    # Shown here is only that a malformed value is refused: it must be a list of members. That their signatures are then
    # needed is tested with real keys in test_policy_signed.py.
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
    # Shown here is only that another value is refused: only owners receive rows. That a plan can't do otherwise is
    # tested in test_policy_rules.py.
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
    "outputs.model": (lambda: under("outputs.model", "never", MODEL), "output-kind"),
    "outputs.model.recipients": (lambda: under("outputs.model.recipients", ["bank-b"], MODEL), "recipients"),
    "outputs.model.maximum-rows": (lambda: under("outputs.model.maximum-rows", 1, MODEL), "maximum-rows"),
    "outputs.model.minimum-members": (lambda: under("outputs.model.minimum-members", 4, MODEL), "minimum-members"),
    "outputs.model.human-review": (lambda: review_of("model"), "reviewed"),
    **of_noise_on_model(),
    "leaks.match-count": (told_by_a_pattern, "True"),
    "rates.templates-without-review": (lambda: review_of("count", template_of("count")), "unreviewed"),
    "outputs.alert.retention-days": (lambda: kept("outputs.alert.retention-days", STRUCTURING), "7"),
    "outputs.score.retention-days": (lambda: kept("outputs.score.retention-days", SCORE_QUERY), "7"),
    "rates.queries-per-analyst-and-day": (
        lambda: queries_denied_at(changed("rates.queries-per-analyst-and-day", 2), "analyst_today", 2),
        "policies/rates"),
    **of_noise("count"),
    **of_noise("aggregate"),
    "data.tables.*.columns.*.clip": (lambda: str("NoiseTerms" in clipped({"lo": 0, "hi": 9})), "True"),
    "data.tables.*.columns.*.clip.lo": (lambda: clipped({"lo": -7, "hi": 9}), "lo=-7"),
    "data.tables.*.columns.*.clip.hi": (lambda: clipped({"lo": 0, "hi": 8}).replace(")", ", "), "hi=8"),
    "rates.queries-per-day": (
        lambda: queries_denied_at(changed("rates.queries-per-day", 2), "today", 2), "policies/rates"),
    "rates.queries-per-period": (
        lambda: queries_denied_at(changed("rates.queries-per-period", 2), "period", 2), "policies/rates"),
}  # fmt: skip
"""For each enforced field: an edit, and what it changes. The rule named is the one that denies; ``obligation`` a
change of what the plan must contain; a code a refusal of the policy itself."""


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
    wanted = set(expected.split(", "))
    found = probe()
    assert wanted <= set(found.split(", ")), found
    with unedited():
        before = probe()
    assert not wanted <= set(before.split(", ")), before


@pytest.mark.parametrize("kind", ["count", "aggregate"])
def test_differencing_that_is_off_or_a_week_that_has_passed_denies_nothing(kind: str) -> None:
    assert subtracted(kind, "off") == "permit"
    assert after_a_week(kind, 7, others=7) == "permit"
    assert after_a_week(kind, 7, others=8, same=True) == "permit"


@pytest.mark.parametrize("kind", ["count", "aggregate"])
def test_a_charge_within_the_period_and_a_delta_that_no_period_grants_are_denied(kind: str) -> None:
    assert over_budget(kind, 40, period_days=41) == "policies/budget"
    assert over_budget(kind, 1, Charge(0, 1), delta_per_period="off") == "policies/budget"
    assert selected("off") == "policies/budget"


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


ON_BY_DEFAULT = ("retention-days", "onward-sharing")


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
