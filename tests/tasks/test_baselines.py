"""The predictor that learning is measured against, sequence by sequence."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from rnnexp.tasks import Adding, Characters, Copying, Digits, TemporalOrder

EXACT = [TemporalOrder(20), TemporalOrder(20, signals=3), Copying(10), Digits(8)]


@pytest.mark.parametrize("task", [Adding(20, target) for target in ("sum", "mean", "hochreiter")])
def test_adding_is_measured_against_the_mean_of_the_targets(task):
    batch = task.batch(0, "validation", 0, 100_000)
    losses = task.baseline_losses(batch)
    mean = {"sum": 1.0, "mean": 0.5, "hochreiter": 0.5}[task.target]
    np.testing.assert_allclose(losses, (batch.y[:, 0].astype(float) - mean) ** 2, atol=1e-12)
    assert losses.mean() == pytest.approx(task.floor_loss, rel=0.02)


@pytest.mark.parametrize("task", EXACT, ids=lambda task: f"{type(task).__name__}{task.output_size}")
def test_the_mean_over_the_validation_is_the_floor(task):
    losses = np.concatenate([task.baseline_losses(batch) for batch in task.validation(0, 500)])
    assert losses.mean() == pytest.approx(task.floor_loss, rel=1e-12)
    assert losses.shape == (sum(len(batch.x) for batch in task.validation(0, 500)),)


def test_digits_are_surprising_as_they_are_rare():
    task = Digits(8, held_out=0.1)
    counts = Counter(int(y) for batch in task.validation(0, 50) for y in batch.y)
    batch = task.batch(0, "validation", 0, 60)
    expected = [-math.log(counts[int(y)] / sum(counts.values())) for y in batch.y]
    np.testing.assert_allclose(task.baseline_losses(batch), expected, rtol=1e-12)


def test_characters_baseline_is_the_training_text_bigram(tmp_path):
    text = "abac" * 30 + "abcd" * 5
    (tmp_path / "text").write_text(text, encoding="utf-8")
    task = Characters(4, tmp_path / "text", held_out=0.1)
    train = text[: len(text) - round(len(text) * 0.1)]
    pairs, alone, n, size = Counter(itertools.pairwise(train)), Counter(train), len(train), task.input_size

    def surprise(before, after):
        unigram = (alone[after] + 1) / (n + size)
        following = sum(count for (first, _), count in pairs.items() if first == before)
        return -math.log((pairs[before, after] + unigram) / (following + 1))

    (batch, *_) = task.validation(0, 3)
    letters = [*task.alphabet, "?"]
    expected = [
        np.mean([surprise(letters[x], letters[y]) for x, y in zip(xs, ys, strict=True)])
        for xs, ys in zip(batch.x.argmax(axis=2), batch.y, strict=True)
    ]
    np.testing.assert_allclose(task.baseline_losses(batch), expected, rtol=1e-12)


def test_bigram_rows_sum_to_one_and_beat_the_constant():
    task = Characters(50)
    shares = np.exp(-task._bigram.losses(*np.indices((task.input_size, task.input_size))))
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-12)
    losses = np.concatenate([task.baseline_losses(batch) for batch in task.validation(0, 500)])
    assert losses.mean() < 0.8 * task.floor_loss
    assert "bigram" in task.baseline


def test_only_a_published_criterion_is_called_so():
    published = [Adding(20, "mean"), TemporalOrder(20)]
    own = [Adding(20), Adding(20, "hochreiter"), Copying(10), Digits(8), Characters(5)]
    assert all(task.criterion_published for task in published)
    assert not any(task.criterion_published for task in own)
