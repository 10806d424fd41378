"""An evidence pack: all that one member's journal holds of one session, in one file that stands for itself.

    entries   the session's journal entries, each with its document and the proof that it is under the head
    seal      the member's own closing statement: it signs that head, how many entries of the session there are, and
              whether the session was released, denied, aborted or has expired
    seals     the closing statements of the other parties
    files     the documents on which the approval rests, by digest; the entry ``basis`` says which they are

A pack is canonical JSON (RFC 8785) and a function of what the journal held when the session was sealed, so a second
export is the same bytes. ``open_pack`` checks everything that needs no key and no policy. Pure.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from consortia.errors import ConsortiaError, ProtocolAbort
from consortia.evidence.basis import Basis
from consortia.evidence.leaf import Leaf
from consortia.evidence.merkle import verify_inclusion
from consortia.trust.documents import Digest, Document, Frozen, Name, Session
from consortia.trust.envelope import Envelope
from consortia.trust.sessions import Seal

LARGEST_PACK = 64 * 1024 * 1024
"""Bytes beyond which nothing is parsed."""
BASIS = "basis"


class PackEntry(Frozen):
    """A journal entry: its leaf, the recorded document as text, and the proof from the leaf up."""

    leaf: Leaf
    document: str
    proof: tuple[Digest, ...]


class PackFile(Frozen):
    """A document of the basis: the SHA-256 of its bytes, and they as text."""

    digest: Digest
    content: str


class Pack(Document):
    """See the module; entries in the order of the journal, seals by party, files by digest."""

    type: Literal["consortia/pack/v1"] = "consortia/pack/v1"
    session: Session
    member: Name
    entries: tuple[PackEntry, ...]
    seal: Envelope
    seals: tuple[Envelope, ...]
    files: tuple[PackFile, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """A pack whose parts belong together; what is signed in it is not verified yet.

    ``files`` are the basis' bytes by part and name, ``seal`` what the member's own closing statement says.
    """

    pack: Pack
    seal: Seal
    files: Mapping[tuple[str, str], bytes]

    def documents(self, kind: str) -> tuple[bytes, ...]:
        """The recorded documents of one kind, in the order of the journal."""
        return tuple(entry.document.encode() for entry in self.pack.entries if entry.leaf.kind == kind)

    @property
    def released(self) -> bool:
        """Whether the parts of the result left the member's node."""
        return self.seal.outcome == "released"

    def has(self, kind: str) -> bool:
        """Whether there is an entry of that kind."""
        return any(entry.leaf.kind == kind for entry in self.pack.entries)

    def first(self, kind: str) -> PackEntry:
        """The first entry of one kind; raises ProtocolAbort ``evidence/pack`` if there is none."""
        for entry in self.pack.entries:
            if entry.leaf.kind == kind:
                return entry
        raise broken(f"there is no entry `{kind}`", "entries")

    def file(self, part: str, name: str = "") -> bytes:
        """The bytes of one document of the basis; raises ProtocolAbort ``evidence/pack`` if it is not named there."""
        found = self.files.get((part, name))
        if found is None:
            raise broken(f"there is no {part} {name}".rstrip(), "files")
        return found

    def digest(self, part: str, name: str = "") -> str:
        """The SHA-256 of that document's bytes: of a plan or report, the digest that everybody signs."""
        return hashlib.sha256(self.file(part, name)).hexdigest()

    def named(self, part: str) -> dict[str, bytes]:
        """The documents of the basis of one part, by name."""
        return {name: content for (kind, name), content in sorted(self.files.items()) if kind == part}


def open_pack(data: bytes) -> Opened:
    """The pack in ``data``: canonical, its entries under one head, none of the session missing, its files as named.

    Raises ProtocolAbort ``evidence/pack`` or ``evidence/inclusion`` saying which part does not fit.
    """
    if len(data) > LARGEST_PACK:
        raise broken(f"it has {len(data)} bytes and {LARGEST_PACK} are allowed", "")
    try:
        pack = Pack.parse(data)
        seal = Seal.parse(pack.seal.payload_bytes())
    except (ConsortiaError, ValueError) as error:
        raise broken(f"it can't be read: {error}", "") from error
    if (seal.session, seal.party) != (pack.session, pack.member):
        raise broken("session and member are not those of the closing statement", "seal")
    _check_entries(pack, seal)
    return Opened(pack, seal, _files(pack))


def _check_entries(pack: Pack, seal: Seal) -> None:
    indices = [entry.leaf.index for entry in pack.entries]
    if indices != sorted(set(indices)) or len(indices) != seal.entries:
        raise broken(f"{seal.entries} entries of the session were journalled, and {len(indices)} are here", "entries")
    root = bytes.fromhex(seal.head.root)
    for entry in pack.entries:
        leaf = entry.leaf
        if leaf.session != pack.session or not _is_digest(leaf.payload, entry.document.encode()):
            raise broken("its document is not the one that was journalled for this session", f"entry {leaf.index}")
        proof = [bytes.fromhex(one) for one in entry.proof]
        verify_inclusion(leaf.hashed(), leaf.index, seal.head.size, proof, root)


def _files(pack: Pack) -> dict[tuple[str, str], bytes]:
    contents = {file.digest: file.content.encode() for file in pack.files}
    if [file.digest for file in pack.files] != sorted(contents):
        raise broken("a document stands twice or out of order", "files")
    for digest, content in contents.items():
        if not _is_digest(digest, content):
            raise broken("a document is not the one of its digest", f"file {digest[:16]}")
    found = [entry.document.encode() for entry in pack.entries if entry.leaf.kind == BASIS]
    if len(found) != 1:
        raise broken(f"there are {len(found)} entries `{BASIS}`, and there must be one", "entries")
    try:
        basis = Basis.parse(found[0])
    except ConsortiaError as error:
        raise broken(f"its basis can't be read: {error}", "entries") from error
    if len({(entry.part, entry.name) for entry in basis.entries}) != len(basis.entries):
        raise broken("its basis names two documents by one name", "entries")
    if {entry.digest for entry in basis.entries} != set(contents):
        raise broken("the documents are not those on which the approval rests", "files")
    return {(entry.part, entry.name): contents[entry.digest] for entry in basis.entries}


def _is_digest(digest: str, content: bytes) -> bool:
    return hmac.compare_digest(digest, hashlib.sha256(content).hexdigest())


def broken(what: str, place: str) -> ProtocolAbort:
    """The error of a pack that does not hold together."""
    return ProtocolAbort(
        "evidence/pack",
        f"this is not the pack that was exported: {what}",
        place=place,
        remedy="fetch it again from its member, and compare its SHA-256 with the one it names",
    )
