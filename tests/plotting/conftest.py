import pytest
from matplotlib.figure import Figure


@pytest.fixture
def draw(tmp_path, monkeypatch):
    """Call a figure's function and return the figure that it wrote."""
    written: list[Figure] = []
    savefig = Figure.savefig

    def keep(figure, *args, **kwargs):
        written.append(figure)
        savefig(figure, *args, **kwargs, dpi=50)  # a quarter of the width: faster

    monkeypatch.setattr(Figure, "savefig", keep)

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
