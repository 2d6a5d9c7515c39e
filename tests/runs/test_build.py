from pathlib import Path

import numpy as np
import pytest
from jobs import job_of

from rnnexp import tasks
from rnnexp.nn import initializers
from rnnexp.optim import clipping, optimizers
from rnnexp.runs import build
from rnnexp.runtime.checks import ArgumentError

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def own_store(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/store/mlflow.db")


def composed(*overrides):
    return job_of(overrides)


def test_a_configuration_becomes_the_plan_that_it_describes():
    plan = composed(
        *("task=copying", "seq_len=7", "task.recall=3", "activation=relu", "init=identity", "init.gain=0.9"),
        *("clip=norm", "clip.threshold=2", "optimizer=sgd", "optimizer.momentum=0.5", "dtype=float64"),
        *("units=5", "steps=0", "jit=false", "verdict.decades=2", "cell.use_bias=false", "batch_size=3"),
    ).plan
    assert isinstance(plan.task, tasks.Copying)
    assert (plan.task.seq_len, plan.task.recall, plan.task.symbols) == (7, 3, 8)
    assert plan.initializer == initializers.Identity(gain=0.9, seed=1)
    assert plan.clip == clipping.Norm(2)
    assert plan.optimizer == optimizers.Sgd(0.01, momentum=0.5)
    assert (plan.activation, plan.units, plan.train_steps, plan.batch_size) == ("relu", 5, 0, 3)
    assert (plan.dtype, plan.jit, plan.cell.use_bias, plan.decades) == ("float64", False, False, 2.0)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ((), None),
        (("segment=7",), 7),
        (("seq_len=100000", "batch_size=4"), 317),
        (("seq_len=100000", "batch_size=4", "segment=100000"), 100_000),
        # Of the task's steps: 2 * 10 more than the delay, each of both widths.
        (("task=copying", "seq_len=99980", "batch_size=2", "dtype=float64"), 317),
    ],
)
def test_segments_are_those_asked_for_or_follow_from_the_shape(overrides, expected):
    assert composed(*overrides).plan.segment == expected


def test_seed_0_is_a_seed_and_no_two_weights_share_their_draw():
    def draws(seed):
        plan = composed(f"seed={seed}", "init=gaussian", "units=4").plan
        return plan.seed, plan.initializer((4, 4))

    (zero, first), (one, second) = draws(0), draws(1)
    assert (zero, one) == (0, 1)
    assert not np.array_equal(first, second)


def test_the_choices_of_the_groups_are_known():
    job = composed("task=copying", "experiment=smoke", "clip=norm")
    assert job.choices == {
        "task": "copying",
        "cell": "elman",
        "init": "orthogonal",
        "clip": "norm",
        "optimizer": "adam",
        "schedule": "none",
        "constraint": "none",
        "regularizer": "none",
        "phase": "none",
        "tracking": "mlflow",
        "launcher": "basic",
        "experiment": "smoke",
    }


def test_a_run_is_named_as_given_or_after_its_overrides():
    assert composed("name=mine").name == "mine"
    assert composed("experiment=smoke", "activation=relu", "seed=3").name == "relu-T30-s3"


def test_paths_names_and_tracking_do_not_change_what_a_run_is():
    same = composed("tracking=none", "output_dir=elsewhere", "name=a", "resume=true")
    assert same.config_hash == composed().config_hash
    assert composed("steps=6000").config_hash != composed().config_hash


def test_the_address_of_the_store(tmp_path, monkeypatch):
    assert composed("tracking=none").tracking.uri is None
    assert composed().tracking.uri == f"sqlite:///{tmp_path}/store/mlflow.db"
    assert composed("tracking.uri=sqlite:///a.db").tracking.uri == f"sqlite:///{ROOT}/a.db"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert composed().tracking.uri == f"sqlite:///{ROOT}/mlflow.db"


def test_a_login_stays_out_of_the_records():
    job = composed("tracking.uri=http://ann:secret@host:5000")
    assert job.tracking.uri == "http://ann:secret@host:5000"
    assert job.tracking.store == job.config["tracking"]["uri"] == "http://host:5000"
    assert job.overrides == ("tracking.uri=http://host:5000",)


def test_one_wrong_key_of_many_is_found():
    with pytest.raises(ArgumentError, match="unts: expected a key of the configuration, such as units"):
        composed("task=copying", "task.recall=3", "unts=4", "seed=2")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["replicas=3"], ("replicas=1", "seed=5")),
        (["replicas=3", "units=8", "seed=4"], ("units=8", "replicas=1", "seed=5")),
        (["+replicas=3", "~seed"], ("replicas=1", "seed=5")),
        # Keys that only begin or end alike are others.
        (["init.seed=4", "name=replicas=3"], ("init.seed=4", "name=replicas=3", "replicas=1", "seed=5")),
        # An experiment may ask for several, so that 1 is always said.
        ([], ("replicas=1", "seed=5")),
    ],
)
def test_the_overrides_of_a_replica_are_those_of_its_single_run(typed, expected):
    assert build.alone(typed, 5) == expected
