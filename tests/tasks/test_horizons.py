"""What a loss proves of a memory, against predictors that see the last k steps and nothing else."""

import math

import numpy as np
import pytest

from rnnexp.tasks import Adding, Copying, Digits, TemporalOrder
from rnnexp.tasks.task import shortest_window, unseen

B = 40_000


def best_of_window(task, k):
    """Loss of the best predictor of the last k steps of the adding problem, by simulation.

    In units of what the constant scores on the same sequences, which takes most of the noise away.
    """
    x, y = task.batch(0, "validation", 0, B)
    low, scale, offset = task._variant.coefficients
    values, marks = x[:, task.time_steps - k :, 0].astype(float), x[:, task.time_steps - k :, 1]
    seen = marks.sum(axis=1)
    known = (values * marks).sum(axis=1) + (2 - seen) * (1 + low) / 2
    loss, constant = (np.mean((offset + scale * each - y[:, 0]) ** 2) for each in (known, 1 + low))
    return (1 + 1e-6) * task.floor_loss * loss / constant  # y is float32


@pytest.mark.parametrize("target", ["sum", "mean", "hochreiter"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.75, 0.9, 0.97])
def test_the_best_predictor_of_a_window_proves_that_window(target, share):
    task = Adding(100, target)
    k = round(100 * share)
    loss = best_of_window(task, k)
    if loss < 0.999 * task.floor_loss:
        assert task.proven_horizon(loss) == pytest.approx(k, abs=1.6)
    else:
        assert task.proven_horizon(loss) <= k + 1


@pytest.mark.parametrize("steps", [2, 50, 200])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 1.0])
def test_the_sum_has_its_closed_form(steps, share):
    loss = share / 6
    assert Adding(steps).proven_horizon(loss) == pytest.approx(steps * (1 - 6 * loss), abs=1e-9)


@pytest.mark.parametrize("target", ["sum", "mean", "hochreiter"])
@pytest.mark.parametrize("steps", [37, 100])
def test_marks_are_where_the_horizon_takes_them_for(target, steps):
    task = Adding(steps, target)
    marks = task.batch(1, "train", 0, B).x[:, :, 1].sum(axis=0) / B
    first, second = task._variant.places(steps)
    expected = first + second
    np.testing.assert_allclose(marks, expected, atol=5 * np.sqrt(expected.max() / B))


@pytest.mark.parametrize("signals", [2, 3])
def test_order_is_known_by_the_signals_in_the_window(signals):
    task = TemporalOrder(100, signals)
    symbols = task.batch(0, "validation", 0, B).x.argmax(axis=2)
    for k in (20, 45, 55, 85):
        seen = (symbols[:, 100 - k :] < 2).sum(axis=1)
        loss = math.log(2) * np.mean(signals - seen)
        proven = task.proven_horizon(loss)
        flat = np.all(seen == seen[0])  # no signal's window is cut: all such k have the same loss
        assert proven <= k + 0.2 if flat else proven == pytest.approx(k, abs=0.2)


def test_order_of_two_in_tenths_of_the_length():
    task = TemporalOrder(200)
    below = 1 - 1e-6
    horizons = [task.proven_horizon(loss * below) / 200 for loss in (math.log(4), math.log(2), 0)]
    assert horizons == pytest.approx([0.4, 0.8, 0.9], abs=1e-5)
    assert task.proven_horizon(math.log(2)) == pytest.approx(0.5 * 200)


def test_copying_needs_the_whole_delay_for_anything():
    task = Copying(30, symbols=4, recall=3)
    x, y = task.batch(0, "validation", 0, 200)
    for k in (task.seq_len + task.recall, task.seq_len + task.recall + 1):
        for place in range(task.time_steps - task.recall, task.time_steps):
            in_window = x[:, place - k + 1 : place + 1].argmax(axis=2)
            found = (in_window == y[:, [place]]).any(axis=1)
            shown_first = (in_window[:, 0] == y[:, place]).all()
            assert shown_first == (k > task.seq_len + task.recall)
            assert found.all() or k == task.seq_len + task.recall
    assert task.proven_horizon(task.floor_loss) == 0
    assert task.proven_horizon(0.99 * task.floor_loss) == 34


def test_what_is_not_known_or_not_a_number_is_nan():
    assert math.isnan(Digits(8).proven_horizon(1.0))
    for task in (Adding(10), TemporalOrder(10), Copying(5)):
        assert math.isnan(task.proven_horizon(math.nan))
        assert task.proven_horizon(2 * task.floor_loss) == 0


def test_a_window_is_found_between_two_steps():
    floors = np.array([2.0, 2.0, 1.0, 1.0, 0.0])
    expected = {3.0: 0, 2.0: 0, 1.5: 1.5, 1.0: 2, 0.25: 3.75, 0.0: 4, -1.0: 4}
    for loss, steps in expected.items():
        assert shortest_window(floors, loss) == pytest.approx(steps, abs=1e-9)


def test_a_signal_is_unseen_until_the_window_holds_its_step():
    places = np.array([0.25, 0.5, 0.0, 0.25])
    by_loop = [sum(places[: 4 - k]) for k in range(5)]
    assert unseen(places).tolist() == by_loop
