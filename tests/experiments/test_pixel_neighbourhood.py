"""The study's files belong together: tables, figure and what the README says of them."""

import importlib.util
import re
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from rnnexp.probes.receptive_field import width

STUDY = Path(__file__).parents[2] / "experiments" / "pixel_neighbourhood"
README = (STUDY / "README.md").read_text(encoding="utf-8")
FIELDS, RESULTS = pd.read_csv(STUDY / "fields.csv"), pd.read_csv(STUDY / "results.csv")


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, STUDY / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown(row):
    (cells,) = re.findall(rf"^\| {row} \| (.*) \|$", README, flags=re.MULTILINE)
    return [float(cell) for cell in cells.split(" | ")]


def test_the_readme_shows_the_widths_of_the_table():
    rows = FIELDS.set_index("steps").loc[[1, 2, 4, 8, 14]]
    assert shown("width measured") == pytest.approx(rows["measured"].tolist(), abs=0.0051)
    assert shown("width in theory") == pytest.approx(rows["theory"].tolist(), abs=0.0051)
    apart = (FIELDS["measured"] / FIELDS["theory"] - 1).abs()
    assert apart[:9].max() < 0.03 and apart.iloc[-1] == pytest.approx(0.07, abs=0.005)


def test_the_widths_are_those_of_the_fields():
    fields = np.load(STUDY / "fields.npz")["fields"]
    assert [width(field) for field in fields] == pytest.approx(FIELDS["measured"].tolist(), abs=1e-3)


@pytest.mark.parametrize("kind", ["recurrent", "stack"])
def test_the_readme_shows_the_errors_of_the_table(kind):
    means = RESULTS[RESULTS["kind"] == kind].groupby("seq_len")["error"].mean()
    assert shown(kind) == pytest.approx(means.loc[[1, 2, 4, 8]].tolist(), abs=0.00051)


def test_a_stack_has_at_most_as_many_parameters_as_an_rnn():
    parameters = RESULTS.groupby("kind")["parameters"]
    assert parameters.max()["stack"] <= parameters.min()["recurrent"]


def test_what_is_in_the_table_is_not_done_again(tmp_path):
    measure = loaded("measure")
    assert measure.keys_of(tmp_path / "none.csv") == set()
    row = {"kind": "stack", "seq_len": 2, "seed": 1, "parameters": 9, "loss": 0.5, "error": 0.1}
    measure.append(tmp_path / "table.csv", row)
    measure.append(tmp_path / "table.csv", row | {"kind": "recurrent"})
    assert measure.keys_of(tmp_path / "table.csv") == {("stack", 2, 1), ("recurrent", 2, 1)}


def test_a_run_of_two_steps_is_a_row_of_the_table():
    row = loaded("measure").train("stack", 2, 0, 2)
    assert row.keys() == set(RESULTS.columns)
    assert 0 < float(row["error"]) < 1


def test_the_figure_is_that_of_the_tables(tmp_path):
    loaded("draw").draw(tmp_path / "figure.png")
    one, other = (matplotlib.image.imread(folder / "figure.png")[..., :3] for folder in (STUDY, tmp_path))
    assert one.shape == other.shape
    # Fonts and rounding differ between machines, and little else may.
    assert np.abs(one - other).mean() < 0.005
