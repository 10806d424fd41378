"""How long recipients' nodes may keep rows: the shortest time that an owner's policy says."""

import pytest

from consortia.policies.retention import retention_of
from tests.fixtures_catalogue import STATISTICS, STRUCTURING
from tests.policies_world import draft_of, loaded, make_world

OFF = "retention-days: off"


@pytest.mark.parametrize(("limits", "kept"), [(("30", "7", "off"), [7]), (("off", "off", "off"), []), (("1",), [1])])
def test_the_shortest_time_of_all_owners_holds(limits: tuple[str, ...], kept: list[int]) -> None:
    owners = ("bank-a", "bank-b", "bank-c")[: len(limits)]
    policies = [
        loaded(owner, (OFF, f"retention-days: {limit}")).policy for owner, limit in zip(owners, limits, strict=True)
    ]
    plan = draft_of(STRUCTURING, make_world())
    assert list(retention_of(plan, policies).values()) == kept


def test_numbers_over_groups_have_no_clock_at_a_node() -> None:
    policies = [loaded("bank-a", (OFF, "retention-days: 7")).policy]
    assert retention_of(draft_of(STATISTICS, make_world()), policies) == {}
