import numpy as np
import pytest

from rnnexp.plotting import colour_scale

SCALES = [colour_scale.Scale(0, 1, colour_scale.AMOUNT), colour_scale.Scale(-2.0, 2.0, colour_scale.BALANCE)]


@pytest.mark.parametrize("scale", SCALES)
def test_text_is_readable_on_every_colour(scale):
    """At least 4.5, what the Web Content Accessibility Guidelines ask of small text."""
    for value in np.linspace(scale.low, scale.high, 101):
        background = scale(value)
        assert colour_scale.contrast(colour_scale.ink(background), background) >= 4.5


@pytest.mark.parametrize("scale", SCALES)
def test_ends_and_stops_have_their_colours(scale):
    for place, stop in enumerate(scale.stops):
        value = scale.low + (scale.high - scale.low) * place / (len(scale.stops) - 1)
        assert scale(value) == stop
    assert (scale(scale.low - 9), scale(scale.high + 9)) == (scale.stops[0], scale.stops[-1])


def test_halfway_is_the_mean_of_two_colours():
    assert colour_scale.Scale(0, 2, ("#000000", "#ffffff", "#ff0000"))(0.5) == "#808080"
    assert colour_scale.Scale(0, 2, ("#000000", "#ffffff", "#ff0000"))(1.5) == "#ff8080"


def test_a_scale_without_width_has_one_colour():
    assert colour_scale.Scale(1, 1, ("#000000", "#ffffff"))(1.0) == "#808080"


@pytest.mark.parametrize(
    ("first", "second", "expected"), [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48)]
)
def test_contrast_is_that_of_the_guidelines(first, second, expected):
    assert colour_scale.contrast(first, second) == pytest.approx(expected, abs=0.005)
    assert colour_scale.contrast(second, first) == colour_scale.contrast(first, second)
