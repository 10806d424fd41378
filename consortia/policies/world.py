"""What a decision is made from beside the plan: documents in force, all of them public within the consortium."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from consortia.plans.catalogue import Catalogue
from consortia.policies.language.parse import LoadedPolicy
from consortia.trust.manifest import Card, Manifest


@dataclass(frozen=True)
class PolicyWorld:
    """Manifest, catalogue, the members' cards by member id, and the policies in force.

    ``policies`` hold only what ``signed.policy_in_force`` returned (or an author's draft, for a preview). At most one
    is in force for an owner and purpose: two are an error, and an error is a denial.
    """

    manifest: Manifest
    catalogue: Catalogue
    cards: Mapping[str, Card]
    policies: tuple[LoadedPolicy, ...]

    @cached_property
    def manifest_digest(self) -> str:
        """The manifest's digest; kept, since every rule of every decision may ask for it."""
        return self.manifest.digest()

    @cached_property
    def catalogue_digest(self) -> str:
        """The catalogue's digest, kept alike."""
        return self.catalogue.digest()

    def policies_of(self, owner: str, purpose: str) -> tuple[LoadedPolicy, ...]:
        """The policies of ``owner`` for ``purpose``; exactly one is as it must be."""
        return tuple(
            loaded
            for loaded in self.policies
            if loaded.policy.identity.owner == owner and loaded.policy.purpose.code == purpose
        )

    def digests(self, owners: tuple[str, ...], purpose: str) -> dict[str, str]:
        """SHA-256 of the policy of each of ``owners`` that has exactly one for ``purpose``, by owner, sorted."""
        found = {owner: self.policies_of(owner, purpose) for owner in sorted(owners)}
        return {owner: loaded[0].digest for owner, loaded in found.items() if len(loaded) == 1}

    def privacy_units(self, purpose: str) -> dict[str, str]:
        """The privacy unit's column of each table on which all policies for ``purpose`` agree."""
        named: dict[str, set[str]] = {}
        for loaded in self.policies:
            if loaded.policy.purpose.code == purpose:
                for name, table in loaded.policy.data.tables.items():
                    named.setdefault(name, set()).add(table.privacy_unit)
        return {name: units.pop() for name, units in sorted(named.items()) if len(units) == 1}

    def collusion(self, purpose: str) -> dict[str, int]:
        """How many computers may collude by each owner's policy for ``purpose``, the most where it has several."""
        found: dict[str, int] = {}
        for loaded in self.policies:
            policy = loaded.policy
            if policy.purpose.code == purpose:
                found[policy.identity.owner] = max(found.get(policy.identity.owner, 1), policy.parties.collusion)
        return dict(sorted(found.items()))
