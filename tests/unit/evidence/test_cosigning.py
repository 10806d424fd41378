"""Cosigned heads: what hellos name and seals prove, and every way in which a member can show two journals."""

import pytest

from consortia.errors import OperatorError, ProtocolAbort
from consortia.evidence.cosigning import check_own_heads, check_split, continued, earlier_sizes
from consortia.evidence.merkle import leaf_hash, root_of
from consortia.evidence.proofs import consistency_proof
from consortia.trust.sessions import Consistency, Hello, MemberHead, Seal, TreeHead
from tests.merkle_trees import reader

LOG, ZERO = "ab" * 16, "0" * 64
LEAVES = [leaf_hash(bytes([number])) for number in range(12)]
OTHERS = [leaf_hash(b"other"), *LEAVES[1:]]


def head(size: int, leaves: list[bytes] = LEAVES, log: str = LOG) -> TreeHead:
    return TreeHead(log=log, size=size, root=root_of(leaves[:size]).hex())


def of(member: str, found: TreeHead) -> MemberHead:
    return MemberHead(member=member, head=found)


def hello(party: str, *heads: MemberHead) -> Hello:
    return Hello(
        session="0" * 32,
        attempt=1,
        party=party,
        manifest=ZERO,
        catalogue=ZERO,
        plan=ZERO,
        leakage=ZERO,
        approvals=ZERO,
        computers=("bank-a", "bank-b", "bank-c"),
        software="1",
        nonce="00",
        kem_key="00",
        heads=heads,
    )


def seal(party: str, found: TreeHead, *sizes: int, leaves: list[bytes] = LEAVES) -> Seal:
    proofs = [(size, consistency_proof(size, found.size, reader(leaves))) for size in sizes]
    return Seal(
        session="0" * 32,
        attempt=1,
        party=party,
        plan=ZERO,
        transcript=ZERO,
        outcome="released",
        head=found,
        entries=0,
        earlier=tuple(Consistency(size=size, hashes=tuple(one.hex() for one in proof)) for size, proof in proofs),
    )


def test_a_seal_proves_every_head_that_the_hellos_name() -> None:
    hellos = [hello("bank-a", of("bank-b", head(3))), hello("bank-c", of("bank-b", head(7)), of("bank-a", head(5)))]
    assert earlier_sizes("bank-b", LOG, hellos) == (3, 7)
    assert earlier_sizes("bank-b", "cd" * 16, hellos) == ()
    named = hellos[1].heads
    assert continued(named, seal("bank-b", head(10), 3, 7)) == (named[0],)


@pytest.mark.parametrize(
    "shown",
    [
        seal("bank-b", head(10, OTHERS), 7, leaves=OTHERS),  # another journal, with its own right proof
        seal("bank-b", head(10)),  # no proof at all
        seal("bank-b", head(10), 3),  # of another size only
        seal("bank-b", head(5)),  # shorter than before
        seal("bank-b", head(7, OTHERS)),  # as long, with another root
    ],
)
def test_a_journal_that_breaks_off_is_a_split_view_of_its_member(shown: Seal) -> None:
    with pytest.raises(ProtocolAbort) as caught:
        continued((of("bank-b", head(7)),), shown)
    assert (caught.value.code, caught.value.place) == ("evidence/split-view", "bank-b")


def test_a_journal_of_another_name_is_not_compared() -> None:
    assert continued((of("bank-b", head(7)),), seal("bank-b", head(2, OTHERS, log="cd" * 16))) == ()


def test_two_members_that_were_shown_different_journals_find_out_by_their_hellos() -> None:
    hellos = {"bank-a": hello("bank-a", of("bank-b", head(7))), "bank-c": hello("bank-c", of("bank-b", head(6)))}
    check_split((of("bank-b", head(7)),), hellos)
    hellos["bank-c"] = hello("bank-c", of("bank-b", head(7, OTHERS)))
    with pytest.raises(ProtocolAbort) as caught:
        check_split((), hellos)
    assert (caught.value.code, caught.value.place) == ("evidence/split-view", "bank-b")
    assert "`bank-a` and `bank-c`" in caught.value.message


def test_a_head_held_here_is_compared_too() -> None:
    with pytest.raises(ProtocolAbort) as caught:
        check_split((of("bank-b", head(7)),), {"bank-c": hello("bank-c", of("bank-b", head(7, OTHERS)))})
    assert "this node and `bank-c`" in caught.value.message


@pytest.mark.parametrize(("named", "fits"), [(head(4), True), (head(9), False), (head(4, OTHERS), False)])
def test_a_node_that_is_behind_what_others_hold_of_it_stops(named: TreeHead, *, fits: bool) -> None:
    hellos = {"bank-b": hello("bank-b", of("bank-a", named))}

    def own(size: int) -> TreeHead | None:
        return head(size) if size <= 6 else None

    if fits:
        check_own_heads("bank-a", hellos, own)
        return
    with pytest.raises(OperatorError) as caught:
        check_own_heads("bank-a", hellos, own)
    assert caught.value.code == "evidence/behind"


def test_heads_of_the_time_before_a_new_log_bind_nobody() -> None:
    hellos = {"bank-b": hello("bank-b", of("bank-a", head(9, log="cd" * 16)))}
    check_own_heads("bank-a", hellos, lambda size: head(size) if size <= 6 else None)
