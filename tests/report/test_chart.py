import math

import numpy as np
import pytest

from rnnexp.report import chart


def test_a_linear_axis_is_a_rule_of_three():
    axis = chart.x_axis(0, 24)
    assert axis(np.array([0.0, 24.0, 6.0])) == pytest.approx(
        [chart.LEFT, chart.RIGHT, chart.LEFT + 0.25 * 260]
    )


def test_a_logarithmic_axis_has_equal_distances_for_equal_factors():
    axis = chart.y_axis(1e-3, 10.0, positive=True)
    assert axis.log
    assert np.diff(axis(np.array([1e-3, 1e-2, 1e-1, 1.0, 10.0]))) == pytest.approx(
        [axis(1.0) - axis(0.1)] * 4
    )
    assert np.isnan(axis(np.array([0.0, -1.0]))).all()


@pytest.mark.parametrize(("low", "high"), [(0.5, 1.0), (0.0, 10.0), (-3.0, 1.0)])
def test_an_axis_is_linear_where_a_logarithm_says_nothing(low, high):
    axis = chart.y_axis(low, high, positive=True)
    assert not axis.log
    assert axis.low < low < high < axis.high


@pytest.mark.parametrize(
    ("low", "high"), [(0, 24), (0, 4999), (-31.5, 1.5), (-0.013, 0.02), (0, 1e7), (2.0, 2.5), (0.0, 1e-9)]
)
def test_ticks_are_round_few_and_inside(low, high):
    ticks = chart.linear_ticks(low, high)
    assert 2 <= len(ticks) <= 7
    assert low <= ticks[0]
    assert ticks[-1] <= high
    (step,) = {float(f"{distance:.9g}") for distance in np.diff(ticks)}
    assert f"{step:e}"[0] in "125"
    assert float(f"{step:e}".partition("e")[0]) in (1.0, 2.0, 5.0)


@pytest.mark.parametrize(("low", "high"), [(0.01, 1.0), (1e-12, 1e3), (0.02, 0.3), (0.4, 2.9), (3.1, 12.0)])
def test_logarithmic_ticks_are_round_few_and_inside(low, high):
    ticks = chart.log_ticks(low, high)
    assert 2 <= len(ticks) <= 8
    assert all(low <= tick <= high for tick in ticks)
    assert all(float(f"{tick:e}".partition("e")[0]) in (1.0, 2.0, 5.0) for tick in ticks)


def test_an_axis_without_width_has_a_tick():
    assert chart.linear_ticks(3.0, 3.0) == [3.0]
    assert math.isfinite(float(chart.x_axis(3.0, 3.0)(3.0)))


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (1000.0, "1,000"), (2e6, "2e+06"), (-0.5, "−0.5"), (1e-7, "1e−07")]
)
def test_labels_are_short(value, text):
    assert chart.Axis(value, value, 0, 1).ticks()[0].label == text


def test_an_area_leaves_out_what_is_not_finite():
    x = np.arange(3)
    assert chart.area(x, np.array([1, np.nan, 1]), np.array([2.0, 2, 3])) == "M0 1L2 1L2 3L0 2Z"
    assert chart.area(x, np.full(3, np.nan), np.ones(3)) == ""
