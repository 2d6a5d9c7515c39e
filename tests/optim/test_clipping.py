import dataclasses
import functools
import math
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnexp.optim.clipping import Clipped, GlobalNorm, NoClip, Norm, Value, global_norm
from rnnexp.runtime.checks import ArgumentError

RELATIVE = {"float32": 1e-6, "float64": 1e-14}
"""A few roundings of the dtype: 2^-24 is 6e-8, 2^-53 is 1.1e-16."""

LARGEST = float(np.finfo(np.float32).max)
SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)

each_clip = pytest.mark.parametrize("clip", [NoClip(), Value(1.0), Norm(1.0), GlobalNorm(1.0)], ids=str)
each_threshold = pytest.mark.parametrize("clip", [Value, Norm, GlobalNorm])
each_dtype = pytest.mark.parametrize("dtype", RELATIVE)


@functools.cache
def compiled(mode, function):
    """One function a mode, so that XLA compiles it once for all tests: they share their shapes."""
    return function if mode == "eager" else tf.function(function, jit_compile=mode == "xla")


@pytest.fixture(params=["eager", "graph", "xla"])
def run(request):
    def call(function, values):
        return compiled(request.param, function)([tf.constant(value) for value in values])

    return call


@functools.cache
def of(clip):
    """What the clip makes of gradients at its first step."""
    return lambda gradients: clip.update(gradients, gradients, clip.init(gradients))[0]


def arrays(dtype="float32", scale=1.0, entries=()):
    """Gaussian gradients of a matrix, a vector and a scalar; the matrix begins with `entries`."""
    generator = np.random.default_rng(0)
    values = [np.asarray(scale * generator.standard_normal(shape), dtype) for shape in [(3, 4), (4,), ()]]
    values[0].flat[: len(entries)] = entries
    return values


def norm(values):
    """The global norm by another route: Python's scaled, correctly rounded hypotenuse, in float64."""
    return math.hypot(*(float(entry) for value in values for entry in np.ravel(value)))


def clipped_by_numpy(clip, values):
    """The definitions in float64."""
    values = [value.astype(np.float64) for value in values]
    match clip:
        case Value(threshold):
            return [np.clip(value, -threshold, threshold) for value in values]
        case Norm(threshold):
            return [value * min(1.0, threshold / norm([value])) for value in values]
        case GlobalNorm(threshold):
            return [value * min(1.0, threshold / norm(values)) for value in values]
    return values


def assert_close(left, right, **tolerance):
    for one, other in zip(left, right, strict=True):
        np.testing.assert_allclose(one, other, **tolerance)


def assert_same_bytes(left, right):
    for one, other in zip(left, right, strict=True):
        assert np.asarray(one).dtype == np.asarray(other).dtype
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


@each_clip
@each_dtype
def test_equals_the_definition(run, clip, dtype):
    values = arrays(dtype)
    expected = clipped_by_numpy(clip, values)
    result = run(of(clip), values)
    assert isinstance(result, Clipped)
    assert_close(result.gradients, expected, rtol=RELATIVE[dtype])
    assert {tensor.dtype.name for tensor in [*result.gradients, *result[1:3]]} == {dtype}
    assert result.norm_before.shape == result.norm_after.shape == result.clipped.shape == ()
    np.testing.assert_allclose(result.norm_before, norm(values), rtol=RELATIVE[dtype])
    np.testing.assert_allclose(result.norm_after, norm(expected), rtol=RELATIVE[dtype])
    assert bool(result.clipped) == (not isinstance(clip, NoClip))


@pytest.mark.parametrize("threshold", [0.1, 2.0, 100.0])
def test_equals_tensorflow_on_ordinary_gradients(threshold):
    values = [tf.constant(value) for value in arrays()]
    references: dict[Callable, list] = {
        Value: [tf.clip_by_value(value, -threshold, threshold) for value in values],
        Norm: [tf.clip_by_norm(value, threshold) for value in values],
        GlobalNorm: tf.clip_by_global_norm(values, threshold)[0],
    }
    for clip, expected in references.items():
        result = of(clip(threshold))(values)
        assert_close(result.gradients, expected, rtol=1e-6)
        np.testing.assert_allclose(result.norm_before, tf.linalg.global_norm(values), rtol=1e-6)


