"""How often a 95 % interval of the gradient's rate holds the truth: `python -m benchmarks.interval_coverage`.

Batches of the adding problem are redrawn for one network after the other, in NumPy; the truth is the value
over all of them together.
"""

import argparse
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from rnnexp.nn.initializers import Gaussian, GlorotUniform, Identity, Orthogonal
from rnnexp.probes.gradient import measure_gradient
from rnnexp.tasks import Adding

_PHI: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0),
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
}
_SLOPE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": lambda h: 1 - h**2,
    "relu": lambda h: (h > 0).astype(np.float64),
    "sigmoid": lambda h: h * (1 - h),
}
"""phi'(a) from h = phi(a)."""


class Layer(NamedTuple):
    """A recurrent layer with its readout: W_xh (2, H), W_hh (H, H), b (H,), W_hy (H, 1), c (1,)."""

    activation: str
    weights: tuple[np.ndarray, ...]
    time_steps: int


class Coverage(NamedTuple):
    """Of one layer: the share of batches whose interval holds the truth, and how many have one.

    Attributes:
        rate: Of the typical rate.
        ratio: Of the typical ratio.
        rms: Of the rms rate, among the batches that have an interval of it; nan where none has.
        rms_told: Share of the batches that have an interval of the rms rate.
        effective_samples: Median over batches.
    """

    rate: float
    ratio: float
    rms: float
    rms_told: float
    effective_samples: float


