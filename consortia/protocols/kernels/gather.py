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
    columns = source.shape[1]
    # unsigned rows need no check, and short rows no loop
    if columns == 2:
        for i in range(index.size):
            row = np.uint64(index[i])
            target[i, 0], target[i, 1] = source[row, 0], source[row, 1]
    elif columns == 3:
        for i in range(index.size):
            row = np.uint64(index[i])
            target[i, 0], target[i, 1], target[i, 2] = source[row, 0], source[row, 1], source[row, 2]
    elif columns == 4:
        for i in range(index.size):
            row = np.uint64(index[i])
            target[i, 0], target[i, 1] = source[row, 0], source[row, 1]
            target[i, 2], target[i, 3] = source[row, 2], source[row, 3]
    else:
        for i in range(index.size):
            row = np.uint64(index[i])
            for c in range(columns):
                target[i, c] = source[row, c]
