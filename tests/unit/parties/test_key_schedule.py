"""The key schedule: equal views give equal keys, any difference gives none."""

import os
from collections.abc import Callable

import pytest

from consortia.errors import ProtocolAbort
from consortia.parties.transport.key_schedule import (
    LinkKeys,
    check_hellos,
    derive,
    first_transcript,
    seal_pairs,
    second_transcript,
)
from consortia.trust.hpke import KemPrivateKey
from consortia.trust.sessions import Hello, PairKeys

PARTIES = ("bank-a", "bank-b", "bank-c", "bank-d")


def hello(party: str, kem: KemPrivateKey, **other: object) -> Hello:
    fields: dict[str, object] = {
        "session": "ab" * 16,
        "attempt": 1,
        "manifest": "1" * 64,
        "catalogue": "2" * 64,
        "plan": "3" * 64,
        "leakage": "4" * 64,
        "approvals": "5" * 64,
        "computers": PARTIES[:3],
        "software": "0.1.0",
        "nonce": os.urandom(32).hex(),
    }
    return Hello.model_validate({**fields, **other, "party": party, "kem_key": kem.public})


def schedule(change: Callable[[dict[str, PairKeys]], None] = lambda _: None) -> dict[str, dict[str, LinkKeys]]:
    kems = {party: KemPrivateKey.generate() for party in PARTIES}
    hellos = {party: hello(party, kem) for party, kem in kems.items()}
    first = first_transcript({party: document.canonical() for party, document in hellos.items()})
    sealed = {party: seal_pairs(hellos[party], first, hellos, os.urandom) for party in PARTIES}
    documents = {party: document for party, (document, _) in sealed.items()}
    change(documents)
    second = second_transcript(first, {party: document.canonical() for party, document in documents.items()})
    return {
        party: derive(hellos[party], kems[party], sealed[party][1], (first, second), documents) for party in PARTIES
    }


def test_both_ends_of_every_pair_derive_the_same_keys_crosswise() -> None:
    keys = schedule()
    seeds = set()
    for me in PARTIES:
        for peer in PARTIES:
            if me != peer:
                assert keys[me][peer].outgoing == keys[peer][me].incoming
                assert keys[me][peer].outgoing.key != keys[me][peer].incoming.key
                assert keys[me][peer].seed == keys[peer][me].seed
                seeds.add(keys[me][peer].seed)
    assert len(seeds) == 6


def test_a_new_attempt_shares_no_key_with_the_old_one() -> None:
    assert schedule()["bank-a"]["bank-b"].seed != schedule()["bank-a"]["bank-b"].seed


def test_link_keys_never_print_a_secret() -> None:
    keys = schedule()["bank-a"]["bank-b"]
    assert keys.seed.hex() not in repr(keys)
    assert repr(keys.outgoing) == "DirectionKeys()"


@pytest.mark.parametrize(("field", "value"), [("plan", "9" * 64), ("attempt", 2), ("approvals", "8" * 64)])
def test_a_hello_for_anything_else_names_the_party_and_the_field(field: str, value: object) -> None:
    kem = KemPrivateKey.generate()
    own = hello("bank-a", kem)
    hellos = {"bank-a": own, "bank-b": hello("bank-b", kem, **{field: value})}
    with pytest.raises(ProtocolAbort, match=f"`bank-b` is about to run something else: its {field} differs"):
        check_hellos(own, hellos, frozenset(("bank-a", "bank-b")))


def test_a_missing_or_misattributed_hello_is_refused() -> None:
    kem = KemPrivateKey.generate()
    own = hello("bank-a", kem)
    with pytest.raises(ProtocolAbort, match="bank-b"):
        check_hellos(own, {"bank-a": own}, frozenset(("bank-a", "bank-b")))
    with pytest.raises(ProtocolAbort, match="speaks for `bank-a`"):
        check_hellos(own, {"bank-a": own, "bank-b": own}, frozenset(("bank-a", "bank-b")))


def test_pair_keys_over_other_hellos_are_refused() -> None:
    def swap_transcript(documents: dict[str, PairKeys]) -> None:
        documents["bank-b"] = documents["bank-b"].model_copy(update={"transcript": "0" * 64})

    with pytest.raises(ProtocolAbort, match="`bank-b` saw other hellos"):
        schedule(swap_transcript)


def test_pair_keys_of_an_old_run_are_refused() -> None:
    def replay(documents: dict[str, PairKeys]) -> None:
        documents["bank-b"] = documents["bank-b"].model_copy(update={"attempt": 7})

    with pytest.raises(ProtocolAbort, match="pair keys of `bank-b` are of another run"):
        schedule(replay)


def test_a_ciphertext_for_somebody_else_does_not_open() -> None:
    def exchange(documents: dict[str, PairKeys]) -> None:
        pairs = documents["bank-b"].pairs
        swapped = tuple(
            pair.model_copy(update={"ciphertext": pairs[number - 1].ciphertext}) for number, pair in enumerate(pairs)
        )
        documents["bank-b"] = documents["bank-b"].model_copy(update={"pairs": swapped})

    with pytest.raises(ProtocolAbort) as caught:
        schedule(exchange)
    assert caught.value.code == "trust/sealed"
