import sys
import types

import pytest
from rich.console import Console

from rnnexp.report.terminal import progress


@pytest.fixture
def cell(monkeypatch):
    """What a cell shows, one entry an output: each is a list of the texts that took its place in turn."""
    outputs: list[list[str]] = []

    class Handle:
        def __init__(self, texts):
            self._texts = texts

        def update(self, data, raw):
            assert raw
            self._texts.append(data["text/plain"])

    def display(data, raw, display_id):
        assert raw and display_id
        outputs.append([data["text/plain"]])
        return Handle(outputs[-1])

    module = types.ModuleType("IPython.display")
    module.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return outputs


def test_a_notebook_shows_one_line_twice_a_second_at_most(cell):
    now = 0.0
    with progress(100, console=Console(force_jupyter=True), clock=lambda: now) as shown:
        for step in range(1, 101):
            now = step / 10
            shown.update(step, loss=1 / step, gradient_norm=2.0)
    (line,) = cell
    assert 19 <= len(line) <= 21  # 10 seconds
    assert line[0] == "step 1/100  loss 1.000  grad 2.00e+00  10 steps/s  9.9 s left"
    assert line[-1] == "step 100/100  loss 0.01000  grad 2.00e+00  10 steps/s  in 10 s"
