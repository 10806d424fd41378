"""Proofs of a growing tree: every pair of sizes is proved, against the RFC's published proofs, and nothing else is."""

import hashlib

import pytest

from consortia.errors import ProtocolAbort
from consortia.evidence import merkle
from consortia.evidence.proofs import consistency_proof, inclusion_proof, tree_root, verify_consistency
from tests.merkle_trees import reader

INPUTS = [b"", b"\x00", b"\x10", b"\x20\x21", b"\x30\x31", b"\x40\x41\x42\x43", bytes(range(0x50, 0x58))]
PUBLISHED = [merkle.leaf_hash(data) for data in (*INPUTS, bytes(range(0x60, 0x70)))]


def leaves_of(count: int) -> list[bytes]:
    return [merkle.leaf_hash(number.to_bytes(2, "big")) for number in range(count)]


def test_published_proofs() -> None:
    # the test vectors of certificate transparency for the tree of the eight published inputs
    read = reader(PUBLISHED)
    assert [one.hex() for one in inclusion_proof(5, 8, read)] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [one.hex() for one in consistency_proof(6, 8, read)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def test_roots_of_every_size_are_read_from_complete_subtrees() -> None:
    leaves = leaves_of(40)
    read = reader(leaves)
    assert all(tree_root(size, read) == merkle.root_of(leaves[:size]) for size in range(41))


def test_every_earlier_tree_is_proved_to_begin_every_later_one() -> None:
    leaves = leaves_of(20)
    read = reader(leaves)
    roots = [merkle.root_of(leaves[:size]) for size in range(21)]
    for new in range(21):
        for old in range(new + 1):
            verify_consistency(old, roots[old], new, roots[new], consistency_proof(old, new, read))


def test_a_tree_with_another_beginning_is_not_proved_by_any_of_its_proofs() -> None:
    leaves = leaves_of(13)
    forged = [merkle.leaf_hash(b"other"), *leaves[1:]]
    for old in range(1, 13):
        proof = consistency_proof(old, 13, reader(forged))
        with pytest.raises(ProtocolAbort) as caught:
            verify_consistency(old, merkle.root_of(leaves[:old]), 13, merkle.root_of(forged), proof)
        assert caught.value.code == "evidence/consistency"


def test_a_proof_of_anything_else_is_refused() -> None:
    leaves = leaves_of(7)
    old, new = merkle.root_of(leaves[:3]), merkle.root_of(leaves)
    proof = consistency_proof(3, 7, reader(leaves))
    other = hashlib.sha256(b"other").digest()
    wrong = [
        (3, other, 7, new, proof),
        (3, old, 7, other, proof),
        (3, old, 7, new, proof[:-1]),
        (3, old, 7, new, [*proof, other]),
        (3, old, 7, new, []),
        (3, old, 7, new, [proof[0][:31], *proof[1:]]),
        (2, old, 7, new, proof),
        (3, old, 4, new, proof),
        (7, new, 3, old, proof),
        (0, other, 7, new, []),
        (7, new, 7, other, []),
        (4, merkle.root_of(leaves[:4]), 7, new, []),
    ]
    for case in wrong:
        with pytest.raises(ProtocolAbort) as caught:
            verify_consistency(*case)
        assert caught.value.code == "evidence/consistency"


def test_there_is_no_proof_between_sizes_that_do_not_follow() -> None:
    read = reader(leaves_of(3))
    for old, new in ((3, 2), (-1, 2)):
        with pytest.raises(IndexError):
            consistency_proof(old, new, read)
