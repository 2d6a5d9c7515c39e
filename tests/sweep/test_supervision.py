"""The supervising process, with a small script in place of Hydra and its launcher."""

import dataclasses
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from rnnexp.runs import build
from rnnexp.runtime.checks import ArgumentError
from rnnexp.sweep import supervision
from rnnexp.sweep.folder import SweepFolder
from rnnexp.sweep.request import Request

HEAD = """
import os, signal, sys, time
from pathlib import Path
from rnnexp.sweep.folder import SweepFolder
from rnnexp.sweep.outcome import Outcome
folder = SweepFolder(Path(os.environ["RNNEXP_SWEEP"]), os.environ["RNNEXP_SWEEP_CALL"])
def done(number, status="FINISHED", **values):
    folder.record(Outcome(number, ("seed=%d" % number,), status, name="job", **values))
"""


@pytest.fixture
def request_():
    jobs = tuple(("tracking=none", f"seed={seed}") for seed in range(3))
    return Request(
        sweeping=True,
        typed=("tracking=none", "seed=0,1,2"),
        jobs=jobs,
        first=build.compose_job(jobs[0]),
        launcher="joblib",
        workers=2,
    )


@pytest.fixture
def supervise(request_, monkeypatch):
    """Supervise a script in place of the launcher; return the code and the outcomes written down."""
    monkeypatch.setattr(supervision, "_POLL", 0.01)
    monkeypatch.setattr(supervision, "_GRACE", 0.2)

    def supervised(script, request=request_):
        command = [sys.executable, "-c", HEAD + script]
        monkeypatch.setattr(supervision, "_command", lambda *arguments: command)
        code = supervision.supervise(request, [])
        (*_, table) = sorted(Path("outputs").glob("sweeps/*/jobs.json"))
        return code, [row["status"] for row in json.loads(table.read_text())]

    return supervised


def sweeps():
    return [SweepFolder(path) for path in sorted(Path("outputs").glob("sweeps/*"))]


def test_all_finished_is_a_success(supervise, request_, capsys):
    assert supervise("done(0); done(1, 'SKIPPED'); done(2)") == (0, ["FINISHED", "SKIPPED", "FINISHED"])
    (folder,) = sweeps()
    state = folder.state.read()
    assert state["overrides"] == ["tracking=none", "seed=0,1,2"]
    assert (state["jobs"], state["workers"], state["cwd"]) == (3, 2, str(Path.cwd()))
    printed = capsys.readouterr().out
    assert f"sweep seed, {folder.id}" in printed
    assert "finished   2 of 3" not in printed  # no verdicts in this script's outcomes
    assert "skipped    1" in printed


@pytest.mark.parametrize("status", ["FAILED", "KILLED"])
def test_one_that_went_wrong_is_a_failure(supervise, status):
    assert supervise(f"done(0); done(1); done(2, {status!r}, note='why')")[0] == 1


def test_a_launcher_that_breaks_is_started_again(supervise):
    script = """
if folder.outcome(0) is None:
    done(0); done(1, "RUNNING"); os.kill(os.getpid(), signal.SIGKILL)
done(1, tries=2); done(2)
"""
    assert supervise(script) == (0, ["FINISHED"] * 3)


def test_a_launcher_that_breaks_without_having_done_anything_is_given_up(supervise, capsys):
    code, statuses = supervise("sys.exit('no room for any of this')")
    assert (code, statuses) == (1, ["WAITING"] * 3)
    assert "launcher   it ended with code 1: no room for any of this" in capsys.readouterr().out


def test_a_worker_that_goes_away_with_its_job_leaves_it_killed(supervise):
    script = "done(0); done(1, 'RUNNING', tries=2) if folder.outcome(1) else done(1, 'RUNNING'); done(2)"
    assert supervise(script) == (1, ["FINISHED", "KILLED", "FINISHED"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_what_runs_and_what_has_not_begun(supervise, number):
    script = """
done(0); done(1, "RUNNING")
while not folder.stopping:
    time.sleep(0.01)
time.sleep(0.5)
done(1, "KILLED", note="stopped by SIGINT")
"""

    def interrupt():
        while not any(folder.outcome(1) for folder in sweeps()):
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    thread = threading.Thread(target=interrupt)
    thread.start()
    assert supervise(script) == (128 + number, ["FINISHED", "KILLED", "WAITING"])
    thread.join()
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_asked_to_stop_a_launcher_without_a_job_at_work_is_ended(supervise):
    started = time.monotonic()
    assert supervise("folder.stop(1); time.sleep(60)") == (1, ["WAITING"] * 3)
    assert time.monotonic() - started < 30


def test_what_the_launcher_leaves_behind_is_ended_with_it(supervise):
    script = """
import subprocess
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
(folder.path / "child").write_text(str(child.pid))
done(0); done(1); done(2)
"""
    supervise(script)
    pid = int((sweeps()[0].path / "child").read_text())
    deadline = time.monotonic() + 30
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(pid)


def alive(pid):
    """Whether the process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_same_command_goes_on_with_the_same_sweep(supervise, request_):
    supervise("done(0); done(1, 'FAILED'); done(2)")
    supervise("done(0, 'SKIPPED'); done(1); done(2, 'SKIPPED')")
    (folder,) = sweeps()
    assert [outcome.status for outcome in folder.outcomes().values()] == ["SKIPPED", "FINISHED", "SKIPPED"]
    forced = dataclasses.replace(request_, first=dataclasses.replace(request_.first, resume=False))
    supervise("done(0); done(1); done(2)", forced)
    supervise("done(0)", dataclasses.replace(request_, typed=("tracking=none", "seed=0,1,2,3")))
    assert len(sweeps()) == 3


def test_a_folder_that_was_named_is_taken(supervise, request_):
    code, _ = supervise("done(0); done(1); done(2)", dataclasses.replace(request_, folder="outputs/sweeps/x"))
    assert code == 0
    assert [folder.id for folder in sweeps()] == ["x"]


def test_a_sweep_that_is_at_work_is_left_alone(supervise):
    supervise("done(0)")
    with sweeps()[0].held(), pytest.raises(ArgumentError, match="sweep: expected a sweep that no other"):
        supervise("done(0)")


def test_the_command_is_this_program_with_what_is_left_open(request_, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "orig_argv", ["python", "-W", "error", "run.py", "-m", "seed=0,1,2"])
    folder = SweepFolder(tmp_path / "it's", "c1")
    command = supervision._command(request_, ["-m", "seed=0,1,2"], folder)
    assert command == [
        *(sys.executable, "-W", "error", "run.py", "-m"),
        f"hydra.sweep.dir='{tmp_path}/it\\'s'",
        "+hydra.job.env_set.RNNEXP_SWEEP_CALL='c1'",
        "hydra.launcher.n_jobs=2",
        *("tracking=none", "seed=0,1,2"),
    ]
