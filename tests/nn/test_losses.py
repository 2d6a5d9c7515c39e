import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax

from rnnexp import tasks
from rnnexp.nn.losses import KINDS, last_step, sequence_losses
from rnnexp.runtime.checks import ArgumentError

B, T, K = 5, 4, 3
RTOL = {"float32": 1e-5, "float64": 1e-12}

each_dtype = pytest.mark.parametrize("dtype", RTOL)


def normal(*shape, dtype="float64"):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def classes(*shape):
    return np.random.default_rng(1).integers(K, size=shape).astype(np.int32)


@each_dtype
@pytest.mark.parametrize("outputs", [1, K])
def test_squared_error_is_the_output_mean_in_prediction_dtype(dtype, outputs):
    prediction, y = normal(B, outputs, dtype=dtype), np.float32(normal(B, outputs) ** 2)
    losses = sequence_losses("squared_error", y, prediction := tf.constant(prediction))
    assert losses.dtype == dtype
    np.testing.assert_allclose(losses, np.mean((y - prediction.numpy()) ** 2, axis=1), rtol=RTOL[dtype])


@each_dtype
@pytest.mark.parametrize("steps", [(), (T,)])
def test_cross_entropy_is_the_step_mean_of_minus_ln_softmax(dtype, steps):
    logits, y = 3 * normal(B, *steps, K, dtype=dtype), classes(B, *steps)
    losses = sequence_losses("cross_entropy", y, tf.constant(logits))
    taken = -np.take_along_axis(log_softmax(logits, axis=-1), y[..., None], axis=-1)
    assert losses.dtype == dtype
    np.testing.assert_allclose(losses, taken.reshape(B, -1).mean(axis=1), rtol=RTOL[dtype])


def test_cross_entropy_of_huge_logits_is_their_difference():
    losses = sequence_losses("cross_entropy", tf.constant([1, 0]), tf.constant([[1e4, -1e4], [1e4, -1e4]]))
    np.testing.assert_array_equal(losses, [2e4, 0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_nan_stays_with_its_sequence(kind):
    prediction = normal(B, K)
    prediction[2, 0] = np.nan
    y = classes(B) if kind == "cross_entropy" else normal(B, K)
    np.testing.assert_array_equal(np.isnan(sequence_losses(kind, y, prediction)), np.arange(B) == 2)


@pytest.mark.parametrize("kind", KINDS)
def test_xla_changes_nothing(kind):
    y = tf.constant(classes(B) if kind == "cross_entropy" else normal(B, K))
    compiled = tf.function(sequence_losses, jit_compile=True)
    prediction = tf.constant(normal(B, K))
    np.testing.assert_allclose(
        compiled(kind, y, prediction), sequence_losses(kind, y, prediction), rtol=1e-12
    )


def test_a_loss_that_is_not_known_is_refused():
    with pytest.raises(
        ArgumentError, match="^kind: expected one of squared_error, cross_entropy, received 'mae'$"
    ):
        sequence_losses("mae", normal(B, K), normal(B, K))


def test_the_kinds_are_those_of_the_tasks():
    assert {task.loss for task in tasks.CATALOGUE.values()} == set(KINDS)


@pytest.mark.parametrize("name", tasks.CATALOGUE)
def test_every_task_has_one_loss_a_sequence(name):
    task = tasks.CATALOGUE[name](64)
    _, y = task.batch(0, "train", 0, B)
    steps = (task.time_steps,) if task.scores_every_step else ()
    prediction = tf.zeros((B, *steps, task.output_size))
    losses = sequence_losses(task.loss, y, prediction)
    assert losses.shape == (B,)
    last = sequence_losses(task.loss, *last_step(tf.constant(y), prediction))
    if task.loss == "cross_entropy":  # of equal logits: ln K whatever the class and the step
        np.testing.assert_allclose(losses, np.log(task.output_size), rtol=1e-6)
        np.testing.assert_allclose(last, np.log(task.output_size), rtol=1e-6)
    else:
        np.testing.assert_array_equal(last, losses)


def test_the_last_step_of_a_sequence():
    y, prediction = tf.constant(classes(B, T)), tf.constant(normal(B, T, K))
    last_y, last_prediction = last_step(y, prediction)
    np.testing.assert_array_equal(last_y, y.numpy()[:, T - 1])
    np.testing.assert_array_equal(last_prediction, prediction.numpy()[:, T - 1])


@pytest.mark.parametrize("y", [classes(B), normal(B, K)])
def test_targets_of_the_last_step_alone_stay_as_they_are(y):
    prediction = tf.constant(normal(B, K))
    last_y, last_prediction = last_step(tf.constant(y), prediction)
    np.testing.assert_array_equal(last_y, y)
    assert last_prediction is prediction
