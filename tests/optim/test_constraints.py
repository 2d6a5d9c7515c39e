"""Constraints against NumPy and SciPy: the set, the gradient by its coordinates, the checkpoint."""

import dataclasses

import keras
import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf

from rnnexp.nn.cells.catalogue import CATALOGUE as CELLS
from rnnexp.nn.initializers import Gaussian, GlorotUniform, Identity
from rnnexp.nn.initializers import Orthogonal as OrthogonalStart
from rnnexp.nn.network import build_network
from rnnexp.optim.clipping import NoClip
from rnnexp.optim.constraints import CATALOGUE, MaxNorm, Orthogonal, Spectral
from rnnexp.optim.optimizers import Adam, RmsProp, Sgd
from rnnexp.runs.build import compose_job
from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks import Adding
from rnnexp.training import checkpoint
from rnnexp.training.model import RecordingModel
from rnnexp.training.record import History

TASK, H, B, RATE = Adding(6), 4, 3, 0.125  # Keras keeps the rate in float32


def network(cell="elman", recurrent=None):
    keras.backend.clear_session()
    start = OrthogonalStart(seed=1) if recurrent is None else recurrent
    return build_network(
        TASK, CELLS[cell]().build(H, "tanh", GlorotUniform(seed=0), start, "float64"), seed=2
    )


def kernel_of(weights):
    return next(weight for weight in weights if weight.path.endswith("/recurrent_kernel"))


def draws(weights, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.standard_normal(weight.shape) for weight in weights]


