"""Whether a policy fits the consortium's manifest and catalogue, where it would deny what it seems to permit."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from consortia.errors import RequestError
from consortia.ids import member_of
from consortia.plans.catalogue import Catalogue, CatalogueTable
from consortia.plans.ranges import summed
from consortia.plans.sql import bind_predicate
from consortia.policies.language.model import Clip, PolicyTable
from consortia.policies.language.parse import LoadedPolicy
from consortia.policies.language.reader import Path
from consortia.policies.lint.problems import Problem, error, warning
from consortia.policies.rules.tables import ALL_ROWS
from consortia.trust.manifest import Manifest


def of_fit(loaded: LoadedPolicy, manifest: Manifest, catalogue: Catalogue, at: datetime) -> Iterator[Problem]:
    """Names that manifest or catalogue do not know, scopes that can't be bound, computers that would be denied."""
    yield from _names(loaded, manifest, catalogue)
    yield from _countersigners(loaded, manifest, catalogue)
    tables = {table.name: table for table in catalogue.tables}
    for name, entry in loaded.policy.data.tables.items():
        path: Path = ("data", "tables", name)
        known = tables.get(name)
        if known is None:
            yield _error(loaded, path, f"the catalogue has no table `{name}`", _one_of(tables))
        elif loaded.policy.identity.owner not in known.holders:
            yield _error(loaded, path, f"the owner holds no part of `{name}`", "a table of which it holds a part")
        else:
            yield from _table(loaded, path, entry, known, catalogue, at)


def _error(loaded: LoadedPolicy, path: Path, text: str, expected: str) -> Problem:
    return error(loaded, path, "documents", text, expected)


def _one_of(names: Iterable[str]) -> str:
    return f"one of {', '.join(sorted(names))}"


def _names(loaded: LoadedPolicy, manifest: Manifest, catalogue: Catalogue) -> Iterator[Problem]:
    policy = loaded.policy
    if policy.identity.consortium != manifest.consortium:
        yield _error(
            loaded, ("identity", "consortium"), f"this consortium is `{manifest.consortium}`",
            f"`{manifest.consortium}`",
        )  # fmt: skip
    if policy.purpose.code not in catalogue.purposes:
        yield _error(
            loaded, ("purpose", "code"), f"`{policy.purpose.code}` is no purpose of the catalogue",
            _one_of(catalogue.purposes),
        )  # fmt: skip
    members = {member.id for member in manifest.members}
    for place, name in enumerate(policy.parties.compute):
        if name not in members:
            yield _error(loaded, ("parties", "compute", place), f"`{name}` is no member", _one_of(members))
    for name in sorted(set(manifest.computers) - set(policy.parties.compute)):
        yield _error(
            loaded, ("parties", "compute"), f"`{name}` computes by the manifest and may not: nothing can run",
            f"`{name}` too, or another manifest",
        )  # fmt: skip
    for place, group in enumerate(policy.parties.not_together):
        together = sorted(set(group) & set(manifest.computers))
        if len(together) > 1:
            yield _error(
                loaded, ("parties", "not-together", place),
                f"{' and '.join(together)} compute together by the manifest: nothing can run", "another manifest",
            )  # fmt: skip
    for place, who in enumerate(policy.parties.submit):
        if (member_of(who) if "@" in who else who) not in members:
            yield _error(loaded, ("parties", "submit", place), f"`{who}` is of no member", _one_of(members))


def _countersigners(loaded: LoadedPolicy, manifest: Manifest, catalogue: Catalogue) -> Iterator[Problem]:
    owner, named = loaded.policy.identity.owner, loaded.policy.parties.countersign
    others = {member.id for member in manifest.members} - {owner}
    for place, name in enumerate(named):
        if name not in others:
            yield _error(loaded, ("parties", "countersign", place), f"`{name}` is no other member", _one_of(others))
    holders = {name for table in catalogue.tables if table.name in loaded.policy.data.tables for name in table.holders}
    left = sorted(holders - {owner, *named})
    if named and left:
        yield warning(
            loaded, ("parties", "countersign"), "documents",
            f"{', '.join(left)} hold parts of the same tables and need not countersign", f"{', '.join(left)} too",
        )  # fmt: skip


def _table(
    loaded: LoadedPolicy, path: Path, entry: PolicyTable, known: CatalogueTable, catalogue: Catalogue, at: datetime
) -> Iterator[Problem]:
    columns = {column.name: column for column in known.columns}
    for name, column in entry.columns.items():
        here: Path = (*path, "columns", name)
        if name not in columns:
            yield _error(loaded, here, f"`{known.name}` has no column `{name}`", _one_of(columns))
            continue
        bounds = columns[name].bounds
        rows = known.max_rows * len(known.holders)
        whole = None if bounds is None else summed(bounds, rows)
        if isinstance(column.clip, Clip) and whole and (column.clip.lo < whole.lo or column.clip.hi > whole.hi):
            yield warning(
                loaded, (*here, "clip"), "documents",
                f"no sum of {rows} rows, which is all that there can be, leaves {whole.lo} to {whole.hi} by the"
                " catalogue's bounds: more noise for nothing", "narrower bounds",
            )  # fmt: skip
    unit = columns.get(entry.privacy_unit)
    if unit is not None and unit.type.kind != "key":
        yield _error(
            loaded, (*path, "privacy-unit"), f"`{entry.privacy_unit}` is not a key column",
            _one_of(name for name, column in columns.items() if column.type.kind == "key"),
        )  # fmt: skip
    if entry.rows.strip() != ALL_ROWS:
        try:
            bind_predicate(entry.rows, known, catalogue, at, what="the row scope")
        except RequestError as refused:
            yield _error(loaded, (*path, "rows"), refused.message, refused.remedy)
    if known.definition:
        yield warning(
            loaded, (*path, "rows"), "documents",
            f"`{known.name}` is made from other tables by the catalogue; their row scopes do not apply to it",
        )  # fmt: skip
