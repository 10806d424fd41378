"""SPU (SecretFlow's C++ engine) with ABY3 over FM64 as one of three processes. Runs in SPU's own environment.

The first party compiles the program with JAX and deals the shares, as SPU's client does; it also puts results together.
"""

import ctypes
import os
import pickle
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import spu
from spu import libspu
from spu.utils import frontend

from benchmarks.arrays import Arrays
from benchmarks.engines import spu_analyses
from benchmarks.party import Job, Place, Run, clock, loopback_bytes, serve
from benchmarks.workloads import BATCH, EPOCHS, RATE, batches

jax.config.update("jax_enable_x64", True)

Program = Callable[..., Any]
PATTERN = 0x0123456789ABCDEF
_DETAILS = re.compile(r"[Ll]ink details: total send bytes (\d+).*?send actions (\d+)")


def config(setting: str, *, profile: bool = False) -> libspu.RuntimeConfig:
    """The engine's configuration for a setting."""
    made = libspu.RuntimeConfig(protocol=libspu.ProtocolKind.ABY3, field=libspu.FieldType.FM64, fxp_fraction_bits=0)
    if setting.startswith("sort QUICK"):
        made.sort_method = libspu.RuntimeConfig.SortMethod.SORT_QUICK
    if profile:
        made.enable_hal_profile = True
        made.enable_pphlo_profile = True
    return made


class SpuParty:
    """See ``party.Party``."""

    def __init__(self, place: Place) -> None:
        self._place = place
        description = libspu.link.Desc()
        description.recv_timeout_ms = 600_000
        for rank, port in enumerate(place.ports):
            description.add_party(f"p{rank}", f"127.0.0.1:{port}")
        self._link = libspu.link.create_brpc(description, place.rank)
        self._link.barrier()
        self._runtime: spu.Runtime | None = None
        self._program: Any = None
        self._names: Sequence[str] = ()
        self._job: Job | None = None
        self._counted: tuple[int, int] | None = None
        self._own: dict[str, Any] = {}

    def build(self, job: Job) -> None:
        given = inputs(job)
        io = spu.Io(3, config(job.setting))
        secret = libspu.Visibility.VIS_SECRET
        names = [f"in{i}" for i in range(len(given))]
        executable, _ = frontend.compile(
            frontend.Kind.JAX, program(job), given, {}, names, [secret] * len(given),
            lambda out: [f"out{i}" for i in range(len(out))],
        )  # fmt: skip
        shares = [io.make_shares(array, secret) for array in given]
        for rank in range(3):
            own = [_packed(share[rank]) for share in shares]
            content = pickle.dumps((executable.SerializeToString(), names, list(executable.output_names), own))
            (Path(job.folder) / f"spu-{rank}.pickle").write_bytes(content)

    def prepare(self, job: Job) -> None:
        # SPU's Runtime.clear() calls what its library lacks: a new runtime drops the variables of the last job
        self._runtime = spu.Runtime(self._link, config(job.setting))
        content = (Path(job.folder) / f"spu-{self._place.rank}.pickle").read_bytes()
        code, names, self._names, shares = pickle.loads(content)  # noqa: S301 - written by the first party just now
        self._program = libspu.Executable()
        self._program.ParseFromString(code)
        self._own = dict(zip(names, shares, strict=True))
        self._fill(self._runtime)
        self._job = job
        self._counted = None

    def run(self) -> Run:
        if self._job.counting and self._counted is None:
            return self._profiled()
        self._link.barrier()
        moved = loopback_bytes()
        began = clock()
        self._runtime.run(self._program)
        ended = clock()
        self._link.barrier()
        moved = loopback_bytes() - moved
        sent, rounds = self._counted or (None, None)
        return Run(began, ended, sent, rounds, moved)

    def _fill(self, runtime: spu.Runtime) -> None:
        for name, share in self._own.items():
            runtime.set_var(name, _unpacked(share))

    def _profiled(self) -> Run:
        """A run under SPU's own profile, which says in the log what this party sent."""
        runtime = spu.Runtime(self._link, config(self._job.setting, profile=True))
        self._fill(runtime)
        with Path("/proc/self/fd/2").open("rb") as log:
            log.seek(0, os.SEEK_END)
            began = clock()
            runtime.run(self._program)
            ended = clock()
            ctypes.CDLL(None).fflush(None)
            found = _DETAILS.findall(log.read().decode(errors="replace"))
        if found:
            self._counted = int(found[-1][0]), int(found[-1][1])
        return Run(began, ended, *(self._counted or (None, None)))

    def gather(self) -> None:
        shares = [_packed(self._runtime.get_var(name)) for name in self._names]
        (Path(self._job.folder) / f"spu-out-{self._place.rank}.pickle").write_bytes(pickle.dumps(shares))

    def answer(self) -> Arrays:
        io = spu.Io(3, config(self._job.setting))
        files = [Path(self._job.folder) / f"spu-out-{rank}.pickle" for rank in range(3)]
        parts = [pickle.loads(file.read_bytes()) for file in files]  # noqa: S301 - written by the parties just now
        found = [np.asarray(io.reconstruct([_unpacked(part[i]) for part in parts])) for i in range(len(self._names))]
        return revealed(self._job, found)


