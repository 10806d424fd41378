"""The salted Merkle root that commits a member to its registered rows, before anybody asks about them.

A row is encoded column by column in the catalogue's order: one byte 0 for NULL; else one byte 1 and

    bool, int, decimal, date, timestamp    the carried integer, 16 bytes, big-endian, two's complement
    enum                                   its code in the same way
    key                                    its bits / 8 bytes
    text                                   4 bytes of length (big-endian), UTF-8

so that no two rows of a table have the same encoding. Rows are sorted by their encoding: the order of a file means
nothing. Each 1,024 rows are one leaf: ``LEAF_TAG || context || salt || number of rows (4 bytes) || rows``, where the
context is the digest of the table's shape in the catalogue and the salt is HMAC-SHA-256(master, number of the leaf in
8 bytes). There are as many leaves as ``max_rows`` needs, so that neither root nor proof tells the number of rows;
without the master, 32 secret bytes, the root says nothing of the rows and one opened leaf nothing of the others.
"""

import hmac
from collections.abc import Callable, Sequence

from consortia.evidence import merkle
from consortia.parties.data.physical import Physical
from consortia.plans.types import ColumnType

ROWS_PER_LEAF = 1024
SALT_BYTES = 32
LEAF_TAG = b"consortia/snapshot-leaf/v1\x00"
_INTEGER_BYTES = 16


def encode_rows(types: Sequence[ColumnType], columns: Sequence[Sequence[Physical]], rows: int) -> list[bytes]:
    """The canonical encoding of each row, in the order given; ``columns`` are physical values."""
    encoded = [_encode_column(kind, values) for kind, values in zip(types, columns, strict=True)]
    return [b"".join(row) for row in zip(*encoded, strict=True)] if encoded else [b""] * rows


def _encode_column(kind: ColumnType, values: Sequence[Physical]) -> list[bytes]:
    encode = _encoder(kind)
    table: dict[Physical, bytes] = {value: b"\x01" + encode(value) for value in set(values) if value is not None}
    table[None] = b"\x00"
    return [table[value] for value in values]


def _encoder(kind: ColumnType) -> Callable[[Physical], bytes]:
    def integer(value: Physical) -> bytes:
        return int(value or 0).to_bytes(_INTEGER_BYTES, "big", signed=True)

    def text(value: Physical) -> bytes:
        content = str(value).encode()
        return len(content).to_bytes(4, "big") + content

    match kind.kind:
        case "enum":
            return lambda value: integer(kind.values.index(str(value)))
        case "key":
            return lambda value: value if isinstance(value, bytes) else b""
        case "text":
            return text
        case _:
            return integer


def leaves_of(max_rows: int) -> int:
    """Number of leaves of every snapshot of a table."""
    return max(1, -(-max_rows // ROWS_PER_LEAF))


def leaf_salt(master: bytes, leaf: int) -> bytes:
    """The salt of one leaf."""
    return hmac.digest(master, leaf.to_bytes(8, "big"), "sha256")


def leaf_hashes(rows: Sequence[bytes], context: str, master: bytes, max_rows: int) -> list[bytes]:
    """The hashes of all leaves over ``rows``, which are encoded and sorted; ``context`` is a digest in hexadecimal."""
    hashes = []
    for leaf in range(leaves_of(max_rows)):
        part = rows[leaf * ROWS_PER_LEAF : (leaf + 1) * ROWS_PER_LEAF]
        head = LEAF_TAG + bytes.fromhex(context) + leaf_salt(master, leaf) + len(part).to_bytes(4, "big")
        hashes.append(merkle.leaf_hash(head + b"".join(part)))
    return hashes


def root_of(rows: Sequence[bytes], context: str, master: bytes, max_rows: int) -> str:
    """The root over ``rows`` in hexadecimal."""
    return merkle.root_of(leaf_hashes(rows, context, master, max_rows)).hex()
