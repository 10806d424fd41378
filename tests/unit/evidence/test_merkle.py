"""Merkle trees after RFC 6962, against its own recursive definition and published hashes."""

import hashlib

import pytest

from consortia.errors import ProtocolAbort
from consortia.evidence import merkle
from consortia.evidence.proofs import inclusion_proof
from tests.merkle_trees import reader


def defined_root(leaves: list[bytes]) -> bytes:
    """The definition of the RFC, word by word."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while 2 * split < len(leaves):
        split *= 2
    return merkle.node_hash(defined_root(leaves[:split]), defined_root(leaves[split:]))


def leaves_of(count: int) -> list[bytes]:
    return [merkle.leaf_hash(bytes([number])) for number in range(count)]


def test_the_root_is_the_one_of_the_rfc_for_every_number_of_leaves() -> None:
    for count in range(1, 40):
        assert merkle.root_of(leaves_of(count)) == defined_root(leaves_of(count))


def test_published_hashes() -> None:
    # the test vectors of certificate transparency
    assert merkle.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    inputs = [b"", b"\x00", b"\x10", b"\x20\x21", b"\x30\x31", b"\x40\x41\x42\x43", bytes(range(0x50, 0x58))]
    leaves = [merkle.leaf_hash(data) for data in (*inputs, bytes(range(0x60, 0x70)))]
    assert merkle.root_of(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_every_leaf_of_every_tree_is_proved() -> None:
    for count in range(1, 20):
        leaves = leaves_of(count)
        root = merkle.root_of(leaves)
        for index in range(count):
            merkle.verify_inclusion(leaves[index], index, count, inclusion_proof(index, count, reader(leaves)), root)


def test_a_proof_of_anything_else_is_refused() -> None:
    leaves = leaves_of(7)
    root = merkle.root_of(leaves)
    proof = inclusion_proof(4, 7, reader(leaves))
    other = hashlib.sha256(b"other").digest()
    wrong = [
        (other, 4, 7, proof, root),
        (leaves[4], 5, 7, proof, root),
        (leaves[4], 4, 5, proof, root),
        (leaves[4], 4, 7, proof[:-1], root),
        (leaves[4], 4, 7, [*proof, other], root),
        (leaves[4], 4, 7, [proof[0], other, *proof[2:]], root),
        (leaves[4], 4, 7, proof, other),
        (leaves[4], -1, 7, proof, root),
        (leaves[4], 7, 7, proof, root),
        (leaves[4], 0, 0, [], root),
        (leaves[4], 4, 7, [proof[0][:31], *proof[1:]], root),
    ]
    for case in wrong:
        with pytest.raises(ProtocolAbort) as caught:
            merkle.verify_inclusion(*case)
        assert caught.value.code == "evidence/inclusion"


def test_an_inner_node_can_not_pass_for_a_leaf() -> None:
    leaves = leaves_of(4)
    root = merkle.root_of(leaves)
    inner = merkle.node_hash(leaves[0], leaves[1])
    sibling = merkle.node_hash(leaves[2], leaves[3])
    # the path is right for a tree of two leaves, but a leaf with this content has another hash
    with pytest.raises(ProtocolAbort):
        merkle.verify_inclusion(merkle.leaf_hash(leaves[0] + leaves[1]), 0, 2, [sibling], root)
    assert merkle.leaf_hash(leaves[0] + leaves[1]) != inner


def test_there_is_no_proof_of_a_leaf_beyond_the_tree() -> None:
    with pytest.raises(IndexError):
        inclusion_proof(3, 3, reader(leaves_of(3)))
