"""Shares of a benchmark's inputs, dealt by every process of our engine for itself."""

import hashlib
from collections.abc import Callable

import numpy as np

from benchmarks.arrays import Arrays
from benchmarks.party import Job
from consortia.protocols.kernels.planes import planes_from_words
from consortia.protocols.ring3 import Ring3Engine
from consortia.protocols.shares import Vector
from consortia.protocols.sharing.ring3 import Ring3Arithmetic, Ring3Boolean

Shares = dict[str, Vector]
Program = Callable[[Ring3Engine], Shares]


class Dealer:
    """Shares of clear values, dealt alike by all three processes; each keeps its own two components."""

    def __init__(self, job: Job, rank: int) -> None:
        self._job, self._rank = job, rank

    def _component(self, name: str, index: int, shape: tuple[int, ...]) -> np.ndarray:
        seed = hashlib.sha256(f"{self._job.workload} {self._job.n} {name} {index}".encode()).digest()
        return np.random.default_rng(list(seed)).integers(0, 1 << 64, shape, np.uint64, endpoint=False)

    def arithmetic(self, name: str, values: np.ndarray) -> Ring3Arithmetic:
        """A sharing of 64-bit integers."""
        clear = np.ascontiguousarray(values).view(np.uint64).reshape(-1)
        a, b = (self._component(name, index, clear.shape) for index in range(2))
        parts = (a, b, clear - a - b)
        return Ring3Arithmetic(parts[self._rank], parts[(self._rank + 1) % 3])

    def boolean(self, name: str, values: np.ndarray, bits: int) -> Ring3Boolean:
        """A sharing of unsigned values of ``bits`` bits: words (n,), or (n, 2) for more than 64 bits."""
        planes = planes_from_words(np.ascontiguousarray(values).view(np.uint64), bits)
        a, b = (self._component(name, index, planes.shape) for index in range(2))
        parts = (a, b, planes ^ a ^ b)
        return Ring3Boolean(parts[self._rank], parts[(self._rank + 1) % 3], values.shape[0])


Maker = Callable[[Dealer, Arrays, Job], Program]
"""Shares the inputs, and gives what runs over them."""
