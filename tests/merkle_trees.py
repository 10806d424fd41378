"""Complete subtrees of a list of leaf hashes, as a journal keeps them."""

from collections.abc import Sequence

from consortia.evidence.proofs import Read, completed


def reader(leaves: Sequence[bytes]) -> Read:
    """What reads them."""
    nodes: dict[tuple[int, int], bytes] = {}

    def read(level: int, number: int) -> bytes:
        return nodes[(level, number)]

    for index, leaf in enumerate(leaves):
        nodes.update({(level, number): hashed for level, number, hashed in completed(index, leaf, read)})
    return read
