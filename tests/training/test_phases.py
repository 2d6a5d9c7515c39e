"""Phases beside the task: flossing against NumPy, episodes against a loop, and runs that are killed."""

import dataclasses
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from interruptions import SignalAt
from plans import small_plan

from rnnexp.nn.cells.elman import Elman
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.initializers import Gaussian
from rnnexp.nn.network import build_network
from rnnexp.optim.constraints import Bound, Constraint
from rnnexp.probes.lyapunov import measure_lyapunov
from rnnexp.probes.rollout import Rollout
from rnnexp.runs.build import compose_job
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.random import generator
from rnnexp.runtime.signals import Interruption, Killed
from rnnexp.tasks import Adding
from rnnexp.training import checkpoint
from rnnexp.training.flossing import Exponents
from rnnexp.training.phases import Flossing, PhaseRun
from rnnexp.training.replica import Observer
from rnnexp.training.trainer import Member, Trainer

TASK, H, K, B, TARGET = Adding(20), 5, 3, 4, -0.1


def network(task=TASK, units=H):
    keras.backend.clear_session()
    cell = ElmanCell(
        units,
        kernel_initializer=Gaussian(gain=0.5, seed=1),
        recurrent_initializer=Gaussian(gain=0.8, seed=2),
        dtype="float64",
    )
    return build_network(task, cell, seed=3)


def exponents(weights, x, count, warm_up):
    """The exponents by loops over samples and steps in NumPy, (K,)."""
    kernel, recurrent, bias = weights[:3]
    start = np.linalg.qr(generator(0, "probe").normal(size=(len(recurrent), count)))[0]
    means = []
    for sample in x.astype(float):
        state, frame, logs = np.zeros(len(recurrent)), start, []
        for x_t in sample:
            state = np.tanh(x_t @ kernel + state @ recurrent + bias)
            frame, triangle = np.linalg.qr(np.diag(1 - state**2) @ recurrent.T @ frame)
            logs.append(np.log(np.abs(np.diag(triangle))))
        means.append(np.mean(logs[warm_up:], axis=0))
    return np.mean(means, axis=0)


def flossed(weights, x):
    return np.mean((exponents(weights, x, K, 2) - TARGET) ** 2)


def test_the_exponents_are_those_of_a_loop_in_numpy():
    made, x = network(), TASK.batch(0, "train", 0, B).x
    found = Exponents(made, K, TARGET).exponents(tf.constant(x, tf.float64))
    np.testing.assert_allclose(found, exponents(made.get_weights(), x, K, 2), rtol=1e-10)


def test_fewer_time_steps_are_the_first_ones():
    made, x = network(), TASK.batch(0, "train", 0, B).x
    found = Exponents(made, K, TARGET, time_steps=10).exponents(tf.constant(x, tf.float64))
    np.testing.assert_allclose(found, exponents(made.get_weights(), x[:, :10], K, 1), rtol=1e-10)


def test_the_gradient_is_that_of_central_differences():
    made, x = network(), TASK.batch(0, "train", 0, B).x
    with tf.GradientTape() as tape:
        loss = Exponents(made, K, TARGET).loss(tf.constant(x, tf.float64))
    gradients = tape.gradient(loss, made.trainable_variables)
    weights, width = made.get_weights(), 1e-6
    assert float(loss) == pytest.approx(flossed(weights, x), rel=1e-10)
    for place, weight in enumerate(weights[:3]):
        expected = np.zeros_like(weight)
        for entry in np.ndindex(weight.shape):
            both = []
            for sign in (1, -1):
                changed = [each.copy() for each in weights]
                changed[place][entry] += sign * width
                both.append(flossed(changed, x))
            expected[entry] = (both[0] - both[1]) / (2 * width)
        np.testing.assert_allclose(gradients[place], expected, rtol=1e-5, atol=1e-8)
    assert gradients[3:] == [None, None]  # the readout


def test_flossing_moves_the_exponents_nearer_the_target():
    task = Adding(30)
    made = network(task, 8)
    rollout = Rollout(network(task, 8), Elman(), "tanh", task.loss, task.batch(0, "probe", 0, 16), 20)

    def distance():
        spectrum = measure_lyapunov(rollout.trajectory(made.get_weights()).jacobians, exponents=4)
        return np.sqrt(np.mean(spectrum.exponents**2))

    before = distance()
    run = PhaseRun(Flossing(exponents=4, steps=60, learning_rate=0.01).build(made), made, task, 0, 8)
    while run.episodes < 1:
        run.step()
    metrics = run.metrics()
    assert distance() < 0.3 * before
    assert metrics["phase/distance_after"] < 0.3 * metrics["phase/distance_before"]
    assert metrics["phase/distance_before"] == pytest.approx(before, rel=0.2)  # of another batch
    assert metrics["phase/lambda_k_before"] < metrics["phase/lambda_1_before"] < 0


ALTERNATING = small_plan(
    phase=Flossing(exponents=2, steps=4, learning_rate=0.01, every=5), probe_every=100, validation_every=100
)
"""12 training steps, with episodes of 4 updates before the steps 0, 5 and 10."""


def trainer_of(plans, paths, interruption=None):
    def ignore(found):
        pass

    silent = Observer(ignore, ignore, ignore, on_checkpoint=lambda: None)
    members = [Member(plan, path, silent) for plan, path in zip(plans, paths, strict=True)]
    return Trainer(members, interruption or Interruption())


def trained(path, interruption=None, resume=False, plan=ALTERNATING):
    (result,) = trainer_of([plan], [path], interruption).run([resume])
    return result, checkpoint_of(path)


