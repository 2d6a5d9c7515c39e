import numpy as np
import pytest

from rnnexp.plotting.gradient_flow import Panel, gradient_flow
from rnnexp.runtime.checks import ArgumentError

T, B = 30, 20


def panel(log_norms, **options):
    with np.errstate(divide="ignore"):
        rms = 0.5 * np.log(np.mean(np.exp(2 * log_norms), axis=1))
    chosen = {
        "fitted": np.full(len(log_norms), np.nan),
        "summary": "stable",
        "go_backwards": False,
        **options,
    }
    return Panel("lstm  h", log_norms, rms, **chosen)


@pytest.fixture
def log_norms():
    return -0.1 * np.arange(T)[::-1, None] + np.random.default_rng(0).normal(size=(T, B))


def curve(axes, name):
    return next(line for line in axes.lines if line.get_label() == name)


def test_rms_and_fit_are_drawn_in_decades_against_the_step(log_norms):
    fitted = -0.1 * np.arange(T)[::-1]
    (axes,) = gradient_flow([panel(log_norms, fitted=fitted)]).axes
    steps, heights = curve(axes, "rms over samples").get_data()
    np.testing.assert_array_equal(steps, np.arange(1, T + 1))
    np.testing.assert_allclose(100**heights, np.mean(np.exp(2 * log_norms), axis=1), rtol=1e-12)
    np.testing.assert_allclose(10 ** curve(axes, "fit").get_ydata(), np.exp(fitted), rtol=1e-12)


def test_the_band_holds_eight_of_ten_samples(log_norms):
    (axes,) = gradient_flow([panel(log_norms)]).axes
    vertices = np.asarray(axes.collections[0].get_paths()[0].vertices)
    at_5 = vertices[vertices[:, 0] == 5, 1]
    expected = np.percentile(log_norms[4] / np.log(10), [10, 90])
    np.testing.assert_allclose([at_5.min(), at_5.max()], expected, rtol=1e-12)


def test_zeros_and_what_is_not_finite_are_marked_at_the_edges(log_norms):
    log_norms[3], log_norms[7] = -np.inf, np.inf
    (axes,) = gradient_flow([panel(log_norms)]).axes
    assert list(curve(axes, "zero").get_xdata()) == [4]
    assert list(curve(axes, "not finite").get_xdata()) == [8]
    assert np.isnan(curve(axes, "rms over samples").get_ydata()[[3, 7]]).all()


def test_every_state_has_its_panel_and_says_which_way_it_goes(log_norms):
    figure = gradient_flow([panel(log_norms), panel(log_norms, go_backwards=True), panel(log_norms)])
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert ["last input first" in title for title in titles] == [False, True, False]
    assert all(title.endswith("stable") for title in titles)
    assert [bool(axes.get_xlabel()) for axes in figure.axes] == [False, True, True]


def test_nothing_finite_and_single_steps_are_drawn_too():
    figure = gradient_flow([panel(np.full((4, 2), -np.inf)), panel(np.zeros((1, 1)))])
    assert len(figure.axes) == 2


def test_the_same_arrays_give_the_same_bytes(tmp_path, log_norms):
    paths = [tmp_path / name for name in ("a.png", "b.png")]
    for path in paths:
        gradient_flow([panel(log_norms)], path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_no_panels_and_arrays_of_other_lengths_are_refused(log_norms):
    with pytest.raises(ArgumentError, match=r"^panels: expected at least one, received \[\]"):
        gradient_flow([])
    with pytest.raises(ArgumentError, match="30 steps in every array"):
        gradient_flow([panel(log_norms, fitted=np.zeros(3))])
