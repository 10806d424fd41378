"""From the bytes of a file to a policy that this version can enforce in full, or a refusal with its line."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from consortia.errors import PolicyRefusal, RequestError
from consortia.policies.language.enforcement import FEWEST_MEMBERS, off_rules
from consortia.policies.language.model import Policy
from consortia.policies.language.reader import Path, Source, read_yaml


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy, the SHA-256 of its exact bytes, and the line of each place in its file."""

    policy: Policy
    digest: str
    lines: Mapping[Path, int]

    def place(self, path: Path) -> str:
        """``line 12: data.tables.deposits.rows``; a place that the file does not name gets its parent's line."""
        dotted = ".".join(str(part) for part in path)
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        return f"line {self.lines.get(known, 1)}: {dotted}"


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
        raise _schema_error(error, source) from error
    return LoadedPolicy(policy, hashlib.sha256(data).hexdigest(), source.lines)


def require_enforced(loaded: LoadedPolicy) -> None:
    """Raise PolicyRefusal ``policies/not-enforced`` naming every rule in effect that nothing would enforce."""
    in_effect = [rule for rule in off_rules(loaded.policy) if not rule.accepted]
    if not in_effect:
        return
    first = in_effect[0]
    names = ", ".join(f"`{'.'.join(map(str, rule.path))}`" for rule in in_effect)
    by_text = first.path in loaded.lines
    raise PolicyRefusal(
        "policies/not-enforced",
        f"the rule `{first.rule}` is in effect {'by the text' if by_text else 'by default'}"
        f" and this version does not enforce it (all such places: {names})",
        place=loaded.place(first.path),
        remedy=f"write `{first.path[-1]}: {_what_is_accepted(first.path)}`"
        " if the owner can do without the rule, or wait for a version that enforces it",
    )


def _what_is_accepted(path: Path) -> str:
    if path[0] == "leaks":
        return "closed"
    return {"contributors": "exact", "model": "never", "minimum-members": str(FEWEST_MEMBERS)}.get(str(path[-1]), "off")


def _schema_error(error: ValidationError, source: Source) -> RequestError:
    details = _deepest(error.errors(include_url=False, include_input=False))
    path = _in_file(details["loc"], source)
    kind = details["type"]
    message = details["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        path = _in_file(details["loc"][:-1], source)
        path = (*path, str(details["loc"][-1]))
        message, remedy = f"the key `{path[-1]}` is unknown here", "compare docs/reference/policy.md"
    elif kind == "missing":
        path = _in_file(details["loc"][:-1], source)
        message = f"the key `{details['loc'][-1]}` is missing"
        remedy = "what is not written is not permitted; write it"
    else:
        message, remedy = f"{message[0].lower()}{message[1:]}", "correct the value; see docs/reference/policy.md"
    dotted = ".".join(str(part) for part in path)
    return RequestError(
        "policies/schema", message, place=f"line {source.line(path)}: {dotted or 'the file'}", remedy=remedy
    )


def _deepest(errors: list[ErrorDetails]) -> ErrorDetails:
    """The error to show: of alternatives (a section or `off`) the one that went furthest into the file."""
    return max(errors, key=lambda details: (len(details["loc"]), details["type"] == "extra_forbidden"))


def _in_file(location: tuple[int | str, ...], source: Source) -> Path:
    """Pydantic's location without the names of union members, which are no keys of the file."""
    path: Path = ()
    for part in location:
        if (*path, part) in source.lines:
            path = (*path, part)
    return path
