"""Every operator of the shamir engine against the clear engine, in groups of several sizes, with its declared cost."""

import numpy as np
import pytest

from consortia.errors import InternalError
from consortia.protocols.clear.engine import ClearEngine
from consortia.protocols.engine import ColumnShape
from consortia.protocols.fixed.divide import divide_integers
from consortia.protocols.fixed.numbers import Fixed
from consortia.protocols.fixed.roots import square_root
from consortia.protocols.shamir.costs import Group
from consortia.protocols.shamir.counting import ShamirCountingEngine
from consortia.protocols.shamir.sharing import send_input
from tests.relations_world import check_declared, clear_values
from tests.shamir_programs import PROGRAMS, SHAPES, columns, given
from tests.shamir_world import NAMES, ShamirWorld, recombined, reconstruct

GROUPS = [(3, 1), (4, 1), (5, 2)]


@pytest.mark.parametrize("size", GROUPS, ids=str)
@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("rows", [1, 9])
def test_operators_mean_what_they_mean_in_the_clear_and_cost_what_is_declared(
    name: str, size: tuple[int, int], rows: int
) -> None:
    clear = ClearEngine()
    expected = [clear_values(vector) for vector in PROGRAMS[name](clear, *given(clear, rows, 3))]
    world = ShamirWorld(*size)
    found = world.run(lambda engine: PROGRAMS[name](engine, *given(engine, rows, 3)))
    assert [reconstruct(shares, size[1]) for shares in zip(*found, strict=True)] == expected
    counting = ShamirCountingEngine(world.group)
    PROGRAMS[name](counting, *given(counting, rows, 3))
    check_declared(world, counting.counts)


def test_no_rows_cost_nothing_and_are_carried() -> None:
    world = ShamirWorld()
    found = world.run(lambda engine: [v for p in ("products", "conversions", "comparisons") for v in PROGRAMS[p](
        engine.narrow(p), *given(engine.narrow(p), 0, 1))])  # fmt: skip
    assert all(vector.length == 0 for vector in found[0] if vector.length != 1)
    assert world.sent_bytes("alpha") == world.sent_bytes("beta")


def test_nine_computers_of_which_four_may_collude() -> None:
    world = ShamirWorld(9, 4)
    values = np.array([3, 2**64 - 5], np.uint64)

    def program(engine):
        (x,) = engine.narrow("in").input("iota", 2, SHAPES[:1], [values] if engine.ctx.member == "iota" else None)
        return [engine.narrow("square").multiply(x, x), engine.narrow("sign").negative(x, 8)]

    found = world.run(program)
    assert [reconstruct(shares, 4) for shares in zip(*found, strict=True)] == [[9, 25], [0, 1]]


@pytest.mark.parametrize("size", GROUPS, ids=str)
def test_parts_add_up_at_a_recipient_and_an_outside_owner_shares_as_a_computer_does(size: tuple[int, int]) -> None:
    world = ShamirWorld(*size, owners=("outside",))
    words = columns(4, 8)

    def owner(channels):
        send_input(channels, world.group, "in", 4, SHAPES, words)

    def program(engine):
        vectors = given(engine, 4, 8, "outside")
        return [engine.narrow(f"part-{i}").part(vector) for i, vector in enumerate(vectors)]

    parts = world.run(program, owners={"outside": owner})
    clear = [clear_values(vector) for vector in given(ClearEngine(), 4, 8)]
    opened = [recombined(part, shape.domain) for part, shape in zip(zip(*parts, strict=True), SHAPES, strict=True)]
    assert opened == clear
    counting = ShamirCountingEngine(world.group)
    given(counting, 4, 8, "outside")
    assert world.sent_bytes("outside") == counting.counts.sent["in", "outside"]


def test_values_and_flags_open_at_the_computers_that_they_are_opened_to() -> None:
    world = ShamirWorld(5, 2)

    def program(engine):
        x, _, b, _, bit, w = given(engine, 3, 2)
        flag = engine.narrow("flag").open_flag(bit.rows(0, 1), "a flag")
        return [engine.narrow(f"{i}").open_to_computer(3, vector) for i, vector in enumerate((x, b, w))], flag

    found = world.run(program)
    words = columns(3, 2)
    assert [rank for rank, (opened, _) in enumerate(found) if opened[0] is not None] == [3]
    assert all(np.array_equal(a, b) for a, b in zip(found[3][0], [words[0], words[2], words[5]], strict=True))
    assert {flag for _, flag in found} == {bool(words[4][0, 0])}