def blocks(kernel):
    return np.split(kernel, kernel.shape[1] // H, axis=1)


def exponential(start, skew):
    """W_0 exp(A - A^T) by SciPy, block by block."""
    parts = zip(blocks(start), skew, strict=True)
    return np.hstack([origin @ scipy.linalg.expm(a - a.T) for origin, a in parts])


def central(function, place, width=1e-6):
    gradient = np.zeros_like(place)
    for entry in np.ndindex(place.shape):
        step = np.zeros_like(place)
        step[entry] = width
        gradient[entry] = (function(place + step) - function(place - step)) / (2 * width)
    return gradient


@pytest.mark.parametrize("cell", ["elman", "gru"])
def test_the_skew_matrix_descends_by_its_own_gradient(cell):
    weights = network(cell).trainable_variables
    kernel, start = kernel_of(weights), kernel_of(weights).numpy()
    bound = Orthogonal(rate=0.25).bind(weights, TASK.time_steps)
    bound.restart()
    np.testing.assert_allclose(kernel.numpy(), start, atol=1e-14)
    optimizer = Sgd(learning_rate=RATE).build()
    optimizer.build(bound.trained)
    skew = np.zeros((start.shape[1] // H, H, H))
    for seed in range(3):  # away from A = 0, where every exponential has the same slope
        gradients, before = draws(weights, seed), [weight.numpy() for weight in weights]
        of_kernel = next(g for g, weight in zip(gradients, weights, strict=True) if weight is kernel)

        def paired(a, of_kernel=of_kernel):
            return np.sum(of_kernel * exponential(start, a))

        skew -= 0.25 * RATE * central(paired, skew)
        bound.update([tf.constant(gradient) for gradient in gradients], optimizer)
        np.testing.assert_allclose(kernel.numpy(), exponential(start, skew), rtol=1e-7, atol=1e-8)
        for weight, gradient, value in zip(weights, gradients, before, strict=True):
            if weight is not kernel:
                np.testing.assert_allclose(weight.numpy(), value - RATE * gradient, rtol=1e-12)
    assert np.linalg.norm(skew) > 0.05


@pytest.mark.parametrize("kind", [Adam(), RmsProp(momentum=0.5), Sgd(momentum=0.9, nesterov=True)], ids=str)
def test_its_learning_rate_is_a_share_of_the_others(kind):
    def moved(share, optimizer):
        weights = network().trainable_variables
        bound = Orthogonal(rate=share).bind(weights, TASK.time_steps)
        optimizer.build(bound.trained)
        # Gradients of the skew matrix alone, all the same, so that both take the same way.
        for seed in range(3):
            bound.update([tf.constant(1e-9 * draw) for draw in draws(weights, seed)], optimizer)
        return bound.state[0].numpy()

    scaled = moved(1.0, dataclasses.replace(kind, learning_rate=1e-4).build())
    np.testing.assert_allclose(
        moved(0.1, dataclasses.replace(kind, learning_rate=1e-3).build()), scaled, rtol=2e-3, atol=1e-12
    )


def test_it_stays_orthogonal_however_large_the_steps():
    weights = network("lstm").trainable_variables
    bound = Orthogonal(rate=1.0).bind(weights, TASK.time_steps)
    optimizer = Adam(learning_rate=0.3).build()
    optimizer.build(bound.trained)
    for seed in range(30):
        bound.update([tf.constant(draw) for draw in draws(weights, seed)], optimizer)
    for block in blocks(kernel_of(weights).numpy()):
        np.testing.assert_allclose(block.T @ block, np.eye(H), atol=1e-12)


def test_it_begins_anew_at_the_nearest_orthogonal_matrix():
    weights = network().trainable_variables
    bound = Orthogonal().bind(weights, TASK.time_steps)
    moved = np.random.default_rng(0).standard_normal((H, H))
    kernel_of(weights).assign(moved)
    bound.restart()
    np.testing.assert_allclose(kernel_of(weights).numpy(), scipy.linalg.polar(moved)[0], atol=1e-12)
    np.testing.assert_array_equal(bound.state[0].numpy(), 0)


def projected(constraint, kernel):
    """The kernel after a projection under XLA."""
    weights = {"recurrent/cell/recurrent_kernel": tf.constant(kernel)}
    project = tf.function(lambda given: constraint.project(given, 100), jit_compile=True, autograph=False)
    return project(weights)["recurrent/cell/recurrent_kernel"].numpy()


def norm_of(block):
    return np.linalg.norm(block, 2)


def radius_of(block):
    return np.abs(np.linalg.eigvals(block)).max()


@pytest.mark.parametrize(("of", "size"), [("norm", norm_of), ("radius", radius_of)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_kernel_beyond_the_limit_is_scaled_to_it(of, size, dtype):
    generator = np.random.default_rng(0)
    large = generator.standard_normal((16, 32)).astype(dtype)
    large[:, :16] = np.triu(large[:, :16]) * 1e3  # far from normal
    large[:, 16:] *= 0.01
    found = projected(Spectral(limit=0.5, of=of), large)
    assert size(found[:, :16]) == pytest.approx(0.5, rel=4e-3)
    assert size(found[:, :16]) <= 0.5 * (1 + 1e-6)
    ratio = found[:, :16] / np.where(large[:, :16] == 0, 1, large[:, :16])
    np.testing.assert_allclose(ratio[np.triu_indices(16)], ratio[0, 0], rtol=1e-5)
    np.testing.assert_array_equal(found[:, 16:], large[:, 16:])  # within its limit, to the bit
    assert found.dtype == dtype


def test_the_radius_of_rotations_and_of_nilpotent_matrices():
    angle = 0.7
    turn = 3 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(projected(Spectral(of="radius"), turn), turn / 3, rtol=1e-3)
    shift = np.array([[0.0, 5.0], [0.0, 0.0]])
    np.testing.assert_array_equal(projected(Spectral(of="radius"), shift), shift)
    np.testing.assert_allclose(projected(Spectral(of="norm"), shift), shift / 5, rtol=1e-3)


@pytest.mark.parametrize("shape", [(5,), (3, 4)])
def test_recurrent_weights_are_held_within_the_growth(shape):
    weights = {
        "a/recurrent_kernel": tf.constant(3 * np.random.default_rng(0).standard_normal(shape)),
        "a/kernel": tf.constant([9.0]),
    }
    found = MaxNorm(growth=3.0).project(weights, 50)
    assert found.keys() == {"a/recurrent_kernel"}
    limit = np.exp(np.log(3) / 50)
    expected = np.clip(weights["a/recurrent_kernel"].numpy(), -limit, limit)
    np.testing.assert_allclose(found["a/recurrent_kernel"], expected, rtol=1e-14)


def model_of(constraint, jit=False, seed=1):
    trained = network(recurrent=OrthogonalStart(seed=seed))
    model = RecordingModel(trained, TASK.loss, NoClip(), time_steps=TASK.time_steps, constraint=constraint)
    model.compile(optimizer=Adam(learning_rate=0.3).build(), jit_compile=jit)
    return model


def take_steps(model, start, stop):
    step = tf.function(model.step, autograph=False, jit_compile=True) if model.jit_compile else model.step
    for index in range(start, stop):
        x, y = TASK.batch(0, "train", index, B)
        step(tf.constant(x, tf.float64), tf.constant(y))
    return [*model.network.get_weights(), *(value.numpy() for value in model.bound.state)]


@pytest.fixture(scope="module")
def free():
    return take_steps(model_of(None), 0, 4)


@pytest.mark.parametrize("name", [name for name in CATALOGUE if name != "none"])
def test_a_model_goes_on_and_xla_changes_rounding_only(name, free, tmp_path):
    constraint, path = CATALOGUE[name](), tmp_path / "state.npz"
    whole = take_steps(model_of(constraint, jit=True), 0, 4)
    first = model_of(constraint)
    take_steps(first, 0, 2)
    checkpoint.save(path, first, History.empty(TASK.time_steps), np.zeros((0, 5)), np.zeros((0, 6)))
    second = model_of(constraint, seed=5)
    checkpoint.load(path, second)
    for array, other in zip(take_steps(second, 2, 4), whole, strict=True):
        np.testing.assert_allclose(array, other, rtol=1e-9, atol=1e-11)
    assert not np.allclose(whole[1], free[1])


@pytest.mark.parametrize("name", ["orthogonal", "spectral"])
def test_the_kernel_of_every_layer_is_constrained(name):
    keras.backend.clear_session()
    cell, *above = (
        CELLS["elman"]().build(H, "tanh", GlorotUniform(seed=seed), OrthogonalStart(seed=seed + 1), "float64")
        for seed in (0, 5)
    )
    stack = build_network(TASK, cell, seed=2, above=above)
    constraint, steps = CATALOGUE[name](), TASK.time_steps
    model = RecordingModel(stack, TASK.loss, NoClip(), time_steps=steps, constraint=constraint, layers=2)
    model.compile(optimizer=Adam(learning_rate=0.3).build())
    before = {weight.path: weight.numpy() for weight in stack.weights}
    take_steps(model, 0, 3)
    kernels = [weight for weight in stack.weights if weight.path.endswith("/recurrent_kernel")]
    assert len(kernels) == 2
    for kernel in kernels:
        values = np.linalg.svd(kernel.numpy(), compute_uv=False)
        assert not np.allclose(kernel.numpy(), before[kernel.path], atol=1e-3)
        np.testing.assert_allclose(values.max(), 1, atol=1e-3)
        if name == "orthogonal":
            np.testing.assert_allclose(values, 1, atol=1e-12)


def test_a_kernel_that_does_not_start_orthogonal_is_refused():
    Orthogonal().check(CELLS["gru"](), Identity(), H)
    for start in (Gaussian(), OrthogonalStart(gain=0.9)):
        with pytest.raises(ArgumentError, match=r"^init: expected orthogonal or identity, with init.gain=1"):
            Orthogonal().check(CELLS["elman"](), start, H)
    with pytest.raises(ArgumentError, match="^init: "):
        compose_job(["constraint=orthogonal", "init=gaussian", "tracking=none"])


@pytest.mark.parametrize("name", ["orthogonal", "spectral"])
def test_a_cell_without_square_matrices_is_refused(name):
    with pytest.raises(ArgumentError, match=rf"^cell: expected a cell with .* constraint={name}"):
        CATALOGUE[name]().check(CELLS["conv_elman"](), OrthogonalStart(), 16)
    with pytest.raises(ArgumentError, match="^constraint: expected none for a cell without"):
        CATALOGUE[name]().bind([keras.Variable(np.zeros(4), name="recurrent_kernel")], 5)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (Orthogonal, "rate", 0),
        (Spectral, "limit", -1.0),
        (Spectral, "of", "trace"),
        (MaxNorm, "growth", np.inf),
    ],
)
def test_what_is_outside_its_domain_is_refused(kind, name, value):
    with pytest.raises(ArgumentError, match=f"^{name}: expected"):
        kind(**{name: value})
