"""The one decorator that makes a kernel: explicit signatures, no interpreter lock held, compiled code kept on disk.

A kernel is compiled, or loaded from the cache, at its first call: importing a protocol costs nothing. The cache is
numba's: ``NUMBA_CACHE_DIR`` if set, else beside the source or in the user's cache folder, whichever can be written.
Where none can (a read-only root without that setting), kernels are compiled anew in every process.
``python -m consortia.protocols.kernels`` fills the cache once, at set-up.
"""

import threading
from collections.abc import Callable
from typing import Any

_compiling = threading.Lock()
"""Numba is not asked to compile two things at once: three parties may be threads of one process."""


class Kernel:
    """A compiled loop over arrays, called like the function it was made from; returns nothing."""

    __slots__ = ("_compiled", "function", "signatures")

    def __init__(self, function: Callable[..., None], signatures: tuple[str, ...]) -> None:
        self.function = function
        self.signatures = signatures
        self._compiled: Callable[..., None] | None = None

    def __call__(self, *arguments: Any) -> None:
        compiled = self._compiled
        if compiled is None:
            compiled = self.compile()
        compiled(*arguments)

    def compile(self) -> Callable[..., None]:
        """Compile or load every signature; repeated calls do nothing."""
        with _compiling:
            if self._compiled is None:
                self._compiled = _numba_compiled(self.function, self.signatures)
            return self._compiled


def kernel(*signatures: str) -> Callable[[Callable[..., None]], Kernel]:
    """Decorate a loop over contiguous arrays; ``signatures`` are numba's, one for each combination of types."""

    def decorate(function: Callable[..., None]) -> Kernel:
        return Kernel(function, signatures)

    return decorate


def _numba_compiled(function: Callable[..., None], signatures: tuple[str, ...]) -> Callable[..., None]:
    import numba  # noqa: PLC0415 - half a second that only a process which computes should pay

    compiled: Callable[..., None]
    try:
        compiled = numba.njit(list(signatures), nogil=True, cache=True)(function)
    except RuntimeError as error:
        if "locator" not in str(error):
            raise
        compiled = numba.njit(list(signatures), nogil=True)(function)
    return compiled
