"""The differencing guard, from plans alone: input P1, trackers, tables in other cells, newer rows."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from consortia.plans.build import build_plan
from consortia.plans.model import Plan, Step
from consortia.plans.obligations import NO_OBLIGATIONS, Obligations
from consortia.plans.specs.bind import bind_analysis
from consortia.plans.sql import bind
from consortia.policies.flow.populations import cells_of
from consortia.policies.history import ReleasedQuery
from consortia.policies.language.parse import LoadedPolicy
from consortia.policies.own import OwnCase
from consortia.policies.own.differencing import differencing
from consortia.trust.sessions import SnapshotRoot
from tests.fixtures_catalogue import AS_OF, BANKS, CATALOGUE, COUNTRIES, environment
from tests.policies_world import CYCLES, GENEROUS, NOW, RISK, loaded

GUARDED = loaded(
    "bank-a", *GENEROUS, *[("differencing: off", "differencing: {new-data-days: 7, other-rows-days: 30}")] * 2
)
OBLIGED = Obligations(entity="person", minimum_entities=5, minimum_members=3)
ROOT, NEWER = "a" * 64, "b" * 64
MEAN = "SELECT AVG(c) AS m FROM numbers"
WITHOUT_ONE = "SELECT AVG(c) AS m FROM numbers WHERE NOT (b = 3 AND c = 7)"
DOUBLED = (
    "SELECT AVG(c) AS m FROM (SELECT person, c FROM numbers"
    " UNION ALL SELECT person, c FROM numbers WHERE b = 3 AND c = 7) AS t"
)

ACCOUNTS = "SELECT country, COUNT(*) AS n FROM accounts GROUP BY country"
JOIN = (
    "SELECT COUNT(*) AS n FROM numbers AS x JOIN (SELECT customer_key FROM accounts GROUP BY customer_key) AS a"
    " ON a.customer_key = x.person"
)


HIDING = OBLIGED.model_copy(update={"complementary": True})


def plan_of(sql: str, submitter: str = "ana@bank-a", obliged: Obligations = OBLIGED) -> Plan:
    obligations = obliged if "numbers" in sql else NO_OBLIGATIONS  # which count a column of `numbers`
    return build_plan(bind(sql, CATALOGUE, AS_OF), environment(submitter=submitter), obligations)


def remembered(
    sql: str, number: int = 1, *, root: str = ROOT, days: int = 0, obliged: Obligations = OBLIGED
) -> ReleasedQuery:
    plan = plan_of(sql, obliged=obliged)
    tables = sorted({step.table for step in plan.steps if step.kind == "scan"})
    roots = tuple(SnapshotRoot(table=table, root=root) for table in tables)
    at = NOW - timedelta(days=days)
    return ReleasedQuery(session=f"{number:032x}", plan=plan, snapshots=roots, recipients=("ana@bank-a",), at=at)


def verdict(
    sql: str,
    *history: str | ReleasedQuery,
    policy: LoadedPolicy = GUARDED,
    root: str = ROOT,
    submitter: str = "ana@bank-a",
    obliged: Obligations = OBLIGED,
) -> str:
    earlier = [remembered(each, place) if isinstance(each, str) else each for place, each in enumerate(history)]
    registered = dict.fromkeys(("numbers", "accounts", "transactions"), root)
    case = OwnCase(
        "bank-a", policy, plan_of(sql, submitter, obliged), CATALOGUE, registered, NOW, history=tuple(earlier)
    )
    found = differencing(case)
    if found is None:
        return "permit"
    assert (found.effect, found.code) == ("deny", "policies/differencing")
    return found.text


def test_p1_a_mean_without_one_row_and_one_with_a_row_doubled_are_denied_and_cite_the_first() -> None:
    assert verdict(MEAN) == "permit"
    for second in (WITHOUT_ONE, DOUBLED):
        text = verdict(second, MEAN)
        assert "overlap" in text
        assert f"session {0:032x}" in text


def test_the_order_does_not_matter() -> None:
    for one, other in ((MEAN, WITHOUT_ONE), (MEAN, DOUBLED), (WITHOUT_ONE, DOUBLED)):
        assert verdict(one, other) != "permit"
        assert verdict(other, one) != "permit"


TABLE = "SELECT country, SUM(c) AS s FROM numbers {} GROUP BY country"
FINE: dict[str, Sequence[str]] = {
    "again": (TABLE.format(""), TABLE.format("")),
    "another number of the same cells": (
        "SELECT country, COUNT(*) AS n, MEDIAN(c) AS m FROM numbers GROUP BY country", TABLE.format("")),
    "month by month": (
        TABLE.format("WHERE day >= DATE '2026-03-01' AND day < DATE '2026-04-01'"),
        TABLE.format("WHERE day >= DATE '2026-01-01' AND day < DATE '2026-02-01'"),
        TABLE.format("WHERE day >= DATE '2026-02-01' AND day < DATE '2026-03-01'")),
    "another table": (TABLE.format(""), ACCOUNTS),
    "alerts have no cells": (TABLE.format(""), "SELECT person FROM numbers WHERE person IS NOT NULL GROUP BY person"),
}  # fmt: skip
DENIED: dict[str, Sequence[str]] = {
    # Denning, Denning and Schwartz 1979: count(A) and count(A and not B) tell of A and B
    "individual tracker": (
        "SELECT COUNT(*) AS n FROM numbers WHERE b = 3", "SELECT COUNT(*) AS n FROM numbers WHERE b = 3 AND c <> 7"),
    # the general tracker pads a small set with T and with its complement, and subtracts all
    "general tracker": (
        "SELECT COUNT(*) AS n FROM numbers WHERE (b = 3 AND c = 7) OR country = 'DE'",
        "SELECT COUNT(*) AS n FROM numbers WHERE (b = 3 AND c = 7) OR country <> 'DE'"),
    "a month in a year": (
        TABLE.format("WHERE day >= DATE '2026-03-01' AND day < DATE '2026-04-01'"),
        TABLE.format("WHERE day >= DATE '2026-01-01' AND day < DATE '2027-01-01'")),
    "shifted by a day": (
        TABLE.format("WHERE day >= CURRENT_DATE - 90"), TABLE.format("WHERE day >= CURRENT_DATE - 91")),
    "in other cells": (TABLE.format(""), "SELECT flag, SUM(c) AS s FROM numbers GROUP BY flag"),
    "two thresholds as keys": (
        "SELECT COUNT(*) AS n FROM numbers", "SELECT c > 7 AS k, COUNT(*) AS n FROM numbers GROUP BY c > 7"),
    "one member's rows": (TABLE.format(""), TABLE.format("").replace("numbers", '"bank-a".numbers')),
    "a join with the table": (
        TABLE.format(""),
        JOIN),
    "one of several conflicts": (
        TABLE.format("WHERE b > 6"), TABLE.format("WHERE b < 4"), TABLE.format("WHERE b > 8"),
        TABLE.format("WHERE b > 4 AND b < 8")),
}  # fmt: skip


@pytest.mark.parametrize("queries", FINE.values(), ids=FINE.keys())
def test_what_can_not_be_subtracted_is_permitted(queries: Sequence[str]) -> None:
    assert verdict(queries[0], *queries[1:]) == "permit"
    assert verdict(queries[-1], *queries[:-1]) == "permit"


@pytest.mark.parametrize("queries", DENIED.values(), ids=DENIED.keys())
def test_what_could_be_subtracted_is_denied(queries: Sequence[str]) -> None:
    assert verdict(queries[0], *queries[1:]) != "permit"
    assert verdict(queries[-1], *queries[:-1]) != "permit"


def test_who_asks_makes_no_difference_since_recipients_may_share() -> None:
    assert verdict(WITHOUT_ONE, MEAN, submitter="bea@bank-b") != "permit"


def test_newer_rows_may_be_asked_about_after_the_days_of_the_policy() -> None:
    same, other = (
        [verdict(sql, remembered(MEAN, days=days), root=NEWER) for days in (6, 7, 29, 30)]
        for sql in (MEAN, WITHOUT_ONE)
    )
    assert [text == "permit" for text in same] == [False, True, True, True]
    assert "would be what changed" in same[0]
    assert [text == "permit" for text in other] == [False, False, False, True]
    assert "changed after session" in other[0]
    assert "overlap" in other[0]
    assert verdict(WITHOUT_ONE, remembered(MEAN, days=70)) != "permit"  # the rows are the same, however long ago


def test_newer_rows_that_no_earlier_answer_covers_need_not_wait() -> None:
    march = TABLE.format("WHERE day >= DATE '2026-03-01' AND day < DATE '2026-04-01'")
    april = TABLE.format("WHERE day >= DATE '2026-04-01' AND day < DATE '2026-05-01'")
    assert verdict(april, remembered(march), root=NEWER) == "permit"


def test_a_local_table_of_another_catalogue_may_hold_other_rows() -> None:
    deposits = "SELECT country, COUNT(*) AS n FROM deposits GROUP BY country"
    for sql, expected in ((deposits, False), (MEAN, True)):
        before = remembered(sql)
        roots = tuple(SnapshotRoot(table=table, root=ROOT) for table in ("accounts", "numbers", "transactions"))
        older = before.model_copy(
            update={"snapshots": roots, "plan": before.plan.model_copy(update={"catalogue": "0" * 64})}
        )
        assert verdict(sql, before.model_copy(update={"snapshots": roots})) == "permit"
        assert (verdict(sql, older) == "permit") == expected


def of_older_catalogue(query: ReleasedQuery, *tables: str) -> ReleasedQuery:
    roots = tuple(SnapshotRoot(table=table, root=ROOT) for table in tables) or query.snapshots
    plan = query.plan.model_copy(update={"catalogue": "0" * 64})
    return query.model_copy(update={"snapshots": roots, "plan": plan})


def test_conditions_on_a_local_table_of_another_catalogue_may_choose_the_same_rows() -> None:
    euros, dollars = (f"SELECT COUNT(*) AS n FROM deposits WHERE currency = '{each}'" for each in ("EUR", "USD"))
    before, data = remembered(euros), ("accounts", "transactions")
    roots = tuple(SnapshotRoot(table=table, root=ROOT) for table in data)
    assert verdict(dollars, before.model_copy(update={"snapshots": roots})) == "permit"
    assert "catalogue has changed" in verdict(dollars, of_older_catalogue(before, *data))


def with_words(plan: Plan, *words: str) -> Plan:
    """The plan of a catalogue in which countries are ``words``."""
    country = CATALOGUE.tables[0].columns[4].type

    def renamed(step: Step) -> Step:
        columns = tuple(
            each.model_copy(update={"type": country.model_copy(update={"values": words})})
            if each.name == "country"
            else each
            for each in step.columns
        )
        return step.model_copy(update={"columns": columns})

    return plan.model_copy(update={"steps": tuple(map(renamed, plan.steps))})


def test_the_places_of_words_in_another_order_choose_other_rows() -> None:
    before = of_older_catalogue(remembered(TABLE.format("WHERE country = 'DE'")))
    other = TABLE.format("WHERE country = 'FR'")
    assert verdict(other, before) == "permit"
    for words, expected in (("FR", "DE", "NL", "AT", "BE"), False), (COUNTRIES[:4], True), ((*COUNTRIES, "IT"), True):
        changed = before.model_copy(update={"plan": with_words(before.plan, *words)})
        assert (verdict(other, changed) == "permit") == expected


def test_after_payments_were_followed_numbers_over_groups_are_decided_as_before() -> None:
    """No populations are known of what payments brought about, and none are compared."""
    sql = "SELECT country, COUNT(*) AS n FROM deposits GROUP BY country"
    surroundings = environment(members=BANKS)
    for place, text in enumerate((RISK, CYCLES)):
        plan = build_plan(bind_analysis(text, CATALOGUE, AS_OF), surroundings, NO_OBLIGATIONS)
        roots = tuple(SnapshotRoot(table=table, root=ROOT) for table in ("accounts", "transactions"))
        traced = ReleasedQuery(session=f"{place:032x}", plan=plan, snapshots=roots, recipients=("ana@bank-a",), at=NOW)
        assert verdict(sql, traced) == "permit"


NESTED = "(SELECT person, SUM(c) AS s FROM numbers GROUP BY person) AS a ON a.person = d.customer_key"
BESIDE = f"SELECT {{}} AS v FROM accounts AS d JOIN {NESTED} WHERE d.country = '{{}}'"
GROUPED = (
    f"SELECT SUM(v) AS v FROM (SELECT d.customer_key, d.country, SUM(a.s) AS v FROM accounts AS d JOIN {NESTED}"
    " GROUP BY d.customer_key, d.country) AS t WHERE v {}"
)
ABOVE = (
    "SELECT SUM(w) AS v FROM (SELECT customer_key, country, SUM(v) AS w FROM (SELECT d.customer_key, d.country, a.s v"
    f" FROM accounts AS d JOIN {NESTED} UNION ALL SELECT customer_key, country, amount_minor AS v FROM deposits"
    " WHERE currency = 'EUR') AS u GROUP BY customer_key, country) AS t WHERE w {}"
)
PLACED = (
    "SELECT MAX(v) AS v FROM (SELECT country, SUM(c) OVER (PARTITION BY person) AS v FROM numbers) AS t"
    " WHERE country = '{}'"
)
REPEATED = {
    "a sum": (BESIDE.format("SUM(a.s)", "DE"), BESIDE.format("SUM(a.s)", "FR")),
    "a maximum": (BESIDE.format("MAX(a.s + 1)", "DE"), BESIDE.format("MAX(a.s + 1)", "FR")),
    "by way of groups": (GROUPED.format("< 5"), GROUPED.format(">= 5")),
    "in a stack": (ABOVE.format("< 5"), ABOVE.format(">= 5")),
    "a window": (PLACED.format("DE"), PLACED.format("FR")),
}


def after(one: str, other: str) -> str:
    """The verdict on ``other`` after ``one``, both without obligations and over the same snapshots."""
    first, second = (plan_of(sql, obliged=NO_OBLIGATIONS) for sql in (one, other))
    before = remembered(MEAN).model_copy(update={"plan": first})
    case = OwnCase("bank-a", GUARDED, second, CATALOGUE, {"numbers": ROOT}, NOW, history=(before,))
    found = differencing(case)
    return "permit" if found is None else found.text


@pytest.mark.parametrize("pair", REPEATED.values(), ids=REPEATED.keys())
def test_disjoint_rows_that_repeat_a_value_are_not_taken_to_be_disjoint(pair: tuple[str, str]) -> None:
    one, other = (cells_of(plan_of(sql, obliged=NO_OBLIGATIONS))[0] for sql in pair)
    assert one.source == other.source, "else they are denied in any case"
    assert after(*pair) != "permit"
    assert after(pair[0], pair[0]) == "permit"


def test_disjoint_rows_of_a_join_are_disjoint_in_what_they_hold_themselves() -> None:
    for number in ("COUNT(*)", "SUM(d.risk_score)"):
        assert after(BESIDE.format(number, "DE"), BESIDE.format(number, "FR")) == "permit"


def test_a_table_that_did_not_change_keeps_a_join_with_a_newer_one_guarded() -> None:
    before = remembered(JOIN, days=70)
    renewed = tuple(
        root if root.table == "numbers" else root.model_copy(update={"root": NEWER}) for root in before.snapshots
    )
    assert verdict(MEAN, before.model_copy(update={"snapshots": renewed})) != "permit"
    assert verdict(JOIN, before.model_copy(update={"snapshots": renewed})) == "permit"


def test_without_the_guard_nothing_is_denied() -> None:
    assert verdict(WITHOUT_ONE, MEAN, policy=loaded("bank-a", *GENEROUS)) == "permit"


# --- with complementary suppression -----------------------------------------------------------------------------------


WHOLE = "SELECT COUNT(*) AS n, SUM(c) AS s FROM numbers"
FINER = "SELECT country, flag, COUNT(*) AS n FROM numbers GROUP BY country, flag"
MEDIANS = "SELECT country, flag, MEDIAN(c) AS m FROM numbers GROUP BY country, flag"
SIGNED = "SELECT country, flag, SUM(a) AS s FROM numbers WHERE a IS NOT NULL GROUP BY country, flag"


def hidden(sql: str, *history: str) -> str:
    earlier = [remembered(each, place, obliged=HIDING) for place, each in enumerate(history)]
    return verdict(sql, *earlier, obliged=HIDING)


def test_coarser_and_finer_tables_of_the_same_rows_are_permitted_where_cells_are_hidden_together() -> None:
    tables = (WHOLE, TABLE.format(""), FINER)
    for place, asked in enumerate(tables):
        assert hidden(asked, *tables[:place], *tables[place + 1 :]) == "permit"
        others = [each for each in tables if each != asked]
        assert verdict(asked, *others) != "permit"  # not where only failing cells are


def test_tables_that_do_not_part_each_others_cells_are_denied() -> None:
    other = "SELECT flag, COUNT(*) AS n FROM numbers GROUP BY flag"
    assert hidden(other, TABLE.format("")) != "permit"
    assert hidden(other, FINER) == "permit"
    assert hidden(other, FINER, TABLE.format("")) != "permit"


def test_numbers_that_do_not_add_up_or_may_be_negative_have_no_coarser_tables() -> None:
    assert hidden(MEDIANS, FINER) == "permit"
    assert hidden(MEDIANS, TABLE.format("")) != "permit"
    assert hidden(SIGNED.replace("country, flag", "country"), SIGNED) != "permit"
    assert hidden(SIGNED, SIGNED) == "permit"


def test_the_same_cells_must_hide_the_same_way() -> None:
    shows_all = remembered(TABLE.format(""))
    assert verdict(TABLE.format(""), shows_all, obliged=HIDING) != "permit"
    assert verdict(TABLE.format(""), remembered(TABLE.format(""), obliged=HIDING)) != "permit"


def test_a_having_hides_nothing_further_so_it_is_no_table_of_a_chain() -> None:
    assert hidden(f"{TABLE.format('')} HAVING SUM(c) > 5", FINER) != "permit"
    assert hidden(f"{TABLE.format('')} HAVING SUM(c) > 5", TABLE.format("")) != "permit"
