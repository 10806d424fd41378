"""In which sessions one customer's rows were used, as the owner of the data finds out for itself.

From this member's own journal (approvals and the documents on which they rest) and its own snapshots: for every
session in which its node shared input, the owner's part of the plan is asked how many rows of that customer passed its
row scope and the query's own filters. Nothing of it leaves the member. What others hold of the same person stays
unknown: a session is found through this member's rows alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from consortia.control.phases import Phase
from consortia.errors import ConsortiaError, RequestError
from consortia.evidence.basis import Basis
from consortia.evidence.leaf import Leaf
from consortia.evidence.pack import BASIS
from consortia.parties.data.snapshots import SnapshotStore, StoredSnapshot
from consortia.parties.local.database import Limits, open_database
from consortia.parties.local.definitions import sources_of
from consortia.parties.local.statement import chain_of, subject_statement
from consortia.parties.store import Store
from consortia.plans.catalogue import Catalogue, CatalogueTable, KeyDomain
from consortia.plans.model import Plan, Scan, Share
from consortia.plans.tables import column_types, find_table
from consortia.trust.domain_keys import HashDomain, hash_keys
from consortia.trust.envelope import Envelope
from consortia.trust.home import Home
from consortia.trust.sessions import Approval, SnapshotRoot


@dataclass(frozen=True, slots=True)
class Use:
    """One table in one session: ``rows`` of the customer that passed all filters; None if that can't be said any more.

    ``why`` says why not, or through which local table the rows went.
    """

    session: str
    approved: datetime
    purpose: str
    submitter: str
    phase: Phase
    table: str
    rows: int | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Session:
    """What the journal holds of one session, as far as it is needed."""

    id: str
    approved: datetime
    phase: Phase
    plan: Plan
    catalogue: Catalogue
    snapshots: tuple[SnapshotRoot, ...]


def uses_of(home: Home, store: Store, identifier: str, domain: str, limits: Limits) -> tuple[Use, ...]:
    """Every session that shared input made from rows of ``identifier`` of key domain ``domain``, in their order.

    Raises RequestError ``parties/domain`` if no catalogue of a session knows the domain, and as ``Home.domain_key``.
    """
    with store.begin() as transaction:
        sessions = _sessions(store, transaction)
    known = [one for one in sessions if any(each.name == domain for each in one.catalogue.key_domains)]
    if sessions and not known:
        raise RequestError(
            "parties/domain",
            f"no session of this node used a catalogue with the key domain `{domain}`",
            remedy="key domains stand in the catalogue: `consortia catalogue show`",
        )
    snapshots = SnapshotStore(home.path / "snapshots")
    return tuple(
        use for session in known for use in _uses(home, snapshots, session, identifier, domain, limits) if use.rows != 0
    )


def _uses(
    home: Home, snapshots: SnapshotStore, session: _Session, identifier: str, domain: str, limits: Limits
) -> list[Use]:
    catalogue, plan = session.catalogue, session.plan
    key = _hashed(home, catalogue, domain, identifier)
    uses = []
    for share in plan.steps:
        if not isinstance(share, Share) or share.owner != home.member:
            continue
        scan = chain_of(plan, share.id)[0]
        if isinstance(scan, Scan):
            rows, why = _count(snapshots, session, share, find_table(catalogue, scan.table), domain, key, limits)
            uses.append(
                Use(
                    session=session.id,
                    approved=session.approved,
                    purpose=plan.purpose,
                    submitter=plan.submitter,
                    phase=session.phase,
                    table=scan.table,
                    rows=rows,
                    why=why,
                )
            )
    return uses


def _count(
    snapshots: SnapshotStore,
    session: _Session,
    share: Share,
    table: CatalogueTable,
    domain: str,
    key: bytes,
    limits: Limits,
) -> tuple[int | None, str]:
    catalogue = session.catalogue
    columns = _key_columns(table, catalogue, domain)
    if not columns and not table.definition:
        return 0, ""
    if not columns:
        return None, f"`{table.name}` is a local table without such a key: whose rows are in it can't be told from it"
    try:
        needed = sources_of(table, catalogue, share.owner)
        stored = _stored(snapshots, session.snapshots, needed)
        statement = subject_statement(session.plan, share.id, catalogue, columns, key)
        with open_database(stored, limits) as database:
            counted = database.query(statement, f"rows of one customer, step {share.id}")
    except ConsortiaError as error:
        return None, error.message
    return int(counted.item()), f"through the local table `{table.name}`" if table.definition else ""


def _stored(
    snapshots: SnapshotStore, roots: Sequence[SnapshotRoot], needed: Sequence[str]
) -> Mapping[str, StoredSnapshot]:
    committed = {root.table: root.root for root in roots}
    return {name: snapshots.load(name, committed.get(name, "")) for name in needed}


def _key_columns(table: CatalogueTable, catalogue: Catalogue, domain: str) -> tuple[str, ...]:
    types = column_types(table, catalogue)
    return tuple(name for name, kind in types.items() if kind.kind == "key" and kind.domain == domain)


def _hashed(home: Home, catalogue: Catalogue, domain: str, identifier: str) -> bytes:
    entry: KeyDomain = next(each for each in catalogue.key_domains if each.name == domain)
    space = HashDomain(catalogue.consortium, entry.name, entry.id_type, entry.normal_form, entry.bits)
    (hashed,) = hash_keys(home.domain_key(entry.name, entry.key_id), space, [identifier])
    return hashed or b""


def _sessions(store: Store, transaction: Connection) -> list[_Session]:
    """Sessions in which this node came to share its input, in the order of their approval."""
    found = []
    for session, phase in store.sessions(transaction).items():
        if not any(entered is Phase.SHARING for _, entered, _ in store.history(transaction, session)):
            continue
        entries = store.journal.entries(transaction, session)
        basis = [Basis.parse(payload) for leaf, payload in entries if leaf.kind == BASIS]
        if basis:
            found.append(_session(store, transaction, session, phase, entries, basis[0]))
    return sorted(found, key=lambda one: (one.approved, one.id))


def _session(
    store: Store,
    transaction: Connection,
    session: str,
    phase: Phase,
    entries: Sequence[tuple[Leaf, bytes]],
    basis: Basis,
) -> _Session:
    leaf, approval = next((leaf, payload) for leaf, payload in entries if leaf.kind == "approval")
    named = {entry.part: entry.digest for entry in basis.entries}
    catalogue = Envelope.from_bytes(store.archive.fetch(transaction, named["catalogue"])).payload_bytes()
    return _Session(
        id=session,
        approved=leaf.time,
        phase=phase,
        plan=Plan.parse(store.archive.fetch(transaction, named["plan"])),
        catalogue=Catalogue.parse(catalogue),
        snapshots=Approval.parse(Envelope.from_bytes(approval).payload_bytes()).snapshots,
    )
