"""What an owner remembers of the answers that were given from its data: enough to judge what a further one adds."""

from consortia.plans.model import Plan
from consortia.trust.documents import Frozen, Instant, Name, Person, Session
from consortia.trust.sessions import SnapshotRoot


class ReleasedQuery(Frozen):
    """One query that this owner approved at ``at``, and whose answer has been or may yet be known.

    ``snapshots`` are the owner's committed snapshots that it reads, ``recipients`` the people and members that receive
    a result. The plan says everything else: tables, predicates, cells, numbers.
    """

    session: Session
    plan: Plan
    snapshots: tuple[SnapshotRoot, ...]
    recipients: tuple[Person | Name, ...]
    at: Instant
