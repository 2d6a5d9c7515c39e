"""What a loss proves on tasks whose best predictor of the last k steps is found by enumeration."""

import itertools
import math

import numpy as np
import pytest

from rnnexp.tasks import DelayedXor, Digits, Latch, Parity, RecallReal, Series, Words


def every_sequence(steps):
    return np.array(list(itertools.product([0, 1], repeat=steps)))


def best_of_window(bits, y, k):
    """Mean cross-entropy of the best predictor of y (N, T) from the last k of all sequences (N, T)."""
    steps, total = bits.shape[1], 0.0
    for t in range(steps):
        seen = bits[:, max(0, t + 1 - k) : t + 1]
        code = seen @ 2 ** np.arange(seen.shape[1]) if seen.shape[1] else np.zeros(len(bits), int)
        ones = np.bincount(code, weights=y[:, t]) / np.maximum(np.bincount(code), 1)
        share = np.clip(ones[code], 1e-300, 1 - 1e-16)
        total -= np.mean(np.where(y[:, t] == 1, np.log(share), np.log1p(-share)))
    return total / steps


def parity(bits):
    return bits.cumsum(axis=1) % 2


def delayed(bits):
    padded = np.pad(bits, ((0, 0), (4, 0)))
    return padded[:, : bits.shape[1]] ^ padded[:, 2 : 2 + bits.shape[1]]


@pytest.mark.parametrize(("task", "answers"), [(Parity(9), parity), (DelayedXor(9, delay=4), delayed)])
def test_a_loss_proves_no_more_than_the_best_predictor_uses(task, answers):
    bits = every_sequence(9)
    losses = [best_of_window(bits, answers(bits), k) for k in range(10)]
    assert losses[0] == pytest.approx(task.floor_loss, rel=1e-9)
    for k, loss in enumerate(losses):
        # The least k with this loss; a hair above it allows for rounding.
        least = next(n for n, other in enumerate(losses) if other <= loss + 1e-9)
        assert task.proven_horizon(loss + 1e-9) == pytest.approx(least, abs=1e-6)
        if 0 < least == k:
            assert task.proven_horizon(loss + 1e-3) > least - 1


@pytest.mark.parametrize(
    ("task", "needed"),
    [
        (Latch(20, shown=3), 18),
        (RecallReal(20), 20),
        (RecallReal(20, lag=4), 5),
        (RecallReal(20, lag=0), 1),
        (Digits(64, pad=30), 31),
    ],
)
def test_any_loss_below_the_floor_proves_the_shortest_horizon(task, needed):
    assert task.proven_horizon(task.floor_loss) == 0
    assert task.proven_horizon(0.99 * task.floor_loss) == needed
    assert math.isnan(task.proven_horizon(math.nan))


def test_a_window_shorter_than_the_horizon_holds_no_answer():
    """The window that is one step shorter than the proven one is the same for both answers."""
    x, y = Latch(20, shown=3, noise=0).batch(0, "train", 0, 50)
    assert not x[:, 20 - 17 :].any()
    np.testing.assert_array_equal(x[:, 20 - 18, 0], 2 * y - 1)


def test_the_last_value_is_the_baseline_of_a_series():
    task = Series(22)
    losses = np.concatenate([task.baseline_losses(batch) for batch in task.validation(0, 10)])
    report = task.report(lambda x: x[:, -1])
    assert losses.mean() == pytest.approx(report.metrics["task/last_value_loss"], rel=1e-6)


def test_the_bigram_is_the_baseline_of_words(tmp_path):
    (tmp_path / "text.txt").write_text("one two . one three . " * 60, encoding="utf-8")
    task = Words(5, tmp_path / "text.txt")
    losses = np.concatenate([task.baseline_losses(batch) for batch in task.validation(0, 3)])
    # After "one" it is two or three, half the time each; after all others it is certain, but for the prior.
    assert losses.mean() == pytest.approx(math.log(2) / 3, abs=0.03)
