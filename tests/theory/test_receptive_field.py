import math

import numpy as np
import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.theory.receptive_field import effective_width


@pytest.mark.parametrize(("steps", "size"), [(1, 3), (4, 3), (10, 5), (3, 1)])
def test_the_width_is_that_of_a_sum_of_uniform_steps(steps, size):
    """A second route: the distribution itself, by convolving the uniform one with itself."""
    distribution = np.ones(1)
    for _ in range(steps):
        distribution = np.convolve(distribution, np.full(size, 1 / size))
    places = np.arange(len(distribution)) - (len(distribution) - 1) / 2
    assert effective_width(steps, size) == pytest.approx(math.sqrt(places**2 @ distribution), abs=1e-12)


def test_bad_arguments_are_named():
    with pytest.raises(ArgumentError, match="^time_steps: expected an integer of at least 1, received 0$"):
        effective_width(0, 3)
