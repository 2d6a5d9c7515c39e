import numpy as np
import pytest

from rnnexp.probes.states import measure_states
from rnnexp.probes.units import Units, measure_units
from rnnexp.runtime.checks import ArgumentError


def naive(slopes):
    steps, samples, units = slopes.shape
    saturated, dead = 0, 0
    for unit in range(units):
        alive = False
        for step in range(steps):
            for sample in range(samples):
                slope = float(slopes[step, sample, unit])
                saturated += abs(slope) < 0.01
                alive = alive or slope != 0.0
        dead += not alive
    return saturated / slopes.size, dead / units


def test_shares_agree_with_a_loop_over_every_unit():
    rng = np.random.default_rng(0)
    slopes = rng.choice([-0.02, -0.005, 0.0, 0.009, 0.5], size=(3, 2, 40), p=[0.1, 0.1, 0.6, 0.1, 0.1])
    measured = measure_units(slopes)
    assert (measured.saturated, measured.dead) == pytest.approx(naive(slopes), abs=1e-15)
    assert 0 < measured.dead < measured.saturated < 1


def test_a_unit_that_lives_once_is_not_dead():
    slopes = np.zeros((5, 4, 2))
    slopes[3, 1, 0] = 1e-30
    assert measure_units(slopes) == Units(saturated=1.0, dead=0.5)


def test_tanh_saturates_where_the_state_leaves_one_hundredth():
    edge = np.arctanh(np.sqrt(0.99))
    slopes = 1 - np.tanh(np.array([[[edge - 1e-6, edge + 1e-6, -edge - 1e-6, 0.0]]])) ** 2
    assert measure_units(slopes).saturated == 0.5


def test_float32_is_taken():
    assert measure_units(np.ones((2, 2, 2), np.float32)) == Units(saturated=0.0, dead=0.0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_non_finite_slope_makes_both_nan(value):
    slopes = np.ones((2, 2, 2))
    slopes[0, 1, 0] = value
    measured = measure_units(slopes)
    assert np.isnan(measured.saturated)
    assert np.isnan(measured.dead)


@pytest.mark.parametrize("shape", [(3, 4), (0, 2, 2), (2, 0, 2), (2, 2, 0)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ArgumentError, match=r"slopes: expected a non-empty array \(T, B, H\), received"):
        measure_units(np.zeros(shape))


def test_shares_of_a_step_are_those_of_the_step_alone():
    rng = np.random.default_rng(0)
    slopes = rng.choice([-0.02, -0.005, 0.0, 0.5], size=(6, 2, 40), p=[0.1, 0.1, 0.6, 0.2])
    over_time = measure_states(slopes, slopes=slopes)
    for step in range(6):
        shares = over_time.saturated[step], over_time.dead[step]
        assert shares == pytest.approx(naive(slopes[step : step + 1]), abs=1e-15)
    whole = measure_units(slopes)
    assert over_time.saturated.mean() == pytest.approx(whole.saturated, abs=1e-15)
    assert whole.dead < over_time.dead.min()


def test_a_non_finite_slope_makes_its_step_nan():
    slopes = np.ones((3, 2, 2))
    slopes[1, 1, 0] = np.inf
    found = measure_states(np.ones((3, 2, 2)), slopes=slopes)
    np.testing.assert_array_equal([found.saturated, found.dead], [[0, np.nan, 0], [0, np.nan, 0]])
