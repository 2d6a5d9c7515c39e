import json
import math

import numpy as np
import pytest

from rnnexp.report.html.axes import Axes
from rnnexp.report.html.curves import group_curves
from rnnexp.report.html.panels import loss_charts, profile_charts

AXES = Axes("seq_len", "activation", ())


def traces(chart):
    """The traces of a chart by what they are; every figure is JSON."""
    figure = json.loads(json.dumps(chart.figure, allow_nan=False))
    return {trace["meta"]: trace for trace in figure["data"]}


def places(trace):
    if "x" in trace:
        return np.array(trace["x"])
    return trace["x0"] + np.arange(len(trace["y"])) * trace["dx"]


def test_a_rate_that_theory_predicts_exactly_lies_on_its_line(table, arrays):
    groups = table(
        {"activation": "tanh", "seq_len": 10, "predicted_rate": -0.2, "rate_bound": -0.4, "rate": -0.2}
    )
    (chart,) = profile_charts(groups, AXES, {0: group_curves([arrays(-0.2, 10)], [None])})
    drawn = traces(chart)
    for measured, theory, rate in (("end", "theory", -0.2), ("start", "bound", -0.4)):
        assert places(drawn[measured]) == pytest.approx(np.arange(10))
        assert drawn[measured]["y"] == pytest.approx(rate * np.arange(10) / math.log(10), abs=1e-3)
        assert drawn[theory]["x"] == [0, 9]
        assert drawn[theory]["y"] == pytest.approx([0, 9 * rate / math.log(10)], abs=1e-3)
    assert chart.caption == "rate −0.2000, mean field −0.2000"


def test_the_range_over_seeds_goes_with_the_median(table, arrays):
    seeds = [arrays(rate, 10) for rate in (-0.3, -0.1, -0.2)]
    groups = table({"activation": "tanh", "seq_len": 10})
    (chart,) = profile_charts(groups, AXES, {0: group_curves(seeds, [None] * 3)})
    end = traces(chart)["end"]
    for value, (low, high), lag in zip(end["y"], end["customdata"], range(10), strict=True):
        expected = np.array([-0.3, -0.2, -0.1]) * lag / math.log(10)
        assert [low, value, high] == pytest.approx(expected, abs=1e-3)
    (alone,) = profile_charts(groups, AXES, {0: group_curves(seeds[:1], [None])})
    assert "customdata" not in traces(alone)["end"]


def test_groups_of_a_row_share_an_axis_of_a_minimum_range(table, arrays):
    groups = table(*({"activation": a, "seq_len": n} for a in ("tanh", "relu") for n in (10, 100)))
    rates = {0: -0.2, 1: -0.9, 2: -0.001, 3: 0.001}
    curves = {
        index: group_curves([arrays(rate, n)], [None])
        for (index, rate), n in zip(rates.items(), groups["seq_len"], strict=True)
    }
    ranges = [chart.figure["y"]["range"] for chart in profile_charts(groups, AXES, curves)]
    assert ranges[0] == ranges[1] != ranges[2] == ranges[3]
    assert np.diff(ranges[0]) == pytest.approx(33, abs=0.1)
    assert np.diff(ranges[2]) == pytest.approx(3.3, abs=0.1)


def test_a_group_without_a_finite_rate_says_so(table, arrays):
    run = arrays(-0.2, 10)
    run["end_log_norm"] = np.full(10, np.nan)
    groups = table({"activation": "tanh", "seq_len": 10})
    (chart,) = profile_charts(groups, AXES, {0: group_curves([run], [None])})
    assert chart.caption == "no finite rate at the end"
    assert traces(chart)["end"]["y"] == [None] * 10


def test_loss_chart_shows_floor_validations_and_clipping(table, arrays):
    groups = table({"learning": 2, "loss": 0.2, "floor_loss": 0.5})
    (chart,) = loss_charts(groups, {0: group_curves([arrays(0.1, 5, clipped=0.5)], [None])})
    drawn = traces(chart)
    # exp(-t/100) = 1/2 at t = 69.3; a block of two steps is shown one step late.
    crossing = np.interp(-0.5, -np.array(drawn["loss"]["y"]), places(drawn["loss"]))
    assert crossing == pytest.approx(100 * math.log(2) + 0.5, abs=0.1)
    assert drawn["floor"]["y"] == [0.5, 0.5]
    assert chart.figure["x"] == drawn["floor"]["x"] == [0, 200]
    assert (drawn["validation"]["x"], drawn["validation"]["text"]) == ([100, 200], ["0.4", "0.2"])
    assert drawn["clipped"]["y"] == [1] * 25 + [0] * 25
    assert places(drawn["clipped"])[[0, 24, 49]] == pytest.approx([2, 98, 198])
    assert chart.caption == "2 learning, loss 0.2"
    assert chart.figure["y"]["type"] == "log"


def test_what_diverged_is_marked_inside_the_frame(table, arrays):
    whole, broken = arrays(0.1, 5), arrays(0.1, 5, diverged_at=50)
    broken["loss"][20:50] = 1e20
    curves = {0: group_curves([whole], [None]), 1: group_curves([broken], [50])}
    first, second = loss_charts(table({}, {"diverged": 1}), curves)
    assert first.figure["y"] == second.figure["y"]
    mark = traces(second)["diverged"]
    assert (mark["x"], mark["text"]) == ([50], ["1e+20"])
    low, high = (10**end for end in second.figure["y"]["range"])
    assert low < mark["y"][0] < high
    assert second.caption == "1 diverged"
    assert "diverged" not in traces(first)


def test_only_what_trained_has_a_loss(table, arrays):
    run = arrays(-0.2, 10)
    run |= {
        name: run[name][:0] for name in ("steps", "loss", "clipped", "validation_steps", "validation_loss")
    }
    assert loss_charts(table({}), {0: group_curves([run], [None])}) == []
    assert loss_charts(table({}), {}) == profile_charts(table({}), AXES, {}) == []
