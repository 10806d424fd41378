"""From signed hellos to the keys of every link: parties that hold different plans can't talk.

Functionality: each ordered pair of parties gets 32 fresh secret bytes under HPKE (ML-KEM-768 with X25519) to a key
that its receiver made for this attempt; both secrets of a pair, salted with a hash of everything that all parties
signed, give the pair's frame keys (one a direction), its randomness seed and its confirmation tags. Old traffic stays
closed if an identity key is lost, because the KEM keys are made fresh and dropped here.

1. ``hello``: what will run, a nonce, a fresh KEM key; signed by the node key. T1 = hash of all hello envelopes.
2. ``pair keys``: T1 and the ciphertexts for all peers; signed. T2 = hash of T1 and all pair-key envelopes.
3. ``derive``: HKDF-Extract(salt T2, s_ij | s_ji with the lower id first), then Expand by label.

The signature over T1 binds peers, nonces and keys, so an old hello can't be replayed and no peer can be exchanged.
A secure stage is never resumed: a new attempt makes everything anew. Source: protocol-proofs of the design,
section 7; HPKE is RFC 9180 in base mode, which is why the sender's authentication is the signature.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import rfc8785
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from consortia.errors import ProtocolAbort
from consortia.trust import hpke
from consortia.trust.sessions import Hello, PairKeys, SealedPair

_HELLO_OWN = frozenset(("party", "nonce", "kem_key", "heads", "reserved"))


@dataclass(frozen=True, slots=True)
class DirectionKeys:
    """Key, IV and confirmation tag of one direction."""

    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)
    confirmation: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class LinkKeys:
    """Everything that one party shares with one peer."""

    outgoing: DirectionKeys
    incoming: DirectionKeys
    seed: bytes = field(repr=False)


def digest_of_envelopes(label: str, envelopes: Mapping[str, bytes], before: str = "") -> str:
    """SHA-256 over party ids and envelope digests, sorted by party, after ``label`` and ``before``."""
    parts = [[party, hashlib.sha256(envelope).hexdigest()] for party, envelope in sorted(envelopes.items())]
    return hashlib.sha256(rfc8785.dumps([label, before, parts])).hexdigest()


def first_transcript(hellos: Mapping[str, bytes]) -> str:
    """T1 over all hello envelopes."""
    return digest_of_envelopes("consortia/transcript-1/v1", hellos)


def second_transcript(first: str, pair_keys: Mapping[str, bytes]) -> str:
    """T2 over T1 and all pair-key envelopes: equal at all parties or nobody can talk."""
    return digest_of_envelopes("consortia/transcript-2/v1", pair_keys, first)


def check_hellos(own: Hello, hellos: Mapping[str, Hello], parties: frozenset[str]) -> None:
    """Every expected party said hello, to exactly the run that this party approved.

    Raises ProtocolAbort ``transport/hello`` naming the party and the first differing field.
    """
    if frozenset(hellos) != parties:
        missing = sorted(parties ^ frozenset(hellos))
        raise ProtocolAbort("transport/hello", f"hellos are missing or too many: {', '.join(missing)}")
    mine = own.model_dump()
    for party, hello in sorted(hellos.items()):
        if hello.party != party:
            raise ProtocolAbort("transport/hello", f"the hello of `{party}` speaks for `{hello.party}`")
        theirs = hello.model_dump()
        for name, value in mine.items():
            if name not in _HELLO_OWN and theirs[name] != value:
                raise ProtocolAbort(
                    "transport/hello", f"`{party}` is about to run something else: its {name} differs", place=name
                )


def seal_pairs(
    own: Hello, transcript: str, hellos: Mapping[str, Hello], random_bytes: Callable[[int], bytes]
) -> tuple[PairKeys, dict[str, bytes]]:
    """The pair-keys document of this party, and the secrets in it by receiver (to be dropped after ``derive``)."""
    secrets = {party: random_bytes(32) for party in sorted(hellos) if party != own.party}
    pairs = tuple(
        SealedPair(
            receiver=party,
            ciphertext=hpke.seal(hellos[party].kem_key, secret, _pair_info(transcript, own.party, party)).hex(),
        )
        for party, secret in secrets.items()
    )
    document = PairKeys(session=own.session, attempt=own.attempt, party=own.party, transcript=transcript, pairs=pairs)
    return document, secrets


def derive(
    own: Hello,
    kem_private: hpke.KemPrivateKey,
    sent: Mapping[str, bytes],
    transcripts: tuple[str, str],
    received: Mapping[str, PairKeys],
) -> dict[str, LinkKeys]:
    """The keys of every link of this party, by peer.

    Raises ProtocolAbort ``transport/pair-keys`` if a peer's document is of another transcript, attempt or session,
    or holds no (or no valid) secret for this party.
    """
    first, second = transcripts
    links = {}
    for peer, document in sorted(received.items()):
        if peer == own.party:
            continue
        if (document.session, document.attempt, document.party) != (own.session, own.attempt, peer):
            raise ProtocolAbort("transport/pair-keys", f"the pair keys of `{peer}` are of another run")
        if not hmac.compare_digest(document.transcript, first):
            raise ProtocolAbort("transport/pair-keys", f"`{peer}` saw other hellos than this node")
        ciphertexts = [pair.ciphertext for pair in document.pairs if pair.receiver == own.party]
        if len(ciphertexts) != 1:
            raise ProtocolAbort(
                "transport/pair-keys", f"`{peer}` sent {len(ciphertexts)} secrets for this node, not one"
            )
        theirs = hpke.unseal(kem_private, bytes.fromhex(ciphertexts[0]), _pair_info(first, peer, own.party))
        ordered = sent[peer] + theirs if own.party < peer else theirs + sent[peer]
        links[peer] = _link_keys(ordered, second, own.party, peer)
    return links


def _pair_info(transcript: str, sender: str, receiver: str) -> bytes:
    return rfc8785.dumps(["consortia/pair/v1", transcript, sender, receiver])


def _link_keys(secret: bytes, transcript: str, me: str, peer: str) -> LinkKeys:
    prk = HKDF.extract(hashes.SHA256(), bytes.fromhex(transcript), secret)

    def expand(size: int, *label: str) -> bytes:
        return HKDFExpand(hashes.SHA256(), size, rfc8785.dumps(["consortia/link/v1", *label])).derive(prk)

    def direction(sender: str, receiver: str) -> DirectionKeys:
        return DirectionKeys(
            key=expand(32, "key", sender, receiver),
            iv=expand(12, "iv", sender, receiver),
            confirmation=expand(32, "confirmation", sender, receiver),
        )

    return LinkKeys(
        outgoing=direction(me, peer), incoming=direction(peer, me), seed=expand(32, "seed", *sorted((me, peer)))
    )
