"""One entry of the journal, in the form that the Merkle log will keep: canonical JSON, hashed as a leaf of RFC 6962.

A leaf names the head before it, so the entries form a chain already: whoever holds a head can check every entry that
led to it, in order, without a tree. Pure.
"""

import hashlib
from datetime import datetime
from typing import Literal

from pydantic import Field

from consortia.evidence.merkle import leaf_hash
from consortia.trust.documents import Digest, Document, Instant, Integer

EMPTY_HEAD = "0" * 64
"""The head of a journal without entries."""


class Leaf(Document):
    """Entry ``index`` of a journal: ``payload`` is the SHA-256 of the recorded document, ``previous`` the head before.

    ``session`` is empty for entries that concern no session.
    """

    type: Literal["consortia/leaf/v1"] = "consortia/leaf/v1"
    index: Integer
    time: Instant
    session: str = Field(pattern=r"^([0-9a-f]{32})?$")
    kind: str = Field(pattern=r"^[a-z][a-z-]{0,30}$")
    payload: Digest
    previous: Digest

    def head(self) -> str:
        """The journal's head once this leaf is the last: its RFC 6962 leaf hash, hexadecimal."""
        return leaf_hash(self.canonical()).hex()


def next_leaf(previous: Leaf | None, *, time: datetime, session: str, kind: str, payload: bytes) -> Leaf:
    """The leaf that follows ``previous`` (None: the first one) and records ``payload``."""
    return Leaf(
        index=0 if previous is None else previous.index + 1,
        time=time,
        session=session,
        kind=kind,
        payload=hashlib.sha256(payload).hexdigest(),
        previous=EMPTY_HEAD if previous is None else previous.head(),
    )
