"""The catalogue and the specs for less or more data than the example's own: every size that they state, in proportion.

Sizes decide what a run costs, whatever the banks hold, so a small demo with the sizes of the whole one would take as
long. Nothing but sizes is changed: names, types, bounds on values, conditions and windows stay.
"""

import math
import re

from examples.aml.generator.parameters import Parameters

_STATED = re.compile(r"\b(max-rows|max-distinct|paths|closed): *(\[[\d_, ]+\]|[\d_]+)")
_NUMBER = re.compile(r"[\d_]+")
SMALLEST = 64


def rows_in_proportion(parameters: Parameters) -> float:
    """How many times the example's own rows a bank has."""
    return parameters.transactions_per_bank / Parameters.transactions_per_bank


def customers_in_proportion(parameters: Parameters) -> float:
    """How many times the example's own customers a bank has."""
    return parameters.customers_per_bank / Parameters.customers_per_bank


def scaled(text: str, rows: float, keys: float) -> str:
    """The YAML text with numbers of different keys times ``keys``, other sizes times ``rows``, where that is not 1.

    Rounded up, 64 at least.
    """

    def stated(found: re.Match[str]) -> str:
        times = keys if found.group(1) == "max-distinct" else rows
        sizes = found.group(2)
        return f"{found.group(1)}: {sizes if times == 1 else _NUMBER.sub(lambda one: _times(one, times), sizes)}"

    return text if rows == keys == 1 else _STATED.sub(stated, text)


def _times(number: re.Match[str], times: float) -> str:
    return str(max(SMALLEST, math.ceil(int(number.group()) * times)))
