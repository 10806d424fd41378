"""Checking envelopes: what is returned was signed, by whom is said, and everything else raises.

Order of the checks: type, list of signatures (number, duplicates), known key and suite of each, each signature over
the exact bytes, number of distinct signers. A signature of an unknown key is refused even beside enough valid ones:
nobody but the expected signers may add to a signed document (its digest would change). The caller must still check
what the document says: versions, expiry, and that it speaks of the session at hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from consortia.errors import OperatorError, ProtocolAbort
from consortia.trust.documents import Document
from consortia.trust.envelope import Envelope, pre_authentication_encoding
from consortia.trust.keys import PublicKey, short

D = TypeVar("D", bound=Document)


@dataclass(frozen=True, slots=True)
class Verified:
    """The exact bytes that were signed, and the names of those who signed them, sorted."""

    payload: bytes
    signers: tuple[str, ...]


def verify(envelope: Envelope, payload_type: str, keys: Mapping[str, PublicKey], at_least: int = 1) -> Verified:
    """The payload of ``envelope``, signed by ``at_least`` distinct names of ``keys`` (name to key) and nobody else.

    A name is a person's or a member's id; two names must not share a key. Raises ProtocolAbort ``trust/wrong-type``,
    ``trust/envelope``, ``trust/unknown-key``, ``trust/wrong-suite`` or ``trust/signature``, and OperatorError
    ``trust/too-few-signatures``.
    """
    if at_least < 1:
        raise ValueError("an envelope without a signature proves nothing")
    if envelope.payload_type != payload_type:
        raise ProtocolAbort(
            "trust/wrong-type",
            f"a `{payload_type}` was expected and this is a `{envelope.payload_type}`",
            remedy="check that the right file or message was given",
        )
    envelope.check_signature_list()
    names = {key.key_id: (name, key) for name, key in keys.items()}
    if len(names) != len(keys):
        raise ValueError("two names share a key, so one signature would count twice")
    payload = envelope.payload_bytes()
    message = pre_authentication_encoding(payload_type, payload)
    signers = []
    for signature in envelope.signatures:
        if signature.key_id not in names:
            raise ProtocolAbort(
                "trust/unknown-key",
                f"it is signed with the key {short(signature.key_id)}, which is not the key of an expected signer",
                place=payload_type,
                remedy="expected: " + _expected(keys) + "; a new key counts once its member's new card is accepted",
            )
        name, key = names[signature.key_id]
        if signature.suite != key.suite:
            raise ProtocolAbort(
                "trust/wrong-suite",
                f"the signature of `{name}` says {signature.suite} and its key is of {key.suite}",
                place=payload_type,
            )
        key.verify(message, bytes.fromhex(signature.signature))
        signers.append(name)
    if len(signers) < at_least:
        raise OperatorError(
            "trust/too-few-signatures",
            f"{at_least} signatures are needed and there are {len(signers)}",
            place=payload_type,
            remedy="missing any of: " + _expected({name: key for name, key in keys.items() if name not in signers}),
        )
    return Verified(payload, tuple(sorted(signers)))


def verify_document(
    envelope: Envelope, kind: type[D], keys: Mapping[str, PublicKey], at_least: int = 1
) -> tuple[D, tuple[str, ...]]:
    """The document of class ``kind`` in ``envelope`` and its signers' names.

    Raises as ``verify`` does, and RequestError ``trust/document`` if the signed bytes are not such a document.
    """
    verified = verify(envelope, document_type(kind), keys, at_least)
    return kind.parse(verified.payload), verified.signers


def verify_by_one(envelope: Envelope, kind: type[D], name: str, key: PublicKey) -> D:
    """The document of class ``kind``, signed by exactly ``name``: the form of every message of a session."""
    return verify_document(envelope, kind, {name: key})[0]


def document_type(kind: type[Document]) -> str:
    """The ``consortia/NAME/v1`` of a class of documents."""
    return str(kind.model_fields["type"].default)


def _expected(keys: Mapping[str, PublicKey]) -> str:
    if not keys:
        return "nobody"
    listed = [f"`{name}` ({short(key.key_id)})" for name, key in sorted(keys.items())]
    return ", ".join(listed[:8]) + (f" and {len(listed) - 8} more" if len(listed) > 8 else "")
