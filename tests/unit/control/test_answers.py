"""The answer with a member's stored results: whole at the analyst, and of a size that tells little to its carrier."""

from datetime import UTC, datetime

import pytest

from consortia.control.answers import open_answer, sealed_answer
from consortia.control.messages import ResultsAnswer
from consortia.trust.envelope import seal_document
from consortia.trust.hpke import KemPrivateKey
from consortia.trust.keys import PrivateKey
from consortia.trust.sessions import ResultsRequest

SESSION = "ab" * 16
KEY = PrivateKey.generate("ecdsa-p256")


def answered(result: bytes) -> tuple[list[ResultsAnswer], dict[str, bytes]]:
    """The pieces that the coordinator carries, and what the analyst opens."""
    private = KemPrivateKey.generate()
    request = ResultsRequest(
        session=SESSION,
        person="ana@bank-a",
        at=datetime(2026, 11, 25, tzinfo=UTC),
        nonce="cd" * 32,
        result_key=private.public,
    )
    envelope = seal_document(request, (KEY,))
    pieces = sealed_answer(envelope, request, {"s9": result}, member="bank-a", signer=KEY, piece_bytes=16 * 1024)
    return pieces, open_answer(pieces, envelope, SESSION, "bank-a", KEY.public, private)


def carried(pieces: list[ResultsAnswer]) -> int:
    return sum(len(piece.sealed) for piece in pieces)


def test_answers_of_few_and_of_many_rows_have_one_size() -> None:
    assert carried(answered(b"")[0]) == carried(answered(bytes(40_000))[0])


@pytest.mark.parametrize("size", [0, 1, 40_000, 49_000, 49_152, 200_000])
def test_what_was_filled_up_comes_back_exactly(size: int) -> None:
    result = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert answered(result)[1] == {"s9": result}
