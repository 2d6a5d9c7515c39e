"""With a plain fork in place of the fork server, so that a stand-in takes the place of the run."""

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from rnnexp.runs import build
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.signals import Killed
from rnnexp.sweep import process as module
from rnnexp.sweep.process import JobProcess, close_records

SECONDS = 60


@pytest.fixture
def start(monkeypatch, tmp_path, capfd):
    """Start a process that does `act(job, found, opened)` in place of the run."""
    monkeypatch.setattr(module, "_context", lambda with_mlflow: multiprocessing.get_context("fork"))

    def started(act, found=None, environ=None):
        monkeypatch.setattr(module, "run_job", act)
        job = build.compose_job(["tracking=none", "seed=7"])
        with capfd.disabled():  # the child's own streams, not those that pytest puts in their place
            return JobProcess(job, found, tmp_path / "console.txt", environ or {})

    return started


def ended(process):
    """Return the exit code: what the process tells before does not end it."""
    deadline = time.monotonic() + SECONDS
    while (code := process.wait(SECONDS)) is None:
        assert time.monotonic() < deadline
    return code


def text():
    return Path("console.txt").read_text()


def test_one_that_ends_well_tells_its_folder_and_writes_to_its_console(start, tmp_path):
    def act(job, found, opened):
        opened(RunFolder(tmp_path / "run"))
        print("seed", job.plan.seed, os.environ["COLOUR"], found.path.name, sys.argv)
        os.write(2, b"native\n")

    process = start(act, RunFolder(tmp_path / "before"), {"COLOUR": "red"})
    assert ended(process) == 0
    assert process.folder is not None
    assert (process.folder.path, process.error) == (tmp_path / "run", "")
    assert "seed 7 red before ['run.py', 'tracking=none', 'seed=7']" in text()
    assert "native" in text()
    assert "COLOUR" not in os.environ


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ZeroDivisionError("of\nnothing"), "ZeroDivisionError: of nothing"),
        (ArgumentError("units", "3", 4), "units: expected 3, received 4"),
        (MemoryError("x" * 5000), ("MemoryError: " + "x" * 5000)[:2000]),
    ],
)
def test_one_that_raises_tells_why(start, error, told):
    def act(job, found, opened):
        raise error

    process = start(act)
    assert ended(process) == 1
    assert (process.folder, process.error) == (None, told)
    assert "Traceback" in text()


def test_one_that_was_stopped_in_order(start):
    def act(job, found, opened):
        raise Killed(signal.SIGINT)

    assert ended(start(act)) == 130


def test_one_that_is_killed_takes_nobody_with_it(start, tmp_path):
    def act(job, found, opened):
        opened(RunFolder(tmp_path / "run"))
        time.sleep(SECONDS)

    process = start(act)
    deadline = time.monotonic() + SECONDS
    while process.folder is None and time.monotonic() < deadline:
        assert process.wait(0.01) is None
    process.send(signal.SIGKILL)
    assert ended(process) == -signal.SIGKILL
    assert process.folder is not None
    process.send(signal.SIGINT)  # to nobody


def test_native_code_that_crashes_says_where(start):
    def act(job, found, opened):
        os.abort()

    process = start(act)
    assert ended(process) == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in text()


def test_one_whose_worker_is_gone_ends_in_order(start, monkeypatch):
    class Gone:
        def join(self):
            return

    monkeypatch.setattr(multiprocessing, "parent_process", lambda: Gone())

    def act(job, found, opened):
        time.sleep(SECONDS)

    assert ended(start(act)) == -signal.SIGTERM


def test_records_are_closed_elsewhere(start, monkeypatch, tmp_path):
    ended(start(lambda *arguments: None))
    monkeypatch.setattr(
        module.run_context,
        "end",
        lambda job, folder, *how: (tmp_path / "how").write_text(f"{os.getpid()} {how}"),
    )
    job = build.compose_job(["tracking=none"])
    close_records(job, RunFolder(tmp_path), "KILLED", "why")
    pid, _, how = (tmp_path / "how").read_text().partition(" ")
    assert how == "('KILLED', 'why')"
    assert int(pid) != os.getpid()
