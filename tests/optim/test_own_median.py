"""threshold=auto: the median of a run's own first norms."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from rnnexp.optim.clipping import GlobalNorm, Norm
from rnnexp.optim.clipping.own_median import WARM_UP

STEPS = WARM_UP + 20


def gradients(step):
    generator = np.random.default_rng(step)
    return [generator.standard_normal((3, 4)), 10 * generator.standard_normal(4)]


@functools.cache
def compiled(clip):
    return tf.function(lambda given, state: clip.update(given, given, state), jit_compile=True)


def run(clip, zero=False):
    """What the clip returns at every step, and its last state."""
    state, found = clip.init(gradients(0)), []
    for step in range(STEPS):
        given = [0 * each if zero and step < WARM_UP else each for each in gradients(step)]
        clipped, state = compiled(clip)([tf.constant(each) for each in given], state)
        found.append(clipped)
    return found, [value.numpy() for value in state]


def norm(arrays):
    return float(np.sqrt(sum(np.sum(array**2) for array in arrays)))


def test_after_the_warm_up_the_norm_is_clipped_at_its_median():
    threshold = np.median([norm(gradients(step)) for step in range(WARM_UP)])
    found, state = run(GlobalNorm("auto"))
    assert not any(clipped.clipped for clipped in found[:WARM_UP])
    later = found[WARM_UP:]
    assert 0 < sum(bool(clipped.clipped) for clipped in later) < len(later)
    for step, clipped in enumerate(later, WARM_UP):
        expected, _ = GlobalNorm(float(threshold)).update([tf.constant(g) for g in gradients(step)], [], ())
        assert float(clipped.norm_after) == pytest.approx(float(expected.norm_after), rel=1e-12)
        np.testing.assert_allclose(clipped.gradients[0], expected.gradients[0], rtol=1e-12)
    metrics = GlobalNorm("auto").metrics(state)
    assert metrics == {"grad/clip_threshold": pytest.approx(threshold, rel=1e-12)}


def test_of_each_variable_it_is_the_median_of_its_own_norms():
    found, state = run(Norm("auto"))
    for place in (0, 1):
        threshold = np.median([norm([gradients(step)[place]]) for step in range(WARM_UP)])
        for step, clipped in enumerate(found[WARM_UP:], WARM_UP):
            expected = min(threshold, norm([gradients(step)[place]]))
            assert norm([clipped.gradients[place].numpy()]) == pytest.approx(expected, rel=1e-12)
    assert Norm("auto").metrics(state) == {}


def test_a_median_of_zero_is_no_threshold():
    found, _ = run(GlobalNorm("auto"), zero=True)
    assert not any(clipped.clipped for clipped in found)


def test_before_the_warm_up_ends_no_threshold_is_told():
    clip = GlobalNorm("auto")
    assert clip.metrics([value.numpy() for value in clip.init([])]) == {}
