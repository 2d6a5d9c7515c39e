import functools
import math

import numpy as np
import pytest
import tensorflow as tf

from rnnexp.nn.cells.elman import Elman
from rnnexp.nn.cells.leaky import Leaky
from rnnexp.nn.cells.lstm import Lstm
from rnnexp.nn.initializers import GlorotUniform, Identity
from rnnexp.nn.network import build_network
from rnnexp.plotting import sensitivity as figure
from rnnexp.plotting.arrays import Arrays
from rnnexp.probes.rollout import Rollout
from rnnexp.probes.sensitivity import InputSensitivity, SensitivityProbe, measure_sensitivity
from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks import Adding

H, B = 5, 4


def network(spec, activation, gain, steps):
    cell = spec.build(H, activation, GlorotUniform(seed=1), Identity(gain=gain), "float64")
    return build_network(Adding(steps), cell, seed=2)


@functools.cache
def rollout(spec, activation, steps):
    """A rollout that is traced once: every trajectory brings its own weights."""
    task = Adding(steps)
    built = network(spec, activation, 1.0, steps)
    return Rollout(built, spec, activation, task.loss, task.batch(0, "probe", 0, B), 10)


@pytest.mark.parametrize("steps", [2, 30, 3000])
@pytest.mark.parametrize("gain", [0.5, 0.9, 1.0, 1.1])
def test_a_linear_network_looks_back_as_its_gain_says(gain, steps):
    """norm_k = g^k ||W_xh W_hy||, over 900 decades."""
    drawn = network(Elman(), "linear", gain, steps).get_weights()
    kernel, _, _, readout, _ = drawn
    found = measure_sensitivity(rollout(Elman(), "linear", steps).trajectory(drawn))
    expected = np.arange(steps) * math.log(gain) + math.log(np.linalg.norm(kernel @ readout))
    np.testing.assert_allclose(found.log_norm, expected, rtol=0, atol=1e-12 * steps)
    if gain < 1:
        (reached,) = np.nonzero(1 - gain ** np.arange(1.0, steps + 1) >= 0.95 * (1 - gain**steps))
        assert found.lag_within(0.95) == reached[0]
        assert found.log10_ratio == pytest.approx((steps - 1) * math.log10(gain), abs=1e-9)


def test_a_leak_looks_further_back():
    spec = Leaky(rate=0.1)
    drawn = network(spec, "linear", 0.5, 30).get_weights()
    kernel, _, _, readout, _ = drawn
    found = measure_sensitivity(rollout(spec, "linear", 30).trajectory(drawn))
    expected = np.arange(30) * math.log(0.9 + 0.1 * 0.5) + math.log(0.1 * np.linalg.norm(kernel @ readout))
    np.testing.assert_allclose(found.log_norm, expected, rtol=0, atol=1e-11)


@functools.cache
def weights(spec):
    generator = np.random.default_rng(0)
    drawn = network(spec, "tanh", 1.0, 8).get_weights()
    return [0.6 * generator.standard_normal(weight.shape) for weight in drawn]


@pytest.mark.parametrize("spec", [Elman(), Lstm()])
def test_it_is_the_derivative_that_a_tape_finds(spec):
    built = network(spec, "tanh", 1.0, 8)
    built.set_weights(weights(spec))
    x, _ = Adding(8).batch(0, "probe", 0, B)
    inputs = tf.constant(x, tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        outputs = built(inputs)
    jacobians = tape.batch_jacobian(outputs, inputs, experimental_use_pfor=False)
    squares = np.sum(jacobians.numpy() ** 2, axis=(1, 3))
    expected = 0.5 * np.log(squares.mean(axis=0))[::-1]
    found = measure_sensitivity(rollout(spec, "tanh", 8).trajectory(weights(spec)))
    np.testing.assert_allclose(found.log_norm, expected, rtol=0, atol=1e-10)


def test_weights_that_are_lost_have_no_lag():
    lost = [np.full_like(weight, np.nan) for weight in weights(Elman())]
    metrics = SensitivityProbe().metrics(measure_sensitivity(rollout(Elman(), "tanh", 8).trajectory(lost)))
    assert all(math.isnan(value) for value in metrics.values())


def test_an_output_that_no_input_reaches_has_no_lag():
    silent = [np.zeros_like(weight) for weight in weights(Elman())]
    found = measure_sensitivity(rollout(Elman(), "tanh", 8).trajectory(silent))
    assert np.isneginf(found.log_norm).all() and math.isnan(found.lag_within(0.95))


def test_samples_and_parts_outside_their_domain_are_refused():
    with pytest.raises(ArgumentError, match="^samples: expected"):
        measure_sensitivity(rollout(Elman(), "tanh", 8).trajectory(weights(Elman())), samples=0)
    with pytest.raises(ArgumentError, match="^part: expected"):
        InputSensitivity(np.zeros(3)).lag_within(1.0)


@pytest.mark.parametrize(
    ("values", "end_step"),
    [([0.0, -1.0, -2.0], 0), ([0.0, -1.0, -2.0], 5), ([-np.inf] * 3, 5), ([np.nan] * 3, 5), ([1.0], 5)],
)
def test_its_figure_is_drawn_from_arrays(values, end_step, tmp_path):
    arrays = {"end_step": np.array(end_step)}
    for look in ("start", "end"):
        found = SensitivityProbe().arrays(InputSensitivity(np.array(values)))
        arrays |= {f"{look}_{name}": array for name, array in found.items()}
    figure.draw(Arrays(arrays), tmp_path / "sensitivity.png", "a title")
    assert (tmp_path / "sensitivity.png").read_bytes().startswith(b"\x89PNG")
