import numpy as np
import pytest
import tensorflow as tf

from rnnexp.training.gradients import Differentiated, averaged

T, B, H, F = 5, 12, 3, 2

generator = np.random.default_rng(0)
G = generator.standard_normal((T, B, H))
"""dl_b/dh_t of every sample."""
W = generator.standard_normal((B, F, H))
"""dl_b/dw of every sample."""
LOSSES = generator.standard_normal(B)


def of(samples):
    """What a backward pass gives over these samples, whose mean is the loss."""
    size = len(LOSSES[samples])
    return Differentiated(
        tf.constant(LOSSES[samples].mean()),
        tf.constant(LOSSES[samples].mean() + 0.5),
        [tf.constant(W[samples].mean(0))],
        [tf.constant(np.log(np.linalg.norm(G[:, samples] / size, axis=(1, 2))))],
    )


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 12])
def test_equal_parts_give_what_the_whole_gives(parts):
    size = B // parts
    got = averaged([of(slice(part * size, (part + 1) * size)) for part in range(parts)])
    whole = of(slice(None))
    np.testing.assert_allclose(got.loss, whole.loss, rtol=1e-12)
    np.testing.assert_allclose(got.trained_loss, whole.trained_loss, rtol=1e-12)
    np.testing.assert_allclose(got.gradients[0], whole.gradients[0], rtol=1e-12)
    np.testing.assert_allclose(got.log_norms[0], whole.log_norms[0], rtol=1e-12)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ((-np.inf, -np.inf), -np.inf),
        ((-np.inf, 0.0), -np.log(2)),
        ((-2000.0, -2000.0), -2000 - np.log(2) / 2),
        ((2000.0, 2000.0), 2000 - np.log(2) / 2),
        ((np.nan, 0.0), np.nan),
        ((np.inf, 0.0), np.inf),
    ],
)
def test_norms_beyond_the_range_of_squares_are_joined(pair, expected):
    zero = tf.constant(0.0)
    parts = [Differentiated(zero, zero, [], [tf.constant([value], tf.float64)]) for value in pair]
    np.testing.assert_allclose(averaged(parts).log_norms[0], [expected], rtol=1e-12)