@pytest.mark.parametrize(
    ("clip", "argument"), [(Value, "clipvalue"), (Norm, "clipnorm"), (GlobalNorm, "global_clipnorm")]
)
def test_equals_the_clipping_of_keras(clip, argument):
    values = [tf.constant(value) for value in arrays()]
    variables = [keras.Variable(tf.zeros_like(value)) for value in values]
    keras.optimizers.SGD(learning_rate=1.0, **{argument: 0.5}).apply(values, variables)
    updates = [-keras.ops.convert_to_numpy(variable) for variable in variables]
    assert_close(of(clip(0.5))(values).gradients, updates, rtol=1e-6)


@each_clip
@each_dtype
def test_below_the_threshold_nothing_changes_to_the_bit(run, clip, dtype):
    # -0.0 and a subnormal number are where arithmetic that "changes nothing" shows.
    values = arrays(dtype, scale=0.1, entries=[-0.0, 0.0, 1e-40, -1e-40])
    assert norm(values) < 1
    result = run(of(clip), values)
    assert_same_bytes(result.gradients, values)
    assert not bool(result.clipped)
    assert float(result.norm_before) == float(result.norm_after)


@each_threshold
def test_a_huge_threshold_is_the_identity(run, clip):
    # 1e300 is beyond float32, where it becomes infinite: still a threshold that nothing exceeds.
    values = arrays(scale=1e30)
    result = run(of(clip(1e300)), values)
    assert_same_bytes(result.gradients, values)
    assert not bool(result.clipped)


@each_threshold
@each_dtype
def test_clipping_twice_is_clipping_once(run, clip, dtype):
    once = run(of(clip(1.0)), arrays(dtype))
    twice = run(of(clip(1.0)), once.gradients)
    # Exact for values; a norm may come out one rounding above the threshold and be scaled once more.
    assert_close(twice.gradients, once.gradients, rtol=0 if clip is Value else RELATIVE[dtype])
    assert_close(once.gradients, of(clip(1.0))(once.gradients).gradients, rtol=RELATIVE[dtype])


@pytest.mark.parametrize("size", [1.0, 1e20, 1e38, 3e38])
def test_clipping_works_where_squares_overflow(run, size):
    values = arrays(entries=[size, -size, 0.5 * size, 0.25 * size])
    expected = clipped_by_numpy(GlobalNorm(1.0), values)
    result = run(of(GlobalNorm(1.0)), values)
    # The norm of the last case is 4.6e38, more than float32 holds: inf, and the clip works all the same.
    expected_norm = norm(values) if norm(values) < LARGEST else np.inf
    assert float(result.norm_before) == pytest.approx(expected_norm, rel=1e-6)
    assert float(result.norm_after) == pytest.approx(1.0, rel=1e-6)
    assert_close(result.gradients, expected, rtol=1e-6, atol=SMALLEST_NORMAL)
    by_variable = run(of(Norm(1.0)), values)
    assert_close(by_variable.gradients, clipped_by_numpy(Norm(1.0), values), rtol=1e-6, atol=SMALLEST_NORMAL)
    assert float(by_variable.norm_after) == pytest.approx(norm(clipped_by_numpy(Norm(1.0), values)), rel=1e-6)


@pytest.mark.parametrize("scale", [1e-20, 1e-30, 1e-36])
def test_norms_are_right_where_squares_underflow(run, scale):
    values = arrays(scale=scale)
    assert float(run(global_norm, values)) == pytest.approx(norm(values), rel=1e-6)
    clipped = of(GlobalNorm(scale))([tf.constant(value) for value in values])
    assert float(clipped.norm_after) == pytest.approx(scale, rel=1e-6)


@each_clip
@pytest.mark.parametrize("entry", [0.0, -0.0, 1e-40])
def test_zero_gradients_stay_zero(run, clip, entry):
    # 1e-40 is subnormal in float32 and counts as 0.
    values = [np.full_like(value, entry) for value in arrays()]
    result = run(of(clip), values)
    assert_same_bytes(result.gradients, values)
    assert float(result.norm_before) == float(result.norm_after) == 0.0
    assert not bool(result.clipped)


