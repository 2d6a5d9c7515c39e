"""`rnnexp.run` beside the records of its folder; wrong keys; the commands that `rnnexp.sweep` begins."""

import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import rnnexp
from rnnexp.python import calls
from rnnexp.python.results import Run, Runs
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.checks import ArgumentError
from rnnexp.sweeps.folder import SweepFolder
from rnnexp.sweeps.outcome import Outcome

TINY = {"seq_len": 5, "units": 4, "batch_size": 4, "steps": 4, "jit": False, "probe": {"bootstrap": 100}}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return rnnexp.run("activation=relu", tracking="none", output_dir=folder, **TINY)


def test_a_run_holds_what_its_folder_holds(done):
    state = json.loads((done.folder / "run.json").read_text())
    assert done.verdict == {
        "gradient": state["verdicts"]["verdict.gradient"],
        "learning": state["verdicts"]["verdict.learning"],
    }
    with np.load(done.folder / "gradient_flow.npz") as file:
        assert set(done.arrays) == set(file.files)
        np.testing.assert_array_equal(done.arrays["end_log_norm"], file["end_log_norm"])
    lines = [line.split(",") for line in (done.folder / "metrics.csv").read_text().splitlines()[1:]]
    assert {key for key, *_ in lines} == set(done.metrics)
    assert all(map(math.isfinite, done.metrics.values()))
    assert {path.suffix for path in done.figures.values()} == {".png"} and "loss" in done.figures
    assert (done.status, done.overrides[0]) == ("FINISHED", "activation=relu")
    assert done.words and done.name in repr(done)


def test_a_run_shows_itself_with_its_figure(done):
    page = done._repr_html_()
    assert page.count("data:image/png;base64,") == 1
    assert done.verdict["gradient"].replace("_", " ") in page
    assert str(done.folder) in page
    for remedy in done.remedies:
        assert remedy[0] == "activation=relu" and len(remedy) >= len(done.overrides)


def test_a_figure_is_shown_and_written(done, tmp_path):
    picture = done.plot("loss", tmp_path / "loss.pdf")
    assert (tmp_path / "loss.pdf").read_bytes().startswith(b"%PDF")
    content, about = picture._repr_png_()
    assert content.startswith(b"\x89PNG") and about == {"width": picture.width}
    with pytest.raises(ArgumentError, match="figure: expected one of loss, .*, received 'none'"):
        done.plot("none")


def test_what_is_wrong_is_refused_as_on_the_command_line(tmp_path):
    with pytest.raises(ArgumentError, match="seqlen: expected a key of the configuration, such as seq_len"):
        rnnexp.run(seqlen=3)
    with pytest.raises(ArgumentError, match="seq_len: expected an integer of at least 1, received 0"):
        rnnexp.sweep(seq_len=[5, 0])
    with pytest.raises(ArgumentError, match="dry_run: expected false from Python"):
        rnnexp.run(dry_run=True)
    with pytest.raises(ArgumentError, match="experiment: expected .* -m"):
        rnnexp.run(experiment="smoke_sweep")
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_names_its_runs_and_what_failed(done):
    runs = Runs([done.folder], None, ["relu-s1 failed: no memory"])
    assert (len(runs), runs[0], runs.report) == (1, Run(done.folder), None)
    assert runs.table["run_name"].tolist() == [done.name]
    assert "relu-s1 failed: no memory" in repr(runs) and "relu-s1 failed" in runs._repr_html_()


def test_the_process_of_a_sweep_is_heard_and_its_code_returned(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    program = "import os, sys; print('1/2 jobs', os.environ.get('FORCE_COLOR')); sys.exit(3)"
    assert calls.watched([sys.executable, "-c", program]) == 3
    assert capsys.readouterr().out == "1/2 jobs None\n"


def test_a_sweep_ends_with_its_runs_though_mlflow_lacks_records(done, tmp_path, monkeypatch):
    SweepFolder(tmp_path).record(Outcome(0, (), "FINISHED", run_folder=str(done.folder)))
    codes = [0, 1, 3, 4]
    monkeypatch.setattr(calls, "watched", lambda command: codes.pop(0))
    typed = (f"hydra.sweep.dir={tmp_path}", "tracking=none")
    for _ in range(3):
        assert list(rnnexp.sweep(*typed, seed=[0, 1])) == [Run(done.folder)]
    with pytest.raises(RuntimeError, match="the sweep ended with code 4"):
        rnnexp.sweep(*typed, seed=[0, 1])


@pytest.mark.sweep
def test_a_sweep_is_the_commands_own(tmp_path):
    keys = TINY | {"tracking": "none", "report": False}
    runs = rnnexp.sweep(seed=range(2), **keys)
    assert [run.metrics["val/loss"] > 0 for run in runs] == [True, True]
    assert re.fullmatch(r"2 runs\n  <Run .*-s0: .*>\n  <Run .*-s1: .*>", repr(runs))
    again = rnnexp.sweep(seed=range(2), **keys)
    assert [run.folder for run in again] == [run.folder for run in runs]
    assert [Path(run.folder).is_relative_to(tmp_path) for run in runs] == [True, True]
    assert [RunFolder(run.folder).state()["seed"] for run in runs] == [0, 1]
