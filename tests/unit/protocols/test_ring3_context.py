"""The context under every protocol: keyed randomness, channels in memory, transcript, and liars."""

import hashlib
import threading
import time

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from consortia.errors import InternalError, NoProgress, PeerError, ProtocolAbort
from consortia.protocols import randomness as module
from consortia.protocols.memory import MemoryNetwork
from consortia.protocols.randomness import Randomness
from consortia.protocols.transcript import Transcript
from tests.world import World, reconstruct

SEEDS = bytes(range(32)), bytes(range(32, 64))


# --- randomness -------------------------------------------------------------------------------------------


def counter_mode(seed, place, piece, size):
    """The words as the module's docstring defines them."""
    key = HKDFExpand(algorithm=SHA256(), length=32, info=b"prg").derive(seed)
    counter = hashlib.sha256(b"prg\x00" + place).digest()[:10] + piece.to_bytes(2, "big") + bytes([0, 0, 0, 2])
    return Cipher(algorithms.AES(key), modes.CTR(counter)).encryptor().update(bytes(size))


@pytest.mark.parametrize("count", [1, 2, 32_767, 32_768, 32_769, 32_770, 32_771, 65_536, 80_001])
def test_a_draw_is_the_seed_s_generator_in_counter_mode_at_its_address(count):
    expected = b"".join(
        counter_mode(SEEDS[0], b"s3/sort/level-1\x00zero", piece, min(1 << 18, 8 * count - (piece << 18)))
        for piece in range(-(-8 * count // (1 << 18)))
    )
    words = np.empty(count, np.uint64)
    Randomness(0, *SEEDS).stream(0, "s3/sort/level-1", "zero").fill(words)
    assert words.tobytes() == expected
    before = np.arange(count, dtype=np.uint64)
    added = before.copy()
    Randomness(0, *SEEDS).stream(0, "s3/sort/level-1", "zero").add(added)
    assert np.array_equal(added ^ before, words)


def test_every_call_of_a_stream_draws_new_pieces_and_a_draw_has_an_end():
    stream = Randomness(0, *SEEDS).stream(1, "s0", "zero")
    assert stream.draw(3).tobytes() == counter_mode(SEEDS[1], b"s0\x00zero", 0, 24)
    assert stream.draw(5, np.uint32).tobytes() == counter_mode(SEEDS[1], b"s0\x00zero", 1, 20)
    stream._number = (1 << 16) - 1
    assert stream.draw(1).size == 1
    with pytest.raises(InternalError) as caught:
        stream.draw(1)
    assert caught.value.code == "protocol/draw-size"


def test_two_steps_of_one_address_raise(monkeypatch):
    monkeypatch.setattr(module, "address", lambda step, purpose: bytes(12))
    randomness = Randomness(0, *SEEDS)
    drawn(randomness, 0, "s0", "mask")
    drawn(randomness, 1, "s1", "mask")  # another seed
    with pytest.raises(InternalError) as caught:
        drawn(randomness, 0, "s1", "pad")
    assert caught.value.code == "protocol/step-reused"


def drawn(randomness, component, step, purpose):
    return randomness.stream(component, step, purpose).draw(4).tolist()


def test_holders_of_a_seed_draw_alike_and_every_address_draws_differently():
    left, right = Randomness(0, SEEDS[0], SEEDS[1]), Randomness(1, SEEDS[1], bytes(32))
    assert drawn(left, 1, "s0", "mask") == drawn(right, 1, "s0", "mask")
    others = [drawn(left, 1, "s1", "mask"), drawn(left, 1, "s0", "pad"), drawn(left, 0, "s0", "mask")]
    # a separator keeps step and purpose apart
    others += [drawn(left, 1, "a", "bc"), drawn(left, 1, "ab", "c"), drawn(right, 1, "s1/s0", "mask")]
    assert len({tuple(words) for words in others}) == len(others)


def test_drawing_twice_for_one_step_raises():
    randomness = Randomness(0, *SEEDS)
    drawn(randomness, 0, "s0", "mask")
    with pytest.raises(InternalError) as caught:
        drawn(randomness, 0, "s0", "mask")
    assert caught.value.code == "protocol/step-reused"
    assert caught.value.place == "s0"


def test_a_computer_has_no_stream_of_the_component_it_lacks():
    with pytest.raises(InternalError) as caught:
        drawn(Randomness(0, *SEEDS), 2, "s0", "mask")
    assert caught.value.code == "protocol/foreign-seed"
    with pytest.raises(InternalError) as caught:
        Randomness(0, b"short", SEEDS[1])
    assert caught.value.code == "protocol/seed"


def test_seeds_do_not_print():
    assert repr(Randomness(0, *SEEDS)) == "<Randomness>"
    assert "seed" not in repr(World(1).contexts[0])


def test_zero_shares_cancel():
    def program(ctx):
        plus, minus = ctx.narrow("sum").zero_sum((50,), np.uint64)
        return plus - minus, ctx.narrow("xor").zero_xor((3, 4))

    sums, xors = zip(*World(4).run_contexts(program), strict=True)
    assert not np.any(sum(sums[1:], sums[0]))
    assert not np.any(xors[0] ^ xors[1] ^ xors[2])
    assert all(np.any(share) for share in (*sums, *xors))


# --- steps and the transcript -----------------------------------------------------------------------------


def test_narrowing_appends_to_the_step_path():
    ctx = World(1).contexts[2]
    assert ctx.narrow("s1").narrow("sort").step == "s1/sort"
    assert ctx.step == ""
    assert (ctx.previous, ctx.next, ctx.member) == (1, 0, "gamma")


def test_the_transcript_counts_rounds_and_bytes_under_a_step():
    transcript = Transcript()
    transcript.rounds.update({"s1": 1, "s1/a": 2, "s10": 4})
    transcript.sent.update({("s1", "beta"): 8, ("s1/a", "gamma"): 16, ("s10", "beta"): 32})
    assert (transcript.total_rounds("s1"), transcript.total_sent("s1")) == (3, 24)
    assert (transcript.total_rounds(), transcript.total_sent()) == (7, 56)


# --- channels in memory -----------------------------------------------------------------------------------


def test_a_message_is_copied_and_empty_ones_are_not_sent():
    network = MemoryNetwork(["a", "b"])
    buffer = bytearray(b"1234")
    network.channels["a"]["b"].send("s", buffer)
    buffer[:] = b"9999"
    network.channels["a"]["b"].send("s", b"")
    network.channels["a"]["b"].send("t", b"56")
    assert bytes(network.channels["b"]["a"].receive("s", 4)) == b"1234"
    assert bytes(network.channels["b"]["a"].receive("t", 2)) == b"56"
    assert dict(network.channels["a"]["b"].sent) == {"s": 4, "t": 2}


@pytest.mark.parametrize(("step", "size"), [("s/other", 4), ("s/due", 3), ("s/due", 5)])
def test_another_step_or_length_than_expected_ends_the_run(step, size):
    network = MemoryNetwork(["a", "b"])
    network.channels["a"]["b"].send("s/due", b"1234")
    with pytest.raises(ProtocolAbort) as caught:
        network.channels["b"]["a"].receive(step, size)
    assert caught.value.code == "transport/out-of-step"


def test_silence_and_a_closed_peer_are_told_apart():
    network = MemoryNetwork(["a", "b"], silence=0.05)
    with pytest.raises(NoProgress) as silent:
        network.channels["b"]["a"].receive("s", 1)
    assert silent.value.code == "transport/silent"
    network.channels["a"]["b"].send("s", b"1")
    network.close("a")
    assert bytes(network.channels["b"]["a"].receive("s", 1)) == b"1"
    for attempt in (
        lambda: network.channels["b"]["a"].receive("s", 1),
        lambda: network.channels["b"]["a"].send("s", b"1"),
    ):
        with pytest.raises(PeerError) as closed:
            attempt()
        assert closed.value.code == "transport/closed"


def test_rounds_are_the_longest_chain_of_dependent_messages():
    network = MemoryNetwork(["a", "b", "c"])
    channels = network.channels
    channels["a"]["b"].send("s", b"1")
    channels["a"]["c"].send("s", b"1")
    assert network.rounds() == 0
    channels["b"]["a"].receive("s", 1)
    channels["b"]["c"].send("t", b"1")
    channels["c"]["a"].receive("s", 1)
    assert network.rounds() == 1
    channels["c"]["b"].receive("t", 1)
    assert network.rounds() == 2


# --- liars ------------------------------------------------------------------------------------------------


def product(engine):
    x = engine.constant_arithmetic(np.arange(5, dtype=np.uint64))
    return engine.narrow("m").multiply(x, x)


def test_two_worlds_of_one_seed_send_equal_bytes():
    def recorded(seed):
        seen = set()
        World(seed, interceptor=lambda *message: seen.add(message) or message[3]).run(product)
        return seen

    assert recorded(6) == recorded(6)
    assert recorded(6) != recorded(7)


@pytest.mark.parametrize("change", [lambda p: p[:-8], lambda p: p + bytes(8), lambda p: b""])
def test_a_message_of_another_length_ends_the_run_for_everybody(change):
    def lie(step, sender, receiver, payload):
        return change(payload) if sender == "beta" else payload

    with pytest.raises(ProtocolAbort) as caught:
        World(1, interceptor=lie, silence=2).run(product)
    assert caught.value.code == "transport/out-of-step"


def test_a_computer_at_another_step_ends_the_run():
    def program(engine):
        return product(engine.narrow("x" if engine.ctx.rank == 1 else "y"))

    with pytest.raises(ProtocolAbort) as caught:
        World(1, silence=2).run(program)
    assert caught.value.code == "transport/out-of-step"


def test_a_dropped_message_ends_the_run_at_the_silence_limit():
    world = World(
        1, interceptor=lambda step, sender, receiver, payload: None if sender == "beta" else payload, silence=0.1
    )
    with pytest.raises(NoProgress) as caught:
        world.run(product)
    assert caught.value.code == "transport/silent"


def test_a_delayed_message_changes_nothing():
    def delay(step, sender, receiver, payload):
        time.sleep(0.05 if sender == "gamma" else 0)
        return payload

    assert reconstruct(World(1, interceptor=delay).run(product)) == [0, 1, 4, 9, 16]


def test_a_flipped_bit_below_the_seal_reaches_the_receiver():
    """Frames are authenticated by the carrier; this shows that the interceptor of the tests does lie."""

    def flip(step, sender, receiver, payload):
        return bytes([payload[0] ^ 1]) + payload[1:] if sender == "beta" else payload

    shares = World(1, interceptor=flip).run(product)
    assert not np.array_equal(shares[0].second, shares[1].first)


def test_a_failing_computer_stops_the_others_and_its_own_error_is_shown():
    def program(engine):
        if engine.ctx.rank == 2:
            raise ZeroDivisionError
        return product(engine)

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        World(1).run(program)
    assert threading.active_count() == before
