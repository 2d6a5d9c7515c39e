import numpy as np
import pytest

from rnnexp.plotting import hidden_states, style
from rnnexp.plotting.states import symmetric_ticks
from rnnexp.probes import measure_states
from rnnexp.runtime.checks import ArgumentError

T = 12


def states(scale=1.0, seed=0):
    values = scale * np.random.default_rng(seed).normal(size=(T, 4, 6))
    return measured(np.tanh(values), values, 1 - np.tanh(values) ** 2)


def measured(*arrays):
    return vars(measure_states(*arrays))


def words(axes):
    legend = axes.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def labels(figure):
    return [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]


def test_start_is_left_and_end_is_right_in_colours_of_their_own(draw):
    figure = draw(hidden_states, states(), states(2.0))
    assert len(figure.axes) == 8
    for axes, colour in zip(figure.axes, [style.START, style.END] * 4, strict=True):
        assert {line.get_color() for line in axes.get_lines()} == {colour}
    assert [axes.get_legend().get_title().get_text() for axes in figure.axes[:2]] == [
        "before training",
        "after training",
    ]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()


def test_lines_and_bands_are_what_was_measured(draw, line):
    found = states()
    axes = draw(hidden_states, found).axes
    assert len(axes) == 4
    np.testing.assert_array_equal(line(axes[0], "median")[0], np.arange(1, T + 1))
    np.testing.assert_array_equal(line(axes[0], "median")[1], found["pre_activation_quantiles"][:, 2])
    np.testing.assert_array_equal(line(axes[1], "median")[1], found["state_quantiles"][:, 2])
    bands = {band.get_label(): band.get_paths()[0].vertices[:, 1] for band in axes[1].collections}
    for name, (low, high) in {"25-75 %": (1, 3), "5-95 %": (0, 4)}.items():
        edges = found["state_quantiles"][:, [low, high]]
        assert (bands[name].min(), bands[name].max()) == (edges.min(), edges.max())
    np.testing.assert_array_equal(line(axes[2], "saturated")[1], found["saturated"])
    np.testing.assert_array_equal(line(axes[2], "dead")[1], found["dead"])
    np.testing.assert_array_equal(line(axes[3], "effective rank")[1], found["effective_rank"])
    np.testing.assert_array_equal(line(axes[3], "participation")[1], found["participation_ratio"])


def test_shares_span_0_to_1_and_dimensions_start_at_0(draw):
    axes = draw(hidden_states, states()).axes
    low, high = axes[2].get_ylim()
    assert low < 0 and high > 1
    assert axes[3].get_ylim()[0] == 0


def test_rows_of_which_nothing_is_known_are_left_out(draw):
    figure = draw(hidden_states, measured(np.ones((T, 2, 3))))
    assert labels(figure) == ["state $h_t$", "dimension of $h_t$"]
    figure = draw(hidden_states, measured(np.ones((T, 1, 3))))
    assert labels(figure) == ["state $h_t$"]


def test_steps_that_are_not_finite_are_marked(draw, line):
    values = np.ones((T, 2, 3))
    values[5:] = np.inf
    axes = draw(hidden_states, measured(values)).axes[0]
    np.testing.assert_array_equal(line(axes, "not finite")[0], np.arange(6, T + 1))
    assert words(axes) == ["median", "25-75 %", "5-95 %", "not finite"]


def test_a_figure_without_a_number_still_says_so(draw):
    figure = draw(hidden_states, measured(np.full((T, 2, 3), np.nan)))
    assert "not finite" in words(figure.axes[0])


@pytest.mark.parametrize(("scale", "kind"), [(1.0, "linear"), (1e6, "symlog")])
def test_large_quantiles_get_a_logarithmic_axis(draw, scale, kind):
    axes = draw(hidden_states, states(), states(scale)).axes
    assert axes[0].get_yscale() == axes[1].get_yscale() == kind
    assert axes[2].get_yscale() == "linear"


@pytest.mark.parametrize("reach", [11.0, 99.0, 100.0, 1e3, 5e7, 1e300])
def test_ticks_are_few_and_inside(reach):
    ticks = symmetric_ticks(-reach, reach)
    assert ticks == sorted(ticks) and 3 <= len(ticks) <= 5
    assert 0.0 in ticks and ticks[-1] == -ticks[0] <= reach


def test_a_field_has_its_axes(tmp_path):
    broken = states() | {"saturated": np.ones((2, 2))}
    with pytest.raises(ArgumentError, match=r"saturated: expected .* 1 axes, received 'shape \(2, 2\)'"):
        hidden_states(tmp_path / "figure.png", broken)


def test_one_step_is_a_point(draw, line):
    axes = draw(hidden_states, measured(np.random.default_rng(0).normal(size=(1, 3, 4)))).axes
    for each, name in zip(axes, ["median", "effective rank"], strict=True):
        (drawn,) = [one for one in each.get_lines() if one.get_label() == name]
        assert drawn.get_marker() == "o" and len(drawn.get_xdata()) == 1
