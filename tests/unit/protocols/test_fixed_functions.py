"""Functions of fixed-point numbers keep their stated error over their stated domain, on ring3 and in the clear."""

import math
from itertools import cycle, islice

import numpy as np
import pytest

from consortia.errors import InternalError
from consortia.protocols.clear.engine import ClearEngine, value_words
from consortia.protocols.counting import CountingEngine
from consortia.protocols.fixed import choose, divide, exponential, numbers, roots, sigmoid
from consortia.protocols.fixed.numbers import Fixed
from consortia.protocols.shares import Boolean
from tests.world import World, reconstruct

ROWS = 1500
CLEAR_ROWS = 150
UNIT = 2.0**-20


def words(values):
    return np.array([int(v) % (1 << 64) for v in values], np.uint64)


def vectors(result):
    """A function's result as a list of vectors."""
    parts = result if isinstance(result, tuple) else (result,)
    return [part.carried if isinstance(part, Fixed) else part for part in parts]


def computed(function, *operands):
    """(carried integers, fraction, bits or None) on ring3 over all rows, after the clear engine agreed on some.

    ``operands``: (carried, fraction, limit). What the counting engine adds up must be what the run sent.
    """
    world = World(11)
    shares = [world.share_arithmetic([int(v) for v in carried]) for carried, _, _ in operands]

    def on(engine, columns):
        return function(
            engine.narrow("f"), *(Fixed(c, f, limit) for c, (_, f, limit) in zip(columns, operands, strict=True))
        )

    results = world.run(lambda engine: on(engine, [share[engine.ctx.rank] for share in shares]))
    clear_columns = [[reconstruct(list(same)) for same in zip(*(vectors(result) for result in results), strict=True)]]
    first = results[0][0] if isinstance(results[0], tuple) else results[0]

    engine = ClearEngine()
    few = [engine.constant_arithmetic(words(carried[:CLEAR_ROWS])) for carried, _, _ in operands]
    plain = [value_words(vector) for vector in vectors(on(engine, few))]

    counting = CountingEngine(World.computers)
    on(counting, [counting.constant_arithmetic(words(carried)) for carried, _, _ in operands])
    assert counting.counts.rounds.total() == world.transcripts[0].total_rounds()
    for member in World.computers:
        total = sum(size for (_, name), size in counting.counts.sent.items() if name == member)
        assert total == world.sent_bytes(member)

    if isinstance(first, Fixed):
        assert max(abs(v) for v in clear_columns[0][0]) <= first.limit
        return clear_columns[0], plain[0].view(np.int64).tolist(), first.fraction
    return clear_columns[0], [int(v) for v in plain[0].reshape(-1)], None


def check_error(result, truth, bound):
    """Both engines within ``bound``, a number or one for each row."""
    (carried, *_), plain, fraction = result
    bounds = np.broadcast_to(bound, len(truth))
    for values in (carried, plain):
        got = np.array([v / 2**fraction for v in values])
        error = np.abs(got - truth[: len(got)])
        assert (error <= bounds[: len(got)]).all(), float((error / bounds[: len(got)]).max())


def positive(bits, seed=1):
    """Of all magnitudes below 2^bits, edges first."""
    draw = np.random.default_rng(seed)
    drawn = [int(draw.integers(1 << 61, 1 << 62)) >> (62 - int(draw.integers(1, bits + 1))) for _ in range(ROWS)]
    edges = [0, 1, 2, 3, (1 << bits) - 1, 1 << (bits - 1)]
    return [v for v in (*edges, *drawn) if v < 1 << bits]


def truncated_quotient(a, b):
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


