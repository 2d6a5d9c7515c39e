"""Intervals of the largest singular value, of eight redrawn sequences each, hold that of all of them."""

import numpy as np
import pytest

from benchmarks.interval_coverage import Layer, kinds, states
from rnnexp.probes.jacobian_products import JacobianProducts
from rnnexp.tasks import Adding

BATCHES, SAMPLES = 250, 8
SLOPES = {"tanh": lambda h: 1 - h**2, "relu": lambda h: (h > 0) * 1.0, "sigmoid": lambda h: h * (1 - h)}


@pytest.fixture(scope="module")
def layers() -> dict[str, Layer]:
    return kinds(units=16, time_steps=12, updates=40)


def largest(layer: Layer) -> np.ndarray:
    """ln of the largest singular value of J_T ... J_2, sequence by sequence, of the product as it is."""
    x, _ = Adding(layer.time_steps).batch(0, "probe", 0, BATCHES * SAMPLES)
    slopes, kernel = SLOPES[layer.activation](states(layer, x)), layer.weights[1]
    product = np.broadcast_to(np.eye(len(kernel)), (len(x), *kernel.shape))
    for slope in slopes[1:]:
        product = slope[:, :, np.newaxis] * (kernel.T @ product)
    with np.errstate(divide="ignore"):
        return np.log(np.linalg.norm(product, 2, axis=(1, 2)))


def interval(logs: np.ndarray) -> tuple[float, float]:
    log_sigma = logs[np.newaxis, :, np.newaxis]
    return JacobianProducts(np.array([1]), log_sigma, np.zeros((1, len(logs)))).sigma_max_interval


def test_intervals_of_eight_hold_the_truth_95_times_in_100(layers):
    shares = {}
    for name, layer in layers.items():
        logs = largest(layer)
        if not np.isfinite(logs).all() or np.ptp(logs) < 1e-6:
            continue  # exact zeros have no logarithm, and equal values no spread
        truth = logs.mean() / np.log(10)
        told = [interval(part) for part in np.split(logs, BATCHES)]
        shares[name] = float(np.mean([low <= truth <= high for low, high in told]))
    assert len(shares) >= 7, shares
    # The standard error of a share of 250 batches is 0.014.
    assert sum(0.92 <= share <= 0.98 for share in shares.values()) >= len(shares) - 1, shares
    assert min(shares.values()) >= 0.85, shares


def test_the_interval_is_students():
    rng = np.random.default_rng(0)
    logs = np.sort(rng.normal(size=(1, 8, 3)))[..., ::-1]
    low, high = JacobianProducts(np.array([5]), logs, np.zeros((6, 8))).sigma_max_interval
    decades = logs[0, :, 0] / np.log(10)
    half = 2.3646242515927844 * decades.std(ddof=1) / np.sqrt(8)  # t of 7 degrees of freedom, by a table
    assert (low, high) == pytest.approx((decades.mean() - half, decades.mean() + half), rel=1e-12)
