import math

import numpy as np
import pytest
from scipy import stats

from rnnexp.diagnosis.verdict import Validation, gradient_verdict, learning_verdict
from rnnexp.probes.gradient import measure_gradient
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.mean_intervals import mean_interval
from rnnexp.tasks import Adding

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-5, -3.1, "vanishing"),
        (-INF, -4, "vanishing"),
        (-INF, -INF, "vanishing"),
        (3.1, 200, "exploding"),
        (-3, 3, "stable"),
        (0, 0, "stable"),
        (-3.1, -2.9, "borderline"),
        (-4, -3, "borderline"),
        (2.9, 3.1, "borderline"),
        (3, 4, "borderline"),
        (-4, 4, "borderline"),
        (-INF, 0, "borderline"),
        (-INF, INF, "borderline"),
        (4, INF, "exploding"),
        (NAN, NAN, "not_measured"),
        (0, NAN, "not_measured"),
        (NAN, 0, "not_measured"),
    ],
)
def test_gradient_verdict_follows_the_interval(low, high, expected):
    assert gradient_verdict(low, high, nonfinite_share=0.0, decades=3) == expected


@pytest.mark.parametrize(("low", "high"), [(-5, -4), (0, 0), (-INF, -INF), (4, 5), (NAN, NAN)])
def test_any_non_finite_gradient_is_non_finite(low, high):
    assert gradient_verdict(low, high, nonfinite_share=1e-9, decades=3) == "non_finite"


def test_exploding_mirrors_vanishing():
    mirror = {"vanishing": "exploding", "exploding": "vanishing"}
    for low, high in np.sort(np.random.default_rng(0).normal(scale=4, size=(200, 2)), axis=1):
        verdict = gradient_verdict(low, high, 0.0, 3.0)
        assert gradient_verdict(-high, -low, 0.0, 3.0) == mirror.get(verdict, verdict)


def test_decades_move_the_border():
    assert gradient_verdict(-2, -1.5, 0.0, decades=1) == "vanishing"
    assert gradient_verdict(-2, -1.5, 0.0, decades=3) == "stable"


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(-0.2, "vanishing"), (0.2, "exploding"), (0.0, "stable"), (-np.log(1e3) / 99, "borderline")],
)
def test_measured_profiles_get_the_verdict_of_their_rate(rate, expected):
    rng = np.random.default_rng(0)
    log_norms = rate * np.arange(99, -1, -1)[:, None] + 0.3 * rng.normal(size=(100, 32))
    profile = measure_gradient(log_norms)
    assert gradient_verdict(profile.ratio_low, profile.ratio_high, profile.nonfinite_share, 3) == expected


@pytest.mark.parametrize("log_norms", [np.zeros((1, 8)), np.full((9, 8), -INF)])
def test_one_step_or_a_state_that_nothing_reads_is_not_measured(log_norms):
    profile = measure_gradient(log_norms)
    verdict = gradient_verdict(profile.ratio_low, profile.ratio_high, profile.nonfinite_share, 3)
    assert verdict == "not_measured"


@pytest.mark.parametrize("decades", [0, -1, NAN, INF])
def test_decades_must_be_positive(decades):
    with pytest.raises(ArgumentError, match="decades: expected a finite number above 0, received"):
        gradient_verdict(0, 0, 0.0, decades)


def test_a_reversed_interval_is_refused():
    with pytest.raises(ArgumentError, match="ratio_low: expected at most ratio_high = -1, received 1"):
        gradient_verdict(1, -1, 0.0, 3)


