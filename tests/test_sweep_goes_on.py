"""A small sweep of which one process is killed, then all of them, and the same command after each."""

import ctypes
import os
import signal
import time
from pathlib import Path

import numpy as np
from whole_sweeps import TINY, arrays, asked, held, jobs, kill_all, run_folders, started, state, wait_for

from rnnexp.runs import build
from rnnexp.runs.run import run_job
from rnnexp.tracking.client import connect

JOB = ("steps=60", "checkpoint.every=20", "probe.every=60", "validation.every=60")
LOCAL = ("launcher=joblib", "launcher.workers=2", "seed=0,1")


def folder_of(seed):
    (folder,) = (path for path in run_folders() if path.name.endswith(f"-s{seed}"))
    return folder


def test_a_sweep_goes_on_after_kills_to_the_same_bytes(tracking_uri):
    sweep = (*JOB, *LOCAL, f"tracking.uri={tracking_uri}")
    client = connect(tracking_uri)

    with held("os.rename *-s0/checkpoint.npz 1", *sweep) as process:  # the first is in its place
        folder = folder_of(0)
        os.kill(state(folder)["pid"], signal.SIGKILL)
        out, _ = process.communicate()
    assert process.returncode == 1
    killed, other = jobs()
    assert (killed["status"], other["status"]) == ("KILLED", "FINISHED")
    assert killed["note"].startswith("the process was ended by SIGKILL (out of memory?")
    assert "the same command goes on with it" in " ".join(out.split())
    assert killed["note"] in (folder / "run.log").read_text()
    assert client.get_run(killed["run_id"]).info.status == state(folder)["status"] == "KILLED"

    with held("open *-s0/gradient_flow.npz 0", *sweep) as process:
        assert kill_all(process) > 2
    assert state(folder)["status"] == "RUNNING"

    assert asked(*sweep).returncode == 0
    first, second = jobs()
    assert (first["status"], first["resumed"], second["status"]) == ("FINISHED", True, "SKIPPED")
    assert first["run_folder"] == str(folder.absolute())
    assert (first["run_id"], second["run_id"]) == (killed["run_id"], other["run_id"])
    assert state(folder)["attempts"] == 3
    assert len(run_folders()) == 2
    runs = client.search_runs([client.get_run(first["run_id"]).info.experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * 3  # two jobs and their sweep

    run_job(build.compose_job([*TINY, *JOB, "seed=0", "tracking=none", "output_dir=alone"]))
    expected, found = arrays(next(Path("alone").glob("*/*"))), arrays(folder)
    assert expected.keys() == found.keys()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name, strict=True)


def test_signals_stop_a_sweep_the_second_at_once():
    with started(*LOCAL, "steps=100000", "checkpoint.every=50", "tracking=none") as process:
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
