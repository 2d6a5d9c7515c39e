import numpy as np
import pytest
from drawn_arrays import draw_spectrum_history

from rnnexp.runtime.checks import ArgumentError

STEPS = np.arange(10) * 50
RADIUS = np.linspace(1, 1.5, 10)
SIGMA = np.linspace([2.0, 1.0, 0.5], [4.0, 1.5, 0.2], 10)
NONNORMALITY = np.linspace(0.1, 0.6, 10)
HISTORY = (STEPS, RADIUS, SIGMA, NONNORMALITY)


def test_curves_are_what_was_measured(draw, line):
    above, below = draw(draw_spectrum_history, *HISTORY).axes
    np.testing.assert_array_equal(line(above, r"$\sigma_\mathrm{max}$"), [STEPS, SIGMA[:, 0]])
    np.testing.assert_array_equal(line(above, "spectral radius"), [STEPS, RADIUS])
    np.testing.assert_array_equal(below.get_lines()[0].get_xydata(), np.transpose([STEPS, NONNORMALITY]))
    assert line(above, "1")[1] == [1, 1]
    assert above.get_ylim()[0] == 0 and below.get_ylim()[0] == 0 and below.get_ylim()[1] > 1
    assert below.get_xlabel() == "training step"


def test_bands_hold_the_middle_of_the_singular_values(draw):
    above = draw(draw_spectrum_history, *HISTORY).axes[0]
    narrow, wide = (band.get_paths()[0].vertices[:, 1] for band in above.collections)
    # Linear between three order statistics: 25 % is half-way up from the lowest.
    assert narrow.min() == pytest.approx((0.5 + 1.0) / 2)
    assert narrow.max() == pytest.approx((1.5 + 4.0) / 2)
    assert wide.max() == pytest.approx(0.9 * 4.0 + 0.1 * 1.5)
    assert wide.min() == pytest.approx(0.9 * 0.2 + 0.1 * 1.5)


@pytest.mark.parametrize(("factor", "scale"), [(1.0, "linear"), (100.0, "log")])
def test_axis_is_log_where_one_singular_value_dominates(draw, factor, scale):
    above = draw(draw_spectrum_history, STEPS, RADIUS, SIGMA * [factor, 1, 1], NONNORMALITY).axes[0]
    assert above.get_yscale() == scale


def test_looks_that_are_not_finite_are_gaps(draw, line):
    sigma = np.where(np.arange(10)[:, np.newaxis] < 7, SIGMA, np.nan)
    above = draw(draw_spectrum_history, STEPS, RADIUS, sigma, NONNORMALITY).axes[0]
    assert np.isfinite(line(above, r"$\sigma_\mathrm{max}$")[1]).sum() == 7
    assert above.collections[0].get_paths()[0].vertices[:, 0].max() == STEPS[6]


def test_shapes_are_checked(tmp_path):
    path = tmp_path / "figure.png"
    with pytest.raises(ArgumentError, match="spectrum_steps: expected 10 strictly increasing step numbers"):
        draw_spectrum_history(path, STEPS[:9], RADIUS, SIGMA, NONNORMALITY)
    with pytest.raises(ArgumentError, match=r"spectral_radius: expected an array of shape \(10,\), received"):
        draw_spectrum_history(path, STEPS, RADIUS[:3], SIGMA, NONNORMALITY)
    with pytest.raises(ArgumentError, match=r"nonnormality: expected an array of shape \(10,\), received"):
        draw_spectrum_history(path, STEPS, RADIUS, SIGMA, NONNORMALITY[:3])
    with pytest.raises(ArgumentError, match="singular_values: expected a non-empty array of 2 axes"):
        draw_spectrum_history(path, STEPS, RADIUS, RADIUS, NONNORMALITY)


def test_one_look_is_a_point(draw):
    above, below = draw(draw_spectrum_history, [0], [1.0], [[1.0, 0.5]], [0.3]).axes
    assert [each.get_marker() for each in (*above.get_lines()[:2], *below.get_lines())] == ["o"] * 3
