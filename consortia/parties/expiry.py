"""Warnings in the node's log before a policy ends: an expired policy stops every run on its owner's data."""

from datetime import datetime, timedelta

import structlog

from consortia.errors import ConsortiaError
from consortia.policies.language.parse import LoadedPolicy, read_policy
from consortia.policies.status import days_left, warning_at
from consortia.trust.folder import TrustFolder

_LOG = structlog.get_logger("consortia.parties")
_EVERY = timedelta(hours=1)


class ExpiryWatch:
    """The policies in ``folder``; ``look`` is called as often as one likes and warns once a threshold and policy."""

    def __init__(self, folder: TrustFolder, member: str) -> None:
        self._folder = folder
        self._member = member
        self._next: datetime | None = None
        self._warned: set[tuple[str, int]] = set()

    def look(self, now: datetime) -> tuple[tuple[str, int], ...]:
        """Warn of every policy that ends within 30, 7 or 1 days, this member's own first; owner and days of each."""
        if self._next is not None and now < self._next:
            return ()
        self._next = now + _EVERY
        warned = []
        for loaded in self._policies():
            left = days_left(loaded, now)
            threshold = warning_at(left)
            if threshold is not None and (loaded.digest, threshold) not in self._warned:
                self._warned.add((loaded.digest, threshold))
                identity = loaded.policy.identity
                warned.append((identity.owner, left))
                _LOG.warning(
                    "policy-expires",
                    policy=identity.id,
                    owner=identity.owner,
                    own=identity.owner == self._member,
                    last_day=loaded.policy.validity.not_after.isoformat(),
                    days=left,
                    remedy="its author writes the next version with `consortia policy amend`, two officers sign it",
                )
        return tuple(warned)

    def days_left(self, now: datetime) -> float:
        """Days until the first of this member's own policies ends, for a dashboard; infinite if it has none."""
        own = [days_left(one, now) for one in self._policies() if one.policy.identity.owner == self._member]
        return float(min(own, default=float("inf")))

    def _policies(self) -> list[LoadedPolicy]:
        found = []
        for owner, purpose in self._folder.policies():
            try:
                found.append(read_policy(self._folder.policy(owner, purpose).payload_bytes()))
            except ConsortiaError as error:
                _LOG.warning("policy-unreadable", owner=owner, purpose=purpose, code=error.code)
        return sorted(found, key=lambda loaded: loaded.policy.identity.owner != self._member)
