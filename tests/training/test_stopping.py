"""Training that ends where the task is solved: one replica, several, and one that goes on."""

import itertools
import signal

import numpy as np
import pytest
from plans import small_plan

from rnnexp.diagnosis.verdict import learning_verdict
from rnnexp.nn.initializers import Orthogonal
from rnnexp.optim.optimizers import Adam
from rnnexp.runtime.signals import Interruption, Killed
from rnnexp.tasks import RecallReal
from rnnexp.training.replica import Observer
from rnnexp.training.trainer import Member, Trainer

BUDGET, EVERY = 400, 20


def plan_of(seed, **changes):
    """A linear network that is to say what it has just seen, which some ten steps teach it."""
    usual = {
        "task": RecallReal(2, lag=0),
        "activation": "linear",
        "initializer": Orthogonal(seed=3 * seed + 1),
        "optimizer": Adam(learning_rate=0.03),
        "seed": seed,
        "batch_size": 16,
        "train_steps": BUDGET,
        "steps_per_execution": 10,
        "probe_every": 1000,
        "validation_every": EVERY,
        "checkpoint_every": 10,
        "stop": "solved",
    }
    return small_plan(**usual | changes)


def silent():
    return Observer(lambda _: None, lambda _: None, lambda _: None, lambda: None)


def trained(folder, *plans, resume=False, interruption=None):
    members = [Member(plan, folder / f"{plan.seed}.npz", silent()) for plan in plans]
    trainer = Trainer(members, interruption or Interruption())
    results = trainer.run([resume] * len(plans))
    return [
        (result, replica.network.get_weights())
        for replica, result in zip(trainer.replicas, results, strict=True)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("alone")


@pytest.fixture(scope="module")
def alone(folder):
    return trained(folder, plan_of(0))[0]


def assert_same(found, expected):
    assert (found[0].solved_at, found[0].steps_taken) == (expected[0].solved_at, expected[0].steps_taken)
    for one, other in zip(found[1], expected[1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_it_ends_at_the_first_validation_that_solves(alone):
    result, _ = alone
    assert 0 < result.solved_at < BUDGET
    assert result.solved_at == result.steps_taken == result.end.step
    steps = [validated.step for validated in result.validations]
    assert steps == list(range(EVERY, result.solved_at + 1, EVERY))  # the last one once
    scores = [validated.score for validated in result.validations]
    assert [learning_verdict(score, 1 / 3, 0.01) == "solved" for score in scores] == [False] * (
        len(scores) - 1
    ) + [True]


def test_a_budget_that_ends_before_censors(alone, tmp_path):
    """The same training up to the validation before, judged on all sequences."""
    budget = alone[0].solved_at - EVERY
    ((result, _),) = trained(tmp_path, plan_of(0, train_steps=budget))
    assert (result.solved_at, result.steps_taken) == (None, budget)
    assert learning_verdict(result.validations[-1].score, 1 / 3, 0.01) == "learning"


def test_replicas_stop_one_by_one_as_they_would_alone(alone, tmp_path):
    first, other = trained(tmp_path, plan_of(0), plan_of(1))
    assert_same(first, alone)
    assert other[0].solved_at not in (None, first[0].solved_at)


class StoppedAt(Interruption):
    """Asks for the end at the n-th question."""

    def __init__(self, count):
        super().__init__()
        self._asked = itertools.count(1)
        self._count = count

    def check(self):
        if next(self._asked) == self._count:
            raise Killed(signal.SIGTERM)


def test_a_stopped_run_ends_where_it_would_have(alone, tmp_path):
    with pytest.raises(Killed):
        trained(tmp_path, plan_of(0), interruption=StoppedAt(3))
    assert_same(trained(tmp_path, plan_of(0), resume=True)[0], alone)


def test_one_that_had_solved_its_task_trains_no_further(alone, folder):
    assert_same(trained(folder, plan_of(0), resume=True)[0], alone)
