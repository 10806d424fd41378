"""An owner whose rows repeat the key of a join refuses before anything is shared, and tells only itself how many."""

from pathlib import Path

import pytest

from consortia.control.messages import Fault
from consortia.errors import OperatorError
from tests.pooled_relations import Pool

SALES = {"bank-a": [{"who": "1", "shop": shop, "paid": 1, "pieces": 2, "land": 0, "day": 0} for shop in (1, 2, None)]}
JOIN = "SELECT h.land, SUM(s.pieces) AS n FROM sales s JOIN shops h ON s.shop = h.shop GROUP BY h.land"


def shop(number: int | None, land: int = 1, size: int | None = 7) -> dict[str, int | None]:
    return {"shop": number, "land": land, "size": size, "open": 1}


def pool(folder: Path, *shops: dict[str, int | None]) -> Pool:
    return Pool(folder, {"sales": SALES, "shops": {"bank-b": shops}})


def test_keys_that_stand_once_are_joined(tmp_path: Path) -> None:
    found = pool(tmp_path, shop(1), shop(2, 2), shop(None), shop(None, 2)).ask(JOIN, shared=False)
    assert found == [{"land": 1, "n": 2}, {"land": 2, "n": 2}]


def test_a_repeated_key_is_refused_by_its_owner_with_the_number_of_rows(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="2 of 4 rows") as caught:
        pool(tmp_path, shop(1), shop(2), shop(2, 2), shop(2, 0)).ask(JOIN, shared=False)
    assert caught.value.code == "local/duplicate-keys"
    told = Fault.of(caught.value, "bank-b")
    assert told.code == "local/duplicate-keys"
    assert "2 of 4" not in told.model_dump_json()


def test_keys_of_several_columns_and_renamed_ones_are_followed_to_the_owner(tmp_path: Path) -> None:
    sql = (
        "SELECT h.size, SUM(s.pieces) AS n FROM sales s "
        "JOIN (SELECT shop AS place, land AS country, size FROM shops) h "
        "ON s.shop = h.place AND s.land = h.country GROUP BY h.size"
    )
    assert pool(tmp_path / "a", shop(1, 0), shop(1, 1)).ask(sql, shared=False) == [{"size": 7, "n": 2}]
    with pytest.raises(OperatorError, match="local/duplicate-keys"):
        pool(tmp_path / "b", shop(1, 0), shop(1, 0, 8)).ask(sql, shared=False)


def test_the_least_and_the_greatest_value_are_found_by_the_owners_first(tmp_path: Path) -> None:
    asked = Pool(tmp_path, {"sales": SALES})
    sql = "SELECT land, MIN(shop) AS a, MAX(shop) AS b, MIN(pieces) AS c FROM sales GROUP BY land"
    assert {frame.height for frame in asked.frames(asked.plan(sql)).values()} == {0, 1}
    assert asked.ask(sql) == [{"land": 0, "a": 1, "b": 2, "c": 2}]
