"""Where policies stand, and when officers are warned."""

from datetime import UTC, datetime, timedelta

import pytest

from consortia.policies.status import days_left, warning_at
from tests.policies_world import loaded

END = datetime(2027, 1, 16, tzinfo=UTC)
"""The standard policy's last day is 15 January 2027, which counts in full."""


@pytest.mark.parametrize(
    ("before", "left", "warned"),
    [
        (timedelta(days=31, hours=1), 31, None),
        (timedelta(days=30, hours=1), 30, 30),
        (timedelta(days=8), 8, 30),
        (timedelta(days=7, hours=23), 7, 7),
        (timedelta(days=2), 2, 7),
        (timedelta(days=1, hours=1), 1, 1),
        (timedelta(seconds=1), 0, 1),
        (timedelta(0), 0, 1),
        (timedelta(seconds=-1), -1, None),
    ],
)
def test_the_least_threshold_that_was_reached_is_the_warning(before: timedelta, left: int, warned: int | None) -> None:
    found = days_left(loaded("bank-a"), END - before)
    assert (found, warning_at(found)) == (left, warned)
