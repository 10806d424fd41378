"""A catalogue with SQL that can't work is refused before anybody signs it."""

import pytest

from consortia.errors import RequestError
from consortia.plans.catalogue import Catalogue, CatalogueTable
from consortia.plans.check_catalogue import check_catalogue
from tests.fixtures_catalogue import CATALOGUE, DEPOSITS, TRANSACTIONS


def with_table(table: CatalogueTable, **changes: object) -> Catalogue:
    changed = CatalogueTable.model_validate(dict(table) | changes)
    others = tuple(other for other in CATALOGUE.tables if other.name != table.name)
    return CATALOGUE.model_copy(update={"tables": (*others, changed)})


def test_the_catalogue_of_the_tests_is_sound() -> None:
    check_catalogue(CATALOGUE)


@pytest.mark.parametrize(
    ("canonical", "code", "place"),
    [
        ("coalesce(from_bank, to_bnk) = member()", "plans/unknown-column", "`transactions`, line 1, column 21"),
        ("from_bank", "plans/type", "line 1, column 1"),
        ("from_bank = 'bank-z'", "plans/unknown-word", "line 1, column 1"),
        ("from_bank IN (SELECT bank FROM accounts)", "plans/unsupported", "line 1"),
    ],
)
def test_a_canonical_predicate_must_bind(canonical: str, code: str, place: str) -> None:
    with pytest.raises(RequestError) as refusal:
        check_catalogue(with_table(TRANSACTIONS, canonical=canonical))
    assert refusal.value.code == code
    assert place in refusal.value.place
    assert "canonical" in refusal.value.place


@pytest.mark.parametrize(
    ("definition", "named"),
    [
        ("SELECT FROM WHERE", "parsed"),
        ("DROP TABLE transactions", "not one SELECT"),
        ("SELECT 1; SELECT 2", "not one SELECT"),
        ("COPY transactions TO 'out.csv'", "not one SELECT"),
        ("SELECT * FROM transaction", "`transaction`, which is no table"),
        ("SELECT * FROM deposits", "reads the local table `deposits`"),
    ],
)
def test_a_local_table_is_one_select_over_tables_of_data(definition: str, named: str) -> None:
    with pytest.raises(RequestError, match=named) as refusal:
        check_catalogue(with_table(DEPOSITS, definition=definition))
    assert refusal.value.code == "plans/catalogue"


def test_the_names_of_its_own_with_clauses_are_no_tables() -> None:
    check_catalogue(with_table(DEPOSITS, definition="WITH cash AS (SELECT * FROM transactions) SELECT * FROM cash"))


def test_every_holder_of_a_local_table_holds_what_it_reads() -> None:
    with pytest.raises(RequestError, match="`bank-c` holds it but not `transactions`"):
        check_catalogue(with_table(TRANSACTIONS, holders=("bank-a", "bank-b")))
    with pytest.raises(RequestError, match="no canonical predicate"):
        check_catalogue(with_table(DEPOSITS, canonical="currency = 'EUR'"))
