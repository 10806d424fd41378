"""The page that a supervisor reads: a verified pack in plain English, made from what was verified and nothing else.

``page_of`` gives titled sections of labelled facts; ``page_text`` and ``html.page_html`` show the same page. Pure.
"""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from consortia.audit.verify import Verified
from consortia.plans.concerned import outputs_of
from consortia.plans.model import Control, Plan
from consortia.plans.show import step_text
from consortia.plans.steps_of_noise import Noise
from consortia.plans.zcdp import RHO_PARTS
from consortia.trust.documents import instant_text
from consortia.trust.sessions import Seal
from consortia.visible import indented

_TOLD = ("result", "suppression", "outcome")
"""Kinds of leakage entries that the page shows; the pack has all."""
LIMITS = (
    "A pack shows what was agreed, decided, run and signed. It does not show that a member's registered rows are true,",
    "nor what the released numbers were: of rows and results it holds salted commitments only.",
    "It is one member's journal: whoever doubts that member compares the packs of two.",
    "Whoever hands a pack on can leave other parties' closing statements out: one that is missing proves nothing.",
    "Revocations of policies and stops are not in a pack: of documents in force it shows signatures and dates alone.",
)

NOT_COMPARED = "manifest not compared: compare it with the one you were given, anybody can make a consortium"
"""Said where no fingerprint was given."""


Fact = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Section:
    """A title, and facts of a label and lines of text."""

    title: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """``title``, one line of ``verdict``, and the sections."""

    title: str
    verdict: str
    sections: tuple[Section, ...]

    def as_dict(self) -> dict[str, Any]:
        """The page for ``--json``."""
        return {
            "title": self.title,
            "verdict": self.verdict,
            "sections": [{"title": section.title, "facts": _joined(section.facts)} for section in self.sections],
        }


def _joined(facts: tuple[Fact, ...]) -> dict[str, list[str]]:
    """Facts by label: those of one label together."""
    found: dict[str, list[str]] = {}
    for label, lines in facts:
        found.setdefault(label, []).extend(lines)
    return found


def page_of(verified: Verified) -> Page:
    """The whole page."""
    sections = (_identity, _question, _data, _control, _told, _consent, _ledger, _course, _versions, _checks)
    member = verified.opened.pack.member
    how = "" if verified.compared else ", manifest not compared"
    return Page(
        title=f"Session {verified.session}, {verified.run.seals[member].outcome}",
        verdict=f"VERIFIED{how}: {len(verified.checks)} checks passed, offline, on the pack of {member}",
        sections=tuple(section(verified) for section in sections),
    )


def page_text(page: Page) -> str:
    """The page for a terminal; ends in a newline. Further lines of a text stand deeper: none passes for a section."""
    lines = [page.title, page.verdict]
    for section in page.sections:
        lines += ["", section.title.upper()]
        facts = [(label.replace("\n", " "), texts) for label, texts in section.facts]
        width = max((len(label) for label, _ in facts), default=0)
        for label, texts in facts:
            parts = [part for text in texts for part in indented(text).split("\n")]
            for place, part in enumerate(parts):
                lines.append(f"  {label if place == 0 else '':<{width}}  {part}".rstrip())
    return "\n".join(lines) + "\n"


def _identity(verified: Verified) -> Section:
    manifest, catalogue = verified.believed.trusted.manifest, verified.believed.catalogue
    signers = _names(verified.believed.signers["catalogue"])
    compared = "the one that was given" if verified.compared else NOT_COMPARED
    return Section(
        "This pack",
        (
            ("consortium", (f"{manifest.consortium}, manifest version {manifest.version}",)),
            ("manifest", (verified.fingerprint, compared)),
            ("signed by", (_names(verified.believed.signers["manifest"]),)),
            ("catalogue", (f"version {catalogue.version}, {catalogue.digest()}", f"signed by {signers}")),
            ("SHA-256", (verified.digest,)),
        ),
    )


def _question(verified: Verified) -> Section:
    asked, believed = verified.submission, verified.believed
    bases = sorted({basis for policy in believed.policies.values() for basis in policy.policy.purpose.legal_basis})
    return Section(
        "What was asked",
        (
            ("by", (asked.submitter,)),
            ("purpose", (asked.purpose, *(f"legal basis: {basis}" for basis in bases))),
            ("query", tuple(asked.sql.strip().splitlines())),
            ("as of", (instant_text(asked.as_of),)),
            ("decided at", (f"{instant_text(believed.at)} by the clock of {verified.opened.pack.member}",)),
        ),
    )


def _data(verified: Verified) -> Section:
    plan = verified.compiled.plan
    facts: list[Fact] = []
    for owner in plan.owners():
        approval = verified.run.approvals.get(owner)
        roots = () if approval is None else approval.snapshots
        facts.append((owner, tuple(f"{one.table}, committed as {one.root}" for one in roots) or ("not approved",)))
    facts.append(("computed by", (f"{_names(plan.computers)}; {plan.threat_model}, engine {plan.engine}",)))
    facts.append(("received by", tuple(sorted({recipient for _, recipient in outputs_of(plan)}))))
    return Section("Whose data, who computed, who received", tuple(facts))


