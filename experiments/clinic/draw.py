"""Draw figure.png from results.csv: python experiments/clinic/draw.py."""

import textwrap
from pathlib import Path

import summary

from rnnexp.plotting import style

STUDY = Path(__file__).parent
_WIDTH = 18  # characters of a label's line


def draw(path: Path) -> None:
    """Write the figure: shares with their intervals, and which case was cured by what."""
    rows = summary.read()
    arms = list(summary.ARMS)
    with style.paper_figure(path, (7.2, 5.2)) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
        for offset, part, colour, label in (
            (-0.2, "tuned", style.GREY, "tuned on"),
            (0.0, "aside", style.BLUE, "kept aside"),
            (0.2, "left", style.ORANGE, "all others"),
        ):
            for place, arm in enumerate(arms):
                found = summary.share(rows, arm, part)
                if found.n == 0:
                    continue
                span = [[found.value - found.low], [found.high - found.value]]
                left.errorbar(
                    found.value,
                    place + offset,
                    xerr=span,
                    fmt="o",
                    color=colour,
                    capsize=2,
                    label=None if place else label,
                )
        left.set(xlim=(-0.03, 1.03), xlabel="share cured, with Wilson's 95 % interval")
        left.set_yticks(range(len(arms)), [textwrap.fill(arm, _WIDTH) for arm in arms])
        left.invert_yaxis()
        style.legend_above(left, columns=3)
        _cases(right, summary.compared(rows), [arm for arm in arms if arm != summary.FORMER])


def _cases(axes, rows, arms) -> None:
    marks = [summary.cured(rows, arm) for arm in arms]
    aside = rows[rows["part"] == "second aside"]["case"].unique()
    for column, found in enumerate(marks):
        for row, (case, well) in enumerate(found.items()):
            colour = style.BLUE if case in aside else style.GREY
            axes.plot(column, row, "o", color=colour, markersize=4, fillstyle="full" if well else "none")
    axes.set_yticks(range(len(marks[0])), marks[0].index, fontsize=5)
    names = ["first", "three", "clip", "lstm", "steps", "AUTOTRAINER"]
    axes.set_xticks(range(len(arms)), names, fontsize=6, rotation=90)
    axes.set(title="filled: cured", xlim=(-0.6, len(arms) - 0.4))
    axes.invert_yaxis()


if __name__ == "__main__":
    draw(STUDY / "figure.png")
