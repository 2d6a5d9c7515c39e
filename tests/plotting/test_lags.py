import numpy as np
import pytest

from rnnexp.plotting import lag_contributions
from rnnexp.probes import LagContributions
from rnnexp.runtime.checks import ArgumentError

T = 40
LN10 = np.log(10)


def geometric(rate, offset=0.0, steps=T):
    """Contributions that change by `rate` nats a lag, and end with the zero of h_0 = 0."""
    log_norm = offset + rate * np.arange(steps)
    log_norm[-1] = -np.inf
    return log_norm


def cumulative(log_norm):
    return LagContributions(log_norm, np.full(len(log_norm), np.nan), 0.0).cumulative


def words(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_lag_sizes_are_in_decades_without_the_zero_last_lag(draw, line):
    axes = draw(lag_contributions, geometric(-0.2, 1.0), geometric(0.1)).axes[0]
    lags, decades = line(axes, "before")
    np.testing.assert_array_equal(lags, np.arange(T - 1))
    np.testing.assert_allclose(decades, (1.0 - 0.2 * lags) / LN10, rtol=1e-14)
    np.testing.assert_allclose(line(axes, "after")[1], 0.1 * lags / LN10, rtol=1e-14)
    assert words(axes) == ["before", "after"]


def test_the_part_within_a_lag_and_the_median_lag_are_below(draw, line):
    start, end = geometric(-0.2), geometric(0.0)
    axes = draw(lag_contributions, start, end).axes[1]
    curves = [each.get_ydata() for each in axes.get_lines() if len(each.get_xdata()) == T]
    np.testing.assert_array_equal(curves, [cumulative(start), cumulative(end)])
    # 0.8187^(K+1) <= 1/2 at K = 3; of 39 equal contributions the 20th is at lag 19.
    assert words(axes) == ["median lag 3", "median lag 19"]
    assert line(axes, "median lag 3")[1] == cumulative(start)[3] >= 0.5 > cumulative(start)[2]


def test_the_prediction_is_a_line_through_lag_zero_of_the_start(draw, line):
    axes = draw(lag_contributions, geometric(-0.2, 3.0), geometric(0.1), predicted_rate=-0.5).axes[0]
    lags, heights = line(axes, "mean field −0.5000 nats per step")
    np.testing.assert_allclose(heights, (3.0 - 0.5 * lags) / LN10, rtol=1e-13)
    low, high = axes.get_ylim()
    assert heights.min() < low  # the range is that of what is measured
    assert low < (3.0 - 0.2 * (T - 2)) / LN10 and high > 0.1 * (T - 2) / LN10


@pytest.mark.parametrize("rate", [None, np.nan])
def test_a_rate_that_is_not_known_is_not_drawn(draw, rate):
    assert words(draw(lag_contributions, geometric(-0.2), predicted_rate=rate).axes[0]) == ["before"]


def test_zeros_and_non_finite_values_are_marked_at_the_edges(draw, line):
    start, end = geometric(-0.1), geometric(-0.1)
    start[30:] = -np.inf
    end[35:] = np.nan
    above, below = draw(lag_contributions, start, end).axes
    np.testing.assert_array_equal(line(above, "before: zero")[0], np.arange(30, T - 1))
    np.testing.assert_array_equal(line(above, "after: not finite")[0], np.arange(35, T))
    assert words(below) == ["median lag 6"]


@pytest.mark.parametrize(("value", "word"), [(np.nan, "before: not finite"), (-np.inf, "before: zero")])
def test_contributions_without_a_number_are_named(draw, value, word):
    above, below = draw(lag_contributions, np.full(T, value), predicted_rate=-0.1).axes
    assert words(above) == [word]
    assert below.get_legend() is None


def test_y_spans_at_least_a_decade(draw):
    low, high = draw(lag_contributions, geometric(0.0)).axes[0].get_ylim()
    assert low <= -0.5 and high >= 0.5


def test_norms_are_one_axis(tmp_path):
    square = np.zeros((2, 2))
    with pytest.raises(ArgumentError, match=r"log_norm: expected .* 1 axes, received 'shape \(2, 2\)'"):
        lag_contributions(tmp_path / "figure.png", square)


def test_one_step_is_a_point(draw, line):
    above, below = draw(lag_contributions, np.zeros(1)).axes
    assert [list(values) for values in line(above, "before")] == [[0], [0]]
    assert [each.get_marker() for each in below.get_lines() if len(each.get_xdata()) == 1] == ["o", "D"]
