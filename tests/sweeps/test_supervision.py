"""A whole sweep in this process, with a function in place of Hydra and its launcher."""

import dataclasses
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from jobs import job_of

from rnnexp.runtime.checks import ArgumentError
from rnnexp.sweeps.folder import SweepFolder
from rnnexp.sweeps.outcome import Outcome
from rnnexp.sweeps.request import Request
from rnnexp.sweeps.supervision import supervise

FINISHED = ("FINISHED",) * 3


@pytest.fixture
def request_():
    jobs = tuple(("tracking=none", f"seed={seed}") for seed in range(3))
    return Request(
        sweeping=True,
        typed=("tracking=none", "seed=0,1,2"),
        jobs=jobs,
        first=job_of(jobs[0]),
        launcher="joblib",
        workers=2,
    )


def sweeps():
    return [SweepFolder(path) for path in sorted(Path("outputs").glob("sweeps/*"))]


def done(*statuses, **values):
    """Return a launcher whose jobs end that way; None is one that is not begun."""

    def launch():
        for number, status in enumerate(statuses):
            if status is not None:
                sweeps()[-1].record(Outcome(number, (f"seed={number}",), status, name="job", **values))

    return launch


def statuses():
    (*_, table) = sorted(Path("outputs").glob("sweeps/*/jobs.json"))
    return [row["status"] for row in json.loads(table.read_text())]


def test_all_finished_is_a_success(request_, capfd):
    assert supervise(request_, done("FINISHED", "SKIPPED", "FINISHED")) == 0
    assert statuses() == ["FINISHED", "SKIPPED", "FINISHED"]
    (folder,) = sweeps()
    state = folder.state.read()
    assert state["overrides"] == ["tracking=none", "seed=0,1,2"]
    assert (state["jobs"], state["workers"], state["cwd"]) == (3, 2, str(Path.cwd()))
    printed = capfd.readouterr().out
    assert f"sweep seed, {folder.id}" in printed
    assert "skipped     1" in printed


def test_a_sweep_says_what_the_call_before_has_finished(request_, capfd):
    supervise(request_, done("FINISHED", "FAILED", "SKIPPED"))
    assert "the call before" not in capfd.readouterr().out
    supervise(request_, done("SKIPPED", "FINISHED", "SKIPPED"))
    assert capfd.readouterr().out.splitlines()[0] == "3 jobs, of which the call before left 2 finished"


@pytest.mark.parametrize("status", ["FAILED", "KILLED"])
def test_one_that_went_wrong_is_a_failure(request_, status):
    assert supervise(request_, done("FINISHED", status, "FINISHED", note="why")) == 1


def test_the_launcher_gets_what_was_typed_and_the_folder(request_, monkeypatch):
    seen = []

    def launch():
        seen.extend(sys.argv)
        done(*FINISHED)()

    typed = list(sys.argv)
    supervise(request_, launch)
    (folder,) = sweeps()
    assert seen[1:] == [
        *("-m", f"hydra.sweep.dir='{folder.path.absolute()}'"),
        f"+hydra.job.env_set.RNNEXP_SWEEP_CALL='{folder.state.read()['call']}'",
        *("tracking=none", "seed=0,1,2"),
    ]
    assert sys.argv == typed


def test_a_launcher_that_breaks_says_why(request_, capfd):
    def launch():
        os.system("echo no room for any of this >&2")
        sys.exit(1)

    assert supervise(request_, launch) == 1
    assert statuses() == ["WAITING"] * 3
    printed = capfd.readouterr().out
    assert "launcher    it ended with code 1: no room for any of this" in printed


def test_a_job_that_is_lost_with_its_launcher_was_killed(request_):
    assert supervise(request_, done("FINISHED", "RUNNING", "FINISHED")) == 1
    assert statuses() == ["FINISHED", "KILLED", "FINISHED"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_the_wish_to_stop(request_, number):
    def launch():
        done("FINISHED", "RUNNING")()
        os.kill(os.getpid(), number)
        (folder,) = sweeps()
        job = SweepFolder(folder.path, folder.state.read()["call"])
        assert job.stopping == 1
        done("FINISHED", "KILLED", note="stopped by SIGINT")()

    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert supervise(request_, launch) == 128 + number
    assert statuses() == ["FINISHED", "KILLED", "WAITING"]
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == handlers


def test_a_second_signal_interrupts_the_launcher(request_):
    def launch():
        done("FINISHED", "RUNNING")()
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)

    started = time.monotonic()
    assert supervise(request_, launch) == 130
    assert statuses() == ["FINISHED", "KILLED", "WAITING"]
    assert time.monotonic() - started < 30


def test_jobs_at_work_are_waited_for_when_a_launcher_breaks(request_):
    ended: list[float] = []

    def work(folder):
        with folder.worker():
            at_work.set()
            time.sleep(0.5)
            done("FINISHED", "FAILED", "FINISHED")()
            ended.append(time.monotonic())

    at_work = threading.Event()

    def launch():
        thread = threading.Thread(target=work, args=sweeps())
        thread.start()
        at_work.wait()
        sys.exit(1)

    assert supervise(request_, launch) == 1
    assert len(ended) == 1
    assert statuses() == ["FINISHED", "FAILED", "FINISHED"]


def test_the_same_command_goes_on_with_the_same_sweep(request_):
    supervise(request_, done("FINISHED", "FAILED", "FINISHED"))
    supervise(request_, done("SKIPPED", "FINISHED", "SKIPPED"))
    (folder,) = sweeps()
    assert [outcome.status for outcome in folder.outcomes().values()] == ["SKIPPED", "FINISHED", "SKIPPED"]
    forced = dataclasses.replace(request_, first=dataclasses.replace(request_.first, resume=False))
    supervise(forced, done(*FINISHED))
    supervise(dataclasses.replace(request_, typed=("tracking=none", "seed=0,1,2,3")), done("FINISHED"))
    assert len(sweeps()) == 3


def test_a_folder_that_was_named_is_taken(request_):
    assert supervise(dataclasses.replace(request_, folder="outputs/sweeps/x"), done(*FINISHED)) == 0
    assert [folder.id for folder in sweeps()] == ["x"]


def test_a_sweep_that_is_at_work_is_left_alone(request_):
    supervise(request_, done("FINISHED"))
    with sweeps()[0].held(), pytest.raises(ArgumentError, match="sweep: expected a sweep that no other"):
        supervise(request_, done("FINISHED"))


def test_the_progress_is_shown_while_the_launcher_works(request_, capfd):
    shown = threading.Event()

    def launch():
        done("FINISHED", learning="solved")()
        shown.wait(1)
        done(*FINISHED, learning="solved")()

    supervise(request_, launch)
    assert capfd.readouterr().out.startswith("1/3 jobs  0 failed")
