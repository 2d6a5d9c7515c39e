from typing import Any

import numpy as np
import pytest

from rnnexp.nn.cells.conv_elman import ConvElman
from rnnexp.nn.initializers import GlorotUniform, Orthogonal
from rnnexp.probes.receptive_field import receptive_fields, width
from rnnexp.theory.linear import effective_width

SIDE, CHANNELS = 11, 8


def cell(seed, activation="tanh", channels=CHANNELS):
    made: Any = ConvElman().build(
        SIDE**2 * channels, activation, GlorotUniform(seed=2 * seed), Orthogonal(seed=2 * seed + 1), "float64"
    )
    made.build((None, SIDE**2))
    return made


def test_a_field_is_that_of_central_differences():
    made, image = cell(0, channels=2), np.random.default_rng(0).normal(size=SIDE**2)
    fields = receptive_fields(made, image, 3)

    def centre(first):
        states: Any = made.get_initial_state(1)
        for x in (first, image, image):
            output, states = made(x[None], states)
        return output.numpy().reshape(SIDE, SIDE, 2)[SIDE // 2, SIDE // 2]

    size = 1e-6
    for pixel in (SIDE * 5 + 5, SIDE * 4 + 6, SIDE * 2 + 7, 0):
        change = size * np.eye(SIDE**2)[pixel]
        slope = (centre(image + change) - centre(image - change)) / (2 * size)
        # Central differences of a smooth function in float64 are good to about 1e-9 here.
        assert fields[2].ravel()[pixel] == pytest.approx(np.sum(slope**2), abs=1e-8)


def test_nothing_is_heard_from_beyond_the_reach():
    fields = receptive_fields(cell(1), np.zeros(SIDE**2), 4)
    rows, columns = np.indices((SIDE, SIDE)) - SIDE // 2
    for steps, field in enumerate(fields, start=1):
        assert (field[np.maximum(abs(rows), abs(columns)) > steps] == 0).all()
        assert field[SIDE // 2 + steps, SIDE // 2] > 0


def test_the_width_of_random_networks_is_that_of_theory():
    """In the mean over 12 networks with few channels, of which each is off by some 10 %."""
    image = np.zeros(SIDE**2)
    fields = np.mean([receptive_fields(cell(seed, "linear"), image, 5) for seed in range(12)], axis=0)
    for steps, field in enumerate(fields, start=1):
        assert width(field) == pytest.approx(effective_width(steps, 3), rel=0.06)
