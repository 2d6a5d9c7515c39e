"""A cell that nothing is known of but its step: two states of two widths, and no recurrent kernel."""

import dataclasses
import functools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from plans import small_plan

from rnnexp.diagnosis.measurement import Measurer
from rnnexp.nn.cells.elman import Elman
from rnnexp.nn.cells.spec import CellSpec
from rnnexp.nn.initializers import GlorotUniform, Orthogonal
from rnnexp.nn.network import RECURRENT, build_network
from rnnexp.plotting.run_figures import draw_figures, read_run
from rnnexp.probes.rollout import Rollout
from rnnexp.probes.spectrum import SpectrumHistory
from rnnexp.runs import artifacts
from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks import Adding
from rnnexp.training.record import History, Recorded
from rnnexp.training.replica import Result

T, H, M, B = 7, 4, 3, 5
TASK = Adding(T)


class MemoryCell(keras.layers.Layer):
    """m_t = m_{t-1} / 2 + x_t A + h_{t-1} C, h_t = tanh(m_t D + h_{t-1} / 4), from m_0 = 1."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size, self.output_size = [units, M], units

    def build(self, input_shape):
        units = self.output_size
        shapes = {"into": (input_shape[-1], M), "back": (units, M), "out": (M, units)}
        self.matrices = {name: self.add_weight(shape=shape, name=name) for name, shape in shapes.items()}

    def call(self, inputs, states):
        h, m = states
        m = m / 2 + inputs @ self.matrices["into"] + h @ self.matrices["back"]
        h = keras.ops.tanh(m @ self.matrices["out"] + h / 4)
        return h, [h, m]

    def get_initial_state(self, batch_size=None):
        sizes = (batch_size, self.output_size), (batch_size, M)
        return [keras.ops.zeros(sizes[0], self.compute_dtype), keras.ops.ones(sizes[1], self.compute_dtype)]


@dataclasses.dataclass(frozen=True)
class Memory(CellSpec):
    """Says of its cell what its states are called, and no more."""

    target = "tests.Memory"
    states = ("h", "m")

    def build(self, units, activation, kernel, recurrent, dtype):
        return MemoryCell(units, dtype=dtype)


@functools.cache
def network():
    cell = Memory().build(H, "tanh", GlorotUniform(seed=1), Orthogonal(seed=2), "float64")
    built = build_network(TASK, cell, seed=3)
    generator = np.random.default_rng(0)
    built.set_weights([0.5 * generator.standard_normal(weight.shape) for weight in built.get_weights()])
    return built


@functools.cache
def measured():
    batch = TASK.batch(0, "probe", 0, B)
    return Measurer(network(), Memory(), "tanh", TASK.loss, batch, 20).measure(network().get_weights(), 0)


def loop():
    """J_1 ... J_T, each (B, H + M, H + M), by a tape around single steps."""
    x, _ = TASK.batch(0, "probe", 0, B)
    cell = network().get_layer(RECURRENT).cell
    before, jacobians = tf.concat(cell.get_initial_state(batch_size=B), axis=1), []
    for step in tf.unstack(tf.constant(x, tf.float64), axis=1):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(before)
            after = tf.concat(cell(step, tf.split(before, [H, M], axis=1))[1], axis=1)
        jacobians.append(tape.batch_jacobian(after, before, experimental_use_pfor=False).numpy())
        before = tf.identity(after)
    return np.array(jacobians), before.numpy()


def test_its_jacobians_and_states_are_those_of_a_loop():
    jacobians, last = loop()
    batch = TASK.batch(0, "probe", 0, B)
    rollout = Rollout(network(), Memory(), "tanh", TASK.loss, batch)
    trajectory = rollout.trajectory(network().get_weights())
    np.testing.assert_allclose(trajectory.hidden[-1], last[:, :H], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(trajectory.before[0, :, H:], 1.0)
    for step in (0, 3, T - 1):
        np.testing.assert_allclose(trajectory.jacobians.step(step), jacobians[step], rtol=0, atol=1e-12)
    products = [np.linalg.multi_dot(jacobians[:0:-1, sample]) for sample in range(min(B, 8))]
    sigma = np.mean(np.log10(np.linalg.svd(products, compute_uv=False)[:, 0]))
    assert measured().metrics()["jacobian/log10_sigma_max"] == pytest.approx(sigma, abs=1e-9)


def test_what_is_not_known_of_it_is_not_shown():
    found = measured()
    assert not {"spectrum", "lags", "units"} & found.results.keys()
    assert found.spectrum is None and found.comparisons == ()
    missing = {key for key, value in found.metrics().items() if not math.isfinite(value)}
    assert missing == {"theory/rate", "theory/rate_bound"}
    assert math.isfinite(found.metrics()["grad/rate_m"])
    assert np.isnan(found.arrays()["theory_rate"])


def test_its_run_has_arrays_and_the_figures_of_what_is_known(tmp_path):
    recorded = Recorded(np.arange(3), np.zeros((3, T), np.float32), np.ones((3, 4)))
    end = dataclasses.replace(measured(), step=2)
    result = Result(measured(), end, History(recorded, 0, 1.0), SpectrumHistory.empty(H), [], None, 3)
    plan = small_plan(task=TASK, cell=Memory(), units=H)
    path = tmp_path / "gradient_flow.npz"
    artifacts.save_arrays(path, plan, result)
    with np.load(path) as stored:
        assert stored["end_log_norm_m"].shape == (T - 1,) and "end_eigenvalues" not in stored.files
    names = {path.stem for path in draw_figures(read_run(tmp_path), tmp_path / "figures").paths}
    assert names >= {"loss", "gradient_heatmap", "states", "gradient_profile"}
    assert not names & {"spectrum", "spectrum_history", "lags"}


def test_states_without_their_names_are_refused():
    batch = TASK.batch(0, "probe", 0, B)
    with pytest.raises(ArgumentError, match=r"^cell\.states: expected the names of 2 states"):
        Rollout(network(), Elman(), "tanh", TASK.loss, batch)
