"""Rows by index: the inner loop of shuffles and sorts."""

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.kernels.compile import kernel

Words = NDArray[np.uint64]
Ring = NDArray[np.uint64] | NDArray[np.uint32]
Index = NDArray[np.int32]


@kernel("void(uint64[:, ::1], int32[::1], uint64[:, ::1])", "void(uint32[:, ::1], int32[::1], uint32[:, ::1])")
def gather_rows(source: Ring, index: Index, target: Ring) -> None:
    """Row i of ``target`` is row ``index[i]`` of ``source``; an index out of range is the caller's defect."""
    for i in range(index.size):
        row = index[i]
        for c in range(source.shape[1]):
            target[i, c] = source[row, c]
