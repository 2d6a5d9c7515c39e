import statistics

import numpy as np
import pytest
from drawn_arrays import draw_heatmap

from rnnexp.plotting.gradient_heatmap import cell_edges, colour_range, pooled, time_ticks
from rnnexp.runtime.checks import ArgumentError

MIXED = (20, 30)
"""Lengths that make the heat map show lags."""


def legend_words(figure):
    legend = figure.axes[0].get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def test_pooling_is_the_median_of_consecutive_blocks():
    values = np.random.default_rng(0).normal(size=(1201, 3))
    cells = pooled(values)
    assert cells.shape == (400, 3)
    expected, start = [], 0
    for block in range(400):
        size = 4 if block < 1201 - 3 * 400 else 3
        expected.append([statistics.median(values[start : start + size, t]) for t in range(3)])
        start += size
    np.testing.assert_array_equal(cells, expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_non_finite_value_marks_its_cell(bad):
    values = np.zeros((4000, 2))
    values[1234, 1] = bad
    (row, column) = np.argwhere(np.isnan(pooled(values)))[0]
    assert (row, column) == (123, 1)
    assert np.isnan(pooled(values)).sum() == 1


def test_a_cell_is_zero_where_half_its_block_is():
    values = np.zeros((4000, 1))
    values[:5], values[10:14] = -np.inf, -np.inf
    cells = pooled(values)
    assert cells[0, 0] == -np.inf
    assert cells[1, 0] == 0


def test_few_values_are_drawn_as_they_are():
    values = np.random.default_rng(0).normal(size=(400, 5))
    np.testing.assert_array_equal(pooled(values), values)


@pytest.mark.parametrize("count", [1, 2, 7, 400, 401, 20_000])
def test_every_step_lies_in_its_own_cell(count):
    steps = np.cumsum(np.random.default_rng(0).integers(1, 50, size=count))
    edges = cell_edges(steps)
    blocks = np.array_split(steps, min(count, 400))
    assert len(edges) == len(blocks) + 1
    assert np.all(np.diff(edges) > 0)
    for low, high, block in zip(edges[:-1], edges[1:], blocks, strict=True):
        assert low < block[0] and block[-1] < high


def test_colours_leave_out_outliers_and_span_a_decade():
    low, high = colour_range(np.linspace(0, 100, 1001))
    assert low == pytest.approx(0.5) and high == pytest.approx(99.5)
    assert colour_range(np.full((3, 3), -2.0)) == (-2.5, -1.5)
    assert colour_range(np.full((3, 3), np.nan)) == (-0.5, 0.5)


@pytest.mark.parametrize("steps", [*range(1, 30), 50, 100, 784, 1000, 5000])
def test_time_ticks_hold_both_ends_and_stay_apart(steps):
    ticks = time_ticks(steps)
    assert ticks[0] == 1 and ticks[-1] == steps
    assert len(ticks) <= 10
    assert steps == 1 or min(np.diff(ticks)) >= 0.04 * steps


def test_h_1_is_at_the_bottom(draw):
    figure = draw(draw_heatmap, np.arange(3), np.zeros((3, 9)))
    low, high = figure.axes[0].get_ylim()
    assert low < 1 < 9 < high
    mesh = figure.axes[0].collections[0]
    assert mesh.get_array().shape == (9, 3)


def test_values_are_where_their_step_and_time_are(draw):
    values = np.arange(12.0).reshape(3, 4)
    mesh = draw(draw_heatmap, [10, 20, 30], values).axes[0].collections[0]
    np.testing.assert_allclose(mesh.get_array(), values.T, rtol=1e-15)


def test_marks_have_a_legend_only_when_present(draw):
    values = np.zeros((5, 5))
    assert legend_words(draw(draw_heatmap, np.arange(5), values)) == []
    values[0, 0] = -np.inf
    assert legend_words(draw(draw_heatmap, np.arange(5), values)) == ["exactly zero"]
    values[1, 1] = np.nan
    assert legend_words(draw(draw_heatmap, np.arange(5), values)) == ["exactly zero", "not finite"]


def test_without_a_finite_value_there_is_no_colour_bar(draw):
    assert len(draw(draw_heatmap, [1, 2], np.zeros((2, 3))).axes) == 2
    assert len(draw(draw_heatmap, [1, 2], np.full((2, 3), np.nan)).axes) == 1


def test_a_long_run_is_drawn(draw):
    values = np.random.default_rng(0).normal(size=(100_000, 20)).astype(np.float32)
    mesh = draw(draw_heatmap, np.arange(100_000), values).axes[0].collections[0]
    assert mesh.get_array().shape == (20, 400)


def test_sequences_of_several_lengths_are_shown_by_lag(draw):
    """What is no step is blank, marks nothing and does not count in a block."""
    values = np.zeros((800, 30))
    values[::2, :10], values[0, 29] = np.nan, -np.inf
    figure = draw(draw_heatmap, np.arange(800), values, lengths=MIXED)
    axes = figure.axes[0]
    cells = axes.collections[0].get_array()
    assert cells.shape == (30, 400)
    assert not np.ma.getmaskarray(cells)[:10].any()
    assert axes.get_ylabel().startswith("lag")
    shown = zip(axes.get_yticklabels(), axes.get_yticks(), strict=True)
    lags = {int(label.get_text()): place for label, place in shown}
    assert (lags[0], lags[29]) == (30, 1)
    assert legend_words(figure) == ["exactly zero"]
    values[1::2, :10] = np.nan
    blank = draw(draw_heatmap, np.arange(800), values, lengths=MIXED).axes[0].collections[0].get_array()
    assert np.ma.getmaskarray(blank)[:10].all()
    assert legend_words(draw(draw_heatmap, np.arange(800), np.full((800, 3), np.inf), lengths=MIXED)) == [
        "not finite"
    ]


def test_shapes_must_match(tmp_path):
    with pytest.raises(ArgumentError, match="steps: expected 3 strictly increasing step numbers"):
        draw_heatmap(tmp_path / "figure.png", np.arange(2), np.zeros((3, 4)))
    with pytest.raises(ArgumentError, match="log_norms: expected a non-empty array of 2 axes"):
        draw_heatmap(tmp_path / "figure.png", np.arange(2), np.zeros(2))
