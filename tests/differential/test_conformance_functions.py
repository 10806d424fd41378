"""Inputs on which fixed point went wrong elsewhere: division, products, the sigmoid, truncation: N3 to N7.

What is computed on shares is put behind a nested query, so that neither an owner nor the recipient computes it.
"""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from consortia.errors import RequestError
from consortia.plans.catalogue import Catalogue, CatalogueColumn, KeyDomain
from consortia.plans.model import Project
from consortia.plans.types import ColumnType
from consortia.protocols.arithmetic.truncate import truncate
from consortia.protocols.sharing.ring3 import Ring3Arithmetic
from tests.fixtures_catalogue import BANKS, INT, column, table
from tests.pooled_relations import Pool
from tests.world import World, by_rank

Values = dict[int, tuple[int | None, int | None]]
NUMBERS = KeyDomain(name="customer", id_type="number", key_id="aa")


def decimal(scale: int) -> ColumnType:
    return ColumnType(kind="decimal", scale=scale)


def on_shares(folder: Path, expression: str, a: CatalogueColumn, b: CatalogueColumn, values: Values) -> dict[int, int]:
    """``expression`` of the sums a and b of each key, computed on shares, in carried units by key."""
    held = table("t", column("k", INT, 0, 20), a, b, max_rows=6)
    catalogue = Catalogue(
        consortium="testers", version=1, previous="0" * 64, purposes=("aml-detection",), key_domains=(NUMBERS,),
        tables=(held,),
    )  # fmt: skip
    rows = {
        bank: [{"k": key, "a": x, "b": y} for key, (x, y) in values.items() if key % 3 == place]
        for place, bank in enumerate(BANKS)
    }
    asked = Pool(folder, {"t": rows}, catalogue)
    groups = "SELECT k, SUM(a) AS a, SUM(b) AS b FROM t GROUP BY k"
    plan = asked.plan(f"SELECT k, y FROM (SELECT k, {expression} AS y FROM ({groups}) AS g) AS h GROUP BY k, y")
    assert any(isinstance(step, Project) and step.at == "shared" for step in plan.steps)
    ((_, found),) = asked.answers(plan).items()
    return {row["k"]: row["y"] for row in found}


def test_n3_a_quotient_by_a_secret_count_is_exact_for_every_count(tmp_path: Path) -> None:
    counts = (1, 2, 499, 500, 501, 666, 10**6)
    values: Values = {key: (123_456_789 * key + 1, count) for key, count in enumerate(counts)}
    found = on_shares(
        tmp_path, "a / b", column("a", decimal(2), 0, 10**10), column("b", INT, 0, 10**6), values
    )  # decimal(2) / int is a decimal(8)
    for key, (total, count) in values.items():
        exact = Fraction(int(total or 0) * 10**6, int(count or 1))
        assert abs(found[key] - exact) <= Fraction(1, 2), count


@pytest.mark.parametrize(
    ("expression", "scales", "pair", "wanted"),
    [
        ("a * b", (0, 6), (10**6, 1), 10**6),  # 1000000 x 0.000001, six places
        ("b * a", (0, 6), (10**6, 1), 10**6),
        ("a * a - b * a", (0, 0), (10**6, 999_999), 10**6),
        ("a * (a - b)", (0, 0), (10**6, 999_999), 10**6),
    ],
)
def test_n4_small_factors_do_not_vanish_and_reordered_forms_agree(
    tmp_path: Path, expression: str, scales: tuple[int, int], pair: tuple[int, int], wanted: int
) -> None:
    a, b = column("a", decimal(scales[0]), 0, 10**6), column("b", decimal(scales[1]), 0, 10**6)
    assert on_shares(tmp_path, expression, a, b, {0: pair}) == {0: wanted}


def test_n4_a_quotient_has_the_stated_digits_every_time_or_is_refused(tmp_path: Path) -> None:
    values: Values = {0: (48_389_524_527, 9_672_159)}
    a, b = column("a", decimal(0), 0, 5 * 10**10), column("b", decimal(0), 0, 10**7)
    wanted = round(Fraction(48_389_524_527 * 10**6, 9_672_159))
    assert on_shares(tmp_path / "first", "a / b", a, b, values) == {0: wanted}
    assert on_shares(tmp_path / "again", "a / b", a, b, values) == {0: wanted}
    assert round(Decimal(wanted) / 10**6, 2) == Decimal("5002.97")
    with pytest.raises(RequestError) as caught:
        on_shares(tmp_path / "wide", "a * b", column("a", decimal(0), 0, 10**12), column("b", INT, 0, 10**9), values)
    assert caught.value.code == "plans/capacity"


def test_n5_the_sigmoid_is_monotone_in_0_to_1_and_exact_at_the_far_ends(tmp_path: Path) -> None:
    scores = (-1000, -50, -10, -8, -1, 0, 1, 8, 10, 50, 1000)
    values: Values = {key: (score * 100, 0) for key, score in enumerate(scores)}
    found = on_shares(tmp_path, "SIGMOID(a)", column("a", decimal(2), -(10**5), 10**5), column("b", INT, 0, 1), values)
    got = [found[key] for key in values]
    assert got == sorted(got)
    assert (got[0], got[1], got[-2], got[-1]) == (0, 0, 10**6, 10**6)
    true = 1 / (1 + np.exp(-np.clip(np.array(scores, float), -100, 100)))
    assert np.abs(np.array(got) / 10**6 - true).max() <= 1e-3


@pytest.mark.parametrize("fraction", [16, 20, 24, 30, 40])
def test_n6_truncations_near_two_to_forty_are_off_by_less_than_a_unit(fraction: int) -> None:
    """Ten million of them: ``tests/unit/protocols/test_truncate_primitives.py``. No precision has a failure bound."""
    count = 50_000
    draw = np.random.default_rng(fraction)
    z = draw.integers(-1000, 1000, count) + np.where(draw.integers(0, 2, count) == 1, 1 << 40, -(1 << 40))
    z[:2] = (1 << 62) - 1, 1 - (1 << 62)
    first, second = draw.integers(0, 1 << 64, (2, count), dtype=np.uint64)
    shares = by_rank(Ring3Arithmetic, (first, second, z.view(np.uint64) - first - second))
    out = World(fraction).run_contexts(lambda ctx: truncate(ctx.narrow("op"), shares[ctx.rank], fraction))
    result = (out[0].first + out[1].first + out[2].first).view(np.int64)
    assert set(np.unique(result - (z >> fraction))) <= {0, 1}


def test_n7_integer_division_truncates_towards_zero_and_by_zero_is_null(tmp_path: Path) -> None:
    values: Values = {0: (4, 3), 1: (14, -3), 2: (-14, 3), 3: (0, 5), 4: (5, 0), 5: (None, 3)}
    a, b = column("a", INT, -100, 100, nullable=True), column("b", INT, -100, 100, nullable=True)
    assert on_shares(tmp_path, "a / b", a, b, values) == {0: 1, 1: -4, 2: -4, 3: 0, 4: None, 5: None}
