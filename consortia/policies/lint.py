"""What an officer should know of a policy before signing it, beside what the parser refuses.

Dates, and whether the policy fits the consortium's manifest and catalogue. Pure: documents and time are arguments.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from consortia.errors import RequestError
from consortia.ids import member_of
from consortia.plans.catalogue import Catalogue, CatalogueTable
from consortia.plans.sql import bind_predicate
from consortia.policies.language.model import PolicyTable
from consortia.policies.language.parse import LoadedPolicy
from consortia.policies.language.reader import Path
from consortia.policies.rules.standing import interval
from consortia.policies.rules.tables import ALL_ROWS
from consortia.trust.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong (error: the policy would deny what it seems to permit) or noteworthy (warning)."""

    severity: Literal["error", "warning"]
    place: str
    text: str


def lint_dates(loaded: LoadedPolicy, at: datetime) -> tuple[Problem, ...]:
    """Expired (an error); not begun, or its review is due (warnings)."""
    begin, end = interval(loaded.policy.validity)
    found = []
    if at >= end:
        found.append(Problem("error", loaded.place(("validity", "not-after")), "the policy has expired"))
    elif at < begin:
        found.append(Problem("warning", loaded.place(("validity", "not-before")), "the policy is not valid yet"))
    elif at.date() > loaded.policy.validity.review:
        found.append(Problem("warning", loaded.place(("validity", "review")), "the review is due"))
    return tuple(found)


def lint_against(loaded: LoadedPolicy, manifest: Manifest, catalogue: Catalogue, at: datetime) -> tuple[Problem, ...]:
    """Names that manifest or catalogue do not know, scopes that can't be bound, computers that would be denied."""
    found = [*_names(loaded, manifest, catalogue)]
    tables = {table.name: table for table in catalogue.tables}
    for name, entry in loaded.policy.data.tables.items():
        path: Path = ("data", "tables", name)
        known = tables.get(name)
        if known is None:
            found.append(_error(loaded, path, f"the catalogue has no table `{name}`"))
        elif loaded.policy.identity.owner not in known.holders:
            found.append(_error(loaded, path, f"the owner holds no part of `{name}`"))
        else:
            found += _table(loaded, path, entry, known, catalogue, at)
    return tuple(found)


def _error(loaded: LoadedPolicy, path: Path, text: str) -> Problem:
    return Problem("error", loaded.place(path), text)


def _names(loaded: LoadedPolicy, manifest: Manifest, catalogue: Catalogue) -> Iterator[Problem]:
    policy = loaded.policy
    if policy.identity.consortium != manifest.consortium:
        yield _error(loaded, ("identity", "consortium"), f"this consortium is `{manifest.consortium}`")
    if policy.purpose.code not in catalogue.purposes:
        yield _error(loaded, ("purpose", "code"), f"`{policy.purpose.code}` is no purpose of the catalogue")
    members = {member.id for member in manifest.members}
    for place, name in enumerate(policy.parties.compute):
        if name not in members:
            yield _error(loaded, ("parties", "compute", place), f"`{name}` is no member")
    for name in sorted(set(manifest.computers) - set(policy.parties.compute)):
        yield _error(loaded, ("parties", "compute"), f"`{name}` computes by the manifest and may not: nothing can run")
    for place, who in enumerate(policy.parties.submit):
        if (member_of(who) if "@" in who else who) not in members:
            yield _error(loaded, ("parties", "submit", place), f"`{who}` is of no member")


def _table(
    loaded: LoadedPolicy, path: Path, entry: PolicyTable, known: CatalogueTable, catalogue: Catalogue, at: datetime
) -> Iterator[Problem]:
    columns = {column.name: column for column in known.columns}
    for name in entry.columns:
        if name not in columns:
            yield _error(loaded, (*path, "columns", name), f"`{known.name}` has no column `{name}`")
    unit = columns.get(entry.privacy_unit)
    if unit is not None and unit.type.kind != "key":
        yield _error(loaded, (*path, "privacy-unit"), f"`{entry.privacy_unit}` is not a key column")
    if entry.rows.strip() != ALL_ROWS:
        try:
            bind_predicate(entry.rows, known, catalogue, at, what="the row scope")
        except RequestError as error:
            yield _error(loaded, (*path, "rows"), str(error))
    if known.definition:
        yield Problem(
            "warning",
            loaded.place((*path, "rows")),
            f"`{known.name}` is made from other tables by the catalogue; their row scopes do not apply to it",
        )