def _control(verified: Verified) -> Section:
    plan = verified.compiled.plan
    rules = tuple(step_text(step) for step in plan.steps if isinstance(step, Control | Noise))
    return Section(
        "What had to hold before anything was opened",
        (
            ("on shares", rules or ("no rule on cells: each row goes to the members that hold it alone",)),
            ("says", ("which rule a cell failed is known to nobody",)),
        ),
    )


def _told(verified: Verified) -> Section:
    report = verified.compiled.leakage
    entries = report.entries if report is not None else ()
    shown = tuple(
        (_names(entry.who), (entry.what, *((f"({entry.detail})",) if entry.detail else ())))
        for entry in entries
        if entry.kind in _TOLD
    )
    counted = Counter(entry.kind for entry in entries if entry.kind not in _TOLD)
    rest = ", ".join(f"{count} of {kind}" for kind, count in sorted(counted.items()))
    return Section("Who learned what", (*shown, ("also in the report", (rest,))))


def _consent(verified: Verified) -> Section:
    believed = verified.believed
    facts: list[Fact] = []
    for verdict in verified.compiled.decision.verdicts:
        said = tuple(f"{one.text} (rule {one.rule})" for one in verdict.reasons) if verdict.verdict == "deny" else ()
        if verdict.owner not in believed.policies:
            facts.append((verdict.owner, (verdict.verdict, *said)))
            continue
        policy = believed.policies[verdict.owner].policy
        decided = f"{verdict.verdict}: policy {policy.identity.id} version {policy.identity.version}"
        valid = f"valid {policy.validity.not_before} to {policy.validity.not_after}"
        signed = f"signed by {_names(believed.signers[verdict.owner])}"
        facts.append((verdict.owner, (decided, valid, signed, *said)))
    for word in verified.run.reviews:
        reason = f": {word.reason}" if word.reason else ""
        facts.append((word.person, (f"{word.decision}s after review at {instant_text(word.at)}{reason}",)))
    if verified.run.uncounted:
        facts.append(("words that do not count", verified.run.uncounted))
    approvals = verified.run.approvals
    by = tuple(f"{party}, {_reserved(verified, party)}" for party in sorted(approvals))
    facts.append(("approved by", by or ("nobody, as far as this member knows",)))
    return Section("Who consented", tuple(facts))


def _reserved(verified: Verified, party: str) -> str:
    approval = verified.run.approvals[party]
    valid = f"valid until {instant_text(approval.not_after)}"
    return valid if approval.reservation is None else f"{valid}, ledger entry {approval.reservation.number}"


def _ledger(verified: Verified) -> Section:
    facts: list[Fact] = []
    for party, approval in sorted(verified.run.approvals.items()):
        for charge in approval.reservation.charges if approval.reservation is not None else ():
            before, here, after = (
                f"rho {Decimal(rho) / RHO_PARTS:f}"
                for rho in (charge.rho_before, charge.rho, charge.rho_before + charge.rho)
            )
            facts.append((f"{party}, {charge.unit}", (f"{before} before, {here} for this run, {after} after",)))
    nothing = (("no charge", ("the answers have no noise: quotas alone count",)),)
    return Section("Privacy ledger", tuple(facts) or nothing)


def _course(verified: Verified) -> Section:
    plan, seals = verified.compiled.plan, verified.run.seals
    facts: list[Fact] = [(party, (_closing(seal),)) for party, seal in sorted(seals.items())]
    facts += [(denial.party, (f"denied [{denial.code}]", *denial.reasons)) for denial in verified.run.denials]
    facts += [(fault.party, (f"{fault.message} [{fault.code}]",)) for fault in verified.run.faults]
    missing = sorted(set(verified.run.approvals) - set(seals))
    if missing and verified.opened.released:
        facts.append((_names(tuple(missing)), ("its closing statement is not in this pack",)))
    entries = Counter(entry.leaf.kind for entry in verified.opened.pack.entries)
    facts.append(("journalled", (", ".join(f"{count} {kind}" for kind, count in sorted(entries.items())),)))
    facts.append(("plan", (_plan(plan, verified.submission.plan),)))
    return Section("How it ended", tuple(facts))


def _closing(seal: Seal) -> str:
    sent = sum(step.bytes for step in seal.traffic)
    failed = f", afterwards {seal.code}" if seal.code else ""
    parts = "1 result part" if len(seal.commitments) == 1 else f"{len(seal.commitments)} result parts"
    return f"{seal.outcome}{failed}: {parts}, {sent} bytes sent; journal {seal.head.size} entries, {seal.head.root}"


def _plan(plan: Plan, digest: str) -> str:
    return f"{digest}, {len(plan.steps)} steps"


def _versions(verified: Verified) -> Section:
    software = tuple((party, (hello.software,)) for party, hello in sorted(verified.run.hellos.items()))
    return Section("Software of each party", software or (("not said", ("no party greeted the others",)),))


def _checks(verified: Verified) -> Section:
    return Section("What was checked", (("passed", verified.checks), ("not shown", LIMITS)))


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "nobody whose key the cards still list"
