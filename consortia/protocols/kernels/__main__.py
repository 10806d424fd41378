"""``python -m consortia.protocols.kernels``: compile every kernel once, so that no run waits for the compiler."""

import importlib
import pkgutil
import sys
import time

from consortia.protocols import kernels
from consortia.protocols.kernels.compile import Kernel


def every_kernel() -> list[tuple[str, Kernel]]:
    """All kernels of the package, with their full names."""
    found = []
    for module_info in pkgutil.iter_modules(kernels.__path__):
        if module_info.name == "__main__":
            continue
        module = importlib.import_module(f"{kernels.__name__}.{module_info.name}")
        found += [
            (f"{module_info.name}.{name}", value) for name, value in vars(module).items() if isinstance(value, Kernel)
        ]
    return found


def compile_all() -> tuple[int, float]:
    """Compile every kernel, or load it from the cache; how many there are, and the seconds it took."""
    began = time.monotonic()
    every = every_kernel()
    for _, kernel in every:
        kernel.compile()
    return len(every), time.monotonic() - began


def main() -> None:
    """Compile all, and say how many and how long it took."""
    count, seconds = compile_all()
    sys.stderr.write(f"{count} kernels ready in {seconds:.1f} s\n")


if __name__ == "__main__":
    main()
