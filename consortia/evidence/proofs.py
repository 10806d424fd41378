"""Proofs over a growing Merkle tree after RFC 6962, section 2.1: roots, inclusion and consistency.

Whoever keeps the tree keeps the hashes of its complete subtrees, ``read(level, number)`` being the one over leaves
``number * 2^level`` up to ``(number + 1) * 2^level``. Appending makes two of them on average; every root and proof, of
the present size or an earlier one, reads about log2(size) of them. Pure: ``read`` is an argument.
"""

import hmac
from collections.abc import Callable, Sequence

from consortia.errors import ProtocolAbort
from consortia.evidence.merkle import EMPTY_ROOT, HASH_BYTES, node_hash

Read = Callable[[int, int], bytes]


def completed(index: int, leaf: bytes, read: Read) -> list[tuple[int, int, bytes]]:
    """Level, number and hash of every subtree that becomes complete with leaf hash ``leaf`` at ``index``."""
    level, number, hashed = 0, index, leaf
    made = [(level, number, hashed)]
    while number % 2 == 1:
        hashed = node_hash(read(level, number - 1), hashed)
        level, number = level + 1, number // 2
        made.append((level, number, hashed))
    return made


def tree_root(size: int, read: Read) -> bytes:
    """The root over the first ``size`` leaves."""
    return _subtree(0, size, read) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, read: Read) -> list[bytes]:
    """The hashes beside the path from leaf ``index`` to the root over ``size`` leaves, from the bottom up.

    Raises IndexError unless 0 <= index < size.
    """
    if not 0 <= index < size:
        raise IndexError(index)
    proof: list[bytes] = []
    start = 0
    while size > 1:
        left = _left(size)
        if index < start + left:
            proof.append(_subtree(start + left, size - left, read))
            size = left
        else:
            proof.append(_subtree(start, left, read))
            start, size = start + left, size - left
    return proof[::-1]


def consistency_proof(old: int, new: int, read: Read) -> list[bytes]:
    """The hashes that show the tree of ``old`` leaves to be the beginning of that of ``new``.

    Empty if both are the same or the old tree is empty. Raises IndexError unless 0 <= old <= new.
    """
    if not 0 <= old <= new:
        raise IndexError(old)
    if old in (0, new):
        return []
    proof: list[bytes] = []
    start, size, whole = 0, new, True
    while old != size:
        left = _left(size)
        if old <= left:
            proof.append(_subtree(start + left, size - left, read))
            size = left
        else:
            proof.append(_subtree(start, left, read))
            start, size, old, whole = start + left, size - left, old - left, False
    return proof[::-1] if whole else [_subtree(start, size, read), *proof[::-1]]


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raise ProtocolAbort ``evidence/consistency`` unless the tree of ``old_root`` begins that of ``new_root``.

    The number of hashes must be exactly the one that the sizes call for. Trees of different size can have one shape of
    proof: take each size from where its root comes from, signed with it. Source: RFC 9162, section 2.1.4.2.
    """
    fits = 0 <= old <= new and all(len(hashed) == HASH_BYTES for hashed in proof)
    if fits and old == 0:
        fits = not proof and hmac.compare_digest(old_root, EMPTY_ROOT)
    elif fits and old == new:
        fits = not proof and hmac.compare_digest(old_root, new_root)
    elif fits:
        fits = _climbs(old, old_root, new, new_root, proof)
    if not fits:
        raise ProtocolAbort(
            "evidence/consistency",
            "the proof does not show that the later journal holds all of the earlier one",
            place=f"entries 0 to {old} of {new}",
            remedy="the journal was rewritten, or head or proof was altered; ask its member",
        )


def _climbs(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    place, last = old - 1, new - 1
    while place % 2 == 1:
        place, last = place // 2, last // 2
    if not path:
        return False
    first = second = path[0]
    for hashed in path[1:]:
        if last == 0:
            return False
        if place % 2 == 1 or place == last:
            first, second = node_hash(hashed, first), node_hash(hashed, second)
            while place % 2 == 0 and place != 0:
                place, last = place // 2, last // 2
        else:
            second = node_hash(second, hashed)
        place, last = place // 2, last // 2
    return last == 0 and hmac.compare_digest(first, old_root) and hmac.compare_digest(second, new_root)


def _left(size: int) -> int:
    """Leaves of the left subtree: the largest power of two below ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


def _subtree(start: int, size: int, read: Read) -> bytes:
    """The hash over ``size`` leaves from ``start`` on, which is a multiple of a power of two not below ``size``."""
    if size & (size - 1) == 0:
        return read(size.bit_length() - 1, start // size)
    left = _left(size)
    return node_hash(_subtree(start, left, read), _subtree(start + left, size - left, read))
