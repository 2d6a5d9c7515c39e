import math

import pandas as pd
import pytest

from rnnexp.plotting.colour_scale import AMOUNT, BALANCE, Scale
from rnnexp.report.html.axes import Axes
from rnnexp.report.html.phase_diagram import diagrams, quantities, reach

AXES = Axes("seq_len", "activation", ("clip",))


@pytest.fixture
def groups(table):
    return table(
        {
            "activation": "tanh",
            "seq_len": 10,
            "clip": "none",
            "solved": 3,
            "rate": -0.1,
            "loss": 0.25,
            "n": 3,
        },
        {
            "activation": "tanh",
            "seq_len": 20,
            "clip": "none",
            "solved": 0,
            "rate": 0.4,
            "diverged": 2,
            "failed": 1,
        },
        {"activation": "relu", "seq_len": 10, "clip": "none", "solved": 1, "rate": -0.4, "loss": 5.0},
        {"activation": "relu", "seq_len": 20, "clip": "norm", "n": 0, "running": 3},
    )


def cells(panel):
    """The cells of a diagram, row by row, without the empty ones."""
    return [cell for _, row in panel.rows for cell in row if cell is not None]


def test_every_group_is_in_its_place_and_others_are_empty(groups):
    none, norm = diagrams(groups, AXES, quantities(groups))
    assert (none.title, norm.title, none.columns, norm.columns) == (
        "clip none",
        "clip norm",
        ["10", "20"],
        ["10", "20"],
    )
    places = {
        (panel.title, y, x): cell.group
        for panel in (none, norm)
        for y, row in panel.rows
        for x, cell in zip(panel.columns, row, strict=True)
        if cell is not None
    }
    assert places == {
        ("clip none", "tanh", "10"): 0,
        ("clip none", "tanh", "20"): 1,
        ("clip none", "relu", "10"): 2,
        ("clip norm", "relu", "20"): 3,
    }


def test_a_cell_says_and_shows_each_quantity(groups):
    solved, diverged, mixed = cells(diagrams(groups, AXES, quantities(groups))[0])
    assert solved.texts["success"] == ("3 of 3", "[10, 90] %")
    assert solved.texts["loss"] == ("50 %", "0.25")
    assert solved.texts["rate"] == ("−0.1000", "")
    assert solved.colours["success"][0] == Scale(0, 1, AMOUNT)(1.0)
    assert mixed.colours["success"][0] == Scale(0, 1, AMOUNT)(1 / 3)
    assert mixed.colours["loss"][0] == Scale(0, 1, AMOUNT[::-1])(1.0)
    assert diverged.colours["rate"][0] == Scale(-0.4, 0.4, BALANCE)(0.4)
    assert (solved.notes, solved.diverged) == ("", False)
    assert (diverged.notes, diverged.diverged) == ("2 diverged, 1 failed", True)
    assert "loss" not in diverged.colours


def test_a_group_without_a_verdict_has_no_colour(groups):
    (cell,) = cells(diagrams(groups, AXES, quantities(groups))[1])
    assert (cell.texts["success"][0], cell.colours, cell.notes) == ("–", {}, "3 running")


def test_only_what_some_group_has_is_offered(groups, table):
    assert [quantity.name for quantity in quantities(groups)] == ["success", "rate", "loss"]
    clipped = groups.assign(clip_fraction=[0.0, 0.0, 0.0, 0.5])
    assert [quantity.name for quantity in quantities(clipped)] == ["success", "rate", "loss", "clip"]
    assert [quantity.name for quantity in quantities(table({}))] == ["success"]


def test_a_legend_names_the_ends(groups):
    legends = {each.name: (each.legend.low, each.legend.high) for each in quantities(groups)}
    assert legends == {"success": ("0 %", "100 %"), "rate": ("−0.4000", "0.4000"), "loss": ("0 %", "100 %")}


def test_one_key_is_one_row_and_no_key_one_cell(groups):
    (panel,) = diagrams(groups[:2], Axes("seq_len", None, ()), quantities(groups))
    assert [(name, len(row)) for name, row in panel.rows] == [("", 2)]
    (panel,) = diagrams(groups[:1], Axes(None, None, ()), quantities(groups))
    assert [(name, len(row)) for name, row in panel.rows] == [("", 1)]


def test_the_reach_is_the_largest_finite_size():
    assert reach(pd.Series([-3.0, 2.0, math.inf, math.nan])) == 3.0
    assert reach(pd.Series([], dtype=float)) == reach(pd.Series([0.0])) == 1.0
