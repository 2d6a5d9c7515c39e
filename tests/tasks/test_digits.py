import math
from collections import Counter

import numpy as np
import pytest
from sklearn.datasets import load_digits

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks.digits import IMAGES_PER_DIGIT, Digits


@pytest.fixture(scope="module")
def data():
    return load_digits()


def drawn(batches):
    """All sequences of the batches, each as its bytes and its digit."""
    return [(x.tobytes(), int(y)) for batch in batches for x, y in zip(batch.x, batch.y, strict=True)]


def test_the_images_are_those_counted(data):
    assert tuple(np.bincount(data.target)) == IMAGES_PER_DIGIT
    assert sum(IMAGES_PER_DIGIT) == 1797


@pytest.mark.parametrize(("seq_len", "features"), [(64, 1), (8, 8)])
def test_an_image_is_read_from_left_to_right_and_top_to_bottom(data, seq_len, features):
    task = Digits(seq_len)
    assert (task.time_steps, task.input_size, task.output_size) == (seq_len, features, 10)
    known = {
        image.astype(np.float32).tobytes(): digit
        for image, digit in zip(data.images / 16, data.target, strict=True)
    }
    x, y = task.batch(0, "train", 0, 300)
    assert x.min() == 0 and x.max() == 1
    for sequence, digit in zip(x, y, strict=True):
        assert known[sequence.reshape(8, 8).tobytes()] == digit


def test_training_and_held_out_images_partition_the_data_set(data):
    task = Digits(64)
    held_out = Counter(drawn(task.validation(0, 100)))
    train = Counter(drawn([task.batch(0, "train", 0, 1797 - held_out.total())]))
    images = [
        (image.astype(np.float32).tobytes(), digit)
        for image, digit in zip(data.images / 16, data.target, strict=True)
    ]
    everything = Counter(images)
    assert train + held_out == everything
    assert not train & held_out


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.99])
def test_the_split_is_stratified(share):
    task = Digits(8, held_out=share)
    digits = [digit for _, digit in drawn(task.validation(0, 64))]
    for count, available in zip(np.bincount(digits, minlength=10), IMAGES_PER_DIGIT, strict=True):
        assert abs(count - share * available) <= 0.5
        assert 0 < count < available


def test_validation_yields_held_out_images_once_for_any_seed():
    task = Digits(64)
    batches = list(task.validation(0, 100))
    assert [len(batch.y) for batch in batches] == [100, 100, 100, 59]
    images = drawn(batches)
    assert len(set(images)) == len(images) == 359
    assert images == drawn(task.validation(7, 359))


def test_probe_and_validation_draw_held_out_images():
    task = Digits(64)
    held_out = set(drawn(task.validation(0, 359)))
    for stream in ("probe", "validation"):
        assert set(drawn([task.batch(5, stream, 3, 200)])) <= held_out


@pytest.mark.parametrize("batch_size", [64, 1438, 4000])
def test_an_epoch_shows_every_training_image_once(batch_size):
    task = Digits(64)
    batches = [task.batch(2, "train", index, batch_size) for index in range(math.ceil(3 * 1438 / batch_size))]
    images = drawn(batches)
    epochs = [images[start : start + 1438] for start in (0, 1438, 2876)]
    assert len(set(epochs[0])) == 1438
    assert set(epochs[0]) == set(epochs[1]) == set(epochs[2])
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_floors_are_the_best_constant_on_held_out_images():
    task = Digits(64)
    y = np.concatenate([batch.y for batch in task.validation(0, 100)])
    constants = np.random.default_rng(0).dirichlet(np.full(10, 1000), size=2000)
    fitted = np.bincount(y) / len(y)
    assert -np.log(fitted)[y].mean() == pytest.approx(task.floor_loss, abs=1e-12)
    assert (-np.log(constants)[:, y].mean(axis=1)).min() >= task.floor_loss
    errors = [task.errors(np.tile(np.eye(10)[digit], (len(y), 1)), y).mean() for digit in range(10)]
    assert min(errors) == pytest.approx(task.floor_error, abs=1e-12)


@pytest.mark.parametrize("seq_len", [64, 8])
def test_floors_are_near_those_of_ten_equal_classes(seq_len):
    task = Digits(seq_len)
    assert task.floor_loss == pytest.approx(math.log(10), rel=1e-3)
    assert task.floor_loss <= math.log(10)
    assert task.floor_error == pytest.approx(0.9, abs=0.005)


def test_training_shares_are_within_a_thousandth_of_the_floor():
    task = Digits(64)
    y = np.concatenate([batch.y for batch in task.validation(0, 100)])
    shares = np.bincount(task.batch(0, "train", 0, 1438).y) / 1438
    assert 0 <= -np.log(shares)[y].mean() - task.floor_loss < 1e-3


@pytest.mark.parametrize("value", [28, 784, 0, "64", 64.0, None, True, [64]])
def test_other_lengths_are_told_the_two_there_are(value):
    with pytest.raises(ArgumentError) as caught:
        Digits(value)
    assert str(caught.value) == f"seq_len: expected 64 (pixels) or 8 (rows), received {value!r}"


def test_a_bad_share_is_named():
    with pytest.raises(ArgumentError, match=r"^held_out: expected a number in \[0.01, 0.99\], received 0$"):
        Digits(64, held_out=0)


def test_padding_follows_the_image_and_is_standard_normal():
    plain, padded = Digits(64), Digits(64, pad=100)
    assert padded.time_steps == 164
    x, y = padded.batch(3, "train", 2, 50)
    expected = plain.batch(3, "train", 2, 50)
    np.testing.assert_array_equal(x[:, :64], expected.x)
    np.testing.assert_array_equal(y, expected.y)
    noise = x[:, 64:].astype(np.float64)
    assert abs(noise.mean()) < 5 / math.sqrt(noise.size)
    assert np.mean(noise**2) == pytest.approx(1, abs=5 * math.sqrt(2 / noise.size))
    assert (padded.batch(3, "train", 3, 50).x[:, 64:] != x[:, 64:]).all()


def test_padding_and_order_change_no_floor_or_held_out_image():
    plain, changed = Digits(64), Digits(64, pad=20, permute=True)
    assert (changed.floor_loss, changed.floor_error) == (plain.floor_loss, plain.floor_error)
    answers = [np.concatenate([batch.y for batch in task.validation(0, 50)]) for task in (plain, changed)]
    np.testing.assert_array_equal(answers[0], answers[1])
    assert drawn(changed.validation(0, 50)) == drawn(changed.validation(9, 50))


@pytest.mark.parametrize("seq_len", [64, 8])
def test_a_permuted_image_is_the_same_steps_in_one_other_order(seq_len):
    plain = Digits(seq_len).batch(0, "train", 0, 200).x
    permuted = Digits(seq_len, permute=True).batch(0, "train", 0, 200).x
    assert (plain != permuted).any()
    # The step of the plain image that every step of the permuted one is, found by comparing all pairs.
    order = [
        np.flatnonzero([(plain[:, s] == permuted[:, t]).all() for s in range(seq_len)])
        for t in range(seq_len)
    ]
    assert sorted({int(step) for steps in order for step in steps}) == list(range(seq_len))
    np.testing.assert_array_equal(permuted, Digits(seq_len, permute=True).batch(0, "train", 0, 200).x)


def test_bad_padding_and_order_are_named():
    with pytest.raises(ArgumentError, match="^pad: expected an integer of at least 0, received -1$"):
        Digits(64, pad=-1)
    with pytest.raises(ArgumentError, match="^permute: expected true or false, received 1$"):
        Digits(64, permute=1)  # type: ignore[arg-type]
