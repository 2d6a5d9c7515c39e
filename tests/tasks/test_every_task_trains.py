"""Every task of the catalogue goes the whole way, from its configuration to its records."""

import csv
import math
from pathlib import Path

import pytest
from jobs import job_of

from rnnexp import tasks
from rnnexp.plotting.run_figures import draw_one, read_run
from rnnexp.runs.run import run_job

TINY = (
    *("units=4", "seq_len=64", "batch_size=4", "steps=2", "jit=false", "tracking=none", "init=identity"),
    *("probe.batch_size=2", "probe.bootstrap=100", "checkpoint.every=0", "tracking.model=false"),
    "figures.format=none",
)


REPORTS = {"series": ("val/loss_below_autoregression", "forecast"), "words": ("val/perplexity", None)}
"""Tasks that say more of the trained network than a loss: a metric, a figure."""


@pytest.mark.parametrize("name", tasks.CATALOGUE)
def test_a_tiny_run_ends_with_a_loss_beside_the_floor(name, working_folder, capsys):
    metric, figure = REPORTS.get(name, (None, None))
    run_job(job_of([f"task={name}", "output_dir=outputs", *TINY]))
    (folder,) = Path("outputs").glob("*/*/")
    with (folder / "metrics.csv").open() as file:
        values = {row["key"]: float(row["value"]) for row in csv.DictReader(file)}
    assert all(map(math.isfinite, values.values()))
    floor = tasks.CATALOGUE[name](seq_len=64).floor_loss
    assert values["task/floor_loss"] == pytest.approx(floor)
    # Two steps teach nothing: the loss is about that of guessing, and hardly any sequence is right.
    assert 0.5 * floor < values["val/loss"] < 50 * floor
    assert 0 < values["val/error"] <= 1
    if metric is not None:
        assert_reported(folder, values, capsys.readouterr().out, metric, figure)


def assert_reported(folder, values, printed, metric, figure):
    assert metric in values
    assert (folder / "task.npz").is_file()
    if figure is not None:
        assert figure in read_run(folder).figures()
        draw_one(read_run(folder), figure, folder / "figure.png")
    for sentence in (folder / "task.txt").read_text().splitlines():
        assert " ".join(sentence.split()[:4]) in " ".join(printed.split())
