import subprocess
import sys

import pandas as pd
import pytest

import rnnexp
from rnnexp.report.command import main
from rnnexp.tracking import MlflowTracker, ensure_store
from rnnexp.tracking.client import connect

FILES = ["groups.csv", "groups.parquet", "report.html", "runs.csv", "runs.parquet"]


def test_it_writes_page_and_tables_and_shows_the_groups(sweep, tmp_path, capsys):
    out = tmp_path / "new" / "report.html"
    assert main(["--where", str(sweep), "--out", str(out)]) == 0
    assert sorted(path.name for path in out.parent.iterdir()) == FILES
    printed = capsys.readouterr().out
    assert f"report  {out}" in printed
    assert [line.split()[:4] for line in printed.splitlines()[1:3]] == [
        ["tanh", "10", "none", "2/2"],
        ["tanh", "20", "none", "2/2"],
    ]
    for suffix, read in (("csv", pd.read_csv), ("parquet", pd.read_parquet)):
        groups, runs = read(out.with_name(f"groups.{suffix}")), read(out.with_name(f"runs.{suffix}"))
        assert (len(groups), len(runs), groups["n"].sum()) == (8, 16, 16)
        assert groups["solved"].tolist() == [2, 2, 0, 0, 2, 2, 0, 0]


def test_the_report_lies_in_the_folder_of_the_sweep(write_sweep, tmp_path):
    root = write_sweep(tmp_path / "outputs", clips=("none",), lengths=(10,), seeds=(0,))
    assert main(["sweep-1", "--where", str(root)]) == 0
    assert (root / "sweeps" / "sweep-1" / "report.html").is_file()
    assert main(["--where", str(root)]) == 0  # and is no run of the next report


def test_a_filter_and_all_reach_the_store(tracking_uri, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    tracker = MlflowTracker(tracking_uri, ensure_store(tracking_uri, "study"), "one")
    tracker.params({"seed": 0, "activation": "tanh", "task": "adding"})
    tracker.tags({"config_hash": "a", "group_hash": "a"})
    tracker.end("FAILED")
    out = ["--out", str(tmp_path / "report.html")]
    for chosen in (["--all"], ["params.activation = 'tanh'"], []):
        assert main([*chosen, *out]) == 0
        assert "0/0" in capsys.readouterr().out
    assert main(["params.activation LIKE 'relu%'", *out]) == 2


def test_a_report_on_part_of_a_sweep_is_not_kept_as_artifact(tracking_uri, tmp_path, capsys):
    experiment = ensure_store(tracking_uri, "study")
    parent = MlflowTracker(tracking_uri, experiment, "sweep")
    parent.end("FINISHED")
    tracker = MlflowTracker(tracking_uri, experiment, "one")
    tracker.params({"seed": 0, "activation": "tanh", "task": "adding"})
    hashes = {"config_hash": "a", "group_hash": "a"}
    tracker.tags(hashes | {"sweep_id": "sweep-1", "mlflow.parentRunId": parent.run_id})
    tracker.end("FINISHED")
    where = ["--where", tracking_uri, "--out", str(tmp_path / "report.html")]
    for chosen, kept in (["params.activation = 'tanh'"], False), (["sweep-1"], True):
        assert main([*chosen, *where]) == 0
        assert ("kept as artifacts" in capsys.readouterr().out) == kept
        assert bool(connect(tracking_uri).list_artifacts(parent.run_id, "report")) == kept


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--where", "nowhere"],
            "where: expected a tracking address, a SQLite file or a folder that is there, received",
        ),
        (["other", "--where", "SWEEP"], "sweep: expected a sweep in "),
        (["a = 'b'", "--where", "SWEEP"], "filter: expected no filter for a folder "),
        (["--all", "sweep-1"], "--all: expected no sweep and no filter beside it, received 'sweep-1'"),
        (
            ["--where", "SWEEP", "--out", "/dev/null/report.html"],
            "--out: expected a file that can be written ",
        ),
    ],
)
def test_what_is_wrong_takes_one_sentence(sweep, capsys, arguments, sentence):
    assert main([str(sweep) if argument == "SWEEP" else argument for argument in arguments]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"python run.py report: {sentence}")
    assert printed.count("\n") == 1


def test_an_interrupted_report_leaves_the_old_one(sweep, tmp_path, monkeypatch, capsys):
    arguments = ["--where", str(sweep), "--out", str(tmp_path / "report.html")]
    for name in FILES:
        (tmp_path / name).write_text("old")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("rnnexp.report.html.write.save_table", interrupted)
    assert main(arguments) == 130
    assert capsys.readouterr().err == "python run.py report: interrupted\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    assert {path.read_text() for path in tmp_path.iterdir()} == {"old"}
    monkeypatch.undo()
    assert main(arguments) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    assert b"old" not in {path.read_bytes() for path in tmp_path.iterdir()}


def test_it_runs_as_a_module_without_tensorflow(sweep, tmp_path):
    code = (
        "import runpy, sys; sys.argv[1:] = sys.argv[1:]\n"
        "try: runpy.run_module('rnnexp.report', run_name='__main__')\n"
        "except SystemExit as ended: print('code', ended.code)\n"
        "print('heavy', sorted({'tensorflow', 'keras', 'hydra', 'mlflow'} & set(sys.modules)))"
    )
    arguments = ["--where", str(sweep), "--out", str(tmp_path / "report.html")]
    answer = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    assert answer.stdout.splitlines()[-2:] == ["code 0", "heavy []"]
    assert rnnexp.load_runs(sweep)["run_id"].nunique() == 16
