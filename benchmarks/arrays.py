"""What inputs and answers of the benchmarks are made of."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]
Arrays = dict[str, Array]
