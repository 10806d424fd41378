"""What others are told of an error: a request that fails in the run reaches its analyst with the remedy."""

import pytest

from consortia.control.messages import Fault
from consortia.errors import OperatorError, RequestError
from tests.pooled_relations import Pool

SQL = "SELECT p.born, SUM(s.pieces) AS n FROM sales s JOIN people p ON s.who = p.who GROUP BY p.born"


def test_a_join_that_would_multiply_rows_is_the_analysts_error_at_every_party(tmp_path) -> None:
    sale = {"who": "1", "shop": 1, "paid": 1, "pieces": 2, "land": 0, "day": 0}
    person = {"who": "1", "born": 1990, "risk": 1}
    data = {"sales": {"bank-a": [sale]}, "people": {"bank-b": [person], "bank-c": [person]}}
    with pytest.raises(RequestError, match="relational/many-to-many") as caught:
        Pool(tmp_path / "pool", data).ask(SQL)
    told = Fault.of(caught.value, "bank-b").error()
    assert isinstance(told, RequestError)
    assert (told.code, told.message, told.remedy) == (caught.value.code, caught.value.message, caught.value.remedy)


def test_of_an_owners_data_others_are_told_the_code_alone() -> None:
    told = Fault.of(OperatorError("local/duplicate-keys", "2 of 4 rows", remedy="look at row 3"), "bank-b")
    assert told.code == "local/duplicate-keys"
    assert "2 of 4" not in told.model_dump_json()
    assert "row 3" not in told.model_dump_json()
