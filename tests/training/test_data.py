import numpy as np
import pytest
import tensorflow as tf

from rnnexp import tasks
from rnnexp.tasks import Adding, Batch
from rnnexp.training.data import stacked, training_data

B, SEED, START = 4, 5, 3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "stop", "execution"),
    [*((name, 26, 10) for name in tasks.CATALOGUE), ("adding", 23, 10), ("adding", 5, 1), ("adding", 4, 10)],
)
def test_batch_n_of_the_data_is_batch_n_of_the_training_stream(name, stop, execution, dtype):
    task, index = tasks.CATALOGUE[name](64), START
    for x, y, filled in training_data(task, SEED, B, START, stop, dtype, execution):
        assert filled == min(execution, stop - index) > 0
        assert x.shape[0] == y.shape[0] == execution
        for place in range(filled):
            batch = task.batch(SEED, "train", index, B)
            assert x.dtype == dtype and y.dtype == batch.y.dtype
            np.testing.assert_array_equal(x[place], batch.x)
            np.testing.assert_array_equal(y[place], batch.y)
            index += 1
        assert not np.any(x[filled:]) and not np.any(y[filled:])
    assert index == stop


@pytest.mark.parametrize(
    ("steps", "execution", "blocks"), [(1, 1, 1), (1, 10, 1), (10, 10, 1), (11, 10, 2), (4999, 10, 500)]
)
def test_the_last_block_may_be_short_and_blocks_are_counted(steps, execution, blocks):
    data = training_data(Adding(5), SEED, B, 0, steps, "float32", execution)
    assert data.cardinality() == blocks
    assert sum(1 for _ in data) == blocks


def test_all_blocks_of_a_run_have_one_shape_for_the_graph():
    data = training_data(Adding(12), SEED, B, 0, 25, "float32", 10)
    assert [spec.shape for spec in data.element_spec] == [(10, B, 12, 2), (10, B, 1), ()]


def test_a_block_holds_its_batches_in_order_and_then_zeros():
    batches = [Batch(np.full((2, 3, 1), value), np.full((2, 1), -value)) for value in (1.5, 2.5)]
    x, y, filled = stacked(batches, 3, "float32")
    assert (x.dtype, y.dtype) == ("float32", "float64")
    np.testing.assert_array_equal(x[:, 0, 0, 0], [1.5, 2.5, 0])
    np.testing.assert_array_equal(y[:, 0, 0], [-1.5, -2.5, 0])
    assert filled == 2


def graph_of(data):
    ignore = 1  # what the graph cannot hold: Python functions
    return tf.raw_ops.DatasetToGraphV2(
        input_dataset=data._variant_tensor, external_state_policy=ignore
    ).numpy()


def test_training_data_does_not_use_a_generator_dataset():
    one = tf.TensorSpec((), tf.int32)
    generated = tf.data.Dataset.from_generator(lambda: iter([1]), output_signature=one)
    assert b"GeneratorDataset" in graph_of(generated)
    assert b"GeneratorDataset" not in graph_of(training_data(Adding(12), SEED, B, 0, 25, "float32", 10))


def test_nobody_who_lets_go_of_the_data_waits_for_a_tuner():
    for stop in (5, 50):
        data = training_data(Adding(5), SEED, B, 0, stop, "float32", 10)
        assert data.options().autotune.enabled is False
        # As it is handed on for several seeds at a time.
        assert tf.data.Dataset.zip((data, data)).options().autotune.enabled is False
