import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit

from rnnexp.nn import activations
from rnnexp.nn.scan import scan

T, B, H = 6, 3, 4

each_mode = pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
eager_and_xla = pytest.mark.parametrize("mode", ["eager", "xla"])
each_tap = pytest.mark.parametrize("tap", ["total", "per_sample"])
tap_and_width = pytest.mark.parametrize(("tap", "dtype"), [("total", "float32"), ("per_sample", "float64")])
each_width = pytest.mark.parametrize("dtype", ["float32", "float64"])


class Problem(NamedTuple):
    """Inputs of the scan, and the weights of a loss sum(direct * states) + sum(last * h_T)."""

    projected: np.ndarray
    recurrent_kernel: np.ndarray
    initial_state: np.ndarray
    direct: np.ndarray
    last: np.ndarray

    @classmethod
    def random(cls, steps=T, batch_size=B, units=H):
        normal = np.random.default_rng(0).standard_normal
        sequence, state = (steps, batch_size, units), (batch_size, units)
        kernel = 0.5 * normal((units, units))
        return cls(normal(sequence), kernel, normal(state), normal(sequence), normal(state))

    def cast(self, dtype):
        return Problem(*(array.astype(dtype) for array in self))

    @classmethod
    def linear(cls, gain, steps, dtype):
        """h_t = gain * h_{t-1}, one sample, one unit, loss h_T: dL/dh_t is gain^(T-t)."""
        zeros, one = np.zeros((steps, 1, 1)), np.ones((1, 1))
        return cls(zeros, gain * one, one, zeros, one).cast(dtype)


class Differentiated(NamedTuple):
    """What one forward and one backward pass give."""

    states: np.ndarray
    last: np.ndarray
    to_projected: np.ndarray
    to_kernel: np.ndarray
    to_initial: np.ndarray
    log_norms: np.ndarray | None


@functools.cache
def differentiator(mode, activation, tap=None, return_states=True, signature=None):
    """One function a variant, so that nothing is traced or compiled twice."""

    def differentiate(*problem):
        projected, kernel, initial, direct, last = problem
        shapes = {None: None, "total": tf.shape(projected)[:1], "per_sample": tf.shape(projected)[:2]}
        taps = [] if tap is None else [tf.zeros(shapes[tap], tf.float64)]
        sources = [projected, kernel, initial, *taps]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            options = {"return_states": return_states, "taps": taps}
            result = scan(projected, kernel, initial, activation, **options)
            loss = tf.reduce_sum(last * result.last)
            if result.states is not None:
                loss += tf.reduce_sum(direct * result.states)
        states = tf.zeros(0) if result.states is None else result.states
        return states, result.last, *tape.gradient(loss, sources)

    if mode == "eager":
        return differentiate
    return tf.function(differentiate, input_signature=signature, jit_compile=mode == "xla")


def differentiate(mode, problem, activation="tanh", **variant):
    function = activations.by_name(activation) if isinstance(activation, str) else activation
    results = differentiator(mode, function, **variant)(*(tf.constant(array) for array in problem))
    arrays = [result.numpy() for result in results]
    return Differentiated(*arrays, *([] if len(arrays) == 6 else [None]))


LEAK = float(np.float32(0.2))
"""TensorFlow keeps this attribute in float32 whatever the dtype."""

PAIRS: dict[str, tuple[Callable, Callable]] = {
    "tanh": (np.tanh, lambda a: np.cosh(a) ** -2),
    "relu": (lambda a: np.maximum(a, 0), lambda a: np.where(a > 0, 1.0, 0.0)),
    "sigmoid": (expit, lambda a: expit(a) * expit(-a)),
    "linear": (lambda a: a, np.ones_like),
    "softplus": (lambda a: np.logaddexp(a, 0), expit),
    "elu": (lambda a: np.where(a > 0, a, np.expm1(a)), lambda a: np.exp(np.minimum(a, 0))),
    "leaky_relu": (lambda a: np.where(a > 0, a, LEAK * a), lambda a: np.where(a > 0, 1.0, LEAK)),
    "silu": (lambda a: a * expit(a), lambda a: expit(a) * (1 + a * expit(-a))),
    "hard_tanh": (lambda a: np.clip(a, -1, 1), lambda a: np.where(np.abs(a) < 1, 1.0, 0.0)),
}
"""phi and phi' in NumPy; the last two are those whose slope the scan takes from the pre-activation."""


