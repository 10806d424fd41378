"""The documents on which this party's approval rests, gathered as it compiles, and stored with its approval."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from consortia.errors import OperatorError
from consortia.evidence.basis import Kept, Part, basis_of
from consortia.evidence.pack import BASIS
from consortia.parties.store import Store
from consortia.policies.compiling import Compiled
from consortia.policies.world import PolicyWorld
from consortia.trust.envelope import Envelope
from consortia.trust.folder import TrustFolder


def gather(folder: TrustFolder, world: PolicyWorld, compiled: Compiled) -> tuple[Kept, ...]:
    """Manifest, cards, catalogue and the policies for the purpose as they lie in ``folder``, and what was compiled.

    Raises OperatorError ``parties/changed-while-read`` if one of them is not the document that ``world`` was read
    from: somebody replaced it in between.
    """
    plan = compiled.plan
    policies = [
        (loaded.policy.identity.owner, loaded)
        for loaded in world.policies
        if loaded.policy.purpose.code == plan.purpose
    ]
    kept = [
        _same("manifest", "", folder.manifest(), world.manifest.digest()),
        _same("catalogue", "", folder.catalogue(), world.catalogue.digest()),
        *(_same("card", name, folder.card(name), card.digest()) for name, card in sorted(world.cards.items())),
        *(_same("policy", owner, folder.policy(owner, plan.purpose), loaded.digest) for owner, loaded in policies),
        Kept("plan", "", plan.canonical()),
        Kept("decision", "", compiled.decision.canonical()),
    ]
    if compiled.leakage is not None:
        kept.append(Kept("leakage", "", compiled.leakage.canonical()))
    return tuple(kept)


def keep_basis(store: Store, transaction: Connection, session: str, kept: Sequence[Kept], now: datetime) -> None:
    """Store the documents, and journal which they are, in the caller's transaction."""
    store.archive.keep(transaction, kept)
    document = basis_of(kept).canonical()
    store.journal.append(transaction, session=session, kind=BASIS, payload=document, now=now, once=True)


def _same(part: Part, name: str, envelope: Envelope, digest: str) -> Kept:
    if hashlib.sha256(envelope.payload_bytes()).hexdigest() != digest:
        raise OperatorError(
            "parties/changed-while-read",
            f"the {part} was replaced while this node read it",
            place=name,
            remedy="run the analysis again",
        )
    return Kept(part, name, envelope.to_bytes())
