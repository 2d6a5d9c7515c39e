"""The clip of Pascanu's code: his rescaling, and what stands in for a gradient that is lost."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.network import build_network
from rnnexp.optim.clipping import GlobalNorm, Pascanu
from rnnexp.optim.optimizers import Sgd
from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks import Adding
from rnnexp.training.model import RecordingModel
from rnnexp.training.record import SKIPPED

RATE = 0.125


def network():
    keras.utils.set_random_seed(0)
    return build_network(Adding(5), ElmanCell(4, dtype="float64"), 0)


def updated(entry, scale=1.0):
    """What the clip makes of random gradients, one entry of which is given."""
    weights, generator = network().trainable_variables, np.random.default_rng(0)
    gradients = [scale * generator.standard_normal(weight.shape) for weight in weights]
    gradients[0].flat[0] = entry
    clip, given = Pascanu(0.5), [tf.constant(gradient) for gradient in gradients]
    return weights, given, *clip.update(given, weights, clip.init(weights))


@pytest.mark.parametrize("entry", [0.3, 9e9])
def test_below_its_limit_it_is_the_clip_by_the_global_norm(entry):
    _, gradients, clipped, (count,) = updated(entry)
    expected, _ = GlobalNorm(0.5).update(gradients, [], ())
    for found, other in zip(clipped.gradients, expected.gradients, strict=True):
        np.testing.assert_array_equal(found, other)
    assert float(clipped.norm_after) == float(expected.norm_after) == pytest.approx(0.5, rel=1e-12)
    assert (bool(clipped.replaced), float(count)) == (False, 0)


@pytest.mark.parametrize("entry", [np.nan, np.inf, -np.inf, 1.1e10])
def test_a_lost_gradient_makes_the_recurrent_kernel_shrink(entry):
    weights, _, clipped, (count,) = updated(entry)
    for weight, found in zip(weights, clipped.gradients, strict=True):
        recurrent = weight.path.endswith("/recurrent_kernel")
        np.testing.assert_array_equal(found, 0.02 * weight.numpy() if recurrent else 0 * weight.numpy())
    kernel = next(weight for weight in weights if weight.path.endswith("/recurrent_kernel"))
    assert float(clipped.norm_after) == pytest.approx(0.02 * np.linalg.norm(kernel.numpy()), rel=1e-12)
    assert (bool(clipped.clipped), bool(clipped.replaced), float(count)) == (True, True, 1)
    assert Pascanu().metrics([np.array(3.0)]) == {"grad/replaced": 3.0}


def test_in_training_a_lost_gradient_is_no_divergence():
    trained, task = network(), Adding(5)
    model = RecordingModel(trained, task.loss, Pascanu(), time_steps=5)
    model.compile(optimizer=Sgd(learning_rate=RATE).build())
    before = trained.get_weights()
    x, y = task.batch(0, "train", 0, 3)
    model.step(tf.constant(np.full(x.shape, np.inf)), tf.constant(y))
    factors = [1, 1 - 0.02 * RATE, 1, 1, 1]
    for after, weight, factor in zip(trained.get_weights(), before, factors, strict=True):
        np.testing.assert_allclose(after, factor * weight, rtol=1e-14)
    assert model.read(0).series("clipped")[0] == SKIPPED


@pytest.mark.parametrize("value", [0, -1.0, np.nan, "auto"])
def test_a_threshold_outside_its_domain_is_refused(value):
    with pytest.raises(ArgumentError, match="^threshold: expected a finite number above 0"):
        Pascanu(value)
