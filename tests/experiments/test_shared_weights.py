"""The study's files belong together: table, figure and what the README says of them."""

import importlib.util
import re
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

STUDY = Path(__file__).parents[2] / "experiments" / "shared_weights"
README = (STUDY / "README.md").read_text(encoding="utf-8")
TABLE = pd.read_csv(STUDY / "results.csv", dtype={"training_set": str})
WEIGHTS = ["shared", "own"]


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, STUDY / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown(row, weights):
    (cells,) = re.findall(rf"^\| {row} \| {weights} \| (.*) \|$", README, flags=re.MULTILINE)
    return [float(cell.replace(",", "")) for cell in cells.split(" | ")]


def medians(training_set, weights, column):
    rows = TABLE[(TABLE["training_set"] == training_set) & (TABLE["weights"] == weights)]
    return rows.groupby("seq_len")[column].median()


@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_readme_shows_what_learning_took(weights):
    assert shown("parameters", weights) == medians("fresh", weights, "parameters").tolist()
    assert (
        shown("fresh sequences to learn", weights) == medians("fresh", weights, "sequences_needed").tolist()
    )


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("size", ["256", "1024"])
def test_the_readme_shows_the_losses_of_few_sequences(weights, size):
    expected = medians(size, weights, "loss").tolist()
    assert shown(f"{int(size):,} sequences", weights) == pytest.approx(expected, abs=0.00005001)


def test_only_shared_weights_learn_from_1024_sequences():
    rows = TABLE[(TABLE["training_set"] == "1024") & (TABLE["seq_len"] == 16)]
    learned = rows.groupby("weights")["sequences_needed"].count()
    assert learned.to_dict() == {"shared": 3, "own": 0}
    losses = rows.groupby("weights")["loss"].median()
    assert losses["own"] / losses["shared"] == pytest.approx(7, abs=0.5)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_parameters_are_those_of_the_formula(weights):
    for seq_len, parameters in medians("fresh", weights, "parameters").items():
        sets = 1 if weights == "shared" else seq_len
        assert parameters == sets * (32**2 + 3 * 32) + 33


def test_forward_pass_uses_separate_weights_at_each_step():
    measure = loaded("measure")
    variables = measure.weight_sets(3, 2, 5, seeds=2)
    x = np.random.default_rng(0).normal(size=(2, 4, 3, 2)).astype(np.float32)
    kernel, recurrent, bias, readout, offset = (variable.numpy() for variable in variables)
    assert len({matrix.tobytes() for matrix in recurrent.reshape(-1, 5, 5)}) == 6
    for seed in range(2):
        state = np.zeros((4, 5))
        for t in range(3):
            a = x[seed, :, t] @ kernel[seed, t] + state @ recurrent[seed, t] + bias[seed, t]
            state = np.tanh(a)
        expected = state @ readout[seed] + offset[seed]
        np.testing.assert_allclose(measure.forward(variables, x)[seed], expected, atol=1e-5)


def test_a_short_run_is_recorded_in_the_table_as_done(tmp_path):
    measure = loaded("measure")
    rows = measure.train(2, "own", seeds=2, steps=50, size=64)
    measure.append(tmp_path / "table.csv", rows)
    assert measure.keys_of(tmp_path / "table.csv") == {("64", 2, "own")}
    assert list(pd.read_csv(tmp_path / "table.csv").columns) == list(TABLE.columns)


def test_the_figure_is_that_of_the_table(tmp_path):
    loaded("draw").draw(tmp_path / "figure.png")
    one, other = (matplotlib.image.imread(folder / "figure.png")[..., :3] for folder in (STUDY, tmp_path))
    assert one.shape == other.shape
    # Fonts and rounding differ between machines, and little else may.
    assert np.abs(one - other).mean() < 0.005
