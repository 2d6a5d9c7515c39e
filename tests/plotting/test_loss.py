import numpy as np
import pytest
from drawn_arrays import draw_loss

from rnnexp.plotting.loss import outline, running_median
from rnnexp.runtime.checks import ArgumentError

STEPS = np.arange(100) * 10


def words(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_the_outline_keeps_the_extremes_of_every_stretch():
    steps = np.arange(54_321)
    values = np.random.default_rng(0).normal(size=steps.size)
    shown_steps, shown = outline(steps, values)
    assert len(shown) <= 2000
    np.testing.assert_array_equal(values[shown_steps], shown)
    assert np.all(np.diff(shown_steps) > 0)
    for stretch in range(0, steps.size - 200, 5000):
        inside = (shown_steps >= stretch) & (shown_steps < stretch + 200)
        assert shown[inside].max() >= np.sort(values[stretch : stretch + 200])[-60]
    assert shown.max() == values.max() and shown.min() == values.min()


def test_a_short_curve_is_its_own_outline():
    values = np.random.default_rng(0).normal(size=2000)
    np.testing.assert_array_equal(outline(np.arange(2000), values)[1], values)


@pytest.mark.parametrize("count", [1, 2, 30, 100, 5000])
def test_the_running_median_is_that_of_a_fiftieth_of_the_run(count):
    values = np.random.default_rng(0).normal(size=count)
    at, medians = running_median(np.arange(count), values)
    half = int(count / 100)
    for step, value in zip(at, medians, strict=True):
        window = sorted(v for k, v in enumerate(values) if abs(k - step) <= half)
        middle = (window[(len(window) - 1) // 2] + window[len(window) // 2]) / 2
        assert value == middle
    assert at[0] == 0 and at[-1] == count - 1 and len(at) <= 400


def test_non_finite_losses_are_omitted_and_divergence_marked(draw, line):
    loss = np.where(STEPS < 600, 0.2, np.nan)
    above, below = draw(draw_loss, STEPS, loss, 1 / 6, diverged_at=600).axes
    assert line(above, "training")[0].max() == 590
    assert line(above, "diverged")[0] == [600, 600]
    assert "diverged at step 600" in words(above)
    assert [600, 600] in [list(each.get_xdata()) for each in below.get_lines()]


@pytest.mark.parametrize(
    ("loss", "floor", "scale"),
    [
        (np.geomspace(1, 0.01, 100), 1.0, "log"),
        (np.linspace(1.0, 1.2, 100), 1.1, "linear"),
        (np.geomspace(1, 0.01, 100), 0.0, "linear"),
        (np.geomspace(1, 0.01, 100) - 0.01, np.nan, "linear"),
    ],
)
def test_log_scale_needs_positive_values_and_half_a_decade(draw, loss, floor, scale):
    assert draw(draw_loss, STEPS, loss, floor).axes[0].get_yscale() == scale


def test_floor_unit_and_validation_are_named(draw, line):
    validation = {"validation_steps": np.array([100, 500]), "validation_loss": np.array([0.5, np.inf])}
    figure = draw(draw_loss, STEPS, np.ones(100), 1 / 6, **validation)
    axes = figure.axes[0]
    assert axes.get_ylabel() == "loss (nats)"
    assert words(axes) == ["training", "running median", "validation", "best constant guess 0.1667"]
    np.testing.assert_array_equal(line(axes, "validation"), [[100], [0.5]])


def test_a_floor_that_is_not_known_is_not_drawn(draw):
    assert words(draw(draw_loss, STEPS, np.ones(100)).axes[0]) == ["training", "running median"]


def test_the_lower_panel_shows_norms_and_threshold(draw, line):
    before = np.linspace(0, 5, 100)
    after = np.minimum(before, 1)
    figure = draw(draw_loss, STEPS, np.ones(100), global_norm=before, clipped_norm=after, clip_threshold=1.0)
    axes = figure.axes[1]
    assert words(axes) == ["before clipping", "after clipping", "threshold 1"]
    # A zero has no logarithm.
    np.testing.assert_array_equal(line(axes, "before clipping")[1], before[1:])
    np.testing.assert_array_equal(line(axes, "after clipping")[1], after[1:])
    assert axes.get_yscale() == "log"


def test_norms_that_clipping_left_alone_are_drawn_once(draw):
    norms = np.append(np.ones(99), np.nan)
    axes = draw(draw_loss, STEPS, np.ones(100), global_norm=norms, clipped_norm=norms).axes[1]
    assert words(axes) == ["never clipped"]


def test_arguments_are_checked(tmp_path):
    path = tmp_path / "figure.png"
    with pytest.raises(ArgumentError, match="validation_loss: expected as many losses as steps, received"):
        draw_loss(path, STEPS, np.ones(100), validation_steps=np.arange(2), validation_loss=np.ones(3))
    with pytest.raises(ArgumentError, match=r"clipped_norm: expected an array of shape \(100,\)"):
        draw_loss(path, STEPS, np.ones(100), clipped_norm=np.ones(99))
    with pytest.raises(ArgumentError, match="steps: expected 99 strictly increasing step numbers"):
        draw_loss(path, STEPS, np.ones(99))
