import pytest
from matplotlib.figure import Figure

from rnnexp.plotting import style


@pytest.fixture
def draw(tmp_path, monkeypatch):
    """Call a figure's function and return the figure that it wrote."""
    written: list[Figure] = []
    write_png = style._write_png

    def keep(figure, canvas, path):
        written.append(figure)
        write_png(figure, canvas, path)

    monkeypatch.setattr(style, "_write_png", keep)
    monkeypatch.setattr(style, "DPI", 50)  # a quarter of the width: faster

    def call(plot, *args, **kwargs):
        path = tmp_path / "figure.png"
        plot(path, *args, **kwargs)
        assert path.read_bytes().startswith(b"\x89PNG")
        return written[-1]

    return call


@pytest.fixture
def line():
    """Return the data of the line whose label starts as given."""

    def find(axes, label):
        (found,) = [line for line in axes.get_lines() if str(line.get_label()).startswith(label)]
        return found.get_xdata(), found.get_ydata()

    return find