def test_empty_variables_count_as_zero():
    empty = tf.zeros((0, 3))
    assert float(global_norm([empty])) == 0.0
    assert float(of(GlobalNorm(1.0))([empty, tf.constant([3.0, 4.0])]).norm_before) == 5.0


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("clip", [NoClip(), GlobalNorm(1.0)])
def test_non_finite_gradients_pass_a_joint_clip_unchanged(run, clip, bad):
    values = arrays(entries=[3.0, bad])
    result = run(of(clip), values)
    assert_same_bytes(result.gradients, values)
    for measured in (result.norm_before, result.norm_after):
        np.testing.assert_equal(float(measured), abs(bad))
    assert not bool(result.clipped)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_non_finite_variable_passes_the_norm_clip_alone(run, bad):
    values = arrays(scale=3.0, entries=[3.0, bad])
    result = run(of(Norm(1.0)), values)
    assert_same_bytes(result.gradients[:1], values[:1])
    assert_close(result.gradients[1:], clipped_by_numpy(Norm(1.0), values[1:]), rtol=1e-6)
    assert bool(result.clipped)
    for measured in (result.norm_before, result.norm_after):
        np.testing.assert_equal(float(measured), abs(bad))


def test_value_clips_infinities(run):
    result = run(of(Value(1.0)), arrays(entries=[np.inf, -np.inf, 0.5]))
    np.testing.assert_array_equal(result.gradients[0][0, :3], [1.0, -1.0, 0.5])
    assert float(result.norm_before) == np.inf
    assert float(result.norm_after) == pytest.approx(norm(result.gradients), rel=1e-6)


def test_value_leaves_nan_and_clips_the_rest(run):
    result = run(of(Value(1.0)), arrays(entries=[np.nan, 3.0, np.inf]))
    np.testing.assert_array_equal(result.gradients[0][0, :3], [np.nan, 1.0, 1.0])
    assert math.isnan(result.norm_before)
    assert math.isnan(result.norm_after)
    assert bool(result.clipped)


def test_infinity_and_nan_together_are_nan(run):
    assert math.isnan(run(global_norm, arrays(entries=[np.inf, np.nan])))


def test_threshold_keeps_double_precision(run):
    # 0.1 passed through float32 would be off by 1.5e-8, relatively.
    values = arrays("float64")
    assert float(run(of(GlobalNorm(0.1)), values).norm_after) == pytest.approx(0.1, rel=1e-14)
    assert float(tf.reduce_max(run(of(Value(0.1)), values).gradients[0])) == 0.1


@pytest.mark.parametrize("clip", [NoClip, Value, Norm, GlobalNorm])
def test_every_clip_is_an_immutable_value(clip):
    # An integer threshold is a number as any other.
    arguments = {field.name: 1 for field in dataclasses.fields(clip)}
    made = clip(**arguments)
    assert made == clip(**arguments)
    assert hash(made) == hash(clip(**arguments))
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.threshold = 3.0
    assert 0 < float(of(made)([tf.constant(value) for value in arrays()]).norm_after) < 10


@each_threshold
@pytest.mark.parametrize("threshold", [0, -1.0, np.inf, np.nan, None, "1", True])
def test_threshold_outside_its_domain(clip, threshold):
    expected = "a finite number above 0" if clip is Value else "auto or a finite number above 0"
    with pytest.raises(ArgumentError, match=f"threshold: expected {expected}, received"):
        clip(threshold)


@each_clip
def test_no_gradients(clip):
    with pytest.raises(ArgumentError, match=r"gradients: expected at least one tensor, received \[\]"):
        of(clip)([])


@each_clip
def test_a_stateless_clip_hands_on_an_empty_state(clip):
    gradients = [tf.constant(value) for value in arrays()]
    state = clip.init(gradients)
    updated, after = clip.update(gradients, gradients, state)
    assert (state, after, updated.skipped) == ((), (), None)
    assert clip.metrics(()) == {}
