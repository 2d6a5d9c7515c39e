"""Training of stacked layers: what is drawn and recorded, what a checkpoint brings back."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from interruptions import SignalAt
from plans import small_plan

from rnnexp.nn.initializers import GlorotUniform, Orthogonal
from rnnexp.nn.network import recurrent_layers
from rnnexp.runtime.signals import Interruption, Killed
from rnnexp.training.construction import model_of, network_of
from rnnexp.training.evaluation import sequences_at_once
from rnnexp.training.record import Recorded
from rnnexp.training.replica import Observer
from rnnexp.training.trainer import Member, Trainer

PLAN = small_plan(layers=2, dtype="float64", train_steps=6, probe_every=100, validation_every=100)
T, H, B = PLAN.task.time_steps, PLAN.units, PLAN.batch_size


def trainer_of(folder, interruption=None):
    silent = Observer(lambda _: None, lambda _: None, lambda _: None, lambda: None)
    return Trainer([Member(PLAN, folder / "state.npz", silent)], interruption or Interruption())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The result of an uninterrupted run, and its weights."""
    trainer = trainer_of(tmp_path_factory.mktemp("whole"))
    (result,) = trainer.run([False])
    return result, trainer.replicas[0].network.get_weights()


def test_every_weight_has_a_seed_of_its_own():
    network = network_of(PLAN, "float64")
    lowest, upper = (layer.cell for layer in recurrent_layers(network))
    one_layer = network_of(dataclasses.replace(PLAN, layers=1), "float64").get_weights()
    unchanged = [*lowest.weights, *network.get_layer("readout").weights]
    for weight, expected in zip(unchanged, one_layer, strict=True):
        np.testing.assert_array_equal(weight, expected)
    assert [layer.name for layer in recurrent_layers(network)] == ["recurrent", "recurrent_2"]
    drawn = [(cell.kernel_initializer, cell.recurrent_initializer) for cell in (lowest, upper)]
    seeds = {each.seed for pair in drawn for each in pair}
    assert len(seeds | {network.get_layer("readout").kernel_initializer.seed}) == 5
    # No seed of a run reaches that of another layer.
    assert min(seeds - {0, 1}) > 3 * (2**31 - 1) + 2
    np.testing.assert_array_equal(
        upper.recurrent_kernel, Orthogonal(seed=upper.recurrent_initializer.seed)((H, H), "float64")
    )
    np.testing.assert_array_equal(
        upper.kernel, GlorotUniform(seed=upper.kernel_initializer.seed)((H, H), "float64")
    )


def test_a_step_records_the_profile_of_every_layer(whole):
    """Of the first step, against a tape over the unrolled network."""
    network = network_of(PLAN, "float64")
    x, y = PLAN.task.batch(PLAN.seed, "train", 0, B)
    cells = [layer.cell for layer in recurrent_layers(network)]
    states, added = [tf.zeros((B, H), tf.float64)] * 2, tf.zeros((T, 2, B, H), tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(added)
        for t in range(T):
            below = tf.constant(x[:, t], tf.float64)
            for place, cell in enumerate(cells):
                states[place] = below = cell(below, [states[place]])[0] + added[t, place]
        losses = tf.reduce_sum((network.get_layer("readout")(below) - y) ** 2, axis=1)
    squares = np.sum(np.square(tape.gradient(losses, added)), axis=3)
    expected = np.log(squares.mean(axis=2)).T / 2
    kept = whole[0].history.kept
    assert kept.log_norms.shape == kept.upper[0].shape == (6, T) and len(kept.upper) == 1
    # The record is kept in float32.
    np.testing.assert_allclose(kept.log_norms[0], expected[0], atol=1e-6)
    np.testing.assert_allclose(kept.upper[0][0], expected[1], atol=1e-6)


def test_a_run_that_was_killed_goes_on_to_the_bit(whole, tmp_path):
    killed = trainer_of(tmp_path, SignalAt(2))
    with pytest.raises(Killed):
        killed.run([False])
    assert 0 < killed.replicas[0].steps_taken < PLAN.train_steps
    trainer = trainer_of(tmp_path)
    (result,) = trainer.run([True])
    kept, expected = result.history.kept, whole[0].history.kept
    np.testing.assert_array_equal(kept.log_norms, expected.log_norms)
    np.testing.assert_array_equal(kept.upper[0], expected.upper[0])
    np.testing.assert_array_equal(kept.scalars, expected.scalars)
    for weight, same in zip(trainer.replicas[0].network.get_weights(), whole[1], strict=True):
        np.testing.assert_array_equal(weight, same)
    assert result.end.metrics() == whole[0].end.metrics()


def test_parts_of_a_batch_record_the_same(whole):
    plan = dataclasses.replace(PLAN, shards=2)
    model = model_of(plan, network_of(plan, "float64"))
    x, y = PLAN.task.batch(PLAN.seed, "train", 0, B)
    model.step(tf.constant(x, tf.float64), tf.constant(y))
    kept, found = whole[0].history.kept, model.read(0)
    np.testing.assert_allclose(found.log_norms[0], kept.log_norms[0], atol=1e-6)
    np.testing.assert_allclose(found.upper[0][0], kept.upper[0][0], atol=1e-6)


def test_records_of_layers_are_joined_and_chosen():
    def of(*train_steps):
        upper = np.outer(train_steps, [1.0, 2.0])
        return Recorded(np.array(train_steps), -upper, np.zeros((len(upper), 4)), (upper,))

    whole = Recorded.joined([Recorded.empty(2, layers=2), of(0, 1), of(2)])
    np.testing.assert_array_equal(whole.upper[0], [[0, 0], [1, 2], [2, 4]])
    np.testing.assert_array_equal(whole.every(2).upper[0], [[0, 0], [2, 4]])
    assert Recorded.empty(3).upper == ()


def test_all_layers_count_in_what_a_forward_pass_holds():
    assert sequences_at_once(5000, 2 * 64) == sequences_at_once(5000, 64) // 2
