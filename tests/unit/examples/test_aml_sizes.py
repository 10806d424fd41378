"""Catalogue and specs for less or more data: sizes alone change."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from consortia.plans.catalogue_file import read_catalogue
from examples.aml import plain
from examples.aml.consortium import CATALOGUE
from examples.aml.sizes import SMALLEST, scaled

KEYS = {"customer": "aa", "account": "bb"}


def test_the_example_s_own_size_is_the_text_itself() -> None:
    assert scaled(CATALOGUE.read_text(), 1, 1) == CATALOGUE.read_text()


@pytest.mark.parametrize("times", [0.1, 7])
def test_a_scaled_catalogue_is_one_and_differs_in_sizes_alone(times: float) -> None:
    before = read_catalogue(CATALOGUE.read_text(), key_ids=KEYS)
    after = read_catalogue(scaled(CATALOGUE.read_text(), times, 2), key_ids=KEYS)
    for old, new in zip(before.tables, after.tables, strict=True):
        assert int(old.max_rows) * times <= int(new.max_rows) <= max(SMALLEST, int(old.max_rows) * times + 1)
        assert [(each.name, each.type, each.bounds) for each in old.columns] == [
            (each.name, each.type, each.bounds) for each in new.columns
        ]


@given(st.floats(0.001, 50))
def test_of_a_spec_only_its_bounds_on_paths_change(times: float) -> None:
    for name in ("cycles", "scatter_gather"):
        before = yaml.safe_load(plain.Spec.read(name).file.read_text())
        after = yaml.safe_load(scaled(plain.Spec.read(name).file.read_text(), times, 2))
        assert {key for key in before if before[key] != after[key]} <= {"paths", "closed"}
        assert min(after["paths"] if name == "cycles" else [after["paths"]]) >= SMALLEST
