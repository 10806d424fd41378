"""On what ground the data may be used, for how long, who asks and who computes."""

from collections.abc import Iterator

from consortia.policies.explain.page import Sentence, day, listed, people
from consortia.policies.language.model import Policy

THREAT_MODELS = {
    "semi-honest": "The computers are relied on to follow the protocol.",
    "malicious": "Security against computers that break the protocol is demanded (no plan of this version has it).",
}


def of_ground(policy: Policy) -> Iterator[Sentence]:
    """Purpose, legal basis, dates, who wrote it and which version it is."""
    section = "What it is for, and how long"
    purpose, dates, identity = policy.purpose, policy.validity, policy.identity
    yield Sentence(section, f"The data may be used for {purpose.code}, and for nothing else.", "purpose")
    yield Sentence(
        section,
        f"The owner relies on: {'; '.join(purpose.legal_basis)}."
        f" Impact assessment {purpose.dpia}; register entry {purpose.register_entry}.",
    )
    yield Sentence(
        section,
        f"It is valid from {day(dates.not_before)} to the end of {day(dates.not_after)} (UTC).",
        "validity",
        "This policy",
    )
    yield Sentence(section, f"The owner reviews it by {day(dates.review)}.", "", "This policy")
    yield Sentence(
        section,
        f"{identity.author} wrote it; two officers of {identity.owner}, neither of them the author, must sign.",
        "four-eyes",
        "This policy",
    )
    if policy.parties.countersign:
        others = listed(sorted(policy.parties.countersign))
        yield Sentence(section, f"An officer each of {others} must sign it too.", "countersign", "This policy")
    before = "It is the first version." if identity.version == 1 else f"It replaces the version {identity.previous}."
    yield Sentence(section, before, "succession", "This policy")


def of_parties(policy: Policy) -> Iterator[Sentence]:
    """Who may ask, who computes and what is assumed of the computers."""
    section = "Who asks and who computes"
    parties = policy.parties
    yield Sentence(section, f"Questions may be asked by {people(parties.submit)}.", "submitter")
    yield Sentence(section, f"The joint computation may run at {listed(sorted(parties.compute))}.", "computers")
    if parties.not_together:
        groups = "; ".join(listed(sorted(group)) for group in parties.not_together)
        yield Sentence(section, f"These must never compute together: {groups}.", "not-together")
    yield Sentence(section, THREAT_MODELS[parties.threat_model], "threat-model")
    pooled = (
        "What one of them sees tells it nothing; it is relied on that no two collude."
        if parties.collusion == 1
        else f"As many as {parties.collusion} of them may pool all that they see, and learn nothing."
    )
    yield Sentence(section, pooled, "collusion")
    floor = (
        "suites that hold against quantum computers"
        if parties.signatures == "post-quantum"
        else "any suite of the consortium"
    )
    yield Sentence(section, f"All who take part sign with {floor}.", "cryptography")
