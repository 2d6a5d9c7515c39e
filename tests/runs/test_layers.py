"""A whole run of two layers: its records, figures, words and summary."""

import contextlib
import csv
import io
import re
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pytest

from rnnexp.probes import upper_layers
from rnnexp.python.results import Run
from rnnexp.runs import build
from rnnexp.runs.run import run_job

ROOT = Path(__file__).parents[2]
STEPS, T = 8, 6
ARGUMENTS = (
    *("layers=2", f"seq_len={T}", "units=4", "batch_size=4", f"steps={STEPS}", "jit=false"),
    *("probe.every=100", "validation.every=100", "probe.batch_size=4", "probe.bootstrap=100"),
    *("tracking=none", "seed=3"),
)


class Left(NamedTuple):
    """What a run left: its folder, and what it printed."""

    folder: Path
    printed: str


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("outputs")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            run_job(build.compose_job([*ARGUMENTS, f"output_dir={root}"]))
    (folder,) = root.glob("*/*")
    return Left(folder, printed.getvalue())


def test_metrics_are_those_of_the_page(run):
    with (run.folder / "metrics.csv").open(encoding="utf-8") as file:
        found = {row["key"] for row in csv.DictReader(file)}
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    named = {key.replace("<n>", "2") for key in re.findall(r"`(layer_<n>/[^`]+)`", page)}
    assert named == {f"layer_2/{key}" for key in upper_layers.METRICS} == {k for k in found if "layer" in k}
    of_one_layer = {"theory/rate", "theory/rate_bound", "grad/median_lag", "sensitivity/lag_95"}
    assert not found & of_one_layer and {"grad/rate", "theory/lambda_1"} <= found


def test_arrays_are_those_of_the_page(run):
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    named = {name.replace("<n>", "2") for name in re.findall(r"`(\w*layer_<n>_\w+|\w+_layer_<n>)`", page)}
    with np.load(run.folder / "gradient_flow.npz") as arrays:
        assert named == {name for name in arrays.files if "layer" in name}
        assert arrays["log_norms"].shape == arrays["log_norms_layer_2"].shape == (STEPS, T)
        assert not np.array_equal(arrays["log_norms"], arrays["log_norms_layer_2"])


def test_figures_are_drawn_and_those_of_one_layer_left_out(run):
    drawn = {path.stem for path in (run.folder / "figures").iterdir()}
    assert {"gradient_profile", "gradient_heatmap", "spectrum", "states", "loss"} <= drawn
    assert not {"lags", "sensitivity"} & drawn


def test_words_and_summary_name_the_layers(run):
    words = (run.folder / "verdict.txt").read_text(encoding="utf-8")
    assert "n the lowest of 2 layers" in words and "In layer 2 that of h is" in words
    assert "The layers have 4 units each" in words
    assert "2 layers of 4 units of elman" in run.printed
    assert re.search(r"^layer 1 *\n(?s:.*)^layer 2, rate +-?\d", run.printed, flags=re.MULTILINE)
    assert "mean field" not in run.printed and "bound" not in run.printed


def test_a_notebook_shows_every_layer(run):
    shown = Run(run.folder)._repr_html_()
    for layer in ("layer 1", "layer 2"):
        assert f"its rate, nats per step, {layer}" in shown


def test_the_model_is_loaded_with_both_layers(run):
    loaded = keras.models.load_model(run.folder / "model.keras")
    assert [layer.name for layer in loaded.layers[1:]] == ["recurrent", "recurrent_2", "readout"]