def numpy_twin(problem, activation):
    """The recurrence and its adjoint as loops over steps, from the textbook."""
    phi, slope = PAIRS[activation]
    pre_activations, states = [], [problem.initial_state]
    for projected in problem.projected:
        pre_activations.append(projected + states[-1] @ problem.recurrent_kernel)
        states.append(phi(pre_activations[-1]))
    deltas: list[np.ndarray] = []
    gradients: list[np.ndarray] = []
    to_kernel, from_future = np.zeros_like(problem.recurrent_kernel), problem.last
    for t in reversed(range(len(pre_activations))):
        gradients.insert(0, from_future + problem.direct[t])
        deltas.insert(0, slope(pre_activations[t]) * gradients[0])
        to_kernel = to_kernel + states[t].T @ deltas[0]
        from_future = deltas[0] @ problem.recurrent_kernel.T
    result = Differentiated(np.array(states[1:]), states[-1], np.array(deltas), to_kernel, from_future, None)
    return result, np.array(gradients)


def log_norms(gradients, tap):
    return np.log(np.linalg.norm(gradients, axis=2 if tap == "per_sample" else (1, 2)))


def assert_equal(got, expected, rtol):
    for name, array in got._asdict().items():
        other = getattr(expected, name)
        if array is not None and other is not None:
            np.testing.assert_allclose(array, other, rtol=rtol, atol=1e-14, err_msg=name)


def assert_equals_numpy_twin(mode, problem, activation, **variant):
    expected, gradients = numpy_twin(problem, activation)
    for tap in ("total", "per_sample"):
        got = differentiate(mode, problem, activation, tap=tap, **variant)
        assert_equal(got, expected, rtol=1e-9)
        np.testing.assert_allclose(got.log_norms, log_norms(gradients, tap), rtol=1e-9)


@pytest.mark.parametrize(
    ("mode", "batch_size"), [*(("eager", size) for size in (1, 2, 12, 128)), ("xla", 1), ("xla", 128)]
)
def test_float32_norms_are_summed_over_any_batch(mode, batch_size):
    problem = Problem.random(batch_size=batch_size).cast("float32")
    _, gradients = numpy_twin(problem, "tanh")
    got = differentiate(mode, problem, tap="total")
    np.testing.assert_allclose(got.log_norms, log_norms(gradients, "total"), rtol=0, atol=1e-5)


@pytest.mark.parametrize("activation", PAIRS)
def test_equals_numpy_twin(activation):
    assert_equals_numpy_twin("eager", Problem.random(), activation)


@pytest.mark.parametrize("mode", ["graph", "xla"])
@pytest.mark.parametrize("activation", ["tanh", "silu"])
def test_compiled_equals_numpy_twin(mode, activation):
    assert_equals_numpy_twin(mode, Problem.random(), activation)


@pytest.mark.parametrize("activation", ["tanh", "silu"])
def test_equals_central_differences(activation):
    problem = Problem.random(steps=3, batch_size=2, units=2)
    got = differentiate("eager", problem, activation)
    phi = activations.by_name(activation)

    def loss(inputs):
        projected, kernel, initial = (tf.constant(array) for array in inputs)
        result = scan(projected, kernel, initial, phi)
        return np.sum(problem.direct * result.states) + np.sum(problem.last * result.last)

    step = 1e-6
    for which, gradient in enumerate([got.to_projected, got.to_kernel, got.to_initial]):
        for index in np.ndindex(gradient.shape):
            above, below = ([array.copy() for array in problem[:3]] for _ in range(2))
            above[which][index] += step
            below[which][index] -= step
            np.testing.assert_allclose((loss(above) - loss(below)) / (2 * step), gradient[index], atol=1e-8)


@pytest.mark.parametrize("activation", ["tanh", "relu", "silu"])
def test_equals_autodiff_of_a_plain_loop(activation):
    problem = Problem.random()
    projected, kernel, initial, direct, last = (tf.constant(array) for array in problem)
    phi, states, pre_activations = activations.by_name(activation), [initial], []
    with tf.GradientTape() as tape:
        tape.watch([projected, kernel, initial])
        for p in tf.unstack(projected):
            pre_activations.append(p + states[-1] @ kernel)
            states.append(phi(pre_activations[-1]))
        loss = tf.reduce_sum(direct * tf.stack(states[1:])) + tf.reduce_sum(last * states[-1])
    wanted = (states[1:], pre_activations, kernel, initial)
    gradients, deltas, to_kernel, to_initial = tape.gradient(loss, wanted)
    expected = Differentiated(np.array(states[1:]), states[-1], np.array(deltas), to_kernel, to_initial, None)
    for tap in ("total", "per_sample"):
        got = differentiate("eager", problem, activation, tap=tap)
        assert_equal(got, expected, rtol=1e-9)
        np.testing.assert_allclose(got.log_norms, log_norms(np.array(gradients), tap), rtol=1e-9)


@each_mode
@each_width
def test_squares_of_the_samples_add_up_to_the_total(mode, dtype):
    problem = Problem.random().cast(dtype)
    total, per_sample = (differentiate(mode, problem, tap=tap).log_norms for tap in ("total", "per_sample"))
    assert total.dtype == per_sample.dtype == np.float64
    np.testing.assert_allclose(np.exp(2 * total), np.exp(2 * per_sample).sum(axis=1), rtol=1e-12)


