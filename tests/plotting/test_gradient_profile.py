import numpy as np
import pytest
from matplotlib.legend import Legend

from rnnexp.plotting import gradient_profile
from rnnexp.plotting.gradient_profile import ratio_by_lag, y_range
from rnnexp.runtime.checks import ArgumentError

T = 50
LN10 = np.log(10)


def geometric(rate, level=-2.0):
    """log10 of e^(rate * lag), first h_1."""
    return level + rate / LN10 * np.arange(T)[::-1]


def words(figure):
    return [text.get_text() for text in figure.axes[0].findobj() if hasattr(text, "get_text")]


def test_the_ratio_is_that_to_the_last_step_by_lag():
    norms = np.array([1e-6, 1e-4, 1e-1])
    np.testing.assert_allclose(ratio_by_lag("x", np.log10(norms)), [0, -3, -5], atol=1e-12)


@pytest.mark.parametrize("last", [np.nan, np.inf, -np.inf])
def test_without_a_reference_no_ratio_is_finite(last):
    ratio = ratio_by_lag("x", np.array([-np.inf, 1.0, last]))
    assert not np.isfinite(ratio).any()
    assert ratio[2] == -np.inf


def test_measured_values_are_drawn_by_lag(draw, line):
    axes = draw(gradient_profile, geometric(-0.1), geometric(0.02)).axes[0]
    lags, start = line(axes, "before")
    _, end = line(axes, "after")
    np.testing.assert_array_equal(lags, np.arange(T))
    np.testing.assert_allclose(10**start, np.exp(-0.1 * lags), rtol=1e-12)
    np.testing.assert_allclose(10**end, np.exp(0.02 * lags), rtol=1e-12)


def test_every_layer_is_a_line(draw, line):
    upper = [geometric(-0.3), geometric(-0.2)]
    axes = draw(gradient_profile, geometric(-0.1), geometric(0.02), upper=upper, rate=0.02).axes[0]
    for name, rate in (("layer 1 after", 0.02), ("layer 2 after", -0.3), ("layer 3 after", -0.2)):
        lags, heights = line(axes, name)
        np.testing.assert_allclose(10**heights, np.exp(rate * lags), rtol=1e-12)
    titles = [each.get_title().get_text() for each in axes.findobj(Legend)]
    assert titles == ["training", "layer 1 rate (nats per step)"]
    low, high = axes.get_ylim()
    assert low < -0.3 * (T - 1) / LN10 and high > 0


def test_theory_grows_by_its_rate_from_lag_0(draw, line):
    rates = {"predicted_rate": -0.09, "rate_measured_slopes": -0.11, "rate_bound": 0.2}
    axes = draw(gradient_profile, geometric(-0.1), **rates).axes[0]
    for name, rate in [("mean field", -0.09), ("measured slopes", -0.11), ("upper bound", 0.2)]:
        lags, heights = line(axes, name)
        np.testing.assert_allclose(10**heights, np.exp(rate * lags), rtol=1e-12)


def test_the_fit_is_the_least_squares_line_over_what_is_finite(draw, line):
    measured = geometric(-0.1) + np.random.default_rng(0).normal(scale=0.1, size=T)
    measured[:10], measured[20] = -np.inf, np.nan
    ratio = measured[::-1] - measured[-1]
    usable = np.isfinite(ratio)
    slope, intercept = np.polyfit(np.arange(T)[usable], ratio[usable], 1)
    axes = draw(gradient_profile, geometric(0.3), measured, rate=slope * LN10).axes[0]
    lags, fitted = line(axes, "fit")
    np.testing.assert_allclose(fitted, intercept + slope * lags, atol=1e-10)


def test_the_interval_is_in_the_legend_with_true_minus_signs(draw):
    figure = draw(gradient_profile, geometric(-0.1), rate=-0.1, rate_low=-0.1234, rate_high=-0.09)
    assert "fit −0.1000 [−0.1234, −0.0900]" in words(figure)
    assert "rate (nats per step)" in words(figure)


def test_nothing_is_drawn_of_what_is_not_measured(draw):
    for absent in (None, np.nan):
        fit, theory = (
            ("rate", "rate_low", "rate_high"),
            ("predicted_rate", "rate_measured_slopes", "rate_bound"),
        )
        names = (*fit, *theory)
        figure = draw(gradient_profile, geometric(-0.1), **dict.fromkeys(names, absent))
        assert len(figure.axes[0].get_lines()) == 1
        assert "rate (nats per step)" not in words(figure)


def test_y_follows_the_measured_values_whatever_the_theory(draw):
    figure = draw(gradient_profile, geometric(-0.1), predicted_rate=-5.0, rate_bound=7.0)
    low, high = figure.axes[0].get_ylim()
    span = 0.1 * (T - 1) / LN10
    assert low < -span and high > 0
    assert high - low < 1.7 * span


def test_y_spans_at_least_a_decade():
    low, high = y_range([np.zeros(5)], [np.zeros(0)])
    assert low <= -0.5 and high >= 0.5


def test_zeros_and_non_finite_values_are_marked_at_the_edges(draw, line):
    measured = geometric(-0.1)
    measured[:3], measured[5] = -np.inf, np.nan
    axes = draw(gradient_profile, measured).axes[0]
    np.testing.assert_array_equal(line(axes, "before: zero")[0], [T - 3, T - 2, T - 1])
    np.testing.assert_array_equal(line(axes, "before: not finite")[0], [T - 6])


@pytest.mark.parametrize(("value", "word"), [(np.nan, "after: not finite"), (-np.inf, "after: zero")])
def test_a_profile_without_a_number_is_named(draw, value, word):
    assert word in words(draw(gradient_profile, geometric(-0.1), np.full(T, value), rate=0.1))


def test_a_profile_is_one_axis(tmp_path):
    with pytest.raises(ArgumentError, match=r"log10_norm_end: expected .* 1 axes, received 'shape \(2, 2\)'"):
        gradient_profile(tmp_path / "figure.png", np.zeros(2), np.zeros((2, 2)))
