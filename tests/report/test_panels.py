import math
import re

import numpy as np
import pytest

from rnnexp.report import chart
from rnnexp.report.axes import Axes
from rnnexp.report.curves import group_curves
from rnnexp.report.panels import loss_charts, profile_charts

AXES = Axes("seq_len", "activation", ())


def points(path):
    return np.array(
        [[float(number) for number in pair.split()] for pair in re.findall(r"[ML]([^ML]+)", path)]
    )


def test_a_rate_that_theory_predicts_exactly_lies_on_its_line(table, arrays):
    groups = table(
        {"activation": "tanh", "seq_len": 10, "predicted_rate": -0.2, "rate_bound": -0.4, "rate": -0.2}
    )
    (drawn,) = profile_charts(groups, AXES, {0: group_curves([arrays(-0.2, 10)], [None])})
    lines = {name: points(path) for name, path in drawn.lines}
    # Places are rounded to a tenth of a pixel.
    assert lines["end"][[0, -1]] == pytest.approx(lines["theory"], abs=0.11)
    assert lines["start"][[0, -1]] == pytest.approx(lines["bound"], abs=0.11)
    across, down = lines["end"].T
    assert np.polyfit(across, down, 1)[0] > 0  # a vanishing gradient falls, and y points down
    assert drawn.caption == "rate −0.2000, mean field −0.2000"


def test_groups_of_one_row_share_their_axis_and_small_changes_look_small(table, arrays):
    groups = table(*({"activation": a, "seq_len": n} for a in ("tanh", "relu") for n in (10, 100)))
    rates = {0: -0.2, 1: -0.9, 2: -0.001, 3: 0.001}
    curves = {
        index: group_curves([arrays(rate, n)], [None])
        for (index, rate), n in zip(rates.items(), groups["seq_len"], strict=True)
    }
    tanh_short, tanh_long, relu_short, relu_long = profile_charts(groups, AXES, curves)
    assert tanh_short.y_ticks == tanh_long.y_ticks != relu_short.y_ticks == relu_long.y_ticks
    assert [tick.label for tick in tanh_long.y_ticks] == ["−30", "−20", "−10", "0"]
    assert [tick.label for tick in relu_long.y_ticks] == ["−3", "−2", "−1", "0"]


def test_a_group_without_a_finite_rate_says_so(table, arrays):
    run = arrays(-0.2, 10)
    run["end_log_norm"] = np.full(10, np.nan)
    (drawn,) = profile_charts(
        table({"activation": "tanh", "seq_len": 10}), AXES, {0: group_curves([run], [None])}
    )
    assert drawn.caption == "no finite rate at the end"
    assert dict(drawn.lines)["end"] == ""


def test_the_floor_lies_at_its_height_and_the_loss_falls_below_it(table, arrays):
    groups = table({"learning": 2, "loss": 0.2, "floor_loss": 0.5})
    (drawn,) = loss_charts(groups, {0: group_curves([arrays(0.1, 5, clipped=0.5)], [None])})
    floor, curve = (points(dict(drawn.lines)[name]) for name in ("floor", "end"))
    assert floor[0, 1] == floor[1, 1]
    assert curve[0, 1] < floor[0, 1] < curve[-1, 1]
    # exp(-t/100) = 1/2 at t = 69.3; blocks of two steps blur that by one step, 1.3 pixels.
    crossing = np.interp(floor[0, 1], curve[:, 1], curve[:, 0])
    assert crossing == pytest.approx(chart.LEFT + 260 * 100 * math.log(2) / 200, abs=2)
    assert drawn.caption == "2 learning, loss 0.2"
    assert {mark.style for mark in drawn.marks} == {"validation"}
    assert drawn.strip[0].x == chart.LEFT
    assert drawn.strip[-1].x + drawn.strip[-1].width == pytest.approx(chart.LEFT + 130, abs=3)


def test_what_diverged_is_marked_inside_the_frame_and_leaves_the_axis_alone(table, arrays):
    whole, broken = arrays(0.1, 5), arrays(0.1, 5, diverged_at=50)
    broken["loss"][20:50] = 1e20
    curves = {0: group_curves([whole], [None]), 1: group_curves([broken], [50])}
    first, second = loss_charts(table({}, {"diverged": 1}), curves)
    assert first.y_ticks == second.y_ticks
    assert float(first.y_ticks[-1].label) <= 1
    (mark,) = (mark for mark in second.marks if mark.style == "diverged")
    assert chart.TOP <= mark.y <= chart.BOTTOM
    assert second.caption == "1 diverged"


def test_only_what_trained_has_a_loss(table, arrays):
    run = arrays(-0.2, 10)
    run |= {
        name: run[name][:0] for name in ("steps", "loss", "clipped", "validation_steps", "validation_loss")
    }
    assert loss_charts(table({}), {0: group_curves([run], [None])}) == []
    assert loss_charts(table({}), {}) == profile_charts(table({}), AXES, {}) == []


def test_where_everything_diverged_the_floor_is_still_there(table, arrays):
    groups = table({"diverged": 1, "floor_loss": 0.5})
    (drawn,) = loss_charts(groups, {0: group_curves([arrays(0.1, 5, diverged_at=50)], [50])})
    assert chart.TOP < points(dict(drawn.lines)["floor"])[0, 1] < chart.BOTTOM
