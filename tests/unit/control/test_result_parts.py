"""Result parts: sealed, signed, in pieces; each way of changing one is refused by the recipient."""

import base64
import json
import secrets

import pytest

from consortia.control.messages import Part, ResultsAnswer, decode
from consortia.control.parts import Output, PartCollector, RunOf, sealed_pieces
from consortia.errors import ProtocolAbort
from consortia.trust.hpke import KemPrivateKey
from consortia.trust.keys import PrivateKey

COMPUTERS = ("bank-a", "bank-b", "bank-c")
KEYS = {name: PrivateKey.generate("ecdsa-p256") for name in COMPUTERS}
PUBLIC = {name: key.public for name, key in KEYS.items()}
PRIVATE = KemPrivateKey.generate()
PERSON = "ana@bank-a"
PLAN, T2 = "1" * 64, "2" * 64
RUN = RunOf("0" * 32, 1, PLAN, T2)
OUTPUT = Output("s9", PERSON)


def pieces(computer: str, run: RunOf = RUN, part: bytes = b"", size: int = 64, output: Output = OUTPUT) -> list[Part]:
    _, found = sealed_pieces(
        run,
        output,
        part or f"part of {computer}".encode() * 20,
        signer=KEYS[computer],
        party=computer,
        key=PRIVATE.public,
        piece_bytes=size,
        random_bytes=secrets.token_bytes,
    )
    return list(found)


def collector(**replaced: list[Part]) -> PartCollector:
    made = PartCollector(PERSON, ("s9",), COMPUTERS)
    for computer in COMPUTERS:
        for piece in replaced.get(computer.replace("-", "_"), pieces(computer)):
            made.add(computer, piece)
    return made


def opened(made: PartCollector) -> dict[str, list[bytes]]:
    return made.open(RUN.session, PLAN, PUBLIC, PRIVATE)


def test_parts_open_in_the_order_of_the_computers_whatever_the_order_of_arrival() -> None:
    made = PartCollector(PERSON, ("s9",), COMPUTERS)
    for computer in reversed(COMPUTERS):
        for piece in reversed(pieces(computer)):
            assert not made.complete
            made.add(computer, piece)
    assert made.complete
    assert opened(made) == {"s9": [f"part of {computer}".encode() * 20 for computer in COMPUTERS]}


def test_nothing_of_a_part_is_readable_on_the_way_and_two_seals_differ() -> None:
    first, second = pieces("bank-a", size=10**6), pieces("bank-a", size=10**6)
    assert b"part of" not in base64.b64decode(first[0].piece)
    assert first[0].piece != second[0].piece


def test_an_empty_part_is_a_part() -> None:
    made = collector(**{name.replace("-", "_"): pieces(name, part=b"\0") for name in COMPUTERS})
    assert opened(made) == {"s9": [b"\0"] * 3}


@pytest.mark.parametrize(
    "run",
    [RunOf("f" * 32, 1, PLAN, T2), RunOf("0" * 32, 1, "9" * 64, T2), RunOf("0" * 32, 1, PLAN, "9" * 64)],
    ids=["session", "plan", "transcript"],
)
def test_a_part_of_another_run_is_refused(run: RunOf) -> None:
    with pytest.raises(ProtocolAbort, match="different runs") as refused:
        opened(collector(bank_b=pieces("bank-b", run)))
    assert refused.value.code == "control/part"


def test_parts_that_all_belong_to_another_session_are_refused() -> None:
    other = RunOf("f" * 32, 1, PLAN, T2)
    replaced = {name.replace("-", "_"): pieces(name, other) for name in COMPUTERS}
    with pytest.raises(ProtocolAbort, match="different runs"):
        opened(collector(**replaced))


def test_parts_that_agree_with_each_other_but_not_with_the_run_that_the_recipient_knows_are_refused() -> None:
    other = RunOf(RUN.session, 1, PLAN, "9" * 64)
    replaced = {name.replace("-", "_"): pieces(name, other) for name in COMPUTERS}
    with pytest.raises(ProtocolAbort, match="another run") as refused:
        collector(**replaced).open(RUN.session, PLAN, PUBLIC, PRIVATE, transcript=T2)
    assert refused.value.code == "control/part"
    assert collector().open(RUN.session, PLAN, PUBLIC, PRIVATE, transcript=T2)


def test_a_part_that_another_computer_signed_is_refused() -> None:
    with pytest.raises(ProtocolAbort):
        opened(collector(bank_b=pieces("bank-c")))


def test_an_altered_piece_is_refused() -> None:
    altered = pieces("bank-b")
    data = bytearray(base64.b64decode(altered[1].piece))
    data[3] ^= 1
    altered[1] = altered[1].model_copy(update={"piece": base64.b64encode(data).decode()})
    with pytest.raises(ProtocolAbort, match="not the one it signed"):
        opened(collector(bank_b=altered))


@pytest.mark.parametrize("text", ["A", "AA=A", "%%%%", "é", "AAAA\n"])
def test_a_body_whose_bytes_are_no_base64_is_malformed_where_it_is_read(text: str) -> None:
    part = pieces("bank-b")[0]
    for field, body in (("piece", part), ("sealed", ResultsAnswer(sealed=part.piece))):
        told = json.dumps({**body.model_dump(mode="json"), field: text}).encode()
        with pytest.raises(ProtocolAbort) as refused:
            decode(type(body), told, "part", "bank-b")
        assert (refused.value.code, refused.value.place) == ("control/malformed", field)
        assert text not in refused.value.message


def test_pieces_of_two_parts_are_not_mixed() -> None:
    first, second = pieces("bank-b"), pieces("bank-b")
    made = PartCollector(PERSON, ("s9",), COMPUTERS)
    made.add("bank-b", first[0])
    with pytest.raises(ProtocolAbort, match="belong together"):
        made.add("bank-b", second[1])


@pytest.mark.parametrize(
    ("sender", "output"),
    [("bank-d", OUTPUT), ("bank-a", Output("s8", PERSON)), ("bank-a", Output("s9", "eve@bank-a"))],
)
def test_a_part_that_is_not_due_here_is_refused(sender: str, output: Output) -> None:
    made = PartCollector(PERSON, ("s9",), COMPUTERS)
    with pytest.raises(ProtocolAbort, match="not due here"):
        made.add(sender, pieces("bank-a", output=output)[0])
