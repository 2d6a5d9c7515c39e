"""Schedules against their equations, at the optimizer of a run, and over a resume."""

import math

import keras
import numpy as np
import pytest
from plans import small_plan

from rnnexp.optim.optimizers import Sgd
from rnnexp.optim.schedules import CATALOGUE, Cosine, NoSchedule, Staircase, Warmup
from rnnexp.runtime.checks import ArgumentError
from rnnexp.training import checkpoint
from rnnexp.training.record import History
from rnnexp.training.replica import Observer, Replica

RATE, STEPS = 0.5, 12
EQUATIONS = {
    Staircase(every=3, factor=0.1): lambda k: RATE * 0.1 ** (k // 3),
    Staircase(): lambda k: RATE * 0.1 ** (k // 2000),
    Cosine(final=0.2): lambda k: RATE * (0.2 + 0.8 * (1 + math.cos(math.pi * min(k / STEPS, 1))) / 2),
    Warmup(over=5): lambda k: RATE * min(1, (k + 1) / 5),
    Warmup(over=2): lambda k: RATE * min(1, (k + 1) / 2),
}
each = pytest.mark.parametrize(("schedule", "equation"), EQUATIONS.items(), ids=map(str, EQUATIONS))


@each
def test_the_rate_is_that_of_the_equation(schedule, equation):
    rate = schedule.build(RATE, STEPS)
    for k in [*range(STEPS + 2), 5000]:
        assert float(rate(k)) == pytest.approx(equation(k), rel=1e-5, abs=1e-8)


def test_every_schedule_of_the_catalogue_has_an_equation():
    assert {type(schedule) for schedule in EQUATIONS} == {*CATALOGUE.values()} - {NoSchedule}
    assert NoSchedule().build(RATE, STEPS) is None
    assert float(Cosine().build(RATE, 0)(0)) == RATE  # a run without steps


def replica(schedule, folder):
    plan = small_plan(schedule=schedule, optimizer=Sgd(learning_rate=RATE), train_steps=STEPS)
    nothing = [lambda *arguments: None] * 4
    return Replica(plan, folder / "state.npz", Observer(*nothing))


def updated(model, updates):
    """The first weight before and after each of the updates, whose gradients are all 1."""
    weights, seen = model.network.trainable_variables, []
    for _ in range(updates):
        before = weights[0].numpy().flat[0]
        model.optimizer.apply([keras.ops.ones_like(weight) for weight in weights], model.bound.trained)
        seen.append(float(before - weights[0].numpy().flat[0]))
    return seen


def test_a_run_takes_its_rates_and_goes_on_with_them(tmp_path):
    first, second = (replica(Staircase(every=3, factor=0.5), tmp_path).model for _ in range(2))
    expected = [RATE * 0.5 ** (k // 3) for k in range(8)]
    np.testing.assert_allclose(updated(first, 4), expected[:4], rtol=1e-5)
    checkpoint.save(tmp_path / "a.npz", first, History.empty(12), np.zeros((0, 5)), np.zeros((0, 6)))
    checkpoint.load(tmp_path / "a.npz", second)
    np.testing.assert_allclose(updated(second, 4), expected[4:], rtol=1e-5)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (Staircase, "every", 0),
        (Staircase, "factor", 0.0),
        (Cosine, "final", 1.0),
        (Warmup, "over", 1),
    ],
)
def test_what_is_outside_its_domain_is_refused(kind, name, value):
    with pytest.raises(ArgumentError, match=f"^{name}: expected"):
        kind(**{name: value})
