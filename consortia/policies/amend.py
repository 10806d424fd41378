"""The next version of a policy as its author begins it: the file in force with version, hash and author renewed. Pure.

Everything else stays as it stands, comments included; the author edits the rest and `policy diff` shows what changed.
"""

import re

from consortia.errors import PolicyRefusal
from consortia.policies.language.model import Policy
from consortia.policies.language.parse import LoadedPolicy, read_policy
from consortia.policies.language.reader import Path

_VALUES = {"version": r"[0-9]+", "previous": r"none|[0-9a-f]{64}", "author": r"[a-z][a-z0-9_-]*@[a-z][a-z0-9_-]*"}


def next_version(data: bytes, author: str) -> bytes:
    """The exact bytes of the version after the policy in ``data``, written by ``author`` (``name@member``).

    Raises PolicyRefusal ``policies/amend`` if the three values can't be renewed where they stand, and as
    ``read_policy`` does.
    """
    before = read_policy(data)
    wanted = {"version": str(before.policy.identity.version + 1), "previous": before.digest, "author": author}
    lines = data.decode().split("\n")
    for key, value in wanted.items():
        place = before.mark(("identity", key)).line - 1
        lines[place] = re.sub(rf"(\b{key}\"?\s*:\s*[\"']?)(?:{_VALUES[key]})", rf"\g<1>{value}", lines[place])
    amended = "\n".join(lines).encode()
    if _without(read_policy(amended).policy) != _without(before.policy) or not _is_next(read_policy(amended), wanted):
        raise PolicyRefusal(
            "policies/amend",
            "version, previous and author can't be renewed where they stand in the file",
            place=before.place(_IDENTITY),
            remedy="write each of them on a line of its own under `identity`",
        )
    return amended


_IDENTITY: Path = ("identity",)


def _without(policy: Policy) -> Policy:
    blank = {"version": 1, "previous": "none", "author": f"nobody@{policy.identity.owner}"}
    return policy.model_copy(update={"identity": policy.identity.model_copy(update=blank)})


def _is_next(loaded: LoadedPolicy, wanted: dict[str, str]) -> bool:
    identity = loaded.policy.identity
    return (str(identity.version), identity.previous, identity.author) == (
        wanted["version"], wanted["previous"], wanted["author"],
    )  # fmt: skip
