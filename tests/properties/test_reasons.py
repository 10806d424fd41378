"""Every denial says by which rule, of which bank, where in the policy, of which column, and what would pass instead.

Over the generated queries of ``policies.changes.generated``, under the usual policies of three banks.
"""

import random
from functools import cache
from itertools import islice

import pytest

from consortia.plans.cost import Estimate
from consortia.plans.model import Plan
from consortia.plans.specs.bind import is_spec
from consortia.policies.changes.generated import Generated, generated
from consortia.policies.compiling import Compiled, compile_analysis, refusal
from consortia.policies.rules import ALL
from consortia.policies.suggest import BY_QUERY
from tests.fixtures_catalogue import BANKS, PURPOSE
from tests.policies_world import NOW, loaded, make_world

WORLD = make_world()
RULES = {rule_id for rule in ALL for rule_id in rule.ids}
DENIED = 16
"""So many denied queries are tried, drawn with a fixed seed."""


def no_cost(_: Plan) -> Estimate:
    return Estimate()


@cache
def compiled(sql: str, submitter: str) -> Compiled:
    return compile_analysis(sql, PURPOSE, submitter, NOW, WORLD, no_cost, NOW)


@cache
def denied() -> tuple[Generated, ...]:
    every = generated((loaded().policy,), WORLD)
    tried = [one for one in every if "FROM deposits" in one.sql and not is_spec(one.sql)]
    random.Random(7).shuffle(tried)
    return tuple(islice((one for one in tried if not compiled(one.sql, one.submitter).permitted), DENIED))


def test_every_denial_names_rule_bank_place_column_and_path() -> None:
    assert len(denied()) == DENIED
    for one in denied():
        answer = compiled(one.sql, one.submitter)
        for bank, reason in answer.decision.denials():
            assert bank in BANKS
            assert reason.rule in RULES
            assert reason.text
            assert reason.remedy, reason
            assert reason.place.startswith(f"{bank}.aml-detection, line "), reason.place
            if reason.rule == "operations":
                # The path begins where the column is scanned and ends at the step that is at fault.
                steps = {step.id: step for step in answer.plan.steps}
                assert reason.column.split(".")[0] in ("deposits", "accounts")
                assert steps[reason.trail[0]].kind == "scan"
                assert {*reason.trail, reason.step} <= steps.keys()


def test_every_denied_query_comes_with_one_that_passes() -> None:
    """Somebody who may ask anything of the table is told what: no denial by the query's own words is a dead end."""
    for one in denied():
        answer = compiled(one.sql, one.submitter)
        assert {reason.rule for _, reason in answer.decision.denials()} <= BY_QUERY
        assert answer.suggestion is not None, one.sql
        assert answer.suggestion != one.sql
        assert compiled(answer.suggestion, one.submitter).permitted, one.sql
        error = refusal(answer)
        assert answer.suggestion in error.remedy
        _, first = answer.decision.denials()[0]
        assert first.column in error.place
        assert " -> ".join(first.trail) in error.place


@pytest.mark.parametrize("submitter", ["ana@bank-c", "eve@bank-a"])
def test_nothing_is_suggested_to_somebody_who_may_not_ask(submitter: str) -> None:
    assert compiled("SELECT ts, COUNT(*) AS n FROM deposits GROUP BY ts", submitter).suggestion is None
