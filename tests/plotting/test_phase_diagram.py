import re

import pytest
from PIL import Image

from rnnexp.plotting.phase_diagram import Cell, Legend, Panel, draw

LEGEND = Legend("runs solved", ["#eef3f8", "#0b5a94"], "0 %", "100 %")


def cell(number, below, background, ink, **more):
    return Cell(0, "", {"success": (number, below)}, {"success": (background, ink)}, **more)


ROWS: list[tuple[str, list[Cell | None]]] = [
    ("tanh", [cell("2 of 2", "[34, 100] %", "#0b5a94", "#ffffff"), None]),
    (
        "relu",
        [
            cell("0 of 2", "[0, 66] %", "#eef3f8", "#000000", diverged=True),
            cell("1", "", "#4a93c9", "#000000"),
        ],
    ),
]
PANEL = Panel("clip none", ["10", "20"], ROWS)
KEYS = ("seq_len", "activation")


def test_every_cell_has_its_colour_number_and_interval(tmp_path):
    path = tmp_path / "figure.svg"
    draw([PANEL], "success", LEGEND, KEYS, path)
    text = path.read_text()
    words = re.findall(r"<text[^>]*>([^<]+)</text>", text)
    assert {"2 of 2", "[34, 100] %", "0 of 2", "[0, 66] %", "1", "10", "20", "tanh", "relu"} <= set(words)
    assert {"clip none", "seq_len", "activation", "runs solved", "0 %", "100 %"} <= set(words)
    fills = re.findall(r"fill: (#[0-9a-f]{6}); stroke: #ffffff", text)
    assert sorted(fills) == ["#0b5a94", "#4a93c9", "#eef3f8"]  # and none where nothing was run
    assert text.count("<pattern") == 1


@pytest.mark.parametrize(("panels", "wider", "higher"), [(2, True, False), (4, True, True)])
def test_panels_stand_three_in_a_row(tmp_path, panels, wider, higher):
    for name, count in (("one", 1), ("more", panels)):
        draw([PANEL] * count, "success", LEGEND, KEYS, tmp_path / f"{name}.png")
    with Image.open(tmp_path / "one.png") as small, Image.open(tmp_path / "more.png") as large:
        assert (large.width > 1.5 * small.width, large.height > 1.5 * small.height) == (wider, higher)


def test_a_group_without_a_value_is_white(tmp_path):
    nothing = Cell(0, "", {"success": ("–", "")}, {})
    draw([Panel("", [""], [("", [nothing])])], "success", LEGEND, ("", ""), tmp_path / "figure.svg")
    assert "fill: #ffffff; stroke: #ffffff" in (tmp_path / "figure.svg").read_text()