# --- division ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dividend", "divisor"), [(61, 42), (61, 20), (61, 1), (40, 40), (30, 30), (25, 42), (3, 42), (5, 5), (1, 1)]
)
def test_integers_are_divided_exactly_towards_zero_and_zero_divides_to_null(dividend, divisor):
    x = positive(dividend)
    y = list(islice(cycle(positive(divisor, seed=2)[::-1]), len(x)))
    draw = np.random.default_rng(3)
    # near multiples, where a quotient off by one would show
    near = [
        min(max(0, b * (a // max(b, 1)) + d), (1 << dividend) - 1) for a, b in zip(x, y, strict=True) for d in (-1, 0)
    ]
    x, y = [*x, *near], [*y, *(b for b in y for _ in range(2))]
    x = [int(v) * int(s) for v, s in zip(x, draw.choice([-1, 1], len(x)), strict=True)]
    y = [int(v) * int(s) for v, s in zip(y, draw.choice([-1, 1], len(y)), strict=True)]
    result, plain, _ = computed(divide.divide_integers, (x, 0, (1 << dividend) - 1), (y, 0, (1 << divisor) - 1))
    expected = [truncated_quotient(a, b) if b else 0 for a, b in zip(x, y, strict=True)]
    assert result == [expected, [int(b != 0) for b in y]]
    assert plain == expected[:CLEAR_ROWS]


def test_division_follows_postgresql():
    """N7: negative divisors, a zero dividend and a zero divisor."""
    x, y = [4, 14, -14, 0, 5, -1], [3, -3, 3, 5, 0, 0]
    result, plain, _ = computed(divide.divide_integers, (x, 0, 14), (y, 0, 5))
    assert result == [[1, -4, -4, 0, 0, 0], [1, 1, 1, 1, 0, 0]]
    assert plain == result[0]


def test_averages_over_secret_counts_have_a_relative_error_below_two_to_minus_twenty():
    """N3: counts over which other engines' start values are out of range."""
    counts = [1, 2, 499, 500, 501, 666, 1_000_000]
    totals = [count * 4321 + count // 3 for count in counts]
    (carried, valid), plain, fraction = computed(
        lambda e, x, y: divide.divide(e, x, y, 20), (totals, 0, 1 << 40), (counts, 0, 1_000_000)
    )
    for values in (carried, plain):
        for value, total, count in zip(values, totals, counts, strict=True):
            assert abs(value / 2**fraction - total / count) <= 2**-20 * total / count
    assert valid == [1] * len(counts)


def test_a_quotient_of_large_decimals_holds_to_the_stated_digits():
    """N4: 48389524527 / 9672159 = 5002.97 at every run, and a product of a large and a small factor keeps the small."""
    result = computed(
        lambda e, x, y: divide.divide(e, x, y, 20), ([48389524527], 0, 48389524527), ([9672159], 0, 9672159)
    )
    check_error(result, np.array([48389524527 / 9672159]), UNIT)
    million, millionth = 1_000_000 << 10, round(1e-6 * 2**40)
    result = computed(
        lambda e, x, y: numbers.multiply(e, x, y, 20), ([million], 10, million), ([millionth], 40, millionth)
    )
    check_error(result, np.array([1.0]), 2 * UNIT)


def test_fractions_divide_and_reciprocals_are_right_to_a_unit():
    draw = np.random.default_rng(7)
    x = draw.integers(-(1 << 36), 1 << 36, ROWS)
    y = np.maximum(1, draw.integers(0, 1 << 40, ROWS) >> draw.integers(0, 40, ROWS)) * draw.choice([-1, 1], ROWS)
    result = computed(lambda e, a, b: divide.divide(e, a, b, 20), (x, 18, 1 << 36), (y, 20, 1 << 40))
    # floats would err by more than a unit here
    expected = [truncated_quotient(int(a) << 22, int(b)) for a, b in zip(x, y, strict=True)]
    assert result[0][0] == expected
    assert result[1] == expected[:CLEAR_ROWS]
    result = computed(lambda e, a: divide.reciprocal(e, a, 20), (y, 20, 1 << 40))
    assert result[0][0] == [truncated_quotient(1 << 40, int(b)) for b in y]


# --- roots, exponentials, logarithms, powers --------------------------------------------------------------


@pytest.mark.parametrize(("fraction", "bits"), [(0, 52), (20, 60), (20, 20), (13, 30), (7, 58)])
@pytest.mark.parametrize("result_bits", [20, 0])
def test_roots_are_right_to_two_units_and_two_to_minus_twenty_five(fraction, bits, result_bits):
    x = positive(bits)
    truth = np.array([math.sqrt(v / 2**fraction) for v in x])
    result = computed(lambda e, a: roots.square_root(e, a, result_bits), (x, fraction, (1 << bits) - 1))
    check_error(result, truth, 2 * 2.0**-result_bits + 2**-25 * truth)
    assert result[0][0][0] == 0


@pytest.mark.parametrize(("lowest", "highest", "precision"), [(-6, 6, 28), (-30, 6, 28), (-1000, 0, 28), (-40, 12, 20)])
def test_exponentials_are_right_to_two_units_and_the_stated_part_of_the_result(lowest, highest, precision):
    x = np.round(np.concatenate([[lowest, highest, 0], np.linspace(lowest, highest, ROWS)]) * 2**20).astype(np.int64)
    limit = max(abs(lowest), highest) << 20
    result = computed(lambda e, a: exponential.exponential(e, a, 20, highest), (x, 20, limit))
    truth = np.exp(x / 2**20)
    check_error(result, truth, 2 * UNIT + 2.0 ** -(precision - 3) * truth)


@pytest.mark.parametrize(("fraction", "bits"), [(20, 40), (0, 61), (0, 1), (20, 61)])
def test_logarithms_are_right_to_a_unit_and_two_to_minus_twenty_four_and_null_at_zero(fraction, bits):
    x = positive(bits)
    result = computed(lambda e, a: exponential.logarithm(e, a, 26), (x, fraction, (1 << bits) - 1))
    truth = np.array([math.log(v / 2**fraction) if v else 0.0 for v in x])
    check_error(result, truth, 2.0**-26 + 2.0**-24)
    assert result[0][1] == [int(v > 0) for v in x]


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 5, 10])
def test_powers_are_right_to_the_stated_units(exponent):
    x = np.round(np.linspace(-3, 3, ROWS) * 2**20).astype(np.int64)
    result = computed(lambda e, a: exponential.power(e, a, exponent), (x, 20, 3 << 20))
    bound = UNIT * exponent * np.maximum(1, np.abs(x / 2**20)) ** max(0, exponent - 1) + 1e-12
    check_error(result, (x / 2**20) ** exponent, bound)


def test_negative_powers_are_reciprocals_of_positive_ones():
    x = np.round(np.linspace(1, 3, ROWS) * 2**20).astype(np.int64)
    result = computed(lambda e, a: exponential.negative_power(e, a, 2, 20), (x, 20, 3 << 20))
    check_error(result, (x / 2**20) ** -2.0, 4 * UNIT)


@pytest.mark.parametrize("degree", [1, 2, 3, 6, 7, 10])
def test_polynomials_keep_their_error(degree):
    z = np.round(np.linspace(-1, 1, ROWS) * 2**26).astype(np.int64)
    coefficients = [(-1) ** j * (8 - j) / 3 for j in range(min(degree, 7))] + [1.0] * (degree - min(degree, 7) + 1)
    result = computed(lambda e, a: numbers.polynomial(e, a, coefficients), (z, 26, 1 << 26))
    bound = 2.0**-26 * (2 + sum(j * abs(c) for j, c in enumerate(coefficients)))
    check_error(result, np.polyval(coefficients[::-1], z / 2**26), bound)


# --- sigmoid ----------------------------------------------------------------------------------------------


def logistic(x):
    return 1 / (1 + np.exp(-np.clip(x, -500, 500)))


def test_sigmoid_stays_in_range_rises_and_is_exact_at_the_far_ends():
    """N5."""
    scores = np.array([-1000, -50, -10, -8, -1, 0, 1, 8, 10, 50, 1000])
    result = computed(sigmoid.sigmoid, (scores << 20, 20, 1000 << 20))
    check_error(result, logistic(scores), 1e-3)
    for values in (result[0][0], result[1]):
        assert all(0 <= v <= 1 << 20 for v in values)
        assert values == sorted(values)
        assert values[:3] == [0, 0, 0]
        assert values[7:] == [1 << 20] * 4


@pytest.mark.parametrize("fraction", [8, 16, 20, 28])
def test_sigmoid_keeps_its_error_on_a_grid_and_rises_but_for_rounding(fraction):
    x = np.round(np.concatenate([np.linspace(-9, 9, ROWS), np.linspace(-2.01, 2.01, ROWS)]) * 2**fraction)
    x = np.unique(x.astype(np.int64))
    result = computed(sigmoid.sigmoid, (x, fraction, 9 << fraction))
    check_error(result, logistic(x / 2**fraction), 3.5e-4 + 8 * 2.0**-fraction)
    assert np.diff(result[0][0]).min() >= -8
    assert min(result[0][0]) >= 0
    assert max(result[0][0]) <= 1 << fraction


def test_the_polynomial_sigmoid_keeps_its_error_where_it_is_defined():
    x = np.round(np.linspace(-8, 8, ROWS) * 2**20).astype(np.int64)
    result = computed(sigmoid.sigmoid_polynomial, (x, 20, 8 << 20))
    check_error(result, logistic(x / 2**20), 0.019 + 16 * UNIT)


# --- choosing and rounding --------------------------------------------------------------------------------


def test_comparison_choice_and_magnitude_are_exact():
    draw = np.random.default_rng(5)
    x, y = draw.integers(-(1 << 40), 1 << 40, (2, ROWS))
    y[::3] = x[::3]
    operands = (x, 20, 1 << 40), (y, 20, 1 << 40)
    result, plain, _ = computed(choose.less, *operands)
    assert result[0] == [int(a < b) for a, b in zip(x, y, strict=True)]
    assert plain == result[0][:CLEAR_ROWS]

    def larger(engine, a, b):
        return choose.select(engine.narrow("select"), choose.less(engine.narrow("less"), a, b), b, a)

    result, plain, _ = computed(larger, *operands)
    assert result[0] == np.maximum(x, y).tolist()
    assert plain == result[0][:CLEAR_ROWS]
    result, plain, _ = computed(choose.absolute, operands[0])
    assert result == [np.abs(x).tolist(), (x < 0).astype(int).tolist()]
    assert plain == result[0][:CLEAR_ROWS]


def test_clipping_is_exact_on_both_sides():
    draw = np.random.default_rng(6)
    x, end = draw.integers(-(1 << 40), 1 << 40, ROWS), draw.integers(0, 1 << 39, ROWS)
    x[:4], end[:4] = (5, -5, 0, -(1 << 40)), (5, 5, 0, 0)
    result, plain, _ = computed(choose.clipped, (x, 20, 1 << 40), (end, 20, 1 << 39))
    assert result[0] == np.clip(x, -end, end).tolist()
    assert plain == result[0][:CLEAR_ROWS]


def test_rounding_takes_halves_away_from_zero_and_floors_go_down():
    x = [
        v
        for base in (-3, -2, -1, 0, 1, 2, 3)
        for v in (base * 16 - 8, base * 16 - 7, base * 16, base * 16 + 8, base * 16 + 9)
    ]
    result, plain, _ = computed(lambda e, a: choose.rounded(e, a, 0), (x, 4, 60))
    expected = [int(math.copysign(math.floor(abs(v) / 16 + 0.5), v)) for v in x]
    assert result[0] == plain == expected
    result, plain, _ = computed(lambda e, a: choose.floor(e, a, 0), (x, 4, 60))
    assert result[0] == plain == [v >> 4 for v in x]


# --- refusals ---------------------------------------------------------------------------------------------


def number(limit, fraction=20):
    return Fixed(ClearEngine().constant_arithmetic(words([1])), fraction, limit)


REFUSED = {
    "a sum that could reach 2^62": ("fixed/range", lambda e: number(1 << 61) + number(1 << 61)),
    "a product of 2^62": ("fixed/range", lambda e: numbers.multiply(e, number(1 << 31), number(1 << 31), 20)),
    "more bits than a product has": ("fixed/fractions", lambda e: numbers.multiply(e, number(9, 4), number(9, 4), 9)),
    "numbers of unequal fraction": ("fixed/fractions", lambda e: number(9, 4) - number(9, 5)),
    "61 fraction bits": ("fixed/range", lambda e: number(1, 61)),
    "a dividend of 62 bits": ("fixed/range", lambda e: divide.divide(e, number(1 << 61, 0), number(9, 0), 0)),
    "a divisor too wide": ("fixed/range", lambda e: divide.divide(e, number((1 << 61) - 1, 0), number(1 << 50, 0), 0)),
    "fewer bits than the numerator": ("fixed/fractions", lambda e: divide.divide(e, number(9), number(9, 0), 3)),
    "a root of 62 bits": ("fixed/range", lambda e: roots.square_root(e, number((1 << 62) - 1), 20)),
    "an exponential without precision": ("fixed/range", lambda e: exponential.exponential(e, number(30 << 20), 20, 30)),
    "a logarithm of too many bits": ("fixed/range", lambda e: exponential.logarithm(e, number(9), 29)),
    "a power that could reach 2^62": ("fixed/range", lambda e: exponential.power(e, number(8 << 20), 20)),
    "a negative exponent": ("fixed/range", lambda e: exponential.power(e, number(8 << 20), -1)),
    "a sigmoid of 30 fraction bits": ("fixed/range", lambda e: sigmoid.sigmoid(e, number(9, 30))),
    "a polynomial sigmoid beyond 8": ("fixed/range", lambda e: sigmoid.sigmoid_polynomial(e, number(9 << 20))),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_could_go_wrong_silently_is_refused_before_anything_is_sent(what):
    code, program = REFUSED[what]
    engine = CountingEngine(World.computers)
    with pytest.raises(InternalError) as caught:
        program(engine)
    assert caught.value.code == code


def test_a_plane_of_validity_is_a_boolean():
    engine = ClearEngine()
    _, valid = divide.divide_integers(engine, number(9, 0), number(9, 0))
    assert isinstance(valid, Boolean)
    assert valid.bits == 1
