"""A whole sweep of which one process is killed, then all of them, and the same command again."""

import ctypes
import json
import math
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from whole_sweeps import TINY, arrays, asked, held, jobs, kill_all, run_folders, started, state, wait_for

from rnnexp.runs import build
from rnnexp.runs.run import run_job
from rnnexp.tracking.client import connect

JOB = ("steps=60", "checkpoint.every=20", "probe.every=60", "validation.every=60")
LOCAL = ("launcher=joblib", "launcher.workers=2")
WHOLE = ("jit=true", "figures.format=png", "tracking.model=true", "report=true")
"""What the small sweeps of other tests do without."""


@pytest.fixture(scope="module", autouse=True)
def graph_rewriting():
    """Leave it on, as it is in the processes whose numbers are compared to the bit with those of this one."""


def folder_of(seed):
    (folder,) = (path for path in run_folders() if path.name.endswith(f"-s{seed}"))
    return folder


def outcome(number, status):
    """Return what the sweep knows of a job once it has that status."""
    (path,) = Path("outputs").glob(f"sweeps/*/jobs/{number:04d}.json")
    found = json.loads(path.read_text())
    return found if found["status"] == status else None


def test_a_sweep_goes_on_after_kills_to_the_same_bytes(tracking_uri, tmp_path):
    sweep = ("seed=0,1", *JOB, *LOCAL, *WHOLE, f"tracking.uri={tracking_uri}")
    client = connect(tracking_uri)

    with held("os.rename *-s[01]/checkpoint.npz 1", *sweep, processes=2) as process:
        folders = [folder_of(seed) for seed in (0, 1)]  # the first checkpoint of each is in its place
        os.kill(state(folders[0])["pid"], signal.SIGKILL)
        killed = wait_for(lambda: outcome(0, "KILLED"), process)
        assert kill_all(process) > 2
    assert killed["note"].startswith("the process was ended by SIGKILL (out of memory?")
    assert killed["note"] in (folders[0] / "run.log").read_text()
    statuses = [state(folder)["status"] for folder in folders]
    assert (
        statuses == [client.get_run(state(f)["run_id"]).info.status for f in folders] == ["KILLED", "RUNNING"]
    )

    answer = asked(*sweep)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert run_folders() == set(folders)
    assert [state(folder)["attempts"] for folder in folders] == [2, 2]
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")} == {
        *("outputs", "mlflow.db", "mlartifacts", "held")
    }
    experiment = client.get_run(killed["run_id"]).info.experiment_id
    *runs, parent = client.search_runs([experiment], order_by=["params.seed"])
    assert_is_the_sweep(parent, runs, folders, answer.stdout)
    for run in runs:
        assert_complete(client, run)

    single = ("seed=1", "tracking=none", "output_dir=alone", "figures.format=none")
    run_job(build.compose_job([*TINY, *JOB, *LOCAL, *WHOLE, *single]))
    (alone,) = Path("alone").glob("*/*")
    expected, found = arrays(alone), arrays(folders[1])
    assert expected.keys() == found.keys()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name, strict=True)
    assert_same_content(alone, runs[1])
    assert_model_is(runs[1], alone / "model.keras")


def assert_is_the_sweep(parent, runs, folders, printed):
    """The sweep's run in MLflow, its folder and its table know the two runs."""
    assert [run.info.status for run in (parent, *runs)] == ["FINISHED"] * 3
    assert [run.info.run_name for run in runs] == ["tanh-T5-s0", "tanh-T5-s1"]
    assert {run.data.tags["mlflow.parentRunId"] for run in runs} == {parent.info.run_id}
    (sweep,) = {run.data.tags["sweep_id"] for run in (parent, *runs)}
    place = Path("outputs", "sweeps", sweep)
    assert {run.data.tags["sweep_folder"] for run in (parent, *runs)} == {str(place.absolute())}
    for job, run, folder in zip(jobs(), runs, folders, strict=True):
        assert (job["status"], job["resumed"], job["run_id"]) == ("FINISHED", True, run.info.run_id)
        assert job["run_folder"] == run.data.tags["run_folder"] == str(folder.absolute())
        assert job["learning"] == run.data.tags["verdict.learning"]
        assert run.info.run_name in printed
    assert (place / "multirun.yaml").is_file()
    assert f"report      {place}/report.html\n" in printed
    assert (place / "report.html").is_file()


