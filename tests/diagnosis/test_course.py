import math

import numpy as np
import pytest
from scipy import stats

from rnnexp.diagnosis.course import Course, Spike, rounded_up, threshold_of

FLOOR = 1 / 6


def course(losses, norms=None):
    losses = np.asarray(losses, float)
    norms = np.ones(len(losses)) if norms is None else np.asarray(norms, float)
    return Course(np.arange(len(losses)), losses, norms, FLOOR)


def flat(steps=200, loss=0.17, seed=0):
    return loss + 0.01 * np.random.default_rng(seed).normal(size=steps)


def test_a_norm_of_more_than_100_medians_is_a_spike():
    norms = np.full(200, 0.5)
    norms[120] = 51
    assert course(flat(), norms).spike() == Spike(120, 51.0, 0.5, False)
    norms[120] = 49
    assert course(flat(), norms).spike() is None


def test_a_spike_is_beyond_what_was_usual_before_it():
    norms = np.linspace(1, 0.01, 200) ** 4
    norms[20] = 60 * np.median(norms[:20])
    assert norms[20] > 100 * np.median(norms)
    assert course(flat(), norms).spike() is None
    norms[20] *= 2
    assert course(flat(), norms).spike().step == 20


def test_a_high_loss_at_the_start_is_no_wreck():
    losses, norms = flat(), np.linspace(2, 1, 200)
    losses[:5], norms[3] = [1.5, 1.6, 1.6, 1.8, 1.9], 2.5  # above ten floors for a while
    assert course(losses, norms).spike() is None


def test_a_loss_of_ten_floors_after_a_lower_one_is_a_wreck():
    losses, norms = flat(), np.linspace(1, 2, 200)
    losses[150:], norms[149] = 5.0, 3.0
    assert course(losses, norms).spike() == Spike(149, 3.0, float(np.median(norms[:149])), True)
    assert course(np.full(200, 5.0), norms).spike() is None


@pytest.mark.parametrize("lost", [math.inf, math.nan])
def test_a_norm_that_is_not_finite_is_a_spike(lost):
    norms = np.ones(50)
    norms[49] = lost
    spike = course(flat(50), norms).spike()
    assert (spike.step, spike.usual) == (49, 1.0)
    assert not math.isfinite(spike.norm)


def test_the_first_step_and_an_empty_course_have_no_spike():
    norms = np.ones(50)
    norms[0] = 1e9
    assert course(flat(50), norms).spike() is None
    assert course([]).spike() is None
    assert math.isnan(course([]).usual_norm)
    assert course([]).spikes == 0


def test_spikes_are_counted_against_the_median():
    norms = np.ones(300)
    norms[[5, 100, 299]] = 101, 1000, math.nan
    assert course(flat(300), norms).spikes == 3
    assert course(flat(300), norms).usual_norm == 1


def test_the_fall_is_welchs_interval_of_the_two_halves():
    losses = np.exp(-np.arange(1000) / 500) + 0.01 * np.random.default_rng(1).normal(size=1000)
    fall = course(losses).fall()
    before, after = losses[800:900], losses[900:]
    found = stats.ttest_ind(after, before, equal_var=False).confidence_interval(0.95)
    assert fall.share == pytest.approx((after.mean() - before.mean()) / before.mean(), rel=1e-12)
    width = (found.high - found.low) / 2 / before.mean()
    assert fall.half_width == pytest.approx(width, rel=0.02)  # each half has its own degrees of freedom
    assert fall.falling
    assert fall.train_steps == pytest.approx(100, abs=1)


def test_a_flat_loss_is_seldom_taken_for_a_falling_one():
    falling = [course(flat(400, seed=seed)).fall().falling for seed in range(400)]
    assert np.mean(falling) < 0.025 + 4 * math.sqrt(0.025 / 400)


def test_a_fall_of_a_tenth_is_seen():
    losses = flat(400) * np.linspace(2, 1, 400)
    assert course(losses).fall().falling


def test_too_short_or_not_finite_has_no_fall():
    assert course(flat(39)).fall() is None
    losses = flat(100)
    losses[-1] = math.inf
    assert course(losses).fall() is None
    assert course(losses).steps_to(0.01, 10) is None


@pytest.mark.parametrize("rate", [0.001, 0.0004])
def test_the_steps_to_a_loss_are_those_of_an_exponential(rate):
    losses = 0.2 * np.exp(-rate * np.arange(2000))
    needed = math.log(0.2 / 0.01) / rate
    assert course(losses).steps_to(0.01, 100) == pytest.approx(max(needed, 4000), rel=0.35)


def test_the_steps_lie_between_twice_and_the_most():
    slow, quick = (0.2 * np.exp(-rate * np.arange(1000)) for rate in (1e-5, 0.002))
    assert course(slow).steps_to(0.01, 10) is None
    assert course(slow).steps_to(0.01, 1000) > 100_000
    assert course(quick).steps_to(0.05, 10) == 2000
    assert course(flat()).steps_to(0.01, 10) is None


def test_steps_are_rounded_up_to_one_digit():
    assert [rounded_up(steps) for steps in (1, 9.5, 10, 11, 2312, 4000)] == [1, 10, 10, 20, 3000, 4000]


@pytest.mark.parametrize(("usual", "threshold"), [(0.52, 0.5), (1.7, 2.0), (37.0, 40.0)])
def test_the_threshold_is_the_usual_norm(usual, threshold):
    assert threshold_of(Spike(9, 1e9, usual, True)) == threshold
    assert threshold_of(Spike(9, 1e9, math.inf, True)) == 1
