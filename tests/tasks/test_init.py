import subprocess
import sys

import numpy as np
import pytest

from rnnexp import tasks
from rnnexp.tasks.task import Task, one_hot

SEQ_LEN = 64
"""A length that every task of the catalogue takes."""

HEAVY = ("tensorflow", "keras", "mlflow", "matplotlib", "pandas", "sklearn", "scipy", "hydra", "omegaconf")


@pytest.fixture(params=sorted(tasks.CATALOGUE))
def task(request):
    return tasks.CATALOGUE[request.param](seq_len=SEQ_LEN)


def same(one, other):
    return one.x.tobytes() == other.x.tobytes() and one.y.tobytes() == other.y.tobytes()


def perfect(task, y):
    return y if task.loss == "squared_error" else one_hot(y, task.output_size)


def test_catalogue_lists_every_task_under_its_module_name():
    exported = [getattr(tasks, name) for name in tasks.__all__]
    classes = {one for one in exported if isinstance(one, type) and issubclass(one, Task)} - {Task}
    assert set(tasks.CATALOGUE.values()) == classes
    for name, task_class in tasks.CATALOGUE.items():
        assert task_class.__module__ == f"rnnexp.tasks.{name}"


def test_building_every_task_imports_nothing_heavy():
    code = (
        "import sys; from rnnexp.tasks import CATALOGUE; "
        f"[task(seq_len={SEQ_LEN}) for task in CATALOGUE.values()]; "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_a_task_says_what_it_is(task):
    assert task.seq_len == SEQ_LEN
    assert task.loss in ("squared_error", "cross_entropy")
    assert task.loss_unit in ("squared error", "nats per step", "nats", "nats per character", "nats per word")
    assert all(
        type(size) is int and size > 0 for size in (task.time_steps, task.input_size, task.output_size)
    )
    assert type(task.floor_loss) is float and 0 < task.floor_loss < np.inf
    assert type(task.floor_error) is float and 0 < task.floor_error < 1
    assert task.criterion is None or 0 < task.criterion < task.floor_error


@pytest.mark.parametrize("stream", ["train", "validation", "probe"])
@pytest.mark.parametrize("batch_size", [1, 7])
def test_batches_have_the_shapes_and_types_of_the_contract(task, stream, batch_size):
    for index in range(3):
        x, y = task.batch(0, stream, index, batch_size)
        assert x.shape == (batch_size, task.time_steps, task.input_size)
        assert x.dtype == np.float32
        assert np.isfinite(x).all()
        if task.loss == "squared_error":
            assert y.shape == (batch_size, task.output_size)
            assert y.dtype == np.float32
            assert np.isfinite(y).all()
        else:
            assert y.shape == ((batch_size, task.time_steps) if task.scores_every_step else (batch_size,))
            assert y.dtype == np.int32
            assert 0 <= y.min() and y.max() < task.output_size


def test_a_batch_is_the_same_whatever_was_drawn_before(task):
    first = task.batch(3, "train", 17, 9)
    for index in (4, 16, 18):
        task.batch(3, "train", index, 9)
    task.batch(3, "probe", 17, 5)
    list(task.validation(3, 2048))
    assert same(task.batch(3, "train", 17, 9), first)
    assert same(type(task)(seq_len=SEQ_LEN).batch(3, "train", 17, 9), first)


def test_a_batch_is_the_callers_own(task):
    expected = task.batch(0, "probe", 0, 4).x.copy()
    for array in task.batch(0, "probe", 0, 4):
        array[...] = 0
    np.testing.assert_array_equal(task.batch(0, "probe", 0, 4).x, expected)


def test_seed_stream_and_index_each_change_the_batch(task):
    coordinates = [
        (seed, stream, index)
        for seed in (0, 1, 2)
        for stream in ("train", "validation", "probe")
        for index in (0, 1, 2)
    ]
    drawn = {task.batch(*coordinate, 16).x.tobytes() for coordinate in coordinates}
    assert len(drawn) == len(coordinates)


def test_no_training_sequence_is_in_another_stream(task):
    def rows(stream):
        return {row.tobytes() for row in task.batch(0, stream, 0, 128).x}

    assert rows("train").isdisjoint(rows("probe"))
    assert rows("train").isdisjoint(rows("validation"))


def test_validation_repeats_itself(task):
    once, again = task.validation(1, 2048), task.validation(1, 2048)
    assert all(same(one, other) for one, other in zip(once, again, strict=True))


def test_a_perfect_prediction_has_no_error_and_nan_has_all(task):
    _, y = task.batch(0, "validation", 0, 32)
    prediction = perfect(task, y)
    np.testing.assert_array_equal(task.errors(prediction, y), np.zeros(32))
    np.testing.assert_array_equal(task.errors(np.full_like(prediction, np.nan), y), np.ones(32))


def test_errors_are_shares_of_their_own_sequence(task):
    _, y = task.batch(0, "validation", 0, 32)
    prediction = perfect(task, y).copy()
    prediction[::2] = np.nan
    np.testing.assert_array_equal(task.errors(prediction, y), np.tile([1.0, 0.0], 16))
    noise = np.random.default_rng(0).normal(size=prediction.shape)
    errors = task.errors(noise, y)
    assert errors.shape == (32,)
    assert errors.dtype == np.float64
    assert 0 <= errors.min() and errors.max() <= 1


def test_no_constant_fitted_to_validation_beats_the_floor(task):
    y = np.concatenate([batch.y for batch in task.validation(0, 1000)])
    if task.loss == "squared_error":
        prediction = np.broadcast_to(y.mean(axis=0), y.shape)
        loss = np.mean((y - prediction) ** 2)
    else:
        shares = np.bincount(y.ravel(), minlength=task.output_size) / y.size
        prediction = np.broadcast_to(shares, (*y.shape, task.output_size))
        loss = -np.log(shares[y]).mean()
    # A fit to n samples undercuts the floor by a share of the order of 1/sqrt(n); 3 % is 2 to 3 times that.
    assert loss >= 0.97 * task.floor_loss
    assert task.errors(prediction, y).mean() >= 0.97 * task.floor_error
