import dataclasses
import io
import re
from pathlib import Path

import pytest
from jobs import job_of
from rich.console import Console

from rnnexp.runs.run_folder import RunFolder
from rnnexp.sweeps.preview import pace, preview, timed
from rnnexp.sweeps.request import Request

JOBS = tuple(("tracking=none", "steps=1000", f"seed={seed}") for seed in range(4))


def asked(*more, workers=1):
    jobs = tuple((*job, *more) for job in JOBS)
    return Request(
        sweeping=True,
        typed=(),
        jobs=jobs,
        first=job_of(jobs[0]),
        launcher="basic",
        workers=workers,
    )


def lines(request):
    file = io.StringIO()
    preview(request, job_of, Console(file=file, width=80))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def left(overrides, status, **values):
    folder = RunFolder.create(Path("outputs"), "a")
    job = job_of(overrides)
    folder.update(status=status, config_hash=job.config_hash, store="none", attempts=1, **values)
    return folder


def test_it_says_what_each_job_would_do_and_makes_nothing(tmp_path):
    left(JOBS[0], "FINISHED")
    left(JOBS[1], "KILLED").checkpoint.touch()
    left(JOBS[2], "FAILED")
    before = sorted(tmp_path.rglob("*"))
    found = lines(asked())
    assert [row.split()[:4] for row in found[2:6]] == [
        *(["0", "0", "skip"], ["1", "1", "go", "on"], ["2", "2", "run", "6.5"], ["3", "3", "run", "6.5"])
    ]
    assert found[-2] == "jobs   4: 2 to run, 1 to go on with, 1 to skip"
    assert sorted(tmp_path.rglob("*")) == before


def test_it_lists_all_jobs_however_many():
    request = asked()
    jobs = tuple(("tracking=none", f"seed={seed}") for seed in range(30))
    found = lines(dataclasses.replace(request, jobs=jobs))
    assert [row.split()[0] for row in found[2:32]] == [str(number) for number in range(30)]


def test_forced_it_runs_all():
    left(JOBS[0], "FINISHED")
    assert lines(asked("resume=false"))[-2] == "jobs   4: 4 to run"


def test_time_is_split_among_workers_down_to_the_longest_job():
    cost = asked().costs()[0]
    for workers, seconds in ((1, 4 * cost), (2, 2 * cost), (64, cost)):
        found = re.fullmatch(r"time   about ([\d.]+) s on .* \(by rule\)", lines(asked(workers=workers))[-1])
        assert found is not None
        assert float(found[1]) == pytest.approx(seconds, rel=0.05)


def test_runs_of_similar_cost_set_the_pace():
    cost = asked().costs()[0]
    for seconds in (2 * cost, 4 * cost, 6 * cost):
        left(("tracking=none", "steps=9"), "FINISHED", cost=cost, seconds=seconds)
    assert lines(asked())[-1].endswith("(similar runs timed for 4 of 4 jobs)")
    assert pace([(1.0, 2.0), (1.0, 4.0), (1.0, 6.0)], 1.5) == 4.0
    assert pace([(1.0, 2.0)], 3.1) is None


@pytest.mark.parametrize(
    "spoilt",
    [
        {"status": "KILLED"},
        {"attempts": 2},
        {"replicas": 3},
        {"verdicts": {"verdict.learning": "diverged"}},
        {"seconds": None},
    ],
)
def test_a_run_that_says_nothing_of_the_time_is_left_out(spoilt):
    folder = left(JOBS[0], "FINISHED", cost=1.0, seconds=2.0)
    assert timed([folder]) == [(1.0, 2.0)]
    folder.update(**spoilt)
    assert timed([folder]) == []


def test_of_a_run_alone_it_says_what_the_command_does():
    left(JOBS[0], "FINISHED")
    left(JOBS[1], "KILLED")

    def steps(*overrides):
        jobs = [(*job, *overrides) for job in JOBS[:2]]
        request = dataclasses.replace(asked(), sweeping=False)
        found = [dataclasses.replace(request, jobs=(job,), first=job_of(job)) for job in jobs]
        return [lines(one)[-2] for one in found]

    assert steps() == ["jobs   1: 1 to run"] * 2
    assert steps("resume=true") == ["jobs   1: 1 to run", "jobs   1: 1 to go on with"]
