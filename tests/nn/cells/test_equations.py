"""Every cell that is made of a step, derived anew in NumPy: its step, its Jacobian, its first weights."""

import functools
from typing import Any

import keras
import numpy as np
import pytest

from rnnexp.diagnosis.measurement import Measurer
from rnnexp.nn.cells.antisymmetric import AntisymmetricRnn
from rnnexp.nn.cells.catalogue import CATALOGUE
from rnnexp.nn.cells.indrnn import IndRnn
from rnnexp.nn.cells.lru import Lru
from rnnexp.nn.initializers import GlorotUniform, Identity, Orthogonal
from rnnexp.nn.network import build_network
from rnnexp.nn.step_cell import StepCell
from rnnexp.probes.rollout import DifferentiatedCell
from rnnexp.tasks import Adding

F, H, B, T = 3, 6, 4, 12
TASK = Adding(T)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def leaky(spec, w, x, h):
    return [
        (1 - spec.rate) * h + spec.rate * np.tanh(x @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"])
    ]


def indrnn(spec, w, x, h):
    return [np.tanh(x @ w["kernel"] + h @ np.diag(w["recurrent_kernel"][0]) + w["bias"])]


def mingru(spec, w, x, h):
    z = sigmoid(x @ w["kernel"][:, :H] + w["bias"][:H])
    return [(1 - z) * h + z * np.tanh(x @ w["kernel"][:, H:] + w["bias"][H:])]


def antisymmetric(spec, w, x, h):
    matrix = (w["recurrent_kernel"] - w["recurrent_kernel"].T - spec.gamma * np.eye(H)).T
    columns = matrix @ h.T + w["kernel"].T @ x.T + w["bias"][:, np.newaxis]
    return [h + spec.eps * np.tanh(columns).T]


def cornn(spec, w, x, y, z):
    force = np.tanh(
        x @ w["kernel"] + np.hstack([y, z]) @ np.vstack(np.hsplit(w["recurrent_kernel"], 2)) + w["bias"]
    )
    z = (1 - spec.dt * spec.eps) * z + spec.dt * force - spec.dt * spec.gamma * y
    return [y + spec.dt * z, z]


def lambdas(w):
    return np.exp(-np.exp(w["nu"][0]) + 1j * np.exp(w["theta"][0]))


def lru(spec, w, x, h):
    into = w["kernel"][:, : H // 2] + 1j * w["kernel"][:, H // 2 :]
    scale = np.exp(w["gamma"][0]) if spec.normalize else 1.0
    numbers = (h[:, : H // 2] + 1j * h[:, H // 2 :]) * lambdas(w) + scale * (x @ into)
    return [np.hstack([numbers.real, numbers.imag])]


def lt_rnn(spec, w, x, h):
    return [h @ w["recurrent_kernel"] + x @ w["kernel"]]


EQUATIONS: dict[str, Any] = {
    "leaky": leaky,
    "indrnn": indrnn,
    "mingru": mingru,
    "antisymmetric": antisymmetric,
    "cornn": cornn,
    "lru": lru,
    "lt_rnn": lt_rnn,
}
each = pytest.mark.parametrize("name", EQUATIONS)


@functools.cache
def built(spec):
    """The cell with random weights, these by their names, and inputs and states for it."""
    cell: Any = spec.build(H, "tanh", GlorotUniform(seed=1), Orthogonal(seed=2), "float64")
    cell.build((None, F))
    generator = np.random.default_rng(0)
    cell.set_weights([0.6 * generator.standard_normal(weight.shape) for weight in cell.weights])
    weights = {weight.name: weight.numpy() for weight in cell.weights}
    x = generator.standard_normal((B, F))
    return cell, weights, x, [generator.standard_normal((B, H)) for _ in spec.states]


def test_there_is_an_equation_of_every_cell_made_of_a_step():
    cells = {
        name: kind().build(6, "tanh", GlorotUniform(), Orthogonal(), "float32")
        for name, kind in CATALOGUE.items()
    }
    made_of_a_step = {name for name, cell in cells.items() if isinstance(cell, StepCell)}
    assert made_of_a_step == EQUATIONS.keys() | {"conv_elman"}  # tests/nn/cells/test_conv_elman.py


@each
def test_a_step_is_that_of_the_equation(name):
    spec = CATALOGUE[name]()
    cell, weights, x, states = built(spec)
    _, after = cell(x, states)
    for ours, theirs in zip(after, EQUATIONS[name](spec, weights, x, *states), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def closed_jacobian(name, spec, w, x, states):
    """J (B, N, N) of the cells that have a closed form, each derived by hand."""
    h, after = states[0], EQUATIONS[name](spec, w, x, *states)
    if name == "indrnn":
        return np.array([np.diag((1 - row**2) * w["recurrent_kernel"][0]) for row in after[0]])
    if name == "mingru":
        return np.array([np.diag(row) for row in sigmoid(-(x @ w["kernel"][:, :H] + w["bias"][:H]))])
    if name == "antisymmetric":
        slopes = 1 - ((after[0] - h) / spec.eps) ** 2
        turned = w["recurrent_kernel"].T - w["recurrent_kernel"] - spec.gamma * np.eye(H)
        return np.eye(H) + spec.eps * slopes[:, :, np.newaxis] * turned
    if name == "lt_rnn":
        return np.broadcast_to(w["recurrent_kernel"].T, (B, H, H))
    if name == "lru":
        by_number = [
            size * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for size, a in polar(w)
        ]
        jacobian, pairs = np.zeros((H, H)), np.arange(H // 2)
        for number, block in zip(pairs, by_number, strict=True):
            places = [number, number + H // 2]
            jacobian[np.ix_(places, places)] = block
        return np.broadcast_to(jacobian, (B, H, H))
    force = (after[1] - (1 - spec.dt * spec.eps) * states[1]) / spec.dt + spec.gamma * h
    slopes = (1 - force**2)[:, :, np.newaxis]
    of_y, of_z = (part.T for part in np.hsplit(w["recurrent_kernel"], 2))
    z_by = np.concatenate(
        [slopes * of_y - spec.gamma * np.eye(H), slopes * of_z - spec.eps * np.eye(H)], axis=2
    )
    z_by = spec.dt * z_by + np.hstack([np.zeros((H, H)), np.eye(H)])
    return np.concatenate([np.hstack([np.eye(H), np.zeros((H, H))]) + spec.dt * z_by, z_by], axis=1)


def polar(w):
    return list(zip(np.exp(-np.exp(w["nu"][0])), np.exp(w["theta"][0]), strict=True))


@pytest.mark.parametrize("name", sorted(EQUATIONS.keys() - {"leaky"}))  # tests/nn/cells/test_leaky.py
def test_the_jacobian_is_the_closed_form(name):
    spec = CATALOGUE[name]()
    cell, weights, x, states = built(spec)
    before = np.concatenate(states, axis=1)
    found = DifferentiatedCell(cell, F).jacobians(x[np.newaxis], before[np.newaxis]).step(0)
    np.testing.assert_allclose(found, closed_jacobian(name, spec, weights, x, states), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["indrnn", "antisymmetric", "lru"])
def test_the_shown_matrix_has_the_eigenvalues_of_the_equation(name):
    cell, weights, _, _ = built(CATALOGUE[name]())
    matrix: Any = CATALOGUE[name]().recurrent_matrix(cell)
    found = np.linalg.eigvals(matrix)
    if name == "antisymmetric":
        # A skew-symmetric matrix has imaginary eigenvalues, and the diffusion shifts them.
        np.testing.assert_allclose(found.real, -AntisymmetricRnn().gamma, rtol=0, atol=1e-12)
        return
    expected = weights["recurrent_kernel"][0] if name == "indrnn" else lambdas(weights)
    expected = expected if name == "indrnn" else np.concatenate([expected, expected.conj()])
    np.testing.assert_allclose(np.sort_complex(found), np.sort_complex(expected), rtol=0, atol=1e-12)


def test_an_lru_starts_on_its_ring_and_keeps_the_variance():
    units, spec = 2000, Lru(r_min=0.6, r_max=0.9, max_phase=0.5)
    cell: Any = spec.build(units, "linear", GlorotUniform(seed=1), Orthogonal(seed=2), "float64")
    cell.build((None, F))
    sizes, angles = np.array(polar({weight.name: weight.numpy() for weight in cell.weights})).T
    assert sizes.min() >= 0.6 and sizes.max() <= 0.9 and angles.max() <= 0.5
    # Uniform over the area: |lambda|^2 has the mean of both ends; five standard errors.
    assert np.mean(sizes**2) == pytest.approx((0.36 + 0.81) / 2, abs=5 * 0.45 / np.sqrt(12 * len(sizes)))
    assert np.mean(angles) == pytest.approx(0.25, abs=5 * 0.5 / np.sqrt(12 * len(angles)))
    # s = sum_k lambda^k gamma B x_{t-k}, so that E |s|^2 = gamma^2 E |Bx|^2 / (1 - |lambda|^2).
    np.testing.assert_allclose(np.exp(2 * cell.gamma.numpy()[0]) / (1 - sizes**2), 1.0, rtol=1e-12)
    bare: Any = Lru(normalize=False).build(4, "linear", GlorotUniform(), Orthogonal(), "float64")
    bare.build((None, F))
    assert {weight.name for weight in bare.weights} == {"kernel", "nu", "theta"}


def test_the_vector_of_an_indrnn_is_drawn_between_its_ends():
    cell: Any = IndRnn(low=0.5, high=1.0).build(500, "relu", GlorotUniform(), Identity(2.0), "float32")
    cell.build((None, F))
    vector = cell.recurrent_kernel.numpy()
    assert vector.shape == (1, 500) and vector.min() >= 1.0 and vector.max() <= 2.0
    assert np.mean(vector) == pytest.approx(1.5, abs=5 / np.sqrt(12 * 500))


def network(spec, activation):
    cell = spec.build(H, activation, GlorotUniform(seed=1), Orthogonal(seed=2), "float64")
    return build_network(TASK, cell, seed=3)


def measured(spec, activation):
    made, batch = network(spec, activation), TASK.batch(0, "probe", 0, B)
    return made, Measurer(made, spec, activation, TASK.loss, batch, 20).measure(made.get_weights(), 1)


@pytest.mark.parametrize("name", ["lt_rnn", "lru"])
def test_states_are_read_through_the_activation(name):
    made, found = measured(CATALOGUE[name](), "softplus")
    x = keras.ops.convert_to_tensor(TASK.batch(0, "probe", 0, B)[0].astype("float64"))
    hidden, readout = made.get_layer("recurrent")(x), made.get_layer("readout")
    np.testing.assert_allclose(made(x), np.log1p(np.exp(hidden)) @ readout.kernel + readout.bias, atol=1e-12)
    # The sensitivity of the outputs, by central differences of the whole network at the first input.
    size, norms = 1e-6, np.zeros(B)
    for feature in range(TASK.input_size):
        change = np.zeros(x.shape)
        change[:, 0, feature] = size
        norms += ((np.array(made(x + change)) - np.array(made(x - change)))[:, 0] / (2 * size)) ** 2
    expected = 0.5 * np.log(np.mean(norms))
    assert found.arrays()["sensitivity_log_norm"][-1] == pytest.approx(expected, abs=1e-6)


def test_theory_of_lone_units_speaks_of_an_indrnn_alone():
    _, found = measured(IndRnn(low=0.9 - 1e-12, high=0.9), "linear")
    laws = {each.law.module: each for each in found.comparisons if each.law.module == "diagonal_kernel"}
    assert {each.law.module for each in found.comparisons} == {"bounds", "diagonal_kernel"}
    assert laws["diagonal_kernel"].predicted == pytest.approx(np.log(0.9), abs=1e-9)
    assert found.metrics()["grad/rate"] == pytest.approx(np.log(0.9), abs=1e-9)
    for name in EQUATIONS.keys() - {"indrnn"}:
        assert CATALOGUE[name].laws == frozenset()
