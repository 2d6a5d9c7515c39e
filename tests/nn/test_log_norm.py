import numpy as np
import pytest
import tensorflow as tf

from rnnexp.nn.log_norm import log_norm


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize(("dtype", "decades"), [("float32", 30), ("float64", 250)])
def test_log_norm_is_exact_where_squares_overflow_or_vanish(dtype, decades, jit):
    plain = np.random.default_rng(0).standard_normal((3, 4, 5))
    exact = np.log(np.linalg.norm(plain, axis=2))
    of = tf.function(lambda g: log_norm(g, [2]), jit_compile=jit)
    for exponent in (-decades, 0, decades):
        found = of(tf.constant(plain * 10.0**exponent, dtype))
        assert found.dtype == tf.float64
        np.testing.assert_allclose(found, exact + exponent * np.log(10), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_zero_infinity_and_nan_are_told_apart(dtype):
    rows = tf.constant([[0.0, 0.0], [0.0, np.inf], [0.0, np.nan], [3.0, 4.0]], dtype)
    expected = [-np.inf, np.inf, np.nan, np.log(5)]
    np.testing.assert_allclose(log_norm(rows, [1]), expected, rtol=1e-7)


def test_several_axes_are_one_norm():
    plain = np.random.default_rng(1).standard_normal((2, 3, 4))
    found = log_norm(tf.constant(plain), [0, 2])
    np.testing.assert_allclose(found, np.log(np.sqrt(np.sum(plain**2, axis=(0, 2)))), rtol=1e-12)
