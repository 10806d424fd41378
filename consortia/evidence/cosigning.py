"""Heads of journals, cosigned: how members find out that one of them shows different journals to different members.

Each party's hello names the heads that it has seen of the others' journals; each party's seal proves that its journal
still begins with every head named so. Two heads of one journal with the same size and different roots, or a head that
the later one does not continue, are a split view. Pure.
"""

from collections.abc import Callable, Iterable, Mapping

from consortia.errors import ConsortiaError, OperatorError, ProtocolAbort
from consortia.evidence.proofs import verify_consistency
from consortia.trust.sessions import Consistency, Hello, MemberHead, Seal, TreeHead


def check_own_heads(me: str, hellos: Mapping[str, Hello], own: Callable[[int], TreeHead | None]) -> None:
    """Every head of ``me`` that a hello names must be one of this journal; ``own(size)`` is None beyond its end.

    Heads under another name of the journal are of a time before an older copy was put back. Raises OperatorError
    ``evidence/behind``.
    """
    present = own(0)
    for party, hello in sorted(hellos.items()):
        for entry in hello.heads:
            if entry.member != me or present is None or entry.head.log != present.log:
                continue
            if own(entry.head.size) != entry.head:
                raise OperatorError(
                    "evidence/behind",
                    f"`{party}` holds a head of this node's journal with {entry.head.size} entries, "
                    "and the journal here is not the one that it was signed over",
                    place=f"log {entry.head.log}",
                    remedy="an older copy of node.sqlite was put back: reconcile the ledger with the others first, "
                    "then `consortia audit new-log`",
                )


def check_split(held: Iterable[MemberHead], hellos: Mapping[str, Hello]) -> None:
    """Raise ProtocolAbort ``evidence/split-view`` if the heads ``held`` here and those in ``hellos`` contradict."""
    roots: dict[tuple[str, str, int], tuple[str, str]] = {}
    named = [("this node", entry) for entry in held]
    named += [(f"`{party}`", entry) for party, hello in sorted(hellos.items()) for entry in hello.heads]
    for witness, entry in named:
        key = (entry.member, entry.head.log, entry.head.size)
        first, root = roots.setdefault(key, (witness, entry.head.root))
        if root != entry.head.root:
            raise split_view(
                entry.member,
                f"of {entry.head.size} entries {first} and {witness} were shown different ones",
            )


def earlier_sizes(me: str, log: str, hellos: Iterable[Hello]) -> tuple[int, ...]:
    """The sizes of the heads of ``me`` that hellos name: what the seal must prove, sorted."""
    return tuple(
        sorted(
            {
                entry.head.size
                for hello in hellos
                for entry in hello.heads
                if entry.member == me and entry.head.log == log and entry.head.size
            }
        )
    )


def continued(named: Iterable[MemberHead], seal: Seal) -> tuple[MemberHead, ...]:
    """Those of the heads ``named`` in this party's hello which ``seal`` proves to be continued.

    Heads of another member, or of a journal of another name, are left out. Raises ProtocolAbort
    ``evidence/split-view`` naming the member if one is not continued.
    """
    proofs = {proof.size: proof for proof in seal.earlier}
    found = [
        entry for entry in named if entry.member == seal.party and entry.head.log == seal.head.log and entry.head.size
    ]
    for entry in found:
        try:
            _check(entry.head, seal.head, proofs.get(entry.head.size))
        except ConsortiaError as error:
            raise split_view(
                seal.party,
                f"the one of {seal.head.size} entries does not continue the one of {entry.head.size} seen before",
            ) from error
    return tuple(found)


def split_view(member: str, what: str) -> ProtocolAbort:
    """The error that names a member whose journal is not one."""
    return ProtocolAbort(
        "evidence/split-view",
        f"`{member}` shows different journals: {what}",
        place=member,
        remedy=f"keep both heads (`consortia audit heads`) and ask `{member}`; sessions with it are refused until then",
    )


def _check(old: TreeHead, new: TreeHead, proof: Consistency | None) -> None:
    hashes = () if proof is None else proof.hashes
    verify_consistency(
        old.size, bytes.fromhex(old.root), new.size, bytes.fromhex(new.root), [bytes.fromhex(one) for one in hashes]
    )
