import numpy as np
import pytest

from rnnexp.tasks.forecasts import (
    Autoregression,
    autoregressive,
    fit_autoregression,
    last_value,
    paired_interval,
    season_of,
    seasonal,
)

SERIES = np.arange(10, 40) ** 1.5
TARGETS = np.array([[12, 13, 14], [20, 21, 22]])


def simulated(coefficients, length, seed, constant=0.0):
    rng, order = np.random.default_rng(seed), len(coefficients)
    values = [0.0] * order
    for noise in rng.normal(size=length + 200):
        values.append(constant + sum(c * values[-i - 1] for i, c in enumerate(coefficients)) + noise)
    return np.array(values[-length:])


def test_the_last_value_is_the_one_before_the_first_target():
    np.testing.assert_array_equal(last_value(SERIES, TARGETS), SERIES[[[11] * 3, [19] * 3]])


@pytest.mark.parametrize(("season", "places"), [(2, [10, 11, 10]), (3, [9, 10, 11]), (1, [11, 11, 11])])
def test_seasonal_forecast_is_a_known_value_whole_seasons_back(season, places):
    np.testing.assert_array_equal(seasonal(SERIES, TARGETS, season)[0], SERIES[places])


def test_an_autoregression_goes_on_from_its_own_forecasts():
    model = Autoregression(0.5, np.array([0.6, -0.2]))
    for row, first in zip(autoregressive(SERIES, TARGETS, model), TARGETS[:, 0], strict=True):
        known = list(SERIES[:first])
        for forecast in row:
            known.append(0.5 + 0.6 * known[-1] - 0.2 * known[-2])
            assert forecast == pytest.approx(known[-1], rel=1e-14)


def test_the_fit_finds_the_process_that_made_the_series():
    model = fit_autoregression(simulated([0.5, -0.4], 20_000, seed=0, constant=1.0), longest=6)
    # The standard error of a coefficient is about sqrt((1 - 0.4^2) / n) = 0.0065.
    expected = np.zeros(len(model.coefficients))
    expected[:2] = [0.5, -0.4]
    np.testing.assert_allclose(model.coefficients, expected, atol=0.03)
    assert model.constant == pytest.approx(1.0, abs=0.1)


def test_the_fit_is_least_squares():
    """A second route: the normal equations over the same lags."""
    series = simulated([0.7], 300, seed=1, constant=0.3)
    model = fit_autoregression(series, longest=1)
    design = np.c_[np.ones(299), series[:-1]]
    expected = np.linalg.lstsq(design, series[1:], rcond=None)[0]
    np.testing.assert_allclose([model.constant, *model.coefficients], expected, rtol=1e-8)


@pytest.mark.parametrize("period", [5, 12, 40])
def test_the_season_of_a_periodic_series_is_its_period(period):
    t = np.arange(600)
    noise = np.random.default_rng(period).normal(size=600)
    trend = 0.01 * t
    assert season_of(np.sin(2 * np.pi * t / period) + 0.01 * noise + trend) == pytest.approx(period, abs=1)


def test_a_straight_line_has_no_season():
    assert season_of(np.arange(50.0)) is None


def test_interval_of_independent_differences_is_the_usual_one():
    difference = np.random.default_rng(0).normal(0.3, 1.0, size=20_000)
    mean, half_width = paired_interval(difference, ahead=1)
    assert mean == pytest.approx(difference.mean(), abs=1e-12)
    # 27 covariances of independent numbers move the estimate of the variance by about 3 %.
    assert half_width == pytest.approx(1.96 / np.sqrt(20_000), rel=0.08)


def test_interval_covers_the_mean_of_dependent_differences():
    """Of a process with known mean, 0: the share of 400 intervals that hold it."""
    covered, usual = [], []
    for seed in range(400):
        difference = simulated([0.5], 400, seed)
        mean, half_width = paired_interval(difference, ahead=1)
        covered.append(abs(mean) <= half_width)
        usual.append(abs(mean) <= 1.96 * difference.std() / 20)
    assert 0.87 < np.mean(covered) < 0.98
    assert np.mean(usual) < 0.80  # what the interval of independent numbers covers: 74 % by theory
