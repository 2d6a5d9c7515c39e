"""Runs and sweeps as Hydra calls them, in this process and with a stand-in for the training."""

import errno
import logging
import sys
from pathlib import Path

import hydra
import pytest

from rnnexp import cli
from rnnexp.report.terminal import Summary
from rnnexp.runs.job import Job
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.places import CONF
from rnnexp.sweeps.folder import SweepFolder

ROOT = Path(__file__).parents[1]


@pytest.fixture
def main(monkeypatch):
    """Do what `run.py` does after its check, in this process, with `act(job)` in place of the training."""
    decorate = hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
    handlers = list(logging.getLogger().handlers)
    # Hydra sets logging up anew, which would close what TensorFlow's logger took for the standard error.
    monkeypatch.setattr("logging.config._clearExistingHandlers", lambda: None)

    def call(act, *arguments):
        def train(runs, signals, started):
            for run in runs:
                act(run.job)
            return [Summary("a", run.job.plan.seed, run.folder.path) for run in runs]

        monkeypatch.setattr("rnnexp.runs.run.train_with_tensorflow", train)
        monkeypatch.setattr(sys, "argv", [str(ROOT / "run.py"), *arguments])
        try:
            decorate(cli.run)()
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
    assert [(job.plan.seed, job.sweep) for job in seen] == [(0, None)]
    printed = capsys.readouterr()
    assert printed.out.startswith("finished") and printed.err == ""


def test_replicas_are_runs_beside_each_other(main, tmp_path):
    seen: list[int] = []
    assert main(lambda job: seen.append(job.plan.seed), "tracking=none", "replicas=3", "seed=2") == 0
    assert seen == [2, 3, 4]
    assert states() == ["FINISHED"] * 3
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]


def fail_at_1(job):
    if job.plan.seed == 1:
        raise ZeroDivisionError("of nothing")


def test_a_run_that_fails_exits_1_and_shows_where(main, capsys):
    assert main(fail_at_1, "tracking=none", "seed=1") == 1
    printed = capsys.readouterr()
    assert states() == ["FAILED"]
    assert printed.out == ""
    assert printed.err.count("Traceback") == 1
    assert 'raise ZeroDivisionError("of nothing")' in printed.err


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's."""


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "outputs/x"),
            "No space left on device (outputs/x): mend that; then a sweep goes on by the same command",
        ),
        (
            MemoryError("Unable to allocate 7 TiB"),
            "out of memory (Unable to allocate 7 TiB): a smaller batch_size",
        ),
        (
            ResourceExhaustedError("OOM when\nallocating"),
            "out of memory (OOM when allocating): a smaller batch_si",
        ),
    ],
)
def test_where_the_machine_fails_it_is_one_sentence(main, capsys, error, sentence):
    def fail(job):
        raise error

    assert main(fail, "tracking=none") == 1
    assert states() == ["FAILED"]
    printed = capsys.readouterr()
    assert printed.out == ""
    reason, remedy = printed.err.splitlines()
    assert reason.startswith("the run failed: ")
    assert remedy.startswith(f"run.py: {sentence}")


IN_PROCESS = "hydra/launcher=basic"
"""Hydra's own launcher, which does the jobs here, as that of a cluster does them where it likes."""


def outcomes():
    (folder,) = Path("outputs/sweeps").iterdir()
    return list(SweepFolder(folder).outcomes().values())


def test_the_jobs_of_a_sweep_come_in_the_order_of_the_request(main, tmp_path):
    seen: list[Job] = []
    typed = ("tracking=none", "seed=0,1", "units=4,8", "seed=2,1")
    request = cli.check(["-m", *typed])
    assert main(seen.append, "-m", IN_PROCESS, *typed) == 0
    assert request is not None
    assert [outcome.overrides for outcome in outcomes()] == list(request.jobs)
    assert [(job.plan.seed, job.plan.units) for job in seen] == [(2, 4), (2, 8), (1, 4), (1, 8)]
    (sweep,) = {job.sweep for job in seen}
    assert sweep is not None
    assert (sweep.folder.name, sweep.run_id) == (sweep.id, None)
    assert {path.name for path in sweep.folder.iterdir()} == {
        "jobs",
        "multirun.yaml",
        "workers.lock",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]
    assert states() == ["FINISHED"] * 4


def test_a_job_that_fails_does_not_take_the_others_down(main, capsys):
    assert main(fail_at_1, "-m", IN_PROCESS, "tracking=none", "seed=0,1,2") == 1
    assert states() == ["FINISHED", "FAILED", "FINISHED"]
    assert [outcome.status for outcome in outcomes()] == ["FINISHED", "FAILED", "FINISHED"]
    assert "tanh-T100-s1 failed: ZeroDivisionError: of nothing" in capsys.readouterr().err


def test_a_supervised_job_that_fails_is_an_outcome_and_no_more(main, tmp_path):
    folder = SweepFolder(tmp_path / "outputs" / "sweeps" / "mine")
    folder.path.mkdir(parents=True)
    folder.state.update(workers=1)
    typed = ("tracking=none", "seed=1,0", f"hydra.sweep.dir={folder.path}")
    assert main(fail_at_1, "-m", IN_PROCESS, *typed) == 0
    assert [outcome.status for outcome in outcomes()] == ["FAILED", "FINISHED"]


def test_a_job_that_is_refused_does_not_take_the_others_down(main, capsys):
    # Each value alone would do.
    arguments = ("init=orthogonal,sparse", "units=20,5,30")
    cli.check(["-m", *arguments])
    assert main(lambda job: None, "-m", IN_PROCESS, "tracking=none", *arguments) == 1
    assert states() == ["FINISHED"] * 5
    assert "init.nonzero: expected at most 5, the units, received 15" in capsys.readouterr().err


def test_replicas_in_a_sweep_are_refused_under_hydra_too(main, capsys):
    assert main(None, "-m", IN_PROCESS, "tracking=none", "replicas=2") == 1
    assert states() == []
    sentence = "replicas: expected 1 in a sweep, which lists its seeds (seed=range(0,2)), received 2"
    assert sentence in capsys.readouterr().err


def test_a_wrong_value_that_came_by_another_way_is_refused_too(main, capsys, tmp_path):
    (tmp_path / "more" / "experiment").mkdir(parents=True)
    (tmp_path / "more" / "experiment" / "mine.yaml").write_text("# @package _global_\nseq_len: 0\n")
    assert main(None, f"--config-dir={tmp_path}/more", "experiment=mine") == 2
    assert capsys.readouterr() == ("", "run.py: seq_len: expected an integer of at least 1, received 0\n")
    assert states() == []
