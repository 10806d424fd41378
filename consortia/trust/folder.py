"""A trust folder: signed documents as files that a person can read, beside their signatures.

    manifest.json    manifest.signatures.json          members/bank-a.json      introductions (unsigned)
    catalogue.json   catalogue.signatures.json         coordinator.json         where the coordinator is (unsigned)
    cards/bank-a.json         cards/bank-a.signatures.json
    domain-keys/customer.json domain-keys/customer.signatures.json
    policies/bank-a/aml-detection.yaml   policies/bank-a/aml-detection.signatures.json
    revocations/MEMBER.POLICY.json   stops/MEMBER.STOP.json   lifts/MEMBER.STOP.json   notices, by digest: ``notices``
    accepted.json    in a member's own folder only: the digests of what was accepted there
    verified-lifts/MEMBER.STOP.json   there too: the digest of the lift whose signatures were verified there

``X.json`` is the document indented for reading. What was signed are its canonical bytes, recomputed from the file
(RFC 8785), so white space and line ends may change on the way and nothing else may. A policy is signed as the exact
bytes of its YAML file. The same layout serves the folder that members exchange and the ``trust/`` of a member's home.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import rfc8785
from pydantic import ValidationError

from consortia.errors import OperatorError
from consortia.ids import check_name
from consortia.trust.documents import Digest, Frozen
from consortia.trust.envelope import LARGEST_ENVELOPE, Envelope, Signature
from consortia.trust.manifest import CoordinatorEntry, Introduction
from consortia.trust.trusted import CATALOGUE_TYPE, MANIFEST_TYPE, Accepted

F = TypeVar("F", bound=Frozen)

CARD_TYPE = "consortia/card/v1"
POLICY_TYPE = "consortia/policy/v1"
DOMAIN_KEY_TYPE = "consortia/domain-key/v1"


NoticeKind = Literal["revocations", "stops", "lifts"]
_NOTICES: Mapping[NoticeKind, str] = {
    "revocations": "consortia/revocation/v1",
    "stops": "consortia/stop/v1",
    "lifts": "consortia/lift/v1",
}


class _SignatureFile(Frozen):
    payload_type: str
    signatures: tuple[Signature, ...]


class _VerifiedLift(Frozen):
    digest: Digest


class TrustFolder:
    """The files of one trust folder. Reading an absent document raises OperatorError ``trust/missing``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    # --- signed documents -------------------------------------------------------------------------------------------

    def manifest(self) -> Envelope:
        """The manifest with the signatures collected so far."""
        return self._read("manifest.json", MANIFEST_TYPE)

    def write_manifest(self, envelope: Envelope) -> None:
        """Store the manifest and its signatures."""
        self._write("manifest.json", envelope)

    def card(self, member: str) -> Envelope:
        """The card of ``member``."""
        return self._read(f"cards/{check_name(member, 'member')}.json", CARD_TYPE)

    def cards(self) -> list[Envelope]:
        """All cards, sorted by member."""
        return [self.card(name) for name in self._names("cards")]

    def write_card(self, member: str, envelope: Envelope) -> None:
        """Store the card of ``member``."""
        self._write(f"cards/{check_name(member, 'member')}.json", envelope)

    def catalogue(self) -> Envelope:
        """The catalogue with the signatures collected so far."""
        return self._read("catalogue.json", CATALOGUE_TYPE)

    def write_catalogue(self, envelope: Envelope) -> None:
        """Store the catalogue and its signatures."""
        self._write("catalogue.json", envelope)

    def domain_key(self, domain: str) -> Envelope:
        """The sealed key of a key domain."""
        return self._read(f"domain-keys/{check_name(domain, 'key domain')}.json", DOMAIN_KEY_TYPE)

    def domain_keys(self) -> list[str]:
        """The key domains whose sealed keys lie here."""
        return self._names("domain-keys")

    def write_domain_key(self, domain: str, envelope: Envelope) -> None:
        """Store the sealed key of a key domain."""
        self._write(f"domain-keys/{check_name(domain, 'key domain')}.json", envelope)

    def policies(self) -> list[tuple[str, str]]:
        """Owner and purpose of every policy here, sorted."""
        root = self.path / "policies"
        return sorted((file.parent.name, file.stem) for file in root.glob("*/*.yaml"))

    def policy(self, owner: str, purpose: str) -> Envelope:
        """A policy: the exact bytes of its file, with the signatures collected so far."""
        return read_policy_file(self._policy_path(owner, purpose))

    def write_policy(self, owner: str, purpose: str, envelope: Envelope) -> None:
        """Store a policy's exact bytes and its signatures."""
        path = self._policy_path(owner, purpose)
        _write_atomically(path, envelope.payload_bytes())
        _write_signatures(path, envelope)

    def notices(self, kind: NoticeKind) -> list[str]:
        """The names under which notices of ``kind`` lie here: member and digest of policy or stop."""
        return self._names(kind)

    def notice(self, kind: NoticeKind, name: str) -> Envelope:
        """The notice of ``kind`` with this ``name``."""
        return self._read(f"{kind}/{name}.json", _NOTICES[kind])

    def write_notice(self, kind: NoticeKind, name: str, envelope: Envelope) -> None:
        """Store a notice."""
        self._write(f"{kind}/{name}.json", envelope)

    # --- unsigned ---------------------------------------------------------------------------------------------------

    def introductions(self) -> list[Introduction]:
        """What members said of themselves before there was a manifest, sorted by id."""
        return [read_plain(self.path / "members" / f"{name}.json", Introduction) for name in self._names("members")]

    def write_introduction(self, introduction: Introduction) -> None:
        """Store a member's introduction."""
        write_plain(self.path / "members" / f"{introduction.member.id}.json", introduction)

    def coordinator(self) -> CoordinatorEntry:
        """Where the coordinator is, as its operator said."""
        return read_plain(self.path / "coordinator.json", CoordinatorEntry)

    def write_coordinator(self, entry: CoordinatorEntry) -> None:
        """Store where the coordinator is."""
        write_plain(self.path / "coordinator.json", entry)

    def accepted(self) -> Accepted | None:
        """The digests of what was accepted here; None before the first manifest."""
        path = self.path / "accepted.json"
        return read_plain(path, Accepted) if path.exists() else None

    def write_accepted(self, accepted: Accepted) -> None:
        """Store the digests of what is accepted from now on."""
        write_plain(self.path / "accepted.json", accepted)

    def verified_lift(self, name: str) -> str | None:
        """The digest of the lift of this ``name`` that was verified here; None if none was."""
        path = self.path / "verified-lifts" / f"{name}.json"
        return read_plain(path, _VerifiedLift).digest if path.exists() else None

    def write_verified_lift(self, name: str, digest: str) -> None:
        """Note that the lift of this ``name`` was verified here."""
        write_plain(self.path / "verified-lifts" / f"{name}.json", _VerifiedLift(digest=digest))

    # --- inside -----------------------------------------------------------------------------------------------------

    def _read(self, name: str, payload_type: str) -> Envelope:
        path = self.path / name
        return Envelope(
            payload_type=payload_type,
            payload=_canonical(path).hex(),
            signatures=_read_signatures(path, payload_type),
        )

    def _write(self, name: str, envelope: Envelope) -> None:
        path = self.path / name
        # Signatures first: a crash in between leaves signatures that do not fit, never a document that seems unsigned
        # and invites somebody to sign it again.
        _write_signatures(path, envelope)
        _write_atomically(path, _pretty(json.loads(envelope.payload_bytes())))

    def _names(self, folder: str) -> list[str]:
        files = (self.path / folder).glob("*.json")
        return sorted(file.stem for file in files if not file.name.endswith(".signatures.json"))

    def _policy_path(self, owner: str, purpose: str) -> Path:
        return self.path / "policies" / check_name(owner, "member") / f"{check_name(purpose, 'purpose')}.yaml"


