"""Memory of large vectors: kept from step to step of a run, given back after it.

glibc takes memory for every large vector from the kernel and gives it back with the vector, so the next vector is made
of pages that the kernel sets to zero one by one: a third of the processor time of a fixed-point product of a million
rows. Kept in the process it is used again at once. All threads share one pool: with a pool each, sessions would keep
what other sessions could use.
"""

import ctypes
import gc
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8

KEPT: Final = 1 << 30
"""Bytes of free memory at the end of the pool that are kept."""
FROM_KERNEL: Final = 32 << 20
"""From this size on vectors come from the kernel all the same (glibc allows no more); it maps them by large pages."""


def keep_memory() -> None:
    """Keep freed memory in this process; before threads start. Does nothing where the C library is not glibc."""
    adjust = getattr(ctypes.CDLL(None), "mallopt", None)
    if adjust is not None:
        adjust(_MMAP_THRESHOLD, FROM_KERNEL)
        adjust(_TRIM_THRESHOLD, KEPT)
        adjust(_ARENA_MAX, 1)


def return_memory() -> None:
    """Give all freed memory back to the machine."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
