"""What this node was asked, from its journal: the signed submissions, with the snapshots that it committed to."""

from pathlib import Path

from consortia.errors import OperatorError
from consortia.parties.store import Store
from consortia.policies.changes.replay import Past
from consortia.policies.questions import Question
from consortia.trust.envelope import Envelope
from consortia.trust.sessions import Approval, Submission

DENIED_KIND = "denied-submission"
"""The kind of a journal entry: what an analyst asked for and this node denied, beside its signed denial."""


def past_questions(path: Path) -> tuple[Past, ...]:
    """The queries in the journal of the database at ``path``, approved and denied ones, in the order of time.

    Raises OperatorError ``parties/no-database`` if no node has run in this home.
    """
    if not path.exists():
        raise OperatorError(
            "parties/no-database",
            "there is no journal here: no node has run in this home",
            place=str(path),
            remedy="give the home of a node with --home",
        )
    store = Store(path)
    try:
        with store.begin() as transaction:
            asked = store.journal.all_of(transaction, "submission") + store.journal.all_of(transaction, DENIED_KIND)
            approved = store.journal.all_of(transaction, "approval")
    finally:
        store.close()
    snapshots = {
        leaf.session: {root.table: root.root for root in Approval.parse(_payload(signed)).snapshots}
        for leaf, signed in approved
    }
    found = []
    for leaf, signed in sorted(asked, key=lambda entry: entry[0].index):
        submission = Submission.parse(_payload(signed))
        question = Question(submission.sql, submission.purpose, submission.submitter, submission.as_of)
        found.append(Past(leaf.session, question, leaf.time, snapshots.get(leaf.session, {})))
    return tuple(found)


def _payload(signed: bytes) -> bytes:
    return Envelope.from_bytes(signed).payload_bytes()
