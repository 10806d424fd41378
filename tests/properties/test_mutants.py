"""Six faults that would be worst, each put in on purpose: the test named as its killer passes before and fails then.

The table in docs/contributors.md lists them. A killer is a test of this file or of another room, called as it is.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consortia.execution import steps
from consortia.parties import approval
from consortia.parties.local import statement
from consortia.plans import grouping
from consortia.plans.obligations import Obligations
from consortia.plans.passes import split_locally
from consortia.plans.ranges import Range
from consortia.policies.language import parse
from consortia.protocols.context import Context
from tests.fixtures_catalogue import BANK, BANKS, COUNTRY, CUSTOMER, INT, column
from tests.pooled_banks import Banks
from tests.unit.parties.test_approvals import test_an_approval_signed_by_anybody_else_is_refused as forged_approval
from tests.unit.policies.test_policy_enforcement import (
    test_a_policy_in_which_an_unenforced_rule_is_in_effect_by_its_text_is_refused_naming_it as unenforced_rule,
)
from tests.world import World

# --- killers of this file --------------------------------------------------------------------------------------------


def test_the_messages_of_a_product_are_fresh_even_for_the_same_shares() -> None:
    """Without its zero share a message is a function of the factors' shares alone, and tells of them."""
    fixed = World(1)
    left, right = fixed.share_arithmetic(range(5)), fixed.share_arithmetic(range(5))
    sent: dict[str, set[bytes]] = {name: set() for name in World.computers}

    def listen(step: str, sender: str, receiver: str, payload: bytes) -> bytes:
        sent[sender].add(payload)
        return payload

    for seed in range(4):
        World(seed, interceptor=listen).run(
            lambda engine: engine.narrow("product").multiply(left[engine.ctx.rank], right[engine.ctx.rank])
        )
    assert [len(messages) for messages in sent.values()] == [4, 4, 4]


def test_a_cell_of_too_few_customers_is_not_opened(tmp_path: Path) -> None:
    banks = Banks(tmp_path, column("k", CUSTOMER), column("country", COUNTRY), column("x", INT, 0, 9))
    banks.csv("bank-a", "k,country,x\n1,DE,5\n")
    banks.csv("bank-b", "k,country,x\n2,DE,5\n3,FR,7\n")
    banks.csv("bank-c", "k,country,x\n4,DE,5\n5,DE,5\n2,FR,7\n")
    rules = Obligations(entity="k", minimum_entities=3, minimum_members=3)
    rows = banks.ask("SELECT country, SUM(x) AS s FROM t GROUP BY country", rules).rows()
    hidden = [("AT", None, True), ("BE", None, True), ("FR", None, True), ("NL", None, True)]
    assert sorted(rows) == sorted([("DE", 20, False), *hidden])


def test_count_of_a_column_leaves_out_nulls(tmp_path: Path) -> None:
    banks = Banks(tmp_path, column("x", INT, 0, 9, nullable=True), column("c", COUNTRY))
    for bank in BANKS:
        banks.csv(bank, "x,c\n1,DE\n,DE\n,FR\n")
    for obligations in (Obligations(), Obligations(pre_aggregate=False)):
        frame = banks.ask("SELECT c, COUNT(x) AS k, COUNT(*) AS n FROM t GROUP BY c ORDER BY c", obligations)
        assert frame.rows() == [("DE", 3, 6), ("FR", 0, 3)]


def test_a_transfer_between_two_banks_that_both_hold_counts_once(tmp_path: Path) -> None:
    sides = (column("from_bank", BANK, nullable=True), column("to_bank", BANK, nullable=True))
    banks = Banks(tmp_path, *sides, canonical="coalesce(from_bank, to_bank) = member()")
    banks.csv("bank-a", "from_bank,to_bank\nbank-a,bank-b\nbank-c,bank-a\n,bank-a\n")
    banks.csv("bank-b", "from_bank,to_bank\nbank-a,bank-b\n")
    banks.csv("bank-c", "from_bank,to_bank\nbank-c,bank-a\n")
    assert banks.ask("SELECT COUNT(*) AS n FROM t").rows() == [(3,)]


# --- the mutants -----------------------------------------------------------------------------------------------------


class Zeros:
    def fill(self, words: np.ndarray) -> None:
        words.fill(0)

    def draw(self, count: int, dtype: Any = np.uint64) -> np.ndarray:
        return np.zeros(count, dtype)


def no_zero_share(ctx: Context) -> tuple[Zeros, Zeros]:
    return Zeros(), Zeros()


def control_bit_ignored(engine: Any, table: Any, rules: Any, keep: Any, domains: Any) -> Any:
    return table.only(keep)


def signature_not_verified(envelope: Any, kind: Any, party: str, key: Any) -> Any:
    return kind.parse(envelope.payload_bytes())


def nulls_counted_by_owners(aggregate: Any, *more: Any, honest: Callable[..., Any] = statement._aggregate) -> Any:
    if aggregate.function == "count":
        aggregate = aggregate.model_copy(update={"function": "count-rows"})
    return honest(aggregate, *more)


def nulls_counted_by_the_planner(*arguments: Any, honest: Callable[..., Range] = grouping.infer) -> Range:
    return Range(honest(*arguments).bounds, nullable=False)


def canonical_predicate_dropped(*arguments: Any, honest: Callable[..., Any] = split_locally._filters) -> Any:
    return [(origin, predicate) for origin, predicate in honest(*arguments) if origin != "canonical"]


def unenforced_rule_accepted(loaded: Any) -> None:
    return None


@dataclass(frozen=True)
class Mutant:
    where: object
    name: str
    replacement: Callable[..., Any]
    killer: Callable[..., None]
    arguments: tuple[Any, ...] = ()


MUTANTS = (
    Mutant(Context, "zero_streams", no_zero_share, test_the_messages_of_a_product_are_fresh_even_for_the_same_shares),
    Mutant(steps, "control", control_bit_ignored, test_a_cell_of_too_few_customers_is_not_opened),
    Mutant(approval, "verify_by_one", signature_not_verified, forged_approval),
    Mutant(statement, "_aggregate", nulls_counted_by_owners, test_count_of_a_column_leaves_out_nulls),
    Mutant(grouping, "infer", nulls_counted_by_the_planner, test_count_of_a_column_leaves_out_nulls),
    Mutant(
        split_locally,
        "_filters",
        canonical_predicate_dropped,
        test_a_transfer_between_two_banks_that_both_hold_counts_once,
    ),
    Mutant(parse, "require_enforced", unenforced_rule_accepted, unenforced_rule, ("outputs.aggregate.onward-sharing",)),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.replacement.__name__ for mutant in MUTANTS])
def test_a_mutant_is_killed_by_the_test_that_is_named_for_it(
    mutant: Mutant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killer(folder: str) -> None:
        takes_folder = "tmp_path" in inspect.signature(mutant.killer).parameters
        (tmp_path / folder).mkdir()
        mutant.killer(*((tmp_path / folder,) if takes_folder else mutant.arguments))

    killer("honest")
    monkeypatch.setattr(mutant.where, mutant.name, mutant.replacement)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        killer("mutated")


def test_every_mutant_stands_in_the_guide_with_its_killer() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "contributors.md").read_text()
    for mutant in MUTANTS:
        row = next(line for line in guide.splitlines() if f"`{mutant.replacement.__name__}`" in line)
        assert f"`{mutant.killer.__name__}`" in row
