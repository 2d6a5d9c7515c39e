"""The page is run as it stands. `python tests/flow/test_page.py` draws its figure anew."""

import re
from pathlib import Path

import keras
import matplotlib.image
import pytest

from rnnexp.flow import GradientFlow, GradientFlowMonitor

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "gradient_flow.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, flags=re.DOTALL)
FIGURE = "gradient_flow.png"
NUMBER = re.compile(r"-?\d+\.\d+")


def run_page() -> dict[str, object]:
    """Run the code of the page, which draws its figure in the working folder; return its names."""
    names: dict[str, object] = {}
    for language, code in BLOCKS:
        if language == "python":
            exec(compile(code, "docs/gradient_flow.md", "exec"), names)
    return names


def test_the_page_prints_and_draws_what_it_shows(working_folder: Path, capsys: pytest.CaptureFixture):
    keras.backend.clear_session()  # which numbers layers from 0
    names = run_page()
    assert isinstance(names["flow"], GradientFlow)
    assert isinstance(names["monitor"], GradientFlowMonitor)
    (said,) = [text for language, text in BLOCKS if language == ""]
    *lines, steps = capsys.readouterr().out.splitlines()
    assert [steps] == re.findall(r"# (\[0, .*\])", PAGE)
    assert len(lines) == len(said.splitlines())
    for line, expected in zip(lines, said.splitlines(), strict=True):
        assert NUMBER.sub("N", line).split() == NUMBER.sub("N", expected).split()
        numbers, those = ([float(number) for number in NUMBER.findall(text)] for text in (line, expected))
        assert numbers == pytest.approx(those, abs=0.02)
    shown, drawn = (matplotlib.image.imread(folder / FIGURE) for folder in (DOCS, working_folder))
    assert shown.shape == drawn.shape
    # Fonts and rounding differ between machines, and little else may.
    assert abs(shown - drawn).mean() < 0.01


def test_the_page_is_short():
    assert len(PAGE.splitlines()) < 80


if __name__ == "__main__":
    import os

    os.chdir(DOCS)
    run_page()
    Path("flow.csv").unlink()