def test_what_t_computers_receive_when_values_are_dealt_is_uniform_whatever_they_are() -> None:
    """Low bits of the shares that two of five computers get of an all-zero and an all-one plane, and of numbers."""

    def seen(value: int) -> list[float]:
        received: list[bytes] = []

        def watch(step, sender, receiver, payload):
            if receiver in ("delta", "epsilon"):
                received.append(payload)
            return payload

        world = ShamirWorld(5, 2, interceptor=watch)
        words = np.full((2000, 1), value, np.uint64)

        def program(engine):
            mine = engine.ctx.member == "alpha"
            shapes = [ColumnShape("boolean", 1), ColumnShape("arithmetic")]
            engine.narrow("in").input("alpha", 2000, shapes, [words, words[:, 0].copy()] if mine else None)

        world.run(program)
        return [float(np.unpackbits(np.frombuffer(payload, np.uint8)).mean()) for payload in received]

    for share in (*seen(0), *seen(1)):
        assert abs(share - 0.5) < 0.01


def test_shares_of_two_colluding_computers_open_nothing_and_of_three_do() -> None:
    values = np.array([41], np.uint64)

    def program(engine):
        mine = engine.ctx.member == "alpha"
        return engine.narrow("in").input("alpha", 1, SHAPES[:1], [values] if mine else None)

    lines = set()
    for _ in range(20):
        shares = [vectors[0] for vectors in ShamirWorld(5, 2).run(program)]
        assert reconstruct(shares, 2) == [41]
        # the line through two points of a polynomial of degree two says nothing of its value at zero
        lines.add((2 * int(shares[0].share[0]) - int(shares[1].share[0])) % ((1 << 160) - 47))
    assert len(lines) == 20
    assert 41 not in lines


def test_a_division_that_is_not_exact_is_off_by_less_than_one_and_right_in_the_mean() -> None:
    def program(engine):
        x = engine.constant_arithmetic(np.array([5, 2**64 - 5] * 1500, np.uint64))
        return engine.narrow("t").truncate(x, 3)

    found = reconstruct(ShamirWorld().run(program))
    assert set(found[::2]) == {0, 1}
    assert set(found[1::2]) == {-1, 0}
    assert abs(float(np.mean(found[::2])) - 5 / 8) < 0.06


@pytest.mark.parametrize("fraction", [0, 63])
def test_a_division_by_no_fraction_or_more_than_a_value_has_is_refused(fraction: int) -> None:
    with pytest.raises(InternalError) as caught:
        ShamirWorld().run(lambda e: e.truncate(e.constant_arithmetic(np.zeros(1, np.uint64)), fraction))
    assert caught.value.code == "protocol/range"


def test_functions_over_an_engine_are_carried_an_exact_division_and_a_root() -> None:
    dividends, divisors = [17, -17, 10**12, 0, 5], [5, 5, 7, 3, 0]

    def words(values: list[int]) -> np.ndarray:
        return np.array([value % (1 << 64) for value in values], np.uint64)

    def program(engine):
        x, y = engine.constant_arithmetic(words(dividends)), engine.constant_arithmetic(words(divisors))
        quotient, known = divide_integers(engine.narrow("d"), Fixed(x, 0, 10**12), Fixed(y, 0, 7))
        squares = Fixed(engine.constant_arithmetic(words([2 << 20, 9 << 20])), 20, 1 << 24)
        root = square_root(engine.narrow("r"), squares, 20)
        return [quotient.carried, known, root.carried]

    world = ShamirWorld()
    quotient, known, root = (reconstruct(shares) for shares in zip(*world.run(program), strict=True))
    assert quotient == [3, -3, 142857142857, 0, 0]
    assert known == [1, 1, 1, 1, 0]
    assert [abs(value / 2**20 - truth) < 2**-18 for value, truth in zip(root, (2**0.5, 3.0), strict=True)] == [True] * 2
    counting = ShamirCountingEngine(world.group)
    program(counting)
    check_declared(world, counting.counts)


@pytest.mark.parametrize(("size", "threshold"), [(2, 1), (4, 2), (3, 0), (10, 4), (9, 5)])
def test_half_the_computers_can_not_collude(size: int, threshold: int) -> None:
    with pytest.raises(InternalError) as caught:
        Group((*NAMES, "kappa")[:size], threshold)
    assert caught.value.code == "shamir/group"


def test_a_step_path_names_one_operation() -> None:
    def program(engine):
        x = engine.constant_arithmetic(np.zeros(1, np.uint64))
        engine.narrow("a").multiply(x, x)
        engine.narrow("a").multiply(x, x)

    with pytest.raises(InternalError) as caught:
        ShamirWorld().run(program)
    assert caught.value.code == "protocol/step-reused"
