"""AutoClip against numpy.percentile over the list of all norms."""

import math

import numpy as np
import pytest
import tensorflow as tf

from rnnexp.optim.clipping import AutoClip
from rnnexp.runtime.checks import ArgumentError


def level(norm):
    """The norm rounded up to the next number of 8 binary digits."""
    mantissa, exponent = math.frexp(norm)
    return math.ldexp((math.floor(mantissa * 256) + 1) / 256, exponent)


def norms(count=200):
    generator = np.random.default_rng(0)
    found = np.exp(generator.standard_normal(count) - np.linspace(0, 3, count))
    found[[7, 50]] = 1e20, 2.0  # 2.0 has few binary digits
    return found.astype(np.float32)


def series(clip, sizes, dtype=tf.float32, jit=False):
    """Norm after clipping and the state after each of the steps, whose gradients have these norms."""
    update = tf.function(lambda given, state: clip.update(given, given, state), jit_compile=jit)
    state, after = clip.init([]), []
    for size in sizes:
        clipped, state = update([tf.constant([[0.6 * size], [0.8 * size]], dtype), tf.zeros(2, dtype)], state)
        after.append((float(clipped.norm_after), bool(clipped.clipped)))
    return after, [value.numpy() for value in state]


@pytest.mark.parametrize(("percentile", "jit"), [(0, False), (10.0, True), (100, False)])
def test_the_threshold_is_the_percentile_of_all_norms_so_far(percentile, jit):
    sizes, clip = norms(), AutoClip(percentile)
    after, state = series(clip, sizes, jit=jit)
    for k, (norm_after, clipped) in enumerate(after):
        threshold = np.percentile([level(float(size)) for size in sizes[: k + 1]], percentile)
        assert norm_after == pytest.approx(min(threshold, sizes[k]), rel=1e-6)
        assert clipped == (threshold < sizes[k])
        exact = np.percentile(sizes[: k + 1].astype(float), percentile)
        assert exact <= threshold * (1 + 1e-6) <= exact * (1 + 1 / 128 + 1e-5)
    metrics = clip.metrics(state)
    assert metrics == {"grad/skipped": 0.0, "grad/clip_threshold": pytest.approx(threshold, rel=1e-12)}
    assert state[0].sum() == len(sizes)


def test_the_first_gradient_and_equal_ones_pass():
    after, _ = series(AutoClip(), [0.7, 0.7, 0.7, 0.69])
    assert [clipped for _, clipped in after] == [False] * 4


def test_a_dead_network_and_numbers_beyond_float32_are_counted():
    after, state = series(AutoClip(50), [0.0, 1e-300, 1e300, 1e-300, 1.0], tf.float64, jit=True)
    assert [clipped for _, clipped in after] == [False, True, True, True, True]
    assert after[2][0] == 0  # of 0, 0 and 3e38 the median is 0
    assert state[0].sum() == 5
    assert state[0].ravel()[0] == 3


def test_without_a_step_there_is_no_threshold():
    clip = AutoClip()
    assert clip.metrics([value.numpy() for value in clip.init([])]) == {"grad/skipped": 0.0}


@pytest.mark.parametrize("value", [-1, 100.5, np.nan, "10", None, True])
def test_a_percentile_outside_its_domain_is_refused(value):
    with pytest.raises(ArgumentError, match="^percentile: expected a"):
        AutoClip(value)
