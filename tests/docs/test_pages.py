"""The pages of docs/ are run as they stand. `python tests/docs/test_pages.py` draws their figures anew."""

import contextlib
import re
import sys
import tempfile
from pathlib import Path

import matplotlib.image
import numpy as np
import PIL.Image
import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
COMMENT = re.compile(r"^print\(.*\)  # (.*)$", flags=re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
NUMBER = re.compile(r"-?\d+\.\d+")

LONGEST = {"extending": 400, "metrics": 170, "speed": 150, "theory": 150, "verdict": 150}
"""Of pages that show whole modules, or tables to look things up in."""

each_page = pytest.mark.parametrize("name", PAGES)


def code_of(name: str) -> str:
    """The code of a page, all blocks in one."""
    return "\n".join(body for language, body in BLOCK.findall(PAGES[name]) if language == "python")


def run_page(name: str) -> None:
    """Run the code of a page, in one namespace; it draws its figure in the working folder."""
    code = code_of(name)
    if "keras" in code:
        import keras

        keras.backend.clear_session()  # which numbers layers from 0
    exec(compile(code, f"docs/{name}.md", "exec"), {})


def shown_text(name: str) -> list[str]:
    """The lines that a page says its code prints: untagged blocks, and comments after print()."""
    lines: list[str] = []
    for language, body in BLOCK.findall(PAGES[name]):
        if language == "":
            lines += body.splitlines()
        elif language == "python":
            lines += COMMENT.findall(body)
    return lines


def drawn_figures(name: str) -> list[str]:
    """The figures of a page that its own code draws."""
    return [
        link for link in LINK.findall(PAGES[name]) if link.endswith(".png") and f'"{link}"' in code_of(name)
    ]


def pixels(path: Path) -> np.ndarray:
    """A figure as (height, width, RGB), from 0 to 1."""
    return matplotlib.image.imread(path)[:, :, :3]


def share_of_other_ink(shown: np.ndarray, drawn: np.ndarray) -> float:
    """Blocks of 8 x 8 pixels that differ clearly in the mean, over blocks that are not white.

    Rounding, which chaos amplifies, moves a curve by a pixel; that is no difference.
    """
    one, other = _block_means(shown), _block_means(drawn)
    ink = np.minimum(one, other).min(axis=2) < 0.9
    return float(np.sum(np.abs(one - other).max(axis=2) > 0.2) / ink.sum())


def _block_means(picture: np.ndarray) -> np.ndarray:
    height, width, _ = picture.shape
    whole = picture[: height // 8 * 8, : width // 8 * 8]
    return whole.reshape(height // 8, 8, width // 8, 8, 3).mean(axis=(1, 3))


@pytest.mark.parametrize("name", [name for name in PAGES if code_of(name)])
def test_a_page_prints_and_draws_what_it_shows(
    name: str, working_folder: Path, capsys: pytest.CaptureFixture
) -> None:
    run_page(name)
    printed, expected = capsys.readouterr().out.splitlines(), shown_text(name)
    assert [NUMBER.sub("N", line).split() for line in printed] == [
        NUMBER.sub("N", line).split() for line in expected
    ]
    for line, text in zip(printed, expected, strict=True):
        numbers, those = ([float(number) for number in NUMBER.findall(either)] for either in (line, text))
        assert numbers == pytest.approx(those, abs=0.02), text
    for figure in drawn_figures(name):
        shown, drawn = (pixels(folder / figure) for folder in (DOCS, working_folder))
        assert shown.shape == drawn.shape
        # Rounding moves an edge by a part of a pixel, and little else may move.
        share = share_of_other_ink(shown, drawn)
        assert share < 0.008, figure


@each_page
def test_a_page_is_short(name: str) -> None:
    lines = PAGES[name].splitlines()
    assert len(lines) < LONGEST.get(name, 140)
    # Rows of a table are looked up, not read.
    read = [line for line in BLOCK.sub("", PAGES[name]).splitlines() if not line.startswith("|")]
    assert len(read) < (90 if name in LONGEST else 75)


@each_page
def test_its_lines_are_as_long_as_those_of_the_code(name: str) -> None:
    prose = BLOCK.sub("", PAGES[name]).splitlines()
    assert [line for line in prose if len(line) > 125 and line[0] not in "|#"] == []
    assert [line for line in code_of(name).splitlines() if len(line) > 110] == []


@each_page
def test_every_file_that_it_links_is_there(name: str) -> None:
    targets = [target for target in LINK.findall(PAGES[name]) if not target.startswith("https://")]
    # The site holds what lies in docs/ alone.
    assert [target for target in targets if ".." in target or not (DOCS / target).is_file()] == []


def test_the_index_links_every_page() -> None:
    assert set(LINK.findall(PAGES["README"])) >= {f"{name}.md" for name in PAGES} - {"README.md"}


def test_every_docs_figure_is_drawn_or_shown_on_a_page() -> None:
    drawn = {figure for name in PAGES for figure in drawn_figures(name)}
    front = set(re.findall(r"docs/(\w+\.png)", (ROOT / "README.md").read_text(encoding="utf-8")))
    # A screenshot stands on a page without code.
    taken = {link for name in PAGES if not code_of(name) for link in LINK.findall(PAGES[name])}
    shots = {link for link in taken if link.endswith(".png")}
    assert {path.name for path in DOCS.glob("*.png")} == drawn | front | shots


def test_every_figure_is_small() -> None:
    assert [path.name for path in DOCS.glob("*.png") if path.stat().st_size > 250_000] == []


def test_a_figure_that_lost_a_curve_is_another_figure() -> None:
    # What the comparison must see: one line of 1.5 points less, here 4 pixels by half the width.
    shown = pixels(DOCS / "gradient_profile.png")
    height, width, _ = shown.shape
    drawn = shown.copy()
    drawn[height // 2 : height // 2 + 4, width // 4 : 3 * width // 4] = 0.0
    assert share_of_other_ink(shown, shown) == 0
    assert share_of_other_ink(shown, drawn) > 0.008


def redraw(names: list[str]) -> None:
    """Run the pages, and keep the figures that they show."""
    for name in names:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            print(f"--- {name}")
            run_page(name)
            for figure in drawn_figures(name):
                # 256 colours are enough for a plot, at a third of the size.
                PIL.Image.open(figure).convert("RGB").quantize(256).save(DOCS / figure, optimize=True)


if __name__ == "__main__":
    redraw(sys.argv[1:] or [name for name in PAGES if code_of(name)])
