"""The trajectories of stacked layers: gradients against an unrolled tape and a closed form."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from rnnexp.diagnosis.comparison import EXPONENT
from rnnexp.diagnosis.measurement import Measurer
from rnnexp.nn.cells.catalogue import CATALOGUE
from rnnexp.nn.cells.elman import Elman
from rnnexp.nn.initializers import GlorotUniform, Identity, Orthogonal
from rnnexp.nn.network import build_network, recurrent_layers
from rnnexp.probes import measure_gradient, upper_layers
from rnnexp.probes.rollout import Rollout
from rnnexp.probes.sensitivity import measure_sensitivity
from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks import Adding, Copying

H, B = 4, 3
GAINS = (0.9, 0.6, 0.8)
"""Of W_hh = g I in the linear network, layer by layer."""


def cells_of(spec, activation="tanh", kernels=None):
    kernels = kernels or [Orthogonal(seed=seed) for seed in (1, 3)]
    return [
        spec.build(H, activation, GlorotUniform(seed=2 * place), kernel, "float64")
        for place, kernel in enumerate(kernels)
    ]


def stacked(task, spec, activation="tanh", kernels=None):
    cell, *above = cells_of(spec, activation, kernels)
    return build_network(task, cell, seed=9, above=above)


def unrolled(network, task, batch, reads):
    """ln ||dl_b/dh_t|| of both layers, (2, T, B), step by step under one tape, with 0 added to every h_t."""
    cells = [layer.cell for layer in recurrent_layers(network)]
    states = [tf.nest.flatten(cell.get_initial_state(batch_size=B)) for cell in cells]
    added = tf.zeros((task.time_steps, len(cells), B, H), tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(added)
        for t in range(task.time_steps):
            below = tf.constant(batch.x[:, t], tf.float64)
            for place, cell in enumerate(cells):
                h, *others = tf.nest.flatten(cell(below, states[place])[1])
                states[place] = [h + added[t, place], *others]
                below = cell.activation(states[place][0]) if reads else states[place][0]
        y = network.get_layer("readout")(below)
        if task.scores_every_step:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=batch.y[:, -1], logits=y)
        else:
            losses = tf.reduce_mean((y - batch.y) ** 2, axis=1)
    norms = np.linalg.norm(tape.gradient(losses, added), axis=3)
    return np.log(norms).swapaxes(0, 1)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("elman", Adding(6)),
        ("elman", Copying(2, symbols=3, recall=2)),
        ("lstm", Adding(6)),
        ("lt_rnn", Adding(6)),
    ],
)
def test_gradients_of_both_layers_are_those_of_a_tape(name, task):
    spec = CATALOGUE[name]()
    network, batch = stacked(task, spec), task.batch(0, "probe", 0, B)
    found = Rollout(network, spec, "tanh", task.loss, batch).trajectories(network.get_weights())
    expected = unrolled(network, task, batch, spec.read_through_activation)
    for trajectory, norms in zip(found, expected, strict=True):
        np.testing.assert_allclose(next(iter(trajectory.log_norms.values())), norms, rtol=1e-10, atol=1e-12)
    lower, upper = found
    below = np.tanh(lower.hidden) if spec.read_through_activation else lower.hidden
    np.testing.assert_allclose(upper.x, below, rtol=1e-12)
    assert [each.read_at_end for each in found] == [False, True]


LINEAR = Adding(20)


@functools.cache
def linear():
    """A measurement of three linear layers with W_hh = g I."""
    network = stacked(LINEAR, Elman(), "linear", [Identity(gain=gain) for gain in GAINS])
    measurer = Measurer(network, Elman(), "linear", LINEAR.loss, LINEAR.batch(0, "probe", 0, B), 20)
    return measurer.measure(network.get_weights(), step=0)


def test_the_gradient_of_linear_layers_has_a_closed_form():
    """dl/dh_{T-k} is a fixed vector times the sum of all products of k gains of the layers from there on."""
    lags = np.arange(LINEAR.time_steps)
    sums, profiles = np.zeros(lags.size), [linear().gradient, *_gradients()]
    sums[0] = 1.0
    for gain, profile in zip(reversed(GAINS), reversed(profiles), strict=True):
        powers = gain**lags
        sums = np.convolve(powers, sums)[: lags.size]
        by_lag = profile.log_norm[::-1]
        np.testing.assert_allclose(by_lag - by_lag[0], np.log(sums), rtol=1e-10, atol=1e-10)


def _gradients():
    return [results["gradient_profile"] for results in linear().upper]


def test_layers_above_have_few_metrics_of_their_own():
    found = linear().metrics()
    for number, gain in enumerate(GAINS[1:], start=2):
        of_layer = {
            key.partition("/")[2]: value for key, value in found.items() if key.startswith(f"layer_{number}/")
        }
        assert set(of_layer) == set(upper_layers.METRICS)
        # The exponents and the products are the layer's own: of J_t = g I.
        assert of_layer["lyapunov/lambda_1"] == pytest.approx(np.log(gain), rel=1e-9)
        decades = (LINEAR.time_steps - 1) * np.log10(gain)
        assert of_layer["jacobian/log10_sigma_max"] == pytest.approx(decades, rel=1e-9)
    assert found["layer_3/grad/rate"] == pytest.approx(np.log(GAINS[2]), rel=1e-9)
    assert found["lyapunov/lambda_1"] == pytest.approx(np.log(GAINS[0]), rel=1e-9)


def test_arrays_of_layers_above_are_their_profiles():
    found = linear().arrays()
    for number, profile in enumerate(_gradients(), start=2):
        np.testing.assert_array_equal(found[f"layer_{number}_log_norm"], profile.log_norm)
        np.testing.assert_array_equal(found[f"layer_{number}_log_typical"], profile.log_typical)
    assert "layer_4_log_norm" not in found


def test_what_presumes_a_loss_of_the_last_state_is_left_out():
    found = linear()
    assert {"lags", "sensitivity"}.isdisjoint(found.results)
    said = found.predictions
    assert np.isnan([said.rate, said.rate_bound, said.orthogonal_rate, said.critical_gain]).all()
    assert {each.law.quantity for each in found.comparisons} == {EXPONENT}
    for each in found.comparisons:
        assert each.predicted == pytest.approx(each.measured, rel=1e-9)


def test_of_one_layer_nothing_is_left_out():
    network = stacked(LINEAR, Elman(), "linear", [Identity(gain=0.9)])
    rollout = Rollout(network, Elman(), "linear", LINEAR.loss, LINEAR.batch(0, "probe", 0, B))
    (only,) = rollout.trajectories(network.get_weights())
    assert only.read_at_end
    gradient = measure_gradient(only.log_norms["h"])
    assert gradient.rate == pytest.approx(np.log(0.9), rel=1e-9)


def test_sensitivity_of_a_layer_below_is_refused():
    network = stacked(LINEAR, Elman())
    rollout = Rollout(network, Elman(), "tanh", LINEAR.loss, LINEAR.batch(0, "probe", 0, B))
    lower, upper = rollout.trajectories(network.get_weights())
    with pytest.raises(ArgumentError, match="^trajectory: expected that of the highest layer"):
        measure_sensitivity(lower)
    assert measure_sensitivity(upper).log_norm.shape == (LINEAR.time_steps,)
