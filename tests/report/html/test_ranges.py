import math

import numpy as np
import pytest

from rnnexp.report.html.curves import group_curves
from rnnexp.report.html.ranges import Range, loss_range, profile_range, with_margin


@pytest.mark.parametrize(("low", "high"), [(0.5, 1.0), (0.0, 10.0), (-3.0, 1.0), (2.0, 2.0)])
def test_a_range_is_linear_where_a_logarithm_says_nothing(low, high):
    found = with_margin(low, high, positive=True)
    assert not found.log
    assert found.low < low <= high < found.high
    assert low - found.low == pytest.approx(found.high - high)


def test_a_logarithmic_range_has_equal_factors_at_both_ends():
    found = with_margin(1e-3, 10.0, positive=True)
    assert found.log
    assert -3 - found.low == pytest.approx(found.high - 1) == pytest.approx(0.2)
    assert not with_margin(1e-3, 10.0).log


@pytest.mark.parametrize("found", [Range(-1.0, 3.0), Range(-2.0, 2.0, log=True)])
def test_what_lies_beyond_is_shown_inside_the_frame(found):
    low, high = (10.0**end if found.log else end for end in (found.low, found.high))
    assert low < found.inside(-1e9) < found.inside(1.0) == 1.0 < found.inside(1e9) < high


@pytest.mark.parametrize(
    ("rate", "decades"), [(-0.001, 3), (0.001, 3), (-0.5, 49.5 / math.log(10)), (-0.9, 30)]
)
def test_profiles_show_3_to_30_decades(arrays, rate, decades):
    run = arrays(rate, 100)
    run["start_log_norm"] = run["end_log_norm"]
    found = profile_range([group_curves([run], [None])])
    assert (found.high - found.low) / 1.1 == pytest.approx(decades, rel=1e-6)
    assert found.low < 0 < found.high


def test_a_loss_bound_for_infinity_leaves_the_frame(arrays):
    whole, broken = arrays(0.1, 5), arrays(0.1, 5, diverged_at=50)
    broken["loss"][20:50] = 1e20
    curves = [group_curves([whole], [None]), group_curves([broken], [50])]
    found = loss_range(np.array([0.5]), curves)
    assert found == loss_range(np.array([0.5]), curves[:1])
    assert found.log and 0.5 < 10**found.high < 2


def test_without_a_loss_the_floor_is_shown(arrays):
    curves = [group_curves([arrays(0.1, 5, diverged_at=50)], [50])]
    found = loss_range(np.array([0.5]), curves)
    assert found.log and 10**found.low < 0.05 < 0.5 < 5.0 < 10**found.high
    assert loss_range(np.array([np.nan]), curves).low < 0 < 1 < loss_range(np.array([np.nan]), curves).high
