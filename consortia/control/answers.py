"""How a person fetches what the own member's node holds (results, held runs) through a coordinator that reads nothing.

The request is signed by the person and holds a one-time key; the answer is sealed to that key, bound to the request,
and its hash is signed by the node. Its size would tell the number of rows, such as how many alerts a member has; so
the content is filled up to a power of two, at least 64 KiB, before it is sealed.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence

import rfc8785
from pydantic import RootModel, ValidationError

from consortia.control.messages import Base64, ResultsAnswer
from consortia.errors import ProtocolAbort
from consortia.trust import hpke
from consortia.trust.envelope import Envelope, Signer, seal_document
from consortia.trust.keys import PublicKey
from consortia.trust.sessions import ResultsReply, ResultsRequest
from consortia.trust.statements import HeldRequest
from consortia.trust.verify import verify_by_one

LEAST_BYTES = 64 * 1024
"""Size of the content of a small answer."""


class _Results(RootModel[dict[str, Base64]]):
    """Release step to result, or session to held run, in base64."""


def sealed_answer(
    envelope: Envelope,
    request: ResultsRequest | HeldRequest,
    results: Mapping[str, bytes],
    *,
    member: str,
    signer: Signer,
    piece_bytes: int,
) -> list[ResultsAnswer]:
    """At the node of ``member``: the answer, in pieces, to the verified ``request`` that came in ``envelope``."""
    clear = rfc8785.dumps({step: base64.b64encode(result).decode() for step, result in sorted(results.items())})
    sealed = hpke.seal(request.result_key, _filled_up(clear), _info(request.session, envelope))
    reply = ResultsReply(
        session=request.session,
        party=member,
        request=envelope.digest(),
        sealed=hashlib.sha256(sealed).hexdigest(),
    )
    signed = seal_document(reply, (signer,))
    pieces = [sealed[start : start + piece_bytes] for start in range(0, len(sealed), piece_bytes)]
    return [
        ResultsAnswer(document=signed, sealed=base64.b64encode(piece).decode(), index=index, count=len(pieces))
        for index, piece in enumerate(pieces)
    ]


def _filled_up(clear: bytes) -> bytes:
    """The same JSON with spaces behind it, so that its size is a power of two."""
    return clear.ljust(max(LEAST_BYTES, 1 << (len(clear) - 1).bit_length()))


def is_whole(answers: Sequence[ResultsAnswer]) -> bool:
    """Whether these are all pieces of an answer (a fault is whole by itself)."""
    return bool(answers) and (answers[0].fault is not None or len(answers) >= answers[0].count)


def open_answer(
    answers: Sequence[ResultsAnswer],
    envelope: Envelope,
    session: str,
    member: str,
    key: PublicKey,
    private: hpke.KemPrivateKey,
) -> dict[str, bytes]:
    """At the person: results by release step, or held runs by session, from all pieces of the answer.

    ``envelope`` is the request that is answered.

    ``key`` is the node key in the card of ``member``. Raises the fault that the node sent instead, ProtocolAbort
    ``control/answer`` if the answer is not the node's answer to this request, and as ``verify_by_one`` does.
    """
    for answer in answers:
        if answer.fault is not None:
            raise answer.fault.error()
    if not is_whole(answers) or answers[0].document is None:
        raise _refused("it holds nothing")
    reply = verify_by_one(answers[0].document, ResultsReply, member, key)
    ordered = sorted(answers, key=lambda answer: answer.index)
    sealed = b"".join(base64.b64decode(answer.sealed) for answer in ordered)
    stated = (reply.session, reply.party, reply.request, reply.sealed)
    if stated != (session, member, envelope.digest(), hashlib.sha256(sealed).hexdigest()):
        raise _refused("it is the answer to another request")
    clear = hpke.unseal(private, sealed, _info(session, envelope))
    try:
        results = _Results.model_validate_json(clear).root
    except ValidationError as error:
        raise _refused("it is malformed") from error
    return {step: base64.b64decode(result) for step, result in results.items()}


def _info(session: str, envelope: Envelope) -> bytes:
    return rfc8785.dumps(["consortia/results-answer/v1", session, envelope.digest()])


def _refused(why: str) -> ProtocolAbort:
    return ProtocolAbort("control/answer", f"the node's answer is refused: {why}", remedy="ask again")
