"""Every cell of the catalogue keeps the contract of `CellSpec`: a new one is tested by being listed."""

import functools
import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnexp.diagnosis.measurement import Measurer
from rnnexp.nn.cells.catalogue import CATALOGUE
from rnnexp.nn.initializers import GlorotUniform, Orthogonal
from rnnexp.nn.network import RECURRENT, build_network, read_out
from rnnexp.nn.tapped_step import TappedStep
from rnnexp.probes.catalogue import PROBES
from rnnexp.probes.lags import LagsProbe
from rnnexp.probes.probe import Probe
from rnnexp.probes.trajectory import Trajectory
from rnnexp.tasks import Adding

TASK, H, B = Adding(6), 4, 3
each_cell = pytest.mark.parametrize("name", CATALOGUE)


def network(name, seed=3):
    spec = CATALOGUE[name]()
    cell: Any = spec.build(H, "tanh", GlorotUniform(seed=1), Orthogonal(seed=2), "float64")
    return build_network(TASK, cell, seed)


class Kept(Probe[Trajectory]):
    """The trajectory itself, of which all probes have measured."""

    name, page, metric_table = "kept", "", {}

    def measure(self, trajectory):
        return trajectory


@functools.cache
def rolled(name):
    """The network, a measurement, its trajectory, and what an unrolled loop over steps finds of it."""
    built = network(name)
    generator = np.random.default_rng(0)
    weights = [0.7 * generator.standard_normal(weight.shape) for weight in built.get_weights()]
    batch = TASK.batch(0, "probe", 0, B)
    found = Measurer(built, CATALOGUE[name](), "tanh", TASK.loss, batch, 20, [Kept()]).measure(weights, 1)
    return built, found, found.results["kept"], unrolled(built, batch)


def unrolled(built, batch):
    """S_t (T+1, B, N) and dl_b/ds_t of every state, (T, B, n) each, by a tape around a loop over steps."""
    cell = built.get_layer(RECURRENT).cell
    states, kept = [tf.constant(s) for s in cell.get_initial_state(batch_size=B)], []
    with tf.GradientTape() as tape:
        tape.watch(states)
        kept.append(states)
        for step in tf.unstack(tf.constant(batch.x, tf.float64), axis=1):
            states = [tf.identity(state) for state in cell(step, kept[-1])[1]]
            kept.append(states)
        loss = tf.reduce_sum((read_out(built, kept[-1][0]) - batch.y) ** 2)
    gradients = tape.gradient(loss, kept, unconnected_gradients="zero")
    by_state = zip(*gradients[1:], strict=True)
    return np.array([np.concatenate(each, axis=1) for each in kept]), [np.array(g) for g in by_state]


