import dataclasses

import pytest
from jobs import job_of

from rnnexp.runs import heuristics
from rnnexp.runtime.config_keys import key_of, values_of
from rnnexp.sweeps.request import Request, signature

JOBS = tuple(
    ("tracking=none", f"activation={activation}", "units=8", f"seq_len={length}")
    for activation in ("tanh", "relu")
    for length in (10, 20)
)


@pytest.fixture
def request_():
    return Request(
        sweeping=True,
        typed=("tracking=none", "activation=tanh,relu", "units=8", "seq_len=10,20"),
        jobs=JOBS,
        first=job_of(JOBS[0]),
        launcher="basic",
        workers=1,
    )


def test_what_differs_between_jobs_is_swept(request_):
    assert request_.swept == ("activation", "seq_len")
    assert dataclasses.replace(request_, jobs=JOBS[:1]).swept == ()


def test_its_name_is_given_or_its_experiment_or_what_it_sweeps(request_):
    assert request_.name == "sweep activation, seq_len"
    for overrides, name in ((["experiment=smoke"], "smoke"), (["experiment=smoke", "name=mine"], "mine")):
        first = job_of(["tracking=none", *overrides])
        assert dataclasses.replace(request_, first=first).name == name


@pytest.mark.parametrize(("count", "name"), [(1, "tanh-T10-units8-s0"), (4, "tanh-T10-units8-s0 and 3 more")])
def test_runs_that_are_no_sweep_are_called_after_the_first(request_, count, name):
    assert dataclasses.replace(request_, sweeping=False, jobs=JOBS[:count]).name == name


def test_the_cost_of_a_job_is_that_of_its_plan(request_):
    plans = [job_of(job).plan for job in JOBS]
    expected = [
        heuristics.expected_seconds(plan.task.seq_len, plan.units, plan.batch_size, plan.train_steps)
        for plan in plans
    ]
    assert request_.costs() == expected
    assert len(set(expected)) == 2


def test_keys_and_values():
    assert [key_of(override) for override in ("a=1", "+b.c=2", "~d", "++e=f=g")] == ["a", "b.c", "d", "e"]
    assert values_of(["a=1", "+b.c=x=y"]) == {"a": "1", "b.c": "x=y"}


SAME = [
    ["units=4", "seed=0,1"],
    ["seed=0,1", "units=4", "launcher=joblib", "launcher.workers=2", "hydra.sweep.dir=x", "resume=true"],
    ["seed=0,1", "units=4", "tracking.every=3", "dry_run=true", "hydra/launcher=basic", "+name=a"],
]


@pytest.mark.parametrize("typed", SAME)
def test_how_a_sweep_is_run_does_not_make_it_another(typed):
    assert signature(typed, "none") == signature(["seed=0,1", "units=4"], "none")


@pytest.mark.parametrize(
    ("typed", "store"), [(["seed=0,2", "units=4"], "none"), (["seed=0,1", "units=4"], "http://host:1")]
)
def test_what_is_run_and_where_it_is_kept_makes_it_another(typed, store):
    assert signature(typed, store) != signature(["seed=0,1", "units=4"], "none")
