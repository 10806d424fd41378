"""Running the local stage: the rows of one share step, from one member's snapshots, in a canonical order."""

from collections.abc import Mapping, Sequence

import polars as pl

from consortia.errors import OperatorError
from consortia.execution.carried import physical
from consortia.parties.data.snapshots import SnapshotStore, StoredSnapshot, table_shape
from consortia.parties.local.database import Limits, open_database
from consortia.parties.local.definitions import sources_of
from consortia.parties.local.local_tables import check_local_table
from consortia.parties.local.protect import protected
from consortia.parties.local.statement import chain_after, chain_of, local_statement, share_step
from consortia.parties.local.unique import check_unique
from consortia.plans.catalogue import Catalogue
from consortia.plans.model import Plan, Scan, Share
from consortia.plans.steps_of_noise import Bound
from consortia.plans.tables import find_table
from consortia.trust.sessions import SnapshotRoot

DEFAULT_LIMITS = Limits()


def tables_needed(plan: Plan, member: str, catalogue: Catalogue) -> tuple[str, ...]:
    """The tables of data that the local stage of ``member`` reads for ``plan``, sorted."""
    needed: set[str] = set()
    for step in plan.steps:
        if isinstance(step, Scan) and step.at == f"owner:{member}":
            needed.update(sources_of(find_table(catalogue, step.table), catalogue, member))
    return tuple(sorted(needed))


def committed_snapshots(
    store: SnapshotStore, plan: Plan, member: str, catalogue: Catalogue
) -> tuple[SnapshotRoot, ...]:
    """The current snapshots that ``member`` will use for ``plan``, for its approval.

    Raises OperatorError ``data/no-snapshot``, ``data/snapshot-altered`` or ``local/stale-snapshot``.
    """
    roots = []
    for table in tables_needed(plan, member, catalogue):
        stored = store.current(table)
        _check_fits(stored, catalogue)
        roots.append(SnapshotRoot(table=table, root=stored.document.root))
    return tuple(roots)


def run_local(
    plan: Plan,
    share_step_id: str,
    store: SnapshotStore,
    snapshots: Sequence[SnapshotRoot],
    catalogue: Catalogue,
    limits: Limits = DEFAULT_LIMITS,
) -> pl.DataFrame:
    """The rows that the share step shares: exactly its columns in their physical types, sorted by all of them.

    ``snapshots`` are the roots that the approval committed to. The result depends on plan, catalogue and snapshots
    alone: not on the order of rows in them, threads or the process's time zone; where the owner adds noise, also on
    that. Raises OperatorError ``data/...``
    (snapshots), ``local/stale-snapshot``, ``local/definition``, ``local/local-table``, ``local/overflow``,
    ``local/memory``, ``local/duplicate-keys``; then nothing was shared.
    """
    share = share_step(plan, share_step_id)
    roots = {committed.table: committed.root for committed in snapshots}
    scan = chain_of(plan, share_step_id)[0]
    table = find_table(catalogue, scan.table) if isinstance(scan, Scan) else None
    needed = sources_of(table, catalogue, share.owner) if table else ()
    stored = {name: _committed(store, name, roots, catalogue) for name in needed}
    statement = local_statement(plan, share_step_id, catalogue)
    with open_database(stored, limits) as database:
        if table is not None and table.definition:
            check_local_table(database, table, catalogue, share.owner)
        frame = database.query(statement, f"the local stage, step {share_step_id}")
    noise = chain_after(plan, share_step_id, Bound)
    rows = canonical_frame(protected(frame, noise) if noise else frame, share)
    check_unique(plan, share, rows)
    return rows


def canonical_frame(frame: pl.DataFrame, share: Share) -> pl.DataFrame:
    """The rows sorted by all columns, NULLs last, in the physical types of the share step."""
    if not share.columns:
        return pl.DataFrame(height=frame.height)
    typed = pl.DataFrame(
        [
            values.rename(column.name).cast(physical(column.type, column.bounds))
            for values, column in zip(frame.get_columns(), share.columns, strict=True)
        ]
    )
    return typed.sort(typed.columns, nulls_last=True)


def _committed(store: SnapshotStore, table: str, roots: Mapping[str, str], catalogue: Catalogue) -> StoredSnapshot:
    if table not in roots:
        raise OperatorError(
            "data/no-snapshot",
            f"the approval commits to no snapshot of `{table}`",
            remedy="register the table, and send the query again",
        )
    stored = store.load(table, roots[table])
    _check_fits(stored, catalogue)
    return stored


def _check_fits(stored: StoredSnapshot, catalogue: Catalogue) -> None:
    """A snapshot was checked and hashed under one shape of its table; a changed one needs a new registration."""
    document = stored.document
    if table_shape(catalogue, find_table(catalogue, document.table)).digest() != document.shape:
        raise OperatorError(
            "local/stale-snapshot",
            f"`{document.table}` was registered under version {document.catalogue_version} of the catalogue; its "
            f"columns, bounds or keys have changed in version {catalogue.version}",
            place=str(stored.folder),
            remedy="register the file again with `consortia data register`",
        )
