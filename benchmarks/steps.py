"""One training step that records every ||dl/dh_t||, against those who record nothing."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from benchmarks import contestants, floor, gpu, jax_loop, timing
from benchmarks.torch_loop import torch_loop
from benchmarks.work import Shape, Train

SHAPES = (Shape(200, 32, 32), Shape(400, 100, 16), Shape(200, 128, 128))
RECORDING = "rnnexp, recording"
SILENT = "rnnexp, not recording"
ONE_PART = "rnnexp, recording, one part"
FIT, FIT_XLA, TORCH, JAX, FLOOR = "Keras fit", "Keras fit, XLA", "torch nn.RNN", "JAX scan", "floor"


def measure(seconds: float, rounds: int) -> dict[str, Any]:
    """Return `rows`, one for every shape: milliseconds of each contestant and the ratio, theirs over ours."""
    on_gpu = bool(tf.config.get_visible_devices("GPU"))
    shapes, field = (gpu.SHAPES, _on_gpu) if on_gpu else (SHAPES, _on_cpu)
    rows = [_row(shape, timing.paired(field(shape), seconds, rounds)) for shape in shapes]
    return {"rounds": rounds, "seconds": seconds, "rows": rows}


def _on_cpu(shape: Shape) -> dict[str, Train]:
    field = {
        RECORDING: contestants.rnnexp_fit(shape, record=True),
        SILENT: contestants.rnnexp_fit(shape, record=False),
        FIT: contestants.keras_fit(shape, jit=False),
        FIT_XLA: contestants.keras_fit(shape, jit=True),
        FLOOR: floor.floor(shape),
    }
    if contestants.parts_of(shape) > 1:
        field[ONE_PART] = contestants.rnnexp_fit(shape, record=True, parts=1)
    try:
        field[TORCH] = torch_loop(shape)
    except ImportError:
        print("PyTorch is not installed; its column is left out (make torch).")
    return field | _jax(shape, jax_loop.UNROLLS)


def _on_gpu(shape: Shape) -> dict[str, Train]:
    return gpu.contestants(shape) | _jax(shape, gpu.UNROLLS)


def _jax(shape: Shape, unrolls: Sequence[int]) -> dict[str, Train]:
    try:
        return {f"{JAX}, {n}": jax_loop.jax_loop(shape, n) for n in unrolls}
    except ImportError:
        print("JAX is not installed; its column is left out (make bench installs it).")
        return {}


def _row(shape: Shape, taken: Mapping[str, list[float]]) -> dict[str, Any]:
    """The unrolls of JAX are one contestant: that with the least median."""
    unrolled = [name for name in taken if name.startswith(JAX)]
    best = min(unrolled, key=lambda name: statistics.median(taken[name]), default=None)
    kept = {name: values for name, values in taken.items() if name not in unrolled}
    if best is not None:
        kept[JAX] = taken[best]
    return {
        "shape": list(shape),
        "unroll": None if best is None else int(best.rpartition(" ")[2]),
        "milliseconds": {name: 1e3 * statistics.median(values) for name, values in kept.items()},
        "ratios": {name: timing.median_ratio(values, kept[RECORDING]) for name, values in kept.items()},
    }
