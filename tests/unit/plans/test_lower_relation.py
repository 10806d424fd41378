"""Queries over relations as plans: what owners do, what happens on shares, what is refused."""

from consortia.plans.build import build_plan
from consortia.plans.expressions import Const
from consortia.plans.model import AggregateStep, Join, Plan, Share, Sort, Union
from consortia.plans.obligations import NO_OBLIGATIONS, Obligations
from consortia.plans.query import Query
from tests.fixtures_catalogue import AMOUNT, CURRENCY, environment
from tests.relation_trees import aggregate, columns, grouped, joined, query, ref, where

EURO = Const(type=CURRENCY, integer=0, text="EUR")
RULES = Obligations(entity="customer_key", minimum_entities=5, minimum_members=2)


def plan_of(asked: Query, obligations: Obligations = NO_OBLIGATIONS) -> Plan:
    return build_plan(asked, environment(), obligations)


def risk_of_deposits() -> Query:
    """Deposits by the highest risk score that any bank gives their customer."""
    accounts = columns("accounts", "a", "customer_key", "risk_score")
    risk = grouped(accounts, ["a_customer_key"], aggregate("risk", "max", "a_risk_score"))
    deposits = columns("deposits", "d", "customer_key", "amount_minor", "currency")
    deposits = where(deposits, "eq", ref("d_currency"), EURO)
    relation = joined("inner", deposits, risk, ("d_customer_key", "a_customer_key"))
    return query(relation, ["risk"], aggregate("total", "sum", "d_amount_minor", AMOUNT), aggregate("n", "count-rows"))


def test_a_join_of_two_tables_shares_what_is_needed_of_each_and_counts_contributors_in_the_last_group() -> None:
    plan = plan_of(risk_of_deposits(), RULES)
    shares = {step.columns[0].name: step for step in plan.steps if isinstance(step, Share)}
    assert [column.name for column in shares["d_customer_key"].columns] == ["d_customer_key", "d_amount_minor"]
    assert [column.name for column in shares["a_customer_key"].columns] == ["a_customer_key", "risk"]
    (join,) = [step for step in plan.steps if isinstance(step, Join)]
    assert join.uniqueness == "grouped"
    last = [step for step in plan.steps if isinstance(step, AggregateStep)][-1]
    assert (last.keys, last.entity, last.unique_per_member) == (("risk",), "d_customer_key", False)
    assert {made.name for made in last.aggregates} == {"total", "n", "other_entities", "other_members"}
    sort = plan.step(last.inputs[0])
    assert isinstance(sort, Sort)
    assert [key.column for key in sort.keys] == ["risk", "d_customer_key"]


def test_owners_steps_stand_first_by_member_and_every_step_reads_earlier_ones() -> None:
    plan = plan_of(risk_of_deposits())
    for number, step in enumerate(plan.steps):
        assert step.id == f"s{number}"
        assert all(int(source[1:]) < number for source in step.inputs)
    places = [step.at for step in plan.steps]
    assert places == sorted(places, key=lambda at: ("owner" not in at, at == "recipient", at if "owner" in at else ""))
    assert all(len(plan.step(share).columns) for step in plan.steps if isinstance(step, Union) for share in step.inputs)
    assert plan.owners() == ("bank-a", "bank-b", "bank-c")