@each_cell
def test_the_trajectory_is_that_of_an_unrolled_tape(name):
    _, _, trajectory, (states, gradients) = rolled(name)
    np.testing.assert_allclose(trajectory.before, states[:-1], rtol=0, atol=1e-12)
    np.testing.assert_allclose(trajectory.hidden, states[1:, :, :H], rtol=0, atol=1e-12)
    assert list(trajectory.log_norms) == list(CATALOGUE[name].states)
    for got, expected in zip(trajectory.log_norms.values(), gradients, strict=True):
        np.testing.assert_allclose(np.exp(got), np.linalg.norm(expected, axis=2), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(trajectory.last_adjoint, gradients[0][-1], rtol=1e-9, atol=1e-15)


@each_cell
def test_the_jacobians_are_central_differences(name):
    built, _, trajectory, _ = rolled(name)
    cell, sizes = built.get_layer(RECURRENT).cell, tf.nest.flatten(built.get_layer(RECURRENT).cell.state_size)
    step, size = 2, 1e-6

    def after(before):
        parts = np.split(before, np.cumsum(sizes)[:-1], axis=1)
        states = cell(tf.constant(trajectory.x[step]), [tf.constant(part) for part in parts])[1]
        return np.concatenate(states, axis=1)

    before, columns = trajectory.before[step], []
    for unit in range(sum(sizes)):
        change = np.zeros_like(before)
        change[:, unit] = size
        columns.append((after(before + change) - after(before - change)) / (2 * size))
    expected = np.stack(columns, axis=2)
    # Central differences of a smooth step in float64 are good to about size^2 and 1e-16 / size.
    np.testing.assert_allclose(trajectory.jacobians.step(step), expected, rtol=0, atol=1e-8)


@each_cell
def test_the_closed_form_is_what_differentiation_finds(name):
    _, _, trajectory, _ = rolled(name)
    if trajectory.factored is None:
        pytest.skip("the cell hands out no closed form")
    by_tape = trajectory.differentiated
    ones = np.broadcast_to(np.eye(H), (B, H, H)).reshape(-1, H)
    rows = (np.repeat(array[1], H, axis=0) for array in (trajectory.x, trajectory.before))
    expected = by_tape.derivatives.pull(*rows, ones).numpy().reshape(B, H, H)
    np.testing.assert_allclose(trajectory.jacobians.step(1), expected, rtol=0, atol=1e-12)
    lags = by_tape.lags(trajectory.x, trajectory.before, trajectory.last_adjoint)
    closed: Any = LagsProbe().measure(trajectory)
    np.testing.assert_allclose(closed.log_norm, lags.log_norm, rtol=0, atol=1e-9)


@each_cell
def test_its_states_have_the_names_that_the_spec_gives(name):
    cell: Any = network(name).get_layer(RECURRENT).cell
    states = cell.get_initial_state(batch_size=B)
    output, after = cell(np.zeros((B, TASK.input_size)), states)
    step, flat = TappedStep(cell, training=False), keras.tree.flatten(states)
    step(tf.ones((B, TASK.input_size)), [*flat, step.initial_flags(flat)], [None] * len(flat))
    names, handed_on = step.names([False] * len(flat))
    assert names == list(CATALOGUE[name].states)
    assert handed_on == [0]
    np.testing.assert_array_equal(output, after[0])


@each_cell
def test_a_saved_network_answers_as_before(name, tmp_path):
    built = network(name)
    built.save(tmp_path / "model.keras")
    loaded: Any = keras.saving.load_model(tmp_path / "model.keras")
    x, _ = TASK.batch(0, "probe", 0, B)
    np.testing.assert_array_equal(loaded(x), built(x))
    assert type(loaded.get_layer(RECURRENT).cell) is type(built.get_layer(RECURRENT).cell)


@each_cell
def test_all_probes_run(name):
    _, found, trajectory, _ = rolled(name)
    spec = CATALOGUE[name]()
    several = len(spec.states) > 1
    measured = {"lags": spec.has_recurrent_kernel, "spectrum": trajectory.recurrent_matrix is not None}
    found_not = {"further_states", "units"} | {probe for probe, there in measured.items() if not there}
    assert found.results.keys() >= {probe.name for probe in PROBES} - found_not
    assert measured.items() <= {probe: probe in found.results for probe in measured}.items()
    assert ("further_states" in found.results) == several
    assert all(math.isfinite(found.metrics()[key]) for key in ("grad/rate", "lyapunov/lambda_1"))
    assert {each.law.module for each in found.comparisons} <= spec.laws
    assert bool(found.comparisons) == bool(spec.laws)


@each_cell
def test_a_gradient_is_pulled_back_to_states_and_inputs(name):
    built, _, trajectory, _ = rolled(name)
    cell = built.get_layer(RECURRENT).cell
    vectors = np.random.default_rng(1).standard_normal((2, 3, trajectory.before.shape[2]))
    by_state, by_input = trajectory.pull_back(2, vectors)
    x, before = (tf.constant(array[2, :2]) for array in (trajectory.x, trajectory.before))
    for place in range(3):
        with tf.GradientTape() as tape:
            tape.watch((x, before))
            after = tf.concat(cell(x, tf.split(before, len(CATALOGUE[name].states), axis=1))[1], axis=1)
        expected = tape.gradient(after, (before, x), tf.constant(vectors[:, place]))
        np.testing.assert_allclose(by_state[:, place], expected[0], rtol=0, atol=1e-12)
        np.testing.assert_allclose(by_input[:, place], expected[1], rtol=0, atol=1e-12)