def checkpoint_of(path):
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files if name != "seconds"}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.fixture(scope="module")
def alternating(tmp_path_factory):
    """The result and the last checkpoint of a run that nothing interrupts."""
    return trained(tmp_path_factory.mktemp("whole") / "state.npz")


def updates_of(objective, optimizer, made, batches):
    """Take updates by an optimizer of Keras on a loss, in a loop of Python."""
    for batch in batches:
        with tf.GradientTape() as tape:
            loss = objective(batch)
        gradients = tape.gradient(loss, made.trainable_variables)
        pairs = zip(gradients, made.trainable_variables, strict=True)
        optimizer.apply_gradients([pair for pair in pairs if pair[0] is not None])


class Restarts(Constraint):
    """A constraint that moves no weight, and notes the weights at which it begins anew."""

    def __init__(self):
        self.kernels = []

    def bind(self, weights, time_steps):
        bound: Any = Bound(weights, lambda weights: {})
        bound.restart = lambda: self.kernels.append(weights[1].numpy())
        return bound


class Course(NamedTuple):
    """What a run comes to: its last weights, the metrics of its phase, the kernels at every restart.

    A run begins its constraint once more than a loop: when the model is made.
    """

    weights: list
    metrics: dict
    restarts: list


def by_hand(plan, network):
    """The updates of `ALTERNATING` on a network, by a loop of Python."""
    batches = [plan.task.batch(plan.seed, "train", index, plan.batch_size) for index in range(12)]
    inputs = [tf.constant(batch.x, tf.float64) for batch in batches]
    flossing, noted, kernels = Exponents(network, 2, 0.0, None), [], []
    phase, task = keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01)
    for episode, steps in enumerate([slice(0, 5), slice(5, 10), slice(10, 12)]):
        noted.append(flossing.metrics(inputs[0]))
        updates_of(flossing.loss, phase, network, inputs[4 * episode : 4 * episode + 4])
        noted.append(flossing.metrics(inputs[0]))
        kernels.append(network.get_weights()[1])
        updates_of(lambda batch: squares(network, batch), task, network, batches[steps])
    places = {"before": 0, "after": 1, "before_last": -2, "after_last": -1}
    metrics = {
        f"phase/{key}_{when}": float(value)
        for when, place in places.items()
        for key, value in noted[place].items()
    }
    return Course(network.get_weights(), metrics, kernels)


def squares(network, batch):
    return tf.reduce_mean((network(batch.x) - batch.y) ** 2)


@pytest.fixture(scope="module")
def courses(tmp_path_factory):
    """A run of the trainer, and the same by hand from the same weights."""
    constraint = Restarts()
    plan = dataclasses.replace(ALTERNATING, dtype="float64", constraint=constraint)
    trainer = trainer_of([plan], [tmp_path_factory.mktemp("loop") / "state.npz"])
    network = trainer.replicas[0].network
    twin = keras.models.clone_model(network)
    twin.set_weights(network.get_weights())
    (result,) = trainer.run([False])
    found = Course(network.get_weights(), result.phase_metrics, constraint.kernels)
    return found, by_hand(plan, twin)


def test_episodes_come_where_a_loop_by_hand_puts_them(courses):
    for found, expected in zip(courses[0].weights, courses[1].weights, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_metrics_are_of_the_first_and_the_last_episode(courses):
    assert courses[0].metrics == pytest.approx(courses[1].metrics, rel=1e-6)


def test_a_constraint_begins_anew_after_each_episode(courses):
    np.testing.assert_allclose(courses[0].restarts[1:], courses[1].restarts, rtol=1e-6, atol=1e-9)


def test_killed_in_either_phase_it_goes_on_to_the_bit(alternating, tmp_path):
    path = tmp_path / "state.npz"
    # In the middle of the second episode, then between the second and the third.
    for resume, count, updates, steps in ((False, 10, 6, 5), (True, 3, 8, 7)):
        with pytest.raises(Killed):
            trained(path, SignalAt(count), resume)
        assert int(np.load(path)["before_steps_taken"]) == updates
        assert checkpoint.steps_in(path) == steps
    result, found = trained(path, resume=True)
    assert result.phase_metrics == alternating[0].phase_metrics
    assert_same(found, alternating[1])


def test_replicas_alternate_as_each_does_alone(alternating, tmp_path):
    paths = [tmp_path / "first.npz", tmp_path / "second.npz"]
    trainer_of([dataclasses.replace(ALTERNATING, seed=1), ALTERNATING], paths).run([False, False])
    assert_same(checkpoint_of(paths[1]), alternating[1])


def test_without_a_phase_nothing_of_one_is_kept(tmp_path):
    trainer = trainer_of([small_plan()], [tmp_path / "state.npz"])
    (replica,) = trainer.replicas
    replica.begin(resume=False)
    replica.save()
    result, kept = replica.result(), checkpoint_of(tmp_path / "state.npz")
    assert result.phase_metrics == {}
    assert not [name for name in kept if name.startswith("before")]


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["cell=gru"], "^cell: expected elman, whose exponents"),
        (["phase.exponents=65"], "^phase.exponents: expected at most 64, the units, received 65"),
        (["phase.time_steps=101"], "^phase.time_steps: expected at most 100, the sequence, received 101"),
        (["phase.steps=0"], "^phase.steps: expected an integer of at least 1"),
        (["phase.target=inf"], "^phase.target: expected a finite number"),
        (["phase.every=0"], "^phase.every: expected an integer of at least 1"),
        (["phase.every=5000"], "^phase.every: expected under 5000, the steps, received 5000"),
    ],
)
def test_what_does_not_fit_the_run_is_refused(overrides, sentence):
    with pytest.raises(ArgumentError, match=sentence):
        compose_job(["phase=flossing", "output_dir=x", *overrides])
