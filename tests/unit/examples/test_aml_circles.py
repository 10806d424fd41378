"""A circle is hidden if no bank's book holds it, whatever else the books hold."""

from pathlib import Path

import pytest

from examples.aml import plain
from examples.aml.circles import hidden
from examples.aml.generate import generate
from examples.aml.generator.parameters import Parameters
from examples.aml.generator.planted import Truth

SPEC = plain.Spec.read("cycles")
PARAMETERS = Parameters.of_size(800, 5_000, seed=2030)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    data = tmp_path_factory.mktemp("data")
    return data, generate(PARAMETERS, data)


def test_a_hidden_circle_lies_over_all_banks_and_in_no_book(world: tuple[Path, Truth]) -> None:
    data, truth = world
    circles = hidden(data, truth, PARAMETERS.banks, SPEC)
    assert circles
    pooled = plain.cycles(plain.payments(plain.held(data), SPEC), SPEC)
    for circle in circles:
        assert all(circle.accounts[bank] for bank in PARAMETERS.banks)
        assert {account for accounts in circle.accounts.values() for account in accounts} <= pooled
        for bank in PARAMETERS.banks:
            assert circle.booked[bank] < circle.payments
            own = plain.cycles(plain.payments(plain.held(data, bank), SPEC), SPEC)
            assert not own & {account for accounts in circle.accounts.values() for account in accounts}


def test_a_rule_that_finds_no_circle_hides_none(world: tuple[Path, Truth]) -> None:
    data, truth = world
    never = plain.Spec("cycles", {**SPEC.fields, "window": "1 seconds"})
    assert hidden(data, truth, PARAMETERS.banks, never) == []
