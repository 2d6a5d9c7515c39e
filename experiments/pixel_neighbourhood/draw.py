"""Draw `figure.png` from `fields.npz`, `fields.csv` and `results.csv`."""

from pathlib import Path

import numpy as np
import pandas as pd

from rnnexp.plotting import style
from rnnexp.tasks import Connected

STUDY = Path(__file__).parent
SHOWN = (1, 4, 12)
"""Steps whose field is shown."""


def draw(into: Path) -> None:
    """Write the figure."""
    fields = np.load(STUDY / "fields.npz")["fields"]
    widths, results = pd.read_csv(STUDY / "fields.csv"), pd.read_csv(STUDY / "results.csv")
    with style.paper_figure(into, (7.2, 4.6)) as figure:
        above, below = figure.subfigures(2, 1, height_ratios=[1, 1.3])
        for axes, steps in zip(above.subplots(1, len(SHOWN)), SHOWN, strict=True):
            axes.imshow(np.sqrt(fields[steps - 1]), cmap="viridis")
            axes.set(title=f"after {steps} step{'s' if steps > 1 else ''}", xticks=[], yticks=[])
        left, right = below.subplots(1, 2)
        left.plot(widths["steps"], widths["measured"], "o", color=style.BLUE, label="measured")
        left.plot(widths["steps"], widths["theory"], "--", color=style.BLACK, label="theory")
        left.set(xlabel="steps T", ylabel="width (pixels)", ylim=(0, None))
        left.legend()
        for kind, colour in (("recurrent", style.BLUE), ("stack", style.ORANGE)):
            rows = results[results["kind"] == kind]
            right.plot(rows["seq_len"], rows["error"], "o", color=colour, alpha=0.5)
            means = rows.groupby("seq_len")["error"].mean()
            right.plot(means.index, means, "-", color=colour, label=kind)
        right.axhline(Connected(1).floor_error, color=style.BLACK, linestyle="--", linewidth=1)
        right.set(xlabel="steps T", ylabel="share wrong", ylim=(0, 0.55))
        right.legend()


if __name__ == "__main__":
    draw(STUDY / "figure.png")
