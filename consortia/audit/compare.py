"""Two verified packs side by side: what was the same in both runs, and what somebody changed in between. Pure.

A snapshot's root is salted and made at registration: the same root is the same rows, to the last one; another root
says that the member registered the table anew, and its approval shows which it used when.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from consortia.audit.page import Page, Section
from consortia.audit.verify import Verified
from consortia.errors import RequestError
from consortia.trust.documents import instant_text

ABSENT = "not used"


@dataclass(frozen=True, slots=True)
class Compared:
    """One thing in both runs: ``first`` and ``second`` are digests, versions or texts."""

    part: str
    of: str
    first: str
    second: str

    @property
    def changed(self) -> bool:
        """Whether both runs used it, each another one."""
        return self.first != self.second and ABSENT not in (self.first, self.second)


def compare(first: Verified, second: Verified) -> tuple[Compared, ...]:
    """Data, policies, documents, software and query of two runs, the earlier one first, data in front.

    Raises RequestError ``audit/compare`` if they are of two consortia.
    """
    earlier, later = sorted((first, second), key=lambda one: (one.believed.at, one.session))
    names = {one.believed.trusted.manifest.consortium for one in (first, second)}
    if len(names) > 1:
        raise RequestError(
            "audit/compare",
            f"the packs are of two consortia, {' and '.join(sorted(names))}",
            remedy="compare packs of one consortium",
        )
    parts = (("data", _data), ("policy", _policies), ("document", _documents), ("software", _software), ("run", _run))
    return tuple(
        Compared(part, name, before.get(name, ABSENT), after.get(name, ABSENT))
        for part, of in parts
        for before, after in [(of(earlier), of(later))]
        for name in sorted({*before, *after})
    )


def compare_page(first: Verified, second: Verified) -> Page:
    """The comparison as a page: what changed in front, then what stayed."""
    earlier, later = sorted((first, second), key=lambda one: (one.believed.at, one.session))
    compared = compare(first, second)
    changed = [one for one in compared if one.changed]
    data = [one for one in changed if one.part == "data"]
    return Page(
        title=f"Sessions {earlier.session} and {later.session}",
        verdict=f"BOTH VERIFIED. Data registered anew in between: {', '.join(one.of for one in data) or 'none'}",
        sections=(
            Section(
                "The two runs",
                tuple(
                    (one.session, (f"approved {instant_text(one.believed.at)}, asked by {one.submission.submitter}",))
                    for one in (earlier, later)
                ),
            ),
            Section(
                "Changed",
                tuple((f"{one.part}: {one.of}", (f"first  {one.first}", f"then   {one.second}")) for one in changed),
            ),
            Section(
                "The same",
                tuple((f"{one.part}: {one.of}", (one.first,)) for one in compared if one.first == one.second),
            ),
        ),
    )


def _data(verified: Verified) -> Mapping[str, str]:
    return {
        f"{party}, {root.table}": root.root
        for party, approval in verified.run.approvals.items()
        for root in approval.snapshots
    }


def _policies(verified: Verified) -> Mapping[str, str]:
    return {
        owner: f"version {loaded.policy.identity.version}, {loaded.digest}"
        for owner, loaded in verified.believed.policies.items()
    }


def _documents(verified: Verified) -> Mapping[str, str]:
    believed = verified.believed
    return {
        "manifest": f"version {believed.trusted.manifest.version}, {verified.fingerprint}",
        "catalogue": f"version {believed.catalogue.version}, {believed.catalogue.digest()}",
    }


def _software(verified: Verified) -> Mapping[str, str]:
    return {party: hello.software for party, hello in verified.run.hellos.items()}


def _run(verified: Verified) -> Mapping[str, str]:
    return {"query": " ".join(verified.submission.sql.split()), "purpose": verified.submission.purpose}