def validation(loss=0.1, half_width=0.01, error=0.5, enough=True, below=0.06, below_half_width=0.005):
    return Validation(loss, half_width, error, enough, below, below_half_width)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        (validation(loss=0.02), "learning"),
        (validation(loss=0.02, error=0.009), "solved"),
        (validation(loss=0.02, error=0.01), "learning"),
        (validation(loss=0.02, error=0.0, enough=False), "learning"),
        (validation(loss=0.165, half_width=0.01, below=0.002, below_half_width=0.001), "learning"),
        (validation(loss=0.165, half_width=0.001, below=0.002, below_half_width=0.003), "at_chance"),
        (validation(loss=0.174, half_width=0.0, below=-0.007, below_half_width=0.0), "at_chance"),
        (validation(loss=0.176, half_width=0.0, below=-0.009, below_half_width=0.0), "worse_than_chance"),
        (validation(loss=0.176, half_width=0.01, below=-0.009), "at_chance"),
        (validation(loss=60.0, half_width=1.0, below=-59.8, below_half_width=1.0), "worse_than_chance"),
        (validation(below_half_width=INF), "at_chance"),
        (validation(below=NAN, below_half_width=NAN), "at_chance"),
        (validation(loss=0.3, error=0.0, below=-0.1), "solved"),
        (validation(loss=NAN, half_width=NAN, error=0.0), "diverged"),
        (validation(loss=INF, half_width=NAN), "diverged"),
        (validation(error=NAN), "diverged"),
    ],
)
def test_learning_verdict(scores, expected):
    assert learning_verdict(scores, floor_loss=1 / 6, criterion=0.01) == expected


def test_an_interval_that_touches_zero_is_at_chance():
    assert learning_verdict(validation(below=0.0625, below_half_width=0.0625), 0.1875, 0.01) == "at_chance"


def test_a_diverged_run_is_diverged_whatever_it_scored():
    assert learning_verdict(validation(error=0.0), 1 / 6, 0.01, diverged=True) == "diverged"


def test_without_a_criterion_a_task_is_never_solved():
    perfect = validation(loss=0.0, half_width=0.0, error=0.0)
    assert learning_verdict(perfect, 1 / 6, criterion=None) == "learning"


def test_learning_arguments_are_checked():
    with pytest.raises(
        ArgumentError, match="floor_loss: expected a finite number of at least 0, received nan"
    ):
        learning_verdict(validation(), NAN, None)
    with pytest.raises(ArgumentError, match="criterion: expected a finite number of at least 0, received -1"):
        learning_verdict(validation(), 1.0, -1)
    for name in ("half_width", "below_half_width"):
        with pytest.raises(ArgumentError, match=rf"{name}: expected a number of at least 0, received -0\.1"):
            validation(**{name: -0.1})
    with pytest.raises(ArgumentError, match="enough: expected true or false, received 10000"):
        validation(enough=10_000)


def test_scores_are_paired_sequence_by_sequence():
    rng = np.random.default_rng(0)
    baseline = rng.exponential(size=400)
    losses = 0.9 * baseline + 0.01 * rng.normal(size=400)
    score = Validation.of(losses, baseline, np.arange(400) % 4 == 0, enough=False)
    paired = stats.ttest_rel(baseline, losses).confidence_interval(0.95)
    assert (score.below - score.below_half_width, score.below + score.below_half_width) == pytest.approx(
        (paired.low, paired.high), rel=1e-9
    )
    assert (score.loss, score.half_width) == mean_interval(losses)
    assert (score.error, score.enough) == (0.25, False)
    assert score.below_half_width < score.half_width / 3


def test_the_highest_loss_takes_the_sharper_way():
    near = validation(loss=0.165, half_width=0.01, below=0.002, below_half_width=0.001)
    assert near.highest_loss(1 / 6) == pytest.approx(1 / 6 - 0.001)
    far = validation(loss=0.01, half_width=0.001, below=0.157, below_half_width=0.005)
    assert far.highest_loss(1 / 6) == pytest.approx(0.011)


def test_paired_test_detects_a_gain_the_loss_alone_misses():
    """A predictor that knows 1 % of the answer: told in most of 40 draws, by the loss alone in few."""
    task, paired, alone = Adding(20), 0, 0
    for seed in range(40):
        batch = task.batch(seed, "validation", 0, 2000)
        losses = np.square(1 + 0.02 * (batch.y[:, 0] - 1) - batch.y[:, 0])
        score = Validation.of(losses, task.baseline_losses(batch), np.ones(2000), True)
        paired += learning_verdict(score, task.floor_loss, task.criterion) == "learning"
        alone += score.loss + score.half_width < task.floor_loss
    assert paired > 35 > 20 > alone
