import math
import re
from collections import Counter
from pydoc_data.topics import topics

import numpy as np
import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks.characters import Characters
from rnnexp.tasks.task import one_hot

TEXT = "abcabdäab€" * 90 + "abcxyäab\U0001f40dd" * 10
"""1,000 characters; x, y and the snake are in the last tenth only."""

HELD_OUT = re.sub(r"[xy\U0001f40d]", "?", TEXT[900:])


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(TEXT, encoding="utf-8")
    return file


def spelled(task, classes):
    """The classes as text, with ? for what the training part never showed."""
    return "".join((*task.alphabet, "?")[k] for k in classes)


def test_the_alphabet_is_of_the_training_part_plus_one_class(path):
    task = Characters(5, path)
    assert task.alphabet == "".join(sorted(set(TEXT[:900])))
    assert task.input_size == task.output_size == len(task.alphabet) + 1


def test_targets_are_the_inputs_one_step_on(path):
    task = Characters(20, path)
    for stream in ("train", "validation", "probe"):
        x, y = task.batch(0, stream, 0, 50)
        np.testing.assert_array_equal(x.sum(axis=2), 1)
        np.testing.assert_array_equal(x.argmax(axis=2)[:, 1:], y[:, :-1])
        assert y.flags.c_contiguous


@pytest.mark.parametrize("stream", ["train", "validation", "probe"])
def test_only_training_sequences_come_from_the_training_part(path, stream):
    task = Characters(20, path)
    part = TEXT[:900] if stream == "train" else HELD_OUT
    x, y = task.batch(0, stream, 0, 500)
    for classes, last in zip(x.argmax(axis=2), y[:, -1:], strict=True):
        assert spelled(task, [*classes, *last]) in part


def test_training_sequences_start_everywhere(tmp_path):
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 100)))
    (tmp_path / "distinct.txt").write_text(text, encoding="utf-8")
    task = Characters(4, tmp_path / "distinct.txt")
    starts = task.batch(0, "train", 0, 10_000).x[:, 0].argmax(axis=1)
    places, counts = np.unique(starts, return_counts=True)
    assert places.tolist() == list(range(86))  # 90 characters hold 86 windows of five
    expected = 10_000 / 86
    assert (
        np.sum((counts - expected) ** 2 / expected) < 131
    )  # 99.9 % of chi-squared with 85 degrees of freedom


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_validation_reads_the_held_out_part_in_windows(path, batch_size):
    task = Characters(8, path)
    batches = list(task.validation(3, batch_size))
    shown = "".join(spelled(task, row) for batch in batches for row in batch.x.argmax(axis=2))
    asked = "".join(spelled(task, row) for batch in batches for row in batch.y)
    assert shown == HELD_OUT[:96]  # 12 windows of 8 in 100 characters, the last of which has no successor
    assert asked == HELD_OUT[1:97]
    assert all(len(batch.y) == batch_size for batch in batches[:-1])


def test_validation_stops_at_10000_windows(tmp_path):
    (tmp_path / "long.txt").write_text("ab" * 60_000 + "b" * 30_000, encoding="utf-8")
    task = Characters(1, tmp_path / "long.txt", held_out=0.2)
    assert sum(len(batch.y) for batch in task.validation(0, 3000)) == 10_000


@pytest.mark.parametrize("seq_len", [1, 8, 99])
def test_floors_are_what_the_best_constant_scores_in_validation(path, seq_len):
    task = Characters(seq_len, path)
    y = np.concatenate([batch.y for batch in task.validation(0, 7)])
    counts = Counter(y.ravel().tolist())
    entropy = -sum(count / y.size * math.log(count / y.size) for count in counts.values())
    assert task.floor_loss == pytest.approx(entropy, abs=1e-12)
    errors = [
        task.errors(
            np.broadcast_to(one_hot(np.array(guess), task.output_size), (*y.shape, task.output_size)), y
        )
        for guess in range(task.output_size)
    ]
    assert min(error.mean() for error in errors) == pytest.approx(task.floor_error, abs=1e-12)


def test_the_error_is_the_share_of_wrong_characters(path):
    task = Characters(10, path)
    _, y = task.batch(0, "probe", 0, 11)
    told = y.copy()
    for row in range(11):
        told[row, :row] = (told[row, :row] + 1) % task.output_size
    assert task.errors(one_hot(told, task.output_size), y) == pytest.approx(np.arange(11) / 10)


