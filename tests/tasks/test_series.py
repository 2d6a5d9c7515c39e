import math

import numpy as np
import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks.named_series import sunspots
from rnnexp.tasks.series import Series

VALUES = np.random.default_rng(0).permutation(100) * 0.37
"""80 values for training, 20 held out."""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "own.csv"
    file.write_text("v\n" + "".join(f"{value}\n" for value in VALUES))
    return file


def in_units(task, z):
    return z.astype(np.float64) * task.std + task.mean


def validation(task):
    batches = list(task.validation(0, 7))
    return np.concatenate([batch.x for batch in batches]), np.concatenate([batch.y for batch in batches])


def last(x):
    return x[:, -1, 0][:, None].astype(np.float64)


def test_the_scale_is_that_of_the_training_part_alone(path):
    task = Series(5, path=path)
    assert (task.mean, task.std) == pytest.approx((VALUES[:80].mean(), VALUES[:80].std()), rel=1e-12)


@pytest.mark.parametrize("horizon", [1, 3])
def test_targets_are_what_follows_the_inputs(path, horizon):
    task = Series(6, path=path, horizon=horizon)
    whole = VALUES.tolist()
    for stream in ("train", "validation", "probe"):
        x, y = task.batch(0, stream, 0, 200)
        for window, follows in zip(in_units(task, x[:, :, 0]), in_units(task, y), strict=True):
            start = int(np.abs(VALUES[: 100 - 6 - horizon + 1] - window[0]).argmin())
            np.testing.assert_allclose(window, whole[start : start + 6], atol=1e-5)
            np.testing.assert_allclose(follows, whole[start + 6 : start + 6 + horizon], atol=1e-5)
            if stream == "train":
                assert start + 6 + horizon <= 80
            else:
                assert start + 6 >= 80


@pytest.mark.parametrize("horizon", [1, 4])
def test_validation_asks_each_held_out_window_once_in_order(path, horizon):
    task = Series(6, path=path, horizon=horizon)
    _, y = validation(task)
    expected = np.lib.stride_tricks.sliding_window_view(VALUES[80:], horizon)
    np.testing.assert_allclose(in_units(task, y), expected, atol=1e-5)


@pytest.mark.parametrize("arguments", [{}, {"source": "co2"}, {"source": "mackey_glass", "horizon": 5}])
def test_floors_are_what_the_best_constant_scores(arguments):
    """A second route: over a fine grid of constants, the least loss, and the error at that constant."""
    task = Series(30, **arguments)
    _, y = validation(task)
    y = y.astype(np.float64)
    grid = np.linspace(y.min(), y.max(), 2001)
    best = np.array([grid[((y[:, [j]] - grid) ** 2).mean(axis=0).argmin()] for j in range(y.shape[1])])
    assert np.mean((y - best) ** 2) == pytest.approx(task.floor_loss, rel=1e-4)
    errors = task.errors(np.broadcast_to(y.mean(axis=0), y.shape), y)
    assert errors.mean() == pytest.approx(task.floor_error, abs=1e-12)


def test_a_file_column_may_be_as_short_as_two_windows(tmp_path):
    (tmp_path / "short.csv").write_text("v\n" + "".join(f"{value}\n" for value in VALUES[:10]))
    task = Series(7, path=tmp_path / "short.csv")
    assert [batch.x.shape for batch in task.validation(0, 9)] == [(2, 7, 1)]
    assert task.batch(0, "train", 0, 3).x.shape == (3, 7, 1)


@pytest.mark.parametrize(
    ("rows", "arguments", "said"),
    [
        (["1"], {}, "path: expected 2 values or more for training, received 1"),
        (
            VALUES[:10],
            {"seq_len": 8},
            "seq_len: expected at most 7, since 8 of the 10 values are for training, received 8",
        ),
        (
            VALUES[:10],
            {"seq_len": 2, "horizon": 2},
            "horizon: expected at most 1, for two held-out windows, received 2",
        ),
        (
            [4] * 9,
            {"seq_len": 2},
            "column: expected a series that varies before its held-out part, received 4.0",
        ),
    ],
)
def test_a_series_without_enough_in_it_is_named(tmp_path, rows, arguments, said):
    (tmp_path / "poor.csv").write_text("v\n" + "".join(f"{row}\n" for row in rows))
    with pytest.raises(ArgumentError) as caught:
        Series(**{"seq_len": 1, "path": tmp_path / "poor.csv"} | arguments)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"source": "sunspot"},
            "source: expected one of sunspots, co2, mackey_glass (did you mean sunspots?), received ",
        ),
        ({"horizon": 0}, "horizon: expected an integer of at least 1, received 0"),
        ({"season": 0}, "season: expected an integer from 1 to 247, received 0"),
    ],
)
def test_bad_arguments_are_named(arguments, said):
    with pytest.raises(ArgumentError) as caught:
        Series(10, **arguments)
    assert str(caught.value).startswith(said)


def test_the_report_compares_on_the_same_windows():
    """Whoever predicts the last value is no better and no worse than the last value."""
    task = Series(22)
    report = task.report(last)
    assert report.metrics["val/loss_below_last_value"] == pytest.approx(0, abs=1e-6)
    z = (sunspots() - task.mean) / task.std
    expected = np.mean(np.diff(z[-63:]) ** 2)
    assert report.metrics["task/last_value_loss"] == pytest.approx(expected, rel=1e-5)
    seasonal = np.mean((z[-62:] - z[-73:-11]) ** 2)
    assert report.metrics["task/seasonal_loss"] == pytest.approx(seasonal, rel=1e-5)
    below = report.metrics["val/loss_below_seasonal"]
    assert below == pytest.approx(seasonal - expected, rel=1e-5)
    assert report.metrics["val/visible_steps"] == 1
    assert "The network (0.954) is no different from the last value (0.954)" in report.sentences[0]
    assert f": {below:.3g} +- " in report.sentences[1]
    assert report.sentences[1].endswith(" below it on the same windows.")
    better = report.metrics["val/loss_below_autoregression"]
    assert better < 0 and f": {-better:.3g} +- " in report.sentences[2]
    assert report.sentences[2].endswith(" above it on the same windows.")


def test_the_report_draws_in_the_units_of_the_series():
    report = Series(22, horizon=2).report(lambda x: np.repeat(last(x), 2, axis=1))
    assert report.figure == "forecast"
    np.testing.assert_allclose(report.arrays["truth"][:, 0], sunspots()[-62:-1], atol=1e-4)
    np.testing.assert_allclose(report.arrays["last_value"], report.arrays["network"], atol=1e-4)
    assert {len(report.arrays[name]) for name in ("truth", "seasonal", "autoregression", "place")} == {61}


def test_who_repeats_a_week_looks_seven_steps_back(tmp_path):
    rng = np.random.default_rng(0)
    weeks = np.tile(rng.normal(size=7), 40) + 0.01 * rng.normal(size=280)
    (tmp_path / "weeks.csv").write_text("v\n" + "".join(f"{value}\n" for value in weeks))
    report = Series(20, path=tmp_path / "weeks.csv").report(lambda x: x[:, [-7], 0])
    assert report.metrics["val/visible_steps"] == 7
    assert "the value of 7 steps ago" in report.sentences[1]


@pytest.mark.parametrize("seq_len", [5, 40])
def test_autoregression_beats_the_last_value_on_sunspots(seq_len):
    metrics = Series(seq_len).report(last).metrics
    assert -metrics["val/loss_below_autoregression"] > metrics["val/loss_below_autoregression_half_width"]
    assert math.isfinite(metrics["task/autoregression_loss"])
