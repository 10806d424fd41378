"""Other engines: what they are, how they are installed, and up to which size they are asked.

Each gets an environment of its own under ``build/bench/peers``, made once. One that does not install, or does not
start, is reported with the reason and left out.
"""

import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cluster import ROOT

FOLDER = ROOT / "build" / "bench"
OURS = "ours"


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine of three processes. ``largest`` is the greatest n it is asked for, by workload; absent: not at all."""

    name: str
    says: str
    module: str
    largest: Mapping[str, int]
    settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    requirements: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    """Requirements that are installed without their dependencies."""

    def settings_of(self, workload: str) -> tuple[str, ...]:
        """The ways it is measured; one of empty name by default."""
        return self.settings.get(workload, ("",))

    @property
    def folder(self) -> Path:
        """Its environment."""
        return FOLDER / "peers" / self.name


MILLION = 1_000_000

SPU = Engine(
    "spu",
    "SPU 0.9.5, ABY3 over 64-bit words: passive security, one of three may be curious; C++",
    "benchmarks.engines.spu_aby3",
    {
        **dict.fromkeys(
            (
                "multiply", "multiply-truncate", "less-than", "equality", "bits", "sort-64", "sort-16", "group-by-100",
                "group-by-tenth", "join", "matmul", "logistic-poly", "logistic-sigmoid", "logistic-30",
            ),
            MILLION,
        ),
        "boosted-trees": 10_000,
        **dict.fromkeys(("payments-pagerank", "payments-risk"), 4_000),
    },
    {
        "sort-64": ("sort QUICK",),
        "sort-16": ("sort QUICK", "sort RADIX"),
        "group-by-100": ("sort QUICK", "one-hot by equality"),
        "group-by-tenth": ("sort QUICK",),
        "join": ("sort QUICK",),
    },
    ("spu==0.9.5",),
)  # fmt: skip

CRYPTEN = Engine(
    "crypten",
    "CrypTen 0.4.1 on PyTorch: additive shares, multiplication triples from a simulated dealer that costs no traffic "
    "and protects nothing",
    "benchmarks.engines.crypten_beaver",
    {
        **dict.fromkeys(("multiply", "multiply-truncate", "less-than", "equality", "matmul"), MILLION),
        "group-by-100": 10_000,
        "logistic-poly": 10_000,
        **dict.fromkeys(("logistic-sigmoid", "logistic-30"), 1_000),
    },
    requirements=("torch==2.13.0", "numpy", "pyyaml", "omegaconf", "onnx"),
    alone=("crypten==0.4.1",),
)

MPYC = Engine(
    "mpyc",
    "MPyC 0.11, Shamir shares, one of three may be curious; Python",
    "benchmarks.engines.mpyc_shamir",
    {
        "multiply": MILLION,
        **dict.fromkeys(("multiply-truncate", "less-than", "equality", "matmul"), 10_000),
        **dict.fromkeys(("logistic-poly", "sort-64"), 100),
        **dict.fromkeys(("payments-pagerank", "payments-risk"), 1_000),
    },
    requirements=("mpyc==0.11", "gmpy2", "uvloop", "numpy"),
)

PEERS = (SPU, CRYPTEN, MPYC)


def selected(words: str | None) -> list[Engine]:
    """Peers named in the comma-separated ``words``; all of them without it; none for ``none``."""
    if words is None or not words.strip():
        return list(PEERS)
    wanted = [word for word in words.replace(",", " ").split() if word != "none"]
    unknown = [word for word in wanted if word not in {peer.name for peer in PEERS}]
    if unknown:
        raise SystemExit(f"no peer {', '.join(unknown)}; there are {', '.join(peer.name for peer in PEERS)}")
    return [peer for peer in PEERS if peer.name in wanted]


class NotInstalled(Exception):
    """Why a peer is not there."""


def interpreter(engine: Engine) -> Path:
    """The Python that has the engine; installs it where it is missing. Raises NotInstalled."""
    if engine.name == OURS:
        return Path(sys.executable)
    python = engine.folder / "bin" / "python"
    ready = engine.folder / ".ready"
    if ready.exists():
        return python
    try:
        venv.create(engine.folder, with_pip=True)
        for packages, flags in ((engine.requirements, ()), (engine.alone, ("--no-deps",))):
            if packages:
                pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
                subprocess.run([*pip, *flags, *packages], check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        lines = [line for line in (error.stderr or "").splitlines() if line.startswith("ERROR")]
        raise NotInstalled(lines[-1] if lines else f"pip ended with {error.returncode}") from error
    except OSError as error:
        raise NotInstalled(str(error)) from error
    ready.touch()
    return python


def version(python: Path, packages: tuple[str, ...]) -> dict[str, str]:
    """Installed versions of packages, asked of an environment."""
    code = (
        "import importlib.metadata as m, json, sys\n"
        "found = {d.metadata['Name'].lower(): d.version for d in m.distributions()}\n"
        "print('\\n'.join(f'{name} {found[name]}' for name in sys.argv[1:] if name in found))"
    )
    run = subprocess.run([str(python), "-c", code, *packages], check=True, capture_output=True, text=True)
    return dict(line.split() for line in run.stdout.splitlines())
