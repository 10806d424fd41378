"""Merkle trees after RFC 6962, section 2.1: roots, and what a proof of inclusion must be, over SHA-256.

A leaf is hashed with the prefix 00 and an inner node with 01, so that no leaf can be taken for a node. The left
subtree of n > 1 leaves holds the largest power of two below n. Nothing is padded: whoever must hide the number of
leaves adds leaves of its own (``parties/data/commitment.py`` does). The empty tree has the hash of nothing.

    root of 3 leaves = node(node(leaf 0, leaf 1), leaf 2); the proof of leaf 2 is [node(leaf 0, leaf 1)]
"""

import hashlib
import hmac
from collections.abc import Sequence

from consortia.errors import ProtocolAbort

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of one leaf's content."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node over its two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes, in order."""
    if not leaves:
        return EMPTY_ROOT
    # Pairing neighbours level by level, an odd last one moving up unchanged, gives the tree of the RFC.
    level = list(leaves)
    while len(level) > 1:
        paired = [node_hash(level[place], level[place + 1]) for place in range(0, len(level) - 1, 2)]
        level = paired + level[2 * len(paired) :]
    return level[0]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raise ProtocolAbort ``evidence/inclusion`` unless ``leaf`` is number ``index`` of ``size`` under ``root``.

    ``leaf`` is a leaf hash. The number of hashes must be exactly the one that index and size call for. Trees of
    different size can give a leaf the same path: take ``size`` from where ``root`` comes from, signed with it.
    """
    hashed, place, last, used = leaf, index, size - 1, 0
    fits = 0 <= index < size and len(leaf) == HASH_BYTES
    while fits and last > 0:
        # A node without a right neighbour is the last of an odd level: it moves up without a hash.
        if place % 2 == 1 or place < last:
            fits = used < len(proof) and len(proof[used]) == HASH_BYTES
            if fits:
                sibling = proof[used]
                hashed = node_hash(sibling, hashed) if place % 2 == 1 else node_hash(hashed, sibling)
                used += 1
        place, last = place // 2, last // 2
    if not fits or used != len(proof) or not hmac.compare_digest(hashed, root):
        raise ProtocolAbort(
            "evidence/inclusion",
            "the proof does not show that this entry is under the root",
            place=f"entry {index} of {size}",
            remedy="entry, proof or root was altered; fetch all three again from their author",
        )
