"""Which operator on numbers is which computation, by the name it has in an expression (``predicates.Call``)."""

from collections.abc import Sequence
from fractions import Fraction

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational import functions
from consortia.protocols.relational.choice import absolute
from consortia.protocols.relational.quotients import by_constant, quotient, remainder
from consortia.protocols.relational.values import Number, add, multiply, scale


def applied(engine: Engine, length: int, op: str, args: Sequence[Number], public: Sequence[int]) -> Number:
    """The operator over numbers, with its ``public`` ones; InternalError ``relational/unsupported`` for an unknown."""
    result = _of_two(engine, length, op, *args) if len(args) == 2 else _of_one(engine, length, op, args[0], public)
    if result is None:
        raise InternalError("relational/unsupported", f"`{op}` of {len(args)} arguments is not computed on shares")
    return result


def _of_two(engine: Engine, length: int, op: str, x: Number, y: Number) -> Number | None:
    match op:
        case "add":
            return add(engine.narrow("known"), x, y)
        case "subtract":
            return add(engine.narrow("known"), x, scale(y, -1))
        case "multiply":
            return multiply(engine, length, x, y)
        case "quotient":
            return quotient(engine, length, x, y, "truncated")
        case "rounded-quotient":
            return quotient(engine, length, x, y, "rounded")
        case "modulo":
            return remainder(engine, length, x, y)
    return None


def _of_one(engine: Engine, length: int, op: str, x: Number, public: Sequence[int]) -> Number | None:
    match op, public:
        case "negate", ():
            return scale(x, -1)
        case "abs", ():
            return absolute(engine, length, x)
        case "round" | "floor" as rounding, (divisor,):
            return by_constant(engine, length, x, divisor, "rounded" if rounding == "round" else "floor")
        case "ceil", (divisor,):
            return scale(by_constant(engine, length, scale(x, -1), divisor, "floor"), -1)
        case _, (places, *exponent):
            return _function(engine, length, op, x, places, exponent)
    return None


def _function(engine: Engine, length: int, op: str, x: Number, places: int, exponent: Sequence[int]) -> Number | None:
    match op, exponent:
        case "sqrt", []:
            return functions.root(engine, length, x, places)
        case "ln", []:
            return functions.natural_logarithm(engine, length, x, places)
        case "exp", []:
            return functions.natural_exponential(engine, length, x, places)
        case "sigmoid", []:
            return functions.logistic(engine, length, x, places)
        case "power", [numerator, denominator]:
            return functions.power(engine, length, x, places, Fraction(numerator, denominator))
    return None
