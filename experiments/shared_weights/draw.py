"""Draw `figure.png` from `results.csv`."""

from pathlib import Path

import pandas as pd

from rnnexp.plotting import style
from rnnexp.tasks import Adding

STUDY = Path(__file__).parent
COLOURS = {"shared": style.BLUE, "own": style.ORANGE}
LABELS = {"shared": "shared", "own": "one set a step"}


def draw(into: Path) -> None:
    """Write the figure."""
    table = pd.read_csv(STUDY / "results.csv", dtype={"training_set": str})
    fresh = table[table["training_set"] == "fresh"]
    sizes = sorted(set(table["training_set"]) - {"fresh"}, key=int)
    with style.paper_figure(into, (7.2, 2.8)) as figure:
        left, middle, right = figure.subplots(1, 3)
        for weights, colour in COLOURS.items():
            rows = fresh[fresh["weights"] == weights]
            means = rows.groupby("seq_len")["parameters"].first()
            left.loglog(means.index, means, "o-", color=colour, label=LABELS[weights])
            middle.loglog(rows["seq_len"], rows["sequences_needed"], "o", color=colour, alpha=0.5)
            medians = rows.groupby("seq_len")["sequences_needed"].median()
            middle.loglog(medians.index, medians, "-", color=colour)
            for size, line in zip(sizes, (":", "-"), strict=True):
                losses = table[(table["training_set"] == size) & (table["weights"] == weights)]
                medians = losses.groupby("seq_len")["loss"].median()
                label = f"{size} sequences" if weights == "shared" else None
                right.loglog(medians.index, medians, f"o{line}", color=colour, label=label)
        right.axhline(Adding(2).floor_loss, color=style.BLACK, linestyle="--", linewidth=1)
        left.set(title="a", xlabel="steps T", ylabel="parameters")
        middle.set(title="b", xlabel="steps T", ylabel="fresh sequences to learn")
        right.set(title="c", xlabel="steps T", ylabel="loss on others")
        for axes, lengths in ((left, (2, 4, 8, 16, 32)), (middle, (2, 4, 8, 16, 32)), (right, (4, 8, 16))):
            axes.set_xticks(lengths, lengths)
            axes.set_xticks([], minor=True)
        left.legend()
        right.legend(fontsize=7)


if __name__ == "__main__":
    draw(STUDY / "figure.png")
