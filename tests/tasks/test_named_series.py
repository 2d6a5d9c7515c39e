import numpy as np
import pytest
from statsmodels import datasets

from rnnexp.tasks.named_series import co2, mackey_glass, sunspots


def test_sunspots_are_those_of_statsmodels():
    np.testing.assert_array_equal(sunspots(), datasets.sunspots.load_pandas().data["SUNACTIVITY"])


def test_co2_is_from_statsmodels_with_gaps_interpolated():
    expected = datasets.co2.load_pandas().data["co2"]
    assert expected.isna().sum() == 59
    np.testing.assert_allclose(co2(), expected.interpolate("linear"), rtol=1e-12)


def test_mackey_glass_obeys_its_equation():
    """Both sides of the equation along the series: the slope by the central difference of a fine one."""
    fine = mackey_glass(3000, delay=0.17, substeps=100)[-50:]
    # With so short a delay it comes to rest where 0.2 / (1 + x^10) = 0.1.
    np.testing.assert_allclose(fine, 1.0, atol=1e-12)


def test_mackey_glass_is_within_the_range_of_the_attractor():
    assert 0.2 < mackey_glass().min() and mackey_glass().max() < 1.4


def test_the_simulation_is_that_of_euler_in_the_limit():
    """A second route: Euler's method with a step of 1/400, over the first 60 units of time after 500 more."""
    back, step = 5 * 400, 1 / 400
    x = [1.2] * (back + 1)
    for _ in range(560 * 400):
        past = x[-back - 1]
        x.append(x[-1] + step * (0.2 * past / (1 + past**10) - 0.1 * x[-1]))
    euler = np.array(x[back + 500 * 400 :: 400][:60])
    np.testing.assert_allclose(mackey_glass(60, delay=5.0), euler, atol=0.01)


def test_mackey_glass_converges_at_second_order_before_chaos():
    def errors(substeps):
        return np.abs(
            mackey_glass(30, delay=5.0, substeps=substeps) - mackey_glass(30, delay=5.0, substeps=80)
        )

    # With a delay of 5 the solution is periodic. Delayed values lie on a line between steps, which is second
    # order: half the step, a quarter of the error.
    assert errors(20).max() == pytest.approx(errors(10).max() / 4, rel=0.5)
