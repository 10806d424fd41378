"""This party's approval of a session: decided, reserved, signed and journalled in one transaction."""

from consortia.control.messages import Kind
from consortia.control.phases import Phase
from consortia.parties.approval import Terms, build_approval
from consortia.parties.basis import keep_basis
from consortia.parties.budget import reserve, write_mark
from consortia.parties.checks import concerned_cards
from consortia.parties.tools import Tools
from consortia.parties.work import Review
from consortia.trust.envelope import Envelope, seal_document
from consortia.trust.hpke import KemPrivateKey
from consortia.trust.sessions import Approval, Submission


def approve(tools: Tools, session: str, submission: Submission, review: Review, envelope: Envelope) -> Approval:
    """Sign the approval of ``session``, whose ``submission`` (in ``envelope``) is permitted by ``review``.

    The reservation in the owner's ledger, the journal's entries, what must be kept, the move and the message are one
    transaction. Raises as ``budget.reserve`` does; then nothing has changed.
    """
    plan, documents = review.plan, review.documents
    private = KemPrivateKey.generate()
    tools.keys_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    private.save(tools.result_key_path(session))
    terms = Terms(
        session=session,
        submission=envelope.digest(),
        plan=plan,
        leakage=review.leakage,
        manifest=documents.trusted.manifest.digest(),
        catalogue=documents.catalogue,
        cards=concerned_cards(documents, plan, submission),
        policies=documents.policies,
    )
    snapshots = tools.work.snapshots(plan) if tools.member in plan.owners() else ()
    now = tools.clock()
    with tools.store.begin() as transaction:
        own = build_approval(
            terms,
            party=tools.member,
            not_after=(now + tools.approval_validity).replace(microsecond=0),
            snapshots=snapshots,
            result_key=private.public,
            reservation=reserve(tools.store, transaction, session, review, snapshots, now),
        )
        signed = seal_document(own, (tools.signer,))
        for kind, document in (("submission", envelope), ("approval", signed)):
            tools.store.journal.append(
                transaction, session=session, kind=kind, payload=document.to_bytes(), now=now, once=True
            )
        keep_basis(tools.store, transaction, session, review.basis, now)
        tools.store.retention.note(transaction, session, review.retention)
        tools.store.move(transaction, session, Phase.APPROVED, "approval signed", now)
        tools.control.post(transaction, Kind.APPROVAL, signed, session)
    write_mark(tools.store)
    tools.control.flush()
    return own
