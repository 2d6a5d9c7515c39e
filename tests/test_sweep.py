"""Sweeps as their users call them: forty jobs of which three go wrong, and one that is interrupted."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from whole_sweeps import ROOT, SECONDS, TINY, arrays, asked, jobs, run_folders, started, state, wait_for

from rnnexp.tracking.client import connect

pytestmark = pytest.mark.sweep

# Python reads this file when it starts, in every process of the sweep: the jobs with these two learning rates
# meet their ends where they import TensorFlow, as long as there is a file `trouble`.
TROUBLE = """
import os, signal, sys
if os.path.exists(os.environ["TROUBLE"]):
    import rnnexp.runtime.device as device
    import_tensorflow = device.import_tensorflow
    def troubled(of):
        if "optimizer.learning_rate=0.007" in sys.argv:
            raise ZeroDivisionError("of nothing")
        if "optimizer.learning_rate=0.008" in sys.argv:
            os.kill(os.getpid(), signal.SIGKILL)
        import_tensorflow(of)
    device.import_tensorflow = troubled
"""

RATES = [f"0.{number:03d}" for number in range(1, 40)] + ["1e30"]


def test_failing_jobs_do_not_disturb_the_others_of_forty(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(TROUBLE)
    (tmp_path / "trouble").touch()
    environ = {
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), os.environ["PYTHONPATH"]]),
        "TROUBLE": str(tmp_path / "trouble"),
    }
    arguments = (
        *("launcher=joblib", "launcher.workers=2", "steps=5", "tracking=none", "optimizer=sgd"),
        f"optimizer.learning_rate={','.join(RATES)}",
    )
    first = asked(*arguments, environ=environ)
    found = jobs()
    assert first.returncode == 1
    assert [job["status"] for job in found].count("FINISHED") == 38
    assert (found[6]["status"], found[6]["note"]) == ("FAILED", "ZeroDivisionError: of nothing")
    assert found[7]["status"] == "KILLED"
    assert found[7]["note"].startswith("the process was ended by SIGKILL (out of memory?")
    assert [job["learning"] for job in found].count("diverged") == 1
    assert found[39]["learning"] == "diverged"
    for job in found:
        assert state(job["run_folder"])["status"] == job["status"]
    assert "\n    ZeroDivisionError: of nothing\n" in first.stdout
    assert re.search(r", 1 diverged\nfailed +1\nkilled +1\n", first.stdout)
    assert "the same command does the 2 jobs that are not finished, and no other" in first.stdout
    assert 'raise ZeroDivisionError("of nothing")' in Path(found[6]["run_folder"], "run.log").read_text()
    assert "ended by SIGKILL" in Path(found[7]["run_folder"], "run.log").read_text()

    (tmp_path / "trouble").unlink()
    before = run_folders()
    second = asked(*arguments, environ=environ)
    assert second.returncode == 0
    again = jobs()
    # What failed is another run; what was killed is the same one, from its start as it had no checkpoint.
    assert len(run_folders() - before) == 1
    assert [again[number]["run_folder"] == found[number]["run_folder"] for number in (6, 7)] == [False, True]
    assert [n for n, job in enumerate(again) if job["status"] == "FINISHED"] == [6, 7]
    assert [job["status"] for job in again].count("SKIPPED") == 38
    assert [job["run_folder"] for job in again if job["status"] == "SKIPPED"] == [
        job["run_folder"] for job in found if job["status"] == "FINISHED"
    ]


LONG = (
    *("steps=3000", "checkpoint.every=50", "steps_per_execution=10", "probe.every=3000"),
    *("validation.every=3000", "launcher=joblib", "launcher.workers=2", "seed=0,1,2"),
)


def test_an_interrupted_sweep_resumes_to_the_same_numbers(tracking_uri):
    arguments = (*LONG, f"tracking.uri={tracking_uri}")
    with started(*arguments) as process:
        wait_for(lambda: list(Path("outputs").glob("*/*/checkpoint.npz")), process)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "not begun  " in out
    stopped = jobs()
    assert {job["status"] for job in stopped} == {"KILLED", "WAITING"}
    client = connect(tracking_uri)
    killed = {job["run_id"] for job in stopped if job["run_id"] is not None}
    assert killed
    assert {client.get_run(run_id).info.status for run_id in killed} == {"KILLED"}

    (sweep,) = Path("outputs/sweeps").iterdir()
    assert asked(*arguments).returncode == 0
    assert list(Path("outputs/sweeps").iterdir()) == [sweep]
    resumed = [job for job in jobs() if job["resumed"]]
    assert resumed
    assert {job["run_id"] for job in resumed} <= killed
    parent = json.loads((sweep / "sweep.json").read_text())["run_id"]
    for job in jobs():
        run = client.get_run(job["run_id"])
        assert run.info.status == job["status"] == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == parent

    one = resumed[0]
    seed = next(override for override in one["overrides"] if override.startswith("seed="))
    alone = [argument for argument in LONG if not argument.startswith(("seed", "launcher"))]
    subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *TINY, *alone, seed, "tracking=none", "output_dir=alone"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (folder,) = Path("alone").glob("*/*")
    expected, found = arrays(folder), arrays(one["run_folder"])
    assert expected.keys() == found.keys()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name, strict=True)


def test_simultaneous_runs_share_a_fresh_folder_and_store(tmp_path):
    uri = f"sqlite:///{tmp_path}/fresh/runs.db"
    alone = [argument for argument in TINY if argument != "tracking.model=false"]
    commands = [
        [sys.executable, str(ROOT / "run.py"), *alone, "steps=5", f"seed={seed}", f"tracking.uri={uri}"]
        for seed in range(5)
    ]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    begun = [subprocess.Popen(command, **pipes) for command in commands]  # type: ignore[call-overload]
    printed = [process.communicate(timeout=SECONDS)[0] for process in begun]
    assert [process.returncode for process in begun] == [0] * 5, printed
    client = connect(uri)
    (experiment,) = (found for found in client.search_experiments() if found.name != "Default")
    runs = client.search_runs([experiment.experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * 5
    assert {state(folder)["run_id"] for folder in run_folders()} == {run.info.run_id for run in runs}
    assert len({run.data.params["seed"] for run in runs}) == 5