def assert_complete(client, run):
    """The run holds what the measurement contract names."""
    data = run.data
    assert data.tags.keys() >= {
        *("verdict.gradient", "verdict.learning", "budget_exhausted", "config_hash", "group_hash"),
        *("git.sha", "git.dirty", "run_folder"),
    }
    assert data.params.items() >= {"task": "adding", "clip": "none", "units": "4", "init.gain": "1.0"}.items()
    assert 25 <= len(data.metrics) <= 60  # a page that can still be read, and none per time step
    assert all(map(math.isfinite, data.metrics.values()))
    names = {artifact.path for artifact in client.list_artifacts(run.info.run_id)}
    assert names >= {
        *("config.yaml", "overrides.yaml", "environment.txt", "run.log", "gradient_flow.npz", "figures")
    }
    figures = {Path(artifact.path).stem for artifact in client.list_artifacts(run.info.run_id, "figures")}
    assert figures >= {"gradient_profile", "gradient_heatmap", "spectrum", "loss"}


def assert_same_content(folder, run):
    """Files hold what MLflow holds, but for where, when and figures."""
    params = json.loads((folder / "params.json").read_text())
    other = {key: value for key, value in run.data.params.items() if not key.startswith("tracking")}
    here = {key: value for key, value in params.items() if not key.startswith("tracking")}
    assert here | {"output_dir": "outputs", "figures.format": "png"} == other
    tags = json.loads((folder / "tags.json").read_text())
    for key in ("config_hash", "group_hash", "verdict.gradient", "verdict.learning", "budget_exhausted"):
        assert tags[key] == run.data.tags[key]
    last: dict[str, tuple[int, float]] = {}
    for line in (folder / "metrics.csv").read_text().splitlines()[1:]:
        key, value, step, _ = line.split(",")
        last[key] = max((int(step), float(value)), last.get(key, (-1, 0.0)))
    timeless = {key: value for key, value in run.data.metrics.items() if not key.startswith("time/")}
    assert {key: value for key, (_, value) in last.items() if not key.startswith("time/")} == timeless
    assert last.keys() == run.data.metrics.keys()


def assert_model_is(run, path):
    """The logged model answers as the Keras file at `path` does."""
    import keras

    x = np.random.default_rng(0).random((3, 5, 2), dtype=np.float32)
    (logged,) = run.outputs.model_outputs
    (file,) = (
        Path(run.info.artifact_uri.removeprefix("file://"))
        .parents[1]
        .glob(f"models/{logged.model_id}/artifacts/data/model.keras")
    )
    answer = keras.models.load_model(file).predict(x, verbose=0)
    np.testing.assert_array_equal(answer, keras.models.load_model(path).predict(x, verbose=0))


def test_signals_stop_a_sweep_the_second_at_once():
    with started("seed=0,1", *LOCAL, "steps=100000", "checkpoint.every=50", "tracking=none") as process:
        (checkpoint, *_) = wait_for(lambda: list(Path("outputs").glob("*/*/checkpoint.npz")), process)
        threads = {int(path.name) for path in Path(f"/proc/{process.pid}/task").iterdir()}
        begun = time.monotonic()
        # The first is received by another thread than the one that Python handles signals in.
        assert ctypes.CDLL(None).tgkill(process.pid, max(threads - {process.pid}), signal.SIGINT) == 0
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate()
    assert time.monotonic() - begun < 15
    assert process.returncode == 128 + signal.SIGINT
    assert "the same command does" in out
    assert state(checkpoint.parent)["status"] == "KILLED"