def read_policy_file(path: Path) -> Envelope:
    """The exact bytes of a policy's file, with the signatures that lie beside it (``NAME.signatures.json``)."""
    return Envelope(
        payload_type=POLICY_TYPE,
        payload=_read_bytes(path).hex(),
        signatures=_read_signatures(path, POLICY_TYPE),
    )


def write_policy_signatures(path: Path, envelope: Envelope) -> Path:
    """Store the signatures of the policy in ``path`` beside it, without touching the policy; returns their file."""
    _write_signatures(path, envelope)
    return _signature_path(path)


def read_plain(path: Path, kind: type[F]) -> F:
    """The unsigned value of class ``kind`` in a JSON file; raises OperatorError ``trust/missing`` or ``trust/file``."""
    try:
        return kind.model_validate_json(_canonical(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _unreadable(path, f"{where}: {first['msg']}") from error


def write_plain(path: Path, value: Frozen) -> None:
    """Store an unsigned value as indented JSON."""
    _write_atomically(path, _pretty(value.model_dump(mode="json")))


def _canonical(path: Path) -> bytes:
    try:
        return rfc8785.dumps(_strict_json(_read_bytes(path)))
    except (ValueError, RecursionError, rfc8785.CanonicalizationError) as error:
        raise _unreadable(path, str(error)) from error


def _strict_json(text: bytes) -> Any:
    """The JSON value in ``text``; a name twice in one object, and floating point, raise ValueError."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = dict(pairs)
        if len(names) != len(pairs):
            raise ValueError("a name stands twice in one object")
        return names

    def no_float(literal: str) -> Any:
        raise ValueError(f"`{literal}` is not a whole number")

    value: Any = json.loads(text, object_pairs_hook=unique, parse_float=no_float, parse_constant=no_float)
    return value


def _signature_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}.signatures.json")


def _read_signatures(path: Path, payload_type: str) -> tuple[Signature, ...]:
    file = _signature_path(path)
    if not file.exists():
        return ()
    held = read_plain(file, _SignatureFile)
    if held.payload_type != payload_type:
        raise _unreadable(file, f"these are signatures of a {held.payload_type}")
    return held.signatures


def _write_signatures(path: Path, envelope: Envelope) -> None:
    held = _SignatureFile(payload_type=envelope.payload_type, signatures=envelope.signatures)
    write_plain(_signature_path(path), held)


def _pretty(value: object) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _read_bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST_ENVELOPE:
            raise _unreadable(path, "it is far too large")
        return path.read_bytes()
    except OSError as error:
        raise OperatorError(
            "trust/missing",
            f"the file can't be read: {error.strerror}",
            place=str(path),
            remedy="check the folder; the document may not have been made or accepted yet",
        ) from error


def _write_atomically(path: Path, content: bytes) -> None:
    """Replace ``path`` in one step: a reader sees the old or the new bytes, and so does a restart after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)  # everything here is public to those who may enter the folder
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _unreadable(path: Path, reason: str) -> OperatorError:
    return OperatorError(
        "trust/file",
        f"the file is not what it should be: {reason}",
        place=str(path),
        remedy="restore it, or fetch it again from its author",
    )