def kinds(units: int, time_steps: int, updates: int) -> dict[str, Layer]:
    """Return ten kinds of layers: random, decoupled and trained ones.

    Args:
        units: H.
        time_steps: T of the random ones; the trained ones have T / 2, T and 2 T.
        updates: Training steps of Adam.
    """
    shape = (units, units)
    kernels = {
        "tanh, orthogonal": ("tanh", Orthogonal(seed=1)),
        "relu, orthogonal": ("relu", Orthogonal(seed=1)),
        "relu, gaussian 1.7": ("relu", Gaussian(1.7, seed=2)),
        "tanh, gaussian 2.5": ("tanh", Gaussian(2.5, seed=2)),
        "tanh, 1.5 I": ("tanh", Identity(1.5)),
        "relu, identity": ("relu", Identity(1.0)),
        "sigmoid, glorot": ("sigmoid", GlorotUniform(seed=1)),
    }
    found = {
        name: Layer(activation, _weights(np.asarray(draw(shape, "float64"))), time_steps)
        for name, (activation, draw) in kernels.items()
    }
    half = found["tanh, orthogonal"]._replace(time_steps=time_steps // 2)
    whole = found["relu, orthogonal"]
    return found | {
        "tanh, trained, T / 2": train(half, updates),
        "relu, trained": train(whole, updates),
        "relu, trained, 2 T": train(whole._replace(time_steps=2 * time_steps), updates),
    }


def _weights(kernel: np.ndarray) -> tuple[np.ndarray, ...]:
    units = len(kernel)
    inputs = np.asarray(GlorotUniform(seed=0)((2, units), "float64"))
    readout = np.asarray(GlorotUniform(seed=3)((units, 1), "float64"))
    return inputs, kernel, np.zeros(units), readout, np.zeros(1)


def states(layer: Layer, x: np.ndarray) -> np.ndarray:
    """Return h_1 ... h_T, (T, B, H)."""
    inputs, kernel, bias, *_ = layer.weights
    h, found = np.zeros((len(x), len(kernel))), []
    for projected in np.moveaxis(x @ inputs + bias, 1, 0):
        h = _PHI[layer.activation](projected + h @ kernel)
        found.append(h)
    return np.array(found)


def log_norms(layer: Layer, seed: int, samples: int) -> np.ndarray:
    """Return ln ||dl_b/dh_t||, (T, B), of redrawn sequences."""
    x, y = Adding(layer.time_steps).batch(seed, "probe", 0, samples)
    hidden = states(layer, x)
    _, kernel, _, readout, constant = layer.weights
    adjoint = 2 * (hidden[-1] @ readout + constant - y) @ readout.T
    scale, found = np.zeros(samples), []
    for h in hidden[::-1]:
        size = np.linalg.norm(adjoint, axis=1)
        with np.errstate(divide="ignore"):
            found.append(scale + np.log(size))
        live = np.where(size == 0, 1.0, size)
        adjoint, scale = adjoint / live[:, np.newaxis], scale + np.log(live)
        adjoint = (_SLOPE[layer.activation](h) * adjoint) @ kernel.T
    return np.array(found[::-1])


def train(layer: Layer, updates: int, samples: int = 32, rate: float = 1e-3, clip: float = 1.0) -> Layer:
    """Return the layer after Adam on the adding problem, its gradient clipped by the global norm."""
    task, weights = Adding(layer.time_steps), [np.array(weight) for weight in layer.weights]
    first = [np.zeros_like(weight) for weight in weights]
    second = [np.zeros_like(weight) for weight in weights]
    for update in range(1, updates + 1):
        x, y = task.batch(0, "train", update, samples)
        gradients = _gradients(layer._replace(weights=tuple(weights)), x, y)
        norm = math.sqrt(sum(float(np.sum(gradient**2)) for gradient in gradients))
        for place, gradient in enumerate(gradients):
            gradient = gradient * min(1.0, clip / norm)
            first[place] = 0.9 * first[place] + 0.1 * gradient
            second[place] = 0.999 * second[place] + 0.001 * gradient**2
            step = first[place] / (1 - 0.9**update)
            weights[place] -= rate * step / (np.sqrt(second[place] / (1 - 0.999**update)) + 1e-7)
    return layer._replace(weights=tuple(weights))


def _gradients(layer: Layer, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Return the gradient of the mean squared error by every weight."""
    _, kernel, _, readout, constant = layer.weights
    hidden = states(layer, x)
    error = 2 * (hidden[-1] @ readout + constant - y) / len(x)
    adjoint, deltas = error @ readout.T, np.empty_like(hidden)
    for step in range(len(hidden) - 1, -1, -1):
        deltas[step] = _SLOPE[layer.activation](hidden[step]) * adjoint
        adjoint = deltas[step] @ kernel.T
    by_inputs = np.tensordot(np.moveaxis(x, 1, 0), deltas, ((0, 1), (0, 1)))
    by_kernel = np.tensordot(hidden[:-1], deltas[1:], ((0, 1), (0, 1)))
    return [by_inputs, by_kernel, deltas.sum((0, 1)), hidden[-1].T @ error, error.sum(0)]


def coverage(layer: Layer, batches: int, samples: int, bootstrap: int) -> Coverage:
    """Redraw batches and return how often their intervals hold the value of all batches together."""
    drawn = log_norms(layer, 0, batches * samples)
    parts = [measure_gradient(part, bootstrap) for part in np.split(drawn, batches, axis=1)]
    rate = float(np.mean([part.rate for part in parts]))
    ratio = float(np.mean([part.log10_ratio for part in parts]))
    rms = measure_gradient(drawn, bootstrap=1).rate_rms
    told = [part for part in parts if math.isfinite(part.rate_rms_low)]
    return Coverage(
        float(np.mean([part.rate_low <= rate <= part.rate_high for part in parts])),
        float(np.mean([part.ratio_low <= ratio <= part.ratio_high for part in parts])),
        float(np.mean([part.rate_rms_low <= rms <= part.rate_rms_high for part in told]))
        if told
        else math.nan,
        len(told) / batches,
        float(np.median([part.effective_samples for part in parts])),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table of docs/gradient_profile.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--time-steps", type=int, default=100)
    parser.add_argument("--updates", type=int, default=300)
    parser.add_argument("--batches", type=int, default=200)
    chosen = parser.parse_args(arguments)
    print("| kernel | typical rate | typical ratio | rms rate, where told | told | effective samples |")
    print("|---|---|---|---|---|---|")
    for name, layer in kinds(chosen.units, chosen.time_steps, chosen.updates).items():
        found = coverage(layer, chosen.batches, samples=64, bootstrap=1000)
        rms = f"{found.rms:.2f}" if math.isfinite(found.rms) else ""
        shares = f"| {name} | {found.rate:.2f} | {found.ratio:.2f} | {rms} | {found.rms_told:.2f} "
        print(f"{shares}| {found.effective_samples:.0f} |")


if __name__ == "__main__":
    main()
