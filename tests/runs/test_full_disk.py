"""A run whose files cannot grow beyond a size, as on a disk that becomes full at one of its writes."""

import contextlib
import os
import resource
import sys
from pathlib import Path

import numpy as np
import pytest
from jobs import jobs_of

from rnnexp.report.terminal import Summary
from rnnexp.runs.run import run_jobs
from rnnexp.runs.run_folder import RunFolder
from rnnexp.tracking import Point, sync
from rnnexp.tracking.client import connect

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limit is set as on Linux")

SIZES = [1, 300, 2400, 9600, 20_000]
"""Bytes that no file may exceed: under each another write is the first that fails."""


@contextlib.contextmanager
def files_of_at_most(size):
    """Let every write beyond that size of a file fail; pytest keeps what is printed in files, too."""
    found = resource.getrlimit(resource.RLIMIT_FSIZE)
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, found[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, found)


def train(runs, signals, started):
    """Stand for training: write what a run writes."""
    (run,) = runs
    run.tracker.metrics([Point("train/loss", 1.0, step) for step in range(300)])
    (run.folder.path / "verdict.txt").write_text("a sentence")
    run.tracker.artifact(run.folder.path / "verdict.txt")
    np.savez(run.folder.arrays, steps=np.arange(3000))
    run.records.close()
    return [Summary("a", 0, run.folder.path)]


def tried(jobs):
    """Whether the run ends well; else it does so by the error that becomes one sentence."""
    try:
        run_jobs(jobs, train=train)
    except OSError as error:
        assert error.strerror == "File too large"
        return False
    return True


def folders():
    return [RunFolder(path) for path in sorted(Path("outputs").glob("*/*"))]


def test_a_run_without_room_fails_and_leaves_what_is_whole():
    jobs = jobs_of(["tracking=none", "tracking.diff=false", "resume=true"])
    for size in SIZES:
        with files_of_at_most(size):
            assert not tried(jobs)
    assert tried(jobs)
    # Where not even the state could be written, no folder is left.
    assert [folder.state()["status"] for folder in folders()] == ["FAILED"] * (len(SIZES) - 1) + ["FINISHED"]


def test_its_records_follow_when_there_is_room(tracking_uri):
    jobs = jobs_of([f"tracking.uri={tracking_uri}", "tracking.diff=false", "tracking.patience=0.2"])
    with files_of_at_most(20_000):  # no room in the database of MLflow either
        assert not tried(jobs)
    (folder,) = folders()
    assert folder.state()["status"] == "FAILED"
    assert sync.sync(folder.path)
    (run,) = connect(tracking_uri).search_runs(["0", "1"])
    assert (run.info.status, run.data.metrics["train/loss"]) == ("FAILED", 1.0)