def _packed(share: Any) -> tuple[Any, list[bytes]]:
    return share.meta, list(share.share_chunks)


def _unpacked(fields: tuple[Any, list[bytes]]) -> Any:
    share = libspu.Share()
    share.meta, share.share_chunks = fields
    return share


# --- programs -------------------------------------------------------------------------------------------


def inputs(job: Job) -> list[np.ndarray]:
    """The inputs in the types that SPU is fastest with."""
    given = job.inputs()
    match job.workload:
        case "multiply-truncate":
            return [given["x"].astype(np.float32), given["y"].astype(np.float32)]
        case "sort-64" | "bits":
            return [given["x"]]
        case "sort-16":
            return [given["x"].astype(np.int16)]
        case "group-by-100" | "group-by-tenth":
            return [given["keys"], given["values"]]
        case "join":
            return [given["left"], given["amount"], given["right"], given["score"]]
        case "logistic-poly" | "logistic-sigmoid" | "logistic-30":
            rows = batches(job.n) * BATCH
            x = given["x"][:rows].reshape(-1, BATCH, given["x"].shape[1]).astype(np.float32)
            return [x, given["y"][:rows].reshape(-1, BATCH).astype(np.float32)]
        case name if name in spu_analyses.PROGRAMS:
            return spu_analyses.inputs(name, given)
        case _:
            return [given["x"], given["y"]]


def program(job: Job) -> Program:
    """The JAX function of a workload."""
    if job.setting == "one-hot by equality":
        return _by_equality(job.n)
    return {
        "multiply": lambda x, y: x * y,
        "multiply-truncate": lambda x, y: x * y,
        "less-than": lambda x, y: x < y,
        "equality": lambda x, y: x == y,
        # an exclusive or with a public constant needs the bits of x and nothing else
        "bits": lambda x: x ^ jnp.int64(PATTERN),
        "sort-64": jnp.sort,
        "sort-16": jnp.sort,
        "matmul": jnp.matmul,
        "group-by-100": _by_distinct_sort,
        "group-by-tenth": _by_sort,
        "join": _joined,
        "logistic-poly": _training(lambda u: 0.5 + u * (0.197 - 0.004 * u * u), job.n),
        "logistic-sigmoid": _training(jax.nn.sigmoid, job.n),
        "logistic-30": _training(jax.nn.sigmoid, job.n),
        **spu_analyses.PROGRAMS,
    }[job.workload]


