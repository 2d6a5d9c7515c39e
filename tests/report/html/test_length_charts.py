import json
import math

import numpy as np
import pytest

from rnnexp.report.html.curves import group_curves, read_arrays
from rnnexp.report.html.panels import length_charts


def scored(arrays, errors, **changes):
    found = {
        "lengths": np.array([100, 1000]),
        "length_error": np.array(errors),
        "length_floor_error": np.array([0.75, 0.8]),
        "criterion": np.array(0.01),
        "trained_lengths": np.array([50, 200]),
    }
    return arrays(-0.2, 10) | found | changes


def drawn(table, *runs):
    curves = {0: group_curves(runs, [None] * len(runs))}
    (chart,) = length_charts(table({"activation": "tanh"}), curves)
    figure = json.loads(json.dumps(chart.figure, allow_nan=False))
    return chart, figure, {trace["meta"]: trace for trace in figure["data"]}


def test_the_error_over_seeds_stands_at_its_lengths(table, arrays):
    chart, figure, traces = drawn(table, *(scored(arrays, [e, 0.5 + e]) for e in (0.3, 0.1, 0.2)))
    assert traces["error"]["x"] == [100, 1000]
    assert traces["error"]["y"] == [0.2, 0.7]
    assert traces["error"]["customdata"] == [[0.1, 0.3], [0.6, 0.8]]
    assert traces["floor"]["y"] == [0.75, 0.8]
    assert traces["trained"]["x"] == [50, 200]
    assert chart.caption == "error 70 % at 1,000"
    low, high = figure["x"]
    assert low < math.log10(50) < math.log10(1000) < high


def test_what_was_not_scored_has_no_chart(table, arrays):
    assert length_charts(table({"activation": "tanh"}), {0: group_curves([arrays(-0.2, 10)], [None])}) == []
    _, _, traces = drawn(table, arrays(-0.2, 10), scored(arrays, [0.1, 0.2], criterion=np.array(math.nan)))
    assert traces.keys() == {"trained", "floor", "error"}


@pytest.mark.parametrize("more", [{}, {"lengths": np.array([5])}])
def test_arrays_of_lengths_are_read_where_they_are(arrays, tmp_path, more):
    np.savez(tmp_path / "run.npz", **arrays(-0.2, 10), **more)
    assert ("lengths" in read_arrays(tmp_path / "run.npz")) == bool(more)
