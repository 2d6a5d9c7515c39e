import numpy as np
import pytest
from drawn_arrays import draw_spectrum

from rnnexp.runtime.checks import ArgumentError

ROTATION = np.array([0.6 + 0.8j, 0.6 - 0.8j, 0.5])


def words(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_eigenvalues_are_hollow_at_start_and_filled_at_end(draw):
    axes = draw(draw_spectrum, ROTATION, 2 * ROTATION).axes[0]
    start, end = [line for line in axes.get_lines() if line.get_marker() == "o"]
    np.testing.assert_array_equal(start.get_xdata() + 1j * start.get_ydata(), ROTATION)
    np.testing.assert_array_equal(end.get_xdata() + 1j * end.get_ydata(), 2 * ROTATION)
    assert start.get_markerfacecolor() == "none" and end.get_markerfacecolor() != "none"


def test_the_radius_is_in_the_legend(draw):
    figure = draw(draw_spectrum, ROTATION, 2 * ROTATION, 2.5)
    assert words(figure) == [
        r"before, $\rho$ = 1.00",
        r"after, $\rho$ = 2.00",
        "unit circle",
        r"$\sigma_\mathrm{max}$ = 2.50",
    ]


def test_circles_have_their_radius_and_one_scale_on_both_axes(draw, line):
    axes = draw(draw_spectrum, ROTATION, ROTATION, 1.5).axes[0]
    for name, radius in [("unit circle", 1.0), (r"$\sigma", 1.5)]:
        np.testing.assert_allclose(np.hypot(*line(axes, name)), radius, rtol=1e-12)
    assert axes.get_aspect() == 1
    assert axes.get_xlim() == axes.get_ylim() and axes.get_xlim()[1] > 1.5


def test_a_far_larger_sigma_max_is_noted_outside_the_axes(draw):
    figure = draw(draw_spectrum, ROTATION, ROTATION, 100.0)
    assert figure.axes[0].get_xlim()[1] < 1.2
    assert r"$\sigma_\mathrm{max}$ = 100 (outside)" in words(figure)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 50.0])
def test_every_eigenvalue_and_the_unit_circle_are_inside(draw, scale):
    low, high = draw(draw_spectrum, scale * ROTATION).axes[0].get_xlim()
    assert -low == high > max(1.0, scale)


def test_eigenvalues_that_are_not_finite_are_named(draw):
    figure = draw(draw_spectrum, ROTATION, np.full(3, complex(np.nan, np.nan)), np.nan)
    assert words(figure) == [r"before, $\rho$ = 1.00", "after: not finite", "unit circle"]


def test_eigenvalues_are_one_axis(tmp_path):
    with pytest.raises(ArgumentError, match="start_eigenvalues: expected a non-empty array of 1 axes"):
        draw_spectrum(tmp_path / "figure.png", np.eye(2))