def _by_sort(keys: Any, values: Any) -> tuple[Any, Any, Any]:
    """Sort, running sums (local), ends of groups; the sums of groups are differences that the reader takes.

    Faster and more exact than ``spu.ops.groupby``, whose floating-point masks give wrong sums; the groups stay
    scattered among n rows, which our own engine does not leave so.
    """
    keys, values = jax.lax.sort((keys, values), num_keys=1)
    return _sums_at_ends(keys, values)


def _by_distinct_sort(keys: Any, values: Any) -> tuple[Any, Any, Any]:
    """The same for small keys of which many are equal: with the row number below them QUICK does not degenerate."""
    n = keys.shape[0]
    _, keys, values = jax.lax.sort((keys * n + jnp.arange(n), keys, values), num_keys=1)
    return _sums_at_ends(keys, values)


def _sums_at_ends(keys: Any, values: Any) -> tuple[Any, Any, Any]:
    # SPU computes jnp.cumsum in quadratic time
    running = jax.lax.associative_scan(jnp.add, values)
    last = jnp.concatenate([keys[1:] != keys[:-1], jnp.ones(1, bool)]).astype(jnp.int64)
    return last, keys * last, running * last


def _joined(left: Any, amount: Any, right: Any, score: Any) -> tuple[Any, Any, Any, Any]:
    """Sort both sides together, unique rows first; copy what the first row of a segment holds along the segment.

    Rows of the result stay where the sort has put them: our own engine puts them back into input order.
    """
    side_of = jnp.concatenate([jnp.zeros_like(right), jnp.ones_like(left)])
    key = 2 * jnp.concatenate([right, left]) + side_of
    key, side_of, value = jax.lax.sort((key, side_of, jnp.concatenate([score, amount])), num_keys=1)
    key = key - side_of
    first = jnp.concatenate([jnp.ones(1, bool), key[1:] != key[:-1]]).astype(jnp.int64)
    start = first * (1 - side_of)

    def combined(a: Any, b: Any) -> Any:
        going_on = 1 - b[0]
        return a[0] + b[0] - a[0] * b[0], b[1] + going_on * a[1], b[2] + going_on * a[2]

    _, found, taken = jax.lax.associative_scan(combined, (first, start, start * value))
    match = found * side_of
    return match, key * match, value * match, taken * match


def _by_equality(n: int) -> Program:
    def run(keys: Any, values: Any) -> Any:
        total = 0
        for start in range(0, n, 10_000):
            at = slice(start, start + 10_000)
            hot = (keys[at, None] == jnp.arange(100)[None, :]).astype(jnp.int64)
            total = total + values[at] @ hot
        return total

    return run


def _training(activation: Program, rows: int) -> Program:
    per_epoch = batches(rows)

    def train(xs: Any, ys: Any) -> Any:
        def step(i: Any, weights: Any) -> Any:
            x, y = xs[i % per_epoch], ys[i % per_epoch]
            return weights - (RATE / BATCH) * (x.T @ (activation(x @ weights) - y))

        return jax.lax.fori_loop(0, EPOCHS * per_epoch, step, jnp.zeros(xs.shape[-1], jnp.float32))

    return train


def revealed(job: Job, found: list[np.ndarray]) -> Arrays:
    """What a reader of the opened values has."""
    if job.workload == "bits":
        words = (found[0] ^ np.int64(PATTERN)).view(np.uint64)
        return {"out": ((words[None, :] >> np.arange(64, dtype=np.uint64)[:, None]) & np.uint64(1)).astype(bool)}
    if job.workload.startswith("group-by"):
        if job.setting == "one-hot by equality":
            return {"keys": np.arange(100), "sums": found[0]}
        last = found[0].astype(bool)
        return {"keys": found[1][last], "sums": np.diff(found[2][last], prepend=0)}
    if job.workload == "join":
        match = found[0].astype(bool)
        return {"keys": found[1][match] // 2, "amount": found[2][match], "score": found[3][match]}
    if job.workload in spu_analyses.ANSWERS:
        return spu_analyses.ANSWERS[job.workload](found)
    return {"out": found[0]}


if __name__ == "__main__":
    serve(SpuParty)
