"""A policy in plain English, on one page, made from the very object that is enforced.

Each sentence carries the id of the rule that enforces it (none where the sentence states the owner's ground). The
last sections say what is never permitted, what stops it and what is off, so that nothing is left to guess.
"""

from consortia.policies.explain.closing import of_never, of_off, of_stops, of_unenforced
from consortia.policies.explain.data import of_data
from consortia.policies.explain.ground import of_ground, of_parties
from consortia.policies.explain.outputs import of_outputs
from consortia.policies.explain.page import PAGE, WIDTH, Sentence, laid_out
from consortia.policies.language.parse import LoadedPolicy
from consortia.trust.keys import short

__all__ = ["PAGE", "WIDTH", "Sentence", "explain", "sentences"]


def explain(loaded: LoadedPolicy) -> str:
    """The page as text, lines of at most WIDTH characters, ending in a line feed."""
    identity = loaded.policy.identity
    title = f"Policy {identity.id}, version {identity.version}, of {identity.owner} in {identity.consortium}"
    return laid_out([title, f"fingerprint {short(loaded.digest)}"], sentences(loaded))


def sentences(loaded: LoadedPolicy) -> tuple[Sentence, ...]:
    """All statements of the page, in order."""
    policy = loaded.policy
    return (
        *of_unenforced(policy),
        *of_ground(policy),
        *of_parties(policy),
        *of_data(policy),
        *of_outputs(policy),
        *of_never(policy),
        *of_stops(policy),
        *of_off(policy),
    )
