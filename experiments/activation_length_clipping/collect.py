"""From the runs to results.csv, by `python experiments/activation_length_clipping/collect.py [STORE]`."""

import sys
from pathlib import Path

import rnnexp
from rnnexp import analysis

HERE = Path(__file__).parent
COLUMNS = [
    *("activation", "seq_len", "clip", "n", "solved", "learning", "at_chance", "diverged"),
    *("success_rate", "success_low", "success_high", "vanishing", "stable", "exploding", "borderline"),
    *(
        "rate",
        "rate_low",
        "rate_high",
        "predicted_rate",
        "log10_ratio",
        "log10_ratio_low",
        "log10_ratio_high",
    ),
    *("loss", "loss_low", "loss_high", "error", "steps_to_solve", "clip_fraction", "seconds"),
]


def collect(store: str | None) -> None:
    """Group the newest sweep of `store` (None: the default one) over seeds."""
    groups = analysis.group_runs(rnnexp.load_runs(store))
    groups[COLUMNS].to_csv(HERE / "results.csv", index=False, float_format="%.5g", lineterminator="\n")


if __name__ == "__main__":
    collect(sys.argv[1] if len(sys.argv) > 1 else None)
