"""From the bytes of a file to a policy that this version can enforce in full, or a refusal with its line."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from consortia.errors import PolicyRefusal, RequestError
from consortia.policies.language.enforcement import off_rules
from consortia.policies.language.misfits import misfits
from consortia.policies.language.model import Policy
from consortia.policies.language.reader import BEGINNING, Fault, Mark, Path, place_of, read_with_faults, read_yaml


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy, the SHA-256 of its exact bytes, and where each entry of its file begins."""

    policy: Policy
    digest: str
    marks: Mapping[Path, Mark]

    def mark(self, path: Path) -> Mark:
        """Where the entry of ``path`` begins; one that the file does not name stands where its parent does."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path, BEGINNING)

    def place(self, path: Path) -> str:
        """``line 12: data.tables.deposits.rows``, as verdicts cite it."""
        return f"line {self.mark(path).line}: {'.'.join(map(str, path))}"


def parse_policy(data: bytes) -> LoadedPolicy:
    """The policy in ``data``.

    Raises RequestError ``policies/syntax`` (not such YAML) or ``policies/schema`` (not such a policy), and
    PolicyRefusal ``policies/not-enforced`` where a rule is in effect that this version does not enforce.
    """
    loaded = read_policy(data)
    require_enforced(loaded)
    return loaded


def read_policy(data: bytes) -> LoadedPolicy:
    """The policy in ``data``, whatever it asks for; nothing but a report may be made of it."""
    source = read_yaml(data)
    try:
        policy = Policy.model_validate_json(json.dumps(source.tree, ensure_ascii=False))
    except ValidationError as error:
        first = misfits(error, source)[0]
        raise RequestError(
            "policies/schema", first.message, place=place_of(first.mark, first.path), remedy=first.remedy
        ) from error
    return LoadedPolicy(policy, hashlib.sha256(data).hexdigest(), source.entries)


def read_leniently(data: bytes) -> tuple[LoadedPolicy | None, tuple[Fault, ...]]:
    """The policy in ``data`` where its text is one, and otherwise every fault of it. Total on any bytes."""
    source, faults = read_with_faults(data)
    if not source.complete:
        return None, faults
    try:
        policy = Policy.model_validate_json(json.dumps(source.tree, ensure_ascii=False))
    except ValidationError as error:
        unreadable = {fault.path for fault in faults}  # what can't be read fits nowhere either: once is enough
        more = [fault for fault in misfits(error, source) if fault.path not in unreadable]
        return None, tuple(sorted((*faults, *more), key=lambda fault: fault.mark))
    if faults:
        return None, faults
    return LoadedPolicy(policy, hashlib.sha256(data).hexdigest(), source.entries), ()


def require_enforced(loaded: LoadedPolicy) -> None:
    """Raise PolicyRefusal ``policies/not-enforced`` naming every rule in effect that nothing would enforce."""
    in_effect = [rule for rule in off_rules(loaded.policy) if not rule.accepted]
    if not in_effect:
        return
    first = in_effect[0]
    names = ", ".join(f"`{'.'.join(map(str, rule.path))}`" for rule in in_effect)
    by_text = first.path in loaded.marks
    raise PolicyRefusal(
        "policies/not-enforced",
        f"the rule `{first.rule}` is in effect {'by the text' if by_text else 'by default'}"
        f" and this version does not enforce it (all such places: {names})",
        place=place_of(loaded.mark(first.path), first.path),
        remedy=f"write `{first.path[-1]}: {what_is_accepted(first.path)}`"
        " if the owner can do without the rule, or wait for a version that enforces it",
    )


def what_is_accepted(path: Path) -> str:
    """The word with which a rule that is not enforced is accepted at ``path``."""
    return "closed" if path[0] == "leaks" else "off"
