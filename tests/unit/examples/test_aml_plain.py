"""Plain detectors on hand-made payments, where every answer can be checked by eye."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from examples.aml import plain
from examples.aml.generate import generate
from examples.aml.generator.parameters import Parameters
from examples.aml.plain import Payment, Spec

START = datetime(2026, 10, 1)
SPEC = Spec("made", {"window": "36 hours", "part": "0.94", "longest": "3", "middles": "2"})


def paid(source: str, target: str, hours: int, amount: int) -> Payment:
    return Payment(source, target, amount, START + timedelta(hours=hours))


def test_a_cycle_is_money_that_comes_back_in_time_less_a_fee() -> None:
    back = [paid("a", "b", 0, 1000), paid("b", "c", 5, 960), paid("c", "a", 30, 940)]
    assert plain.cycles(back, SPEC) == {"a", "b", "c"}
    assert plain.cycles([*back[:2], paid("c", "a", 42, 940)], SPEC) == set()  # 37 hours later
    assert plain.cycles([*back[:2], paid("c", "a", 30, 900)], SPEC) == set()  # more than a fee less
    assert plain.cycles([*back[:2], paid("c", "a", 30, 961)], SPEC) == set()  # more than came
    assert plain.cycles([*back[:2], paid("c", "a", 5, 940)], SPEC) == set()  # at the same instant


def test_a_cycle_has_different_accounts_and_is_no_longer_than_the_spec_says() -> None:
    long = [paid("a", "b", 0, 1000), paid("b", "c", 1, 1000), paid("c", "d", 2, 1000), paid("d", "a", 3, 1000)]
    assert plain.cycles(long, SPEC) == set()
    assert plain.cycles([paid("a", "a", 0, 1000), paid("a", "a", 1, 1000)], SPEC) == set()
    assert plain.cycles([paid("a", "b", 0, 1000), paid("b", "a", 1, 1000)], SPEC) == {"a", "b"}


def test_scatter_gather_counts_different_middles() -> None:
    through = [paid("s", "m", 0, 1000), paid("m", "t", 1, 990), paid("s", "n", 2, 500), paid("n", "t", 20, 480)]
    assert plain.scatter_gather(through, SPEC) == {"s", "m", "n", "t"}
    twice = [*through[:2], paid("s", "m", 5, 700), paid("m", "t", 6, 700)]
    assert plain.scatter_gather(twice, SPEC) == set()
    to_itself = [paid("s", "m", 0, 9), paid("m", "s", 1, 9), paid("s", "n", 0, 9), paid("n", "s", 1, 9)]
    assert plain.scatter_gather(to_itself, SPEC) == set()


def test_risk_is_the_mean_of_the_payers_by_amount() -> None:
    payments = [Payment("a", "c", 30), Payment("b", "c", 10), Payment("stranger", "c", 99)]
    found = plain.risk({"a": 100.0, "b": 0.0, "c": 20.0}, payments, 1)
    assert found == pytest.approx({"a": 50.0, "b": 0.0, "c": 0.5 * 20 + 0.5 * 75})


def test_ranks_go_where_money_goes() -> None:
    found = plain.ranks(["a", "b"], [Payment("a", "b", 3), Payment("a", "stranger", 9)], 2)
    assert found["a"] == pytest.approx(0.075)
    assert found["b"] == pytest.approx(0.075 + 0.85 * 0.075)


def test_a_bank_holds_its_side_of_every_payment_and_the_pool_each_payment_once(tmp_path: Path) -> None:
    parameters = Parameters.of_size(300, 2_000)
    generate(parameters, tmp_path)
    pooled = plain.held(tmp_path).execute("SELECT tx_id FROM transactions").fetchall()
    assert len(pooled) == len(set(pooled))
    own = [plain.held(tmp_path, bank).execute("SELECT tx_id FROM transactions").fetchall() for bank in parameters.banks]
    assert {row for rows in own for row in rows} == set(pooled)
    assert [len(rows) for rows in own] == [2_000] * 3
    spec = Spec.read("cycles")
    assert len(plain.payments(plain.held(tmp_path), spec)) == plain.rows_within(plain.held(tmp_path), spec) > 0
