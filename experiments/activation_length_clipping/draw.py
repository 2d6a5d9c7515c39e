"""The figure of results.csv, drawn by `python experiments/activation_length_clipping/draw.py`."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from rnnexp.plotting import style

HERE = Path(__file__).parent
CLIPS = ("none", "value", "global_norm")
LOOKS = {"tanh": (style.BLUE, "o"), "relu": (style.VERMILLION, "s"), "sigmoid": (style.GREEN, "D")}
DECADES = 3.0  # verdict.decades
SUCCESS = ["success_rate", "success_low", "success_high"]
RATIO = ["log10_ratio", "log10_ratio_low", "log10_ratio_high"]


def draw(table: pd.DataFrame, path: Path) -> None:
    """Draw the share of runs that solve the task, above, and what is left of the gradient, below.

    Args:
        table: One row per activation, seq_len and clip, with the columns of results.csv.
        path: The file.
    """
    with style.paper_figure(path, (8.4, 5.0)) as figure:
        rows = figure.subplots(2, len(CLIPS), sharex=True, sharey="row")
        for column, clip in enumerate(CLIPS):
            of_clip = table[table["clip"] == clip]
            for shift, (activation, (colour, marker)) in enumerate(LOOKS.items()):
                group = of_clip[of_clip["activation"] == activation].sort_values("seq_len")
                look = {"color": colour, "marker": marker, "label": activation, "capsize": 2}
                x = group["seq_len"].to_numpy() * 1.06 ** (shift - 1)  # side by side, not on top
                _points(rows[0, column], x, group, SUCCESS, look)
                _points(
                    rows[1, column], x, group, [f"log10_ratio{end}" for end in ("", "_low", "_high")], look
                )
            _label(rows[0, column], rows[1, column], clip)
        rows[0, 0].set_ylabel("share of runs that solve")
        rows[1, 0].set_ylabel(r"$\log_{10}\ \|\partial\ell/\partial h_1\|\,/\,\|\partial\ell/\partial h_T\|$")
        handles, labels = rows[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(LOOKS))


def _points(axes: Axes, x: np.ndarray, group: pd.DataFrame, columns: list[str], look: dict) -> None:
    middle, low, high = (group[column].to_numpy() for column in columns)
    # Rounded in the table, an end may lie on the wrong side of its mean.
    lengths = np.maximum([middle - low, high - middle], 0)
    axes.errorbar(x, middle, lengths, elinewidth=1, **look)


def _label(above: Axes, below: Axes, clip: str) -> None:
    above.set(title=f"clip={clip}", ylim=(-0.04, 1.04))
    below.axhspan(-DECADES, DECADES, color=style.LIGHT_GREY, alpha=0.4, linewidth=0)
    below.set(xlabel="seq_len", xscale="log")
    below.set_yscale("symlog", linthresh=1.0)
    below.set_yticks([-100, -30, -10, -3, -1, 0, 1], ["-100", "-30", "-10", "-3", "-1", "0", "1"])
    below.set_xticks([25, 50, 100, 200, 400], ["25", "50", "100", "200", "400"])
    below.minorticks_off()


if __name__ == "__main__":
    draw(pd.read_csv(HERE / "results.csv"), HERE / "figure.png")
