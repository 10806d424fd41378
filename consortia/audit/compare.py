"""Two verified packs side by side: what was the same in both runs, and what somebody changed in between. Pure.

A snapshot's root is salted and made at registration: the same root is the same rows, to the last one; another root
says that the member registered the table anew, and its approval shows which it used when.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consortia.audit.page import Fact, Page, Section
from consortia.audit.verify import Verified
from consortia.errors import RequestError
from consortia.policies.own import tables_needed
from consortia.trust.documents import instant_text

ABSENT = "not used"
UNKNOWN = "not known: the pack has no approval of this member"
"""In place of a root, where a run ended before the approval of that owner reached the member whose pack it is."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One thing in both runs: ``first`` and ``second`` are digests, versions or texts."""

    part: str
    of: str
    first: str
    second: str

    @property
    def changed(self) -> bool:
        """Whether the runs did not use the same one: each another, or one run none; not where a pack says nothing."""
        return self.first != self.second and self.comparable

    @property
    def once(self) -> bool:
        """Whether one run alone used it."""
        return self.changed and ABSENT in (self.first, self.second)

    @property
    def comparable(self) -> bool:
        """Whether both packs say what was used."""
        return UNKNOWN not in (self.first, self.second)


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
    """The comparison as a page: what changed in front, then what one run alone used, then what stayed."""
    earlier, later = sorted((first, second), key=lambda one: (one.believed.at, one.session))
    compared = compare(first, second)
    changed = [one for one in compared if one.changed and not one.once]
    data = ", ".join(one.of for one in changed if one.part == "data") or "none"
    unknown = ", ".join(one.of for one in compared if one.part == "data" and not one.comparable)
    how = "" if first.compared and second.compared else ", manifest not compared"
    return Page(
        title=f"Sessions {earlier.session} and {later.session}",
        verdict=f"BOTH VERIFIED{how}. Data registered anew in between: {data}"
        + (f"; not comparable: {unknown}" if unknown else ""),
        sections=(
            Section(
                "The two runs",
                tuple(
                    (one.session, (f"approved {instant_text(one.believed.at)}, asked by {one.submission.submitter}",))
                    for one in (earlier, later)
                ),
            ),
            Section("Changed", _both(changed)),
            Section("In one run only", _both([one for one in compared if one.once])),
            Section("Not comparable", _both([one for one in compared if not one.comparable])),
            Section(
                "The same",
                tuple(
                    (f"{one.part}: {one.of}", (one.first,))
                    for one in compared
                    if one.first == one.second and one.comparable
                ),
            ),
        ),
    )


def _both(compared: Sequence[Compared]) -> tuple[Fact, ...]:
    return tuple((f"{one.part}: {one.of}", (f"first  {one.first}", f"then   {one.second}")) for one in compared)


def _data(verified: Verified) -> Mapping[str, str]:
    plan, approvals = verified.compiled.plan, verified.run.approvals
    found = {
        f"{owner}, {table}": UNKNOWN
        for owner in plan.owners()
        if owner not in approvals
        for table in tables_needed(plan, owner, verified.believed.catalogue)
    }
    for party, approval in approvals.items():
        found |= {f"{party}, {root.table}": root.root for root in approval.snapshots}
    return found


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
