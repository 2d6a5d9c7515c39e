"""AGC against a loop over units in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from rnnexp.optim.clipping import Agc
from rnnexp.runtime.checks import ArgumentError


def by_numpy(gradient, weight, factor, epsilon):
    """Equation 3, unit by unit: the last axis counts the units, a vector is one."""
    gradient, weight = gradient.astype(np.float64), weight.astype(np.float64)
    if gradient.ndim < 2:
        limit = factor * max(np.linalg.norm(weight), epsilon)
        return gradient * min(1, limit / np.linalg.norm(gradient))
    kept = np.empty_like(gradient)
    for unit in range(gradient.shape[-1]):
        limit = factor * max(np.linalg.norm(weight[..., unit]), epsilon)
        kept[..., unit] = gradient[..., unit] * min(1, limit / np.linalg.norm(gradient[..., unit]))
    return kept


def problem(dtype="float64", scale=1.0):
    generator = np.random.default_rng(0)
    shapes = [(3, 4), (4, 4), (4,), (2, 2, 3, 5), ()]
    weights = [generator.standard_normal(shape).astype(dtype) for shape in shapes]
    weights[2][:] = 0  # as a bias starts
    gradients = [(scale * generator.standard_normal(shape)).astype(dtype) for shape in shapes]
    gradients[0][:, 1] *= 1e-3  # a unit below its limit
    return gradients, weights


def clipped(clip, gradients, weights):
    return clip.update([tf.constant(g) for g in gradients], [tf.constant(w) for w in weights], clip.init([]))[
        0
    ]


@pytest.mark.parametrize("clip", [Agc(), Agc(factor=0.3, epsilon=0.5)], ids=["published", "other"])
def test_it_is_the_definition_unit_by_unit(clip):
    gradients, weights = problem()
    found = clipped(clip, gradients, weights)
    for kept, gradient, weight in zip(found.gradients, gradients, weights, strict=True):
        np.testing.assert_allclose(kept, by_numpy(gradient, weight, clip.factor, clip.epsilon), rtol=1e-12)
    np.testing.assert_array_equal(found.gradients[0][:, 1], gradients[0][:, 1])
    assert found.clipped
    joint = np.sqrt(sum(np.sum(np.square(kept)) for kept in found.gradients))
    assert float(found.norm_after) == pytest.approx(joint, rel=1e-12)


def test_squares_that_overflow_are_clipped_all_the_same():
    gradients, weights = problem("float32", scale=1e25)
    found = clipped(Agc(), gradients, weights)
    for kept, gradient, weight in zip(found.gradients, gradients, weights, strict=True):
        np.testing.assert_allclose(kept, by_numpy(gradient, weight, 0.01, 1e-3), rtol=1e-5)


def test_a_huge_factor_and_zero_gradients_change_no_bit():
    gradients, weights = problem()
    found = clipped(Agc(factor=1e9, epsilon=1.0), gradients, weights)
    for kept, gradient in zip(found.gradients, gradients, strict=True):
        np.testing.assert_array_equal(kept, gradient)
    assert not found.clipped
    nothing = clipped(Agc(), [0 * gradient for gradient in gradients], weights)
    assert float(nothing.norm_after) == 0
    assert not nothing.clipped


@pytest.mark.parametrize("name", ["factor", "epsilon"])
@pytest.mark.parametrize("value", [0, -1.0, np.inf, "auto", True])
def test_what_is_outside_its_domain_is_refused(name, value):
    with pytest.raises(ArgumentError, match=f"^{name}: expected a finite number above 0, received"):
        Agc(**{name: value})
