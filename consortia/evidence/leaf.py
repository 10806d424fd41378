"""One entry of the journal, the leaf of its Merkle tree: canonical JSON, hashed as RFC 6962 says. Pure."""

import hashlib
from datetime import datetime
from typing import Literal

from pydantic import Field

from consortia.evidence.merkle import leaf_hash
from consortia.trust.documents import Digest, Document, Instant, Integer


class Leaf(Document):
    """Entry ``index`` of a journal: ``payload`` is the SHA-256 of the recorded document.

    ``session`` is empty for entries that concern no session.
    """

    type: Literal["consortia/leaf/v1"] = "consortia/leaf/v1"
    index: Integer
    time: Instant
    session: str = Field(pattern=r"^([0-9a-f]{32})?$")
    kind: str = Field(pattern=r"^[a-z][a-z-]{0,30}$")
    payload: Digest

    def hashed(self) -> bytes:
        """The leaf hash."""
        return leaf_hash(self.canonical())


def leaf_of(index: int, *, time: datetime, session: str, kind: str, payload: bytes) -> Leaf:
    """Leaf number ``index``, which records ``payload``."""
    return Leaf(index=index, time=time, session=session, kind=kind, payload=hashlib.sha256(payload).hexdigest())
