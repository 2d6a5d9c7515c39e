"""Every task of the catalogue goes the whole way, from its configuration to its records."""

import csv
import math
from pathlib import Path

import pytest

from rnnexp import tasks
from rnnexp.runs import build
from rnnexp.runs.run import run_job

TINY = (
    *("units=4", "seq_len=64", "batch_size=4", "steps=2", "jit=false", "tracking=none"),
    *("probe.batch_size=4", "checkpoint.every=0"),
)


@pytest.mark.parametrize("name", tasks.CATALOGUE)
def test_a_tiny_run_ends_with_a_loss_beside_the_floor(name, working_folder):
    run_job(build.compose_job([f"task={name}", "output_dir=outputs", *TINY]))
    (records,) = Path("outputs").glob("*/*/metrics.csv")
    with records.open() as file:
        values = {row["key"]: float(row["value"]) for row in csv.DictReader(file)}
    assert all(map(math.isfinite, values.values()))
    assert values["val/loss"] > 0 and 0 <= values["val/error"] <= 1
    assert values["task/floor_loss"] == pytest.approx(tasks.CATALOGUE[name](seq_len=64).floor_loss)


REPORTS = {"series": ("val/loss_below_autoregression", "forecast.png"), "words": ("val/perplexity", None)}


@pytest.mark.parametrize("name", REPORTS)
def test_what_a_task_reports_is_kept_and_printed(name, working_folder, capsys):
    run_job(build.compose_job([f"task={name}", "output_dir=outputs", *TINY]))
    (folder,) = Path("outputs").glob("*/*/")
    metric, figure = REPORTS[name]
    assert metric in (folder / "metrics.csv").read_text()
    assert (folder / "task.npz").is_file()
    assert figure is None or (folder / "figures" / figure).is_file()
    printed = " ".join(capsys.readouterr().out.split())
    for sentence in (folder / "task.txt").read_text().splitlines():
        assert " ".join(sentence.split()[:4]) in printed
