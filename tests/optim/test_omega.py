"""Omega: its gradient against central differences of a NumPy twin, and in the step that is trained."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.network import build_network
from rnnexp.optim.clipping import GlobalNorm, NoClip
from rnnexp.optim.optimizers import Sgd
from rnnexp.optim.regularizers import Adjoints, Omega
from rnnexp.runs.build import compose_job
from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks import Adding
from rnnexp.training.model import RecordingModel

TASK, H, B, RATE, STRENGTH = Adding(7), 4, 6, 0.125, 0.5  # Keras keeps the rate in float32
PATH = "recurrent/cell/recurrent_kernel"


def omega(kernel, g, delta):
    """sum_t mean_b (||delta W^T||^2 / ||g||^2 - 1)^2 over the sum over t of the live share, (T, B, H)."""
    total = live_shares = 0.0
    for g_t, delta_t in zip(g, delta, strict=True):
        squares = (g_t**2).sum(axis=1)
        live = squares >= 1e-20
        sent = ((delta_t @ kernel.T) ** 2).sum(axis=1)
        ratio = np.divide(sent, squares, out=np.ones(len(live)), where=live)
        total += ((ratio - 1) ** 2).mean()
        live_shares += live.mean()
    return total / live_shares


def central(function, kernel, width=1e-6):
    gradient = np.zeros_like(kernel)
    for place in np.ndindex(kernel.shape):
        step = np.zeros_like(kernel)
        step[place] = width
        gradient[place] = (function(kernel + step) - function(kernel - step)) / (2 * width)
    return gradient


def problem(dtype="float64"):
    generator = np.random.default_rng(0)
    g, slopes = generator.standard_normal((5, B, H)), generator.random((5, B, H))
    return generator.standard_normal((H, H)).astype(dtype), g.astype(dtype), (g * slopes).astype(dtype)


def term(kernel, g, delta):
    weights = {PATH: tf.Variable(kernel), "readout/kernel": tf.Variable(np.ones((H, 1), kernel.dtype))}
    terms = Omega(STRENGTH).gradient_terms(weights, Adjoints(tf.constant(g), tf.constant(delta)))
    assert terms.keys() == {PATH}
    return terms[PATH].numpy()


def test_its_gradient_is_that_of_central_differences():
    kernel, g, delta = problem()
    expected = STRENGTH * central(lambda each: omega(each, g, delta), kernel)
    np.testing.assert_allclose(term(kernel, g, delta), expected, rtol=1e-6, atol=1e-8)


def test_dead_terms_count_as_kept_and_are_not_in_the_mean():
    kernel, g, delta = problem()
    for place, scale in {(0, 1): 0.0, (2, 3): 1e-11, (4, 0): 1e-9}.items():
        g[place] *= scale
        delta[place] *= scale
    assert sorted(np.sum(g**2, axis=2).ravel())[1] < 1e-20 < sorted(np.sum(g**2, axis=2).ravel())[2]
    expected = STRENGTH * central(lambda each: omega(each, g, delta), kernel)
    np.testing.assert_allclose(term(kernel, g, delta), expected, rtol=1e-6, atol=1e-8)


def test_without_a_live_term_it_adds_nothing():
    kernel, g, delta = problem()
    np.testing.assert_array_equal(term(kernel, 0 * g, 0 * delta), 0)


def test_a_kernel_that_keeps_every_norm_is_left_alone():
    kernel, g, _ = problem()
    np.testing.assert_allclose(term(np.linalg.qr(kernel)[0], g, g), 0, atol=1e-14)


@pytest.mark.parametrize("scale", [1e-9, 1e25])
def test_the_scale_of_float32_adjoints_changes_nothing(scale):
    kernel, g, delta = problem("float32")
    scaled = term(kernel, g * np.float32(scale), delta * np.float32(scale))
    np.testing.assert_allclose(scaled, term(kernel, g, delta), rtol=1e-5, atol=1e-6)


def one_step(regularizer, clip=None, *, activation="tanh", segment=None, jit=False, record=True):
    """Weights before and after a step of gradient descent."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    network = build_network(TASK, ElmanCell(H, activation, dtype="float64"), seed=2, segment=segment)
    clip = NoClip() if clip is None else clip
    options = {"time_steps": TASK.time_steps, "record": record, "regularizer": regularizer}
    model = RecordingModel(network, TASK.loss, clip, **options)
    model.compile(optimizer=Sgd(learning_rate=RATE).build())
    before = [weight.numpy() for weight in network.trainable_variables]
    x, y = TASK.batch(0, "train", 0, B)
    tf.function(model.step, autograph=False, jit_compile=jit)(tf.constant(x, tf.float64), tf.constant(y))
    return before, [weight.numpy() for weight in network.trainable_variables]


def adjoints(weights):
    """g_t and delta_t of the mean loss by a loop in NumPy, tanh."""
    kernel, recurrent, bias, readout, offset = weights
    x, y = TASK.batch(0, "train", 0, B)
    states = [np.zeros((B, H))]
    for t in range(TASK.time_steps):
        states.append(np.tanh(x[:, t] @ kernel + states[-1] @ recurrent + bias))
    g = (2 / B) * (states[-1] @ readout + offset - y) @ readout.T
    found = []
    for state in reversed(states[1:]):
        delta = (1 - state**2) * g
        found.append((g, delta))
        g = delta @ recurrent.T
    return [np.stack(each) for each in zip(*reversed(found), strict=True)]


@pytest.fixture(scope="module")
def plain():
    """The weights after a step without it."""
    return one_step(None)[1]


@pytest.mark.parametrize(
    "options", [{}, {"segment": 3}, {"jit": True}, {"record": False}], ids=["scan", "segments", "xla", "bare"]
)
def test_a_step_adds_it_to_the_recurrent_kernel_alone(options, plain):
    before, after = one_step(Omega(STRENGTH), **options)
    g, delta = adjoints(before)
    gradient = STRENGTH * central(lambda each: omega(each, g, delta), before[1])
    np.testing.assert_allclose(plain[1] - after[1], RATE * gradient, rtol=1e-5, atol=1e-9)
    for place in (0, 2, 3, 4):
        np.testing.assert_allclose(after[place], plain[place], rtol=1e-12, atol=1e-15)


def test_the_clip_comes_after_it():
    before, after = one_step(Omega(1000.0), GlobalNorm(0.01))
    moved = np.sqrt(sum(np.sum((a - b) ** 2) for a, b in zip(after, before, strict=True)))
    assert moved == pytest.approx(RATE * 0.01, rel=1e-6)


def test_a_cell_without_the_scan_is_refused():
    with pytest.raises(ArgumentError, match="^cell: expected a cell on the scan, such as cell=elman"):
        compose_job(["regularizer=omega", "cell=gru", "output_dir=x"])
