import re

import pytest
from PIL import Image

from rnnexp.plotting.phase_diagram import Diagram, Key, Tile, draw

KEY = Key("runs solved", ["#eef3f8", "#0b5a94"], "0 %", "100 %")
DIVERGED = Tile("0 of 2", "[0, 66] %", "#eef3f8", "#000000", hatched=True)
ROWS: list[tuple[str, list[Tile | None]]] = [
    ("tanh", [Tile("2 of 2", "[34, 100] %", "#0b5a94", "#ffffff"), None]),
    ("relu", [DIVERGED, Tile("1", "", "#4a93c9", "#000000")]),
]


def test_every_tile_has_its_colour_number_and_interval(tmp_path):
    path = tmp_path / "figure.svg"
    draw([Diagram("clip none", ["10", "20"], ROWS)], KEY, ("seq_len", "activation"), path, "a sweep")
    text = path.read_text()
    words = re.findall(r"<text[^>]*>([^<]+)</text>", text)
    assert {"2 of 2", "[34, 100] %", "0 of 2", "[0, 66] %", "1", "10", "20", "tanh", "relu"} <= set(words)
    assert {"clip none", "seq_len", "activation", "runs solved", "0 %", "100 %", "a sweep"} <= set(words)
    fills = re.findall(r"fill: (#[0-9a-f]{6}); stroke: #ffffff", text)
    assert sorted(fills) == ["#0b5a94", "#4a93c9", "#eef3f8"]  # and none where nothing was run
    assert text.count("<pattern") == 1


@pytest.mark.parametrize(("panels", "wider", "higher"), [(2, True, False), (4, True, True)])
def test_panels_stand_three_in_a_row(tmp_path, panels, wider, higher):
    one = [Diagram("", ["10", "20"], ROWS)]
    for name, diagrams in (("one", one), ("more", one * panels)):
        draw(diagrams, KEY, ("seq_len", "activation"), tmp_path / f"{name}.png")
    with Image.open(tmp_path / "one.png") as small, Image.open(tmp_path / "more.png") as large:
        assert (large.width > 1.5 * small.width, large.height > 1.5 * small.height) == (wider, higher)
