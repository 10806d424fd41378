"""A member's own results: kept encrypted at its node, handed to its own analysts alone.

At rest a result is AES-256-GCM under a key of the home folder, bound to session and output. An analyst of the member
signs a request with a one-time key; the node checks signature and role in its member's card, answers each request
once, and seals the answer to that key, so the coordinator that carries it reads nothing.
"""

import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import rfc8785
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consortia.errors import OperatorError, ProtocolAbort, RequestError
from consortia.ids import member_of
from consortia.trust.envelope import Envelope
from consortia.trust.keyfiles import read_secret, write_new
from consortia.trust.manifest import Role
from consortia.trust.sessions import ResultsRequest
from consortia.trust.statements import HeldRequest
from consortia.trust.trusted import TrustedSet
from consortia.trust.verify import verify_by_one

R = TypeVar("R", ResultsRequest, HeldRequest)
_NONCE_BYTES = 12
REQUEST_VALIDITY = timedelta(seconds=300)


def results_key(path: Path) -> bytes:
    """The 32 bytes of the key file ``path``, made with mode 0600 if it is not there.

    Raises OperatorError ``trust/key-mode`` and as ``keyfiles`` does, ``parties/results-key`` if it is damaged.
    """
    if not path.exists():
        write_new(path, secrets.token_hex(32).encode() + b"\n", 0o600)
    try:
        key = bytes.fromhex(read_secret(path).decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != 32:
        raise OperatorError(
            "parties/results-key", "the key of the stored results is damaged", place=str(path), remedy="restore it"
        )
    return key


def encrypt(key: bytes, session: str, step: str, result: bytes) -> bytes:
    """``result`` as it is stored."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, result, _place(session, step))


def decrypt(key: bytes, session: str, step: str, stored: bytes) -> bytes:
    """The result; raises OperatorError ``parties/results-altered`` if file or key is not the one of then."""
    try:
        return AESGCM(key).decrypt(stored[:_NONCE_BYTES], stored[_NONCE_BYTES:], _place(session, step))
    except InvalidTag as error:
        raise OperatorError(
            "parties/results-altered",
            "a stored result can't be decrypted",
            place=f"session {session}, {step}",
            remedy="restore node.sqlite and keys/results.key from the same backup",
        ) from error


def check_request(envelope: Envelope, kind: type[R], role: Role, member: str, trusted: TrustedSet, now: datetime) -> R:
    """The request in ``envelope``, signed now by a person of ``member`` with ``role``.

    Raises RequestError ``parties/request-person`` (of another member), ``trust/role``, ProtocolAbort
    ``parties/request-time``, and as ``verify_by_one`` does.
    """
    claimed = kind.parse(envelope.payload_bytes())
    if member_of(claimed.person) != member:
        raise RequestError(
            "parties/request-person",
            f"`{claimed.person}` is not of `{member}`, whose node answers its own people alone",
            remedy="ask your own member's node",
        )
    request = verify_by_one(envelope, kind, claimed.person, trusted.person_key(claimed.person, now, role))
    if abs(request.at - now) > REQUEST_VALIDITY:
        raise ProtocolAbort(
            "parties/request-time",
            f"the request was signed at {request.at}, by this node's clock it is {now}",
            remedy="compare the clocks of both hosts, then ask again",
        )
    return request


def _place(session: str, step: str) -> bytes:
    return rfc8785.dumps(["consortia/result/v1", session, step])
