"""The study's files belong together: table, figure and what the README says of them."""

import importlib.util
import re
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "experiments" / "activation_length_clipping"
README = (STUDY / "README.md").read_text(encoding="utf-8")
TABLE = pd.read_csv(STUDY / "results.csv", keep_default_na=False, na_values=[""])
KEYS = ["activation", "seq_len", "clip"]


def test_every_cell_of_the_sweep_is_in_the_table():
    preset = yaml.safe_load((ROOT / "conf" / "experiment" / "activation_length_clipping.yaml").read_text())
    swept = preset["hydra"]["sweeper"]["params"]
    cells = {
        (activation, int(steps), clip)
        for activation in swept["activation"].split(",")
        for steps in swept["seq_len"].split(",")
        for clip in swept["clip"].split(",")
    }
    assert {tuple(row) for row in TABLE[KEYS].itertuples(index=False)} == cells
    assert len(TABLE) == len(cells)
    assert set(TABLE["n"]) == {5} and swept["seed"] == "range(5)"


def test_every_run_has_one_outcome_and_one_verdict():
    outcomes = TABLE[["solved", "learning", "at_chance", "diverged"]].sum(axis=1)
    assert (outcomes == TABLE["n"]).all()
    assert np.allclose(TABLE["success_rate"], TABLE["solved"] / TABLE["n"])


@pytest.mark.parametrize(
    "row", list(TABLE.itertuples(index=False)), ids=lambda row: f"{row.activation}-{row.seq_len}-{row.clip}"
)
def test_its_interval_is_wilsons(row):
    z, n = 1.959964, row.n
    p = row.solved / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert (row.success_low, row.success_high) == pytest.approx((middle - half, middle + half), abs=1e-4)


def test_the_readme_shows_the_counts_of_the_table():
    solved = {tuple(row): count for *row, count in TABLE[[*KEYS, "solved"]].itertuples(index=False)}
    lines = re.findall(
        r"^\| (\w+) \| (\w+) \| (\d) \| (\d) \| (\d) \| (\d) \| (\d) \|$", README, re.MULTILINE
    )
    shown = {
        (activation, steps, clip): int(count)
        for activation, clip, *counts in lines
        for steps, count in zip((25, 50, 100, 200, 400), counts, strict=True)
    }
    assert shown == solved


def test_the_figure_is_that_of_the_table(tmp_path):
    spec = importlib.util.spec_from_file_location("draw", STUDY / "draw.py")
    assert spec is not None and spec.loader is not None
    drawing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawing)
    drawing.draw(pd.read_csv(STUDY / "results.csv"), tmp_path / "figure.png")
    shown, drawn = (matplotlib.image.imread(path / "figure.png")[..., :3] for path in (STUDY, tmp_path))
    assert shown.shape == drawn.shape
    # Fonts and rounding differ between machines, and little else may.
    assert np.abs(shown - drawn).mean() < 0.005