def test_without_a_path_the_text_is_pythons_own_reference():
    task = Characters(64)
    text = "".join(topics[name] for name in sorted(topics))
    assert len(text) > 300_000
    boundary = len(text) - round(len(text) * 0.1)
    assert task.alphabet == "".join(sorted(set(text[:boundary])))
    first = next(task.validation(0, 4))
    assert spelled(task, first.x.argmax(axis=2).ravel()) == text[boundary : boundary + 256]
    assert task.floor_loss == pytest.approx(
        3.1, abs=0.2
    )  # English is near 2.9, the reference has more symbols


def test_about_a_twelfth_of_the_held_out_text_is_in_training():
    """As the docstring says: the text repeats itself."""
    text = "".join(topics[name] for name in sorted(topics))
    boundary = len(text) - round(len(text) * 0.1)
    known = {text[start : start + 100] for start in range(boundary - 99)}
    repeated = [text[start : start + 100] in known for start in range(boundary, len(text) - 99)]
    assert 0.02 < np.mean(repeated) < 0.2


@pytest.mark.parametrize(("share", "boundary"), [(0.5, 500), (0.01, 990), (0.99, 10)])
def test_the_last_share_is_held_out(path, share, boundary):
    task = Characters(2, path, held_out=share)
    assert task.alphabet == "".join(sorted(set(TEXT[:boundary])))


def test_line_ends_are_one_character(tmp_path):
    (tmp_path / "windows.txt").write_bytes(b"ab\r\n" * 20)
    assert Characters(1, tmp_path / "windows.txt").alphabet == "\nab"


def test_the_longest_window_takes_the_whole_shorter_part(path):
    task = Characters(99, path)
    assert [batch.x.shape for batch in task.validation(0, 5)] == [(1, 99, task.input_size)]
    task.batch(0, "probe", 0, 3)
    with pytest.raises(ArgumentError) as caught:
        Characters(100, path)
    assert str(caught.value) == (
        "seq_len: expected at most 99, since the shorter part of the text has 100 characters, received 100"
    )


def test_the_shorter_part_may_be_the_training_part(path):
    with pytest.raises(
        ArgumentError, match="^seq_len: expected at most 9, since .* 10 characters, received 10$"
    ):
        Characters(10, path, held_out=0.99)


def test_a_text_too_short_for_any_window_is_named(tmp_path):
    (tmp_path / "tiny.txt").write_text("ten chars!", encoding="utf-8")
    expected = "^path: expected a text with two characters or more in both parts, received .*tiny.txt"
    with pytest.raises(ArgumentError, match=expected):
        Characters(1, tmp_path / "tiny.txt")


@pytest.mark.parametrize("missing", ["no/such/file.txt", "", "zero\0byte", "."])
def test_a_file_that_cannot_be_read_is_named(missing):
    with pytest.raises(ArgumentError) as caught:
        Characters(5, missing)
    assert str(caught.value) == f"path: expected a readable UTF-8 text file, received {missing!r}"


def test_a_path_that_is_no_path_is_not_opened():
    with pytest.raises(ArgumentError, match="^path: expected a readable UTF-8 text file, received 0$"):
        Characters(5, 0)  # type: ignore[arg-type]


def test_a_text_that_is_not_utf_8_is_named(tmp_path):
    (tmp_path / "latin.txt").write_bytes("café".encode("latin-1") * 50)
    with pytest.raises(
        ArgumentError, match="^path: expected a readable UTF-8 text file, received '.*latin.txt'$"
    ):
        Characters(5, tmp_path / "latin.txt")


def test_an_empty_text_is_named(tmp_path):
    (tmp_path / "empty.txt").touch()
    with pytest.raises(
        ArgumentError, match="^path: expected a text file that is not empty, received '.*empty.txt'$"
    ):
        Characters(5, tmp_path / "empty.txt")


def test_bad_numbers_are_named(path):
    with pytest.raises(ArgumentError, match="^seq_len: expected an integer of at least 1, received 0$"):
        Characters(0, path)
    with pytest.raises(ArgumentError, match="^held_out: .* received 1$"):
        Characters(5, path, held_out=1)
