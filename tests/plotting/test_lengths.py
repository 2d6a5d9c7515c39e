import numpy as np
import pytest

from rnnexp.plotting import lengths
from rnnexp.plotting.arrays import Arrays
from rnnexp.runtime.checks import ArgumentError


def arrays(**changes):
    usual = {
        "lengths": np.array([100, 1000, 5000]),
        "length_error": np.array([0.004, 0.2, 0.7]),
        "length_floor_error": np.full(3, 0.75),
        "length_loss": np.array([0.02, 0.5, 1.3]),
        "length_loss_half_width": np.full(3, 0.01),
        "length_floor_loss": np.full(3, np.log(4)),
        "trained_lengths": np.array([50, 200]),
        "criterion": np.array(0.01),
        "loss_unit": np.array("nats"),
    }
    return Arrays(usual | changes)


@pytest.fixture
def drawn(draw):
    """Draw, and return the axes."""
    return lambda **changes: draw(lambda path: lengths.draw(arrays(**changes), path)).axes


def test_scores_stand_at_their_lengths(drawn):
    upper, lower = drawn()
    np.testing.assert_array_equal(upper.lines[0].get_xydata(), [[100, 0.004], [1000, 0.2], [5000, 0.7]])
    np.testing.assert_array_equal(lower.lines[0].get_xydata(), [[100, 0.02], [1000, 0.5], [5000, 1.3]])
    assert upper.get_xscale() == lower.get_xscale() == "log"
    labels = upper.get_legend_handles_labels()[1]
    assert labels == ["trained network", "best constant guess", "criterion, 1 %", "trained on"]


def test_without_a_criterion_there_is_no_line(drawn):
    upper, _ = drawn(criterion=np.array(np.nan), trained_lengths=np.array([100, 100]))
    assert "criterion" not in str(upper.get_legend_handles_labels()[1])


def test_without_lengths_there_is_nothing_to_draw(tmp_path):
    with pytest.raises(ArgumentError, match="lengths"):
        lengths.draw(arrays(lengths=np.zeros(0)), tmp_path / "lengths.png")
