"""Runs and sweeps as Hydra calls them, in this process and with a stand-in for the training."""

import logging
import signal
import sys
from pathlib import Path

import hydra
import pytest

from rnnexp import experiment
from rnnexp.job import Job
from rnnexp.run_folder import RunFolder

ROOT = Path(__file__).parents[1]


@pytest.fixture
def main(monkeypatch):
    """Do what `run.py` does after its check, in this process, with `act(job)` in place of the training."""
    decorate = hydra.main(version_base="1.3", config_path=str(experiment.CONF), config_name="config")
    handlers = list(logging.getLogger().handlers)
    # Hydra sets logging up anew, which would close what TensorFlow's logger took for the standard error.
    monkeypatch.setattr("logging.config._clearExistingHandlers", lambda: None)

    def call(act, *arguments):
        monkeypatch.setattr("rnnexp.job._conduct", lambda job, folder, tracker, signals, *rest: act(job))
        monkeypatch.setattr(sys, "argv", [str(ROOT / "run.py"), *arguments])
        try:
            decorate(experiment.run)()
        except SystemExit as end:
            return end.code
        finally:
            # Hydra's, which writes where the test's own standard error was.
            logging.getLogger().handlers = handlers
        return 0

    return call


def states():
    return [RunFolder(path.parent).state()["status"] for path in sorted(Path("outputs").glob("*/*/run.json"))]


def test_one_run_leaves_its_folder_and_nothing_else(main, tmp_path, capsys):
    seen: list[Job] = []
    assert main(seen.append, "tracking=none", "seed=0") == 0
    assert states() == ["FINISHED"]
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]
    assert [(job.plan.seed, job.sweep_id) for job in seen] == [(0, None)]
    assert capsys.readouterr() == ("", "")


def test_a_sweep_is_one_under_its_id(main, tmp_path):
    seen: list[Job] = []
    assert main(seen.append, "-m", "tracking=none", "seed=0,1", "units=4,8") == 0
    assert [(job.plan.seed, job.plan.units) for job in seen] == [(0, 4), (0, 8), (1, 4), (1, 8)]
    (sweep_id,) = {job.sweep_id for job in seen}
    assert [path.name for path in (tmp_path / "outputs" / "sweeps" / sweep_id).iterdir()] == ["multirun.yaml"]
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]
    assert states() == ["FINISHED"] * 4


def fail_second(job):
    if job.plan.seed == 1:
        raise ZeroDivisionError("of nothing")


def test_a_run_that_fails_exits_1_and_shows_where(main, capsys):
    assert main(fail_second, "tracking=none", "seed=1") == 1
    printed = capsys.readouterr()
    assert states() == ["FAILED"]
    assert printed.out == ""
    assert printed.err.count("Traceback") == 1
    assert 'raise ZeroDivisionError("of nothing")' in printed.err


def test_a_job_that_fails_does_not_take_the_others_down(main, capsys):
    assert main(fail_second, "-m", "tracking=none", "seed=0,1,2") == 1
    assert states() == ["FINISHED", "FAILED", "FINISHED"]
    assert "the run failed: ZeroDivisionError: of nothing\n" in capsys.readouterr().err


def test_a_job_that_is_refused_does_not_take_the_others_down(main, capsys):
    # Each value alone would do.
    arguments = ("init=orthogonal,sparse", "units=20,5,30")
    experiment.check(["-m", *arguments])
    assert main(lambda job: None, "-m", "tracking=none", *arguments) == 1
    assert states() == ["FINISHED"] * 5
    assert "init.nonzero: expected at most 5, the units, received 15" in capsys.readouterr().err


def test_a_signal_ends_the_whole_sweep(main, capsys):
    def interrupted(job):
        signal.raise_signal(signal.SIGINT)

    assert main(interrupted, "-m", "tracking=none", "seed=0,1,2") == 130
    assert states() == ["KILLED"]
    assert capsys.readouterr().err == "stopped by SIGINT; there is no checkpoint to go on from\n"


def test_a_wrong_value_that_came_by_another_way_is_refused_too(main, capsys, tmp_path):
    (tmp_path / "more" / "experiment").mkdir(parents=True)
    (tmp_path / "more" / "experiment" / "mine.yaml").write_text("# @package _global_\nseq_len: 0\n")
    arguments = [f"--config-dir={tmp_path}/more", "experiment=mine"]
    experiment.check(arguments)
    assert main(None, *arguments) == 2
    assert capsys.readouterr() == ("", "run.py: seq_len: expected an integer of at least 1, received 0\n")
    assert states() == []