@each_mode
@pytest.mark.parametrize(("activation", "dtype"), [("tanh", "float32"), ("silu", "float64")])
def test_recording_changes_nothing_else(mode, activation, dtype):
    # Not a bit; but a compiler may fuse products and sums otherwise where there is one more consumer.
    rtol = {"eager": 0, "graph": 32, "xla": 32}[mode] * np.finfo(dtype).eps
    problem = Problem.random().cast(dtype)
    silent = differentiate(mode, problem, activation)
    for tap in ("total", "per_sample"):
        for got, expected in zip(
            differentiate(mode, problem, activation, tap=tap)[:5], silent[:5], strict=True
        ):
            np.testing.assert_allclose(got, expected, rtol=0, atol=rtol * np.abs(expected).max())


@each_mode
def test_last_state_alone_gives_the_same_gradients(mode):
    problem = Problem.random()._replace(direct=np.zeros((T, B, H)))
    alone = differentiate(mode, problem, tap="total", return_states=False)
    together = differentiate(mode, problem, tap="total")
    assert alone.states.size == 0
    assert_equal(alone._replace(states=None), together, rtol=1e-14)


@each_mode
def test_one_step(mode):
    assert_equals_numpy_twin(mode, Problem.random(steps=1), "tanh")


@pytest.mark.parametrize("activation", ["tanh", "silu"])
def test_sizes_may_be_unknown_to_the_graph(activation):
    sequence, state = (None, None, H), (None, H)
    signature = tuple(tf.TensorSpec(s, tf.float64) for s in (sequence, (H, H), state, sequence, state))
    for steps, batch_size in ((T, B), (2, 5)):
        assert_equals_numpy_twin("graph", Problem.random(steps, batch_size), activation, signature=signature)


@eager_and_xla
@each_tap
@pytest.mark.parametrize("gain", [10.0, 0.1])
def test_float32_log_norms_are_exact_beyond_squared_range(mode, tap, gain):
    got = differentiate(mode, Problem.linear(gain, 51, "float32"), "linear", tap=tap).log_norms.ravel()
    # 10^37 in float32 has lost at most 37 roundings of 6e-8; beyond lie infinity and the denormal numbers
    np.testing.assert_allclose(got[13:], math.log(gain) * np.arange(37, -1, -1), atol=3e-6)


@eager_and_xla
@each_tap
@pytest.mark.parametrize("gain", [1e10, 1e-10])
def test_float64_log_norms_are_exact_beyond_squared_range(mode, tap, gain):
    got = differentiate(mode, Problem.linear(gain, 51, "float64"), "linear", tap=tap).log_norms.ravel()
    np.testing.assert_allclose(got[20:], math.log(gain) * np.arange(30, -1, -1), rtol=1e-13)


@eager_and_xla
@each_tap
@pytest.mark.parametrize(("dtype", "gain", "largest"), [("float32", 10.0, 38), ("float64", 1e10, 30)])
def test_a_gradient_past_the_largest_number_is_not_finite(mode, tap, dtype, gain, largest):
    got = differentiate(mode, Problem.linear(gain, 51, dtype), "linear", tap=tap).log_norms.ravel()
    assert np.isfinite(got[50 - largest :]).all()
    assert not np.isfinite(got[: 50 - largest]).any()


@eager_and_xla
@tap_and_width
def test_an_exact_zero_is_minus_infinity(mode, tap, dtype):
    dead = Problem.random()._replace(projected=np.full((T, B, H), -1e3), direct=np.zeros((T, B, H)))
    got = differentiate(mode, dead.cast(dtype), "relu", tap=tap)
    np.testing.assert_array_equal(got.log_norms[:-1], -np.inf)
    np.testing.assert_allclose(got.log_norms[-1], log_norms(dead.last[np.newaxis], tap)[0], rtol=1e-6)
    assert not got.to_projected.any()


@eager_and_xla
@tap_and_width
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_not_hidden_by_zeros(mode, tap, dtype, value):
    step, sample = T - 2, 1
    direct = np.zeros((T, B, H))
    direct[step, sample, 2] = value
    problem = Problem.random()._replace(direct=direct, last=np.zeros((B, H)))
    got = differentiate(mode, problem.cast(dtype), "relu", tap=tap).log_norms
    assert not got[step].max() < np.inf
    np.testing.assert_array_equal(got[step + 1 :], -np.inf)
    if tap == "per_sample":
        np.testing.assert_array_equal(np.delete(got, sample, axis=1), -np.inf)


def test_a_stranger_with_a_known_name_gets_its_own_slope():
    def relu(a):
        return 0.1 * a * a

    named, unnamed = (differentiate("eager", Problem.random(), phi) for phi in (relu, lambda a: relu(a)))
    assert_equal(named, unnamed, rtol=1e-14)
